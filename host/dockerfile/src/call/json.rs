//! What the JSON forms have in common.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use zoea_model::SourceSpan;

/// Makes an object; what is empty is left out.
pub(super) fn object<const FIELDS: usize>(fields: [(&str, Value); FIELDS]) -> Value {
    let is_empty = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::Object(_) => false,
    };
    let kept = fields.into_iter().filter(|(_, value)| !is_empty(value));
    Value::Object(kept.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

/// Writes a place as its lines.
pub(super) fn location(span: SourceSpan) -> Value {
    let line = |line: usize| json!({ "line": line });
    json!({ "ranges": [{ "start": line(span.line), "end": line(span.end_line.max(span.line)) }] })
}

/// Writes bytes as text.
pub(super) fn base64(bytes: &[u8]) -> Value {
    Value::String(STANDARD.encode(bytes))
}

/// Writes a document with a line feed at its end.
pub(super) fn document(value: &Value) -> String {
    format!("{value:#}\n")
}
