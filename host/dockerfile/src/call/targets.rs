//! `--call=targets`: what can be built of a file.

use serde_json::{Value, json};
use zoea_model::SourceSpan;

use crate::ast::{Dockerfile, StageBlock};

use super::description::description;
use super::json::{base64, document, location, object};
use super::table::table;

/// The stages of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets {
    /// Each, in the order of the file.
    pub stages: Vec<DescribedStage>,
}

/// One stage, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedStage {
    /// Its name; empty if it has none.
    pub name: String,
    /// What a comment says of it.
    pub description: String,
    /// Whether it is built without being asked for.
    pub standing: Standing,
    /// What it starts from, as written.
    pub base: String,
    /// The platform that it asks for, as written; empty if it asks for none.
    pub platform: String,
    /// Where its `FROM` is.
    pub span: SourceSpan,
}

/// Whether a stage is built without being asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is: the last one.
    Default,
    /// It is not.
    OnRequest,
}

/// Lists what can be built of a file.
pub fn list_targets(dockerfile: &Dockerfile) -> Targets {
    let mut stages: Vec<DescribedStage> = dockerfile.stages.iter().map(described).collect();
    if let Some(last) = stages.last_mut() {
        last.standing = Standing::Default;
    }
    Targets { stages }
}

fn described(StageBlock { from, .. }: &StageBlock) -> DescribedStage {
    let name = from.name.as_ref().map(|name| name.text.clone()).unwrap_or_default();
    DescribedStage {
        description: description(&from.heading, &name),
        name,
        standing: Standing::OnRequest,
        base: from.image.text.clone(),
        platform: from.platform.as_ref().map(|word| word.text.clone()).unwrap_or_default(),
        span: from.heading.span,
    }
}

impl Targets {
    /// Writes a table of names and descriptions.
    pub fn to_text(&self) -> String {
        let mut rows = vec![["TARGET".to_owned(), "DESCRIPTION".to_owned()]];
        rows.extend(self.stages.iter().map(|stage| {
            let name = match (stage.standing, stage.name.as_str()) {
                (Standing::OnRequest, name) => name.to_owned(),
                (Standing::Default, "") => "(default)".to_owned(),
                (Standing::Default, name) => format!("{name} (default)"),
            };
            [name, stage.description.clone()]
        }));
        table(&rows, 1)
    }

    /// Writes a JSON document; `text` is the file.
    pub fn to_json(&self, text: &[u8]) -> String {
        let stages: Vec<Value> = self.stages.iter().map(stage_json).collect();
        document(&json!({ "targets": stages, "sources": [base64(text)] }))
    }
}

fn stage_json(stage: &DescribedStage) -> Value {
    object([
        ("name", Value::from(stage.name.as_str())),
        ("default", Value::Bool(stage.standing == Standing::Default)),
        ("description", Value::from(stage.description.as_str())),
        ("base", Value::from(stage.base.as_str())),
        ("platform", Value::from(stage.platform.as_str())),
        ("location", location(stage.span)),
    ])
}
