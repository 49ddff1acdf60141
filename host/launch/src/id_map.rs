//! Which user and group ids exist where the builder is.
//!
//! Owns the reading of `/proc/self/uid_map` and its like (`user_namespaces(7)`). Invariant: an id that
//! [`IdMaps::contains`] is one that the kernel lets a process take on.

use std::io;

/// The ids that exist in a user namespace, as ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdMap(Vec<(u32, u32)>);

impl IdMap {
    /// Reads lines of first id, id outside and count; lines of another form are not the kernel's.
    fn parse(text: &str) -> Option<Self> {
        let line = |line: &str| {
            let mut numbers = line.split_whitespace().map(str::parse::<u32>);
            let (first, _outside, count) =
                (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
            Some((first, count))
        };
        text.lines().map(line).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Reads a file of `/proc/self`.
    fn read(path: &str) -> io::Result<Self> {
        Self::parse(&std::fs::read_to_string(path)?).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Says whether `id` exists.
    pub(crate) fn contains(&self, id: u32) -> bool {
        self.0.iter().any(|(first, count)| id.checked_sub(*first).is_some_and(|offset| offset < *count))
    }

    /// Counts the ids.
    fn count(&self) -> u64 {
        self.0.iter().map(|(_, count)| u64::from(*count)).sum()
    }
}

/// Whether the kernel lets processes choose their supplementary groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SupplementaryGroups {
    /// It does.
    Settable,
    /// A user namespace that its owner mapped without help keeps the groups that its owner had.
    Fixed,
}

/// The users and groups that exist.
#[derive(Debug, Clone)]
pub(crate) struct IdMaps {
    /// The users.
    pub(crate) users: IdMap,
    /// The groups.
    pub(crate) groups: IdMap,
    /// What can be done about supplementary groups.
    pub(crate) supplementary: SupplementaryGroups,
}

impl IdMaps {
    /// Reads those of this process.
    pub(crate) fn read() -> io::Result<Self> {
        let supplementary = match std::fs::read_to_string("/proc/self/setgroups") {
            Ok(text) if text.trim() == "deny" => SupplementaryGroups::Fixed,
            Ok(_) => SupplementaryGroups::Settable,
            // Linux before 3.19 has neither the file nor the restriction.
            Err(error) if error.kind() == io::ErrorKind::NotFound => SupplementaryGroups::Settable,
            Err(error) => return Err(error),
        };
        let (users, groups) = (IdMap::read("/proc/self/uid_map")?, IdMap::read("/proc/self/gid_map")?);
        Ok(Self { users, groups, supplementary })
    }

    /// Says whether a process can be this user in these groups.
    pub(crate) fn contains(&self, uid: u32, gid: u32) -> bool {
        self.users.contains(uid) && self.groups.contains(gid)
    }

    /// Says whether there is more than one user and one group.
    pub(crate) fn several(&self) -> bool {
        self.users.count() > 1 && self.groups.count() > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_their_ids_only() {
        let map =
            IdMap::parse("         0       1000          1\n         1     100000      65536\n").unwrap();
        assert!(map.contains(0) && map.contains(1) && map.contains(65_536));
        assert!(!map.contains(65_537));
        assert_eq!(map.count(), 65_537);
        let all = IdMap::parse("0 0 4294967295\n").unwrap();
        assert!(all.contains(u32::MAX - 1) && !all.contains(u32::MAX));
    }

    #[test]
    fn other_text_is_refused() {
        assert_eq!(IdMap::parse("0 0"), None);
        assert_eq!(IdMap::parse("a 0 1"), None);
    }
}
