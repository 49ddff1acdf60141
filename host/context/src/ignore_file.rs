//! Finding and reading the ignore file of a context.
//!
//! `<Dockerfile>.dockerignore` beside the Dockerfile wins over `.dockerignore` in the context's root; they are
//! not joined. Reads nothing outside of the directories it is given, and no more than an ignore file can be.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt as _};
use rustix::fs::OFlags;

use crate::{ContextError, IgnoreRules};

/// Largest ignore file: thousands of lines more than people write, and still matched in no time.
const MAX_IGNORE_FILE_BYTES: u64 = 1 << 20;

impl IgnoreRules {
    /// Reads the ignore file for a context; `dockerfile` is where the Dockerfile is, if it is a file at all.
    ///
    /// # Errors
    /// Reports a file that cannot be read, is too large, or holds malformed patterns. A missing one is no error.
    pub fn load(context: &Dir, dockerfile: Option<(&Dir, &Path)>) -> Result<Self, ContextError> {
        if let Some((directory, name)) = dockerfile {
            let mut beside = name.as_os_str().to_owned();
            beside.push(".dockerignore");
            if let Some(rules) = read(directory, &PathBuf::from(beside))? {
                return Ok(rules);
            }
        }
        Ok(read(context, Path::new(".dockerignore"))?.unwrap_or_default())
    }
}

fn read(directory: &Dir, name: &Path) -> Result<Option<IgnoreRules>, ContextError> {
    let failed = |source| ContextError::ReadIgnoreFile { file: name.to_owned(), source };
    let Some(file) = open(directory, name).map_err(failed)? else { return Ok(None) };
    let mut bytes = Vec::new();
    let count = file.take(MAX_IGNORE_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if count as u64 > MAX_IGNORE_FILE_BYTES {
        let reason = format!("larger than {MAX_IGNORE_FILE_BYTES} bytes");
        return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, reason)));
    }
    IgnoreRules::parse(name, &bytes).map(Some)
}

/// Opens a regular file without waiting for the other end of a named pipe; links stay inside of `directory`.
fn open(directory: &Dir, name: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    match directory.open_with(name, &options) {
        Ok(file) if file.metadata()?.is_file() => Ok(Some(file)),
        Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use rustix::fs::Mode;
    use tempfile::TempDir;
    use zoea_model::TreePath;

    use super::*;

    fn open_directory(path: &Path) -> Dir {
        Dir::from_std_file(rustix::fs::open(path, OFlags::DIRECTORY, Mode::empty()).unwrap().into())
    }

    fn ignores(rules: &IgnoreRules, path: &str) -> bool {
        rules.ignores(&TreePath::new(path).unwrap())
    }

    #[test]
    fn the_file_beside_the_dockerfile_wins() {
        let temporary = TempDir::new().unwrap();
        let dir = open_directory(temporary.path());
        let load = || IgnoreRules::load(&dir, Some((&dir, Path::new("sub/Dockerfile")))).unwrap();
        assert_eq!(load(), IgnoreRules::none());
        dir.write(".dockerignore", "root").unwrap();
        assert!(ignores(&load(), "root"));
        dir.create_dir("sub").unwrap();
        dir.write("sub/Dockerfile.dockerignore", "beside").unwrap();
        assert!(ignores(&load(), "beside") && !ignores(&load(), "root"));
        assert_eq!(load().origin(), Some(Path::new("sub/Dockerfile.dockerignore")));
        assert!(ignores(&IgnoreRules::load(&dir, None).unwrap(), "root"));
    }

    #[test]
    fn what_is_no_ignore_file_is_refused() {
        let around = TempDir::new().unwrap();
        let around_dir = open_directory(around.path());
        around_dir.write("outside", "outside").unwrap();
        for case in ["pipe", "directory", "link", "absolute", "large", "malformed"] {
            around_dir.create_dir(case).unwrap();
            let path = around.path().join(case);
            let dir = open_directory(&path);
            match case {
                "pipe" => {
                    rustix::fs::mknodat(&dir, ".dockerignore", rustix::fs::FileType::Fifo, Mode::RWXU, 0)
                        .unwrap()
                }
                "directory" => dir.create_dir(".dockerignore").unwrap(),
                "link" => dir.symlink("../outside", ".dockerignore").unwrap(),
                "absolute" => {
                    let target = around.path().join("outside");
                    dir.symlink_contents(target, ".dockerignore").unwrap();
                }
                "large" => dir.write(".dockerignore", "a".repeat(2 << 20)).unwrap(),
                _ => dir.write(".dockerignore", "[").unwrap(),
            }
            let error = IgnoreRules::load(&dir, None).unwrap_err();
            assert!(!error.to_string().is_empty() && path.as_os_str().as_bytes().ends_with(case.as_bytes()));
        }
    }
}
