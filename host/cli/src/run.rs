//! The command from its arguments to its exit status.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;
use zoea::model::Events;
use zoea::{Authority, GivenContexts, Question, Registry, Request, Surroundings, Verdict};

use crate::args::{Arguments, Command, ProgressForm};
use crate::error::CliError;
use crate::kaniko_log::KanikoLog;
use crate::options::{Options, Progress, from_build, from_executor};
use crate::places::Places;
use crate::plain_progress::{Form, PlainProgress};
use crate::purpose::Purpose;
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
        Command::Build(arguments) => from_build(*arguments).and_then(|options| carry_out(&options)),
        Command::Executor(arguments) => from_executor(*arguments).and_then(|options| carry_out(&options)),
        Command::Version => {
            print(&format!("zoea {}\n", env!("CARGO_PKG_VERSION"))).map(|()| ExitCode::SUCCESS)
        }
    };
    match result {
        Ok(code) => code,
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

/// Writes an answer to standard output.
fn print(text: &str) -> Result<(), CliError> {
    io::stdout().lock().write_all(text.as_bytes()).map_err(|source| CliError::File {
        action: "write",
        path: PathBuf::from("standard output"),
        source,
    })
}

/// Does what the command line is for, and says how it went.
fn carry_out(options: &Options) -> Result<ExitCode, CliError> {
    let user = wire::invoking_user();
    let surroundings = zoea::enter().map_err(CliError::Namespaces)?;
    let events = events(options.progress);
    match options.purpose {
        Purpose::Build => {
            let files = report_files::open(&options.report_files)?;
            let build = |request: &Request, authority: &Authority<'_>| zoea::build(request, authority);
            let report = with_authority(options, user, &surroundings, events.as_ref(), build)?;
            report_files::write(&files, &report, &options.tags)?;
            Ok(ExitCode::SUCCESS)
        }
        Purpose::Answer(question, form) => {
            // What a check complains of is its answer, and is not told twice.
            let quiet = zoea::model::IgnoreEvents;
            let events: &dyn Events = if question == Question::Check { &quiet } else { events.as_ref() };
            let ask =
                |request: &Request, authority: &Authority<'_>| zoea::ask(question, form, request, authority);
            let answered = with_authority(options, user, &surroundings, events, ask)?;
            print(&answered.text)?;
            Ok(match answered.verdict {
                Verdict::Clean => ExitCode::SUCCESS,
                Verdict::Complaints => ExitCode::from(report::COMPLAINTS),
            })
        }
    }
}

/// Gathers what the facade may use, and hands it to `act`.
fn with_authority<T>(
    options: &Options,
    user: u32,
    surroundings: &Surroundings,
    events: &dyn Events,
    act: impl Fn(&Request, &Authority<'_>) -> Result<T, zoea::ZoeaError>,
) -> Result<T, CliError> {
    let runtime = wire::runtime()?;
    let state = wire::state_directory(options.state_dir.as_deref(), user)?;
    let stores = wire::stores(&state, surroundings)?;
    let fetched = stores.layers.begin_build().map_err(CliError::State)?;
    let fetcher = wire::fetcher(&fetched, runtime.handle())?;
    let places = Places { fetcher: &fetcher, area: &fetched, state: &state.directory, events };
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
    Ok(act(&prepared.request, &authority)?)
}

fn events(progress: Progress) -> Box<dyn Events> {
    match progress {
        Progress::Form(ProgressForm::Plain) => Box::new(PlainProgress::new(Form::Plain, io::stderr())),
        Progress::Form(ProgressForm::Json) => Box::new(PlainProgress::new(Form::Json, io::stderr())),
        Progress::Form(ProgressForm::Quiet) => Box::new(zoea::model::IgnoreEvents),
        Progress::Kaniko(verbosity) => Box::new(KanikoLog::new(verbosity, io::stderr())),
    }
}
