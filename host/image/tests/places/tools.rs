//! Work areas, the runtime, and programs that judge.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use cap_std::fs::Dir;
use tokio::runtime::{Builder, Handle, Runtime};
use zoea_image::{Registry, RegistryOptions};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

pub(crate) fn handle() -> Handle {
    RUNTIME.handle().clone()
}

pub(crate) fn registry(options: RegistryOptions) -> Registry {
    Registry::new(options, handle())
}

/// Makes a directory that is removed with its guard.
pub(crate) fn scratch() -> (tempfile::TempDir, Dir) {
    let guard = tempfile::tempdir().unwrap();
    let directory = open_dir(guard.path());
    (guard, directory)
}

#[expect(clippy::disallowed_methods, reason = "a test makes its own work area")]
pub(crate) fn open_dir(path: &Path) -> Dir {
    Dir::open_ambient_dir(path, cap_std::ambient_authority()).unwrap()
}

/// Runs a program that must be there and must succeed, and returns what it prints.
#[expect(clippy::disallowed_methods, reason = "the judges are programs of others")]
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("this test needs `{program}`: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}
