//! The image configuration: the OCI one with Docker's fields.
//!
//! Fields are written in the order in which BuildKit writes them; fields that zoea does not know are kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::{DiffId, Platform};

/// A configuration document (OCI image specification, `config.md`; Docker image specification v1.2).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When the image was made, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// For example `amd64`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub architecture: String,
    /// For example `linux`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub os: String,
    /// For example `v7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// What a container of the image starts with.
    #[serde(default, deserialize_with = "null_as_default")]
    pub config: RuntimeConfig,
    /// The layers.
    #[serde(default, deserialize_with = "null_as_default")]
    pub rootfs: RootFs,
    /// How the layers came to be.
    #[serde(default, deserialize_with = "null_as_default")]
    pub history: Vec<HistoryRow>,
    /// Everything else, as found.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl ImageConfig {
    /// Returns the platform that the image is for.
    pub fn platform(&self) -> Platform {
        Platform {
            os: self.os.clone(),
            architecture: self.architecture.clone(),
            variant: self.variant.clone(),
        }
    }
}

/// `rootfs`: the layers by their uncompressed digests, the lowest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One per layer.
    #[serde(default, deserialize_with = "null_as_default")]
    pub diff_ids: Vec<DiffId>,
}

impl Default for RootFs {
    fn default() -> Self {
        Self { kind: "layers".to_owned(), diff_ids: Vec::new() }
    }
}

/// One row of the history.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HistoryRow {
    /// When, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Free text; `buildkit.dockerfile.v0` for rows in BuildKit's form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether the row has no layer of its own.
    #[serde(default, skip_serializing_if = "is_false", deserialize_with = "null_as_default")]
    pub empty_layer: bool,
}

/// `config`: what a container starts with.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RuntimeConfig {
    /// `USER`.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub user: String,
    /// `EXPOSE`, as `8080/tcp`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_as_default")]
    pub exposed_ports: BTreeMap<String, Map<String, Value>>,
    /// `ENV`, each `NAME=value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub env: Vec<String>,
    /// `ENTRYPOINT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// `CMD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// `VOLUME`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_as_default")]
    pub volumes: BTreeMap<String, Map<String, Value>>,
    /// `WORKDIR`.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub working_dir: String,
    /// `LABEL`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_as_default")]
    pub labels: BTreeMap<String, String>,
    /// `STOPSIGNAL`.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub stop_signal: String,
    /// Set by `CMD`, as BuildKit does.
    #[serde(default, skip_serializing_if = "is_false", deserialize_with = "null_as_default")]
    pub args_escaped: bool,
    /// `HEALTHCHECK`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// `ONBUILD`, each an instruction.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub on_build: Vec<String>,
    /// `SHELL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<Vec<String>>,
    /// Everything else, as found.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// `HEALTHCHECK`; durations in nanoseconds, 0 for the default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", text]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub test: Vec<String>,
    /// Time between checks.
    #[serde(default, skip_serializing_if = "is_zero", deserialize_with = "null_as_default")]
    pub interval: i64,
    /// Time that one check may take.
    #[serde(default, skip_serializing_if = "is_zero", deserialize_with = "null_as_default")]
    pub timeout: i64,
    /// Time in which failures do not count.
    #[serde(default, skip_serializing_if = "is_zero", deserialize_with = "null_as_default")]
    pub start_period: i64,
    /// Time between checks in the start period.
    #[serde(default, skip_serializing_if = "is_zero", deserialize_with = "null_as_default")]
    pub start_interval: i64,
    /// Failures in a row that make a container unhealthy.
    #[serde(default, skip_serializing_if = "is_zero", deserialize_with = "null_as_default")]
    pub retries: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_zero(value: &i64) -> bool {
    *value == 0
}

/// Go writes an absent list or map as `null`, and reads `null` as an absent value whatever the type.
fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_are_kept() {
        let text = r#"{"architecture":"amd64","os":"linux","config":{"User":"app","Hostname":"h"},"rootfs":{"type":"layers","diff_ids":[]},"history":[],"os.version":"10"}"#;
        let config: ImageConfig = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&config).unwrap(), text);
    }

    #[test]
    fn null_is_nothing() {
        let text = r#"{"architecture":null,"config":{"User":null,"Cmd":null,"ArgsEscaped":null,"Healthcheck":{"Retries":null}},"history":[{"empty_layer":null}]}"#;
        let config: ImageConfig = serde_json::from_str(text).unwrap();
        assert_eq!((config.architecture.as_str(), config.config.user.as_str()), ("", ""));
        assert_eq!(
            serde_json::from_str::<ImageConfig>(r#"{"config":null,"rootfs":null}"#).unwrap(),
            ImageConfig::default()
        );
    }

    #[test]
    fn null_lists_are_empty() {
        let text = r#"{"config":{"Env":null,"Labels":null,"ExposedPorts":null},"rootfs":{"type":"layers","diff_ids":null},"history":null}"#;
        let config: ImageConfig = serde_json::from_str(text).unwrap();
        assert_eq!(config, ImageConfig::default());
    }
}
