//! An image that a test built, as an OCI layout, with questions about it.
//!
//! Every image that is made here has been read whole by skopeo, which checks all digests, and found valid by the
//! product's own list of what an image must keep.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};
use serde_json::Value;
use zoea_tests::{Base, Bundle, Finished, Zoea, skopeo};

/// A built image.
#[derive(Debug)]
pub(crate) struct Built {
    layout: PathBuf,
}

impl Built {
    /// Builds `context` with more `arguments`, and checks the image.
    pub(crate) fn new(zoea: &Zoea, context: &Path, arguments: &[&str]) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let layout = zoea.home().join(format!("layout{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let output = format!("type=oci,tar=false,dest={}", layout.display());
        zoea.build(context, &[&["-o", &output], arguments].concat())?.success()?;
        let built = Self { layout };
        built.check(zoea)?;
        Ok(built)
    }

    /// Builds the Dockerfile `text` alone.
    pub(crate) fn of(zoea: &Zoea, text: &str, arguments: &[&str]) -> Result<Self> {
        let context = zoea.context(&[("Dockerfile", text)])?;
        Self::new(zoea, &context, arguments)
    }

    fn check(&self, zoea: &Zoea) -> Result<()> {
        let copy = zoea.home().join("tmp/copy");
        skopeo::copy(&self.image(), &format!("dir:{}", copy.display()))?;
        fs::remove_dir_all(copy)?;
        crate::validity::check(&self.layout)
    }

    /// Returns its name for skopeo.
    pub(crate) fn image(&self) -> String {
        format!("oci:{}", self.layout.display())
    }

    /// Returns its configuration.
    pub(crate) fn config(&self) -> Result<Value> {
        skopeo::config(&self.image())
    }

    /// Returns the digest of its manifest.
    pub(crate) fn digest(&self) -> Result<String> {
        let inspected = skopeo::inspect(&self.image())?;
        Ok(inspected.pointer("/Digest").and_then(Value::as_str).context("no digest")?.to_owned())
    }

    /// Returns its layers' descriptors, lowest first.
    pub(crate) fn layers(&self) -> Result<Vec<Value>> {
        let manifest = skopeo::manifest(&self.image())?;
        Ok(manifest.pointer("/layers").and_then(Value::as_array).context("no layers")?.clone())
    }

    /// Lists its topmost layer as GNU tar does, without times: `drwxr-xr-x 0/0 0 f/`. The root's own row, which only
    /// says that its time changed, is left out.
    pub(crate) fn top_layer(&self) -> Result<Vec<String>> {
        let layers = self.layers()?;
        let top = layers.last().and_then(|layer| layer.pointer("/digest")).and_then(Value::as_str);
        let name = top.and_then(|digest| digest.strip_prefix("sha256:")).context("no layer")?;
        let blob = self.layout.join("blobs/sha256").join(name);
        let mut command = Command::new("tar");
        command
            .args(["--list", "--verbose", "--numeric-owner", "--quoting-style=escape", "--file"])
            .arg(blob);
        let list = Finished::of(&mut command)?.success()?.stdout;
        let line = |line: &str| {
            let words: Vec<_> = line.split_whitespace().collect();
            let (before, after) = words.split_at(words.len().min(3));
            [before, after.get(2..).unwrap_or_default()].concat().join(" ")
        };
        Ok(list.lines().map(line).filter(|line| !line.ends_with(" ./")).collect())
    }

    /// Unpacks it with umoci, to be looked at and run.
    pub(crate) fn unpack(&self) -> Result<Bundle> {
        Bundle::unpack(&self.image())
    }
}

/// Returns the arguments that make `base` an image called `base` in the Dockerfile.
pub(crate) fn with_base(base: Base) -> Result<[String; 2]> {
    Ok(["--build-context".to_owned(), format!("base=oci-archive://{}", base.archive()?.display())])
}

/// Borrows words for a list of arguments.
pub(crate) fn words(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}
