//! Dockerfiles: whatever they hold, they are read, printed and planned without a panic, and printing keeps them.

use std::collections::BTreeMap;

use zoea_dockerfile::{
    Dockerfile, Known, KnownDate, KnownImage, Lowered, NamedContext, Request, lower, parse, plan_text, print,
};
use zoea_model::{Digest, ImageConfig};

/// Rounds of images that turn out to be needed: an image's triggers may name other images, but none of ours do.
const MOST_ROUNDS: usize = 4;

/// Reads `bytes` as a Dockerfile, prints it and reads it again; then plans its build, with an answer to every
/// question that the planning asks.
///
/// # Panics
/// If the printed file is no Dockerfile, or another one; if planning asks without end.
pub fn dockerfile(bytes: &[u8]) {
    let dockerfile = match parse(bytes) {
        Ok(dockerfile) => dockerfile,
        Err(errors) => return drop(errors.render("Dockerfile", bytes)),
    };
    check_printing(&dockerfile);
    plan(bytes, &dockerfile);
}

fn check_printing(dockerfile: &Dockerfile) {
    let printed = print(dockerfile);
    let again = parse(printed.as_bytes()).unwrap_or_else(|errors| {
        panic!("the printed file is none:\n{}", errors.render("printed", printed.as_bytes()))
    });
    assert_eq!(print(&again), printed, "printing again gives another text");
    assert_eq!(without_places(&again), without_places(dockerfile), "another tree:\n{printed}");
}

/// Shows a tree without what says only where it stood in its file: printing moves everything.
fn without_places(dockerfile: &Dockerfile) -> String {
    let dockerfile = Dockerfile { empty_continuations: Vec::new(), ..dockerfile.clone() };
    let text = format!("{dockerfile:?}");
    let mut parts = text.split("SourceSpan {");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    kept.extend(parts.map(|part| part.split_once(" }").map_or(part, |(_, rest)| rest)));
    kept.replace("spelling: Verbatim", "").replace("spelling: Rewritten", "")
}

fn plan(bytes: &[u8], dockerfile: &Dockerfile) {
    let request = request();
    let mut known = Known::default();
    for _ in 0..MOST_ROUNDS {
        match lower(dockerfile, &request, &known) {
            Ok(Lowered::Plan { plan, .. }) => return drop(plan_text(&plan)),
            Ok(Lowered::Needs(needs)) => {
                for need in needs.images {
                    let digest = Digest::of(need.name.as_bytes());
                    known.images.insert(need.key(), KnownImage { digest, config: ImageConfig::default() });
                }
                known.source_date = known.source_date.or(needs.source_date.map(|_| KnownDate::None));
            }
            Err(errors) => return drop(errors.render("Dockerfile", bytes)),
        }
    }
    panic!("planning asks without end");
}

fn request() -> Request {
    let platform = zoea_model::Platform { os: "linux".into(), architecture: "arm64".into(), variant: None };
    Request {
        target: None,
        build_args: BTreeMap::from([("VERSION".to_owned(), "13".to_owned())]),
        platform,
        build_platform: zoea_model::Platform {
            os: "linux".into(),
            architecture: "amd64".into(),
            variant: None,
        },
        labels: BTreeMap::new(),
        named_contexts: BTreeMap::from([
            ("files".to_owned(), NamedContext::Files),
            ("image".to_owned(), NamedContext::Image),
        ]),
    }
}
