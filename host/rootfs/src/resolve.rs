//! Symbolic links followed inside of a tree, in memory.
//!
//! Turns a path into one without links, asking only what a path's link target is. Never leaves the tree: an
//! absolute target starts again at the root. Does no I/O of its own. What is missing is kept as written, so
//! that the result can name what is to be made.

use std::collections::VecDeque;

use zoea_model::TreePath;

/// As many links as the kernel follows in one path (`MAXSYMLINKS` in `include/linux/namei.h`).
const MAX_LINKS: usize = 40;

/// What `..` of a link's target means at the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AboveRoot {
    /// The root, as in a changed root directory.
    Stops,
    /// An error.
    Refused,
}

/// Whether a link at the path's end is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastLink {
    /// It is followed.
    Followed,
    /// The result names the link itself.
    Kept,
}

/// How to resolve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) above_root: AboveRoot,
    pub(crate) last_link: LastLink,
}

impl Rules {
    /// Follows everything, inside of a root.
    pub(crate) const FOLLOW: Self = Self { above_root: AboveRoot::Stops, last_link: LastLink::Followed };
}

/// Why a path has no place in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unresolved<E> {
    /// More links than [`MAX_LINKS`].
    TooManyLinks,
    /// A target leads above the root, and that is refused.
    AboveRoot,
    /// A target holds a NUL byte.
    NulByte,
    /// The look-up failed.
    Lookup(E),
}

/// Follows the links in `path`; `link` answers with the target where a path is a symbolic link.
pub(crate) fn resolve<E>(
    path: &TreePath,
    rules: Rules,
    mut link: impl FnMut(&TreePath) -> Result<Option<Vec<u8>>, E>,
) -> Result<TreePath, Unresolved<E>> {
    let mut pending: VecDeque<Vec<u8>> =
        path.components().map(|name| name.as_encoded_bytes().to_vec()).collect();
    let mut current = TreePath::root();
    let mut links = 0;
    while let Some(name) = pending.pop_front() {
        match name.as_slice() {
            b"" | b"." => continue,
            b".." => {
                current = match (current.parent(), rules.above_root) {
                    (Some(parent), _) => parent,
                    (None, AboveRoot::Stops) => TreePath::root(),
                    (None, AboveRoot::Refused) => return Err(Unresolved::AboveRoot),
                };
                continue;
            }
            _ => {}
        }
        let candidate = current.join(&name).map_err(|_| Unresolved::NulByte)?;
        if pending.is_empty() && rules.last_link == LastLink::Kept {
            return Ok(candidate);
        }
        let Some(target) = link(&candidate).map_err(Unresolved::Lookup)? else {
            current = candidate;
            continue;
        };
        links += 1;
        if links > MAX_LINKS {
            return Err(Unresolved::TooManyLinks);
        }
        if target.starts_with(b"/") {
            current = TreePath::root();
        }
        for part in target.split(|byte| *byte == b'/').rev() {
            pending.push_front(part.to_vec());
        }
    }
    Ok(current)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn follow(links: &[(&str, &str)], path: &str, rules: Rules) -> Result<String, Unresolved<Infallible>> {
        let links: BTreeMap<TreePath, Vec<u8>> = links
            .iter()
            .map(|(name, target)| (TreePath::new(name).unwrap(), target.as_bytes().to_vec()))
            .collect();
        resolve(&TreePath::new(path).unwrap(), rules, |path| Ok(links.get(path).cloned()))
            .map(|path| path.to_string())
    }

    #[test]
    fn follows_inside_of_the_root() {
        let links = [
            ("lib", "usr/lib"),
            ("usr/lib/abs", "/etc"),
            ("up", "../../../etc/shadow"),
            ("chain", "lib/abs/"),
            ("usr/lib/back", "../.."),
        ];
        let to = |path| follow(&links, path, Rules::FOLLOW).unwrap();
        assert_eq!(to("lib/x"), "/usr/lib/x");
        assert_eq!(to("lib/abs/passwd"), "/etc/passwd");
        assert_eq!(to("up"), "/etc/shadow");
        assert_eq!(to("chain"), "/etc");
        assert_eq!(to("lib/back/new/file"), "/new/file");
        assert_eq!(to("missing/a"), "/missing/a");
    }

    #[test]
    fn keeps_the_last_link_and_refuses_what_it_must() {
        let rules = Rules { above_root: AboveRoot::Refused, last_link: LastLink::Kept };
        let links = [("a", "b"), ("up", "../x"), ("loop", "loop"), ("nul", "a\0b")];
        assert_eq!(follow(&links, "a", rules).unwrap(), "/a");
        assert_eq!(follow(&links, "up", rules).unwrap(), "/up");
        assert_eq!(follow(&links, "up/f", rules), Err(Unresolved::AboveRoot));
        assert_eq!(follow(&links, "loop/f", rules), Err(Unresolved::TooManyLinks));
        assert_eq!(follow(&links, "nul/f", rules), Err(Unresolved::NulByte));
    }

    proptest! {
        #[test]
        fn result_holds_no_link_and_stays_inside(
            links in proptest::collection::btree_map("[ab](/[ab]){0,2}", "/?([ab]|\\.\\.)(/([ab]|\\.\\.)){0,3}", 0..6),
            path in "[ab](/[ab]){0,3}",
        ) {
            let links: BTreeMap<TreePath, Vec<u8>> =
                links.iter().map(|(name, to)| (TreePath::new(name).unwrap(), to.clone().into_bytes())).collect();
            let look = |path: &TreePath| Ok::<_, Infallible>(links.get(path).cloned());
            if let Ok(found) = resolve(&TreePath::new(&path).unwrap(), Rules::FOLLOW, look) {
                prop_assert!(found.components().all(|name| name != ".." && name != "."));
                prop_assert!(!links.contains_key(&found));
                prop_assert!(found.ancestors().all(|above| !links.contains_key(&above)));
            }
        }
    }
}
