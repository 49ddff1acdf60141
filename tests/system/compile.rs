//! The whole path: a Debian from a registry, packages from the network, a compiler, a second stage, a push, and
//! the pushed image run by a container runtime that knows nothing of zoea.

use anyhow::Result;
use zoea_tests::base::apt_settings;
use zoea_tests::{Actor, Base, Bundle, Need, Registry, Zoea, ready, skopeo, state};

use crate::examples;

/// Makes a Debian that knows how this machine reaches its package source, and pushes it.
fn debian_of_this_machine(registry: &Registry) -> Result<String> {
    let base = registry.put(Base::Debian)?;
    let name = registry.reference("debian-here:1");
    let zoea = Zoea::new(Actor::Root)?;
    let dockerfile = format!("FROM {base}\nCOPY machine.conf /etc/apt/apt.conf.d/99machine\n");
    let context = zoea.context(&[("Dockerfile", &dockerfile), ("machine.conf", &apt_settings()?)])?;
    let arguments = ["-t", &name, "--push", "--insecure-registry", registry.address()];
    zoea.build(&context, &arguments)?.success()?;
    Ok(name)
}

fn compile(test: &str, actor: Actor, need: Need) -> Result<()> {
    let programs = ["docker-registry", "skopeo", "umoci", "runc"].map(Need::Program);
    if !ready(test, &[&programs[..], &[Need::Root, need, Need::Base(Base::Debian)]].concat()) {
        return Ok(());
    }
    let registry = Registry::start()?;
    let base = format!("BASE={}", debian_of_this_machine(&registry)?);
    let zoea = Zoea::new(actor)?;
    let context = examples::copy(&zoea, "debian-gcc")?;
    let name = registry.reference("hello:1");
    let arguments = ["-t", &name, "--push", "--insecure-registry", registry.address(), "--build-arg", &base];
    zoea.build(&context, &arguments)?.success()?;

    let image = skopeo::remote(&name);
    let run = Bundle::unpack(&image)?.run(&[])?.success()?;
    assert_eq!(run.stdout, "built by zoea\n");
    let manifest = skopeo::manifest(&image)?;
    assert_eq!(manifest.pointer("/layers").and_then(serde_json::Value::as_array).map(Vec::len), Some(1));
    assert_eq!(state::problems(&zoea.state())?, [""; 0]);
    Ok(())
}

#[test]
fn a_compiled_program_is_pushed_and_runs_as_root() -> Result<()> {
    compile("a_compiled_program_is_pushed_and_runs_as_root", Actor::Root, Need::Root)
}

#[test]
fn a_compiled_program_is_pushed_and_runs_as_an_ordinary_user() -> Result<()> {
    compile("a_compiled_program_is_pushed_and_runs_as_an_ordinary_user", Actor::User, Need::SubordinateIds)
}
