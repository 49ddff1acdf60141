//! `RUN --mount`: its parts as written.

use crate::ast::{MountFlag, MountOption, Word};
use crate::error::DockerfileError;

/// Reads the value of a `--mount`.
pub(crate) fn parse(word: Word) -> Result<MountFlag, DockerfileError> {
    let options = word
        .text
        .split(',')
        .map(|part| match part.split_once('=') {
            Some((key, value)) => MountOption { key: key.to_lowercase(), value: Some(value.to_owned()) },
            None => MountOption { key: part.to_lowercase(), value: None },
        })
        .collect();
    Ok(MountFlag { word, options })
}
