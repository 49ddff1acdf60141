//! `COPY` and `ADD`: the plan's items with the trees that they come from.
//!
//! Owns opening those trees, fetched ones included, each only if an item needs it; how their files are put into the
//! step's tree is `rootfs`'s.

use std::rc::Rc;

use zoea_model::{
    AddArchive, ContextName, CopyItem, CopySource, CopyStep, HttpSource, InlineFile, PathFilter, Remote,
    TreePath,
};
use zoea_rootfs::{CopyRequest, CopyTree, DestinationForm, Owner, Rootfs, RootfsError, SourceItem, copy};

use crate::BuildError;
use crate::context_tree::ContextTree;
use crate::run::Session;

/// Copies what `step` says into `rootfs`.
pub(crate) fn copy_files(
    step: &CopyStep,
    owner: Option<Owner>,
    rootfs: &mut Rootfs,
    session: &mut Session<'_, '_>,
) -> Result<(), BuildError> {
    let excludes = PathFilter::new(step.excludes.iter().map(String::as_str)).map_err(BuildError::Excludes)?;
    let mut sources = Sources { step, opened: None };
    let parts: Result<Vec<Part<'_>>, BuildError> =
        step.items.iter().map(|item| sources.part(item, session)).collect();
    let parts = parts?;
    let items: Vec<SourceItem<'_>> = parts.iter().map(Part::item).collect();
    let request = CopyRequest {
        items: &items,
        excludes: &excludes,
        destination: &step.destination,
        form: if step.into_directory { DestinationForm::Directory } else { DestinationForm::Name },
        owner,
        mode: step.mode.as_ref(),
    };
    Ok(copy(&mut rootfs.vfs(session.now()), &request)?)
}

/// Copies all files of a context into the empty tree `rootfs`.
pub(crate) fn copy_context(
    name: &ContextName,
    rootfs: &mut Rootfs,
    session: &Session<'_, '_>,
) -> Result<(), BuildError> {
    let tree = session.capabilities.contexts.get(name)?;
    let request = CopyRequest {
        items: &[SourceItem::Tree { from: &tree }],
        excludes: &PathFilter::default(),
        destination: &TreePath::root(),
        form: DestinationForm::Directory,
        owner: None,
        mode: None,
    };
    Ok(copy(&mut rootfs.vfs(session.now()), &request)?)
}

/// The trees of one instruction.
struct Sources<'a> {
    step: &'a CopyStep,
    /// The tree of patterns, once one asked for it.
    opened: Option<Rc<dyn CopyTree>>,
}

/// One item with its tree.
enum Part<'a> {
    Pattern(Rc<dyn CopyTree>, &'a str, AddArchive),
    Below(Rc<dyn CopyTree>, &'a str, &'a str),
    Inline(&'a InlineFile),
    File(Rc<dyn CopyTree>, TreePath, AddArchive),
    Tree(Rc<dyn CopyTree>),
}

impl<'a> Sources<'a> {
    fn part(&mut self, item: &'a CopyItem, session: &mut Session<'_, '_>) -> Result<Part<'a>, BuildError> {
        Ok(match item {
            CopyItem::Pattern(pattern) => Part::Pattern(self.tree(session)?, pattern, self.step.archives),
            CopyItem::Below { root, pattern } => Part::Below(self.tree(session)?, root, pattern),
            CopyItem::Inline(file) => Part::Inline(file),
            CopyItem::Http(http) => {
                let tree = fetch(&Remote::Http(http.clone()), session)?;
                Part::File(tree, file_path(http)?, self.step.remote_archives)
            }
            CopyItem::Git(git) => Part::Tree(fetch(&Remote::Git(git.clone()), session)?),
        })
    }

    /// Opens the tree of patterns.
    fn tree(&mut self, session: &mut Session<'_, '_>) -> Result<Rc<dyn CopyTree>, BuildError> {
        if let Some(opened) = &self.opened {
            return Ok(Rc::clone(opened));
        }
        let workspace = session.capabilities.workspace;
        let opened: Rc<dyn CopyTree> = match &self.step.from {
            CopySource::Context(name) => Rc::new(session.capabilities.contexts.get(name)?),
            CopySource::Stage(id) => {
                let tree = session.results.get(id).and_then(|result| result.tree.as_ref());
                Rc::new(workspace.view(tree.ok_or(BuildError::UnknownStage(*id))?)?)
            }
            CopySource::Image(pinned) => Rc::new(workspace.view(&session.bases.tree(pinned)?)?),
        };
        self.opened = Some(Rc::clone(&opened));
        Ok(opened)
    }
}

impl Part<'_> {
    fn item(&self) -> SourceItem<'_> {
        match self {
            Self::Pattern(tree, pattern, archives) => {
                SourceItem::Pattern { from: tree.as_ref(), pattern, archives: *archives }
            }
            Self::Below(tree, root, pattern) => SourceItem::Below { from: tree.as_ref(), root, pattern },
            Self::Inline(file) => SourceItem::Inline(file),
            Self::File(tree, path, archives) => {
                SourceItem::File { from: tree.as_ref(), path, archives: *archives }
            }
            Self::Tree(tree) => SourceItem::Tree { from: tree.as_ref() },
        }
    }
}

fn fetch(remote: &Remote, session: &Session<'_, '_>) -> Result<Rc<dyn CopyTree>, BuildError> {
    Ok(Rc::new(ContextTree::Fetched(session.capabilities.remotes.fetch(remote)?)))
}

/// Returns where the fetched file is: a name in the root, whatever the address says.
fn file_path(source: &HttpSource) -> Result<TreePath, BuildError> {
    let root = TreePath::root();
    let failed = |source| RootfsError::InvalidName { directory: TreePath::root(), source };
    Ok(root.join(&source.file_name).map_err(failed)?)
}
