//! Folders below `tests/golden`: what a case is given, and the images that all of them know.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zoea_dockerfile::{KnownImage, Request};
use zoea_model::{Digest, ImageConfig};

/// Reads a file, if it is there.
#[expect(clippy::disallowed_methods, reason = "the test reads its own fixtures")]
pub(crate) fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// Lists the cases whose names begin so.
#[expect(clippy::disallowed_methods, reason = "the test walks its own fixtures")]
pub(crate) fn cases(prefix: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let paths = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> =
        paths.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(prefix)).collect();
    cases.sort();
    cases
}

/// Rewrites a file, if that is asked for.
#[expect(clippy::disallowed_methods, reason = "blessing is asked for, and rewrites the fixtures")]
pub(crate) fn bless(path: &Path, text: &str) -> bool {
    let asked = std::env::var_os("BLESS").is_some();
    if asked {
        std::fs::write(path, text).unwrap();
    }
    asked
}

/// Reads lines of the form `--flag value`.
pub(crate) fn request(args: &str) -> Request {
    let mut request = Request {
        target: None,
        build_args: BTreeMap::new(),
        platform: "linux/amd64".parse().unwrap(),
        build_platform: "linux/amd64".parse().unwrap(),
        labels: BTreeMap::new(),
        named_contexts: BTreeMap::new(),
    };
    for line in args.lines() {
        match line.split_once(' ').unwrap() {
            ("--target", value) => request.target = Some(value.to_owned()),
            ("--platform", value) => request.platform = value.parse().unwrap(),
            ("--build-arg", value) => {
                let (name, value) = value.split_once('=').unwrap();
                request.build_args.insert(name.to_owned(), value.to_owned());
            }
            (other, _) => panic!("unknown argument {other}"),
        }
    }
    request
}

/// Knows every image; one whose name has `arm` in it is for ARM, and one with `shell` sets one.
pub(crate) fn known_image(name: &str) -> KnownImage {
    let mut config = ImageConfig { os: "linux".to_owned(), ..ImageConfig::default() };
    config.architecture = if name.contains("arm") { "arm64" } else { "amd64" }.to_owned();
    config.config.working_dir = "/srv".to_owned();
    config.config.env = vec!["PATH=/bin".to_owned(), "BASE_VERSION=1".to_owned()];
    if name.contains("shell") {
        config.config.shell = Some(vec!["/bin/bash".to_owned(), "-c".to_owned()]);
    }
    if name.contains("trigger") {
        config.config.on_build = vec!["CMD triggered".to_owned(), "ENV from=$trigger".to_owned()];
    }
    KnownImage { digest: Digest::of(name.as_bytes()), config }
}
