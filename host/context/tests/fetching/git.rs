//! Trees of git repositories.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

use zoea_context::Fetched;
use zoea_model::{Node, Secret, Timestamp, TreePath};

use crate::bench::content;
use crate::repository::{Repositories, TIME, bench, bench_with, remote, run};
use crate::server::{Answer, Server};

fn names(fetched: &Fetched, path: &str) -> Vec<String> {
    let mut names: Vec<_> = fetched
        .context
        .children(&TreePath::new(path).unwrap())
        .unwrap()
        .into_iter()
        .map(|name| name.into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn branches_tags_references_and_commits_are_found() {
    let repositories = Repositories::new();
    let one = repositories.make("one");
    let mut commits = Vec::new();
    for number in 0..3 {
        one.write("file", &number.to_string());
        commits.push(one.commit());
    }
    one.git(&["branch", "old/branch", &commits[0]]);
    one.git(&["tag", "light", &commits[1]]);
    one.git(&["tag", "--annotate", "--message=x", "annotated", &commits[0]]);
    one.git(&["update-ref", "refs/pull/7/head", &commits[1]]);
    // A branch counts before a tag of the same name.
    one.git(&["branch", "same", &commits[0]]);
    one.git(&["tag", "same", &commits[2]]);
    let daemon = repositories.serve();
    let bench = bench();
    for (reference, number) in [
        ("", 2),
        ("#main", 2),
        ("#old/branch", 0),
        ("#light", 1),
        ("#annotated", 0),
        ("#refs/tags/annotated", 0),
        ("#pull/7/head", 1),
        ("#refs/pull/7/head", 1),
        ("#same", 0),
        ("?tag=same", 2),
        (&format!("#{}", commits[0]), 0),
        (&format!("?ref=main&checksum={}", &commits[2][..9]), 2),
    ] {
        let fetched = bench.fetch(&remote(&daemon.url(&format!("one{reference}"))));
        assert_eq!(content(&fetched, "file"), number.to_string().as_bytes(), "{reference}");
        assert_eq!(fetched.modified, Some(Timestamp::from_seconds(TIME)));
        assert_eq!(fetched.validator.as_deref(), Some(commits[number].as_str()));
        assert_eq!(names(&fetched, ""), ["file"]);
    }
    let failure = bench.failure(&remote(&daemon.url("one#missing")));
    assert!(failure.contains("no branch, tag or commit `missing`"), "{failure}");
    let failure = bench.failure(&remote(&daemon.url("one?ref=main&checksum=abcdef")));
    assert!(failure.contains("abcdef") && failure.contains(&commits[2]), "{failure}");
    let failure = bench.failure(&remote(&daemon.url("none")));
    assert!(failure.contains("git ls-remote"), "{failure}");
}

#[test]
fn files_are_as_they_were_committed() {
    let repositories = Repositories::new();
    let one = repositories.make("one");
    one.write("plain", "a\r\nb\n");
    one.write("tools/run", "#!/bin/sh\n");
    std::fs::set_permissions(one.path.join("tools/run"), std::fs::Permissions::from_mode(0o755)).unwrap();
    symlink("/etc/passwd", one.path.join("link")).unwrap();
    one.write(".gitattributes", "plain text eol=crlf\n*.id ident\n");
    one.write("x.id", "$Id$\n");
    one.commit();
    let daemon = repositories.serve();
    let bench = bench();
    let fetched = bench.fetch(&remote(&daemon.url("one?mtime=commit")));
    let entry = |path: &str| fetched.context.lookup(&TreePath::new(path).unwrap()).unwrap().unwrap();
    for (path, mode) in [("plain", 0o644), ("tools/run", 0o755), ("tools", 0o755), ("link", 0o777)] {
        let attributes = entry(path).attributes;
        assert_eq!((attributes.mode, attributes.mtime.seconds), (mode, TIME), "{path}");
    }
    assert_eq!(entry("link").node, Node::Symlink { target: b"/etc/passwd".to_vec() });
    assert_eq!(content(&fetched, "x.id"), b"$Id$\n");
    let later = bench.fetch(&remote(&daemon.url("one")));
    let path = TreePath::new("plain").unwrap();
    assert!(later.context.lookup(&path).unwrap().unwrap().attributes.mtime.seconds > TIME);
}

#[test]
fn a_directory_can_be_all_that_counts() {
    let repositories = Repositories::new();
    let one = repositories.make("one");
    one.write("a/b/file", "x");
    one.write("other", "x");
    one.commit();
    let daemon = repositories.serve();
    let bench = bench();
    let fetched = bench.fetch(&remote(&daemon.url("one#main:a/b")));
    assert_eq!(names(&fetched, ""), ["file"]);
    for path in ["a/missing", "other"] {
        let failure = bench.failure(&remote(&daemon.url(&format!("one#main:{path}"))));
        assert!(failure.contains("has no directory"), "{failure}");
    }
}

#[test]
fn a_kept_git_directory_is_usable_and_clean() {
    let repositories = Repositories::new();
    let one = repositories.make("one");
    one.write("a/file", "x");
    one.commit();
    one.write("a/file", "y");
    let commit = one.commit();
    one.git(&["tag", "--annotate", "--message=x", "v1"]);
    let daemon = repositories.serve();
    let bench = bench();
    for reference in ["", "#v1", &format!("#{commit}")] {
        let query = if reference.is_empty() { "?keep-git-dir=1" } else { "?keep-git-dir=1&submodules=0" };
        let fetched = bench.fetch(&remote(&daemon.url(&format!("one{query}{reference}"))));
        assert_eq!(names(&fetched, ""), [".git", "a"]);
        let place = bench.place(fetched.as_ref());
        assert_eq!(run(&place, &["status", "--porcelain"]), "", "{reference}");
        assert_eq!(run(&place, &["rev-parse", "HEAD"]), commit);
        assert_eq!(run(&place, &["config", "remote.origin.url"]), daemon.url("one"));
        run(&place, &["fsck"]);
    }
    let described = bench.fetch(&remote(&daemon.url("one?keep-git-dir=1&submodules=0#v1")));
    assert_eq!(run(&bench.place(described.as_ref()), &["describe"]), "v1");
}

#[test]
fn submodules_come_at_every_depth() {
    let repositories = Repositories::new();
    let (inner, middle, outer) =
        (repositories.make("inner"), repositories.make("middle"), repositories.make("outer"));
    inner.write("file", "inner");
    let old = inner.commit();
    inner.write("file", "newer");
    inner.commit();
    middle.write("file", "middle");
    middle.commit();
    middle.add_submodule("deep/inner", "../inner", &old);
    let middle_commit = middle.git(&["rev-parse", "HEAD"]);
    outer.write("sub/file", "outer");
    outer.commit();
    outer.add_submodule("sub/middle", "./../middle", &middle_commit);
    let daemon = repositories.serve();
    let bench = bench();
    let fetched = bench.fetch(&remote(&daemon.url("outer")));
    assert_eq!(content(&fetched, "sub/middle/deep/inner/file"), b"inner");
    assert_eq!(names(&fetched, "sub/middle"), [".gitmodules", "deep", "file"]);
    let fetched = bench.fetch(&remote(&daemon.url("outer#main:sub")));
    assert_eq!(content(&fetched, "middle/deep/inner/file"), b"inner");
    let fetched = bench.fetch(&remote(&daemon.url("outer?submodules=false")));
    assert_eq!(names(&fetched, "sub/middle"), Vec::<String>::new());
}

#[test]
fn hostile_submodules_are_refused() {
    let repositories = Repositories::new();
    let inner = repositories.make("inner");
    inner.write("file", "x");
    let commit = inner.commit();
    let local = inner.path.display().to_string();
    for (number, url) in
        [local.as_str(), &format!("file://{local}"), "ext::sh -c id", "../../../etc", "../none"]
            .iter()
            .enumerate()
    {
        let outer = repositories.make(&format!("outer{number}"));
        outer.write("file", "x");
        outer.commit();
        outer.add_submodule("sub", url, &commit);
        let daemon = repositories.serve();
        let failure = bench().failure(&remote(&daemon.url(&format!("outer{number}"))));
        assert!(failure.contains("submodule `sub`"), "{url}: {failure}");
    }
    let unnamed = repositories.make("unnamed");
    unnamed.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},sub")]);
    unnamed.git(&["commit", "--quiet", "--message=x"]);
    let daemon = repositories.serve();
    let failure = bench().failure(&remote(&daemon.url("unnamed")));
    assert!(failure.contains("sub") || failure.contains("gitmodules"), "{failure}");
}

#[test]
fn hostile_names_never_arrive() {
    let repositories = Repositories::new();
    for (number, name) in ["..", ".", ".git", ".GIT", "a/b"].iter().enumerate() {
        let one = repositories.make(&format!("one{number}"));
        one.write("file", "x");
        let blob = one.git(&["hash-object", "-w", "file"]);
        let tree = hostile_tree(&one.path, &[("100644", name, &blob)]);
        let commit = one.git(&["commit-tree", "-m", "x", &tree]);
        one.git(&["update-ref", "refs/heads/main", &commit]);
        let daemon = repositories.serve();
        let bench = bench();
        let failure = bench.failure(&remote(&daemon.url(&format!("one{number}"))));
        assert!(!failure.is_empty(), "{name}");
    }
}

#[test]
fn nothing_goes_through_a_link_of_the_tree() {
    let repositories = Repositories::new();
    let one = repositories.make("one");
    one.write("file", "x");
    one.write("target", "/tmp");
    let (blob, target) = (one.git(&["hash-object", "-w", "file"]), one.git(&["hash-object", "-w", "target"]));
    let inner = hostile_tree(&one.path, &[("100644", "file", &blob)]);
    let tree = hostile_tree(&one.path, &[("120000", "a", &target), ("40000", "a", &inner)]);
    let commit = one.git(&["commit-tree", "-m", "x", &tree]);
    one.git(&["update-ref", "refs/heads/main", &commit]);
    let daemon = repositories.serve();
    assert!(!bench().failure(&remote(&daemon.url("one"))).is_empty());
}

#[test]
fn servers_that_say_nothing_are_given_up() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("git://{}/x.git", listener.local_addr().unwrap());
    let bench = bench_with(|settings| settings.git_patience = Duration::from_secs(1));
    let failure = bench.failure(&remote(&url));
    assert!(failure.contains("nothing came"), "{failure}");
}

#[test]
fn endless_submodules_are_refused() {
    let repositories = Repositories::new();
    let own = repositories.make("own");
    own.write("file", "x");
    let mut commit = own.commit();
    // No commit can name itself, but each can name the one before it.
    own.add_submodule("sub", "../own", &commit);
    for _ in 0..20 {
        commit = own.git(&["rev-parse", "HEAD"]);
        own.git(&["update-index", "--cacheinfo", &format!("160000,{commit},sub")]);
        own.git(&["commit", "--quiet", "--message=x"]);
    }
    let daemon = repositories.serve();
    let failure = bench().failure(&remote(&daemon.url("own")));
    assert!(failure.contains("nested too deeply"), "{failure}");
}

#[test]
fn large_repositories_are_cut() {
    let repositories = Repositories::new();
    let one = repositories.make("one");
    one.write("zeros", &"0".repeat(1 << 20));
    one.commit();
    let daemon = repositories.serve();
    let bench = bench_with(|settings| settings.largest_file = 1 << 19);
    let failure = bench.failure(&remote(&daemon.url("one")));
    assert!(failure.contains("larger than"), "{failure}");
}

#[test]
fn plain_web_servers_serve_repositories_to_those_with_a_token() {
    let repositories = Repositories::new();
    let one = repositories.make("one.git");
    one.write("file", "x");
    one.commit();
    one.git(&["update-server-info"]);
    let root = one.path.join(".git");
    let server = Server::start(move |asked, _| {
        // `x-access-token:key`
        if asked.header("authorization") != Some("basic eC1hY2Nlc3MtdG9rZW46a2V5") {
            return Answer::status(401).with("Content-Length", "0");
        }
        let path = asked.path.split('?').next().unwrap().strip_prefix("/one.git/").unwrap();
        match std::fs::read(root.join(path)) {
            Ok(bytes) => Answer::ok(bytes),
            Err(_) => Answer::status(404).with("Content-Length", "0"),
        }
    });
    let url = server.url("one.git");
    let with_token = bench_with(|settings| {
        settings.secrets.insert("GIT_AUTH_TOKEN".to_owned(), Secret::new("key\n"));
    });
    assert_eq!(content(&with_token.fetch(&remote(&url)), "file"), b"x");
    let failure = bench().failure(&remote(&url));
    assert!(failure.contains("git ls-remote"), "{failure}");
}

#[test]
fn the_configuration_of_this_machine_does_not_count() {
    let repositories = Repositories::new();
    let one = repositories.make("one");
    one.write("file", "x");
    one.commit();
    let daemon = repositories.serve();
    let home = tempfile::TempDir::new().unwrap();
    std::fs::write(home.path().join(".gitconfig"), "[malformed").unwrap();
    let place = home.path().to_owned();
    let bench = bench_with(|settings| {
        settings.git = Some(zoea_context::GitProgram::new(move || {
            let mut command = crate::repository::git();
            command.env("HOME", &place).env("XDG_CONFIG_HOME", &place);
            command
        }));
    });
    bench.fetch(&remote(&daemon.url("one")));
}

/// Writes a tree object that git would not make.
fn hostile_tree(repository: &std::path::Path, entries: &[(&str, &str, &str)]) -> String {
    let mut bytes = Vec::new();
    for (mode, name, object) in entries {
        bytes.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        let digits = object.as_bytes().chunks(2);
        bytes.extend(digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()));
    }
    let file = repository.join("hostile");
    std::fs::write(&file, bytes).unwrap();
    run(repository, &["hash-object", "-w", "-t", "tree", "--literally", "hostile"])
}
