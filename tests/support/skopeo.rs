//! The judge of images in registries, layouts and archives: skopeo.

use std::process::Command;

use anyhow::Result;
use serde_json::Value;

use crate::finished::Finished;

/// Returns skopeo's name of an image in a registry.
pub fn remote(reference: &str) -> String {
    format!("docker://{reference}")
}

/// Returns what skopeo says of the image: its digest, layers and labels.
///
/// # Errors
/// skopeo refuses the image.
pub fn inspect(image: &str) -> Result<Value> {
    json(&["inspect", "--tls-verify=false", image])
}

/// Returns the image's manifest.
///
/// # Errors
/// skopeo refuses the image.
pub fn manifest(image: &str) -> Result<Value> {
    json(&["inspect", "--tls-verify=false", "--raw", image])
}

/// Returns the image's configuration.
///
/// # Errors
/// skopeo refuses the image.
pub fn config(image: &str) -> Result<Value> {
    json(&["inspect", "--tls-verify=false", "--config", "--raw", image])
}

/// Copies an image, which reads and checks every blob of it.
///
/// # Errors
/// skopeo refuses the image.
pub fn copy(from: &str, to: &str) -> Result<()> {
    let flags = ["--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false"];
    Finished::of(Command::new("skopeo").args(flags).args([from, to]))?.success()?;
    Ok(())
}

fn json(arguments: &[&str]) -> Result<Value> {
    let finished =
        Finished::of(Command::new("skopeo").arg("--insecure-policy").args(arguments))?.success()?;
    Ok(serde_json::from_str(&finished.stdout)?)
}
