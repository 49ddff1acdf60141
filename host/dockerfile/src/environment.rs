//! The variables that a word or a step sees.
//!
//! Owns an ordered set of names with values. Each name stands once, at the place where it was first set, so that
//! equal Dockerfiles give equal plans.

use std::collections::BTreeMap;

use crate::budget::BYTES_PER_TEXT;

/// What a variable costs beside its bytes: its name is held twice, and has a position.
const BYTES_PER_VARIABLE: usize = 4 * BYTES_PER_TEXT;

/// Variables in the order of their first setting.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    variables: Vec<(String, String)>,
    positions: BTreeMap<String, usize>,
    size: usize,
}

impl Environment {
    /// Reads the `NAME=value` entries of an image configuration; a later entry of one name wins.
    pub(crate) fn from_entries(entries: &[String]) -> Self {
        let mut environment = Self::default();
        for entry in entries {
            let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
            environment.set(name, value);
        }
        environment
    }

    /// Returns the value of `name`, if it is set.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let position = self.positions.get(name)?;
        self.variables.get(*position).map(|(_, value)| value.as_str())
    }

    /// Sets `name` to `value`.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let known = self.positions.get(name).and_then(|position| self.variables.get_mut(*position));
        if let Some((_, old)) = known {
            self.size = self.size.saturating_sub(old.len()) + value.len();
            value.clone_into(old);
            return;
        }
        self.size += BYTES_PER_VARIABLE + 2 * name.len() + value.len();
        self.positions.insert(name.to_owned(), self.variables.len());
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Returns all variables.
    pub(crate) fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    /// Returns the variables as entries of an image configuration.
    pub(crate) fn entries(&self) -> Vec<String> {
        self.variables.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    /// Returns the names in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|(name, _)| name.as_str())
    }

    /// Returns what a copy costs, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_place_and_takes_the_last_value() {
        let mut environment =
            Environment::from_entries(&["A=1".to_owned(), "B".to_owned(), "A=x=y".to_owned()]);
        environment.set("B", "22");
        assert_eq!(environment.entries(), ["A=x=y", "B=22"]);
        assert_eq!(environment.get("A"), Some("x=y"));
        assert_eq!(environment.get("C"), None);
        assert_eq!(environment.size(), 2 * BYTES_PER_VARIABLE + "AAx=yBB22".len());
        assert_eq!(environment.names().collect::<Vec<_>>(), ["A", "B"]);
    }
}
