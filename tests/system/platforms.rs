//! Builds for several platforms: the index, its images, and where they go.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use serde_json::Value;
use zoea_image::{Layout, validate_delivery};
use zoea_tests::{Actor, Base, Finished, Need, Registry, Zoea, emulator, ready, skopeo};

use crate::result::{Built, with_base, words};

/// Another platform's base is never run here.
const FOREIGN: &str = "FROM scratch\nARG TARGETPLATFORM BUILDPLATFORM\nENV FOR=$TARGETPLATFORM ON=$BUILDPLATFORM\n\
                       COPY --chown=3:4 Dockerfile /d/f\n";
const BOTH: [&str; 4] = ["--platform", "linux/s390x,linux/amd64", "--source-date-epoch", "9"];

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn entries(index: &Value) -> Result<&Vec<Value>> {
    index.pointer("/manifests").and_then(Value::as_array).context("no manifests")
}

/// Returns the platforms of an index in its order.
fn platforms(index: &Value) -> Result<Vec<String>> {
    let entry =
        |entry: &Value| format!("{}/{}", text(entry, "/platform/os"), text(entry, "/platform/architecture"));
    Ok(entries(index)?.iter().map(entry).collect())
}

/// Returns what a layout holds, read and found valid.
fn check_layout(layout: &Path) -> Result<String> {
    let directory = Dir::open_ambient_dir(layout, ambient_authority())?;
    let delivery = Layout::open(&directory)?.delivery(None)?;
    let violations = validate_delivery(&delivery);
    ensure!(violations.is_empty(), "{violations:?}");
    Ok(delivery.digest().to_string())
}

#[test]
fn an_index_is_pushed_with_its_images() -> Result<()> {
    let needs = [Need::Program("docker-registry"), Need::Program("skopeo")];
    if !ready("an_index_is_pushed_with_its_images", &needs) {
        return Ok(());
    }
    let registry = Registry::start()?;
    let mut digests = Vec::new();
    for actor in Actor::BOTH {
        let zoea = Zoea::new(actor)?;
        let context = zoea.context(&[("Dockerfile", FOREIGN)])?;
        let names = ["several:1", "several:2", "other/several:1"].map(|name| registry.reference(name));
        let tags: Vec<_> = names.iter().flat_map(|name| ["-t", name]).collect();
        let metadata = zoea.home().join("metadata.json").to_string_lossy().into_owned();
        let more = ["--push", "--insecure-registry", registry.address(), "--metadata-file", &metadata];
        let said = zoea.build(&context, &[&BOTH[..], &tags, &more].concat())?.success()?.stderr;
        assert!(
            said.contains("[linux/s390x 0 3/3] COPY") && said.contains("[linux/amd64 0 3/3] COPY"),
            "{said}"
        );

        let metadata: Value = serde_json::from_slice(&fs::read(metadata)?)?;
        let digest = text(&metadata, "/containerimage.digest").to_owned();
        assert_eq!(text(&metadata, "/containerimage.descriptor/digest"), digest);
        assert!(metadata.pointer("/containerimage.descriptor/platform").is_none());
        for name in names {
            let (repository, _) = name.rsplit_once(':').context("no tag")?;
            for reference in [name.clone(), format!("{repository}@{digest}")] {
                let index = skopeo::manifest(&skopeo::remote(&reference))?;
                assert_eq!(text(&index, "/mediaType"), "application/vnd.oci.image.index.v1+json");
                assert_eq!(platforms(&index)?, ["linux/s390x", "linux/amd64"]);
                for entry in entries(&index)? {
                    let image = format!("{repository}@{}", text(entry, "/digest"));
                    let config = skopeo::config(&skopeo::remote(&image))?;
                    let architecture = text(entry, "/platform/architecture");
                    assert_eq!(text(&config, "/architecture"), architecture);
                    assert!(config.to_string().contains(&format!("FOR=linux/{architecture}")), "{config}");
                    let copy = zoea.home().join("tmp/copy");
                    skopeo::copy(&skopeo::remote(&image), &format!("dir:{}", copy.display()))?;
                    fs::remove_dir_all(copy)?;
                }
            }
        }
        digests.push(digest);
    }
    assert!(digests.windows(2).all(|pair| pair.first() == pair.last()), "{digests:?}");
    Ok(())
}

#[test]
fn archives_and_layouts_nest_the_index() -> Result<()> {
    if !ready("archives_and_layouts_nest_the_index", &[Need::Program("skopeo")]) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Root)?;
    let context = zoea.context(&[("Dockerfile", FOREIGN)])?;
    let path = |name: &str| zoea.home().join(name);
    let outputs = [
        format!("type=oci,dest={}", path("archive.tar").display()),
        format!("type=oci,tar=false,dest={}", path("layout").display()),
    ];
    let outputs: Vec<_> = outputs.iter().flat_map(|output| ["-o", output]).collect();
    let id = path("id").to_string_lossy().into_owned();
    zoea.build(&context, &[&BOTH[..], &outputs, &["--iidfile", &id]].concat())?.success()?;
    let digest = fs::read_to_string(id)?;
    assert_eq!(check_layout(&path("layout"))?, digest);

    fs::create_dir(path("unpacked"))?;
    Finished::of(Command::new("tar").arg("xf").arg(path("archive.tar")).arg("-C").arg(path("unpacked")))?
        .success()?;
    assert_eq!(check_layout(&path("unpacked"))?, digest);
    let all = format!("dir:{}", path("all").display());
    let flags = ["--insecure-policy", "copy", "--quiet", "--all"];
    let from = format!("oci-archive:{}", path("archive.tar").display());
    Finished::of(Command::new("skopeo").args(flags).args([&from, &all]))?.success()?;

    let docker = format!("type=docker,dest={}", path("docker.tar").display());
    zoea.build(&context, &[&BOTH[..], &["-o", &docker]].concat())?.failure(2, &["docker load", "hint: "])?;
    assert!(!path("docker.tar").exists());
    Ok(())
}

#[test]
fn files_come_in_a_directory_for_each_platform() -> Result<()> {
    if !ready("files_come_in_a_directory_for_each_platform", &[]) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Root)?;
    let text = "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /d/\nWORKDIR /w\n";
    let context =
        zoea.context(&[("Dockerfile", text), ("s390x/f", "big"), ("s390x/g", "end"), ("amd64/f", "little")])?;
    Finished::of(Command::new("ln").arg(context.join("s390x/f")).arg(context.join("s390x/hard")))?
        .success()?;
    let (tar, local) = (zoea.home().join("files.tar"), zoea.home().join("files"));
    let outputs =
        [format!("type=tar,dest={}", tar.display()), format!("type=local,dest={}", local.display())];
    let outputs: Vec<_> = outputs.iter().flat_map(|output| ["-o", output]).collect();
    zoea.build(&context, &[&BOTH[..], &outputs].concat())?.success()?;
    let unpacked = zoea.home().join("unpacked");
    fs::create_dir(&unpacked)?;
    Finished::of(Command::new("tar").arg("xpf").arg(&tar).arg("-C").arg(&unpacked))?.success()?;
    for place in [&local, &unpacked] {
        assert_eq!(fs::read_to_string(place.join("linux_s390x/d/f"))?, "big");
        assert_eq!(fs::read_to_string(place.join("linux_s390x/d/hard"))?, "big");
        assert_eq!(fs::read_to_string(place.join("linux_amd64/d/f"))?, "little");
        assert!(place.join("linux_amd64/w").is_dir() && !place.join("linux_amd64/d/g").exists());
    }
    let list = Finished::of(Command::new("tar").arg("tvf").arg(&tar))?.success()?.stdout;
    assert!(list.starts_with("drwxr-xr-x") && list.contains(" linux_s390x/\n"), "{list}");

    let unsplit = format!("type=local,dest={},platform-split=false", zoea.home().join("mixed").display());
    zoea.build(&context, &[&BOTH[..], &["-o", &unsplit]].concat())?.failure(2, &["platform-split"])?;
    let split = format!("type=local,dest={},platform-split=true", zoea.home().join("one").display());
    zoea.build(&context, &["--platform", "linux/s390x", "-o", &split])?.success()?;
    assert!(zoea.home().join("one/linux_s390x/d/g").exists());
    Ok(())
}

#[test]
fn a_stored_index_gives_each_platform_its_base() -> Result<()> {
    if !ready("a_stored_index_gives_each_platform_its_base", &[Need::Program("skopeo")]) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Root)?;
    let context = zoea.context(&[("Dockerfile", FOREIGN)])?;
    zoea.build(&context, &[&BOTH[..], &["-t", "localhost/several:1"]].concat())?.success()?;
    for architecture in ["amd64", "s390x"] {
        let platform = format!("linux/{architecture}");
        let built = Built::of(&zoea, "FROM localhost/several:1\nLABEL a=b\n", &["--platform", &platform])?;
        assert!(built.config()?.to_string().contains(&format!("FOR={platform}")));
    }
    let context = zoea.context(&[("Dockerfile", "FROM localhost/several:1\n")])?;
    // An image that is kept serves under another name too.
    let named = zoea.context(&[("Dockerfile", "FROM kept\n")])?;
    zoea.build(&named, &["--build-context", "kept=docker-image://localhost/several:1"])?.success()?;
    zoea.build(&context, &["--platform", "linux/arm64"])?.failure(69, &["linux/arm64", "linux/s390x"])?;
    Ok(())
}

#[test]
fn annotations_go_where_they_belong() -> Result<()> {
    if !ready("annotations_go_where_they_belong", &[]) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Root)?;
    let context = zoea.context(&[("Dockerfile", FOREIGN)])?;
    let layout = zoea.home().join("layout");
    let output = format!("type=oci,tar=false,dest={}", layout.display());
    let annotations = [
        "all=1",
        "index:at=index",
        "manifest[linux/amd64]:all=2",
        "manifest-descriptor:at=descriptor",
        "index-descriptor:at=top",
    ];
    let annotations: Vec<_> =
        annotations.iter().flat_map(|annotation| ["--annotation", annotation]).collect();
    zoea.build(&context, &[&BOTH[..], &annotations, &["-o", &output]].concat())?.success()?;
    check_layout(&layout)?;
    let json = |path: &str| -> Result<Value> { Ok(serde_json::from_slice(&fs::read(layout.join(path))?)?) };
    let blob = |descriptor: &Value| json(&format!("blobs/{}", text(descriptor, "/digest").replace(':', "/")));
    let top = json("index.json")?;
    assert_eq!(text(&top, "/manifests/0/annotations/at"), "top");
    let index = blob(top.pointer("/manifests/0").context("no entry")?)?;
    assert_eq!(text(&index, "/annotations/at"), "index");
    let mut all = BTreeMap::new();
    for entry in entries(&index)? {
        assert_eq!(text(entry, "/annotations/at"), "descriptor");
        let manifest = blob(entry)?;
        let value = text(&manifest, "/annotations/all").to_owned();
        all.insert(text(entry, "/platform/architecture").to_owned(), value);
    }
    assert_eq!(all.into_values().collect::<Vec<_>>(), ["2", "1"]);

    zoea.build(&context, &["--annotation", "index:a=b"])?.failure(2, &["index", "hint: "])?;
    let one = ["--build-arg", "BUILDKIT_MULTI_PLATFORM=1", "--annotation", "index:a=b"];
    let warned = zoea.build(&context, &[&one[..], &["-o", &output]].concat())?.success()?.stderr;
    assert!(!warned.contains("warning"), "{warned}");
    zoea.build(&context, &["--platform", "linux/arm64,linux/arm64/v8"])?.failure(2, &["twice"])?;
    Ok(())
}

/// The common form of a cross-build: a native tool makes the files of a foreign image.
#[test]
fn a_native_stage_builds_for_a_foreign_one() -> Result<()> {
    let needs = [Need::Program("skopeo"), Need::Base(Base::Busybox), Need::Root];
    if !ready("a_native_stage_builds_for_a_foreign_one", &needs) {
        return Ok(());
    }
    let base = with_base(Base::Busybox)?;
    let dockerfile = "FROM --platform=$BUILDPLATFORM base AS tool\nARG TARGETARCH\n\
                      RUN echo made for $TARGETARCH > /made\nFROM scratch\nCOPY --from=tool /made /made\n";
    for actor in Actor::BOTH {
        let zoea = Zoea::new(actor)?;
        let context = zoea.context(&[("Dockerfile", dockerfile)])?;
        let local = zoea.home().join("local").to_string_lossy().into_owned();
        let said =
            zoea.build(&context, &[&BOTH[..], &words(&base), &["-o", &local]].concat())?.success()?.stderr;
        assert!(said.contains("->s390x tool 2/2] RUN"), "{said}");
        for architecture in ["s390x", "amd64"] {
            let made = fs::read_to_string(format!("{local}/linux_{architecture}/made"))?;
            assert_eq!(made, format!("made for {architecture}\n"));
        }
    }
    Ok(())
}

#[test]
fn a_foreign_step_without_emulator_fails_before_anything_runs() -> Result<()> {
    let needs = [Need::Base(Base::Busybox), Need::Root];
    if !ready("a_foreign_step_without_emulator_fails_before_anything_runs", &needs) {
        return Ok(());
    }
    if Path::new("/proc/sys/fs/binfmt_misc/qemu-loongarch64").exists() {
        return Ok(());
    }
    let base = with_base(Base::Busybox)?;
    let dockerfile = "FROM --platform=$BUILDPLATFORM base AS tool\nRUN echo done\nFROM scratch AS last\n\
                      COPY --from=tool /bin /bin\nRUN [\"/bin/true\"]\n";
    for actor in Actor::BOTH {
        let zoea = Zoea::new(actor)?;
        let context = zoea.context(&[("Dockerfile", dockerfile)])?;
        let more = ["--platform", "linux/amd64,linux/loong64"];
        let failed = zoea.build(&context, &[&more[..], &words(&base)].concat())?;
        let said = failed
            .failure(
                69,
                &["Dockerfile:5:1", "step 2 of stage `last` for linux/loong64", "linux/loong64", "hint: "],
            )?
            .stderr;
        assert!(!said.contains("RUN echo"), "{said}");
    }
    Ok(())
}

#[test]
fn an_emulator_runs_foreign_steps() -> Result<()> {
    use emulator::{ARM64, with_emulator};
    let needs = [
        Need::Root,
        Need::Program("qemu-aarch64-static"),
        Need::OwnEmulators,
        Need::Base(Base::Arm64Busybox),
        Need::Program("skopeo"),
    ];
    if !ready("an_emulator_runs_foreign_steps", &needs) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Root)?;
    let context = zoea.context(&[("Dockerfile", "FROM base\nRUN uname -m > /machine && echo $0\n")])?;
    let context = context.to_string_lossy();
    let base = format!("base=oci-archive://{}", Base::Arm64Busybox.archive()?.display());
    let local = zoea.home().join("local");
    let output = format!("type=local,dest={}", local.display());
    let arguments = ["build", &context, "--platform", "linux/arm64", "--build-context", &base, "-o", &output];
    let run = |wrapper: &[String]| Finished::of(&mut zoea.command_under(&words(wrapper), &arguments));

    run(&with_emulator(ARM64, ARM64.emulator, "F"))?.success()?;
    assert_eq!(fs::read_to_string(local.join("machine"))?, "aarch64\n");
    let place = "Dockerfile:2:1";
    run(&with_emulator(ARM64, ARM64.emulator, ""))?.failure(69, &[place, "flag `F`", "hint: "])?;
    run(&with_emulator(ARM64, "/bin/true", "F"))?.failure(69, &[place, "not linked statically", "hint: "])?;
    run(&emulator::without_emulators())?.failure(69, &[place, "no emulator", "hint: "])?;
    Ok(())
}

/// A step that is reached, and has no program, says that the platform's programs run.
#[test]
fn every_architecture_is_recognised() -> Result<()> {
    let needs = [Need::Root, Need::Program("qemu-loongarch64-static"), Need::OwnEmulators];
    if !ready("every_architecture_is_recognised", &needs) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Root)?;
    let context = zoea.context(&[("Dockerfile", "FROM scratch\nRUN [\"/program\"]\n")])?;
    let context = context.to_string_lossy();
    for architecture in emulator::ALL {
        let platform = format!("linux/{}", architecture.name);
        let wrapper = emulator::with_emulator(architecture, architecture.emulator, "F");
        let arguments = ["build", &context, "--platform", &platform];
        Finished::of(&mut zoea.command_under(&words(&wrapper), &arguments))?
            .failure(127, &["cannot start `/program`"])?;
    }
    Ok(())
}
