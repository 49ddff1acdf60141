//! The benchmark: what zoea costs, measured beside the builders that are installed, in one run on one machine.
//!
//! Prints tables and judges nothing: a time is never a test. Every figure is the best of a few runs, so that what
//! else the machine did counts least.

mod builder;
mod measure;
mod tree;

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use zoea_tests::{Actor, Base, Registry, Zoea, cache, noise};

use builder::Builder;

/// How many steps the step benchmarks run.
const STEPS: u32 = 20;

/// How often each build is measured.
const RUNS: usize = 5;

/// The sizes of the trees on which steps are compared.
const TREE_SIZES: [u32; 2] = [10_000, 100_000];

/// How many files and patterns the benchmark of ignore files has.
const IGNORED_FILES: u32 = 50_000;
const IGNORE_PATTERNS: u32 = 200;

/// The lengths of the Dockerfiles that are planned.
const DOCKERFILE_LINES: [u32; 2] = [5, 5000];

/// The size of the file that is copied to find the peak of memory: 1 GiB.
const BIG_FILE: u64 = 1 << 30;

/// One table: its name and what measures and prints it.
type Table = (&'static str, fn(&Zoea) -> Result<()>);

/// Every table there is.
const TABLES: &[Table] = &[
    ("steps", twenty_steps),
    ("bases", growing_base),
    ("metadata", metadata_only),
    ("dockerfile", long_dockerfile),
    ("ignore", ignored_files),
    ("memory", big_file),
];

/// Measures what the further arguments name, or everything, with an optimised build of this workspace.
pub(crate) fn run() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(2).collect();
    let names: Vec<&str> = TABLES.iter().map(|(name, _)| *name).collect();
    for name in &wanted {
        ensure!(names.contains(&name.as_str()), "there is no table `{name}`; there are {}", names.join(", "));
    }
    if std::env::var_os(cache::PROGRAM).is_none() {
        return with_optimised_program(&wanted);
    }
    let zoea = Zoea::new(Actor::Root)?;
    let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    TABLES.iter().filter(|(name, _)| chosen(name)).try_for_each(|(_, table)| table(&zoea))
}

/// Builds the program with optimisation and starts this task again with it.
fn with_optimised_program(tables: &[String]) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let build = ["build", "--release", "--quiet", "--package", "zoea-cli", "--message-format", "json"];
    let output = Command::new("cargo").args(build).current_dir(root).output()?;
    ensure!(output.status.success(), "cargo build: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let program = text.lines().find_map(|line| line.split("\"executable\":\"").nth(1)?.split('"').next());
    let program = program.context("cargo build made no program")?;
    let mut again = Command::new(std::env::current_exe()?);
    let status = again.arg("bench").args(tables).env(cache::PROGRAM, program).status()?;
    ensure!(status.success(), "the benchmark ended with {status}");
    Ok(())
}

fn steps(base: &str, count: u32) -> String {
    let lines = (0..count).map(|number| format!("RUN echo {number} > /f{number}\n"));
    format!("FROM {base}\n{}", lines.collect::<String>())
}

/// Twenty small steps on a Debian that is unpacked already.
fn twenty_steps(zoea: &Zoea) -> Result<()> {
    let registry = &Registry::start()?;
    println!("\n### Twenty `RUN echo $i > /f$i` on Debian, base present\n");
    println!("| builder | seconds | times zoea |\n|---|---:|---:|");
    let base = registry.put(Base::Debian)?;
    let mut own = None;
    for builder in Builder::installed(zoea) {
        let warm = zoea.context(&[("Dockerfile", &steps(&base, 1))])?;
        builder.build(&warm, registry)?.success()?;
        let context = zoea.context(&[("Dockerfile", &steps(&base, STEPS))])?;
        let seconds = measure::best(RUNS, || builder.build(&context, registry)?.success())?;
        println!("| {} | {seconds:.2} | {:.1} |", builder.name(), seconds / *own.get_or_insert(seconds));
    }
    Ok(())
}

/// What one step costs on small and on big bases.
fn growing_base(zoea: &Zoea) -> Result<()> {
    println!("\n### One `RUN` step on bases of different sizes\n");
    println!("| files in the base | milliseconds per step | times the first |\n|---:|---:|---:|");
    let mut first = None;
    for size in TREE_SIZES {
        let archive = tree::archive(zoea, size)?;
        let base = format!("base=oci-archive://{}", archive.display());
        let time = |count| -> Result<f64> {
            let context = zoea.context(&[("Dockerfile", &steps("base", count))])?;
            let build = || zoea.build(&context, &["--build-context", &base])?.success();
            build()?;
            measure::best(RUNS, build)
        };
        let step = (time(STEPS + 1)? - time(1)?) / f64::from(STEPS) * 1000.0;
        println!("| {size} | {step:.1} | {:.2} |", step / *first.get_or_insert(step));
    }
    Ok(())
}

/// A build that needs no file of its base.
fn metadata_only(zoea: &Zoea) -> Result<()> {
    let registry = Registry::start()?;
    println!("\n### `FROM debian` and `ENTRYPOINT`, not pushed, base never seen before\n");
    let base = registry.put(Base::Debian)?;
    let text = format!("FROM {base}\nENTRYPOINT [\"/bin/bash\",\"-c\",\"echo hello\"]\n");
    let context = zoea.context(&[("Dockerfile", &text)])?;
    let context = format!("--context=dir://{}", context.display());
    let seconds = measure::best(RUNS, || {
        // A home of its own each time: nothing is known of the base.
        let zoea = Zoea::new(Actor::Root)?;
        let start = std::time::Instant::now();
        zoea.run(&["executor", &context, "--no-push", "--insecure-pull"])?.success()?;
        Ok(start.elapsed())
    })?;
    println!("| builder | milliseconds |\n|---|---:|\n| zoea | {:.0} |", seconds * 1000.0);
    Ok(())
}

/// What it costs to leave files out: each is held against every pattern, or a directory above them is left out.
fn ignored_files(zoea: &Zoea) -> Result<()> {
    println!("\n### `COPY . /` of {IGNORED_FILES} files that {IGNORE_PATTERNS} patterns leave out\n");
    println!("| left out are | seconds |\n|---|---:|");
    let context = zoea.context(&[("Dockerfile", "FROM scratch\nCOPY . /\n")])?;
    tree::fill(&context.join("tree"), IGNORED_FILES)?;
    for (name, last) in [("the files", "**/*[0-9]"), ("the directory", "tree")] {
        let patterns = (1..IGNORE_PATTERNS).map(|number| match number % 4 {
            0 => format!("module{number}\n"),
            1 => format!("**/cache{number}\n"),
            2 => format!("**/*.suffix{number}\n"),
            _ => format!("!tree/*/kept{number}*.txt\n"),
        });
        std::fs::write(context.join(".dockerignore"), patterns.collect::<String>() + last)?;
        let seconds = measure::best(RUNS, || zoea.build(&context, &[])?.success())?;
        println!("| {name} | {seconds:.2} |");
    }
    Ok(())
}

/// What reading and planning a long Dockerfile costs, beside a short one.
fn long_dockerfile(zoea: &Zoea) -> Result<()> {
    println!("\n### `--dry-run` of Dockerfiles of different lengths\n");
    println!("| lines | milliseconds | more than the first |\n|---:|---:|---:|");
    let mut first = None;
    for lines in DOCKERFILE_LINES {
        let instructions = (1..lines).map(|number| match number % 5 {
            0 => format!(
                "ENV NAME{}=\"value $NAME{}\" OTHER=${{NAME{}:-none}}\n",
                number % 40,
                number % 7,
                number % 11
            ),
            1 => format!("RUN echo {number} > /file{number} && \\\n"),
            2 => format!("    echo done {number}\n"),
            3 => format!("COPY --chown=$NAME5 source{number} /target/${{NAME{}}}/{number}/\n", number % 40),
            _ => format!("LABEL label{}=\"text $OTHER {number}\"\n", number % 90),
        });
        let text = format!("FROM scratch\n{}", instructions.collect::<String>());
        let context = zoea.context(&[("Dockerfile", &text)])?;
        let seconds =
            measure::best(RUNS, || zoea.build(&context, &["--dry-run", "--progress=quiet"])?.success())?;
        let milliseconds = seconds * 1000.0;
        println!(
            "| {lines} | {milliseconds:.1} | {:.1} |",
            milliseconds - *first.get_or_insert(milliseconds)
        );
    }
    Ok(())
}

/// The most memory that is resident while a big file is copied.
fn big_file(zoea: &Zoea) -> Result<()> {
    println!("\n### `COPY` of 1 GiB that cannot be compressed\n");
    let context = zoea.context(&[("Dockerfile", "FROM scratch\nCOPY big /\n")])?;
    noise::write(&context.join("big"), BIG_FILE)?;
    let context = context.to_string_lossy();
    let output = format!("type=oci,dest={}", zoea.home().join("big.tar").display());
    let (seconds, mebibytes) = measure::memory(zoea, &["build", &context, "-o", &output])?;
    println!("| builder | seconds | peak MiB |\n|---|---:|---:|\n| zoea | {seconds:.1} | {mebibytes:.0} |");
    Ok(())
}
