//! Where a result can go, besides a registry.

use std::fs;
use std::process::Command;

use anyhow::Result;
use zoea_tests::{Actor, Finished, Need, Zoea, ready, skopeo};

use crate::result::Built;

const DOCKERFILE: &str = "FROM scratch\nCOPY --chown=3:4 Dockerfile /d/f\nLABEL a=b\n";

fn zoea(test: &str) -> Result<Option<(Zoea, std::path::PathBuf)>> {
    if !ready(test, &[Need::Program("skopeo")]) {
        return Ok(None);
    }
    let zoea = Zoea::new(Actor::Root)?;
    let context = zoea.context(&[("Dockerfile", DOCKERFILE)])?;
    Ok(Some((zoea, context)))
}

#[test]
fn archives_and_layouts_hold_the_same_image() -> Result<()> {
    let Some((zoea, context)) = zoea("archives_and_layouts_hold_the_same_image")? else { return Ok(()) };
    let path = |name: &str| zoea.home().join(name).to_string_lossy().into_owned();
    let (archive, docker, layout) = (path("oci.tar"), path("docker.tar"), path("layout"));
    let outputs = [
        format!("type=oci,dest={archive}"),
        format!("type=docker,dest={docker}"),
        format!("type=oci,tar=false,dest={layout}"),
    ];
    let arguments: Vec<_> = outputs.iter().flat_map(|output| ["-o", output]).collect();
    zoea.build(&context, &[&arguments[..], &["-t", "example.org/outputs:1"]].concat())?.success()?;
    let images = [
        format!("oci-archive:{archive}"),
        format!("docker-archive:{docker}:example.org/outputs:1"),
        format!("oci:{layout}"),
    ];
    let mut seen = Vec::new();
    for image in &images {
        let config = skopeo::config(image)?;
        assert_eq!(config["config"]["Labels"]["a"], "b", "{image}");
        seen.push(config["rootfs"]["diff_ids"].clone());
        skopeo::copy(image, &format!("dir:{}", path("copy")))?;
    }
    assert!(seen.windows(2).all(|pair| pair.first() == pair.last()), "{seen:?}");
    Ok(())
}

#[test]
fn files_come_out_as_a_directory_or_an_archive() -> Result<()> {
    let Some((zoea, context)) = zoea("files_come_out_as_a_directory_or_an_archive")? else { return Ok(()) };
    let (tar, local) = (zoea.home().join("files.tar"), zoea.home().join("files"));
    let outputs =
        [format!("type=tar,dest={}", tar.display()), format!("type=local,dest={}", local.display())];
    let fixed = ["--source-date-epoch", "1700000000"];
    let arguments: Vec<_> = outputs.iter().flat_map(|output| ["-o", output]).chain(fixed).collect();
    zoea.build(&context, &arguments)?.success()?;
    assert_eq!(fs::read_to_string(local.join("d/f"))?, DOCKERFILE);
    let list =
        Finished::of(Command::new("tar").args(["tvf"]).arg(&tar).arg("--numeric-owner"))?.success()?.stdout;
    assert!(list.contains(" 3/4 ") && list.contains(" d/f\n"), "{list}");

    let to_stdout =
        zoea.build_command(&context, &[&["-o", "type=tar,dest=-"], &fixed[..]].concat()).output()?;
    assert!(to_stdout.status.success());
    assert!(to_stdout.stdout == fs::read(tar)?, "standard output has other bytes than the file");
    Ok(())
}

#[test]
fn other_programs_are_told_what_was_built() -> Result<()> {
    let Some((zoea, context)) = zoea("other_programs_are_told_what_was_built")? else { return Ok(()) };
    let (id, metadata) = (zoea.home().join("id"), zoea.home().join("metadata.json"));
    let [id_path, metadata_path] = [&id, &metadata].map(|path| path.to_string_lossy().into_owned());
    let built = Built::new(
        &zoea,
        &context,
        &["--iidfile", &id_path, "--metadata-file", &metadata_path, "-t", "a:1"],
    )?;
    assert_eq!(fs::read_to_string(id)?.trim(), built.digest()?);
    let metadata: serde_json::Value = serde_json::from_slice(&fs::read(metadata)?)?;
    assert_eq!(metadata["containerimage.digest"], built.digest()?);
    assert_eq!(metadata["image.name"], "docker.io/library/a:1");
    Ok(())
}

#[test]
fn a_tagged_image_stays_and_can_be_built_on() -> Result<()> {
    let Some((zoea, context)) = zoea("a_tagged_image_stays_and_can_be_built_on")? else { return Ok(()) };
    zoea.build(&context, &["-t", "localhost/kept:1"])?.success()?;
    let built = Built::of(&zoea, "FROM localhost/kept:1\nCOPY --from=localhost/kept:1 /d/f /g\n", &[])?;
    assert_eq!(built.layers()?.len(), 2);
    assert_eq!(built.config()?["config"]["Labels"]["a"], "b");
    Ok(())
}

#[test]
fn every_compression_holds_the_same_files() -> Result<()> {
    let Some((zoea, context)) = zoea("every_compression_holds_the_same_files")? else { return Ok(()) };
    let mut contents = Vec::new();
    for (compression, end) in [("gzip", "+gzip"), ("zstd", "+zstd"), ("none", ".tar")] {
        let built = Built::new(&zoea, &context, &["--compression", compression, "--source-date-epoch", "9"])?;
        let layers = built.layers()?;
        let kind = layers.first().and_then(|layer| layer["mediaType"].as_str()).unwrap_or_default();
        assert!(kind.ends_with(end), "{compression}: {kind}");
        contents.push(built.config()?["rootfs"]["diff_ids"].clone());
    }
    assert!(contents.windows(2).all(|pair| pair.first() == pair.last()), "{contents:?}");
    Ok(())
}

#[test]
fn progress_is_a_json_object_a_line() -> Result<()> {
    let Some((zoea, context)) = zoea("progress_is_a_json_object_a_line")? else { return Ok(()) };
    let said = zoea.build(&context, &["--progress", "json"])?.success()?.stderr;
    let events = said.lines().map(serde_json::from_str).collect::<Result<Vec<serde_json::Value>, _>>()?;
    assert!(events.iter().any(|event| event["event"] == "image-built"), "{said}");
    Ok(())
}

/// As root a link could be one of `/dev`, and a device or pipe is what somebody reads from.
#[test]
fn what_is_no_plain_file_is_written_and_never_replaced() -> Result<()> {
    let name = "what_is_no_plain_file_is_written_and_never_replaced";
    let Some((zoea, context)) = zoea(name)? else { return Ok(()) };
    let path = |name: &str| zoea.home().join(name);
    for (link, target) in [("id-link", "id"), ("tar-link", "tar")] {
        fs::write(path(target), "x".repeat(1 << 20))?;
        std::os::unix::fs::symlink(target, path(link))?;
    }
    let output = format!("type=tar,dest={}", path("tar-link").display());
    zoea.build(&context, &["-o", &output, "--iidfile", &path("id-link").to_string_lossy()])?.success()?;
    assert!(fs::symlink_metadata(path("id-link"))?.is_symlink());
    assert!(fs::symlink_metadata(path("tar-link"))?.is_symlink());
    assert!(fs::read_to_string(path("id"))?.starts_with("sha256:"));
    assert_eq!(fs::read_to_string(path("id"))?.len(), "sha256:".len() + 64);
    Finished::of(Command::new("tar").arg("tf").arg(path("tar")))?.success()?;

    Finished::of(Command::new("mkfifo").arg(path("pipe")))?.success()?;
    let reader = Command::new("cat").arg(path("pipe")).stdout(std::process::Stdio::piped()).spawn()?;
    zoea.build(&context, &["--iidfile", &path("pipe").to_string_lossy()])?.success()?;
    let read = reader.wait_with_output()?.stdout;
    assert!(String::from_utf8(read)?.starts_with("sha256:"));
    assert!(!fs::symlink_metadata(path("pipe"))?.is_file());
    Ok(())
}
