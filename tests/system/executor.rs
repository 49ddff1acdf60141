//! `zoea executor`: kaniko's flags do what kaniko's users expect.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use zoea_tests::{Actor, Base, Finished, Need, Registry, Zoea, ready, skopeo, state};

use crate::examples;
use crate::result::words;

/// Where the pod mounts the context.
const WORKSPACE: &str = "/workspace";

/// `/workspace` of the machine, made where it is missing and removed again; tests mount over it.
struct Workspace {
    made: bool,
}

impl Workspace {
    fn new() -> Result<Self> {
        let made = !Path::new(WORKSPACE).exists();
        if made {
            fs::create_dir(WORKSPACE)?;
        }
        Ok(Self { made })
    }

    /// Makes a command that runs the program with `context` mounted at `/workspace`.
    fn command(zoea: &Zoea, context: &Path, arguments: &[&str]) -> Command {
        let script = format!("mount --bind {} {WORKSPACE} && exec \"$@\"", context.display());
        zoea.command_under(&["sh", "-c", &script, "sh"], arguments)
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if self.made {
            // Empty, unless somebody else began to use it: then it stays.
            drop(fs::remove_dir(WORKSPACE));
        }
    }
}

/// Reads the arguments of the tutorial's pod.
fn pod_arguments(context: &Path) -> Result<Vec<String>> {
    let pod = fs::read_to_string(context.join("pod.yaml"))?;
    let line = pod.lines().find_map(|line| line.trim().strip_prefix("args: ")).context("no arguments")?;
    Ok(serde_json::from_str(line)?)
}

#[test]
fn the_tutorials_pod_builds_as_written() -> Result<()> {
    let needs =
        [Need::Root, Need::Program("docker-registry"), Need::Program("skopeo"), Need::Base(Base::Debian)];
    if !ready("the_tutorials_pod_builds_as_written", &needs) {
        return Ok(());
    }
    let registry = Registry::start()?;
    let debian = registry.put(Base::Debian)?;
    let layer = skopeo::manifest(&skopeo::remote(&debian))?["layers"][0]["digest"].to_string();
    let before = registry.requests()?.len();
    let zoea = Zoea::new(Actor::Root)?;
    let context = examples::copy(&zoea, "tutorial")?;
    let text =
        fs::read_to_string(context.join("dockerfile"))?.replace("FROM debian", &format!("FROM {debian}"));
    fs::write(context.join("dockerfile"), text)?;
    let _workspace = Workspace::new()?;
    let arguments = pod_arguments(&context)?;
    // The tutorial's base comes from a registry of this test, which speaks plain HTTP.
    let own = ["executor".to_owned(), "--insecure-pull".to_owned()];
    let arguments = words(&own).into_iter().chain(words(&arguments)).collect::<Vec<_>>();
    let said = Finished::of(&mut Workspace::command(&zoea, &context, &arguments))?.success()?.stderr;
    for line in [
        "WARN[0000] ",
        "Skipping unpacking as no commands require it.",
        "INFO[0000] ENTRYPOINT [\"/bin/bash\", \"-c\", \"echo hello\"]",
        "Skipping push to container registry due to --no-push flag",
    ] {
        assert!(said.contains(line), "{line} in {said}");
    }
    let requests = registry.requests()?.split_off(before);
    let layer = layer.trim_matches('"');
    assert!(!requests.is_empty() && !requests.iter().any(|request| request.contains(layer)), "{requests:?}");
    assert_eq!(state::problems(&zoea.state())?, [""; 0]);
    Ok(())
}

#[test]
fn a_context_that_is_nowhere_is_refused() -> Result<()> {
    if !ready("a_context_that_is_nowhere_is_refused", &[]) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Root)?;
    zoea.run(&["executor", "--context=dir://no-such-directory", "--no-push"])?
        .failure(69, &["no-such-directory"])?;
    zoea.run(&["executor", "--context=s3://bucket/context.tar.gz", "--no-push"])?.failure(2, &["s3://"])?;
    zoea.run(&["executor", "--context=dir://.", "--frobnicate"])?.failure(2, &["--frobnicate"])?;
    Ok(())
}

#[test]
fn every_output_is_written() -> Result<()> {
    let programs = ["docker-registry", "skopeo"].map(Need::Program);
    if !ready("every_output_is_written", &programs) {
        return Ok(());
    }
    let registry = Registry::start()?;
    let zoea = Zoea::new(Actor::Root)?;
    let text = "FROM scratch AS one\nARG WORD\nLABEL word=$WORD\nCOPY Dockerfile.dev /f\nFROM scratch\nCOPY lost /\n";
    let context = zoea.context(&[("Dockerfile.dev", text)])?;
    let name = registry.reference("executor:1");
    let path = |name: &str| zoea.home().join(name).to_string_lossy().into_owned();
    let (tar, layout, digest) = (path("image.tar"), path("layout"), path("digest"));
    let arguments = [
        &format!("--context=dir://{}", context.display()),
        "--dockerfile=Dockerfile.dev",
        "--target=one",
        "--build-arg=WORD=hello",
        "--insecure",
        &format!("--destination={name}"),
        &format!("--tar-path={tar}"),
        &format!("--oci-layout-path={layout}"),
        &format!("--digest-file={digest}"),
        "--verbosity=warn",
    ];
    let said = zoea.run(&[&["executor"], &arguments[..]].concat())?.success()?.stderr;
    assert!(!said.contains("INFO"), "{said}");
    let pushed = skopeo::inspect(&skopeo::remote(&name))?;
    assert_eq!(pushed["Digest"].as_str().context("no digest")?, fs::read_to_string(&digest)?.trim());
    for image in [skopeo::remote(&name), format!("docker-archive:{tar}"), format!("oci:{layout}")] {
        assert_eq!(skopeo::config(&image)?["config"]["Labels"]["word"], "hello", "{image}");
    }
    let without = zoea.run(&["executor", &format!("--context=dir://{}", context.display())])?;
    without.failure(2, &["--destination"])?;
    Ok(())
}
