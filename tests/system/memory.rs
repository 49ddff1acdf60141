//! Memory does not grow with what is copied.

use anyhow::Result;
use zoea_tests::{Actor, Need, Zoea, noise, ready};

/// The most memory, in KiB, that may be resident while a file of 1 GiB is copied.
const MOST: u64 = 64 * 1024;

#[test]
fn a_big_file_is_copied_in_little_memory() -> Result<()> {
    if !ready("a_big_file_is_copied_in_little_memory", &[Need::Program("time")]) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Root)?;
    let context = zoea.context(&[("Dockerfile", "FROM scratch\nCOPY big /\n")])?;
    noise::write(&context.join("big"), 1 << 30)?;
    let image = zoea.home().join("big.tar");
    let output = format!("type=oci,dest={}", image.display());
    let peak = zoea.peak_memory(&["build", &context.to_string_lossy(), "-o", &output])?;
    assert!(peak < MOST, "{peak} KiB were resident");
    assert!(image.metadata()?.len() >= 1 << 30);
    Ok(())
}
