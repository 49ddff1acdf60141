//! The ids that an administrator gave a user for namespaces (`subuid(5)`, `subgid(5)`).
//!
//! Owns the reading of `/etc/subuid`, `/etc/subgid` and of the user's names in `/etc/passwd`. Grants nothing:
//! `newuidmap` reads the same files itself.

use std::fs::File;
use std::io::{self, Read as _};

/// How much of each file is read: a line for each of ten thousand users, and no more of a file that never ends.
const FILE_LIMIT: u64 = 1024 * 1024;

/// How many ranges a namespace can have (`user_namespaces(7)`), the line for the user itself not counted.
const RANGE_LIMIT: usize = 339;

/// A range of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    /// The first id.
    pub(crate) first: u32,
    /// How many there are; never 0.
    pub(crate) count: u32,
}

/// The ranges that a user has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subordinate {
    /// Of user ids.
    pub(crate) users: Vec<Range>,
    /// Of group ids.
    pub(crate) groups: Vec<Range>,
}

impl Subordinate {
    /// Reads those of user `uid`; either list may be empty.
    pub(crate) fn read(uid: u32) -> io::Result<Self> {
        let names = names(&read_limited("/etc/passwd")?, uid);
        let ranges = |path| read_limited(path).map(|text| ranges(&text, &names));
        Ok(Self { users: ranges("/etc/subuid")?, groups: ranges("/etc/subgid")? })
    }
}

/// Reads a file that need not exist.
fn read_limited(path: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(FILE_LIMIT).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns all by which the files may call user `uid`: the number itself and its names in `passwd`.
fn names(passwd: &str, uid: u32) -> Vec<String> {
    let number = uid.to_string();
    let name = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    };
    passwd.lines().filter_map(name).chain([number.clone()]).collect()
}

/// Returns the ranges in `text` that belong to one of `names`; other lines, also malformed ones, are not ours.
fn ranges(text: &str, names: &[String]) -> Vec<Range> {
    let range = |line: &str| {
        let mut fields = line.trim().split(':');
        let name = fields.next()?;
        let range = Range { first: fields.next()?.parse().ok()?, count: fields.next()?.parse().ok()? };
        let valid = range.count > 0 && range.first.checked_add(range.count).is_some();
        (valid && names.iter().any(|other| other == name)).then_some(range)
    };
    text.lines().filter_map(range).take(RANGE_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_ranges_by_name_and_by_number() {
        let names = names("root:x:0:0::/:/bin/sh\nann:x:1000:1000::/:/bin/sh\nbad\n", 1000);
        assert_eq!(names, ["ann", "1000"]);
        let text = "ann:100000:65536\nbob:1:1\n1000:300000:10\nann:5:0\nann:4294967295:2\nann:x:1\n\n";
        let expected = [Range { first: 100_000, count: 65_536 }, Range { first: 300_000, count: 10 }];
        assert_eq!(ranges(text, &names), expected);
    }

    #[test]
    fn unknown_users_have_none() {
        assert_eq!(ranges("ann:100000:65536\n", &names("", 7)), []);
    }
}
