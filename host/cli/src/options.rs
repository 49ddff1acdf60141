//! What the arguments mean: checked values, defaults filled in, one form for both build commands. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use zoea::model::{ImageRef, ModelError, Platform, Timestamp};
use zoea::{Annotation, Compression, ImageLocation, LocationError};

use crate::args::{
    BuildArguments, CommonArguments, CompressionName, ExecutorArguments, ProgressForm, Verbosity,
};
use crate::error::CliError;
use crate::output_spec::{Destination, OutputSpec};
use crate::purpose::{Flags, Purpose};

/// Where the Dockerfile is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DockerfileChoice {
    /// `Dockerfile` (or `dockerfile`) in the context.
    Default,
    /// On standard input.
    Stdin,
    /// At this path.
    Path(PathBuf),
    /// As kaniko looks for it: at this path from the working directory, else in the context.
    WorkingDirectoryOrContext(PathBuf),
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Lines, JSON or nothing.
    Form(ProgressForm),
    /// kaniko's log.
    Kaniko(Verbosity),
}

/// Which registries are spoken to in plain HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PlainHttp {
    /// These, always.
    pub(crate) registries: Vec<String>,
    /// All of them: when pulling, when pushing.
    pub(crate) every: Vec<Direction>,
}

/// A direction of traffic with a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From it.
    Pull,
    /// To it.
    Push,
}

/// The files that report on the result.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ReportFiles {
    /// The image's digest (`--iidfile`, `--digest-file`).
    pub(crate) digest: Option<PathBuf>,
    /// What was built, as JSON.
    pub(crate) metadata: Option<PathBuf>,
}

/// What `--build-context` names.
#[derive(Debug)]
pub(crate) enum NamedLocation {
    /// An image.
    Image(ImageLocation),
    /// Files, at an address like that of the main context.
    Files(String),
}

/// One build as the user asked for it.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) context: String,
    pub(crate) dockerfile: DockerfileChoice,
    /// `None` for an argument that takes its value from the environment.
    pub(crate) build_args: BTreeMap<String, Option<String>>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: Vec<Annotation>,
    pub(crate) target: Option<String>,
    pub(crate) platforms: Vec<Platform>,
    pub(crate) named_contexts: BTreeMap<String, NamedLocation>,
    pub(crate) tags: Vec<ImageRef>,
    pub(crate) outputs: Vec<OutputSpec>,
    pub(crate) pull: zoea::PullPolicy,
    pub(crate) compression: Compression,
    pub(crate) source_date_epoch: Option<Timestamp>,
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) plain_http: PlainHttp,
    pub(crate) jobs: usize,
    pub(crate) report_files: ReportFiles,
    pub(crate) progress: Progress,
    pub(crate) purpose: Purpose,
}

/// Reads the arguments of `zoea build`.
pub(crate) fn from_build(arguments: BuildArguments) -> Result<Options, CliError> {
    let mut tags = parse_all("--tag", &arguments.tags)?;
    let mut outputs: Vec<OutputSpec> =
        arguments.outputs.iter().map(|text| OutputSpec::parse(text)).collect::<Result<_, _>>()?;
    for output in &outputs {
        if let OutputSpec::Image { names, .. } = output {
            tags.extend(parse_all("--output", names)?);
        }
    }
    if arguments.push {
        outputs.push(OutputSpec::Image { push: true, names: Vec::new() });
    }
    let pushes = outputs.iter().any(|output| matches!(output, OutputSpec::Image { push: true, .. }));
    if pushes && tags.is_empty() {
        return Err(CliError::Usage("A push needs a name: give one with `--tag`"));
    }
    if outputs.is_empty() {
        outputs.push(OutputSpec::Image { push: false, names: Vec::new() });
    }
    let dockerfile = match arguments.file {
        None => DockerfileChoice::Default,
        Some(path) if path.as_os_str() == "-" => DockerfileChoice::Stdin,
        Some(path) => DockerfileChoice::Path(path),
    };
    let pull = if arguments.pull { zoea::PullPolicy::Always } else { zoea::PullPolicy::PreferStored };
    let base = from_common(&arguments.common, &arguments.platforms, arguments.compression)?;
    check_stdout(&outputs)?;
    check_compression(&outputs, arguments.compression)?;
    Ok(Options {
        context: arguments.context,
        dockerfile,
        named_contexts: named_contexts(&arguments.build_contexts)?,
        tags,
        outputs,
        pull,
        report_files: ReportFiles { digest: arguments.iidfile, metadata: arguments.metadata_file },
        progress: Progress::Form(arguments.progress),
        purpose: Purpose::new(Flags {
            call: &arguments.call,
            check: arguments.check,
            dry_run: arguments.dry_run,
        })?,
        ..base
    })
}

/// Reads the arguments of `zoea executor`.
pub(crate) fn from_executor(arguments: ExecutorArguments) -> Result<Options, CliError> {
    let tags: Vec<ImageRef> = parse_all("--destination", &arguments.destinations)?;
    if tags.is_empty() && !arguments.no_push {
        return Err(CliError::Usage("Give a name with `--destination`, or `--no-push`"));
    }
    let mut outputs = Vec::new();
    if let Some(path) = arguments.tar_path {
        outputs.push(OutputSpec::DockerArchive(Destination::File(path)));
    }
    if let Some(path) = arguments.oci_layout_path {
        outputs.push(OutputSpec::OciLayout(path));
    }
    if !arguments.no_push {
        outputs.push(OutputSpec::Image { push: true, names: Vec::new() });
    }
    check_compression(&outputs, arguments.compression)?;
    let base = from_common(&arguments.common, arguments.custom_platform.as_slice(), arguments.compression)?;
    let directions = [(arguments.insecure, Direction::Push), (arguments.insecure_pull, Direction::Pull)];
    let every = directions.into_iter().filter(|(given, _)| *given).map(|(_, direction)| direction).collect();
    Ok(Options {
        context: arguments.context,
        dockerfile: DockerfileChoice::WorkingDirectoryOrContext(arguments.dockerfile),
        tags,
        outputs,
        plain_http: PlainHttp { every, ..base.plain_http },
        report_files: ReportFiles { digest: arguments.digest_file, metadata: None },
        progress: Progress::Kaniko(arguments.verbosity),
        ..base
    })
}

fn from_common(
    common: &CommonArguments,
    platforms: &[String],
    compression: CompressionName,
) -> Result<Options, CliError> {
    Ok(Options {
        context: String::new(),
        dockerfile: DockerfileChoice::Default,
        build_args: common.build_args.iter().map(|text| build_arg(text)).collect::<Result<_, _>>()?,
        labels: pairs("--label", &common.labels)?,
        annotations: annotations(&common.annotations)?,
        target: common.target.clone(),
        platforms: self::platforms(platforms)?,
        named_contexts: BTreeMap::new(),
        tags: Vec::new(),
        outputs: Vec::new(),
        pull: zoea::PullPolicy::PreferStored,
        compression: match compression {
            CompressionName::Gzip => Compression::Gzip,
            CompressionName::Zstd => Compression::Zstd,
            CompressionName::None => Compression::None,
        },
        source_date_epoch: source_date_epoch(common.source_date_epoch.as_deref())?,
        state_dir: common.state_dir.clone(),
        plain_http: PlainHttp { registries: common.insecure_registries.clone(), every: Vec::new() },
        jobs: usize::from(common.jobs),
        report_files: ReportFiles::default(),
        progress: Progress::Form(ProgressForm::Plain),
        purpose: Purpose::Build,
    })
}

/// An empty value means that there is none, as it does for an environment variable.
fn source_date_epoch(text: Option<&str>) -> Result<Option<Timestamp>, CliError> {
    text.filter(|text| !text.is_empty()).map(|text| parse("--source-date-epoch", text)).transpose()
}

fn parse<T: FromStr<Err = ModelError>>(flag: &'static str, text: &str) -> Result<T, CliError> {
    text.parse().map_err(|source| CliError::Value { flag, source })
}

fn parse_all<T: FromStr<Err = ModelError>>(flag: &'static str, texts: &[String]) -> Result<Vec<T>, CliError> {
    texts.iter().map(|text| parse(flag, text)).collect()
}

/// Without any, the builder's own; `local` means that too, as for buildx.
fn platforms(texts: &[String]) -> Result<Vec<Platform>, CliError> {
    if texts.is_empty() {
        return Ok(vec![Platform::host()]);
    }
    let platform = |text: &String| match text.eq_ignore_ascii_case("local") {
        true => Ok(Platform::host()),
        false => parse("--platform", text),
    };
    texts.iter().map(platform).collect()
}

fn annotations(texts: &[String]) -> Result<Vec<Annotation>, CliError> {
    let mut annotations = Vec::new();
    for text in texts {
        let parsed = Annotation::parse(text);
        annotations.extend(parsed.map_err(|error| invalid("--annotation", text, &error.to_string()))?);
    }
    Ok(annotations)
}

fn build_arg(text: &str) -> Result<(String, Option<String>), CliError> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    if name.is_empty() {
        return Err(invalid("--build-arg", text, "expected `NAME=VALUE` or `NAME`"));
    }
    Ok((name.to_owned(), value))
}

fn pairs(flag: &'static str, texts: &[String]) -> Result<BTreeMap<String, String>, CliError> {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err(invalid(flag, text, "expected `NAME=VALUE`")),
    };
    texts.iter().map(pair).collect()
}

fn named_contexts(texts: &[String]) -> Result<BTreeMap<String, NamedLocation>, CliError> {
    const FLAG: &str = "--build-context";
    let named = |text: &String| match text.split_once('=') {
        Some((name, address)) if !name.is_empty() => match address.parse::<ImageLocation>() {
            Ok(location) => Ok((name.to_owned(), NamedLocation::Image(location))),
            // No kind of image, so it is files.
            Err(LocationError::Scheme(_)) => Ok((name.to_owned(), NamedLocation::Files(address.to_owned()))),
            Err(error) => Err(CliError::Flag {
                flag: FLAG,
                value: text.clone(),
                reason: format!("{error}; {}", error.hint()),
            }),
        },
        Some(_) | None => Err(invalid(FLAG, text, "expected `NAME=ADDRESS`")),
    };
    texts.iter().map(named).collect()
}

/// `docker load` knows gzip only: its archives say nothing of a layer's compression.
fn check_compression(outputs: &[OutputSpec], compression: CompressionName) -> Result<(), CliError> {
    let docker = outputs.iter().any(|output| matches!(output, OutputSpec::DockerArchive(_)));
    match compression {
        CompressionName::Zstd if docker => {
            Err(CliError::Usage("An archive for `docker load` cannot have zstd layers: use gzip or none"))
        }
        CompressionName::Zstd | CompressionName::Gzip | CompressionName::None => Ok(()),
    }
}

fn check_stdout(outputs: &[OutputSpec]) -> Result<(), CliError> {
    let to_stdout = |output: &&OutputSpec| {
        matches!(
            output,
            OutputSpec::OciArchive(Destination::Stdout)
                | OutputSpec::DockerArchive(Destination::Stdout)
                | OutputSpec::Tar(Destination::Stdout, _)
        )
    };
    match outputs.iter().filter(to_stdout).count() {
        0 | 1 => Ok(()),
        _ => Err(CliError::Usage("Only one `--output` can go to standard output")),
    }
}

fn invalid(flag: &'static str, value: &str, reason: &str) -> CliError {
    CliError::Flag { flag, value: value.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Arguments, Command};

    fn options(words: &[&str]) -> Result<Options, CliError> {
        match Arguments::try_parse_from(std::iter::once(&"zoea").chain(words)).unwrap().command {
            Command::Build(arguments) => from_build(*arguments),
            Command::Executor(arguments) => from_executor(*arguments),
            Command::Version => unreachable!(),
        }
    }

    #[test]
    fn without_outputs_the_image_is_kept() {
        let options = options(&["build", "-t", "a", "."]).unwrap();
        assert_eq!(options.outputs, [OutputSpec::Image { push: false, names: vec![] }]);
        assert_eq!(options.tags, ["a".parse().unwrap()]);
    }

    #[test]
    fn the_tutorials_arguments_are_read() {
        let words =
            ["executor", "--dockerfile=/workspace/dockerfile", "--context=dir://workspace", "--no-push"];
        let options = options(&words).unwrap();
        assert_eq!(options.context, "dir://workspace");
        assert!(options.outputs.is_empty());
        assert_eq!(options.progress, Progress::Kaniko(Verbosity::Info));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for words in [
            &["build", "--push"][..],
            &["build", "-t", "A"],
            &["build", "--platform", "linux"],
            &["build", "--platform", "linux/amd64,linux"],
            &["build", "--annotation", "layer:a=b"],
            &["build", "--label", "a"],
            &["build", "--build-arg", "=a"],
            &["build", "--build-context", "a"],
            &["build", "--source-date-epoch", "yesterday"],
            &["build", "-o", "-", "-o", "type=oci,dest=-"],
            &["build", "--compression", "zstd", "-o", "type=docker,dest=a"],
            &["executor"],
        ] {
            assert!(options(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn platforms_are_a_list_or_several_flags() {
        let words = ["build", "--platform", "linux/arm64,local", "--platform", "linux/arm"];
        let expected = ["linux/arm64".parse().unwrap(), Platform::host(), "linux/arm/v7".parse().unwrap()];
        assert_eq!(options(&words).unwrap().platforms, expected);
        assert_eq!(options(&["build"]).unwrap().platforms, [Platform::host()]);
    }

    #[test]
    fn a_build_argument_without_value_comes_from_the_environment() {
        let options = options(&["build", "--build-arg", "A", "--build-arg", "B=c=d"]).unwrap();
        assert_eq!(options.build_args["A"], None);
        assert_eq!(options.build_args["B"].as_deref(), Some("c=d"));
    }
}
