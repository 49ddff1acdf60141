//! Hand-made archives, and stores in temporary directories, for tests.
//!
//! Headers are written byte by byte where no proper writer would write them. A store with overlays needs a mount
//! namespace of its own: `in_private_mounts` gives the test one on a thread, so the machine's mounts stay alone.

use std::io::{self, Read, Write as _};
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::path::Path;
use std::sync::Arc;

use cap_std::fs::Dir;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::thread::UnshareFlags;
use tempfile::TempDir;
use zoea_model::{DiffId, Digest, TreePath};

use crate::scratch_tree::open_directory;
use crate::{LayerInput, OverlayMounter, RootfsError, Store, Tree, Workspace};

pub(crate) struct ScratchDirectory(TempDir);

pub(crate) fn scratch_directory() -> ScratchDirectory {
    ScratchDirectory(TempDir::new().unwrap())
}

impl ScratchDirectory {
    /// Returns the directory, opened once for all tests of one name.
    pub(crate) fn dir(&self) -> &'static Dir {
        Box::leak(Box::new(open_directory(self.0.path())))
    }
}

/// An uncompressed archive in the making.
#[derive(Clone, Default)]
pub(crate) struct Archive(pub(crate) Vec<u8>);

pub(crate) struct Header {
    pub(crate) flag: u8,
    pub(crate) name: Vec<u8>,
    pub(crate) target: Vec<u8>,
    pub(crate) mode: u32,
    pub(crate) owner: (u64, u64),
    pub(crate) mtime: u64,
    pub(crate) device: (u32, u32),
}

pub(crate) fn header(flag: u8, name: &str) -> Header {
    let (name, mode) = (name.as_bytes().to_vec(), if flag == b'5' { 0o755 } else { 0o644 });
    Header { flag, name, target: Vec::new(), mode, owner: (0, 0), mtime: 1000, device: (0, 0) }
}

impl Archive {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn put(mut self, header: &Header, content: &[u8]) -> Self {
        let mut block = tar::Header::new_ustar();
        let old = block.as_old_mut();
        old.name[..header.name.len()].copy_from_slice(&header.name);
        old.linkname[..header.target.len()].copy_from_slice(&header.target);
        old.linkflag = [header.flag];
        block.set_mode(header.mode);
        block.set_uid(header.owner.0);
        block.set_gid(header.owner.1);
        block.set_mtime(header.mtime);
        block.set_size(content.len() as u64);
        block.set_device_major(header.device.0).unwrap();
        block.set_device_minor(header.device.1).unwrap();
        block.set_cksum();
        self.0.extend_from_slice(block.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn directory(self, name: &str) -> Self {
        self.put(&header(b'5', name), b"")
    }

    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        self.put(&header(b'0', name), content.as_bytes())
    }

    pub(crate) fn symlink(self, name: &str, target: &str) -> Self {
        self.put(&Header { target: target.into(), mode: 0o777, ..header(b'2', name) }, b"")
    }

    pub(crate) fn hard_link(self, name: &str, target: &str) -> Self {
        self.put(&Header { target: target.into(), ..header(b'1', name) }, b"")
    }

    /// PAX records for the next member.
    pub(crate) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut body = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length = (rest..).find(|length| length.to_string().len() + rest == *length).unwrap();
            body.extend_from_slice(format!("{length} {key}=").as_bytes());
            body.extend_from_slice(value);
            body.push(b'\n');
        }
        self.put(&header(b'x', "pax"), &body)
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}

/// A layer whose bytes are in memory.
pub(crate) fn layer(bytes: &[u8]) -> LayerInput<'static> {
    let bytes: Arc<[u8]> = bytes.into();
    let diff_id = DiffId(Digest::of(&bytes));
    let open =
        move || -> io::Result<Box<dyn Read + Send>> { Ok(Box::new(io::Cursor::new(Arc::clone(&bytes)))) };
    LayerInput { diff_id, open: Box::new(open) }
}

pub(crate) struct TestStore {
    pub(crate) temporary: TempDir,
    pub(crate) store: Store,
}

impl TestStore {
    pub(crate) fn plain() -> Self {
        Self::new(None)
    }

    pub(crate) fn overlay() -> Self {
        Self::new(Some(Arc::new(TestMounter)))
    }

    fn new(mounter: Option<Arc<dyn OverlayMounter>>) -> Self {
        let temporary = TempDir::new().unwrap();
        let store = Store::open(open_directory(temporary.path()), temporary.path().into(), mounter).unwrap();
        Self { temporary, store }
    }

    /// Imports archives, the lowest first, into a new work area.
    pub(crate) fn import(&self, layers: &[Vec<u8>]) -> Result<(Workspace, Tree), RootfsError> {
        let workspace = self.store.begin_build()?;
        let inputs: Vec<LayerInput<'_>> = layers.iter().map(|bytes| layer(bytes)).collect();
        let tree = workspace.import(&inputs, 2)?;
        Ok((workspace, tree))
    }

    /// Lists what is in a directory of the store, by names.
    pub(crate) fn list(&self, directory: &str) -> Vec<String> {
        let directory = open_directory(&self.temporary.path().join(directory));
        let entries = directory.entries().unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// Mounts with the old system call, which takes any directory by its descriptor.
#[derive(Debug)]
pub(crate) struct TestMounter;

impl OverlayMounter for TestMounter {
    fn mount(
        &self,
        lowers_top_first: &[BorrowedFd<'_>],
        upper: Option<(BorrowedFd<'_>, BorrowedFd<'_>)>,
        target: &Path,
    ) -> io::Result<()> {
        let by_descriptor = |fd: &BorrowedFd<'_>| format!("/proc/thread-self/fd/{}", fd.as_raw_fd());
        let lowers: Vec<String> = lowers_top_first.iter().map(by_descriptor).collect();
        let mut options = format!("userxattr,lowerdir={}", lowers.join(":"));
        if let Some((upper, work)) = upper {
            let (upper, work) = (by_descriptor(&upper), by_descriptor(&work));
            options.push_str(&format!(",upperdir={upper},workdir={work}"));
        }
        let options = std::ffi::CString::new(options).unwrap();
        Ok(rustix::mount::mount("overlay", target, "overlay", MountFlags::empty(), Some(&*options))?)
    }

    fn unmount(&self, target: &Path) -> io::Result<()> {
        Ok(rustix::mount::unmount(target, UnmountFlags::empty())?)
    }
}

/// Runs `test` on a thread in a mount namespace of its own; says so and does nothing where that is refused.
pub(crate) fn in_private_mounts(test: impl FnOnce() + Send + 'static) {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: mounting overlays needs root");
        return;
    }
    let thread = std::thread::spawn(|| {
        #[expect(deprecated, reason = "the other one is unsafe for a flag that is not used here")]
        rustix::thread::unshare(UnshareFlags::NEWNS | UnshareFlags::FS).unwrap();
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        rustix::mount::mount_change("/", private).unwrap();
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

pub(crate) fn path(text: &str) -> TreePath {
    TreePath::new(text).unwrap()
}

/// Compresses with the reference library at its fastest.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Runs `test` on a thread without any right but those of an ordinary user, to whom `directory` is given.
pub(crate) fn as_ordinary_user(directory: &Path, test: impl FnOnce() + Send + 'static) {
    const USER: u32 = 65_534;
    let (uid, gid) = (rustix::fs::Uid::from_raw(USER), rustix::fs::Gid::from_raw(USER));
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        let (place, flags) = (rustix::fs::CWD, rustix::fs::AtFlags::empty());
        rustix::fs::chownat(place, directory, Some(uid), Some(gid), flags).unwrap();
    }
    let thread = std::thread::spawn(move || {
        if is_root {
            rustix::thread::set_thread_groups(&[]).unwrap();
            rustix::thread::set_thread_res_gid(gid, gid, gid).unwrap();
            rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
        }
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
