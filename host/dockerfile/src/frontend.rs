//! The directive `syntax`: which language a file says it is in.

use zoea_model::Warning;

use crate::directives::Directives;

/// The frontend images whose language is read here, in whatever version.
const OWN: [&str; 3] = ["docker/dockerfile", "docker/dockerfile-upstream", "dockerfile.v0"];

/// Warns of a file that asks for a frontend image which may know another language.
pub(crate) fn frontend_warning(directives: &Directives) -> Option<Warning> {
    let syntax = directives.syntax.as_ref()?;
    let image = syntax.text.strip_prefix("docker.io/").unwrap_or(&syntax.text);
    let name = image.split([':', '@']).next().unwrap_or_default();
    (!OWN.contains(&name)).then(|| Warning {
        span: Some(syntax.span),
        message: format!("The file asks for the frontend `{}`, and is read without it", syntax.text),
        hint: Some("what only that frontend knows is refused or means something else".to_owned()),
        rule: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::Word;

    #[test]
    fn only_other_languages_are_warned_of() {
        let warns = |text: &str| {
            let syntax = Some(Word { text: text.to_owned(), ..Word::default() });
            frontend_warning(&Directives { syntax, ..Directives::default() }).is_some()
        };
        for own in [
            "docker/dockerfile",
            "docker/dockerfile:1.7-labs",
            "docker.io/docker/dockerfile@sha256:0",
            "dockerfile.v0",
        ] {
            assert!(!warns(own), "{own}");
        }
        for other in ["docker/dockerfile2", "example.org/docker/dockerfile:1", "r2d4/mockerfile"] {
            assert!(warns(other), "{other}");
        }
        assert!(frontend_warning(&Directives::default()).is_none());
    }
}
