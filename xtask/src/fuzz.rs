//! Fuzzing with libFuzzer: builds the targets of `fuzz/` with coverage, seeds their corpora and runs them.
//!
//! Owns which seeds a target begins with. Needs no nightly compiler: the coverage pass of LLVM is asked for by itself,
//! without a sanitizer, because all code but `zoea-sys` is safe.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

/// How long each target runs if nothing is said.
const SECONDS: &str = "60";

/// The largest input, in bytes: enough for every instruction, small enough for thousands of runs a second.
const LARGEST_INPUT: u32 = 4096;

/// What makes LLVM count which branches run and which values are compared.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Cdebug-assertions -Ccodegen-units=1";

/// A fuzz target with the places of its seeds: files, or folders of them.
const TARGETS: &[(&str, &[&str])] = &[
    ("dockerfile", &["host/dockerfile/tests/golden", "fuzz/seeds/dockerfile"]),
    ("word", &["fuzz/seeds/word"]),
    ("ignore", &["fuzz/seeds/ignore"]),
];

/// Runs `cargo xtask fuzz [TARGET [SECONDS]]`: one target or all, each for some time.
pub(crate) fn run() -> Result<()> {
    let mut arguments = std::env::args().skip(2);
    let wanted = arguments.next();
    let seconds = arguments.next().unwrap_or_else(|| SECONDS.to_owned());
    let chosen = TARGETS.iter().filter(|(name, _)| wanted.as_deref().is_none_or(|wanted| wanted == *name));
    let chosen: Vec<_> = chosen.collect();
    if chosen.is_empty() {
        let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
        bail!("no such target; there are {}", names.join(", "));
    }
    build()?;
    for (name, seeds) in chosen {
        fuzz(name, seeds, &seconds)?;
    }
    Ok(())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn build() -> Result<()> {
    let mut command = Command::new("cargo");
    // With a target named, the flags hold for the fuzzed code and not for build scripts.
    command.args(["build", "--release", "--package", "zoea-fuzz", "--bins", "--target", env!("TARGET")]);
    command.args(["--target-dir", "target/fuzz"]).env("RUSTFLAGS", COVERAGE).current_dir(root());
    let status = command.status()?;
    ensure!(status.success(), "cargo build: {status}");
    Ok(())
}

/// Runs one target; libFuzzer prints what it does, and keeps an input that fails in `target/fuzz/artifacts`.
fn fuzz(name: &str, seeds: &[&str], seconds: &str) -> Result<()> {
    let work = root().join("target/fuzz");
    let corpus = work.join("corpus").join(name);
    let artifacts = work.join("artifacts").join(name);
    for directory in [&corpus, &artifacts] {
        std::fs::create_dir_all(directory)?;
    }
    for seeds in seeds.iter().map(|seeds| root().join(seeds)).filter(|seeds| seeds.exists()) {
        copy_seeds(&seeds, &corpus)?;
    }
    println!("== fuzz {name}, {seconds} seconds");
    let program = work.join(env!("TARGET")).join("release").join(format!("fuzz-{name}"));
    let status = Command::new(program)
        .arg(&corpus)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={LARGEST_INPUT}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=0"])
        .status()?;
    ensure!(status.success(), "fuzz {name}: {status}; the input is in {}", artifacts.display());
    Ok(())
}

/// Copies every `Dockerfile` and plain seed below `from` into the corpus.
fn copy_seeds(from: &Path, corpus: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from).with_context(|| format!("{}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let seed = entry.path();
        let case = seed.join("Dockerfile");
        if case.is_file() {
            std::fs::copy(case, corpus.join(name))?;
        } else if seed.is_file() && seed.extension().is_none() {
            std::fs::copy(seed, corpus.join(name))?;
        }
    }
    Ok(())
}
