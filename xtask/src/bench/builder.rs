//! The builders that are compared: zoea, and others where they are installed.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use zoea_tests::{Finished, Registry, Zoea, isolation, machine};

/// A builder that can build a context.
#[derive(Debug, Clone, Copy)]
pub(super) enum Builder<'a> {
    /// This project's.
    Zoea(&'a Zoea),
    /// buildah on overlays, its fastest way, with its storage in the home of the same user.
    Buildah(&'a Zoea),
}

impl<'a> Builder<'a> {
    /// Lists what can be measured here, zoea first.
    pub(super) fn installed(zoea: &'a Zoea) -> Vec<Self> {
        let mut builders = vec![Self::Zoea(zoea)];
        if machine::has_program("buildah") {
            builders.push(Self::Buildah(zoea));
        }
        builders
    }

    /// Returns its name for tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Zoea(_) => "zoea",
            Self::Buildah(_) => "buildah",
        }
    }

    /// Builds `context`, whose base lies in `registry`, keeping the layers and using none of an earlier build.
    pub(super) fn build(self, context: &Path, registry: &Registry) -> Result<Finished> {
        match self {
            Self::Zoea(zoea) => zoea.build(context, &["--insecure-registry", registry.address()]),
            Self::Buildah(zoea) => {
                let storage = zoea.home().join("buildah");
                let mut command = Command::new("buildah");
                command.arg("--root").arg(storage.join("root")).arg("--runroot").arg(storage.join("run"));
                command.args(["--storage-driver", "overlay", "build", "--isolation", "chroot", "--layers"]);
                command.args(["--no-cache", "--tls-verify=false"]).arg(context);
                let mut command = isolation::private_mounts(&command);
                Finished::of(command.env("HOME", zoea.home()))
            }
        }
    }
}
