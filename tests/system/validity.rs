//! What the product itself demands of an image: `zoea_image::validate` finds nothing.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use serde_json::Value;
use zoea_image::{Layout, validate};
use zoea_tests::skopeo;

/// Checks the one image of a layout.
pub(crate) fn check(layout: &Path) -> Result<()> {
    let config = skopeo::config(&format!("oci:{}", layout.display()))?;
    let field = |name: &str| config.get(name).and_then(Value::as_str).context("no platform");
    let platform = format!("{}/{}", field("os")?, field("architecture")?).parse()?;
    let directory = Dir::open_ambient_dir(layout, ambient_authority())?;
    let image = Layout::open(&directory)?.image(None, &platform)?;
    let violations = validate(&image);
    ensure!(violations.is_empty(), "{violations:?}");
    Ok(())
}
