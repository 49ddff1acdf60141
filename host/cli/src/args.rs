//! Exactly what was typed. Nothing here is checked beyond its syntax; `options` says what it means.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Builds container images from Dockerfiles, without a daemon and without privilege.
#[derive(Debug, Parser)]
#[command(name = "zoea", version, propagate_version = true)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Builds an image from a Dockerfile.
    Build(Box<BuildArguments>),
    /// Builds with kaniko's flags, for pipelines that move from it.
    Executor(Box<ExecutorArguments>),
    /// Prints the version.
    Version,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressForm {
    /// Lines of text.
    Plain,
    /// One JSON object a line.
    Json,
    /// Nothing but errors.
    Quiet,
}

/// How new layers are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompressionName {
    /// gzip.
    Gzip,
    /// Zstandard; not for `docker load`.
    Zstd,
    /// No compression.
    None,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AnswerForm {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// What both build commands take.
#[derive(Debug, Args)]
pub(crate) struct CommonArguments {
    /// Set a build argument, or take its value from the environment
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]")]
    pub(crate) build_args: Vec<String>,
    /// Set a label of the image
    #[arg(long = "label", value_name = "NAME=VALUE")]
    pub(crate) labels: Vec<String>,
    /// Set an annotation of the manifest, or of manifest[PLATFORM], manifest-descriptor, index, index-descriptor
    #[arg(long = "annotation", value_name = "[TYPE:]NAME=VALUE")]
    pub(crate) annotations: Vec<String>,
    /// Build this stage [default: the last one]
    #[arg(long, value_name = "STAGE")]
    pub(crate) target: Option<String>,
    /// Date everything that the build itself makes, as seconds since 1970, and clamp later file times to it
    #[arg(long, value_name = "SECONDS", env = "SOURCE_DATE_EPOCH")]
    pub(crate) source_date_epoch: Option<String>,
    /// Keep state (unpacked layers, blobs, images) here
    #[arg(long, value_name = "DIR", env = "ZOEA_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Speak plain HTTP with this registry
    #[arg(long = "insecure-registry", value_name = "HOST[:PORT]")]
    pub(crate) insecure_registries: Vec<String>,
    /// Fetch and unpack this many layers at once
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) jobs: u8,
}

/// `zoea build`.
#[derive(Debug, Args)]
pub(crate) struct BuildArguments {
    /// Directory with the files that COPY and ADD take
    #[arg(default_value = ".")]
    pub(crate) context: String,
    /// Dockerfile [default: CONTEXT/Dockerfile]
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Name the image; may be given more than once
    #[arg(short = 't', long = "tag", value_name = "NAME[:TAG]")]
    pub(crate) tags: Vec<String>,
    /// Build for these platforms; several make an index
    #[arg(long = "platform", value_name = "OS/ARCHITECTURE[/VARIANT]", value_delimiter = ',')]
    pub(crate) platforms: Vec<String>,
    /// Use files or an image of another place under a name: NAME=DIR, a git repository, oci-layout://DIR[:TAG],
    /// oci-archive://FILE, docker-archive://FILE or docker-image://REFERENCE
    #[arg(long = "build-context", value_name = "NAME=ADDRESS")]
    pub(crate) build_contexts: Vec<String>,
    /// Write the result: type=oci|docker|local|tar|image[,dest=PATH][,tar=false][,push=true][,name=NAME][,platform-split=false]
    #[arg(short = 'o', long = "output", value_name = "SPEC")]
    pub(crate) outputs: Vec<String>,
    /// Push the image to the registry of each tag
    #[arg(long)]
    pub(crate) push: bool,
    /// Answer a question instead of building: build|check|outline|targets[,format=text|json]
    #[arg(long, value_name = "QUESTION", default_value = "build")]
    pub(crate) call: String,
    /// Say what build checks complain of instead of building: --call=check
    #[arg(long, conflicts_with_all = ["call", "dry_run"])]
    pub(crate) check: bool,
    /// Say what would be done, and fetch nothing but configurations of images
    #[arg(long, value_name = "FORM", num_args = 0..=1, require_equals = true, default_missing_value = "text",
          conflicts_with = "call")]
    pub(crate) dry_run: Option<AnswerForm>,
    /// Ask the registry even for images that an earlier build left in the state directory
    #[arg(long)]
    pub(crate) pull: bool,
    /// Run every step; this version has no cache and always does
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Compress new layers so
    #[arg(long, value_enum, default_value = "gzip")]
    pub(crate) compression: CompressionName,
    /// Write the image's digest into a file
    #[arg(long, value_name = "FILE")]
    pub(crate) iidfile: Option<PathBuf>,
    /// Write what was built into a file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) metadata_file: Option<PathBuf>,
    /// Show progress so
    #[arg(long, value_enum, default_value = "plain")]
    pub(crate) progress: ProgressForm,
    /// Flags of `zoea executor` too.
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

/// `zoea executor`: kaniko's flags.
#[derive(Debug, Args)]
pub(crate) struct ExecutorArguments {
    /// Dockerfile, looked for in the working directory, then in the context
    #[arg(short = 'f', long, value_name = "FILE", default_value = "Dockerfile")]
    pub(crate) dockerfile: PathBuf,
    /// Directory with the files that COPY and ADD take
    #[arg(short = 'c', long, value_name = "DIR", default_value = "/workspace/")]
    pub(crate) context: String,
    /// Push the image under this name; may be given more than once
    #[arg(short = 'd', long = "destination", value_name = "NAME[:TAG]")]
    pub(crate) destinations: Vec<String>,
    /// Do not push the image
    #[arg(long, env = "KANIKO_NO_PUSH", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) no_push: bool,
    /// Write the image as an archive that `docker load` takes
    #[arg(long, alias = "tarPath", value_name = "FILE")]
    pub(crate) tar_path: Option<PathBuf>,
    /// Write the image as an OCI layout directory
    #[arg(long, value_name = "DIR")]
    pub(crate) oci_layout_path: Option<PathBuf>,
    /// Build for this platform
    #[arg(long, alias = "customPlatform", alias = "platform", value_name = "OS/ARCHITECTURE")]
    pub(crate) custom_platform: Option<String>,
    /// Speak plain HTTP with every registry that is pushed to
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", action = clap::ArgAction::Set)]
    pub(crate) insecure: bool,
    /// Speak plain HTTP with every registry that is pulled from
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", action = clap::ArgAction::Set)]
    pub(crate) insecure_pull: bool,
    /// Write the image's digest into a file
    #[arg(long, value_name = "FILE")]
    pub(crate) digest_file: Option<PathBuf>,
    /// Compress new layers so
    #[arg(long, value_enum, default_value = "gzip")]
    pub(crate) compression: CompressionName,
    /// Log this much
    #[arg(short = 'v', long, value_enum, default_value = "info")]
    pub(crate) verbosity: Verbosity,
    /// Flags of `zoea build` too.
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

/// How much `zoea executor` logs, in kaniko's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Verbosity {
    /// Errors only.
    Panic,
    /// Errors only.
    Fatal,
    /// Errors only.
    Error,
    /// Errors and warnings.
    Warn,
    /// What is done.
    Info,
    /// As `info`: nothing more is logged.
    Debug,
    /// As `info`: nothing more is logged.
    Trace,
}
