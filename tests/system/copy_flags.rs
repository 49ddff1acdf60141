//! What the flags of COPY and ADD do, and that they do the same for everybody.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use anyhow::Result;
use zoea_tests::{Actor, Base, Need, Zoea, ready};

use crate::result::{Built, with_base, words};

/// A context with directories in directories, whatever the umask.
fn tree(zoea: &Zoea) -> Result<PathBuf> {
    let files =
        [("a.txt", "a"), ("b.md", "b"), ("run.sh", "#!"), ("dir/one.txt", "1"), ("dir/deep/two.md", "2")];
    let context = zoea.context(&files)?;
    for (path, mode) in [
        ("a.txt", 0o640),
        ("b.md", 0o644),
        ("run.sh", 0o744),
        ("dir", 0o750),
        ("dir/deep", 0o711),
        ("dir/one.txt", 0o600),
        ("dir/deep/two.md", 0o644),
    ] {
        fs::set_permissions(context.join(path), fs::Permissions::from_mode(mode))?;
    }
    Ok(context)
}

/// Returns mode, owner and name of every entry of the last layer, sorted by name.
fn entries(zoea: &Zoea, context: &Path, instruction: &str) -> Result<Vec<String>> {
    fs::write(context.join("Dockerfile"), format!("FROM scratch\n{instruction}\n"))?;
    let mut list = Vec::new();
    for line in Built::new(zoea, context, &[])?.top_layer()? {
        let words: Vec<&str> = line.split(' ').collect();
        let [mode, owner, _, name @ ..] = words.as_slice() else { continue };
        list.push((name.join(" "), format!("{mode} {owner}")));
    }
    list.sort();
    Ok(list.into_iter().map(|(name, rest)| format!("{rest} {name}")).collect())
}

fn check(test: &str, cases: &[(&str, &[&str])]) -> Result<()> {
    if !ready(test, &[Need::Program("skopeo")]) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Root)?;
    let context = tree(&zoea)?;
    for (instruction, expected) in cases {
        assert_eq!(entries(&zoea, &context, instruction)?, *expected, "{instruction}");
    }
    Ok(())
}

#[test]
fn symbolic_modes_change_what_is_copied() -> Result<()> {
    check(
        "symbolic_modes_change_what_is_copied",
        &[
            (
                "COPY --chmod=u=rwX,go=rX a.txt run.sh /x/",
                &["drwxr-xr-x 0/0 x/", "-rw-r--r-- 0/0 x/a.txt", "-rwxr-xr-x 0/0 x/run.sh"],
            ),
            (
                "COPY --chmod=g=u,o-rwx dir /d",
                &[
                    "drwxr-xr-x 0/0 d/",
                    "drwxrwx--- 0/0 d/deep/",
                    "-rw-rw---- 0/0 d/deep/two.md",
                    "-rw-rw---- 0/0 d/one.txt",
                ],
            ),
            // An octal mode is that of directories made for the destination too, a symbolic one is not.
            (
                "COPY --chmod=0500 a.txt /x/y/",
                &["dr-x------ 0/0 x/", "dr-x------ 0/0 x/y/", "-r-x------ 0/0 x/y/a.txt"],
            ),
            ("COPY --chmod=a+x a.txt /x/", &["drwxr-xr-x 0/0 x/", "-rwxr-x--x 0/0 x/a.txt"]),
        ],
    )
}

#[test]
fn parents_are_kept() -> Result<()> {
    check(
        "parents_are_kept",
        &[
            (
                "COPY --parents dir/deep/two.md /x/",
                &[
                    "drwxr-xr-x 0/0 x/",
                    "drwxr-x--- 0/0 x/dir/",
                    "drwx--x--x 0/0 x/dir/deep/",
                    "-rw-r--r-- 0/0 x/dir/deep/two.md",
                ],
            ),
            (
                "COPY --parents ./dir/./*/*.md /x/",
                &["drwxr-xr-x 0/0 x/", "drwx--x--x 0/0 x/deep/", "-rw-r--r-- 0/0 x/deep/two.md"],
            ),
            (
                "COPY --parents --chown=5 **/*.txt /",
                &["-rw-r----- 5/5 a.txt", "drwxr-x--- 5/5 dir/", "-rw------- 5/5 dir/one.txt"],
            ),
        ],
    )
}

#[test]
fn exclusion_is_below_each_source() -> Result<()> {
    check(
        "exclusion_is_below_each_source",
        &[
            (
                "COPY --exclude=*.txt --exclude=deep/* dir /d",
                &["drwxr-xr-x 0/0 d/", "drwx--x--x 0/0 d/deep/"],
            ),
            (
                "COPY --exclude=**/*.md --exclude=Dockerfile --exclude=dir . /",
                &["-rw-r----- 0/0 a.txt", "-rwxr--r-- 0/0 run.sh"],
            ),
            (
                "COPY --exclude=deep --exclude=!deep/two.md --exclude=*.txt dir /d",
                &["drwxr-xr-x 0/0 d/", "drwx--x--x 0/0 d/deep/", "-rw-r--r-- 0/0 d/deep/two.md"],
            ),
            (
                "COPY --parents --exclude=**/two.md dir /",
                &["drwxr-x--- 0/0 dir/", "drwx--x--x 0/0 dir/deep/", "-rw------- 0/0 dir/one.txt"],
            ),
        ],
    )
}

#[test]
fn archives_are_kept_on_request() -> Result<()> {
    if !ready("archives_are_kept_on_request", &[Need::Program("skopeo")]) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Root)?;
    let context = zoea.context(&[("packed/file", "content")])?;
    let mut command = std::process::Command::new("tar");
    command.current_dir(&context).args(["-cf", "a.tar", "-C", "packed", "file"]);
    zoea_tests::Finished::of(&mut command)?.success()?;
    let names = |instruction: &str| -> Result<Vec<String>> {
        let list = entries(&zoea, &context, instruction)?;
        Ok(list.iter().filter_map(|line| line.split(' ').nth(2)).map(str::to_owned).collect())
    };
    assert_eq!(names("ADD --unpack=false a.tar /")?, ["a.tar"]);
    assert_eq!(names("ADD --unpack a.tar /")?, ["file"]);
    Ok(())
}

#[test]
fn linked_copies_replace_links_and_lie_in_layers_of_their_own() -> Result<()> {
    let needs = [Need::Root, Need::Program("skopeo"), Need::Program("umoci")];
    if !ready("linked_copies_replace_links_and_lie_in_layers_of_their_own", &needs) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Root)?;
    let context = tree(&zoea)?;
    symlink("target", context.join("dir/link"))?;
    let text = "FROM scratch AS base\nCOPY dir /\nCOPY a.txt /target/\n\
                FROM base AS linked\nCOPY --link --chown=5:6 b.md /link/\nFROM linked\nCOPY --from=linked / /all\n\
                FROM base AS followed\nCOPY b.md /link/\n";
    fs::write(context.join("Dockerfile"), text)?;
    let linked = Built::new(&zoea, &context, &["--target", "linked"])?;
    let [mut directory, mut file] = [Vec::new(), Vec::new()];
    for line in linked.top_layer()? {
        if line.ends_with('/') { directory.push(line) } else { file.push(line) }
    }
    assert_eq!(directory, ["drwxr-xr-x 5/6 0 link/"]);
    assert_eq!(file, ["-rw-r--r-- 5/6 1 link/b.md"]);
    let bundle = linked.unpack()?;
    assert!(bundle.root().join("link").symlink_metadata()?.is_dir());
    assert!(!bundle.root().join("target/b.md").exists() && bundle.root().join("target/a.txt").exists());
    // What the next stage reads is what the image holds.
    let all = Built::new(&zoea, &context, &["--target", "2"])?.unpack()?;
    assert!(all.root().join("all/link").symlink_metadata()?.is_dir());
    assert_eq!(fs::read_to_string(all.root().join("all/link/b.md"))?, "b");
    let followed = Built::new(&zoea, &context, &["--target", "followed"])?.unpack()?;
    assert!(followed.root().join("target/b.md").exists());
    // The same files give the same layer, whatever it is put onto.
    fs::write(context.join("Dockerfile"), "FROM scratch\nCOPY --link --chown=5:6 b.md /link/\n")?;
    let fixed = ["--source-date-epoch", "1700000000"];
    let alone = Built::new(&zoea, &context, &fixed)?;
    fs::write(context.join("Dockerfile"), text)?;
    let on_base = Built::new(&zoea, &context, &[&["--target", "linked"][..], &fixed].concat())?;
    assert_eq!(alone.layers()?.last(), on_base.layers()?.last());
    Ok(())
}

#[test]
fn what_cannot_be_carried_out_is_refused_before_anything_runs() -> Result<()> {
    if !ready("what_cannot_be_carried_out_is_refused_before_anything_runs", &[Need::Base(Base::Busybox)]) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Root)?;
    let base = with_base(Base::Busybox)?;
    for (instruction, said) in [
        ("COPY --link --chown=root Dockerfile /", &["Dockerfile:3", "`root`", "write numbers"][..]),
        ("RUN --mount=type=tmpfs,target=/t true", &["Dockerfile:3", "--mount"]),
        ("RUN --security=insecure true", &["Dockerfile:3", "--security"]),
    ] {
        let text = format!("FROM base\nRUN echo has-run\n{instruction}\n");
        let context = zoea.context(&[("Dockerfile", &text)])?;
        let failed = zoea.build(&context, &words(&base))?.failure(65, said)?;
        assert!(!failed.stderr.contains("has-run\n"), "{}", failed.stderr);
    }
    Ok(())
}

/// Every flag, on a base with users, in a stage that others read.
const DOCKERFILE: &str = r#"FROM base AS made
COPY --parents --chown=alice:crew dir/**/*.md /parents/
COPY --exclude=**/*.txt --exclude=Dockerfile --chmod=go=u . /some/
COPY --chmod=u=rwX,go=rX dir /modes
RUN ln -s /some /link && mkdir /replaced
COPY --link --chown=7:8 dir /link/
COPY --link a.txt /replaced
ADD --unpack=false --chmod=4755 run.sh /bin/
COPY <<one <<"two" /documents/
one
one
$two
two
RUN <<script
#!/bin/sh
echo "$0" > /script
ls /dev/pipes >> /script
script
FROM base
COPY --from=made --parents /link/./* /parents /modes /
COPY --from=made --link --exclude=*.md / /whole
"#;

#[test]
fn root_and_user_build_the_same_digest() -> Result<()> {
    let needs = [Need::Root, Need::SubordinateIds, Need::Base(Base::Busybox), Need::Program("skopeo")];
    if !ready("root_and_user_build_the_same_digest (flags)", &needs) {
        return Ok(());
    }
    let base = with_base(Base::Busybox)?;
    let [root, user] = Actor::BOTH.map(|actor| -> Result<_> {
        let zoea = Zoea::new(actor)?;
        let context = tree(&zoea)?;
        for path in ["dir", "dir/deep", "dir/one.txt", "a.txt", "run.sh"] {
            // What others may not read, its owner may.
            actor.own(&context.join(path))?;
        }
        fs::write(context.join("Dockerfile"), DOCKERFILE)?;
        let fixed = ["--source-date-epoch", "1000000000"];
        let built = Built::new(&zoea, &context, &[&words(&base)[..], &fixed].concat())?;
        Ok((built.layers()?, built.digest()?))
    });
    assert_eq!(root?, user?);
    Ok(())
}

#[test]
fn scripts_are_executed_and_kept_nowhere() -> Result<()> {
    let needs = [Need::Base(Base::Busybox), Need::Program("skopeo")];
    for (actor, need) in [(Actor::Root, Need::Root), (Actor::User, Need::SubordinateIds)] {
        let test = format!("scripts_are_executed_and_kept_nowhere as {actor:?}");
        if !ready(&test, &[&needs[..], &[need]].concat()) {
            continue;
        }
        let zoea = Zoea::new(actor)?;
        let text = "FROM base\nRUN <<EOF\n#!/bin/cat\nthis file: $0\nEOF\nRUN <<EOF\n#!/bin/sh\nstat -c '%a %u' \"$0\" > /said\nEOF\n";
        let context = zoea.context(&[("Dockerfile", text)])?;
        let said = zoea.build(&context, &words(&with_base(Base::Busybox)?))?.success()?.stderr;
        assert!(said.contains("| #!/bin/cat\n") && said.contains("| this file: $0\n"), "{said}");
        let built = Built::new(&zoea, &context, &words(&with_base(Base::Busybox)?))?;
        let names: Vec<String> =
            built.top_layer()?.iter().filter_map(|line| line.split(' ').nth(3)).map(str::to_owned).collect();
        assert_eq!(names, ["said"]);
    }
    Ok(())
}
