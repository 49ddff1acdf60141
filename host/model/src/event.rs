//! What a build tells while it works. Events only go up, and nobody answers them.

use crate::{Digest, SourceSpan};

/// Names one step in output: `[stage 2/5] RUN make`, or `[linux/arm64 stage 2/5] RUN make`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepName {
    /// What it is built for, where several images are built: `linux/arm64`, or `linux/amd64->arm64` in a stage whose
    /// platform is not the image's.
    pub platform: Option<String>,
    /// The stage's name.
    pub stage: String,
    /// The step's position in its stage, from 1.
    pub number: usize,
    /// How many steps the stage has.
    pub total: usize,
    /// The instruction on one line.
    pub text: String,
}

impl StepName {
    /// Returns where the step stands, for a sentence: ``step 2 of stage `app` for linux/arm64``.
    pub fn place(&self) -> String {
        let platform = self.platform.as_ref().map(|platform| format!(" for {platform}")).unwrap_or_default();
        format!("step {} of stage `{}`{platform}", self.number, self.stage)
    }

    /// Returns the step's name as progress shows it: `linux/arm64 app 2/5`.
    pub fn label(&self) -> String {
        let platform = self.platform.as_ref().map(|platform| format!("{platform} ")).unwrap_or_default();
        format!("{platform}{} {}/{}", self.stage, self.number, self.total)
    }
}

/// Which stream a step's output came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Something the user should know, which does not stop the build.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Warning {
    /// Where in the Dockerfile, if there.
    pub span: Option<SourceSpan>,
    /// What, as a sentence without its final period.
    pub message: String,
    /// The build check that complains, by BuildKit's name, if one does.
    pub rule: Option<&'static str>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Warning {
    /// Makes a warning that is about no place in the Dockerfile.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An image name now means this manifest.
    ImageResolved {
        /// The name as written.
        name: String,
        /// The manifest's digest.
        digest: Digest,
    },
    /// A base layer is fetched and unpacked.
    LayerStarted {
        /// The layer's blob.
        digest: Digest,
        /// Its length in bytes.
        size: u64,
    },
    /// A base layer is there.
    LayerFinished {
        /// The layer's blob.
        digest: Digest,
    },
    /// A stage needs no tree, so nothing of its base is unpacked.
    UnpackSkipped {
        /// The stage's name.
        stage: String,
    },
    /// A step begins.
    StepStarted(StepName),
    /// A step's process wrote something.
    StepOutput {
        /// The step.
        step: StepName,
        /// Which stream.
        stream: OutputStream,
        /// The bytes as they came; lines may be split anywhere.
        bytes: Vec<u8>,
    },
    /// A step is done.
    StepFinished {
        /// The step.
        step: StepName,
        /// Its wall time in milliseconds.
        milliseconds: u64,
    },
    /// Something the user should know, which does not stop the build.
    Warning(Warning),
    /// The image is complete.
    ImageBuilt {
        /// The manifest's digest.
        digest: Digest,
    },
    /// The image was written somewhere.
    Exported {
        /// A name for the place.
        destination: String,
    },
    /// A blob was uploaded, mounted or found in place.
    BlobPushed {
        /// The blob.
        digest: Digest,
        /// `uploaded`, `mounted` or `present`.
        how: &'static str,
    },
    /// The image is in a registry.
    Pushed {
        /// The reference.
        reference: String,
        /// The manifest's digest.
        digest: Digest,
    },
    /// The image is not pushed, as asked.
    PushSkipped,
}

/// Where events go.
pub trait Events: Sync {
    /// Takes one event. Never fails and never blocks for long.
    fn emit(&self, event: Event);
}

/// Drops every event.
#[derive(Debug, Clone, Copy, Default)]
pub struct IgnoreEvents;

impl Events for IgnoreEvents {
    fn emit(&self, _event: Event) {}
}
