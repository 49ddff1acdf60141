//! What can be wrong with a `--mount` or a `--device`.

/// One thing that can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MountProblem {
    /// The value is no line of comma-separated values.
    #[error("`--{flag}` is no list of parts with commas between them: a quote stands where it may not")]
    List {
        /// The flag.
        flag: &'static str,
    },
    /// A part has an unknown key.
    #[error("Unknown key `{key}` in `--{flag}`")]
    Key {
        /// The flag.
        flag: &'static str,
        /// The key.
        key: String,
        /// What may be meant.
        closest: Option<String>,
    },
    /// A part that needs a value has none.
    #[error("`{part}` in `--{flag}` has no `=`")]
    WithoutValue {
        /// The flag.
        flag: &'static str,
        /// The part as written.
        part: String,
    },
    /// A key has a value that it does not take.
    #[error("`{key}` in `--{flag}` cannot be `{value}`")]
    Value {
        /// The flag.
        flag: &'static str,
        /// The key.
        key: String,
        /// The value, its variables replaced.
        value: String,
        /// What it can be.
        choices: &'static str,
    },
    /// A key does not belong to the type of mount.
    #[error("A mount of type `{kind}` has no `{key}`")]
    KeyOfType {
        /// The type.
        kind: &'static str,
        /// The key.
        key: &'static str,
    },
    /// The key `from` holds a variable.
    #[error("`from` in `--mount` does not take variables: `{value}`")]
    FromVariable {
        /// The value as written.
        value: String,
    },
    /// A secret has neither name nor file.
    #[error("A secret needs an `id`, a `source` or a `target`")]
    SecretWithoutName,
    /// A secret has two names.
    #[error("A secret has either an `id` or a `source`")]
    SecretWithTwoNames,
    /// A mount would hide everything.
    #[error("A mount cannot hide the root directory")]
    TargetRoot,
    /// A device is named twice.
    #[error("The device has the name `{name}` already")]
    DeviceNamedTwice {
        /// The first name.
        name: String,
    },
}

impl MountProblem {
    /// Returns what to do about it, if that is known.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Key { closest: Some(key), .. } => Some(format!("did you mean `{key}`?")),
            Self::Value { choices, .. } => Some(format!("it can be {choices}")),
            Self::KeyOfType { key: "required" | "size", .. } => {
                Some("write `type=…` before the keys that belong to the type".to_owned())
            }
            Self::FromVariable { .. } => {
                Some("add a stage `FROM $variable AS name` and mount from that".to_owned())
            }
            Self::TargetRoot => Some("give it a `target` below the root directory".to_owned()),
            Self::List { .. }
            | Self::Key { closest: None, .. }
            | Self::WithoutValue { .. }
            | Self::KeyOfType { .. }
            | Self::SecretWithoutName
            | Self::SecretWithTwoNames
            | Self::DeviceNamedTwice { .. } => None,
        }
    }
}
