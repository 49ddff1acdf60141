//! The table of `docs/ARCHITECTURE.md` that says in which crates the main libraries work.
//!
//! Compares the table with the manifests, so that the page cannot drift from the code.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};

use crate::finding::{Finding, report};
use crate::workspace::Workspace;

/// Where the table is.
const PAGE: &str = "docs/ARCHITECTURE.md";

/// The libraries that the table must name.
const LIBRARIES: &[&str] =
    &["wasmtime", "wasmtime-wasi", "cap-std", "tar", "oci-spec", "sha2", "clap", "tokio"];

/// The crate of the WebAssembly launcher, and the words that mark a row as waiting for it.
const AWAITED: (&str, &str) = ("zoea-wasi", "with the WebAssembly launcher");

/// Crates that are no part of the product and whose libraries the table leaves out.
const TOOLS: &[&str] = &["xtask", "zoea-tests"];

/// Checks the page.
pub(crate) fn run() -> Result<()> {
    let workspace = Workspace::load()?;
    let page = std::fs::read_to_string(workspace.root.join(PAGE)).with_context(|| PAGE.to_owned())?;
    report("packages", &check(&workspace, &page))
}

fn check(workspace: &Workspace, page: &str) -> Vec<Finding> {
    let rows = rows(page);
    let mut findings = Vec::new();
    for library in LIBRARIES {
        let mut found = |problem: String| findings.push(Finding::new(PAGE, problem));
        let Some(place) = rows.get(*library) else {
            found(format!("has no row for `{library}`"));
            continue;
        };
        let named = quoted(place);
        let users = users(workspace, library);
        if !place.contains(AWAITED.1) {
            if named.is_empty() || named != users {
                found(format!("says that `{library}` works in {named:?}, the manifests say {users:?}"));
            }
        } else if workspace.packages.contains_key(AWAITED.0) || !users.is_empty() {
            found(format!("still awaits a crate for `{library}`, the manifests say {users:?}"));
        }
    }
    findings
}

/// Reads the rows of every table: the library in the first column, and what the second column says.
fn rows(page: &str) -> BTreeMap<String, &str> {
    let cells = page.lines().filter_map(|line| {
        let mut cells = line.trim().strip_prefix('|')?.split('|');
        Some((cells.next()?, cells.next()?))
    });
    cells.filter_map(|(name, place)| Some((quoted(name).pop_first()?, place))).collect()
}

/// Collects what stands between back ticks.
fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Names the crates of the product that use `library`.
fn users(workspace: &Workspace, library: &str) -> BTreeSet<String> {
    let uses = workspace.packages.iter().filter(|(name, package)| {
        !TOOLS.contains(&name.as_str()) && package.dependencies.iter().any(|one| one == library)
    });
    uses.map(|(name, _)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::sample;

    const TRUE_PAGE: &str = "# Title\n\n| library | works in | why |\n|---|---|---|\n\
        | `wasmtime` | `zoea-wasi`, with the WebAssembly launcher | x |\n\
        | `wasmtime-wasi` | `zoea-wasi`, with the WebAssembly launcher | x |\n\
        | `cap-std` | `zoea-rootfs`, `zoea-cli` | x |\n| `tar` | `zoea-rootfs` | x |\n\
        | `oci-spec` | `zoea-model` | x |\n| `sha2` | `zoea-model` | x |\n\
        | `clap` | `zoea-cli` | x |\n| `tokio` | `zoea-cli` | x |\n";

    fn lawful() -> Workspace {
        sample::workspace(&[
            ("zoea-model", &["sha2", "oci-spec"]),
            ("zoea-rootfs", &["cap-std", "tar"]),
            ("zoea-cli", &["clap", "tokio", "cap-std"]),
            ("xtask", &["tar"]),
        ])
    }

    #[test]
    fn a_true_page_passes() {
        assert_eq!(check(&lawful(), TRUE_PAGE), []);
    }

    #[test]
    fn a_missing_row_is_found() {
        let page = TRUE_PAGE.replace("| `sha2`", "| `sha3`");
        assert_eq!(check(&lawful(), &page), [Finding::new(PAGE, "has no row for `sha2`")]);
    }

    #[test]
    fn a_wrong_crate_is_found() {
        let page = TRUE_PAGE.replace("`zoea-rootfs`, `zoea-cli`", "`zoea-rootfs`");
        assert_eq!(check(&lawful(), &page).len(), 1);
        let page = TRUE_PAGE.replace("| `tar` | `zoea-rootfs`", "| `tar` | `zoea-image`");
        assert_eq!(check(&lawful(), &page).len(), 1);
        let page = TRUE_PAGE.replace("| `tar` | `zoea-rootfs`", "| `tar` | nowhere");
        assert_eq!(check(&lawful(), &page).len(), 1);
    }

    #[test]
    fn the_wait_ends_when_the_crate_exists() {
        let mut workspace = lawful();
        let more = sample::workspace(&[("zoea-wasi", &["wasmtime"])]);
        workspace.packages.extend(more.packages);
        assert_eq!(check(&workspace, TRUE_PAGE).len(), 2);
    }
}
