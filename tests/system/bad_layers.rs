//! Spoilt and hostile images: nothing of them is believed, and nothing leaves the tree.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use zoea_tests::{Actor, Base, Finished, Need, Registry, Zoea, ready, state};

/// Builds on a Busybox whose layer `spoil` has changed in the registry's own storage.
fn spoilt(test: &str, spoil: impl Fn(&Path) -> Result<()>, words: &[&str]) -> Result<()> {
    let needs = [Need::Program("docker-registry"), Need::Program("skopeo"), Need::Base(Base::Busybox)];
    if !ready(test, &needs) {
        return Ok(());
    }
    let registry = Registry::start()?;
    let base = registry.put(Base::Busybox)?;
    spoil(&registry.biggest_blob()?)?;
    let zoea = Zoea::new(Actor::Root)?;
    let context = zoea.context(&[("Dockerfile", &format!("FROM {base}\nRUN true\n"))])?;
    zoea.build(&context, &["--insecure-registry", registry.address()])?.failure(75, words)?;
    assert_eq!(state::problems(&zoea.state())?, [""; 0]);
    assert!(!zoea.state().join("layers/overlay").read_dir().is_ok_and(|mut layers| layers.next().is_some()));
    Ok(())
}

#[test]
fn a_layer_with_other_bytes_is_refused() -> Result<()> {
    let spoil = |blob: &Path| {
        let mut bytes = fs::read(blob)?;
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        Ok(fs::write(blob, bytes)?)
    };
    spoilt("a_layer_with_other_bytes_is_refused", spoil, &["digest mismatch"])
}

#[test]
fn a_layer_that_is_cut_off_is_refused() -> Result<()> {
    let spoil = |blob: &Path| {
        let bytes = fs::read(blob)?;
        Ok(fs::write(blob, bytes.get(..bytes.len() / 2).unwrap_or_default())?)
    };
    spoilt("a_layer_that_is_cut_off_is_refused", spoil, &["caused by: "])
}

/// Makes an OCI layout with one layer: `tar`.
fn image(directory: &Path, tar: &Path) -> Result<PathBuf> {
    let layout = directory.join("hostile");
    let name = format!("{}:image", layout.display());
    let tar = tar.to_string_lossy();
    for arguments in [
        vec!["init", "--layout", &layout.to_string_lossy()],
        vec!["new", "--image", &name],
        vec!["raw", "add-layer", "--image", &name, &tar],
    ] {
        Finished::of(Command::new("umoci").args(arguments))?.success()?;
    }
    Ok(layout)
}

/// Packs files with GNU tar, names unchanged.
fn pack(directory: &Path, tar: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("tar");
    command.arg("--absolute-names").arg("--file").arg(tar).arg("--directory").arg(directory).args(arguments);
    Finished::of(&mut command)?.success()?;
    Ok(())
}

#[test]
fn an_entry_above_the_root_is_refused() -> Result<()> {
    let needs = ["umoci", "skopeo"].map(Need::Program);
    if !ready("an_entry_above_the_root_is_refused", &needs) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Root)?;
    let context = zoea.context(&[("in/file", "x"), ("escaped", "x")])?;
    let tar = context.join("evil.tar");
    pack(&context.join("in"), &tar, &["--create", "../escaped"])?;
    let layout = image(zoea.home(), &tar)?;
    fs::write(context.join("Dockerfile"), "FROM scratch\nADD evil.tar /\n")?;
    zoea.build(&context, &[])?.failure(65, &["Dockerfile:2", "..", "escaped"])?;
    fs::write(context.join("Dockerfile"), "FROM evil\nCOPY --from=evil / /copy/\n")?;
    let named = format!("evil=oci-layout://{}:image", layout.display());
    let finished = zoea.build(&context, &["--build-context", &named])?;
    assert!(!finished.status.success() && finished.stderr.contains("escaped"), "{}", finished.stderr);
    assert_eq!(state::problems(&zoea.state())?, [""; 0]);
    Ok(())
}

#[test]
fn a_link_in_a_layer_stays_inside_the_tree() -> Result<()> {
    let needs = ["umoci", "skopeo"].map(Need::Program);
    if !ready("a_link_in_a_layer_stays_inside_the_tree", &needs) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Root)?;
    let outside = zoea.directory("outside")?;
    let context = zoea.context(&[
        ("Dockerfile", "FROM evil\nCOPY file /out/copied\n"),
        ("file", "x"),
        ("as/out/file", "y"),
    ])?;
    fs::create_dir(context.join("links"))?;
    symlink(&outside, context.join("links/out"))?;
    let tar = context.join("evil.tar");
    pack(&context.join("links"), &tar, &["--create", "out"])?;
    pack(&context.join("as"), &tar, &["--append", "out/file"])?;
    let layout = image(zoea.home(), &tar)?;
    let named = format!("evil=oci-layout://{}:image", layout.display());
    let files = zoea.home().join("files");
    let output = format!("type=local,dest={}", files.display());
    let finished = zoea.build(&context, &["--build-context", &named, "-o", &output])?;
    assert_eq!(fs::read_dir(&outside)?.count(), 0, "{}", finished.stderr);
    let inside = files.join(outside.strip_prefix("/")?);
    assert!(!finished.status.success() || inside.join("copied").exists(), "{}", finished.stderr);
    Ok(())
}
