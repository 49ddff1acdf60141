//! Bad Dockerfiles, arguments, contexts and machines: a clear error with its place, a documented exit status, and
//! nothing left half-done.

use anyhow::Result;
use zoea_tests::{Actor, Finished, Need, Zoea, ready, state};

/// Builds the Dockerfile `text`, which must fail with `code` and all `words`, and leave nothing behind.
fn refused(zoea: &Zoea, text: &str, code: i32, words: &[&str]) -> Result<()> {
    let context = zoea.context(&[("Dockerfile", text), ("here", "here")])?;
    let image = zoea.home().join("refused.tar");
    let output = format!("type=oci,dest={}", image.display());
    zoea.build(&context, &["-o", &output])?.failure(code, words)?;
    assert!(!image.exists(), "{text}");
    assert_eq!(state::problems(&zoea.state())?, [""; 0], "{text}");
    Ok(())
}

#[test]
fn a_wrong_dockerfile_is_shown_with_its_place() -> Result<()> {
    let zoea = Zoea::new(Actor::Root)?;
    for (text, words) in [
        ("FROM scratch\n\nCOPPY here /\n", &["Dockerfile:3:1", "COPPY", "hint: ", "COPY"][..]),
        ("FROM scratch\nCOPY --frob=1 here /\n", &["Dockerfile:2", "--frob"]),
        ("FROM scratch\nCOPY missing /\n", &["Dockerfile:2", "missing"]),
        ("FROM scratch\nCOPY here\n", &["Dockerfile:2"]),
        ("COPY here /\n", &["Dockerfile:1", "FROM"]),
        ("", &["Dockerfile"]),
        ("FROM scratch\nENV A\n", &["Dockerfile:2"]),
        ("FROM scratch\nEXPOSE lots\n", &["Dockerfile:2", "lots"]),
        ("FROM Not:A:Name\n", &["Dockerfile:1", "Not:A:Name"]),
        ("FROM scratch\nRUN --mount=type=cache,target=/c true\n", &["Dockerfile:2", "--mount"]),
        ("FROM scratch\nCOPY ../../etc/passwd /\n", &["Dockerfile:2", "etc/passwd"]),
    ] {
        refused(&zoea, text, 65, words)?;
    }
    Ok(())
}

#[test]
fn wrong_arguments_are_refused() -> Result<()> {
    let zoea = Zoea::new(Actor::Root)?;
    let context = zoea.context(&[("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")])?;
    for (arguments, word) in [
        (&["--frobnicate"][..], "--frobnicate"),
        (&["-t", "Upper/Case"], "Upper/Case"),
        (&["-o", "type=zip,dest=a"], "zip"),
        (&["--platform", "linux"], "linux"),
        (&["--source-date-epoch", "yesterday"], "yesterday"),
        (&["--push"], "--tag"),
        (&["--build-context", "a=ftp://b"], "ftp://b"),
    ] {
        zoea.build(&context, arguments)?.failure(2, &[word])?;
    }
    Ok(())
}

#[test]
fn what_is_not_there_is_named() -> Result<()> {
    let zoea = Zoea::new(Actor::Root)?;
    zoea.run(&["build", "no-such-directory"])?.failure(69, &["no-such-directory"])?;
    let empty = zoea.context(&[])?;
    zoea.build(&empty, &[])?.failure(69, &["Dockerfile"])?;
    zoea.build(&empty, &["-f", "/no/such/file"])?.failure(69, &["/no/such/file"])?;
    Ok(())
}

#[test]
fn a_registry_out_of_reach_is_named() -> Result<()> {
    let zoea = Zoea::new(Actor::Root)?;
    // Nothing listens on port 1.
    let context = zoea.context(&[("Dockerfile", "FROM 127.0.0.1:1/base\nCOPY Dockerfile /\n")])?;
    zoea.build(&context, &[])?.failure(75, &["Dockerfile:1", "127.0.0.1:1/base", "hint: "])?;
    let context = zoea.context(&[("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")])?;
    zoea.build(&context, &["--push", "-t", "127.0.0.1:1/image"])?.failure(75, &["127.0.0.1:1"])?;
    let context =
        zoea.context(&[("Dockerfile", "FROM scratch AS build\nFROM scratch\nCOPY --from=biuld / /\n")])?;
    zoea.build(&context, &[])?
        .failure(75, &["Dockerfile:3", "`biuld`", "did you mean the stage `build`?"])?;
    assert_eq!(state::problems(&zoea.state())?, [""; 0]);
    Ok(())
}

#[test]
fn a_link_out_of_the_context_leads_nowhere() -> Result<()> {
    let zoea = Zoea::new(Actor::Root)?;
    let outside = zoea.directory("outside")?;
    std::fs::write(outside.join("secret"), "secret")?;
    let context = zoea.context(&[("Dockerfile", "FROM scratch\nCOPY link/secret /\n")])?;
    std::os::unix::fs::symlink(&outside, context.join("link"))?;
    std::os::unix::fs::symlink("../outside", context.join("relative"))?;
    zoea.build(&context, &[])?.failure(65, &["Dockerfile:2", "link/secret"])?;
    std::fs::write(context.join("Dockerfile"), "FROM scratch\nCOPY relative/secret /\n")?;
    zoea.build(&context, &[])?.failure(65, &["Dockerfile:2", "relative/secret"])?;
    Ok(())
}

#[test]
fn a_full_disk_is_told() -> Result<()> {
    if !ready("a_full_disk_is_told", &[Need::Root]) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Root)?;
    let context = zoea.context(&[("Dockerfile", "FROM scratch\nCOPY big /\n")])?;
    zoea_tests::noise::write(&context.join("big"), 32 << 20)?;
    let state = zoea.directory("state")?;
    let image = zoea.home().join("image.tar");
    let output = format!("type=oci,dest={}", image.display());
    let script = format!("mount -t tmpfs -o size=8m full {} && exec \"$@\"", state.display());
    let context = context.to_string_lossy();
    let mut command = zoea.command_under(&["sh", "-c", &script, "sh"], &["build", &context, "-o", &output]);
    Finished::of(&mut command)?.failure(69, &["No space left on device", "hint: "])?;
    assert!(!image.exists());
    Ok(())
}
