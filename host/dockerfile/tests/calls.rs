//! `--call`: every folder `call-…` below `tests/golden` holds a `Dockerfile`, perhaps `args`, and what the calls answer.
//!
//! `BLESS=1` rewrites the answers.

#[cfg(test)]
mod cases;

#[cfg(test)]
mod calls {
    use std::path::Path;

    use zoea_dockerfile::{
        Answer, Dockerfile, Known, Needs, Request, describe_target, list_targets, parse, run_checks,
    };

    use super::cases::{bless, cases, known_image, read, request};

    fn learn(known: &mut Known, needs: &Needs) {
        assert!(!needs.images.is_empty());
        known.images.extend(needs.images.iter().map(|need| (need.key(), known_image(&need.name))));
    }

    /// Returns the names of the answers' files with their texts.
    fn answers(dockerfile: &Dockerfile, request: &Request, text: &str) -> Vec<(&'static str, String)> {
        let bytes = text.as_bytes();
        let mut known = Known::default();
        let outline = loop {
            match describe_target(dockerfile, request, &known) {
                Ok(Answer::Needs(needs)) => learn(&mut known, &needs),
                Ok(Answer::Known(outline)) => break (outline.to_text(), outline.to_json(bytes)),
                Err(errors) => break (errors.render("Dockerfile", bytes), String::new()),
            }
        };
        let report = loop {
            match run_checks(dockerfile, request, &known) {
                Answer::Needs(needs) => learn(&mut known, &needs),
                Answer::Known(report) => break report,
            }
        };
        let targets = list_targets(dockerfile);
        vec![
            ("outline.txt", outline.0),
            ("outline.json", outline.1),
            ("targets.txt", targets.to_text()),
            ("targets.json", targets.to_json(bytes)),
            ("check.txt", report.to_text("Dockerfile", bytes)),
            ("check.json", report.to_json("Dockerfile", bytes)),
        ]
    }

    #[test]
    fn every_case_gives_what_is_written() {
        let cases = cases("call-");
        assert!(cases.len() >= 4, "only {} cases found", cases.len());
        let mut failures = Vec::new();
        for case in cases {
            let text = read(&case.join("Dockerfile")).unwrap();
            let request = request(&read(&case.join("args")).unwrap_or_default());
            for (name, actual) in answers(&parse(text.as_bytes()).unwrap(), &request, &text) {
                let path: &Path = &case.join(name);
                let expected = read(path);
                if !bless(path, &actual) && expected.as_ref() != Some(&actual) {
                    failures.push(format!(
                        "{}\n--- expected\n{expected:?}\n--- actual\n{actual}",
                        path.display()
                    ));
                }
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}
