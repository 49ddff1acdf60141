//! Big trees to measure on.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use zoea_tests::{Base, Zoea};

/// How many files lie in one directory, as in a package's own.
const FILES_IN_DIRECTORY: u32 = 100;

/// Makes an image of busybox with `count` more files, as an OCI archive.
pub(super) fn archive(zoea: &Zoea, count: u32) -> Result<PathBuf> {
    let text = "FROM base\nCOPY tree /tree/\n";
    let context = zoea.context(&[("Dockerfile", text)])?;
    for number in 0..count {
        let directory = context.join(format!("tree/{}", number / FILES_IN_DIRECTORY));
        if number % FILES_IN_DIRECTORY == 0 {
            fs::create_dir_all(&directory)?;
        }
        fs::write(directory.join(number.to_string()), number.to_string())?;
    }
    let archive = zoea.home().join(format!("tree-{count}.tar"));
    let base = format!("base=oci-archive://{}", Base::Busybox.archive()?.display());
    let output = format!("type=oci,dest={}", archive.display());
    zoea.build(&context, &["--build-context", &base, "-o", &output])?.success()?;
    Ok(archive)
}
