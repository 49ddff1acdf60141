//! The text form of a plan: for `--dry-run`, golden files and bug reports.
//!
//! Equal plans give equal text. Every string is quoted, so that none can pass for another line. The values of
//! proxy variables are left out: they often hold credentials and are no part of what is built.

use std::fmt::{self, Write as _};

use zoea_model::{
    AddArchive, Base, ContextName, CopyItem, CopySource, CopyStep, ImageConfig, InlineFile, Network,
    Operation, PinnedImage, Plan, RunStep, RuntimeConfig, Stage, StageId, Step, WorkdirStep,
};

use crate::build_arguments::is_proxy_variable;
use crate::duration;

/// Writes a plan as text.
pub fn plan_text(plan: &Plan) -> String {
    let mut text = String::new();
    match write_plan(&mut text, plan) {
        Ok(()) => text,
        // Writing to a string does not fail; if it did, half a plan must not pass for one.
        Err(fmt::Error) => String::new(),
    }
}

fn write_plan(out: &mut String, plan: &Plan) -> fmt::Result {
    for (index, stage) in plan.stages.iter().enumerate() {
        writeln!(out, "stage {index} {:?} {}", stage.name, stage.platform)?;
        write_stage(out, stage)?;
    }
    writeln!(out, "target {}", plan.target.0)
}

fn write_stage(out: &mut String, stage: &Stage) -> fmt::Result {
    match &stage.base {
        Base::Scratch => writeln!(out, "  from scratch")?,
        Base::Image(image) => writeln!(out, "  from {}", image_text(image))?,
        Base::Stage(StageId(id)) => writeln!(out, "  from stage {id}")?,
        Base::Context(name) => writeln!(out, "  from {}", context_text(name))?,
    }
    for step in &stage.steps {
        write_step(out, step)?;
    }
    write_config(out, &stage.config)
}

fn context_text(name: &ContextName) -> String {
    match name {
        ContextName::Main => "context".to_owned(),
        ContextName::Named(name) => format!("context {name:?}"),
    }
}

fn image_text(image: &PinnedImage) -> String {
    format!("image {:?} {} {}", image.name, image.platform, image.digest)
}

fn write_step(out: &mut String, step: &Step) -> fmt::Result {
    let span = step.span;
    writeln!(out, "  step {}:{}-{} {:?}", span.line, span.column, span.end_line, step.text)?;
    match &step.operation {
        Operation::Metadata => {}
        Operation::Workdir(WorkdirStep { path, owner }) => {
            writeln!(out, "    make directory {:?} owner {:?}", path.to_string(), owner.to_string())?;
        }
        Operation::Copy(copy) => write_copy(out, copy)?,
        Operation::Run(run) => write_run(out, run)?,
    }
    let layer = if step.history.empty_layer { "no layer" } else { "layer" };
    writeln!(out, "    history {layer} {:?}", step.history.created_by)
}

fn write_copy(out: &mut String, copy: &CopyStep) -> fmt::Result {
    let from = match &copy.from {
        CopySource::Context(name) => context_text(name),
        CopySource::Stage(StageId(id)) => format!("stage {id}"),
        CopySource::Image(image) => image_text(image),
    };
    writeln!(out, "    copy from {from}")?;
    for item in &copy.items {
        write_item(out, item)?;
    }
    let kind = if copy.into_directory { "directory" } else { "path" };
    writeln!(out, "      to {kind} {:?}", copy.destination.to_string())?;
    if let Some(owner) = &copy.owner {
        writeln!(out, "      owner {:?}", owner.to_string())?;
    }
    if let Some(mode) = &copy.mode {
        writeln!(out, "      mode {mode}")?;
    }
    match copy.archives {
        AddArchive::Keep => Ok(()),
        AddArchive::Unpack => writeln!(out, "      unpack archives"),
    }
}

fn write_item(out: &mut String, item: &CopyItem) -> fmt::Result {
    match item {
        CopyItem::Pattern(pattern) => writeln!(out, "      source {pattern:?}"),
        CopyItem::Below { root, pattern } => writeln!(out, "      source {pattern:?} below {root:?}"),
        CopyItem::Inline(InlineFile { name, content }) => {
            writeln!(out, "      file {name:?} {:?}", String::from_utf8_lossy(content))
        }
        CopyItem::Http(source) => writeln!(out, "      fetch {}", source.url),
        CopyItem::Git(source) => writeln!(out, "      fetch {source}"),
    }
}

fn write_run(out: &mut String, run: &RunStep) -> fmt::Result {
    writeln!(out, "    run {:?} {:?}", run.command.program, run.command.arguments)?;
    writeln!(out, "      directory {:?}", run.working_directory.to_string())?;
    writeln!(out, "      user {:?}", run.user.to_string())?;
    match run.network {
        Network::Default => {}
        Network::None => writeln!(out, "      network none")?,
        Network::Host => writeln!(out, "      network host")?,
    }
    for (name, value) in run.environment.iter().filter(|(name, _)| !is_proxy_variable(name)) {
        writeln!(out, "      env {name:?} {value:?}")?;
    }
    Ok(())
}

fn write_config(out: &mut String, config: &ImageConfig) -> fmt::Result {
    writeln!(out, "  config {}", config.platform())?;
    if let Some(author) = &config.author {
        writeln!(out, "    author {author:?}")?;
    }
    write_runtime(out, &config.config)?;
    for (key, value) in config.config.other.iter().chain(&config.other) {
        writeln!(out, "    other {key:?} {value}")?;
    }
    Ok(())
}

fn write_runtime(out: &mut String, config: &RuntimeConfig) -> fmt::Result {
    for (name, value) in [
        ("user", &config.user),
        ("working directory", &config.working_dir),
        ("stop signal", &config.stop_signal),
    ] {
        if !value.is_empty() {
            writeln!(out, "    {name} {value:?}")?;
        }
    }
    for (name, words) in
        [("entrypoint", &config.entrypoint), ("command", &config.cmd), ("shell", &config.shell)]
    {
        if let Some(words) = words {
            writeln!(out, "    {name} {words:?}")?;
        }
    }
    if config.args_escaped {
        writeln!(out, "    arguments escaped")?;
    }
    for entry in &config.env {
        writeln!(out, "    env {entry:?}")?;
    }
    for (key, value) in &config.labels {
        writeln!(out, "    label {key:?} {value:?}")?;
    }
    for port in config.exposed_ports.keys() {
        writeln!(out, "    port {port:?}")?;
    }
    for path in config.volumes.keys() {
        writeln!(out, "    volume {path:?}")?;
    }
    if let Some(check) = &config.healthcheck {
        writeln!(out, "    health check {:?}", check.test)?;
        for (name, nanoseconds) in [
            ("interval", check.interval),
            ("timeout", check.timeout),
            ("start period", check.start_period),
            ("start interval", check.start_interval),
        ] {
            if nanoseconds != 0 {
                writeln!(out, "      {name} {}", duration::format(nanoseconds))?;
            }
        }
        if check.retries != 0 {
            writeln!(out, "      retries {}", check.retries)?;
        }
    }
    for trigger in &config.on_build {
        writeln!(out, "    on build {trigger:?}")?;
    }
    Ok(())
}
