//! Big trees to measure on.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use zoea_tests::{Base, Zoea};

/// How many files lie in one directory, as in a package's own.
const FILES_IN_DIRECTORY: u32 = 100;

/// Makes an image of busybox with `count` more files, as an OCI archive.
pub(super) fn archive(zoea: &Zoea, count: u32) -> Result<PathBuf> {
    let text = "FROM base\nCOPY tree /tree/\n";
    let context = zoea.context(&[("Dockerfile", text)])?;
    fill(&context.join("tree"), count)?;
    let archive = zoea.home().join(format!("tree-{count}.tar"));
    let base = format!("base=oci-archive://{}", Base::Busybox.archive()?.display());
    let output = format!("type=oci,dest={}", archive.display());
    zoea.build(&context, &["--build-context", &base, "-o", &output])?.success()?;
    Ok(archive)
}

/// Makes `count` small files in directories below `tree`.
pub(super) fn fill(tree: &Path, count: u32) -> Result<()> {
    for number in 0..count {
        let directory = tree.join((number / FILES_IN_DIRECTORY).to_string());
        if number % FILES_IN_DIRECTORY == 0 {
            fs::create_dir_all(&directory)?;
        }
        fs::write(directory.join(number.to_string()), number.to_string())?;
    }
    Ok(())
}
