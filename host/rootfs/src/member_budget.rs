//! How many members an archive may have, and how much they may say of themselves: their names must fit in memory.

use std::io;

use crate::error::invalid;
use crate::tar_reader::{Member, MemberKind};

/// Most members: the largest images in use have some hundred thousand in a layer.
const MAX_MEMBERS: u64 = 4_000_000;

/// Most bytes of names, link targets and extended attributes.
const MAX_METADATA: u64 = 1 << 30;

/// What an archive may still have.
#[derive(Debug)]
pub(crate) struct MemberBudget {
    members: u64,
    metadata: u64,
}

impl MemberBudget {
    pub(crate) fn new() -> Self {
        Self { members: MAX_MEMBERS, metadata: MAX_METADATA }
    }

    /// Takes a member's share; refuses the one that is too much.
    pub(crate) fn spend(&mut self, member: &Member) -> io::Result<()> {
        let members = self.members.checked_sub(1);
        self.members =
            members.ok_or_else(|| invalid(format!("there are more than {MAX_MEMBERS} entries")))?;
        let metadata = self.metadata.checked_sub(metadata_size(member));
        self.metadata = metadata.ok_or_else(|| {
            invalid(format!("there are more than {MAX_METADATA} bytes of names and attributes"))
        })?;
        Ok(())
    }
}

fn metadata_size(member: &Member) -> u64 {
    let xattrs: usize = member.attributes.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum();
    let target = match &member.kind {
        MemberKind::HardLink { target } | MemberKind::Symlink { target } => target.len(),
        MemberKind::File { .. }
        | MemberKind::CharacterDevice(_)
        | MemberKind::BlockDevice(_)
        | MemberKind::Directory
        | MemberKind::Fifo => 0,
    };
    (member.path.len() + target + xattrs) as u64
}

#[cfg(test)]
mod tests {
    use zoea_model::{Attributes, Timestamp};

    use super::*;

    fn link(target: &[u8]) -> Member {
        Member {
            path: b"12345".to_vec(),
            kind: MemberKind::Symlink { target: target.to_vec() },
            attributes: Attributes::root_owned(0o777, Timestamp::EPOCH),
        }
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let mut few = MemberBudget { members: 2, metadata: 100 };
        assert!(few.spend(&link(b"")).is_ok() && few.spend(&link(b"")).is_ok());
        assert!(few.spend(&link(b"")).unwrap_err().to_string().contains("entries"));
        let mut short = MemberBudget { members: 9, metadata: 10 };
        assert!(short.spend(&link(b"1234")).is_ok());
        assert!(short.spend(&link(b"")).unwrap_err().to_string().contains("names"));
    }
}
