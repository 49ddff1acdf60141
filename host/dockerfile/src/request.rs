//! What a caller asks of [`lower`](crate::lower) and what it answers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use zoea_model::{Digest, ImageConfig, Plan, Platform, SourceDate, SourceSpan, Timestamp, Warning};

/// What is to be built of a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The wanted stage by name or index; the last by default.
    pub target: Option<String>,
    /// `--build-arg`.
    pub build_args: BTreeMap<String, String>,
    /// What the image is for.
    pub platform: Platform,
    /// What the builder itself is.
    pub build_platform: Platform,
    /// `--label`, added to the result's configuration.
    pub labels: BTreeMap<String, String>,
    /// `--build-context`, by name, perhaps with `::platform` behind it.
    pub named_contexts: BTreeMap<String, NamedContext>,
}

/// What a `--build-context` gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedContext {
    /// An image, which is asked for under the context's name.
    Image,
    /// Files.
    Files,
}

/// An image whose configuration must be known before the build can be planned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageRequest {
    /// The name as written, its variables replaced.
    pub name: String,
    /// The platform that is wanted of it.
    pub platform: Platform,
    /// Where it is asked for.
    pub span: SourceSpan,
    /// A stage whose name is like the image's, which may be meant.
    pub similar_stage: Option<String>,
}

impl ImageRequest {
    /// Returns the key of the image in [`Known::images`].
    pub fn key(&self) -> (String, Platform) {
        (self.name.clone(), self.platform.clone())
    }
}

/// An image with what a plan needs of it.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownImage {
    /// The digest of the manifest of the wanted platform.
    pub digest: Digest,
    /// Its configuration.
    pub config: ImageConfig,
}

/// What was found out since the first [`lower`](crate::lower).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Known {
    /// Images by name as written and wanted platform.
    pub images: BTreeMap<(String, Platform), KnownImage>,
    /// The answer to [`Needs::source_date`].
    pub source_date: Option<KnownDate>,
    /// What the build context leaves out.
    pub ignored: IgnoredFiles,
}

/// Says which files of the build context are left out, for the check that complains of copying them.
///
/// The path is relative and may be a pattern; `.` is the context itself. Rules with exceptions say nothing: whether
/// a directory that they leave out holds something after all, they cannot tell.
#[derive(Clone, Default)]
pub struct IgnoredFiles(Option<Arc<Ignores>>);

/// Says whether a path is left out.
type Ignores = dyn Fn(&str) -> bool + Send + Sync;

impl IgnoredFiles {
    /// Asks `ignores` of every path that is copied.
    pub fn new(ignores: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(ignores)))
    }

    /// Says whether `path` is left out.
    pub(crate) fn contains(&self, path: &str) -> bool {
        self.0.as_ref().is_some_and(|ignores| ignores(path))
    }
}

impl fmt::Debug for IgnoredFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IgnoredFiles").field(&self.0.is_some()).finish()
    }
}

impl PartialEq for IgnoredFiles {
    /// The same rules, not only equal ones: functions cannot be compared.
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(left), Some(right)) => Arc::ptr_eq(left, right),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

/// The date of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownDate {
    /// It has this one.
    At(Timestamp),
    /// It has none, so the build has no fixed date.
    None,
}

/// What is still to be found out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Needs {
    /// Images, in the order of the file, each once.
    pub images: Vec<ImageRequest>,
    /// Something whose date is wanted; never [`SourceDate::Given`].
    pub source_date: Option<SourceDate>,
}

/// How far a Dockerfile could be lowered.
#[derive(Debug, Clone, PartialEq)]
pub enum Lowered {
    /// To the end.
    Plan {
        /// The plan.
        plan: Plan,
        /// What the user should know.
        warnings: Vec<Warning>,
    },
    /// Not without knowing more.
    Needs(Needs),
}
