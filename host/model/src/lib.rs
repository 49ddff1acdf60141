//! Plain values that cross the borders of zoea's crates.
//!
//! Owns the vocabulary (`docs/glossary.md`): digests, references, platforms, OCI documents, tree paths,
//! attributes, changes, plans, processes, events. Does no I/O beyond hashing readers and writers, holds no
//! policy. Every constructor validates, so a value that exists is well-formed.
#![forbid(unsafe_code)]

mod attributes;
mod change;
mod character_class;
mod digest;
mod error;
mod event;
mod file_mode;
mod git_reference;
mod image_config;
mod mount;
mod path_filter;
mod path_pattern;
mod plan;
mod platform;
mod process;
mod reference;
mod remote;
mod secret;
mod symbolic_mode;
mod timestamp;
mod tree_path;

pub use attributes::{Attributes, DeviceNumber, Entry, Node};
pub use change::{Change, Changes};
pub use character_class::CharacterClass;
pub use digest::{ChainId, DiffId, Digest, Hasher, HashingReader, HashingWriter, VerifyingReader};
pub use error::ModelError;
pub use event::{Event, Events, IgnoreEvents, OutputStream, StepName, Warning};
pub use file_mode::{FileMode, ModeChange, ModeTarget};
pub use git_reference::{GitForm, GitHint, GitReference};
pub use image_config::{Healthcheck, HistoryRow, ImageConfig, RootFs, RuntimeConfig};
pub use mount::{Access, BindMount, CacheMount, Mount, Presence, SecretMount, Sharing, SshMount, TmpfsMount};
pub use path_filter::{PathFilter, Verdict};
pub use path_pattern::PathPattern;
pub use plan::{
    AddArchive, Base, CopyItem, CopySource, CopyStep, HistoryEntry, InlineFile, Linking, Operation,
    PinnedImage, Plan, RunStep, SourceSpan, Stage, StageId, Step, WorkdirStep,
};
pub use platform::Platform;
pub use process::{CommandLine, Network, Process, Security, UserSpec};
pub use reference::{ImageRef, PinnedRef};
pub use remote::{
    ContextName, GitDirectory, GitSource, GitTimes, HttpSource, Remote, SourceDate, Submodules,
};
pub use secret::{SafeUrl, Secret};
pub use symbolic_mode::SymbolicMode;
pub use timestamp::Timestamp;
pub use tree_path::TreePath;

/// The OCI documents that zoea reads and writes as the specification's own crate defines them.
///
/// The image *configuration* is ours ([`ImageConfig`]), because the specification's type has no room for the
/// Docker fields that Dockerfiles set (`Healthcheck`, `OnBuild`, `Shell`, `ArgsEscaped`) and would lose them.
pub mod oci {
    pub use oci_spec::image::{Descriptor, ImageIndex, ImageManifest, MediaType, OciLayout};
}
