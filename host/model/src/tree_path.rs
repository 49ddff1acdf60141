//! Paths inside a file tree.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::ModelError;

/// An absolute, normal path inside a tree: no `.`, no `..`, no empty component, no NUL byte.
///
/// Kept as bytes, because file names are bytes, without the leading slash; the tree's root is the empty path.
/// Ordered by components, so that a directory stands directly before everything below it:
/// `/a`, `/a/b`, `/a-b`.
#[derive(Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct TreePath(Vec<u8>);

impl TreePath {
    /// Returns the tree's root.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// Normalises `path`: absolute or relative to the root, `.` and empty components dropped.
    ///
    /// # Errors
    /// Refuses `..` (whoever accepts one must say what it means) and NUL bytes.
    pub fn new(path: impl AsRef<[u8]>) -> Result<Self, ModelError> {
        Self::root().join(path)
    }

    /// Normalises `path` with `..` resolved in the text and stopped at the root, as `cd` without links does.
    ///
    /// # Errors
    /// Refuses NUL bytes.
    pub fn clamped(path: impl AsRef<[u8]>) -> Result<Self, ModelError> {
        let mut kept: Vec<&[u8]> = Vec::new();
        for component in path.as_ref().split(|byte| *byte == b'/') {
            match component {
                b".." => drop(kept.pop()),
                b"" | b"." => {}
                other => kept.push(other),
            }
        }
        Self::new(kept.join(&b'/'))
    }

    /// Appends the components of `path`, whether it begins with a slash or not.
    ///
    /// # Errors
    /// As [`TreePath::new`].
    pub fn join(&self, path: impl AsRef<[u8]>) -> Result<Self, ModelError> {
        let path = path.as_ref();
        let invalid =
            |reason| ModelError::TreePath { path: String::from_utf8_lossy(path).into_owned(), reason };
        let mut bytes = self.0.clone();
        for component in path.split(|byte| *byte == b'/') {
            match component {
                b"" | b"." => continue,
                b".." => return Err(invalid("it contains `..`")),
                _ if component.contains(&0) => return Err(invalid("it contains a NUL byte")),
                _ => {
                    if !bytes.is_empty() {
                        bytes.push(b'/');
                    }
                    bytes.extend_from_slice(component);
                }
            }
        }
        Ok(Self(bytes))
    }

    /// Says whether this is the tree's root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the directory that holds this path; the root has none.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let end = self.0.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        Some(Self(self.0.get(..end).unwrap_or_default().to_vec()))
    }

    /// Returns the last component; the root has none.
    pub fn file_name(&self) -> Option<&OsStr> {
        self.0.rsplit(|byte| *byte == b'/').next().filter(|name| !name.is_empty()).map(OsStr::from_bytes)
    }

    /// Iterates over the components from the root downwards.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &OsStr> {
        self.0.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).map(OsStr::from_bytes)
    }

    /// Iterates over the directories above this path, the root first, this path not included.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        let root = (!self.is_root()).then(Self::root);
        let below = self.0.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        root.into_iter().chain(below.map(|(end, _)| Self(self.0.get(..end).unwrap_or_default().to_vec())))
    }

    /// Says whether this path is `directory` or lies below it.
    pub fn starts_with(&self, directory: &Self) -> bool {
        match self.0.strip_prefix(directory.0.as_slice()) {
            Some(rest) => directory.is_root() || rest.is_empty() || rest.starts_with(b"/"),
            None => false,
        }
    }

    /// Returns what remains of this path below `directory`, as a path of its own tree.
    pub fn strip_prefix(&self, directory: &Self) -> Option<Self> {
        if !self.starts_with(directory) {
            return None;
        }
        let rest = self.0.get(directory.0.len()..).unwrap_or_default();
        Some(Self(rest.strip_prefix(b"/").unwrap_or(rest).to_vec()))
    }

    /// Returns the bytes without a leading slash; empty for the root.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the path relative to the root for use with a directory handle; `.` for the root.
    pub fn as_relative(&self) -> &Path {
        Path::new(OsStr::from_bytes(if self.0.is_empty() { b"." } else { &self.0 }))
    }
}

impl Ord for TreePath {
    fn cmp(&self, other: &Self) -> Ordering {
        // By components: the separator comes before every other byte of a name, as a shorter name does.
        let rank = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
        let differing = self.0.iter().zip(&other.0).find(|(one, two)| one != two);
        match differing {
            Some((one, two)) => rank(one).cmp(&rank(two)),
            None => self.0.len().cmp(&other.0.len()),
        }
    }
}

impl PartialOrd for TreePath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Shows control characters escaped: names come from layers, and messages go to terminals.
impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("/")?;
        for character in String::from_utf8_lossy(&self.0).chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<Vec<u8>> for TreePath {
    type Error = ModelError;

    fn try_from(bytes: Vec<u8>) -> Result<Self, ModelError> {
        Self::new(bytes)
    }
}

impl From<TreePath> for Vec<u8> {
    fn from(path: TreePath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::new(text).unwrap()
    }

    #[test]
    fn normalises() {
        assert_eq!(path("//usr/./bin/").as_bytes(), b"usr/bin");
        assert_eq!(path("/").as_bytes(), b"");
        assert_eq!(path(".").as_relative(), Path::new("."));
        assert_eq!(path("usr/bin").to_string(), "/usr/bin");
        assert!(TreePath::new("a/../b").is_err());
        assert!(TreePath::new("a\0b").is_err());
    }

    #[test]
    fn control_characters_are_not_shown_raw() {
        assert_eq!(path("a\x1b[2Jé\n").to_string(), "/a\\u{1b}[2Jé\\n");
    }

    #[test]
    fn clamps_at_the_root() {
        assert_eq!(TreePath::clamped("../../a/b/../c").unwrap(), path("a/c"));
        assert_eq!(TreePath::clamped("..").unwrap(), TreePath::root());
    }

    #[test]
    fn directory_stands_directly_before_its_content() {
        let mut paths = [path("a-b"), path("a/b"), path("a"), path("b"), TreePath::root()];
        paths.sort();
        let text: Vec<String> = paths.iter().map(ToString::to_string).collect();
        assert_eq!(text, ["/", "/a", "/a/b", "/a-b", "/b"]);
    }

    #[test]
    fn prefixes_are_whole_components() {
        assert!(path("a/b").starts_with(&path("a")));
        assert!(!path("ab").starts_with(&path("a")));
        assert_eq!(path("a/b/c").strip_prefix(&path("a")), Some(path("b/c")));
        assert_eq!(path("a").strip_prefix(&path("a")), Some(TreePath::root()));
        assert_eq!(path("a").strip_prefix(&TreePath::root()), Some(path("a")));
    }

    #[test]
    fn ancestors_begin_at_the_root() {
        let ancestors: Vec<TreePath> = path("a/b/c").ancestors().collect();
        assert_eq!(ancestors, [TreePath::root(), path("a"), path("a/b")]);
        assert_eq!(TreePath::root().ancestors().count(), 0);
    }

    proptest! {
        #[test]
        fn order_is_that_of_the_components(one in "[a/-]{0,8}", two in "[a/-]{0,8}") {
            let (one, two) = (path(&one), path(&two));
            prop_assert_eq!(one.cmp(&two), one.components().cmp(two.components()));
        }

        #[test]
        fn never_escapes(text in "[a./]{0,20}") {
            if let Ok(path) = TreePath::new(&text) {
                prop_assert!(path.components().all(|name| name != ".." && name != "." && !name.is_empty()));
            }
            let clamped = TreePath::clamped(&text).unwrap();
            prop_assert_eq!(TreePath::new(clamped.as_bytes()).unwrap(), clamped);
        }
    }
}
