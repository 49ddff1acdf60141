//! `RUN --mount`: what its keys mean.
//!
//! Owns keys, defaults and checks, as BuildKit's `commands_runmount.go` and `convert_runmount.go` have them: keys
//! count in the order in which they stand, and one that its type has no use for has no effect.

use zoea_model::{
    Access, BindMount, CacheMount, CopySource, FileMode, Mount, Presence, SecretMount, Sharing, SourceSpan,
    SshMount, TmpfsMount, TreePath,
};

use crate::ast::{MountFlag, MountOption, Word};
use crate::error::{DockerfileError, MountProblem, Problem};
use crate::go::{parse_bool, parse_size, parse_unsigned};
use crate::outline::{Reader, Reading};
use crate::suggest::closest;

use super::stage::StageState;
use super::{Progress, Shared, Source};

const FLAG: &str = "mount";

/// The keys of a mount.
const KEYS: [&str; 19] = [
    "type",
    "from",
    "source",
    "target",
    "readonly",
    "id",
    "sharing",
    "required",
    "size",
    "mode",
    "uid",
    "gid",
    "src",
    "dst",
    "destination",
    "ro",
    "rw",
    "readwrite",
    "env",
];

/// The largest mode: permission, set-id and sticky bits.
const LARGEST_MODE: u32 = 0o7777;

/// The type of a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    Bind,
    Cache,
    Tmpfs,
    Secret,
    Ssh,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Cache => "cache",
            Self::Tmpfs => "tmpfs",
            Self::Secret => "secret",
            Self::Ssh => "ssh",
        }
    }
}

/// The keys of one mount, read.
#[derive(Debug, Default)]
struct Keys {
    kind: Kind,
    from: String,
    source: String,
    target: String,
    id: String,
    variable: Option<String>,
    access: Option<Access>,
    sharing: Option<Sharing>,
    presence: Option<Presence>,
    size: u64,
    mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
}

impl Progress {
    /// Returns the mounts of a step.
    pub(super) fn mounts(
        &self,
        shared: &Shared<'_>,
        state: &StageState,
        flags: &[MountFlag],
    ) -> Result<Vec<Mount>, DockerfileError> {
        let mut mounts = Vec::with_capacity(flags.len());
        for flag in flags {
            let keys = read(shared, state, flag)?;
            let wrong = |problem: Problem| problem.at(flag.word.span);
            keys.check().map_err(|problem| wrong(problem.into()))?;
            mounts.push(match keys.kind {
                Kind::Bind => {
                    let (target, source) = keys.places(state).map_err(wrong)?;
                    let from = self.files(shared, &keys, flag)?;
                    let from = from.ok_or_else(|| Problem::MountScratch.at(flag.word.span))?;
                    Mount::Bind(BindMount { target, from, source, access: keys.access() })
                }
                Kind::Cache => {
                    let (target, source) = keys.places(state).map_err(wrong)?;
                    let from = self.files(shared, &keys, flag)?;
                    Mount::Cache(keys.cache(shared, (target, source), from).map_err(wrong)?)
                }
                Kind::Tmpfs => Mount::Tmpfs(keys.tmpfs(state).map_err(wrong)?),
                Kind::Secret => Mount::Secret(keys.secret().map_err(wrong)?),
                Kind::Ssh => Mount::Ssh(keys.ssh().map_err(wrong)?),
            });
        }
        Ok(mounts)
    }

    /// Returns what a mount shows files of; nothing for the empty image.
    fn files(
        &self,
        shared: &Shared<'_>,
        keys: &Keys,
        flag: &MountFlag,
    ) -> Result<Option<CopySource>, DockerfileError> {
        let named = flag.from().filter(|_| !keys.from.is_empty());
        let Some((name, span)) = named else {
            return Ok((keys.kind == Kind::Bind).then(Source::main));
        };
        match self.copy_source(shared, Reading { name, span, reader: Reader::Mount })? {
            Source::Nothing => Ok(None),
            Source::Files(files) => Ok(Some(files)),
        }
    }
}

fn read(shared: &Shared<'_>, state: &StageState, flag: &MountFlag) -> Result<Keys, DockerfileError> {
    let mut keys = Keys::default();
    for MountOption { key, value, span } in &flag.options {
        let wrong = |problem: MountProblem| Problem::from(problem).at(*span);
        let Some(value) = value else {
            keys.switch(key).map_err(wrong)?;
            continue;
        };
        // The place of a variable within the part is known where the whole flag stands in one line.
        let offset = key.chars().count() + 1;
        let place = SourceSpan { column: span.column + offset, ..*span };
        let place = if flag.word.span == *span { *span } else { place };
        let word = Word { text: value.clone(), span: place, spelling: flag.word.spelling };
        let value = state.expand(shared, &word)?;
        keys.set(key, value).map_err(wrong)?;
    }
    Ok(keys)
}

impl Keys {
    /// Reads a key that stands alone.
    fn switch(&mut self, key: &str) -> Result<(), MountProblem> {
        match key {
            "readonly" | "ro" => self.access = Some(Access::ReadOnly),
            "readwrite" | "rw" => self.access = Some(Access::ReadWrite),
            "required" => self.require(Presence::Required)?,
            _ => return Err(MountProblem::WithoutValue { flag: FLAG, part: key.to_owned() }),
        }
        Ok(())
    }

    fn require(&mut self, presence: Presence) -> Result<(), MountProblem> {
        match self.kind {
            Kind::Secret | Kind::Ssh => self.presence = Some(presence),
            Kind::Bind | Kind::Cache | Kind::Tmpfs => {
                return Err(MountProblem::KeyOfType { kind: self.kind.name(), key: "required" });
            }
        }
        Ok(())
    }

    /// Reads a key with its value.
    fn set(&mut self, key: &str, value: String) -> Result<(), MountProblem> {
        let invalid = |choices| {
            let (key, value) = (key.to_owned(), value.clone());
            MountProblem::Value { flag: FLAG, key, value, choices }
        };
        let switch = || parse_bool(&value).ok_or_else(|| invalid("`true` or `false`"));
        let access = |read_only: bool| if read_only { Access::ReadOnly } else { Access::ReadWrite };
        let number = || parse_unsigned(&value, 10).ok_or_else(|| invalid("a number from 0 to 4294967295"));
        match key {
            "type" => {
                self.kind =
                    kind(&value).ok_or_else(|| invalid("`bind`, `cache`, `tmpfs`, `secret` or `ssh`"))?;
            }
            "readonly" | "ro" => self.access = Some(access(switch()?)),
            "readwrite" | "rw" => self.access = Some(access(!switch()?)),
            "required" => {
                self.require(Presence::Optional)?;
                self.require(if switch()? { Presence::Required } else { Presence::Optional })?;
            }
            "size" if self.kind != Kind::Tmpfs => {
                return Err(MountProblem::KeyOfType { kind: self.kind.name(), key: "size" });
            }
            "size" => {
                self.size = parse_size(&value).ok_or_else(|| invalid("a size such as `64m` or `1GiB`"))?
            }
            "sharing" => {
                let choices = "`shared`, `private` or `locked`";
                self.sharing = Some(sharing(&value).ok_or_else(|| invalid(choices))?);
            }
            "mode" => {
                let mode = parse_unsigned(&value, 8).filter(|mode| *mode <= LARGEST_MODE);
                self.mode = Some(mode.ok_or_else(|| invalid("an octal number up to 7777"))?);
            }
            "uid" => self.uid = Some(number()?),
            "gid" => self.gid = Some(number()?),
            "from" => self.from = value,
            "source" | "src" => self.source = value,
            "target" | "dst" | "destination" => self.target = value,
            "id" => self.id = value,
            "env" if value.is_empty() => return Err(invalid("the name of a variable")),
            "env" => self.variable = Some(value),
            _ => {
                let closest = closest(key, KEYS);
                return Err(MountProblem::Key { flag: FLAG, key: key.to_owned(), closest });
            }
        }
        Ok(())
    }

    /// Refuses keys that do not go together.
    fn check(&self) -> Result<(), MountProblem> {
        let kind = self.kind.name();
        let refuse = |key| Err(MountProblem::KeyOfType { kind, key });
        if matches!(self.kind, Kind::Bind | Kind::Tmpfs) {
            for (key, value) in [("mode", self.mode), ("uid", self.uid), ("gid", self.gid)] {
                if value.is_some() {
                    return refuse(key);
                }
            }
        }
        if self.kind != Kind::Cache && self.sharing.is_some() {
            return refuse("sharing");
        }
        match self.kind {
            Kind::Secret if !self.from.is_empty() => refuse("from"),
            Kind::Secret if self.source.is_empty() && self.target.is_empty() && self.id.is_empty() => {
                Err(MountProblem::SecretWithoutName)
            }
            Kind::Secret if !self.source.is_empty() && !self.id.is_empty() => {
                Err(MountProblem::SecretWithTwoNames)
            }
            Kind::Ssh | Kind::Tmpfs if !self.source.is_empty() => refuse("source"),
            Kind::Bind | Kind::Cache | Kind::Tmpfs | Kind::Secret | Kind::Ssh => Ok(()),
        }
    }

    fn access(&self) -> Access {
        self.access.unwrap_or(match self.kind {
            Kind::Cache | Kind::Tmpfs => Access::ReadWrite,
            Kind::Bind | Kind::Secret | Kind::Ssh => Access::ReadOnly,
        })
    }

    fn presence(&self) -> Presence {
        self.presence.unwrap_or(Presence::Optional)
    }

    /// Returns where the mount appears; without a target, the working directory.
    fn target(&self, state: &StageState) -> Result<TreePath, Problem> {
        let target = state.below_directory(&self.target)?;
        match target.is_root() {
            true => Err(MountProblem::TargetRoot.into()),
            false => Ok(target),
        }
    }

    /// Returns where the mount appears, and which part of its files.
    fn places(&self, state: &StageState) -> Result<(TreePath, TreePath), Problem> {
        Ok((self.target(state)?, clamped(&self.source)?))
    }

    fn cache(
        &self,
        shared: &Shared<'_>,
        (target, source): (TreePath, TreePath),
        from: Option<CopySource>,
    ) -> Result<CacheMount, Problem> {
        let owned = self.mode.is_some() || self.uid.is_some() || self.gid.is_some();
        let id = match self.id.as_str() {
            "" => clean(&self.target),
            id => id.to_owned(),
        };
        let namespace = shared.request.build_args.get("BUILDKIT_CACHE_MOUNT_NS");
        Ok(CacheMount {
            target,
            id: format!("{}/{id}", namespace.map_or("", String::as_str)),
            sharing: self.sharing.unwrap_or(Sharing::Shared),
            // With an owner or mode of its own and no source, BuildKit begins with an empty directory.
            from: from.filter(|_| !owned || !source.is_root()),
            source,
            mode: FileMode(self.mode.unwrap_or(0o755)),
            uid: self.uid.unwrap_or(0),
            gid: self.gid.unwrap_or(0),
            access: self.access(),
        })
    }

    fn tmpfs(&self, state: &StageState) -> Result<TmpfsMount, Problem> {
        match self.access() {
            Access::ReadWrite => {}
            Access::ReadOnly => {
                let what = "A `tmpfs` mount that cannot be written to".to_owned();
                return Err(Problem::NotBuilt { what, instead: "leave `readonly` out" });
            }
        }
        Ok(TmpfsMount { target: self.target(state)?, size: Some(self.size).filter(|size| *size > 0) })
    }

    fn secret(&self) -> Result<SecretMount, Problem> {
        let id = match (self.source.as_str(), self.id.as_str()) {
            ("", "") => base_name(&self.target),
            ("", id) => id.to_owned(),
            (source, _) => source.to_owned(),
        };
        let file = match (self.target.as_str(), &self.variable) {
            ("", Some(_)) => None,
            ("", None) => Some(format!("/run/secrets/{}", base_name(&id))),
            (target, _) => Some(target.to_owned()),
        };
        Ok(SecretMount {
            id,
            target: file.map(|file| below_root(&file)).transpose()?,
            variable: self.variable.clone(),
            presence: self.presence(),
            mode: FileMode(self.mode.unwrap_or(0o400)),
            uid: self.uid.unwrap_or(0),
            gid: self.gid.unwrap_or(0),
        })
    }

    fn ssh(&self) -> Result<SshMount, Problem> {
        let target = Some(self.target.as_str()).filter(|target| !target.is_empty());
        Ok(SshMount {
            id: if self.id.is_empty() { "default".to_owned() } else { self.id.clone() },
            target: target.map(below_root).transpose()?,
            presence: self.presence(),
            mode: FileMode(self.mode.unwrap_or(0o600)),
            uid: self.uid.unwrap_or(0),
            gid: self.gid.unwrap_or(0),
        })
    }
}

fn kind(text: &str) -> Option<Kind> {
    let all = [Kind::Bind, Kind::Cache, Kind::Tmpfs, Kind::Secret, Kind::Ssh];
    all.into_iter().find(|kind| kind.name() == text.to_lowercase())
}

fn sharing(text: &str) -> Option<Sharing> {
    Some(match text.to_lowercase().as_str() {
        "shared" => Sharing::Shared,
        "private" => Sharing::Private,
        "locked" => Sharing::Locked,
        _ => return None,
    })
}

fn clamped(path: &str) -> Result<TreePath, Problem> {
    TreePath::clamped(path).map_err(|cause| Problem::Path { path: path.to_owned(), cause })
}

/// Returns the path of a file that is put into a tree; a relative one is meant from the root.
fn below_root(path: &str) -> Result<TreePath, Problem> {
    let path = clamped(path)?;
    match path.is_root() {
        true => Err(MountProblem::TargetRoot.into()),
        false => Ok(path),
    }
}

/// Cleans a path in its text, as Go's `path.Clean` does.
fn clean(path: &str) -> String {
    let mut components: Vec<&str> = Vec::new();
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." if components.last().is_some_and(|last| *last != "..") => {
                components.pop();
            }
            ".." if path.starts_with('/') => {}
            other => components.push(other),
        }
    }
    match (path.starts_with('/'), components.join("/")) {
        (true, rest) => format!("/{rest}"),
        (false, rest) if rest.is_empty() => ".".to_owned(),
        (false, rest) => rest,
    }
}

/// Returns the last component of a path.
fn base_name(path: &str) -> String {
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    last.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_as_in_go() {
        for (path, expected) in [
            ("", "."),
            ("/", "/"),
            ("/root/.cache/", "/root/.cache"),
            ("/../a//b/../c", "/a/c"),
            ("../a", "../a"),
            ("a/../..", ".."),
        ] {
            assert_eq!(clean(path), expected, "{path}");
        }
        assert_eq!(base_name("/run/secrets/key/"), "key");
    }
}
