//! What is in a directory, copied into another.
//!
//! Walks one source from its root down, decides by the filters what of it is copied, and copies it. As BuildKit does:
//! - a directory below a copied one gets the source's attributes even where it was there before; the
//!   destination itself keeps its own;
//! - a directory that is not copied itself is made once something below it is, with the source's attributes; one that
//!   is there already gets the source's mode alone. Unlike there, what is made keeps the source's time too: the clock
//!   would be in the image.

use std::collections::BTreeMap;
use std::ffi::OsString;

use zoea_model::{Attributes, Entry, Node, PathFilter, TreePath, Verdict};

use crate::{Content, CopyRequest, CopyTree, RootfsError, Vfs};

/// The copying of one source.
pub(crate) struct Copying<'a, 'vfs> {
    vfs: &'a mut Vfs<'vfs>,
    request: &'a CopyRequest<'a>,
    from: &'a dyn CopyTree,
    /// What is copied of a directory; all of it by default.
    includes: Option<&'a PathFilter>,
    /// The first copy of each file that has several names.
    links: BTreeMap<(u64, u64), TreePath>,
    /// The directories above what is copied next, the source's root first.
    open: Vec<Directory>,
}

/// A directory whose content is being copied.
struct Directory {
    /// Its place below the source's root, by which the filters know it.
    name: TreePath,
    from: TreePath,
    to: TreePath,
    verdicts: Verdicts,
    state: State,
}

/// What the filters say of an entry.
struct Verdicts {
    included: Option<Verdict>,
    excluded: Verdict,
}

/// How far a directory's copy is.
enum State {
    /// It is made when something in it is copied.
    Waiting(Entry),
    /// It is there, and nothing is left to do.
    There,
    /// It is there and gets these attributes when its content is complete.
    Unfinished(Attributes),
}

/// What is still to do in the innermost open directory.
enum Work {
    /// Copy its entry of that name.
    Copy(OsString),
    /// Close it.
    Close,
}

impl<'a, 'vfs> Copying<'a, 'vfs> {
    pub(crate) fn new(
        vfs: &'a mut Vfs<'vfs>,
        request: &'a CopyRequest<'a>,
        from: &'a dyn CopyTree,
        includes: Option<&'a PathFilter>,
    ) -> Self {
        Self { vfs, request, from, includes, links: BTreeMap::new(), open: Vec::new() }
    }

    /// Copies what is in the directory `from` into the directory `to`.
    pub(crate) fn content(mut self, from: &TreePath, to: &TreePath) -> Result<(), RootfsError> {
        let verdicts = Verdicts {
            included: self.includes.map(PathFilter::of_root),
            excluded: self.request.excludes.of_root(),
        };
        let root = Directory {
            name: TreePath::root(),
            from: from.clone(),
            to: to.clone(),
            verdicts,
            state: State::There,
        };
        let mut work = Vec::new();
        self.enter(root, &mut work)?;
        while let Some(next) = work.pop() {
            match next {
                Work::Copy(name) => self.entry(&name, &mut work)?,
                Work::Close => self.close()?,
            }
        }
        Ok(())
    }

    fn enter(&mut self, directory: Directory, work: &mut Vec<Work>) -> Result<(), RootfsError> {
        let names = self.from.children(&directory.from);
        let failed = |source| RootfsError::ReadSource { path: directory.from.clone(), source };
        let mut names = names.map_err(failed)?;
        names.sort();
        work.push(Work::Close);
        work.extend(names.into_iter().rev().map(Work::Copy));
        self.open.push(directory);
        Ok(())
    }

    fn close(&mut self) -> Result<(), RootfsError> {
        match self.open.pop() {
            Some(Directory { to, state: State::Unfinished(attributes), .. }) => {
                self.vfs.set_attributes(&to, &attributes)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Copies one entry of the innermost open directory, if the filters let it; enters a directory.
    fn entry(&mut self, name: &OsString, work: &mut Vec<Work>) -> Result<(), RootfsError> {
        let Some(parent) = self.open.last() else { return Ok(()) };
        let bytes = name.as_encoded_bytes();
        let below = self.vfs.child(&parent.name, bytes)?;
        let from = self.vfs.child(&parent.from, bytes)?;
        let to = self.vfs.child(&parent.to, bytes)?;
        let verdicts = self.verdicts(&below, &parent.verdicts);
        let found = self.from.lookup(&from);
        let found = found.map_err(|source| RootfsError::ReadSource { path: from.clone(), source })?;
        // Gone since its directory was listed: nobody can tell this from a listing a moment later.
        let Some(entry) = found else { return Ok(()) };
        let state = match (verdicts.take(), entry.node.is_directory()) {
            (true, false) => {
                self.make_waiting()?;
                return self.leaf(&from, &entry, &to);
            }
            (true, true) => {
                self.make_waiting()?;
                self.directory(&entry, &to)?
            }
            (false, true) if self.may_take_below(&below, &verdicts) => State::Waiting(entry),
            (false, true | false) => return Ok(()),
        };
        self.enter(Directory { name: below, from, to, verdicts, state }, work)
    }

    fn verdicts(&self, path: &TreePath, above: &Verdicts) -> Verdicts {
        let known = self.includes.zip(above.included.as_ref());
        Verdicts {
            included: known.map(|(filter, above)| filter.verdict(path, above)),
            excluded: self.request.excludes.verdict(path, &above.excluded),
        }
    }

    /// Says whether anything below a directory that is not copied itself may be.
    fn may_take_below(&self, path: &TreePath, verdicts: &Verdicts) -> bool {
        let included = match (self.includes, &verdicts.included) {
            (Some(filter), Some(verdict)) => verdict.matched || filter.may_change_below(path, verdict),
            (_, None) | (None, Some(_)) => true,
        };
        let excluded = &verdicts.excluded;
        included && (!excluded.matched || self.request.excludes.may_change_below(path, excluded))
    }

    /// Makes the open directories that have waited for something to be in them.
    fn make_waiting(&mut self) -> Result<(), RootfsError> {
        for directory in &mut self.open {
            let State::Waiting(entry) = &directory.state else { continue };
            let to = &directory.to;
            directory.state = match self.vfs.lookup(to) {
                None => {
                    let attributes = self.request.attributes(entry);
                    self.vfs.create_dir(to, &attributes)?;
                    State::Unfinished(attributes)
                }
                Some(existing) if existing.node.is_directory() => {
                    let mode = entry.attributes.mode;
                    self.vfs.set_attributes(to, &Attributes { mode, ..existing.attributes })?;
                    State::There
                }
                Some(_) => return Err(RootfsError::NotADirectory { path: to.clone() }),
            };
        }
        Ok(())
    }

    /// Makes the copy of a directory, without its content.
    fn directory(&mut self, entry: &Entry, to: &TreePath) -> Result<State, RootfsError> {
        let mut attributes = self.request.attributes(entry);
        match self.vfs.lookup(to) {
            None => self.vfs.create_dir(to, &attributes)?,
            Some(existing) if existing.node.is_directory() => {
                for (name, value) in existing.attributes.xattrs {
                    attributes.xattrs.entry(name).or_insert(value);
                }
            }
            Some(_) => return Err(RootfsError::NotADirectory { path: to.clone() }),
        }
        Ok(State::Unfinished(attributes))
    }

    /// Copies what is no directory in place of what is at `to`.
    pub(crate) fn leaf(&mut self, from: &TreePath, entry: &Entry, to: &TreePath) -> Result<(), RootfsError> {
        let attributes = self.request.attributes(entry);
        match &entry.node {
            Node::File { .. } => self.file(from, to, &attributes),
            Node::Symlink { target } => self.vfs.create_symlink(to, target, &attributes),
            Node::CharacterDevice(device) => self.vfs.create_character_device(to, *device, &attributes),
            Node::BlockDevice(device) => self.vfs.create_block_device(to, *device, &attributes),
            Node::Fifo => self.vfs.create_fifo(to, &attributes),
            Node::Directory => Err(RootfsError::IsADirectory { path: to.clone() }),
        }
    }

    fn file(&mut self, from: &TreePath, to: &TreePath, attributes: &Attributes) -> Result<(), RootfsError> {
        let id = self.from.hard_link_id(from);
        if let Some(first) = id.and_then(|id| self.links.get(&id)) {
            return self.vfs.create_hard_link(&first.clone(), to);
        }
        let file = self.from.open(from);
        let file = file.map_err(|source| RootfsError::ReadSource { path: from.clone(), source })?;
        self.vfs.write_file(to, Content::File(file), attributes)?;
        if let Some(id) = id {
            self.links.insert(id, to.clone());
        }
        Ok(())
    }
}

impl Verdicts {
    fn take(&self) -> bool {
        self.included.as_ref().is_none_or(|verdict| verdict.matched) && !self.excluded.matched
    }
}
