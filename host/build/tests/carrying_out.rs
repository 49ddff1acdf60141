//! Plans made by hand, carried out without a process: what is fetched, where stages begin, and what is dated.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what a test needs and does not get, fails it")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cap_std::fs::{Dir, PermissionsExt as _};
use zoea_build::{
    BaseBlobs, BuildError, Built, Capabilities, Clock, ContextTree, Contexts, Options, StepNaming, TreeNeed,
};
use zoea_context::{Context, ContextError, Fetched, IgnoreRules, Remotes};
use zoea_image::{BlobStore, ImageFormat};
use zoea_launch::{NamespaceKind, Probe};
use zoea_model::{
    AddArchive, Base, ContextName, CopyItem, CopySource, CopyStep, GitDirectory, GitSource, GitTimes,
    HistoryEntry, HttpSource, IgnoreEvents, ImageConfig, InlineFile, Linking, Operation, Plan, Platform,
    Remote, SafeUrl, SourceSpan, Stage, StageId, Step, Submodules, Timestamp, TreePath, UserSpec,
    WorkdirStep,
};
use zoea_rootfs::{Compression, Store};

const NOW: Timestamp = Timestamp::from_seconds(1_500_000_000);

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// Directories in place of what is elsewhere; counts how often it is asked.
struct Elsewhere {
    around: Dir,
    fetched: AtomicUsize,
}

impl Elsewhere {
    fn context(&self, name: &str) -> Context {
        Context::new(self.around.open_dir(name).unwrap(), IgnoreRules::none())
    }
}

impl Contexts for Elsewhere {
    fn get(&self, name: &ContextName) -> Result<ContextTree, ContextError> {
        match name {
            ContextName::Main => panic!("nobody needs the main context"),
            ContextName::Named(name) => Ok(ContextTree::Local(Arc::new(self.context(name)))),
        }
    }

    fn fetched(&self, _: &ContextName) -> Result<Option<Arc<Fetched>>, ContextError> {
        Ok(None)
    }
}

impl Remotes for Elsewhere {
    fn fetch(&self, remote: &Remote) -> Result<Arc<Fetched>, ContextError> {
        self.fetched.fetch_add(1, Ordering::Relaxed);
        let name = match remote {
            Remote::Http(_) => "http",
            Remote::Git(_) => "git",
        };
        let context = Arc::new(self.context(name));
        Ok(Arc::new(Fetched { context, file: None, modified: None, validator: None }))
    }
}

/// A place with everything that a build may use.
struct Bench {
    _temporary: tempfile::TempDir,
    store: Store,
    blobs: BlobStore,
    elsewhere: Elsewhere,
}

impl Bench {
    #[expect(clippy::disallowed_methods, reason = "a test makes its own work area")]
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let around = Dir::open_ambient_dir(temporary.path(), cap_std::ambient_authority()).unwrap();
        for directory in ["state", "http", "git/sub", "ctx/sub"] {
            around.create_dir_all(directory).unwrap();
        }
        for (file, mode) in
            [("http/a*.tar", 0o600), ("git/read.me", 0o644), ("ctx/sub/f", 0o640), ("ctx/g", 0o755)]
        {
            around.write(file, file).unwrap();
            around.set_permissions(file, cap_std::fs::Permissions::from_mode(mode)).unwrap();
        }
        for directory in ["git", "git/sub", "ctx", "ctx/sub"] {
            around.set_permissions(directory, cap_std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let state = around.open_dir("state").unwrap();
        let blobs = BlobStore::open(&state).unwrap();
        let store = Store::open(state, temporary.path().join("state"), None).unwrap();
        let elsewhere = Elsewhere { around, fetched: AtomicUsize::new(0) };
        Self { _temporary: temporary, store, blobs, elsewhere }
    }

    fn build(&self, plan: &Plan, date: Option<i64>) -> Result<Built, BuildError> {
        let workspace = self.store.begin_build().unwrap();
        let capabilities = Capabilities {
            workspace: &workspace,
            blobs: &self.blobs,
            images: &BTreeMap::new(),
            contexts: &self.elsewhere,
            remotes: &self.elsewhere,
            launcher: None,
            probe: &Probe { kind: NamespaceKind::None, refusals: Vec::new() },
            naming: StepNaming::Plain,
            clock: &FixedClock,
            events: &IgnoreEvents,
        };
        let options = Options {
            compression: Compression::None,
            format: ImageFormat::Oci,
            source_date_epoch: date.map(Timestamp::from_seconds),
            annotations: BTreeMap::new(),
            jobs: 1,
            base_blobs: BaseBlobs::Stream,
            target_tree: TreeNeed::Needed,
        };
        zoea_build::build(plan, &capabilities, &options)
    }
}

fn step(operation: Operation) -> Step {
    let history = HistoryEntry { created_by: "STEP".into(), empty_layer: !operation.makes_layer() };
    Step { span: SourceSpan::default(), text: "STEP".into(), operation, history }
}

fn plan(base: Base, operations: Vec<Operation>) -> Plan {
    let platform = Platform::host();
    let config = ImageConfig {
        architecture: platform.architecture.clone(),
        os: platform.os.clone(),
        ..ImageConfig::default()
    };
    let steps = operations.into_iter().map(step).collect();
    let stage = Stage { name: "0".into(), base, platform, steps, config };
    Plan { stages: vec![stage], target: StageId(0), source_date: None }
}

fn add(items: Vec<CopyItem>, destination: &str) -> CopyStep {
    CopyStep {
        // Nothing here may ask for it.
        from: CopySource::Context(ContextName::Main),
        items,
        destination: TreePath::new(destination).unwrap(),
        into_directory: true,
        owner: None,
        mode: None,
        excludes: Vec::new(),
        linking: Linking::Tree,
        archives: AddArchive::Unpack,
        remote_archives: AddArchive::Keep,
    }
}

fn http(file_name: &str) -> CopyItem {
    let url = SafeUrl::new("https://example.org/file");
    CopyItem::Http(HttpSource { url, file_name: file_name.into(), checksum: None })
}

fn git() -> CopyItem {
    CopyItem::Git(GitSource {
        remote: SafeUrl::new("https://example.org/repository.git"),
        reference: None,
        subdirectory: TreePath::root(),
        checksum: None,
        git_directory: GitDirectory::Drop,
        submodules: Submodules::Fetch,
        times: GitTimes::Checkout,
    })
}

fn workdir(path: &str) -> Operation {
    Operation::Workdir(WorkdirStep { path: TreePath::new(path).unwrap(), owner: UserSpec::new("0") })
}

/// Says mode and path of all that the result holds.
fn entries(built: &Built) -> Vec<String> {
    let tree = built.tree.as_ref().unwrap();
    let rows = tree.baseline().entries().filter(|(path, _)| !path.is_root());
    rows.map(|(path, entry)| format!("{:o} {path}", entry.attributes.mode)).collect()
}

#[test]
fn what_is_fetched_is_copied_beside_the_rest() {
    let bench = Bench::new();
    let inline = CopyItem::Inline(InlineFile { name: "EOF".into(), content: b"text".into() });
    let operation = Operation::Copy(add(vec![http("a*.tar"), inline, git()], "/to"));
    let built = bench.build(&plan(Base::Scratch, vec![operation]), None).unwrap();
    assert_eq!(
        entries(&built),
        ["755 /to", "644 /to/EOF", "600 /to/a*.tar", "644 /to/read.me", "755 /to/sub"]
    );
    assert_eq!(bench.elsewhere.fetched.load(Ordering::Relaxed), 2);
}

#[test]
fn the_mode_of_a_fetched_file_is_changed_as_any_other() {
    let bench = Bench::new();
    let mode = Some(zoea_model::ModeChange::Symbolic("go=r".parse().unwrap()));
    let operation = Operation::Copy(CopyStep { mode, ..add(vec![http("a*.tar")], "/") });
    let built = bench.build(&plan(Base::Scratch, vec![operation]), None).unwrap();
    assert_eq!(entries(&built), ["644 /a*.tar"]);
}

#[test]
fn a_fetched_file_never_leads_out_of_its_directory() {
    let bench = Bench::new();
    for name in ["..", "../ctx/g", "missing"] {
        let operation = Operation::Copy(add(vec![http(name)], "/to"));
        assert!(bench.build(&plan(Base::Scratch, vec![operation]), None).is_err(), "{name}");
    }
}

#[test]
fn a_stage_can_start_from_the_files_of_a_context() {
    let bench = Bench::new();
    let base = || Base::Context(ContextName::Named("ctx".into()));
    let built = bench.build(&plan(base(), Vec::new()), None).unwrap();
    assert_eq!(entries(&built), ["755 /g", "755 /sub", "640 /sub/f"]);
    let rows = |built: &Built| -> Vec<(String, String)> {
        let row =
            |row: &zoea_model::HistoryRow| (row.created_by.clone().unwrap(), row.comment.clone().unwrap());
        built.image.config().history.iter().map(row).collect()
    };
    let exporter = "buildkit.exporter.image.v0".to_owned();
    assert_eq!(rows(&built), [("local source for ctx".to_owned(), exporter.clone())]);
    assert_eq!(built.image.layers().len(), 1);

    let built = bench.build(&plan(base(), vec![Operation::Metadata, workdir("/w")]), None).unwrap();
    let step = ("STEP".to_owned(), "buildkit.dockerfile.v0".to_owned());
    assert_eq!(rows(&built), [step.clone(), step, ("fileop target".to_owned(), exporter)]);
    assert_eq!(entries(&built), ["755 /g", "755 /sub", "640 /sub/f", "755 /w"]);
}

#[test]
fn a_linked_copy_is_seen_by_the_next_step() {
    let bench = Bench::new();
    let from = CopySource::Context(ContextName::Named("ctx".into()));
    let linked = CopyStep {
        from: from.clone(),
        linking: Linking::Independent,
        owner: Some(UserSpec::new("5")),
        ..add(vec![CopyItem::Pattern("sub".into())], "/w")
    };
    let below = CopyItem::Below { root: ".".into(), pattern: "sub/*".into() };
    let operations = vec![
        workdir("/w"),
        Operation::Copy(linked),
        Operation::Copy(CopyStep { from, ..add(vec![below], "/w") }),
    ];
    let built = bench.build(&plan(Base::Scratch, operations), None).unwrap();
    assert_eq!(entries(&built), ["755 /w", "640 /w/f", "755 /w/sub", "640 /w/sub/f"]);
    assert_eq!(built.image.layers().len(), 3);
    let tree = built.tree.unwrap();
    let owner = |path: &str| tree.baseline().get(&TreePath::new(path).unwrap()).unwrap().attributes.uid;
    assert_eq!((owner("/w"), owner("/w/f"), owner("/w/sub/f")), (5, 5, 0));
}

#[test]
fn the_plan_has_a_date_and_a_given_one_wins() {
    let bench = Bench::new();
    let made = |built: &Built| {
        let path = TreePath::new("/w").unwrap();
        let time = built.tree.as_ref().unwrap().baseline().get(&path).unwrap().attributes.mtime;
        assert_eq!(built.image.config().history[0].created, Some(time.to_rfc3339()));
        time.seconds
    };
    let mut plan = plan(Base::Scratch, vec![workdir("/w")]);
    assert_eq!(made(&bench.build(&plan, None).unwrap()), NOW.seconds);
    plan.source_date = Some(Timestamp::from_seconds(7));
    let built = bench.build(&plan, None).unwrap();
    assert_eq!((made(&built), built.source_date), (7, plan.source_date));
    let built = bench.build(&plan, Some(9)).unwrap();
    assert_eq!((made(&built), built.source_date), (9, Some(Timestamp::from_seconds(9))));
}
