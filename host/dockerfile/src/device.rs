//! `RUN --device`: whether what is written is a device.
//!
//! Owns the check only: this version gives no step a device, and says so where a needed step asks for one.

use crate::ast::Word;
use crate::error::{DockerfileError, MountProblem, Problem};
use crate::go::{parse_bool, split_list};
use crate::suggest::closest;

/// Checks the value of a `--device`.
pub(crate) fn check(word: &Word) -> Result<(), DockerfileError> {
    check_text(&word.text).map_err(|problem| Problem::from(problem).at(word.span))
}

fn check_text(text: &str) -> Result<(), MountProblem> {
    let flag = "device";
    let mut name: Option<String> = None;
    for (_, part) in split_list(text).ok_or(MountProblem::List { flag })? {
        let (key, value) = match part.split_once('=') {
            Some((key, value)) => (key.to_lowercase(), Some(value)),
            None => (part.to_lowercase(), None),
        };
        match (key.as_str(), value) {
            ("required", None) => {}
            ("required", Some(value)) => {
                let (key, value, choices) = (key.clone(), value.to_owned(), "`true` or `false`");
                parse_bool(&value).ok_or(MountProblem::Value { flag, key, value, choices })?;
            }
            ("name", Some(value)) => match name {
                Some(name) => return Err(MountProblem::DeviceNamedTwice { name }),
                None => name = Some(value.to_owned()),
            },
            _ if name.is_none() => name = Some(part.clone()),
            (_, None) => return Err(MountProblem::WithoutValue { flag, part }),
            (_, Some(_)) => {
                let closest = closest(&key, ["name", "required"]);
                return Err(MountProblem::Key { flag, key, closest });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices() {
        for text in ["vendor.com/gpu=all", "name=vendor.com/gpu,required", "gpu,required=false"] {
            assert_eq!(check_text(text), Ok(()), "{text}");
        }
        for text in ["a,b", "a,b=c", "name=a,name=b", "a,required=maybe", "a\""] {
            assert!(check_text(text).is_err(), "{text}");
        }
    }
}
