//! Pushes: what is in the registry already is not sent again.

use anyhow::Result;
use zoea_tests::{Actor, Base, Need, Registry, Zoea, ready, skopeo};

fn uploads(requests: &[String]) -> usize {
    requests.iter().filter(|request| request.starts_with("PATCH ") || request.starts_with("PUT ")).count()
}

#[test]
fn blobs_are_mounted_or_found_and_never_sent_twice() -> Result<()> {
    let needs = [Need::Program("docker-registry"), Need::Program("skopeo"), Need::Base(Base::Busybox)];
    if !ready("blobs_are_mounted_or_found_and_never_sent_twice", &needs) {
        return Ok(());
    }
    let registry = Registry::start()?;
    let base = registry.put(Base::Busybox)?;
    let layer = skopeo::manifest(&skopeo::remote(&base))?["layers"][0]["digest"].to_string();
    let layer = layer.trim_matches('"');
    let zoea = Zoea::new(Actor::Root)?;
    let context = zoea.context(&[("Dockerfile", &format!("FROM {base}\nLABEL a=b\n"))])?;
    let before = registry.requests()?.len();
    let name = registry.reference("other/name:1");
    let arguments = ["--push", "-t", &name, "--insecure-registry", registry.address()];
    zoea.build(&context, &[&arguments[..], &["--source-date-epoch", "9"]].concat())?.success()?;
    let first = registry.requests()?.split_off(before);
    assert!(first.iter().any(|line| line.contains("mount=") && line.contains("from=busybox")), "{first:?}");
    assert!(!first.iter().any(|line| line.starts_with("GET") && line.contains(layer)), "{first:?}");

    let before = registry.requests()?.len();
    zoea.build(&context, &[&arguments[..], &["--source-date-epoch", "9"]].concat())?.success()?;
    let second = registry.requests()?.split_off(before);
    assert_eq!(uploads(&second), 1, "only the manifest: {second:?}");
    skopeo::copy(&skopeo::remote(&name), &format!("dir:{}", zoea.home().join("copy").display()))?;
    Ok(())
}

#[test]
fn one_image_gets_all_its_names() -> Result<()> {
    let needs = [Need::Program("docker-registry"), Need::Program("skopeo")];
    if !ready("one_image_gets_all_its_names", &needs) {
        return Ok(());
    }
    let registry = Registry::start()?;
    let zoea = Zoea::new(Actor::Root)?;
    let context = zoea.context(&[("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")])?;
    let names = ["a:1", "a:2", "b/c:latest"].map(|name| registry.reference(name));
    let tags: Vec<_> = names.iter().flat_map(|name| ["-t", name]).collect();
    zoea.build(&context, &[&tags[..], &["--push", "--insecure-registry", registry.address()]].concat())?
        .success()?;
    let digests = names
        .each_ref()
        .map(|name| skopeo::inspect(&skopeo::remote(name)).map(|image| image["Digest"].clone()));
    let [first, second, third] = digests;
    let first = first?;
    assert_eq!((&first, &first), (&second?, &third?));
    Ok(())
}

#[test]
fn a_base_is_found_by_tag_digest_and_platform() -> Result<()> {
    let needs = [Need::Program("docker-registry"), Need::Program("skopeo")];
    if !ready("a_base_is_found_by_tag_digest_and_platform", &needs) {
        return Ok(());
    }
    let registry = Registry::start()?;
    let zoea = Zoea::new(Actor::Root)?;
    let insecure = ["--insecure-registry", registry.address()];
    let context = zoea.context(&[("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")])?;
    let name = registry.reference("base:1");
    zoea.build(&context, &[&insecure[..], &["--push", "-t", &name]].concat())?.success()?;
    let digest = skopeo::inspect(&skopeo::remote(&name))?["Digest"].to_string();
    let pinned = format!("{}@{}", registry.reference("base"), digest.trim_matches('"'));
    for base in [name, pinned] {
        let context =
            zoea.context(&[("Dockerfile", &format!("FROM {base}\nCOPY --from={base} /Dockerfile /f\n"))])?;
        zoea.build(&context, &insecure)?.success()?;
    }
    let lost = format!("{}@sha256:{}", registry.reference("base"), "0".repeat(64));
    let context = zoea.context(&[("Dockerfile", &format!("FROM {lost}\n"))])?;
    zoea.build(&context, &insecure)?.failure(75, &["Dockerfile:1"])?;
    Ok(())
}
