//! Golden layers: their bytes are part of what users rely on, so they may only change on purpose.

use std::os::unix::process::CommandExt as _;

use zoea_model::{Attributes, Timestamp};

use super::*;
use crate::scratch_tree::{ScratchTree, attributes, path, write};
use crate::{Content, Touched, diff};

/// A step that makes one of everything.
fn sample() -> (ScratchTree, Changes) {
    let mut scratch = ScratchTree::new();
    let mut vfs = scratch.vfs();
    vfs.create_dir(&path("d"), &attributes(0o1777, 11)).unwrap();
    write(&mut vfs, "d/file", "content");
    vfs.create_hard_link(&path("d/file"), &path("d/again")).unwrap();
    let large: Vec<u8> = (0..3_000_000u32).map(|number| (number % 251).to_le_bytes()[0]).collect();
    let owned = Attributes { uid: 3_000_000, gid: 7, ..attributes(0o4755, 2_000_000_000) };
    vfs.write_file(&path("large"), Content::Reader(&mut large.as_slice()), &owned).unwrap();
    vfs.create_symlink(&path("link"), "t".repeat(150).as_bytes(), &attributes(0o777, 12)).unwrap();
    vfs.create_fifo(&path("fifo"), &attributes(0o600, 13)).unwrap();
    let long = format!("{}/{}", "l".repeat(120), "n".repeat(130));
    vfs.create_dir(&path(&"l".repeat(120)), &attributes(0o755, -5)).unwrap();
    let fraction = Timestamp { seconds: 14, nanoseconds: 999_999_999 };
    let with_xattr = Attributes {
        xattrs: [(b"user.note".to_vec(), b"a\nb=\0".to_vec())].into(),
        ..Attributes::root_owned(0o640, fraction)
    };
    vfs.write_file(&path(&long), Content::Reader(&mut &b""[..]), &with_xattr).unwrap();
    let mut changes = diff(&scratch.rootfs, &Touched::Paths).unwrap();
    changes.0.insert(path("d/gone"), Change::Remove);
    changes.0.insert(path("a-gone"), Change::Remove);
    let Some(Change::Upsert(directory)) = changes.0.get(&path("d")).cloned() else { panic!("no directory") };
    changes.0.insert(path("d"), Change::Replace(directory));
    (scratch, changes)
}

fn packed(compression: Compression, epoch: Option<i64>, threads: usize) -> (PackedLayer, Vec<u8>) {
    let (scratch, changes) = sample();
    let options = PackOptions { compression, source_date_epoch: epoch.map(Timestamp::from_seconds) };
    let mut bytes = Vec::new();
    let layer = pack_on_threads(&changes, scratch.rootfs.dir(), &options, &mut bytes, threads).unwrap();
    assert_eq!((layer.digest, layer.size), (Digest::of(&bytes), bytes.len() as u64));
    (layer, bytes)
}

#[test]
fn layers_are_pinned_for_every_number_of_threads() {
    let golden = [
        (Compression::Gzip, "sha256:67dc6c10b8df728b7ab10819438b5356d245d1f4478df89fe3874fdf2839f42d"),
        (Compression::Zstd, "sha256:5ce6cbe00f21038bab6489851e51d6f7eb788f11f086f8db79ba5f17d6ca64c6"),
        (Compression::None, "sha256:f34ca21a879363bd10d688fa499e6535e15be734c3ed58b84f2e4133b0018218"),
    ];
    let mut found = Vec::new();
    for (compression, _) in golden {
        let layers = [1, 2, 8].map(|threads| packed(compression, None, threads).0);
        assert!(layers.iter().all(|layer| *layer == layers[0]));
        assert_eq!(layers[0].media_type, compression.media_type());
        found.push((compression, layers[0].digest.to_string()));
    }
    assert_eq!(found, golden.map(|(compression, digest)| (compression, digest.to_owned())));
}

#[test]
fn members_come_in_order_with_their_records() {
    let (layer, bytes) = packed(Compression::None, Some(1_000_000), 1);
    assert_eq!(layer.diff_id.0, layer.digest);
    let mut archive = tar::Archive::new(bytes.as_slice());
    let members: Vec<(String, u64)> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            (name, entry.header().mtime().unwrap())
        })
        .collect();
    let name = "l".repeat(120);
    let expected = [
        (".wh.a-gone", 0),
        ("d/.wh.gone", 0),
        ("d/", 1_000_000),
        ("d/.wh..wh..opq", 0),
        ("d/again", 5),
        ("d/file", 5),
        ("fifo", 13),
        ("large", 1_000_000),
        ("link", 12),
        (&format!("{name}/"), 1_000_000),
        (&format!("{name}/{}", "n".repeat(130)), 14),
    ];
    assert_eq!(members, expected.map(|(name, mtime)| (name.to_owned(), mtime)));
    let file = layer.index.get(&path("d/file")).unwrap();
    assert_eq!(file.entry().unwrap().hard_link_to, Some(path("d/again")));
    assert_eq!(file.entry().unwrap().node, Node::File { size: 7, digest: Some(Digest::of(b"content")) });
    let long = layer.index.get(&path(&format!("{name}/{}", "n".repeat(130)))).unwrap();
    assert_eq!(long.entry().unwrap().attributes.mtime.nanoseconds, 999_999_999);
}

/// GNU tar, where it is installed, sees the same names and is content with every header.
#[test]
fn gnu_tar_reads_our_layers() {
    let (_, bytes) = packed(Compression::None, None, 1);
    let temporary = tempfile::NamedTempFile::new().unwrap();
    (&mut temporary.as_file()).write_all(&bytes).unwrap();
    #[expect(clippy::disallowed_methods, reason = "an independent judge is another program")]
    let output = std::process::Command::new("tar").arg("-tvf").arg(temporary.path()).output();
    let Ok(output) = output else {
        eprintln!("skipped: tar is not installed");
        return;
    };
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 11);
}

#[test]
fn files_that_change_meanwhile_are_an_error() {
    for size in [0, 6, 8] {
        let (scratch, mut changes) = sample();
        changes.0.retain(|name, _| *name == path("d/again"));
        if let Some(Change::Upsert(entry)) = changes.0.get_mut(&path("d/again")) {
            entry.node = Node::File { size, digest: None };
        }
        let packed = pack(&changes, &scratch.rootfs, &PackOptions::default(), &mut io::sink());
        assert!(matches!(packed, Err(RootfsError::PackEntry { .. })), "{size}");
    }
}

#[test]
fn full_sink_is_told_with_advice() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (scratch, changes) = sample();
    let options = PackOptions { compression: Compression::None, source_date_epoch: None };
    let error = pack(&changes, &scratch.rootfs, &options, &mut Full).unwrap_err();
    assert!(error.hint().unwrap().contains("disk is full"));
}

/// Runs in a process of its own, because the peak of memory is that of a process.
#[test]
fn large_files_need_little_memory() {
    const CHILD: &str = "ZOEA_TEST_PEAK";
    #[expect(clippy::disallowed_methods, reason = "tells the child from its parent")]
    if std::env::var_os(CHILD).is_some() {
        return pack_one_gibibyte();
    }
    #[expect(clippy::disallowed_methods, reason = "the test is its own child")]
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "pack::tests::large_files_need_little_memory"]).env(CHILD, "1").arg0("peak");
    let output = child.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn pack_one_gibibyte() {
    for compression in [Compression::Gzip, Compression::Zstd] {
        let mut scratch = ScratchTree::new();
        write(&mut scratch.vfs(), "large", "");
        let size = 1 << 30;
        scratch
            .rootfs
            .dir()
            .open_with("large", cap_std::fs::OpenOptions::new().write(true))
            .unwrap()
            .set_len(size)
            .unwrap();
        let node = Node::File { size, digest: None };
        let entry = Entry { node, attributes: attributes(0o644, 1), hard_link_to: None };
        let changes = Changes([(path("large"), Change::Upsert(entry))].into());
        let options = PackOptions { compression, source_date_epoch: None };
        pack_on_threads(&changes, scratch.rootfs.dir(), &options, &mut io::sink(), MAX_THREADS).unwrap();
    }
    #[expect(clippy::disallowed_methods, reason = "the kernel's account of this process")]
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kibibytes: u64 = peak.trim().trim_end_matches(" kB").trim().parse().unwrap();
    assert!(kibibytes < 64 << 10, "{kibibytes} KiB");
    eprintln!("peak: {kibibytes} KiB");
}
