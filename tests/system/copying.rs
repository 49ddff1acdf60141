//! COPY and ADD from the context, from stages and from archives.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use zoea_tests::{Actor, Base, Finished, Need, Zoea, ready};

use crate::result::{Built, with_base, words};

fn zoea(test: &str) -> Result<Option<Zoea>> {
    if ready(test, &[Need::Program("skopeo")]) { Ok(Some(Zoea::new(Actor::Root)?)) } else { Ok(None) }
}

/// Returns mode, owner and name of every entry that the last instruction made.
fn entries(zoea: &Zoea, context: &Path, dockerfile: &str) -> Result<Vec<String>> {
    fs::write(context.join("Dockerfile"), dockerfile)?;
    let list = Built::new(zoea, context, &[])?.top_layer()?;
    let short = |line: &String| {
        let words: Vec<_> = line.split(' ').collect();
        let (mode, owner) =
            (words.first().copied().unwrap_or_default(), words.get(1).copied().unwrap_or_default());
        format!("{mode} {owner} {}", words.get(3..).unwrap_or_default().join(" "))
    };
    Ok(list.iter().map(short).collect())
}

fn tree(zoea: &Zoea) -> Result<std::path::PathBuf> {
    let context = zoea.context(&[("a.txt", "a"), ("b.txt", "b"), ("dir/one", "1"), ("dir/deep/two", "2")])?;
    for (path, mode) in [
        ("a.txt", 0o640),
        ("b.txt", 0o755),
        ("dir", 0o750),
        ("dir/deep", 0o755),
        ("dir/one", 0o644),
        ("dir/deep/two", 0o600),
    ] {
        fs::set_permissions(context.join(path), fs::Permissions::from_mode(mode))?;
    }
    symlink("one", context.join("dir/link"))?;
    Ok(context)
}

#[test]
fn files_and_directories_are_copied_as_they_are() -> Result<()> {
    let Some(zoea) = zoea("files_and_directories_are_copied_as_they_are")? else { return Ok(()) };
    let context = tree(&zoea)?;
    for (instruction, expected) in [
        ("COPY a.txt /", &["-rw-r----- 0/0 a.txt"][..]),
        ("COPY a.txt /x", &["-rw-r----- 0/0 x"]),
        ("COPY a.txt /x/", &["drwxr-xr-x 0/0 x/", "-rw-r----- 0/0 x/a.txt"]),
        ("COPY *.txt /x/", &["drwxr-xr-x 0/0 x/", "-rw-r----- 0/0 x/a.txt", "-rwxr-xr-x 0/0 x/b.txt"]),
        (
            "COPY [\"?.txt\", \"/x/\"]",
            &["drwxr-xr-x 0/0 x/", "-rw-r----- 0/0 x/a.txt", "-rwxr-xr-x 0/0 x/b.txt"],
        ),
        ("COPY --chown=5:6 --chmod=0444 a.txt /", &["-r--r--r-- 5/6 a.txt"]),
        ("ADD --chown=5 a.txt /", &["-rw-r----- 5/5 a.txt"]),
        (
            "COPY dir /d",
            &[
                "drwxr-xr-x 0/0 d/",
                "drwxr-xr-x 0/0 d/deep/",
                "-rw------- 0/0 d/deep/two",
                "lrwxrwxrwx 0/0 d/link -> one",
                "-rw-r--r-- 0/0 d/one",
            ],
        ),
        ("WORKDIR /w\nCOPY a.txt b.txt", &["drwxr-xr-x 0/0 w/", "-rw-r----- 0/0 w/b.txt"]),
    ] {
        let mut found = entries(&zoea, &context, &format!("FROM scratch\n{instruction}\n"))?;
        found.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected, "{instruction}");
    }
    Ok(())
}

#[test]
fn ignored_files_do_not_exist() -> Result<()> {
    let Some(zoea) = zoea("ignored_files_do_not_exist")? else { return Ok(()) };
    let context = tree(&zoea)?;
    fs::write(
        context.join(".dockerignore"),
        "# comment\n*.txt\n!b.txt\ndir/deep\n.dockerignore\nDockerfile\n",
    )?;
    let found = entries(&zoea, &context, "FROM scratch\nCOPY . /\n")?;
    let names: Vec<_> = found.iter().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(names, ["b.txt", "dir/", "dir/link", "dir/one"]);
    fs::write(context.join("Dockerfile.dockerignore"), "*\n!a.txt\n")?;
    let found = entries(&zoea, &context, "FROM scratch\nCOPY . /\n")?;
    let names: Vec<_> = found.iter().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(names, ["a.txt"], "the file beside the Dockerfile wins");
    fs::remove_file(context.join("Dockerfile.dockerignore"))?;
    fs::write(context.join("Dockerfile"), "FROM scratch\nCOPY a.txt /\n")?;
    zoea.build(&context, &[])?.failure(65, &["Dockerfile:2", "a.txt"])?;
    Ok(())
}

#[test]
fn archives_are_unpacked_by_add_alone() -> Result<()> {
    let Some(zoea) = zoea("archives_are_unpacked_by_add_alone")? else { return Ok(()) };
    let context = zoea.context(&[("packed/file", "content")])?;
    for (name, program) in [
        ("a.tar", "cat"),
        ("a.tar.gz", "gzip"),
        ("a.tar.bz2", "bzip2"),
        ("a.tar.xz", "xz"),
        ("a.tar.zst", "zstd"),
    ] {
        if !ready(&format!("archives_are_unpacked_by_add_alone with {program}"), &[Need::Program(program)]) {
            continue;
        }
        let script = format!("tar --owner=3 --group=4 --mode=640 -c -C packed file | {program} > {name}");
        Finished::of(Command::new("sh").current_dir(&context).args(["-c", &script]))?.success()?;
        let found = entries(&zoea, &context, &format!("FROM scratch\nADD {name} /\n"))?;
        assert_eq!(found, ["-rw-r----- 3/4 file"], "{name}");
        let found = entries(&zoea, &context, &format!("FROM scratch\nCOPY {name} /\n"))?;
        assert_eq!(found.len(), 1);
        assert!(found.iter().all(|line| line.ends_with(name)), "{found:?}");
    }
    Ok(())
}

#[test]
fn owners_are_looked_up_in_the_tree() -> Result<()> {
    let needs = [Need::Program("skopeo"), Need::Base(Base::Busybox)];
    if !ready("owners_are_looked_up_in_the_tree", &needs) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Root)?;
    let base = with_base(Base::Busybox)?;
    for (owner, expected) in
        [("alice", "1001/1002"), ("alice:extra", "1001/1003"), ("0:crew", "0/1002"), ("7", "7/7")]
    {
        let text = format!("FROM base\nCOPY --chown={owner} Dockerfile /f\n");
        let built = Built::of(&zoea, &text, &words(&base))?;
        let list = built.top_layer()?;
        assert!(list.iter().any(|line| line.contains(&format!(" {expected} "))), "{owner}: {list:?}");
    }
    let context = zoea.context(&[("Dockerfile", "FROM base\nCOPY --chown=nobody-here Dockerfile /f\n")])?;
    zoea.build(&context, &words(&base))?.failure(65, &["nobody-here", "Dockerfile:2"])?;
    Ok(())
}

#[test]
fn hard_links_and_emptied_directories_are_kept_from_stage_to_stage() -> Result<()> {
    let needs = [Need::Program("skopeo"), Need::Program("umoci"), Need::Base(Base::Busybox), Need::Root];
    if !ready("hard_links_and_emptied_directories_are_kept_from_stage_to_stage", &needs) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Root)?;
    let base = with_base(Base::Busybox)?;
    let text = "FROM base AS a\nRUN mkdir -p /t/d && echo 1 > /t/x && ln /t/x /t/y && echo 2 > /t/d/f\n\
                RUN rm -r /t/d && mkdir /t/d\nFROM base\nCOPY --from=a /t /t\n";
    let bundle = Built::of(&zoea, text, &words(&base))?.unpack()?;
    let [x, y] =
        ["t/x", "t/y"].map(|name| bundle.root().join(name).metadata().map(|metadata| metadata.ino()));
    assert_eq!(x?, y?);
    assert_eq!(fs::read_dir(bundle.root().join("t/d"))?.count(), 0);
    Ok(())
}
