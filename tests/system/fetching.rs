//! Files, repositories and contexts from elsewhere.

use std::fs;
use std::path::Path;

use anyhow::Result;
use zoea_tests::elsewhere::{COMMIT_TIME, FileDate, GitDaemon, commit, web_server};
use zoea_tests::{Actor, Need, Zoea, ready};

use crate::result::Built;

fn zoea(test: &str) -> Result<Option<Zoea>> {
    let needs = [Need::Program("skopeo"), Need::Program("git")];
    if ready(test, &needs) { Ok(Some(Zoea::new(Actor::Root)?)) } else { Ok(None) }
}

/// Returns the lines of the last layer.
fn layer(zoea: &Zoea, context: &str, arguments: &[&str]) -> Result<Vec<String>> {
    Built::new(zoea, Path::new(context), arguments)?.top_layer()
}

/// Makes a repository `repository` with a Dockerfile in the home and serves it.
fn repository(zoea: &Zoea) -> Result<GitDaemon> {
    let directory = zoea.directory("repository")?;
    fs::write(directory.join("Dockerfile"), "FROM scratch\nCOPY file /from-git\n")?;
    fs::write(directory.join("file"), "content")?;
    fs::write(directory.join(".dockerignore"), "file\n")?;
    commit(&directory)?;
    GitDaemon::start(zoea.home())
}

#[test]
fn add_fetches_files_and_repositories() -> Result<()> {
    let Some(zoea) = zoea("add_fetches_files_and_repositories")? else { return Ok(()) };
    let (server, daemon) = (web_server("hello", FileDate::Given)?, repository(&zoea)?);
    let sum = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let git = daemon.url("repository?mtime=commit");
    for (instruction, expected) in [
        (format!("ADD {server}/a/file.txt?x=1 /d/"), "-rw------- 0/0 5 d/file.txt"),
        (format!("ADD --checksum={sum} --chmod=644 {server}/x /y"), "-rw-r--r-- 0/0 5 y"),
        (format!("ADD {git} /r"), "-rw-r--r-- 0/0 7 r/file"),
    ] {
        let context = zoea.context(&[("Dockerfile", &format!("FROM scratch\n{instruction}\n"))])?;
        let lines = layer(&zoea, context.to_str().unwrap_or_default(), &[])?;
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert!(lines.iter().any(|line| words(line) == words(expected)), "{instruction}: {lines:#?}");
    }
    let wrong_digest = format!("FROM scratch\nADD --checksum={} {server}/x /\n", sum.replace("2cf", "2ce"));
    let nobody = "FROM scratch\nADD git://127.0.0.1:1/none.git /\n".to_owned();
    for (text, first, hint) in [
        (wrong_digest, format!("Failed to fetch `{server}/x`"), format!("write `--checksum={sum}`")),
        (nobody, "Failed to fetch `git://127.0.0.1:1/none.git`".to_owned(), String::new()),
    ] {
        let context = zoea.context(&[("Dockerfile", &text)])?;
        let finished = zoea.run(&["build", context.to_str().unwrap_or_default()])?;
        assert_eq!(finished.status.code(), Some(75), "{}", finished.stderr);
        assert!(finished.stderr.contains(&first) && finished.stderr.contains(&hint), "{}", finished.stderr);
        assert!(!finished.stderr.contains("build context"), "{}", finished.stderr);
    }
    Ok(())
}

#[test]
fn contexts_come_from_directories_and_repositories() -> Result<()> {
    let Some(zoea) = zoea("contexts_come_from_directories_and_repositories")? else { return Ok(()) };
    let daemon = repository(&zoea)?;
    let names = |lines: &[String]| -> Vec<String> {
        lines.iter().filter_map(|line| line.split(' ').next_back()).map(str::to_owned).collect()
    };
    // The ignore file of a repository does not count, as it does not for BuildKit.
    assert_eq!(names(&layer(&zoea, &daemon.url("repository"), &[])?), ["from-git"]);
    let other = zoea.context(&[("kept", ""), ("left", ""), (".dockerignore", "left\n")])?;
    let text = "FROM scratch\nCOPY --from=files . /files/\nCOPY --from=code file /code/\n";
    let context = zoea.context(&[("Dockerfile", text)])?;
    let (files, code) = (format!("files={}", other.display()), format!("code={}", daemon.url("repository")));
    let arguments = ["--build-context", files.as_str(), "--build-context", code.as_str()];
    let built = Built::new(&zoea, &context, &arguments)?;
    assert_eq!(names(&built.top_layer()?), ["code/", "code/file"]);
    // A file of a web server is a context of that one file.
    fs::write(context.join("Dockerfile"), "FROM scratch\nCOPY --from=page context /page\n")?;
    let page = format!("page={}/some/page.html", web_server("hello", FileDate::Given)?);
    let lines = layer(&zoea, context.to_str().unwrap_or_default(), &["--build-context", &page])?;
    assert!(lines.iter().any(|line| line.starts_with("-rw-------") && line.ends_with(" page")), "{lines:#?}");
    // What no step reads is not fetched.
    fs::write(context.join("Dockerfile"), "FROM scratch\nCOPY --from=files kept /\n")?;
    let lines = layer(
        &zoea,
        context.to_str().unwrap_or_default(),
        &["--build-context", &files, "--build-context", "code=git://127.0.0.1:1/none"],
    )?;
    assert_eq!(names(&lines), ["kept"]);
    Ok(())
}

#[test]
fn the_date_of_a_build_can_be_that_of_its_context() -> Result<()> {
    let Some(zoea) = zoea("the_date_of_a_build_can_be_that_of_its_context")? else { return Ok(()) };
    let daemon = repository(&zoea)?;
    let url = daemon.url("repository");
    let built = Built::new(&zoea, Path::new(&url), &["--build-arg", "SOURCE_DATE_EPOCH=context"])?;
    assert_eq!(COMMIT_TIME, 1_700_000_000);
    assert_eq!(built.config()?["created"], "2023-11-14T22:13:20Z");
    Ok(())
}
