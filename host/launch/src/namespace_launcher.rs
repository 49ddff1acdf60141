//! The launcher that runs steps in namespaces.
//!
//! Owns the order of what surrounds a run: ids checked, mount points made, process run, mount points removed. What
//! happens inside the namespaces is in `step`.

use std::fmt;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use zoea_model::{InlineFile, Network, OutputStream, Platform, Process};
use zoea_rootfs::{Identity, Rootfs, Touched};

use crate::foreign;
use crate::id_map::SupplementaryGroups;
use crate::message::{StepNetwork, StepRequest, StepUser};
use crate::policy::DEFAULT_PATH;
use crate::running::Running;
use crate::stub::Stubs;
use crate::surroundings::Powers;
use crate::{LaunchError, Launcher, Outcome, StepStatus};

/// The group of terminals: `tty` in Debian and in the OCI runtime specification's example of `devpts`.
const TERMINAL_GROUP: u32 = 5;

/// What all steps of a build have in common.
#[derive(Debug, Clone)]
pub struct StepSettings {
    /// The content of `/etc/resolv.conf`: usually the host's.
    pub resolver: Vec<u8>,
    /// What [`Network::Default`] means; itself, it means the host's.
    pub network: Network,
}

/// Runs steps in namespaces of their own.
#[derive(Clone)]
pub struct NamespaceLauncher {
    powers: Arc<Powers>,
    settings: StepSettings,
}

impl fmt::Debug for NamespaceLauncher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamespaceLauncher").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl NamespaceLauncher {
    /// Makes a launcher; [`Surroundings::launcher`](crate::Surroundings::launcher) calls it.
    pub(crate) fn new(powers: Arc<Powers>, settings: StepSettings) -> Self {
        Self { powers, settings }
    }

    /// Runs `process` in the tree at `tree`, a path in the builder's mount namespace.
    ///
    /// The tree is used by nobody else meanwhile. The calling thread must live until the call returns: the step
    /// dies with it.
    ///
    /// # Errors
    /// As [`Launcher::run`].
    pub fn run_at(
        &self,
        tree: &Path,
        process: &Process,
        identity: &Identity,
        output: &mut dyn FnMut(OutputStream, &[u8]),
    ) -> Result<StepStatus, LaunchError> {
        let request = self.request(tree, process, identity)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(tree, flags, Mode::empty())
            .map_err(|error| LaunchError::OpenTree { path: tree.to_owned(), source: error.into() })?;
        let stubs = Stubs::make(root.as_fd())?;
        let status = Running::start(&self.powers.executable, &request).and_then(|step| step.follow(output));
        let removed = stubs.remove();
        let status = status?;
        removed?;
        Ok(status)
    }

    /// Puts together what the step is to be told.
    fn request(
        &self,
        tree: &Path,
        process: &Process,
        identity: &Identity,
    ) -> Result<StepRequest, LaunchError> {
        let ids = &self.powers.ids;
        let (uid, gid) = (identity.uid, identity.gid);
        if !ids.contains(uid, gid) {
            return Err(LaunchError::NeedsIds { uid, gid });
        }
        let groups = match ids.supplementary {
            SupplementaryGroups::Settable => {
                if let Some(gid) = identity.groups.iter().copied().find(|group| !ids.groups.contains(*group))
                {
                    return Err(LaunchError::NeedsIds { uid, gid });
                }
                Some(identity.groups.clone())
            }
            SupplementaryGroups::Fixed => None,
        };
        let value =
            |name| process.environment.iter().find(|(other, _)| other == name).map(|(_, value)| value);
        let search_path = value("PATH").map_or_else(|| DEFAULT_PATH.to_owned(), Clone::clone);
        let mut environment: Vec<String> =
            process.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if value("HOME").is_none() {
            environment.push(format!("HOME={}", identity.home));
        }
        let command = &process.command;
        let arguments: Vec<String> =
            [&command.program].into_iter().chain(&command.arguments).cloned().collect();
        refuse_nul("an argument", &arguments)?;
        refuse_nul("an environment variable", &environment)?;
        let scripts = process.scripts.iter().map(script).collect::<Result<_, _>>()?;
        let network = match (process.network, self.settings.network) {
            (Network::None, _) | (Network::Default, Network::None) => StepNetwork::Own,
            (Network::Host, _) | (Network::Default, Network::Host | Network::Default) => StepNetwork::Shared,
        };
        Ok(StepRequest {
            tree: tree.as_os_str().as_bytes().to_vec(),
            arguments,
            environment,
            search_path,
            working_directory: [b"/", process.working_directory.as_bytes()].concat(),
            user: StepUser { uid, gid, groups },
            network,
            resolver: self.settings.resolver.clone(),
            terminal_group: ids.groups.contains(TERMINAL_GROUP).then_some(TERMINAL_GROUP),
            scripts,
        })
    }
}

/// Refuses a script whose name is more than one component: it would be a file elsewhere.
fn script(file: &InlineFile) -> Result<(String, Vec<u8>), LaunchError> {
    let is_component = !matches!(file.name.as_str(), "" | "." | "..") && !file.name.contains(['/', '\0']);
    match is_component {
        true => Ok((file.name.clone(), file.content.clone())),
        false => Err(LaunchError::ScriptName(file.name.clone())),
    }
}

/// Refuses text that cannot be a C string.
fn refuse_nul(what: &str, texts: &[String]) -> Result<(), LaunchError> {
    match texts.iter().find(|text| text.contains('\0')) {
        Some(text) => Err(LaunchError::NulByte(format!("{what} (`{}`)", text.escape_debug()))),
        None => Ok(()),
    }
}

impl Launcher for NamespaceLauncher {
    fn name(&self) -> &'static str {
        "namespace"
    }

    fn try_platform(&self, platform: &Platform, scratch: &Path) -> Result<(), LaunchError> {
        foreign::try_platform(self, platform, scratch)
    }

    fn run(
        &self,
        rootfs: &Rootfs,
        process: &Process,
        identity: &Identity,
        output: &mut dyn FnMut(OutputStream, &[u8]),
    ) -> Result<Outcome, LaunchError> {
        if rootfs.upper().is_none() {
            return Err(LaunchError::NeedsOverlay);
        }
        let status = self.run_at(rootfs.host_path(), process, identity, output)?;
        Ok(Outcome { status, touched: Touched::Upper })
    }
}
