//! `--call=check`: what build checks complain of.

use serde_json::{Value, json};
use zoea_model::Warning;

use crate::ast::Dockerfile;
use crate::check::{Findings, Rule, Settings};
use crate::diagnose::printable;
use crate::error_list::DockerfileErrors;
use crate::lower::{Extent, lower_stages};
use crate::request::{Known, Lowered, Request};

use super::Answer;
use super::excerpt::excerpt;
use super::json::{base64, document, location, object};

/// What build checks complain of.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckReport {
    /// The complaints, sorted by place; each has a rule.
    pub findings: Vec<Warning>,
    /// What keeps the file from being built, complaints that are to do so included.
    pub errors: Option<DockerfileErrors>,
}

/// Checks a file without building anything: all stages, or what a target needs if one is asked for.
pub fn run_checks(dockerfile: &Dockerfile, request: &Request, known: &Known) -> Answer<CheckReport> {
    let settings = match Settings::new(&dockerfile.directives, request) {
        Ok(settings) => settings,
        Err(error) => {
            return Answer::Known(CheckReport { findings: Vec::new(), errors: Some(error.into()) });
        }
    };
    let findings = Findings::new(settings);
    let extent = match request.target {
        Some(_) => Extent::Target,
        None => Extent::AllStages,
    };
    let outcome = lower_stages(dockerfile, request, known, extent, &findings);
    let (warnings, errors) = match findings.conclude(outcome) {
        Ok(Lowered::Needs(needs)) => return Answer::Needs(needs),
        Ok(Lowered::Plan { warnings, .. }) => (warnings, None),
        Err(errors) => (errors.warnings().to_vec(), Some(errors)),
    };
    let findings = warnings.into_iter().filter(|warning| warning.rule.is_some()).collect();
    Answer::Known(CheckReport { findings, errors })
}

impl CheckReport {
    /// Says whether nothing is wrong; if something is, the call fails.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.errors.is_none()
    }

    /// Writes every complaint with the lines that it is about; `text` is the file.
    pub fn to_text(&self, file_name: &str, text: &[u8]) -> String {
        let mut out = match (self.findings.len(), &self.errors) {
            (0, None) => "Check complete, no warnings found.\n".to_owned(),
            (0, Some(_)) => String::new(),
            (1, _) => "Check complete, 1 warning has been found!\n".to_owned(),
            (count, _) => format!("Check complete, {count} warnings have been found!\n"),
        };
        for Warning { span, message, rule, .. } in &self.findings {
            let rule = rule.unwrap_or_default();
            let page = Rule::from_name(rule).and_then(Rule::page).map(|page| format!(" - {page}"));
            let page = page.unwrap_or_default();
            out.push_str(&format!("\nWARNING: {rule}{page}\n{}\n", printable(message)));
            out.extend(span.map(|span| excerpt(file_name, text, span)));
        }
        for error in self.errors.iter().flat_map(DockerfileErrors::iter) {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(&printable(&error.message()));
            out.push('\n');
            out.extend(error.span().map(|span| excerpt(file_name, text, span)));
        }
        out
    }

    /// Writes a JSON document; `text` is the file.
    pub fn to_json(&self, file_name: &str, text: &[u8]) -> String {
        let findings: Vec<Value> = self.findings.iter().map(finding_json).collect();
        // BuildKit's list of nothing is no list.
        let findings = if findings.is_empty() { Value::Null } else { Value::Array(findings) };
        let source = json!({ "filename": file_name, "data": base64(text), "language": "Dockerfile" });
        let mut value = json!({ "warnings": findings, "sources": [source] });
        if let (Some(errors), Some(fields)) = (&self.errors, value.as_object_mut()) {
            let message: Vec<String> = errors.iter().map(|error| error.message()).collect();
            let place = errors.iter().find_map(|error| error.span());
            let location = place.map_or_else(|| json!({}), location);
            let error = json!({ "message": message.join("\n"), "location": location });
            fields.insert("buildError".to_owned(), error);
        }
        document(&value)
    }
}

fn finding_json(Warning { span, message, rule, .. }: &Warning) -> Value {
    let known = rule.and_then(Rule::from_name);
    object([
        ("ruleName", Value::from(*rule)),
        ("description", Value::from(known.map(Rule::description))),
        ("url", Value::from(known.and_then(Rule::page))),
        ("detail", Value::from(message.as_str())),
        ("location", Value::from(span.map(location))),
    ])
}
