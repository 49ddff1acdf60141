//! What `RUN --mount` puts into a step's tree for as long as it runs.

use crate::{CopySource, FileMode, TreePath};

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mount {
    /// Files of the context, a stage or an image.
    Bind(BindMount),
    /// A directory that later builds find again.
    Cache(CacheMount),
    /// An empty directory in memory.
    Tmpfs(TmpfsMount),
    /// A secret in a file, a variable or both.
    Secret(SecretMount),
    /// A socket of an SSH agent.
    Ssh(SshMount),
}

/// Whether a step may write to a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It may not.
    ReadOnly,
    /// It may; what it writes to a bind mount is thrown away.
    ReadWrite,
}

/// `type=bind`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindMount {
    /// Where it appears.
    pub target: TreePath,
    /// What it shows files of.
    pub from: CopySource,
    /// Which part of that.
    pub source: TreePath,
    /// Whether it can be written to.
    pub access: Access,
}

/// How builds at the same time share a cache mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// They all use it at once.
    Shared,
    /// Each gets one of its own if it is in use.
    Private,
    /// One waits for the other.
    Locked,
}

/// `type=cache`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheMount {
    /// Where it appears.
    pub target: TreePath,
    /// What later builds find it by.
    pub id: String,
    /// How it is shared.
    pub sharing: Sharing,
    /// What a new one begins with; empty by default.
    pub from: Option<CopySource>,
    /// Which part of that.
    pub source: TreePath,
    /// The mode of a new one.
    pub mode: FileMode,
    /// The owner of a new one.
    pub uid: u32,
    /// The group of a new one.
    pub gid: u32,
    /// Whether it can be written to.
    pub access: Access,
}

/// `type=tmpfs`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TmpfsMount {
    /// Where it appears.
    pub target: TreePath,
    /// How many bytes it may hold.
    pub size: Option<u64>,
}

/// Whether a build goes on without what a mount asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It does, and the mount is not there.
    Optional,
    /// It fails before the step.
    Required,
}

/// `type=secret`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretMount {
    /// Which secret.
    pub id: String,
    /// The file that holds it; none if only a variable does.
    pub target: Option<TreePath>,
    /// The variable that holds it.
    pub variable: Option<String>,
    /// Whether it must be given.
    pub presence: Presence,
    /// The mode of the file.
    pub mode: FileMode,
    /// The owner of the file.
    pub uid: u32,
    /// The group of the file.
    pub gid: u32,
}

/// `type=ssh`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshMount {
    /// Which agent.
    pub id: String,
    /// The socket; without one, the first free name below `/run/buildkit`.
    pub target: Option<TreePath>,
    /// Whether it must be given.
    pub presence: Presence,
    /// The mode of the socket.
    pub mode: FileMode,
    /// The owner of the socket.
    pub uid: u32,
    /// The group of the socket.
    pub gid: u32,
}
