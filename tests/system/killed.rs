//! A build that is killed at its worst moments leaves nothing that a later one could mistake for whole.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use zoea_tests::{Actor, Base, Finished, Gate, Need, Registry, Zoea, noise, ready, skopeo, state};

use crate::result::{with_base, words};

/// How long a build may take to come to the moment at which it is killed.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many entries a build must have written before it is killed while it unpacks.
const BEGUN: usize = 200;

/// Ends a build as `kill -9` does.
fn kill(mut build: Child) -> Result<()> {
    build.kill()?;
    build.wait()?;
    Ok(())
}

/// Counts what lies below `directory`, up to `enough`.
fn count(directory: &Path, enough: usize) -> usize {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let mut total = 0;
    for entry in entries.flatten() {
        total += 1;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            total += count(&entry.path(), enough.saturating_sub(total));
        }
        if total >= enough {
            break;
        }
    }
    total
}

/// Waits until a build that still runs has come to `moment`.
fn wait(build: &mut Child, moment: impl Fn() -> bool) -> Result<()> {
    let start = Instant::now();
    while !moment() {
        if let Some(status) = build.try_wait()? {
            bail!("the build ended with {status} before it could be killed");
        }
        if start.elapsed() > PATIENCE {
            bail!("the build did not come to the moment");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

#[test]
fn while_it_unpacks() -> Result<()> {
    for (actor, need) in [(Actor::Root, Need::Root), (Actor::User, Need::SubordinateIds)] {
        if !ready(&format!("while_it_unpacks as {actor:?}"), &[need, Need::Base(Base::Debian)]) {
            continue;
        }
        let zoea = Zoea::new(actor)?;
        let base = with_base(Base::Debian)?;
        let context = zoea.context(&[("Dockerfile", "FROM base\nRUN test -x /usr/bin/apt-get\n")])?;
        let mut build = zoea.build_command(&context, &words(&base)).stderr(Stdio::null()).spawn()?;
        let unpacked = || count(&zoea.state(), BEGUN) >= BEGUN;
        wait(&mut build, unpacked)?;
        kill(build)?;
        zoea.build(&context, &words(&base))?.success()?;
        assert_eq!(state::problems(&zoea.state())?, [""; 0], "{actor:?}");
    }
    Ok(())
}

#[test]
fn while_a_step_runs() -> Result<()> {
    for (actor, need) in [(Actor::Root, Need::Root), (Actor::User, Need::SubordinateIds)] {
        if !ready(&format!("while_a_step_runs as {actor:?}"), &[need, Need::Base(Base::Busybox)]) {
            continue;
        }
        let zoea = Zoea::new(actor)?;
        let base = with_base(Base::Busybox)?;
        let length = format!("97{}", std::process::id());
        let text = format!(
            "FROM base\nRUN echo half > /half; (sleep {length} &); echo begun; exec sleep {length}\n"
        );
        let context = zoea.context(&[("Dockerfile", &text)])?;
        let mut build = zoea.build_command(&context, &words(&base)).stderr(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(build.stderr.take().context("no standard error")?).lines();
        let begun = lines.any(|line| line.is_ok_and(|line| line.ends_with("| begun")));
        kill(build)?;
        assert!(begun, "the step did not begin");
        wait_for_end(&format!("sleep {length}"))?;

        let context = zoea.context(&[("Dockerfile", "FROM base\nRUN test ! -e /half\n")])?;
        zoea.build(&context, &words(&base))?.success()?;
        assert_eq!(state::problems(&zoea.state())?, [""; 0], "{actor:?}");
    }
    Ok(())
}

/// Waits until no process with these words is left; the kernel takes a moment to end them all.
fn wait_for_end(process: &str) -> Result<()> {
    let start = Instant::now();
    while !Finished::of(Command::new("pgrep").args(["-f", process]))?.stdout.is_empty() {
        if start.elapsed() > Duration::from_secs(5) {
            bail!("`{process}` outlives its build");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

#[test]
fn while_it_pushes() -> Result<()> {
    let needs = [Need::Program("docker-registry"), Need::Program("skopeo")];
    if !ready("while_it_pushes", &needs) {
        return Ok(());
    }
    let registry = Registry::start()?;
    let zoea = Zoea::new(Actor::Root)?;
    let context = zoea.context(&[("Dockerfile", "FROM scratch\nCOPY big /\n")])?;
    noise::write(&context.join("big"), 16 << 20)?;
    let gate = Gate::open(registry.address(), 4 << 20)?;
    let through = format!("{}/pushed:1", gate.address());
    let arguments = ["--push", "-t", &through, "--insecure-registry", gate.address()];
    let build = zoea.build_command(&context, &arguments).stderr(Stdio::null()).spawn()?;
    gate.wait_until_shut(PATIENCE)?;
    kill(build)?;
    let name = registry.reference("pushed:1");
    assert!(skopeo::inspect(&skopeo::remote(&name)).is_err(), "half an image has a name");

    let arguments = ["--push", "-t", &name, "--insecure-registry", registry.address()];
    zoea.build(&context, &arguments)?.success()?;
    skopeo::copy(&skopeo::remote(&name), &format!("dir:{}", zoea.home().join("copy").display()))?;
    assert_eq!(state::problems(&zoea.state())?, [""; 0]);
    Ok(())
}
