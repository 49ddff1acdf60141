//! What every test stands on: an entered builder, a tree of busybox on an overlay, and a way to run things in it.

use std::cell::RefCell;
use std::fs;
use std::os::fd::AsFd as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zoea_launch::{LaunchError, NamespaceLauncher, StepSettings, StepStatus};
use zoea_model::{CommandLine, Network, OutputStream, Process, TreePath, UserSpec};
use zoea_rootfs::{Identity, OverlayMounter};

use crate::way::Way;

/// The content of `/etc/resolv.conf` in steps.
pub(crate) const RESOLVER: &str = "nameserver 192.0.2.1\n";

/// The commands that the tree offers.
const COMMANDS: &[&str] = &[
    "cat", "chmod", "chown", "cp", "date", "dd", "echo", "env", "find", "grep", "head", "hostname", "id",
    "ifconfig", "kill", "ln", "ls", "mkdir", "mkfifo", "mknod", "mount", "mv", "nc", "nohup", "ping", "ps",
    "pwd", "readlink", "rm", "rmdir", "seq", "setsid", "sh", "sleep", "stat", "test", "touch", "true", "tty",
    "umount", "wc", "yes",
];

/// An entered builder with a tree.
pub(crate) struct Bench {
    pub(crate) way: Way,
    pub(crate) launcher: NamespaceLauncher,
    pub(crate) mounter: Arc<dyn OverlayMounter>,
    /// A private directory.
    pub(crate) directory: PathBuf,
    /// The lower directory.
    pub(crate) lower: PathBuf,
    /// The upper directory.
    pub(crate) upper: PathBuf,
    /// The merged tree.
    pub(crate) tree: PathBuf,
}

/// How a step ended and what it wrote.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) status: StepStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The identity of root.
pub(crate) fn root() -> Identity {
    Identity { uid: 0, gid: 0, groups: Vec::new(), home: "/root".to_owned() }
}

/// A process that runs `program`.
pub(crate) fn process(program: &str, arguments: &[&str]) -> Process {
    let arguments = arguments.iter().map(ToString::to_string).collect();
    Process {
        command: CommandLine { program: program.to_owned(), arguments },
        environment: vec![("PATH".to_owned(), "/bin".to_owned())],
        working_directory: TreePath::root(),
        user: UserSpec::new("0"),
        network: Network::Default,
        scripts: Vec::new(),
    }
}

/// A process that runs a script.
pub(crate) fn script(text: &str) -> Process {
    process("/bin/sh", &["-c", text])
}

impl Bench {
    /// Enters namespaces and makes the tree.
    pub(crate) fn enter(way: &str, directory: &Path) -> Self {
        let way = Way::named(way);
        let surroundings = zoea_launch::enter().unwrap();
        assert_eq!(surroundings.kind(), way.kind(), "{:?}", surroundings.refusals());
        let directory = directory.join("work");
        let mounter = surroundings.probe_overlay(&directory).unwrap();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0, "the probe leaves nothing");
        let settings = StepSettings { resolver: RESOLVER.into(), network: Network::Default };
        let launcher = surroundings.launcher(settings).unwrap();
        let [lower, upper, work, tree] = ["lower", "upper", "work", "tree"].map(|name| directory.join(name));
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        for path in [&lower, &upper, &work, &tree] {
            fs::create_dir(path).unwrap();
        }
        busybox(&lower);
        let open = |path: &Path| fs::File::open(path).unwrap();
        let handles = (open(&lower), open(&upper), open(&work));
        mounter.mount(&[handles.0.as_fd()], Some((handles.1.as_fd(), handles.2.as_fd())), &tree).unwrap();
        // What the builder's caller left is still here, so that steps are seen not to get it.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        Self { way, launcher, mounter, directory, lower, upper, tree }
    }

    /// Runs `process` as `identity`.
    pub(crate) fn try_run(&self, process: &Process, identity: &Identity) -> Result<Ran, LaunchError> {
        let texts = RefCell::new((Vec::new(), Vec::new()));
        let status = self.launcher.run_at(&self.tree, process, identity, &mut |stream, bytes| {
            let mut texts = texts.borrow_mut();
            match stream {
                OutputStream::Stdout => texts.0.extend_from_slice(bytes),
                OutputStream::Stderr => texts.1.extend_from_slice(bytes),
            }
        })?;
        let (stdout, stderr) = texts.into_inner();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ok(Ran { status, stdout: text(stdout), stderr: text(stderr) })
    }

    /// Runs `process` as root.
    pub(crate) fn run(&self, process: &Process) -> Ran {
        self.try_run(process, &root()).unwrap()
    }

    /// Runs a script as root, which must succeed without a word on standard error, and returns what it wrote.
    pub(crate) fn shell(&self, text: &str) -> String {
        let ran = self.run(&script(text));
        assert_eq!((ran.status, ran.stderr.as_str()), (StepStatus::Exited(0), ""), "{text}: {}", ran.stdout);
        ran.stdout
    }
}

/// Makes a tree that holds busybox and nothing else.
pub(crate) fn busybox(tree: &Path) {
    fs::create_dir(tree.join("bin")).unwrap();
    fs::copy("/bin/busybox", tree.join("bin/busybox")).unwrap();
    for command in COMMANDS {
        symlink("busybox", tree.join("bin").join(command)).unwrap();
    }
}
