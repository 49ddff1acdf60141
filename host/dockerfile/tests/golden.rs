//! Golden files: every folder below `tests/golden` holds a `Dockerfile`, perhaps `args`, in `ast.txt` its tree if it
//! can be read, and in `plan.txt` what comes of it: the plan and its warnings, or the images that are needed, or the
//! errors as the user sees them. Cases named `read-…` are about reading, and have no `plan.txt` if they can be read.
//!
//! `BLESS=1` rewrites `ast.txt` and `plan.txt`. `images.json` holds the configurations of the images that the cases know.

#[cfg(test)]
mod golden {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    use zoea_dockerfile::{
        DockerfileErrors, ImageRequest, Known, KnownImage, Lowered, Request, ast_text, lower, parse,
        plan_text, render,
    };
    use zoea_model::{Digest, ImageConfig};

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
            .filter(|path| path.is_dir())
            .collect();
        cases.sort();
        cases
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

    /// Reads lines of the form `--flag value`.
    fn request(args: &str) -> Request {
        let mut request = Request {
            target: None,
            build_args: BTreeMap::new(),
            platform: "linux/amd64".parse().unwrap(),
            build_platform: "linux/amd64".parse().unwrap(),
            labels: BTreeMap::new(),
            named_contexts: BTreeMap::new(),
        };
        for line in args.lines() {
            let (flag, value) = line.split_once(' ').unwrap();
            let pair =
                || value.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).unwrap();
            match flag {
                "--target" => request.target = Some(value.to_owned()),
                "--platform" => request.platform = value.parse().unwrap(),
                "--build-arg" => request.build_args.extend([pair()]),
                "--label" => request.labels.extend([pair()]),
                other => panic!("unknown argument {other}"),
            }
        }
        request
    }

    fn answer(text: &[u8], request: &Request, images: &Images) -> Result<Lowered, DockerfileErrors> {
        let dockerfile = parse(text)?;
        let mut known = Known::default();
        loop {
            let lowered = lower(&dockerfile, request, &known)?;
            let Lowered::Needs(needs) = &lowered else { return Ok(lowered) };
            let before = known.images.len();
            for need in &needs.images {
                if let Some(config) = images.get(&need.name) {
                    let digest = Digest::of(need.name.as_bytes());
                    known.images.insert(need.key(), KnownImage { digest, config: config.clone() });
                }
            }
            if known.images.len() == before {
                return Ok(lowered);
            }
        }
    }

    fn outcome(text: &[u8], request: &Request, images: &Images) -> String {
        match answer(text, request, images) {
            Err(error) => format!("error\n{}", error.render("Dockerfile", text)),
            Ok(Lowered::Needs(needs)) => needs
                .images
                .iter()
                .map(|ImageRequest { name, platform, span }| {
                    format!("needs {name:?} {platform} at {}:{}\n", span.line, span.column)
                })
                .collect(),
            Ok(Lowered::Plan { plan, warnings }) => {
                let warnings = warnings.iter().map(|warning| {
                    render("Dockerfile", text, warning.span, &warning.message, warning.hint.as_deref())
                });
                plan_text(&plan) + &warnings.map(|warning| format!("warning\n{warning}")).collect::<String>()
            }
        }
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
            let plan = (tree.is_none() || !reading_only).then(|| outcome(&text, &request(&args), &images));
            failures.extend(compare(&case.join("ast.txt"), tree.as_deref()));
            failures.extend(compare(&case.join("plan.txt"), plan.as_deref()));
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}
