//! A fetched archive that is a build context.
//!
//! Its files are those that `ADD` would unpack at the root of `FROM scratch`, as BuildKit makes of such a context:
//! owners and modes are the archive's, devices are passed over, and what leads out of it is refused.

use std::io;
use std::sync::Arc;

use zoea_context::Fetched;
use zoea_model::{AddArchive, PathFilter, Timestamp, TreePath};
use zoea_rootfs::{
    Compression, CopyRequest, CopyTree as _, DestinationForm, PackOptions, RootfsError, SourceItem, Touched,
    TreeView, Workspace, copy, diff, is_archive, pack,
};

use crate::{BuildError, ContextTree};

/// Unpacks a fetched file, if it is an archive; directories that the archive does not name are of the time `now`.
///
/// # Errors
/// Refuses a hostile or damaged archive; reports what the disk refused.
pub fn unpack_context(
    fetched: &Arc<Fetched>,
    workspace: &Workspace,
    now: Timestamp,
) -> Result<Option<TreeView>, BuildError> {
    let Some(path) = &fetched.file else { return Ok(None) };
    let from = ContextTree::Fetched(Arc::clone(fetched));
    let opened = from.open(path);
    if !is_archive(opened.map_err(|source| RootfsError::ReadSource { path: path.clone(), source })?) {
        return Ok(None);
    }
    let mut stage = workspace.start_stage(&workspace.scratch())?;
    let mut rootfs = stage.begin_step()?;
    let request = CopyRequest {
        items: &[SourceItem::File { from: &from, path, archives: AddArchive::Unpack }],
        excludes: &PathFilter::default(),
        destination: &TreePath::root(),
        form: DestinationForm::Directory,
        owner: None,
        mode: None,
    };
    copy(&mut rootfs.vfs(now), &request)?;
    let options = PackOptions { compression: Compression::None, source_date_epoch: None };
    // Only the index is wanted: it tells what the files are where the disk could not store it.
    let packed = pack(&diff(&rootfs, &Touched::Paths)?, &rootfs, &options, &mut io::sink())?;
    stage.commit_step(rootfs, packed.index)?;
    Ok(Some(workspace.view(&stage.finish()?)?))
}
