//! Build checks: every folder `check-…` below `tests/golden` holds a `Dockerfile`, perhaps `args`, and `ignored`, the
//! paths that the context leaves out, one a line; and in `findings.txt` what is found, and the error if there is one.
//!
//! `BLESS=1` rewrites `findings.txt`.

#[cfg(test)]
mod cases;

#[cfg(test)]
mod checks {
    use std::collections::BTreeSet;
    use std::path::Path;

    use zoea_dockerfile::{IgnoredFiles, Known, Lowered, Rule, lower, parse, render};
    use zoea_model::Warning;

    use super::cases::{bless, cases, known_image, read, request};

    fn outcome(case: &Path, text: &str) -> String {
        let request = request(&read(&case.join("args")).unwrap_or_default());
        let ignored: BTreeSet<String> =
            read(&case.join("ignored")).unwrap_or_default().lines().map(str::to_owned).collect();
        let ignored = IgnoredFiles::new(move |path| ignored.contains(path));
        let dockerfile = parse(text.as_bytes()).unwrap();
        let mut known = Known { ignored, ..Known::default() };
        let show = |warnings: &[Warning]| -> String {
            let show = |warning: &Warning| {
                let rule = warning.rule.unwrap_or("no rule");
                let hint = warning.hint.as_deref();
                format!(
                    "{rule}\n{}",
                    render("Dockerfile", text.as_bytes(), warning.span, &warning.message, hint)
                )
            };
            warnings.iter().map(show).collect()
        };
        loop {
            match lower(&dockerfile, &request, &known) {
                Ok(Lowered::Needs(needs)) => {
                    known.images.extend(needs.images.iter().map(|need| (need.key(), known_image(&need.name))))
                }
                Ok(Lowered::Plan { warnings, .. }) if warnings.is_empty() => return "nothing\n".to_owned(),
                Ok(Lowered::Plan { warnings, .. }) => return show(&warnings),
                Err(errors) => {
                    return show(errors.warnings())
                        + "error\n"
                        + &errors.render("Dockerfile", text.as_bytes());
                }
            }
        }
    }

    #[test]
    fn every_case_gives_what_is_written() {
        let cases = cases("check-");
        assert!(cases.len() >= 50, "only {} cases found", cases.len());
        let mut failures = Vec::new();
        let mut complaining = BTreeSet::new();
        for case in cases {
            let actual = outcome(&case, &read(&case.join("Dockerfile")).unwrap());
            complaining
                .extend(Rule::ALL.into_iter().filter(|rule| actual.lines().any(|line| line == rule.name())));
            let path = case.join("findings.txt");
            let expected = read(&path);
            if !bless(&path, &actual) && expected.as_ref() != Some(&actual) {
                failures
                    .push(format!("{}\n--- expected\n{expected:?}\n--- actual\n{actual}", case.display()));
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
        let silent: Vec<Rule> = Rule::ALL.into_iter().filter(|rule| !complaining.contains(rule)).collect();
        assert_eq!(silent, [], "no case for these rules");
    }
}
