//! Golden files: every folder below `tests/golden` holds a `Dockerfile`, perhaps `args`, in `ast.txt` its tree if it
//! can be read, and in `plan.txt` what comes of it: the plan and its warnings, or what is needed, or the errors as the
//! user sees them. Where a plan comes of it, `config.json` holds the configuration of the result. Cases named `read-…`
//! are about reading, and have no `plan.txt` if they can be read.
//!
//! `BLESS=1` rewrites all three. `images.json` holds the configurations of the images that the cases know.

#[cfg(test)]
mod golden {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    use zoea_dockerfile::{
        DockerfileErrors, ImageRequest, Known, KnownDate, KnownImage, Lowered, NamedContext, Request,
        ast_text, lower, parse, plan_json, plan_text, render,
    };
    use zoea_model::{Digest, ImageConfig, Plan, SourceDate, Timestamp};

    type Images = BTreeMap<String, ImageConfig>;

    #[expect(clippy::disallowed_methods, reason = "the test reads its own fixtures")]
    fn read(path: &Path) -> Vec<u8> {
        std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    #[expect(clippy::disallowed_methods, reason = "the test walks its own fixtures")]
    fn cases(root: &Path) -> Vec<PathBuf> {
        let mut cases: Vec<PathBuf> = std::fs::read_dir(root)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir() && !is_of_another_test(path))
            .collect();
        cases.sort();
        cases
    }

    /// Says whether another test reads the case: those here show no build checks and answer no calls.
    fn is_of_another_test(path: &Path) -> bool {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("check-") || name.starts_with("call-")
    }

    #[expect(clippy::disallowed_methods, reason = "blessing is asked for by the environment")]
    fn blessing() -> bool {
        std::env::var_os("BLESS").is_some()
    }

    /// Writes a golden file, or takes away one that must not be there.
    #[expect(clippy::disallowed_methods, reason = "blessing rewrites the fixtures")]
    fn bless(path: &Path, text: Option<&str>) {
        match text {
            Some(text) => std::fs::write(path, text).unwrap(),
            None if path.exists() => std::fs::remove_file(path).unwrap(),
            None => {}
        }
    }

    /// What a case is given.
    struct Given {
        request: Request,
        date: Option<KnownDate>,
    }

    /// Reads lines of the form `--flag value`.
    fn given(args: &str) -> Given {
        let mut request = Request {
            target: None,
            build_args: BTreeMap::new(),
            platform: "linux/amd64".parse().unwrap(),
            build_platform: "linux/amd64".parse().unwrap(),
            labels: BTreeMap::new(),
            named_contexts: BTreeMap::new(),
        };
        let mut date = None;
        for line in args.lines() {
            let (flag, value) = line.split_once(' ').unwrap();
            let pair =
                || value.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).unwrap();
            match (flag, value) {
                ("--target", _) => request.target = Some(value.to_owned()),
                ("--platform", _) => request.platform = value.parse().unwrap(),
                ("--build-arg", _) => request.build_args.extend([pair()]),
                ("--label", _) => request.labels.extend([pair()]),
                ("--build-context", _) => {
                    let kind = match pair().1.as_str() {
                        "files" => NamedContext::Files,
                        "image" => NamedContext::Image,
                        other => panic!("unknown context {other}"),
                    };
                    request.named_contexts.insert(pair().0, kind);
                }
                ("--date", "none") => date = Some(KnownDate::None),
                ("--date", seconds) => {
                    let seconds = seconds.parse().unwrap();
                    date = Some(KnownDate::At(Timestamp::from_seconds(seconds)));
                }
                (other, _) => panic!("unknown argument {other}"),
            }
        }
        Given { request, date }
    }

    fn answer(text: &[u8], given: &Given, images: &Images) -> Result<Lowered, DockerfileErrors> {
        let dockerfile = parse(text)?;
        let mut known = Known::default();
        loop {
            let lowered = lower(&dockerfile, &given.request, &known)?;
            let Lowered::Needs(needs) = &lowered else { return Ok(lowered) };
            let before = (known.images.len(), known.source_date);
            if needs.source_date.is_some() {
                known.source_date = given.date;
            }
            for need in &needs.images {
                if let Some(config) = images.get(&need.name) {
                    let digest = Digest::of(need.name.as_bytes());
                    known.images.insert(need.key(), KnownImage { digest, config: config.clone() });
                }
            }
            if (known.images.len(), known.source_date) == before {
                return Ok(lowered);
            }
        }
    }

    fn date_text(date: &SourceDate) -> String {
        match date {
            SourceDate::Given(date) => date.to_string(),
            SourceDate::Context(name) => format!("{name:?}"),
            SourceDate::Remote(remote) => remote.to_string(),
        }
    }

    /// Returns the texts of `plan.txt` and `config.json`.
    fn outcome(text: &[u8], given: &Given, images: &Images) -> (Option<String>, Option<String>) {
        match answer(text, given, images) {
            Err(error) => (Some(format!("error\n{}", error.render("Dockerfile", text))), None),
            Ok(Lowered::Needs(needs)) => {
                let date =
                    needs.source_date.iter().map(|date| format!("needs the date of {}\n", date_text(date)));
                let images = needs.images.iter().map(|ImageRequest { name, platform, span, .. }| {
                    format!("needs {name:?} {platform} at {}:{}\n", span.line, span.column)
                });
                (Some(date.chain(images).collect()), None)
            }
            Ok(Lowered::Plan { plan, warnings }) => {
                let warnings = warnings.iter().filter(|warning| warning.rule.is_none()).map(|warning| {
                    let hint = warning.hint.as_deref();
                    let text = render("Dockerfile", text, warning.span, &warning.message, hint);
                    format!("warning\n{text}")
                });
                assert!(plan_json(&plan).is_object());
                (Some(plan_text(&plan) + &warnings.collect::<String>()), Some(config(&plan)))
            }
        }
    }

    fn config(plan: &Plan) -> String {
        let config = &plan.stages[plan.target.0].config;
        serde_json::to_string_pretty(config).unwrap() + "\n"
    }

    /// Compares a golden file, or its absence, and says how it differs.
    fn compare(path: &Path, actual: Option<&str>) -> Option<String> {
        if blessing() {
            bless(path, actual);
            return None;
        }
        let expected = path.exists().then(|| String::from_utf8(read(path)).unwrap());
        let show = |text: Option<&str>| text.unwrap_or("(no such file)\n").to_owned();
        (actual != expected.as_deref()).then(|| {
            format!(
                "{}\n--- expected\n{}--- actual\n{}",
                path.display(),
                show(expected.as_deref()),
                show(actual)
            )
        })
    }

    #[test]
    fn every_case_gives_what_is_written() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let images: Images = serde_json::from_slice(&read(&root.join("images.json"))).unwrap();
        let cases = cases(&root);
        assert!(cases.len() >= 230, "only {} cases found", cases.len());
        let mut failures = Vec::new();
        for case in cases {
            let args = case.join("args");
            let args = if args.exists() { String::from_utf8(read(&args)).unwrap() } else { String::new() };
            let text = read(&case.join("Dockerfile"));
            let tree = parse(&text).ok().map(|dockerfile| ast_text(&dockerfile));
            let reading_only = case.file_name().unwrap().to_str().unwrap().starts_with("read-");
            let (plan, config) = match tree.is_none() || !reading_only {
                true => outcome(&text, &given(&args), &images),
                false => (None, None),
            };
            failures.extend(compare(&case.join("ast.txt"), tree.as_deref()));
            failures.extend(compare(&case.join("plan.txt"), plan.as_deref()));
            failures.extend(compare(&case.join("config.json"), config.as_deref()));
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}
