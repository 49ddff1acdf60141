//! The text form of a plan: for `--dry-run`, golden files and bug reports.
//!
//! Equal plans give equal text. Every string is quoted, so that none can pass for another line. The values of
//! proxy variables are left out: they often hold credentials and are no part of what is built.

use std::fmt::{self, Write as _};

use zoea_model::{
    Access, AddArchive, Base, CacheMount, ContextName, CopyItem, CopySource, CopyStep, GitDirectory,
    GitSource, GitTimes, HttpSource, ImageConfig, InlineFile, Linking, Mount, Network, Operation,
    PinnedImage, Plan, Presence, RunStep, RuntimeConfig, Security, Sharing, Stage, StageId, Step, Submodules,
    WorkdirStep,
};

use crate::build_arguments::is_proxy_variable;
use crate::duration;
use crate::safe_text::safe;

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
    writeln!(out, "target {}", plan.target.0)?;
    match plan.source_date {
        Some(date) => writeln!(out, "date {date}"),
        None => Ok(()),
    }
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
    let (span, operation) = (step.span, &step.operation);
    writeln!(out, "  step {}:{}-{} {:?}", span.line, span.column, span.end_line, step.text)?;
    match operation {
        Operation::Metadata => {}
        Operation::Workdir(WorkdirStep { path, owner }) => {
            writeln!(out, "    make directory {:?} owner {:?}", path.to_string(), owner.to_string())?;
        }
        Operation::Copy(copy) => write_copy(out, copy)?,
        Operation::Run(run) => write_run(out, run)?,
    }
    let layer = if step.history.empty_layer { "no layer" } else { "layer" };
    writeln!(out, "    history {layer} {:?}", safe(&step.history.created_by, operation))
}

fn write_copy(out: &mut String, copy: &CopyStep) -> fmt::Result {
    writeln!(out, "    copy from {}", source_text(&copy.from))?;
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
    for pattern in &copy.excludes {
        writeln!(out, "      exclude {pattern:?}")?;
    }
    match copy.linking {
        Linking::Tree => {}
        Linking::Independent => writeln!(out, "      link")?,
    }
    match copy.archives {
        AddArchive::Keep => {}
        AddArchive::Unpack => writeln!(out, "      unpack archives")?,
    }
    match copy.remote_archives {
        AddArchive::Keep => Ok(()),
        AddArchive::Unpack => writeln!(out, "      unpack fetched archives"),
    }
}

fn source_text(from: &CopySource) -> String {
    match from {
        CopySource::Context(name) => context_text(name),
        CopySource::Stage(StageId(id)) => format!("stage {id}"),
        CopySource::Image(image) => image_text(image),
    }
}

fn write_item(out: &mut String, item: &CopyItem) -> fmt::Result {
    match item {
        CopyItem::Pattern(pattern) => writeln!(out, "      source {pattern:?}"),
        CopyItem::Below { root, pattern } => writeln!(out, "      source {pattern:?} below {root:?}"),
        CopyItem::Inline(file) => write_inline(out, "file", file),
        CopyItem::Http(source) => write_http(out, source),
        CopyItem::Git(source) => write_git(out, source),
    }
}

fn write_inline(out: &mut String, what: &str, file: &InlineFile) -> fmt::Result {
    let InlineFile { name, content } = file;
    writeln!(out, "      {what} {name:?} {:?}", String::from_utf8_lossy(content))
}

fn write_http(out: &mut String, source: &HttpSource) -> fmt::Result {
    write!(out, "      fetch {:?} as {:?}", source.url.to_string(), source.file_name)?;
    match &source.checksum {
        Some(checksum) => writeln!(out, " {checksum}"),
        None => writeln!(out),
    }
}

fn write_git(out: &mut String, source: &GitSource) -> fmt::Result {
    write!(out, "      fetch repository {:?}", source.remote.to_string())?;
    for (name, value) in [("reference", &source.reference), ("commit", &source.checksum)] {
        if let Some(value) = value {
            write!(out, " {name} {value:?}")?;
        }
    }
    if !source.subdirectory.is_root() {
        write!(out, " directory {:?}", source.subdirectory.to_string())?;
    }
    match source.git_directory {
        GitDirectory::Drop => {}
        GitDirectory::Keep => write!(out, ", keep .git")?,
    }
    match source.submodules {
        Submodules::Fetch => {}
        Submodules::Skip => write!(out, ", no submodules")?,
    }
    match source.times {
        GitTimes::Checkout => writeln!(out),
        GitTimes::Commit => writeln!(out, ", times of the commit"),
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
    match run.security {
        Security::Sandbox => {}
        Security::Insecure => writeln!(out, "      security insecure")?,
    }
    for mount in &run.mounts {
        write_mount(out, mount)?;
    }
    for script in &run.scripts {
        write_inline(out, "script", script)?;
    }
    for (name, value) in run.environment.iter().filter(|(name, _)| !is_proxy_variable(name)) {
        writeln!(out, "      env {name:?} {value:?}")?;
    }
    Ok(())
}

fn write_mount(out: &mut String, mount: &Mount) -> fmt::Result {
    let access = |access| match access {
        Access::ReadOnly => "",
        Access::ReadWrite => " writable",
    };
    let required = |presence| match presence {
        Presence::Optional => "",
        Presence::Required => " required",
    };
    match mount {
        Mount::Bind(bind) => {
            let (target, from) = (bind.target.to_string(), source_text(&bind.from));
            let source = bind.source.to_string();
            writeln!(out, "      mount {target:?} bind {source:?} of {from}{}", access(bind.access))
        }
        Mount::Cache(cache) => write_cache(out, cache),
        Mount::Tmpfs(tmpfs) => {
            write!(out, "      mount {:?} tmpfs", tmpfs.target.to_string())?;
            match tmpfs.size {
                Some(size) => writeln!(out, " of {size} bytes"),
                None => writeln!(out),
            }
        }
        Mount::Secret(secret) => {
            write!(out, "      secret {:?}", secret.id)?;
            if let Some(target) = &secret.target {
                let owner = format!("{}:{}", secret.uid, secret.gid);
                write!(out, " file {:?} mode {} owner {owner}", target.to_string(), secret.mode)?;
            }
            if let Some(variable) = &secret.variable {
                write!(out, " variable {variable:?}")?;
            }
            writeln!(out, "{}", required(secret.presence))
        }
        Mount::Ssh(ssh) => {
            write!(out, "      ssh {:?}", ssh.id)?;
            if let Some(target) = &ssh.target {
                write!(out, " socket {:?}", target.to_string())?;
            }
            let owner = format!("{}:{}", ssh.uid, ssh.gid);
            writeln!(out, " mode {} owner {owner}{}", ssh.mode, required(ssh.presence))
        }
    }
}

fn write_cache(out: &mut String, cache: &CacheMount) -> fmt::Result {
    let sharing = match cache.sharing {
        Sharing::Shared => "shared",
        Sharing::Private => "private",
        Sharing::Locked => "locked",
    };
    write!(out, "      mount {:?} cache {:?} {sharing}", cache.target.to_string(), cache.id)?;
    write!(out, " mode {} owner {}:{}", cache.mode, cache.uid, cache.gid)?;
    if let Some(from) = &cache.from {
        write!(out, " beginning with {:?} of {}", cache.source.to_string(), source_text(from))?;
    }
    match cache.access {
        Access::ReadWrite => writeln!(out),
        Access::ReadOnly => writeln!(out, " read-only"),
    }
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
