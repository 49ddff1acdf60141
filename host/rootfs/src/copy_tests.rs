//! What `COPY` makes of a tree, as text.

use proptest::prelude::*;
use zoea_model::{FileMode, Timestamp};

use super::*;
use crate::scratch_tree::{NOW, ScratchTree, attributes, path, write};

struct Wanted<'a> {
    sources: &'a [&'a str],
    to: &'a str,
    owner: Option<Owner>,
    mode: Option<ModeChange>,
    inline: Vec<InlineFile>,
    /// With `--parents`: the root that the sources are patterns below.
    parents: Option<&'a str>,
    excludes: &'a [&'a str],
    archives: AddArchive,
}

impl<'a> Wanted<'a> {
    fn new(sources: &'a [&'a str], to: &'a str) -> Self {
        Self {
            sources,
            to,
            owner: None,
            mode: None,
            inline: Vec::new(),
            parents: None,
            excludes: &[],
            archives: AddArchive::Keep,
        }
    }

    fn copy(&self, source: &ScratchTree, target: &mut ScratchTree) -> Result<(), RootfsError> {
        let named = self.sources.iter().map(|pattern| match self.parents {
            Some(root) => SourceItem::Below { from: source, root, pattern },
            None => SourceItem::Pattern { from: source, pattern, archives: self.archives },
        });
        let items: Vec<SourceItem<'_>> = named.chain(self.inline.iter().map(SourceItem::Inline)).collect();
        let request = CopyRequest {
            items: &items,
            excludes: &PathFilter::new(self.excludes.iter().copied()).unwrap(),
            destination: &path(self.to),
            form: match self.to.ends_with('/') {
                true => DestinationForm::Directory,
                false => DestinationForm::Name,
            },
            owner: self.owner,
            mode: self.mode.as_ref(),
        };
        copy(&mut target.vfs(), &request)
    }
}

/// A source with a bit of everything.
fn source() -> ScratchTree {
    let mut tree = ScratchTree::new();
    let mut vfs = tree.vfs();
    vfs.create_dir_all(&path("d/sub"), &attributes(0o750, 11)).unwrap();
    write(&mut vfs, "d/f", "f");
    vfs.create_hard_link(&path("d/f"), &path("d/sub/same")).unwrap();
    vfs.create_symlink(&path("d/out"), b"/etc/passwd", &attributes(0o777, 12)).unwrap();
    vfs.create_fifo(&path("d/pipe"), &attributes(0o600, 13)).unwrap();
    let xattrs = [("user.kept", "1"), ("user.overlay.opaque", "y"), ("security.selinux", "x")];
    let xattrs = xattrs.map(|(name, value)| (name.into(), value.into())).into();
    let owned = Attributes { uid: 5, gid: 6, xattrs, ..attributes(0o4755, 14) };
    vfs.write_file(&path("a.txt"), Content::Reader(&mut &b"a"[..]), &owned).unwrap();
    write(&mut vfs, "b.txt", "b");
    vfs.create_symlink(&path("link"), b"d", &attributes(0o777, 15)).unwrap();
    vfs.create_symlink(&path("c.txt"), b"/d/../b.txt", &attributes(0o777, 15)).unwrap();
    vfs.create_symlink(&path("dangling"), b"../../../../etc/shadow", &attributes(0o777, 15)).unwrap();
    for directory in ["d/sub", "d"] {
        vfs.set_attributes(&path(directory), &attributes(0o750, 11)).unwrap();
    }
    tree
}

#[test]
fn directory_content_goes_into_a_made_directory() {
    let mut target = ScratchTree::new();
    Wanted::new(&["d"], "x/y").copy(&source(), &mut target).unwrap();
    let now = NOW.seconds;
    assert_eq!(
        target.text(),
        format!(
            "/x 0:0 755 {now} directory\n/x/y 0:0 755 11 directory\n/x/y/f 0:0 644 5 file f\n\
             /x/y/out 0:0 777 12 link /etc/passwd\n/x/y/pipe 0:0 600 13 fifo\n\
             /x/y/sub 0:0 750 11 directory\n/x/y/sub/same 0:0 644 5 file f = /x/y/f\n"
        )
    );
}

#[test]
fn owner_and_mode_reach_everything_but_links() {
    let mut target = ScratchTree::new();
    let owner = Some(Owner { uid: 3, gid: 4 });
    let mode = Some(FileMode(0o2700));
    let mut wanted =
        Wanted { owner, mode: mode.map(ModeChange::Exact), ..Wanted::new(&["d", "a.txt"], "x/") };
    wanted.inline.push(InlineFile { name: "EOF".into(), content: b"here".into() });
    wanted.copy(&source(), &mut target).unwrap();
    let now = NOW.seconds;
    assert_eq!(
        target.text(),
        format!(
            "/x 3:4 700 {now} directory\n/x/EOF 3:4 2700 {now} file here\n\
             /x/a.txt 3:4 2700 14 file a user.kept=1\n/x/f 3:4 2700 5 file f\n\
             /x/out 3:4 777 12 link /etc/passwd\n/x/pipe 3:4 2700 13 fifo\n\
             /x/sub 3:4 2700 11 directory\n/x/sub/same 3:4 2700 5 file f = /x/f\n"
        )
    );
}

#[test]
fn source_owner_stays_and_links_at_the_source_are_followed() {
    let mut target = ScratchTree::new();
    Wanted::new(&["a.txt"], "new").copy(&source(), &mut target).unwrap();
    Wanted::new(&["link/../../c.txt"], "new2").copy(&source(), &mut target).unwrap();
    Wanted::new(&["link/sub"], "new3").copy(&source(), &mut target).unwrap();
    assert_eq!(
        target.text(),
        "/new 5:6 4755 14 file a user.kept=1\n/new2 0:0 644 5 file b\n\
         /new3 0:0 755 11 directory\n/new3/same 0:0 644 5 file f\n"
    );
}

#[test]
fn wildcards_name_by_the_link_and_may_match_nothing() {
    let mut target = ScratchTree::new();
    Wanted::new(&["*.txt", "x*"], "t/").copy(&source(), &mut target).unwrap();
    Wanted::new(&["*/f", "nothing*", "li*/f"], "u/").copy(&source(), &mut target).unwrap();
    Wanted::new(&["no*"], "never/made/").copy(&source(), &mut target).unwrap();
    let names: Vec<String> =
        target.text().lines().map(|row| row.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(names, ["/t", "/t/a.txt", "/t/b.txt", "/t/c.txt", "/u", "/u/f"]);
}

#[test]
fn existing_directories_are_merged_and_existing_files_replaced() {
    let mut target = ScratchTree::new();
    let mut vfs = target.vfs();
    vfs.create_dir_all(&path("x/sub"), &attributes(0o711, 1)).unwrap();
    write(&mut vfs, "elsewhere", "untouched");
    vfs.create_symlink(&path("x/f"), b"../elsewhere", &attributes(0o777, 1)).unwrap();
    vfs.create_symlink(&path("to"), b"/x", &attributes(0o777, 1)).unwrap();
    write(&mut vfs, "x/sub/old", "old");
    Wanted::new(&["d"], "to").copy(&source(), &mut target).unwrap();
    Wanted::new(&["b.txt"], "to").copy(&source(), &mut target).unwrap();
    let now = NOW.seconds;
    assert_eq!(
        target.text(),
        format!(
            "/elsewhere 0:0 644 5 file untouched\n/to 0:0 777 1 link /x\n/x 0:0 711 {now} directory\n\
             /x/b.txt 0:0 644 5 file b\n/x/f 0:0 644 5 file f\n/x/out 0:0 777 12 link /etc/passwd\n\
             /x/pipe 0:0 600 13 fifo\n/x/sub 0:0 750 11 directory\n/x/sub/old 0:0 644 5 file old\n\
             /x/sub/same 0:0 644 5 file f = /x/f\n"
        )
    );
}

#[test]
fn a_link_at_the_destination_leads_to_the_file_that_is_written() {
    let mut target = ScratchTree::new();
    let before = target.outside();
    let mut vfs = target.vfs();
    vfs.create_symlink(&path("l"), b"../../outside/secret", &attributes(0o777, 1)).unwrap();
    Wanted::new(&["b.txt"], "l").copy(&source(), &mut target).unwrap();
    Wanted::new(&["d"], "outside/").copy(&source(), &mut target).unwrap();
    assert!(target.text().contains("/outside/secret 0:0 644 5 file b\n"));
    assert_eq!(target.outside(), before);
}

#[test]
fn what_cannot_be_copied_is_refused() {
    let mut target = ScratchTree::new();
    let mut vfs = target.vfs();
    vfs.create_dir_all(&path("x/f"), &attributes(0o755, 1)).unwrap();
    write(&mut vfs, "x/sub", "file");
    write(&mut vfs, "plain", "file");
    vfs.create_symlink(&path("y"), b"x", &attributes(0o777, 1)).unwrap();
    let mut fails =
        |sources: &[&str], to: &str| Wanted::new(sources, to).copy(&source(), &mut target).unwrap_err();
    assert!(matches!(fails(&["missing"], "z"), RootfsError::SourceMissing { .. }));
    assert!(matches!(fails(&["ignored"], "z"), RootfsError::SourceIgnored { .. }));
    assert!(matches!(fails(&["dangling"], "z"), RootfsError::SourceMissing { .. }));
    assert!(matches!(fails(&["[a"], "z"), RootfsError::MalformedPattern { .. }));
    assert!(matches!(fails(&["a.txt", "b.txt"], "z"), RootfsError::SeveralSources { .. }));
    assert!(matches!(fails(&["*.txt"], "plain"), RootfsError::SeveralSources { .. }));
    assert!(matches!(fails(&["d"], "plain"), RootfsError::NotADirectory { .. }));
    assert!(matches!(fails(&["d/f"], "plain/"), RootfsError::NotADirectory { .. }));
    assert!(matches!(fails(&["d/f"], "x"), RootfsError::IsADirectory { .. }));
    assert!(matches!(fails(&["d/sub"], "x/sub/sub"), RootfsError::NotADirectory { .. }));
}

#[test]
fn the_whole_source_keeps_its_links() {
    let mut target = ScratchTree::new();
    Wanted::new(&["./"], "x").copy(&source(), &mut target).unwrap();
    assert!(target.text().contains("/x/dangling 0:0 777 15 link ../../../../etc/shadow\n"));
    assert!(target.text().contains("/x/link 0:0 777 15 link d\n"));
}

#[test]
fn archives_are_unpacked_on_request_and_other_files_copied() {
    let mut from = ScratchTree::new();
    let mut header = tar::Header::new_ustar();
    header.set_path("inner").unwrap();
    header.set_size(0);
    header.set_mode(0o600);
    header.set_uid(8);
    header.set_gid(9);
    header.set_mtime(10);
    header.set_cksum();
    let archive = [header.as_bytes().as_slice(), &[0; 1024]].concat();
    let content = Content::Reader(&mut archive.as_slice());
    from.vfs().write_file(&path("a.tar"), content, &attributes(0o644, 5)).unwrap();
    write(&mut from.vfs(), "plain", "p");
    let mut target = ScratchTree::new();
    let mode = Some(ModeChange::Exact(FileMode(0o400)));
    let mut wanted = Wanted { archives: AddArchive::Unpack, mode, ..Wanted::new(&["a.tar", "plain"], "x/") };
    wanted.copy(&from, &mut target).unwrap();
    let now = NOW.seconds;
    let expected =
        format!("/x 0:0 755 {now} directory\n/x/inner 8:9 600 10 file \n/x/plain 0:0 400 5 file p\n");
    assert_eq!(target.text(), expected);

    wanted.archives = AddArchive::Keep;
    wanted.copy(&from, &mut target).unwrap();
    assert!(target.vfs().lookup(&path("x/a.tar")).is_some());
}

#[test]
fn copying_again_changes_nothing() {
    let mut target = ScratchTree::new();
    let wanted = Wanted::new(&["d", "*.txt"], "x/");
    wanted.copy(&source(), &mut target).unwrap();
    let first = target.text();
    wanted.copy(&source(), &mut target).unwrap();
    assert_eq!(target.text(), first);
    assert_eq!(
        target.vfs().lookup(&path("x")).unwrap().attributes.mtime,
        Timestamp::from_seconds(NOW.seconds)
    );
}

/// A source with directories in directories.
fn deep_source() -> ScratchTree {
    let mut tree = ScratchTree::new();
    let mut vfs = tree.vfs();
    vfs.create_dir_all(&path("p/a/b"), &attributes(0o755, 1)).unwrap();
    vfs.create_dir_all(&path("p/c"), &attributes(0o755, 1)).unwrap();
    for name in ["p/a/b/x.txt", "p/a/b/x.md", "p/a/top.txt", "p/c/y.txt"] {
        write(&mut vfs, name, "");
    }
    for (directory, mode, time) in
        [("p/a/b", 0o700, 21), ("p/a", 0o2770, 22), ("p/c", 0o711, 23), ("p", 0o755, 24)]
    {
        let owned = Attributes { uid: 7, ..attributes(mode, time) };
        vfs.set_attributes(&path(directory), &owned).unwrap();
    }
    tree
}

fn names(target: &mut ScratchTree) -> Vec<String> {
    target.text().lines().map(|row| row.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn parents_are_copied_with_their_attributes() {
    let mut target = ScratchTree::new();
    let wanted = Wanted { parents: Some("p"), ..Wanted::new(&["a/b/x.txt"], "to") };
    wanted.copy(&deep_source(), &mut target).unwrap();
    assert_eq!(
        target.text(),
        "/to 0:0 755 24 directory\n/to/a 7:0 2770 22 directory\n/to/a/b 7:0 700 21 directory\n\
         /to/a/b/x.txt 0:0 644 5 file \n"
    );
}

#[test]
fn parents_that_are_there_get_the_mode_alone() {
    let mut target = ScratchTree::new();
    target.vfs().create_dir_all(&path("to/a"), &attributes(0o500, 1)).unwrap();
    let owner = Some(Owner { uid: 3, gid: 4 });
    let wanted = Wanted { parents: Some("."), owner, ..Wanted::new(&["p/a/b/x.txt"], "to/") };
    wanted.copy(&deep_source(), &mut target).unwrap();
    let wanted = Wanted { parents: Some("p"), owner, ..Wanted::new(&["a/b/x.txt"], "to/") };
    wanted.copy(&deep_source(), &mut target).unwrap();
    let text = target.text();
    assert!(
        text.contains(&format!("/to/a 0:0 2770 {} directory\n/to/a/b 3:4 700 21 directory\n", NOW.seconds))
    );
    assert!(text.contains("/to/p 3:4 755 24 directory\n/to/p/a 3:4 2770 22 directory\n"));
}

#[test]
fn parents_are_made_for_what_matches_only() {
    let source = deep_source();
    for (root, pattern, expected) in [
        (".", "p/*/*.txt", vec!["/to", "/to/p", "/to/p/a", "/to/p/a/top.txt", "/to/p/c", "/to/p/c/y.txt"]),
        ("p", "**/x.*", vec!["/to", "/to/a", "/to/a/b", "/to/a/b/x.md", "/to/a/b/x.txt"]),
        ("p", "c", vec!["/to", "/to/c", "/to/c/y.txt"]),
        ("p/*", "*.txt", vec!["/to", "/to/top.txt", "/to/y.txt"]),
        ("p", "nothing*", vec!["/to"]),
        ("p", "", vec!["/to"]),
        ("no*", "x", vec![]),
    ] {
        let mut target = ScratchTree::new();
        Wanted { parents: Some(root), ..Wanted::new(&[pattern], "to") }.copy(&source, &mut target).unwrap();
        assert_eq!(names(&mut target), expected, "{root} {pattern}");
    }
    let mut target = ScratchTree::new();
    for (root, pattern) in [("p", "missing"), ("missing", "a"), (".", "p/a/b/none")] {
        let failed =
            Wanted { parents: Some(root), ..Wanted::new(&[pattern], "to") }.copy(&source, &mut target);
        assert!(matches!(failed.unwrap_err(), RootfsError::SourceMissing { .. }), "{root} {pattern}");
    }
    let failed = Wanted { parents: Some("p"), ..Wanted::new(&["[a"], "to") }.copy(&source, &mut target);
    assert!(matches!(failed.unwrap_err(), RootfsError::MalformedPattern { .. }));
}

#[test]
fn excluded_content_stays_out() {
    let source = deep_source();
    for (sources, excludes, expected) in [
        (["p"], &["a/b", "**/*.txt"][..], vec!["/to", "/to/a", "/to/c"]),
        (["p"], &["*.txt", "**/b/*", "c"], vec!["/to", "/to/a", "/to/a/b", "/to/a/top.txt"]),
        // What is taken in again brings its directories.
        (["p"], &["a", "!a/b/x.md", "c"], vec!["/to", "/to/a", "/to/a/b", "/to/a/b/x.md"]),
        (["p"], &["*", "!nothing"], vec!["/to"]),
        // Below each source, never the source itself.
        (["p/*"], &["top.txt", "y.txt", "a"], vec!["/to", "/to/b", "/to/b/x.md", "/to/b/x.txt"]),
        (["p/c/y.txt"], &["*"], vec!["/to"]),
    ] {
        let mut target = ScratchTree::new();
        Wanted { excludes, ..Wanted::new(&sources, "to") }.copy(&source, &mut target).unwrap();
        assert_eq!(names(&mut target), expected, "{sources:?} {excludes:?}");
    }
}

#[test]
fn excluded_directories_that_are_made_have_the_source_attributes() {
    let mut target = ScratchTree::new();
    let excludes = &["a", "!a/b/x.md", "c"];
    Wanted { excludes, ..Wanted::new(&["p"], "to") }.copy(&deep_source(), &mut target).unwrap();
    assert!(target.text().contains("/to/a 7:0 2770 22 directory\n/to/a/b 7:0 700 21 directory\n"));
}

#[test]
fn parents_and_exclusion_go_together() {
    let mut target = ScratchTree::new();
    let wanted = Wanted { parents: Some("p"), excludes: &["a/b"], ..Wanted::new(&["**/*.txt"], "to") };
    wanted.copy(&deep_source(), &mut target).unwrap();
    assert_eq!(names(&mut target), ["/to", "/to/a", "/to/a/top.txt", "/to/c", "/to/c/y.txt"]);
}

#[test]
fn symbolic_modes_change_what_is_copied_and_not_what_is_made_for_it() {
    let mut target = ScratchTree::new();
    let mode = Some(ModeChange::Symbolic("u=rwX,go=rX".parse().unwrap()));
    let mut wanted = Wanted { mode, parents: Some("p"), ..Wanted::new(&["a/b", "c/y.txt"], "x/to/") };
    wanted.inline.push(InlineFile { name: "EOF".into(), content: Vec::new() });
    wanted.copy(&deep_source(), &mut target).unwrap();
    let now = NOW.seconds;
    assert_eq!(
        target.text(),
        format!(
            "/x 0:0 755 {now} directory\n/x/to 0:0 755 {now} directory\n/x/to/EOF 0:0 644 {now} file \n\
             /x/to/a 7:0 755 22 directory\n/x/to/a/b 7:0 755 21 directory\n\
             /x/to/a/b/x.md 0:0 644 5 file \n/x/to/a/b/x.txt 0:0 644 5 file \n\
             /x/to/c 7:0 755 23 directory\n/x/to/c/y.txt 0:0 644 5 file \n"
        )
    );
}

#[test]
fn items_are_copied_in_their_order() {
    let (mut one, mut two, mut target) = (ScratchTree::new(), ScratchTree::new(), ScratchTree::new());
    write(&mut one.vfs(), "f", "one");
    write(&mut two.vfs(), "f", "two");
    let inline = InlineFile { name: "f".into(), content: b"here".into() };
    let file = path("f");
    let keep = AddArchive::Keep;
    let items = [
        SourceItem::File { from: &one, path: &file, archives: keep },
        SourceItem::Inline(&inline),
        SourceItem::Pattern { from: &two, pattern: "f", archives: keep },
    ];
    for (end, expected) in [(1, "one"), (2, "here"), (3, "two")] {
        let request = CopyRequest {
            items: &items[..end],
            excludes: &PathFilter::default(),
            destination: &path("d"),
            form: DestinationForm::Directory,
            owner: None,
            mode: None,
        };
        copy(&mut target.vfs(), &request).unwrap();
        assert!(target.text().contains(&format!("file {expected}\n")));
    }
}

#[test]
fn a_file_with_the_name_of_a_pattern_is_that_file() {
    let (mut from, mut target) = (ScratchTree::new(), ScratchTree::new());
    write(&mut from.vfs(), "a*", "this");
    write(&mut from.vfs(), "ab", "not this");
    let name = path("a*");
    let request = CopyRequest {
        items: &[SourceItem::File { from: &from, path: &name, archives: AddArchive::Unpack }],
        excludes: &PathFilter::default(),
        destination: &path("d"),
        form: DestinationForm::Directory,
        owner: None,
        mode: None,
    };
    copy(&mut target.vfs(), &request).unwrap();
    assert_eq!(names(&mut target), ["/d", "/d/a*"]);
}

#[test]
fn a_whole_tree_brings_its_root_where_there_is_none() {
    let mut from = ScratchTree::new();
    write(&mut from.vfs(), "f", "");
    from.vfs().set_attributes(&TreePath::root(), &attributes(0o711, 31)).unwrap();
    let text = |destination: &str, form| {
        let mut target = ScratchTree::new();
        let request = CopyRequest {
            items: &[SourceItem::Tree { from: &from }],
            excludes: &PathFilter::default(),
            destination: &path(destination),
            form,
            owner: None,
            mode: None,
        };
        copy(&mut target.vfs(), &request).unwrap();
        target.text()
    };
    let now = NOW.seconds;
    let expected = format!("/x 0:0 755 {now} directory\n/x/y 0:0 711 31 directory\n/x/y/f 0:0 644 5 file \n");
    assert_eq!(text("x/y", DestinationForm::Name), expected);
    let expected = format!("/x 0:0 755 {now} directory\n/x/y 0:0 755 31 directory\n/x/y/f 0:0 644 5 file \n");
    assert_eq!(text("x/y", DestinationForm::Directory), expected);
    assert_eq!(text(".", DestinationForm::Name), "/f 0:0 644 5 file \n");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// What the filters say decides, whatever the walk leaves out.
    #[test]
    fn copies_are_what_the_filters_take(
        files in proptest::collection::btree_set("[abc](/[abc]){0,3}", 1..8),
        parents in proptest::option::of("[ab*](/?[ab*]){0,3}"),
        excludes in proptest::collection::vec("!?[ab*](/?[ab*]){0,3}", 0..4),
    ) {
        let mut from = ScratchTree::new();
        for name in &files {
            let file = path(&format!("{name}.f"));
            from.vfs().create_dir_all(&file.parent().unwrap(), &attributes(0o750, 9)).unwrap();
            write(&mut from.vfs(), &format!("{name}.f"), name);
        }
        let excluded: Vec<&str> = excludes.iter().map(String::as_str).collect();
        let pattern = parents.as_deref().unwrap_or(".");
        let wanted = Wanted {
            parents: parents.is_some().then_some("."),
            excludes: &excluded,
            ..Wanted::new(std::slice::from_ref(&pattern), "to")
        };
        let mut target = ScratchTree::new();
        let copied = wanted.copy(&from, &mut target);
        prop_assume!(!matches!(copied, Err(RootfsError::SourceMissing { .. })));
        copied.unwrap();
        let includes = parents.map(|pattern| PathFilter::new([pattern.as_str()]).unwrap());
        let excludes = PathFilter::new(excluded.iter().copied()).unwrap();
        for name in &files {
            let file = path(&format!("{name}.f"));
            let matched = |filter: &PathFilter| {
                let all = file.ancestors().chain([file.clone()]).filter(|path| !path.is_root());
                all.fold(filter.of_root(), |above, path| filter.verdict(&path, &above)).matched
            };
            let taken = includes.as_ref().is_none_or(matched) && !matched(&excludes);
            let there = target.vfs().lookup(&path("to").join(file.as_bytes()).unwrap()).is_some();
            prop_assert_eq!(there, taken, "{}", file);
        }
        // Fails by itself where the disk differs from the logical tree.
        target.text();
    }
}
