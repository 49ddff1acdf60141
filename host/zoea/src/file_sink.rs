//! A file that an output is written into.
//!
//! Owns the promise that a file appears under its name only when it is whole. What cannot keep it (a link, a pipe,
//! a device, standard output) is written in place and never replaced.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, File, OpenOptions};

/// Bytes that are collected before they are written.
const BUFFER_SIZE: usize = 256 << 10;

/// A file that an output is written into.
#[derive(Debug)]
pub enum FileSink {
    /// Standard output.
    Stdout,
    /// A file that is replaced as a whole.
    Replaced {
        /// The directory.
        directory: Dir,
        /// The name in it.
        name: PathBuf,
        /// The path as messages show it.
        shown: PathBuf,
    },
    /// Something that is written as it stands.
    InPlace {
        /// It, opened for writing.
        file: File,
        /// The path as messages show it.
        shown: PathBuf,
    },
}

impl FileSink {
    /// Lets `write` write the content. A failure leaves what was under the name before; in place, what was written.
    ///
    /// # Errors
    /// What `write` answers, or `failed` of what the file system refuses.
    pub fn fill<E>(
        &self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
        failed: impl Fn(io::Error) -> E,
    ) -> Result<(), E> {
        match self {
            Self::Stdout => buffered(io::stdout().lock(), write, &failed).map(drop),
            Self::InPlace { file, .. } => {
                if file.metadata().is_ok_and(|status| status.is_file()) {
                    file.set_len(0).map_err(&failed)?;
                }
                buffered(file, write, &failed).map(drop)
            }
            Self::Replaced { directory, name, .. } => {
                let temporary = temporary_name(name);
                // Left by an earlier process of the same number that was killed; what is made below is new.
                drop(directory.remove_file(&temporary));
                let result = fill_temporary(directory, &temporary, write, &failed)
                    .and_then(|()| directory.rename(&temporary, directory, name).map_err(&failed));
                if result.is_err() {
                    // The failure that is reported is the first one; the leftover may not even exist.
                    drop(directory.remove_file(&temporary));
                }
                result
            }
        }
    }
}

impl fmt::Display for FileSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("standard output"),
            Self::Replaced { shown, .. } | Self::InPlace { shown, .. } => write!(f, "`{}`", shown.display()),
        }
    }
}

fn fill_temporary<E>(
    directory: &Dir,
    temporary: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    failed: &impl Fn(io::Error) -> E,
) -> Result<(), E> {
    let options = OpenOptions::new().write(true).create_new(true).to_owned();
    let file = directory.open_with(temporary, &options).map_err(failed)?;
    buffered(file, write, failed)?.sync_all().map_err(failed)
}

fn buffered<W: Write, E>(
    sink: W,
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    failed: &impl Fn(io::Error) -> E,
) -> Result<W, E> {
    let mut writer = io::BufWriter::with_capacity(BUFFER_SIZE, sink);
    write(&mut writer)?;
    writer.into_inner().map_err(|error| failed(error.into_error()))
}

fn temporary_name(name: &Path) -> PathBuf {
    let file = name.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.with_file_name(format!(".{file}.{}.partial", std::process::id()))
}
