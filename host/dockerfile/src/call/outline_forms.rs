//! How an outline is written.

use serde_json::Value;
use zoea_model::Presence;

use super::arguments::DescribedArgument;
use super::json::{base64, document, location, object};
use super::mounts::{NamedCache, NamedNeed};
use super::outline::StageOutline;
use super::table::table;

impl StageOutline {
    /// Writes tables of what can be given.
    pub fn to_text(&self) -> String {
        let mut tables = Vec::new();
        if !self.name.is_empty() || !self.description.is_empty() {
            let name = if self.name.is_empty() { "(default)" } else { &self.name };
            let mut rows = vec![["TARGET:".to_owned(), name.to_owned()]];
            if !self.description.is_empty() {
                rows.push(["DESCRIPTION:".to_owned(), self.description.clone()]);
            }
            tables.push(table(&rows, 1));
        }
        if !self.arguments.is_empty() {
            let mut rows = vec![["BUILD ARG", "VALUE", "DESCRIPTION"].map(str::to_owned)];
            rows.extend(self.arguments.iter().map(|argument| {
                [argument.name.clone(), argument.value.clone(), argument.description.clone()]
            }));
            tables.push(table(&rows, 3));
        }
        for (title, needs) in [("SECRET", &self.secrets), ("SSH", &self.ssh)] {
            if !needs.is_empty() {
                let mut rows = vec![[title, "REQUIRED"].map(str::to_owned)];
                rows.extend(needs.iter().map(|need| [need.name.clone(), required(need).to_owned()]));
                tables.push(table(&rows, 3));
            }
        }
        tables.into_iter().map(|table| table + "\n").collect()
    }

    /// Writes a JSON document; `text` is the file.
    pub fn to_json(&self, text: &[u8]) -> String {
        let needs = |needs: &[NamedNeed]| needs.iter().map(need_json).collect::<Value>();
        document(&object([
            ("name", Value::from(self.name.as_str())),
            ("description", Value::from(self.description.as_str())),
            ("args", self.arguments.iter().map(argument_json).collect()),
            ("secrets", needs(&self.secrets)),
            ("ssh", needs(&self.ssh)),
            ("cache", self.caches.iter().map(cache_json).collect()),
            ("sources", Value::Array(vec![base64(text)])),
        ]))
    }
}

fn required(need: &NamedNeed) -> &'static str {
    match need.presence {
        Presence::Required => "true",
        Presence::Optional => "",
    }
}

fn argument_json(argument: &DescribedArgument) -> Value {
    object([
        ("name", Value::from(argument.name.as_str())),
        ("description", Value::from(argument.description.as_str())),
        ("value", Value::from(argument.value.as_str())),
        ("location", location(argument.span)),
    ])
}

fn need_json(need: &NamedNeed) -> Value {
    object([
        ("name", Value::from(need.name.as_str())),
        ("required", Value::Bool(need.presence == Presence::Required)),
        ("location", location(need.span)),
    ])
}

fn cache_json(cache: &NamedCache) -> Value {
    object([("ID", Value::from(cache.id.as_str())), ("location", location(cache.span))])
}
