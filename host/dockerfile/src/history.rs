//! `created_by` texts of history rows, as BuildKit's `dockerfile2llb` writes them.
//!
//! Owns these texts only. `%q` and `%v` below are the verbs of Go's `fmt` that BuildKit uses.

use zoea_model::Healthcheck;

use crate::duration;
use crate::environment::Environment;

/// `RUN |2 a=1 b=2 /bin/sh -c make # buildkit`; `declared` are the arguments with their values.
pub(crate) fn run(arguments: &[String], declared: &Environment) -> String {
    let mut words = Vec::new();
    if !declared.variables().is_empty() {
        words.push(format!("|{}", declared.variables().len()));
        words.extend(declared.entries());
    }
    words.extend_from_slice(arguments);
    format!("RUN {} # buildkit", words.join(" "))
}

/// `ENV a=1 b=2`, `LABEL …`, `ARG …`.
pub(crate) fn pairs<'a>(
    instruction: &str,
    pairs: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) -> String {
    let mut text = instruction.to_owned();
    for (key, value) in pairs {
        text.push(' ');
        text.push_str(key);
        if let Some(value) = value {
            text.push('=');
            text.push_str(value);
        }
    }
    text
}

/// `CMD ["a" "b"]`, `ENTRYPOINT …`: `%q` of a list.
pub(crate) fn quoted(instruction: &str, words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
    format!("{instruction} [{}]", words.join(" "))
}

/// `VOLUME [/a /b]`, `SHELL …`, `EXPOSE …`: `%v` of a list.
pub(crate) fn listed(instruction: &str, words: &[String]) -> String {
    format!("{instruction} [{}]", words.join(" "))
}

/// `HEALTHCHECK {Test:[CMD-SHELL true] Interval:30s …}`: `%+v` of a structure.
pub(crate) fn healthcheck(healthcheck: &Healthcheck) -> String {
    format!(
        "HEALTHCHECK {{Test:[{}] Interval:{} Timeout:{} StartPeriod:{} StartInterval:{} Retries:{}}}",
        healthcheck.test.join(" "),
        duration::format(healthcheck.interval),
        duration::format(healthcheck.timeout),
        duration::format(healthcheck.start_period),
        duration::format(healthcheck.start_interval),
        healthcheck.retries
    )
}

/// Writes a string as Go's `strconv.Quote` does.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            ' ' => out.push(' '),
            control if control < ' ' || control == '\u{7f}' => {
                out.push_str(&format!("\\x{:02x}", u32::from(control)));
            }
            hidden if hidden.is_control() || hidden.is_whitespace() => {
                out.push_str(&format!("\\u{:04x}", u32::from(hidden)));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn texts_are_those_of_buildkit() {
        let mut declared = Environment::default();
        let shell = words(&["/bin/sh", "-c", "make  all"]);
        assert_eq!(run(&shell, &declared), "RUN /bin/sh -c make  all # buildkit");
        declared.set("A", "1 2");
        declared.set("B", "");
        assert_eq!(run(&shell, &declared), "RUN |2 A=1 2 B= /bin/sh -c make  all # buildkit");
        assert_eq!(pairs("ARG", [("a", None), ("b", Some("")), ("c", Some("d"))]), "ARG a b= c=d");
        assert_eq!(
            quoted("CMD", &words(&["a b", "\"\\\n\u{1b}é\u{a0}"])),
            "CMD [\"a b\" \"\\\"\\\\\\n\\x1bé\\u00a0\"]"
        );
        assert_eq!(quoted("CMD", &[]), "CMD []");
        assert_eq!(listed("VOLUME", &words(&["/a", "/b"])), "VOLUME [/a /b]");
        let check = Healthcheck {
            test: words(&["CMD-SHELL", "true"]),
            interval: 90_000_000_000,
            ..Healthcheck::default()
        };
        assert_eq!(
            healthcheck(&check),
            "HEALTHCHECK {Test:[CMD-SHELL true] Interval:1m30s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}"
        );
    }
}
