//! One step: change the tree, take the difference, write it as a layer.

use cap_std::fs::File;
use zoea_image::NewLayer;
use zoea_launch::{LaunchError, StepStatus};
use zoea_model::{
    Attributes, ContextName, CopyStep, Event, Linking, Operation, Process, RunStep, StepName, TreePath,
    WorkdirStep,
};
use zoea_rootfs::{
    LayerIndex, Owner, PackOptions, Rootfs, RootfsError, StageTree, Touched, Tree, Vfs, diff, pack,
    resolve_owner, resolve_user,
};

use crate::BuildError;
use crate::copy_step::{copy_context, copy_files};
use crate::made_layer::MadeLayer;
use crate::run::Session;

/// The mode of a directory that the build makes on the way to something else.
const DIRECTORY_MODE: u32 = 0o755;

/// Performs one operation on a stage's tree; returns its layer, if it makes one.
pub(crate) fn perform(
    operation: &Operation,
    name: &StepName,
    tree: &mut StageTree,
    session: &mut Session<'_, '_>,
) -> Result<Option<MadeLayer>, BuildError> {
    if let Operation::Copy(step @ CopyStep { linking: Linking::Independent, .. }) = operation {
        return copy_by_itself(step, tree, session).map(Some);
    }
    if !operation.makes_layer() {
        return Ok(None);
    }
    let mut rootfs = tree.begin_step()?;
    let touched = match operation {
        Operation::Metadata => Touched::Nothing,
        Operation::Workdir(step) => workdir(step, &mut rootfs, session)?,
        Operation::Copy(step) => copy_onto(step, &mut rootfs, session)?,
        Operation::Run(step) => run(step, name, &mut rootfs, session)?,
    };
    let (layer, index) = write(&rootfs, touched, session)?;
    tree.commit_step(rootfs, index)?;
    Ok(Some(MadeLayer { layer, description: description(operation) }))
}

/// As BuildKit describes a layer that no row of the history stands for.
fn description(operation: &Operation) -> String {
    match operation {
        Operation::Run(RunStep { command, .. }) => {
            let words =
                [command.program.as_str()].into_iter().chain(command.arguments.iter().map(String::as_str));
            format!("mount / from exec {}", words.collect::<Vec<_>>().join(" "))
        }
        Operation::Metadata | Operation::Workdir(_) | Operation::Copy(_) => "fileop target".to_owned(),
    }
}

/// Copies onto an empty tree and puts the result over the stage's.
fn copy_by_itself(
    step: &CopyStep,
    tree: &mut StageTree,
    session: &mut Session<'_, '_>,
) -> Result<MadeLayer, BuildError> {
    let by_itself = session.capabilities.workspace.independent_tree()?;
    let mut rootfs = by_itself.begin_step()?;
    let touched = copy_onto(step, &mut rootfs, session)?;
    let (layer, index) = write(&rootfs, touched, session)?;
    drop(rootfs);
    tree.put_over(by_itself, index, session.now())?;
    Ok(MadeLayer { layer, description: "fileop target".to_owned() })
}

/// Makes a layer of all files of a context on an empty tree, and returns it with that tree.
pub(crate) fn context_layer(
    name: &ContextName,
    session: &Session<'_, '_>,
) -> Result<(MadeLayer, Tree), BuildError> {
    let workspace = session.capabilities.workspace;
    let mut stage = workspace.start_stage(&workspace.scratch())?;
    let mut rootfs = stage.begin_step()?;
    copy_context(name, &mut rootfs, session)?;
    let (layer, index) = write(&rootfs, Touched::Paths, session)?;
    stage.commit_step(rootfs, index)?;
    let described = match name {
        ContextName::Main => "context",
        ContextName::Named(name) => name,
    };
    let description = format!("local source for {described}");
    Ok((MadeLayer { layer, description }, stage.finish()?))
}

/// Takes the difference and writes it as a blob.
fn write(
    rootfs: &Rootfs,
    touched: Touched,
    session: &Session<'_, '_>,
) -> Result<(NewLayer, LayerIndex), BuildError> {
    let options = PackOptions {
        compression: session.options.compression,
        source_date_epoch: session.options.source_date_epoch,
    };
    let changes = diff(rootfs, &touched)?;
    let mut writer = session.capabilities.blobs.writer()?;
    let packed = pack(&changes, rootfs, &options, &mut writer)?;
    writer.finish()?;
    let layer = NewLayer {
        digest: packed.digest,
        size: packed.size,
        diff_id: packed.diff_id,
        media_type: packed.media_type,
    };
    Ok((layer, packed.index))
}

fn workdir(
    step: &WorkdirStep,
    rootfs: &mut Rootfs,
    session: &Session<'_, '_>,
) -> Result<Touched, BuildError> {
    let owner = resolve_owner(&step.owner, &opener(&rootfs.vfs(session.now())))?;
    make_directory(&step.path, owner, rootfs, session)?;
    Ok(Touched::Paths)
}

fn copy_onto(
    step: &CopyStep,
    rootfs: &mut Rootfs,
    session: &mut Session<'_, '_>,
) -> Result<Touched, BuildError> {
    let owner = match &step.owner {
        Some(spec) => Some(resolve_owner(spec, &opener(&rootfs.vfs(session.now())))?),
        None => None,
    };
    copy_files(step, owner, rootfs, session)?;
    Ok(Touched::Paths)
}

fn run(
    step: &RunStep,
    name: &StepName,
    rootfs: &mut Rootfs,
    session: &Session<'_, '_>,
) -> Result<Touched, BuildError> {
    let identity = resolve_user(&step.user, &opener(&rootfs.vfs(session.now())))?;
    let owner = Owner { uid: identity.uid, gid: identity.gid };
    make_directory(&step.working_directory, owner, rootfs, session)?;
    let process = Process {
        command: step.command.clone(),
        environment: step.environment.clone(),
        working_directory: step.working_directory.clone(),
        user: step.user.clone(),
        network: step.network,
        scripts: step.scripts.clone(),
    };
    let events = session.capabilities.events;
    let mut output = |stream, bytes: &[u8]| {
        events.emit(Event::StepOutput { step: name.clone(), stream, bytes: bytes.to_vec() });
    };
    let probe = session.capabilities.probe;
    let no_launcher = || BuildError::Launch(LaunchError::NoLauncher(probe.clone()));
    let launcher = session.capabilities.launcher.ok_or_else(no_launcher)?;
    let outcome = launcher.run(rootfs, &process, &identity, &mut output).map_err(BuildError::Launch)?;
    if outcome.status == StepStatus::Exited(0) {
        return Ok(outcome.touched);
    }
    Err(BuildError::Failed { status: outcome.status, kind: probe.kind })
}

/// Makes a directory and what is missing above it, owned by `owner`; leaves an existing one as it is.
fn make_directory(
    path: &TreePath,
    owner: Owner,
    rootfs: &mut Rootfs,
    session: &Session<'_, '_>,
) -> Result<(), BuildError> {
    let now = session.now();
    let attributes =
        Attributes { uid: owner.uid, gid: owner.gid, ..Attributes::root_owned(DIRECTORY_MODE, now) };
    rootfs.vfs(now).create_dir_all(path, &attributes)?;
    Ok(())
}

/// Opens files of the tree for the resolution of names; a missing file is none.
fn opener<'a>(vfs: &'a Vfs<'_>) -> impl Fn(&TreePath) -> Result<Option<File>, RootfsError> + 'a {
    |path| {
        let resolved = vfs.resolve(path)?;
        match vfs.lookup(&resolved) {
            Some(_) => vfs.open_file(&resolved).map(Some),
            None => Ok(None),
        }
    }
}
