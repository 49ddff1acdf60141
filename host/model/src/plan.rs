//! What a build will do, with nothing left to expand, resolve or guess.
//!
//! `dockerfile` makes a [`Plan`], `build` obeys it. It holds no variable, no floating tag and no stage name,
//! and lists only the stages that the target needs, each after those that it reads.

use crate::{
    CommandLine, ContextName, Digest, GitSource, HttpSource, ImageConfig, ModeChange, Mount, Network,
    Platform, Security, Timestamp, TreePath, UserSpec,
};

/// A place in a Dockerfile; lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SourceSpan {
    /// Line of the first character.
    pub line: usize,
    /// Column of the first character.
    pub column: usize,
    /// Line of the last character.
    pub end_line: usize,
}

/// A stage's index in [`Plan::stages`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StageId(pub usize);

/// The whole build.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The needed stages; a stage reads only stages before it.
    pub stages: Vec<Stage>,
    /// The stage whose image is the result.
    pub target: StageId,
    /// The date of everything that the build itself dates, if it is fixed.
    pub source_date: Option<Timestamp>,
}

/// An image whose manifest is fixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedImage {
    /// The name as the Dockerfile has it, expanded.
    pub name: String,
    /// The platform that was asked for.
    pub platform: Platform,
    /// The digest of its manifest (of the platform's own, never of an index).
    pub digest: Digest,
}

/// What a stage starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// An empty tree.
    Scratch,
    /// An image.
    Image(PinnedImage),
    /// The result of an earlier stage.
    Stage(StageId),
    /// The files of a build context, in one layer.
    Context(ContextName),
}

/// One `FROM` with all that follows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// The name after `AS`, or the stage's position in the Dockerfile.
    pub name: String,
    /// What it starts from.
    pub base: Base,
    /// What the stage is built for.
    pub platform: Platform,
    /// Its steps in order.
    pub steps: Vec<Step>,
    /// The resulting configuration: platform, author and `config` with every instruction applied; without
    /// layers, history and time of creation, which the build adds.
    pub config: ImageConfig,
}

/// One instruction.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Where it stands in the Dockerfile.
    pub span: SourceSpan,
    /// The instruction as shown to the user, on one line and without what its URLs hide.
    pub text: String,
    /// What it does to the tree.
    pub operation: Operation,
    /// The row that it adds to the image's history.
    pub history: HistoryEntry,
}

/// The part of a history row that the Dockerfile decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// `created_by` as BuildKit writes it.
    pub created_by: String,
    /// Whether the instruction adds no layer.
    pub empty_layer: bool,
}

/// What a step does to its stage's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Nothing: the stage's configuration holds its effect.
    Metadata,
    /// Makes a directory, unless it is there.
    Workdir(WorkdirStep),
    /// Copies files.
    Copy(CopyStep),
    /// Runs a process.
    Run(RunStep),
}

impl Operation {
    /// Says whether the step adds a layer.
    pub fn makes_layer(&self) -> bool {
        !matches!(self, Self::Metadata)
    }
}

/// `WORKDIR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkdirStep {
    /// The directory.
    pub path: TreePath,
    /// The owner of what must be made.
    pub owner: UserSpec,
}

/// Where `COPY` and `ADD` take files from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopySource {
    /// A build context.
    Context(ContextName),
    /// An earlier stage's result.
    Stage(StageId),
    /// An image.
    Image(PinnedImage),
}

/// Whether local archives are unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddArchive {
    /// `COPY`: an archive is a file like any other.
    Keep,
    /// `ADD`: a file whose content is a tar archive, compressed or not, is unpacked.
    Unpack,
}

/// A file whose content stands in the Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlineFile {
    /// Its name in the destination directory.
    pub name: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// One thing that `COPY` or `ADD` copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyItem {
    /// A pattern below the source's root, with `*`, `?`, `[…]` and `\` as in Go's `path.Match`; of a directory, what
    /// is in it.
    Pattern(String),
    /// With `--parents`: what matches `pattern` below what `root` names, with the directories on the way to it.
    /// `pattern` may hold `**`; both are relative and cleaned.
    Below {
        /// A pattern as in [`CopyItem::Pattern`].
        root: String,
        /// A pattern as in `.dockerignore`.
        pattern: String,
    },
    /// A file that the Dockerfile itself holds.
    Inline(InlineFile),
    /// A file of a web server, with mode 0600 and the time that the server gives.
    Http(HttpSource),
    /// A tree of a git repository: what is in it.
    Git(GitSource),
}

/// What a copy is put onto.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linking {
    /// The stage's tree: links in the destination are followed.
    Tree,
    /// `--link`: an empty tree, whose files then replace those of the stage.
    Independent,
}

/// `COPY` and `ADD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyStep {
    /// Where [`CopyItem::Pattern`] and [`CopyItem::Below`] come from.
    pub from: CopySource,
    /// What is copied, in this order.
    pub items: Vec<CopyItem>,
    /// Where they go: joined with WORKDIR, `..` stopped at the root.
    pub destination: TreePath,
    /// Whether the destination was written as a directory: with a slash or `.` at its end.
    pub into_directory: bool,
    /// The owner given to every copied entry; without one, the source's.
    pub owner: Option<UserSpec>,
    /// What happens to the mode of every copied entry but links; without one, it stays.
    pub mode: Option<ModeChange>,
    /// What of a source's files is left out: lines as in `.dockerignore`, against paths below the item.
    pub excludes: Vec<String>,
    /// What it is put onto.
    pub linking: Linking,
    /// What happens to archives of the source.
    pub archives: AddArchive,
    /// What happens to archives of web servers.
    pub remote_archives: AddArchive,
}

/// `RUN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStep {
    /// What is started; in shell form, the stage's SHELL with the command as last argument.
    pub command: CommandLine,
    /// The whole environment.
    pub environment: Vec<(String, String)>,
    /// The working directory; made first where it is missing.
    pub working_directory: TreePath,
    /// Whom it runs as.
    pub user: UserSpec,
    /// What it reaches of the network.
    pub network: Network,
    /// How it is confined.
    pub security: Security,
    /// What is put into its tree while it runs, in this order.
    pub mounts: Vec<Mount>,
    /// Scripts that the Dockerfile itself holds, in `/dev/pipes` with mode 0755 while it runs.
    pub scripts: Vec<InlineFile>,
}
