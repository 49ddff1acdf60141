//! Bytes that no compressor can shorten.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::Result;

/// The length of the block that is repeated: far more than the window in which compressors look back.
const BLOCK: u64 = 1 << 23;

/// Writes a file of `size` bytes. It is the same every time: a xorshift generator's.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, size: u64) -> Result<()> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let words = (0..BLOCK.min(size).div_ceil(8)).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let block: Vec<u8> = words.collect();
    let mut file = File::create(path)?;
    let mut left = size;
    while left > 0 {
        let count = block.len().min(usize::try_from(left)?);
        file.write_all(block.get(..count).unwrap_or_default())?;
        left -= count as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cannot_be_compressed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("noise");
        write(&path, 100_003).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 100_003);
        let output = std::process::Command::new("gzip").arg("--stdout").arg(&path).output().unwrap();
        assert!(output.stdout.len() > 100_000);
    }
}
