//! What a build will do, with nothing left to expand, resolve or guess.
//!
//! `dockerfile` makes a [`Plan`], `build` obeys it. It holds no variable, no floating tag and no stage name,
//! and lists only the stages that the target needs, each after those that it reads.

use std::fmt;

use crate::{CommandLine, Digest, ImageConfig, Network, Platform, TreePath, UserSpec};

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
    /// The instruction as shown to the user, on one line.
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
    /// The build context.
    Context,
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

/// Permission bits of `--chmod`, `0..=0o7777`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// A file whose content stands in the Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlineFile {
    /// Its name in the destination directory.
    pub name: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// `COPY` and `ADD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyStep {
    /// Where the files come from.
    pub from: CopySource,
    /// Patterns below the source's root, with `*`, `?`, `[…]` and `\` as in Go's `path.Match`.
    pub sources: Vec<String>,
    /// Files that the Dockerfile itself holds.
    pub inline_files: Vec<InlineFile>,
    /// Where they go: joined with WORKDIR, `..` stopped at the root.
    pub destination: TreePath,
    /// Whether the destination was written as a directory: with a slash or `.` at its end.
    pub into_directory: bool,
    /// The owner given to every copied entry; without one, the source's.
    pub owner: Option<UserSpec>,
    /// The mode given to every copied entry but links; without one, the source's.
    pub mode: Option<FileMode>,
    /// What happens to archives.
    pub archives: AddArchive,
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
}
