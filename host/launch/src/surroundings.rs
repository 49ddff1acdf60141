//! Where the builder is after it entered its namespaces.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use zoea_rootfs::OverlayMounter;

use crate::LaunchError;
use crate::id_map::IdMaps;
use crate::namespace_launcher::{NamespaceLauncher, StepSettings};
use crate::overlay::KernelOverlay;
use crate::overlay_probe;
use crate::probe::{NamespaceKind, Probe, Refusal};

/// What launching needs and only entering can give.
#[derive(Debug)]
pub(crate) struct Powers {
    /// The ids that exist.
    pub(crate) ids: IdMaps,
    /// The protected handle on the builder's binary.
    pub(crate) executable: OwnedFd,
}

/// What [`enter`](crate::enter) found and made.
#[derive(Debug, Clone)]
pub struct Surroundings {
    probe: Probe,
    powers: Option<Arc<Powers>>,
}

impl Surroundings {
    /// Describes a process that is in namespaces of its own.
    pub(crate) fn new(probe: Probe, powers: Powers) -> Self {
        Self { probe, powers: Some(Arc::new(powers)) }
    }

    /// Describes a process for which nothing works.
    pub(crate) fn without_powers(refusals: Vec<Refusal>) -> Self {
        Self { probe: Probe { kind: NamespaceKind::None, refusals }, powers: None }
    }

    /// Returns which way works.
    pub fn kind(&self) -> NamespaceKind {
        self.probe.kind
    }

    /// Returns why the ways before it do not.
    pub fn refusals(&self) -> &[Refusal] {
        &self.probe.refusals
    }

    /// Returns both.
    pub fn probe(&self) -> &Probe {
        &self.probe
    }

    /// Finds out whether overlays work with layers in `directory`, by mounting one there.
    ///
    /// # Errors
    /// Why not; the directory is left as it was.
    pub fn probe_overlay(&self, directory: &Path) -> Result<Arc<dyn OverlayMounter>, Refusal> {
        if self.powers.is_none() {
            return Err(Refusal::new("overlays", "the builder has no mount namespace"));
        }
        overlay_probe::try_in(directory)?;
        Ok(Arc::new(KernelOverlay))
    }

    /// Returns the launcher that works here.
    ///
    /// # Errors
    /// [`LaunchError::NoLauncher`] with all refusals.
    pub fn launcher(&self, settings: StepSettings) -> Result<NamespaceLauncher, LaunchError> {
        match &self.powers {
            Some(powers) => Ok(NamespaceLauncher::new(Arc::clone(powers), settings)),
            None => Err(LaunchError::NoLauncher(self.probe.clone())),
        }
    }
}
