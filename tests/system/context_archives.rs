//! Archives of web servers that are contexts, or unpacked by ADD.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use zoea_tests::elsewhere::{FileDate, web_server};
use zoea_tests::{Actor, Need, Zoea, ready};

use crate::result::Built;

fn zoea(test: &str) -> Result<Option<Zoea>> {
    let needs = [
        Need::Program("skopeo"),
        Need::Program("tar"),
        Need::Program("bzip2"),
        Need::Program("xz"),
        Need::Program("zstd"),
    ];
    if ready(test, &needs) { Ok(Some(Zoea::new(Actor::Root)?)) } else { Ok(None) }
}

/// Makes an archive of files, all owned by 21:22 and of 2001, with the flags of `tar`.
fn archive(zoea: &Zoea, files: &[(&str, &str)], flags: &[&str]) -> Result<Vec<u8>> {
    let directory = zoea.context(files)?;
    let file = zoea.home().join("archive");
    let status = Command::new("tar")
        .args(["--owner=21", "--group=22", "--mode=750", "--mtime=@1000000000", "-cf"])
        .arg(&file)
        .arg("-C")
        .arg(directory)
        .args(flags)
        .arg(".")
        .status()?;
    ensure!(status.success(), "tar {flags:?}");
    Ok(fs::read(file)?)
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn a_context_can_be_an_archive() -> Result<()> {
    let Some(zoea) = zoea("a_context_can_be_an_archive")? else { return Ok(()) };
    let files = [
        ("Dockerfile", "FROM scratch\nCOPY . /all/\nCOPY kept /\n"),
        ("other", "FROM scratch\nCOPY kept /other\n"),
        // BuildKit has no ignore file in an archive, and neither has zoea.
        (".dockerignore", "*\n"),
        ("kept", "four"),
    ];
    for flags in [&[][..], &["-z"], &["-j"], &["-J"], &["--zstd"]] {
        let url = web_server(archive(&zoea, &files, flags)?, FileDate::None)?;
        let context = format!("{url}/x.tar");
        let arguments = ["--build-arg", "SOURCE_DATE_EPOCH=context"];
        let built = Built::new(&zoea, Path::new(&context), &arguments)?;
        let layer = built.top_layer()?;
        assert!(
            layer.iter().any(|line| words(line) == words("-rwxr-x--- 21/22 4 kept")),
            "{flags:?}: {layer:?}"
        );
        assert_eq!(built.config()?["created"], "2001-09-09T01:46:40Z");
        let other = Built::new(&zoea, Path::new(&context), &["--file", "other"])?.top_layer()?;
        assert!(other.iter().any(|line| line.ends_with(" other")), "{other:?}");
    }
    let url = web_server(archive(&zoea, &files, &[])?, FileDate::Given)?;
    let built = Built::new(&zoea, Path::new(&url), &["--build-arg", "SOURCE_DATE_EPOCH=context"])?;
    assert_eq!(built.config()?["created"], "1994-11-06T08:49:37Z");
    Ok(())
}

#[test]
fn owners_are_kept_that_this_machine_cannot_store() -> Result<()> {
    let test = "owners_are_kept_that_this_machine_cannot_store";
    let Some(zoea) = zoea(test)?.filter(|_| ready(test, &[Need::Root])) else { return Ok(()) };
    let files = [("Dockerfile", "FROM scratch\nCOPY kept /\n"), ("kept", "four")];
    let url = web_server(archive(&zoea, &files, &[])?, FileDate::None)?;
    // Who has one id.
    let layer = Built::new(&Zoea::new(Actor::Stranger)?, Path::new(&url), &[])?.top_layer()?;
    assert!(layer.iter().any(|line| words(line) == words("-rwxr-x--- 21/22 4 kept")), "{layer:?}");
    Ok(())
}

#[test]
fn a_context_can_be_a_dockerfile_alone() -> Result<()> {
    let Some(zoea) = zoea("a_context_can_be_a_dockerfile_alone")? else { return Ok(()) };
    let url = web_server("FROM scratch\nCOPY . /\n", FileDate::None)?;
    let layer = Built::new(&zoea, Path::new(&url), &[])?.top_layer()?;
    let lines: Vec<_> = layer.iter().map(|line| words(line)).collect();
    assert_eq!(lines, [words("-rw------- 0/0 22 context")]);
    Ok(())
}

#[test]
fn a_named_context_of_a_web_server_is_one_file() -> Result<()> {
    let Some(zoea) = zoea("a_named_context_of_a_web_server_is_one_file")? else { return Ok(()) };
    let url = web_server(archive(&zoea, &[("file", "")], &["-z"])?, FileDate::None)?;
    let context = zoea.context(&[("Dockerfile", "FROM scratch\nCOPY --from=web . /web/\n")])?;
    let layer =
        Built::new(&zoea, &context, &["--build-context", &format!("web={url}/x.tar.gz")])?.top_layer()?;
    let names: Vec<_> = layer.iter().filter_map(|line| line.split(' ').next_back()).collect();
    assert_eq!(names, ["web/", "web/context"]);
    Ok(())
}

#[test]
fn add_unpacks_a_fetched_archive_where_asked_to() -> Result<()> {
    let Some(zoea) = zoea("add_unpacks_a_fetched_archive_where_asked_to")? else { return Ok(()) };
    let url = web_server(archive(&zoea, &[("file", "four")], &["-z"])?, FileDate::None)?;
    for (flags, expected) in [
        ("--unpack=true", "-rwxr-x--- 21/22 4 d/file"),
        ("--unpack=true --chown=7:8", "-rwxr-x--- 7/8 4 d/file"),
        ("--unpack=false", "d/x.tar.gz"),
        ("", "d/x.tar.gz"),
    ] {
        let text = format!("FROM scratch\nADD {flags} {url}/x.tar.gz /d/\n");
        let layer = Built::of(&zoea, &text, &[])?.top_layer()?;
        let found = |line: &String| line.ends_with(expected) || words(line) == words(expected);
        assert!(layer.iter().any(found), "{flags}: {layer:?}");
        assert_eq!(
            layer.iter().any(|line| line.ends_with("d/file")),
            expected.ends_with("d/file"),
            "{flags}"
        );
    }
    Ok(())
}

#[test]
fn hostile_archives_are_refused() -> Result<()> {
    let Some(zoea) = zoea("hostile_archives_are_refused")? else { return Ok(()) };
    let files = [("Dockerfile", "FROM scratch\nCOPY . /\n"), ("file", "content")];
    let out = zoea.home().join("out");
    for (transform, status) in [
        // Above the archive's root.
        ("s,^\\./file,../../out,", Some(65)),
        // From the archive's root, as for BuildKit.
        ("s,^\\./file,/out,", Some(0)),
    ] {
        let flags = ["-P", "--transform", transform];
        let url = web_server(archive(&zoea, &files, &flags)?, FileDate::None)?;
        let finished = zoea.run(&["build", &url])?;
        assert_eq!(finished.status.code(), status, "{}", finished.stderr);
        assert!(!out.exists() && !Path::new("/out").exists());
    }
    // A link out of the archive, and a file through it.
    let linked = zoea.directory("linked")?;
    std::os::unix::fs::symlink(zoea.home(), linked.join("link"))?;
    let file = zoea.home().join("through.tar");
    for (flag, directory, transform) in
        [("-cf", &linked, "s,^\\./,,"), ("-rf", &zoea.context(&files)?, "s,^\\./file,link/out,")]
    {
        let mut command = Command::new("tar");
        command.arg(flag).arg(&file).arg("-C").arg(directory).args(["--transform", transform, "."]);
        ensure!(command.status()?.success(), "tar {flag}");
    }
    let finished = zoea.run(&["build", &web_server(fs::read(&file)?, FileDate::None)?])?;
    assert!(!out.exists());
    assert_eq!(finished.status.code(), Some(0), "{}", finished.stderr);
    // Cut short, it is damaged, and nothing else is blamed.
    let mut bytes = archive(&zoea, &files, &["-z"])?;
    bytes.truncate(bytes.len() - 20);
    let finished = zoea.run(&["build", &web_server(bytes, FileDate::None)?])?;
    assert_eq!(finished.status.code(), Some(65), "{}", finished.stderr);
    assert!(finished.stderr.contains("Failed to unpack the context"), "{}", finished.stderr);
    Ok(())
}
