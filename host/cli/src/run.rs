//! The command from its arguments to its exit status.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;
use zoea::model::Events;
use zoea::{Authority, GivenContexts, Registry, Report, Surroundings};

use crate::args::{Arguments, Command, ProgressForm};
use crate::error::CliError;
use crate::kaniko_log::KanikoLog;
use crate::options::{Options, Progress, from_build, from_executor};
use crate::places::Places;
use crate::plain_progress::{Form, PlainProgress};
use crate::wire::SystemClock;
use crate::{report, report_files, request, wire};

/// Runs the command that `arguments` (the program's name first) ask for.
///
/// Must be called while the process has one thread: a build moves it into namespaces of its own.
pub fn run(mut arguments: Vec<OsString>) -> ExitCode {
    // The image of kaniko names its program so, and pipelines call it so.
    let asks_version = arguments.get(1).is_some_and(|argument| argument == "version");
    if wire::called_as(&arguments) == Some("executor") && !asks_version {
        arguments.insert(1, OsString::from("executor"));
    }
    let parsed = match Arguments::try_parse_from(arguments) {
        Ok(parsed) => parsed,
        Err(error) => return usage(&error),
    };
    let result = match parsed.command {
        Command::Build(arguments) => from_build(*arguments).and_then(|options| build(&options)),
        Command::Executor(arguments) => from_executor(*arguments).and_then(|options| build(&options)),
        Command::Version => version(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without standard error there is nobody to tell; the exit status still does.
            drop(io::stderr().lock().write_all(report::text(&error).as_bytes()));
            report::exit_code(&error)
        }
    }
}

/// Prints a usage error, or the help that was asked for.
fn usage(error: &clap::Error) -> ExitCode {
    // As above: the exit status tells it too.
    drop(error.print());
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn version() -> Result<(), CliError> {
    writeln!(io::stdout().lock(), "zoea {}", env!("CARGO_PKG_VERSION")).map_err(|source| CliError::File {
        action: "write",
        path: PathBuf::from("standard output"),
        source,
    })
}

fn build(options: &Options) -> Result<(), CliError> {
    let user = wire::invoking_user();
    let surroundings = zoea::enter().map_err(CliError::Namespaces)?;
    let events = events(options.progress);
    let files = report_files::open(&options.report_files)?;
    let report = build_in(options, user, &surroundings, events.as_ref())?;
    report_files::write(&files, &report, &options.tags)
}

fn build_in(
    options: &Options,
    user: u32,
    surroundings: &Surroundings,
    events: &dyn Events,
) -> Result<Report, CliError> {
    let runtime = wire::runtime()?;
    let state = wire::state_directory(options.state_dir.as_deref(), user)?;
    let stores = wire::stores(&state, surroundings)?;
    let fetched = stores.layers.begin_build().map_err(CliError::State)?;
    let fetcher = wire::fetcher(&fetched, runtime.handle())?;
    let places = Places { fetcher: &fetcher, state: &state.directory, events };
    let prepared = request::prepare(options, &places)?;
    let contexts = GivenContexts { main: prepared.main, named: prepared.named, remotes: &fetcher };
    let authority = Authority {
        store: stores.layers,
        blobs: stores.blobs,
        images: stores.images,
        registry: Registry::new(wire::registry_options(&options.plain_http)?, runtime.handle().clone()),
        contexts: &contexts,
        remotes: &fetcher,
        surroundings,
        step_settings: wire::step_settings(),
        clock: &SystemClock,
        events,
    };
    Ok(zoea::build(&prepared.request, &authority)?)
}

fn events(progress: Progress) -> Box<dyn Events> {
    match progress {
        Progress::Form(ProgressForm::Plain) => Box::new(PlainProgress::new(Form::Plain, io::stderr())),
        Progress::Form(ProgressForm::Json) => Box::new(PlainProgress::new(Form::Json, io::stderr())),
        Progress::Form(ProgressForm::Quiet) => Box::new(zoea::model::IgnoreEvents),
        Progress::Kaniko(verbosity) => Box::new(KanikoLog::new(verbosity, io::stderr())),
    }
}
