//! What a rule complains of, and how that is said.

use super::Rule;

/// One complaint, without its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    /// An instruction's case is not the one of most.
    InstructionCasing { name: String, majority: Case },
    /// `COPY` or `ADD`, as written, of an ignored file.
    IgnoredFile { instruction: &'static str, source: String },
    /// A stage has the name of an earlier one.
    DuplicateStage { name: String },
    /// A port names the host.
    HostPort { port: String },
    /// A port's protocol is not in small letters.
    ProtocolCasing { port: String },
    /// `as` is in another case than `FROM`.
    AsCasing { from: String, keyword: String },
    /// A platform without a variable.
    ConstantPlatform { platform: String },
    /// A base image is for another platform.
    BasePlatform { image: String, wanted: String, actual: String },
    /// A base has no valid name without build arguments.
    DefaultBase { image: String },
    /// A comment does not begin with the name that it stands above.
    Description { instruction: &'static str, name: String },
    /// A command is in shell form.
    ShellForm { instruction: String },
    /// `KEY value` instead of `KEY=value`.
    LegacyPair { instruction: String },
    /// `MAINTAINER`.
    Maintainer,
    /// A later instruction makes this one void.
    Repeated { instruction: String },
    /// A blank line in a continued instruction.
    EmptyContinuation,
    /// The platform is the default one.
    TargetPlatform { word: String },
    /// A stage has a reserved name.
    ReservedStage { name: String },
    /// A name promises a secret.
    Secret { instruction: &'static str, name: String },
    /// A stage's name has capitals.
    StageCasing { name: String },
    /// `FROM` uses an argument that is not declared.
    UndefinedArgument { name: String, closest: Option<String> },
    /// A variable is not set.
    UndefinedVariable { name: String, closest: Option<String> },
    /// A working directory depends on the base's.
    RelativeDirectory { path: String },
}

/// A case that instructions are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    Lower,
    Upper,
}

impl Finding {
    /// Returns the rule that complains.
    pub(crate) fn rule(&self) -> Rule {
        match self {
            Self::InstructionCasing { .. } => Rule::ConsistentInstructionCasing,
            Self::IgnoredFile { .. } => Rule::CopyIgnoredFile,
            Self::DuplicateStage { .. } => Rule::DuplicateStageName,
            Self::HostPort { .. } => Rule::ExposeInvalidFormat,
            Self::ProtocolCasing { .. } => Rule::ExposeProtoCasing,
            Self::AsCasing { .. } => Rule::FromAsCasing,
            Self::ConstantPlatform { .. } => Rule::FromPlatformFlagConstDisallowed,
            Self::BasePlatform { .. } => Rule::InvalidBaseImagePlatform,
            Self::DefaultBase { .. } => Rule::InvalidDefaultArgInFrom,
            Self::Description { .. } => Rule::InvalidDefinitionDescription,
            Self::ShellForm { .. } => Rule::JsonArgsRecommended,
            Self::LegacyPair { .. } => Rule::LegacyKeyValueFormat,
            Self::Maintainer => Rule::MaintainerDeprecated,
            Self::Repeated { .. } => Rule::MultipleInstructionsDisallowed,
            Self::EmptyContinuation => Rule::NoEmptyContinuation,
            Self::TargetPlatform { .. } => Rule::RedundantTargetPlatform,
            Self::ReservedStage { .. } => Rule::ReservedStageName,
            Self::Secret { .. } => Rule::SecretsUsedInArgOrEnv,
            Self::StageCasing { .. } => Rule::StageNameCasing,
            Self::UndefinedArgument { .. } => Rule::UndefinedArgInFrom,
            Self::UndefinedVariable { .. } => Rule::UndefinedVar,
            Self::RelativeDirectory { .. } => Rule::WorkdirRelativePath,
        }
    }

    /// Returns what is wrong as a sentence without its final period.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::InstructionCasing { name, majority } => {
                let letters = match majority {
                    Case::Lower => "small letters",
                    Case::Upper => "capitals",
                };
                format!("The instruction `{name}` is not in {letters}, as most others are")
            }
            Self::IgnoredFile { instruction, source } => {
                format!("`{instruction}` takes `{source}`, which the ignore file leaves out of the context")
            }
            Self::DuplicateStage { name } => format!("An earlier stage is called `{name}` too"),
            Self::HostPort { port } => {
                format!("`{port}` names an address or a port of the host, which `EXPOSE` cannot bind")
            }
            Self::ProtocolCasing { port } => format!("The protocol of `{port}` is not in small letters"),
            Self::AsCasing { from, keyword } => format!("`{keyword}` is not in the case of `{from}`"),
            Self::ConstantPlatform { platform } => {
                format!("`--platform={platform}` is the same whatever the build is for")
            }
            Self::BasePlatform { image, wanted, actual } => {
                format!("The image `{image}` is for `{actual}`, and was asked for as `{wanted}`")
            }
            Self::DefaultBase { image } => {
                format!("With the defaults of its arguments, `{image}` names no image")
            }
            Self::Description { instruction, name } => {
                format!("The comment above `{instruction}` does not begin with `{name}`")
            }
            Self::ShellForm { instruction } => {
                format!("`{instruction}` in shell form: the shell keeps signals from its program")
            }
            Self::LegacyPair { instruction } => {
                format!("`{instruction} key value` is the old form of `{instruction} key=value`")
            }
            Self::Maintainer => "`MAINTAINER` is deprecated".to_owned(),
            Self::Repeated { instruction } => {
                format!("This stage has a later `{instruction}`, and only the last one counts")
            }
            Self::EmptyContinuation => "An empty line stands within this instruction".to_owned(),
            Self::TargetPlatform { word } => format!("`--platform={word}` is the default"),
            Self::ReservedStage { name } => format!("The stage name `{name}` is reserved"),
            Self::Secret { instruction, name } => {
                format!("`{instruction} {name}` looks like a secret, and would be kept in the image")
            }
            Self::StageCasing { name } => format!("The stage name `{name}` is not in small letters"),
            Self::UndefinedArgument { name, .. } => {
                format!("`FROM` uses `${name}`, which no `ARG` before the first `FROM` declares")
            }
            Self::UndefinedVariable { name, .. } => format!("The variable `${name}` is not set"),
            Self::RelativeDirectory { path } => {
                format!("The relative directory `{path}` depends on the one that the base image sets")
            }
        }
    }

    /// Returns what to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        let fixed = match self {
            Self::UndefinedArgument { closest: Some(name), .. }
            | Self::UndefinedVariable { closest: Some(name), .. } => {
                return Some(format!("did you mean `${name}`?"));
            }
            Self::InstructionCasing { name, majority } => {
                return Some(match majority {
                    Case::Lower => format!("write `{}`", name.to_lowercase()),
                    Case::Upper => format!("write `{}`", name.to_uppercase()),
                });
            }
            Self::StageCasing { name } => return Some(format!("write `{}`", name.to_lowercase())),
            Self::Description { name, .. } => {
                return Some(format!("write `# {name} …`, or put a line with `#` alone below the comment"));
            }
            Self::ConstantPlatform { .. } => "use `$BUILDPLATFORM`, or name the platform in the stage's name",
            Self::TargetPlatform { .. } => "leave it out",
            Self::Maintainer => "write `LABEL org.opencontainers.image.authors=…`",
            Self::ShellForm { .. } => "write `[\"program\", \"argument\"]`, or choose a shell with `SHELL`",
            Self::Secret { .. } => "use `RUN --mount=type=secret`",
            Self::RelativeDirectory { .. } => "begin with `/`",
            Self::DefaultBase { .. } => "give the arguments defaults that name an image",
            Self::HostPort { .. } => "write the container's port alone; `docker run --publish` binds it",
            Self::UndefinedArgument { closest: None, .. }
            | Self::UndefinedVariable { closest: None, .. }
            | Self::IgnoredFile { .. }
            | Self::DuplicateStage { .. }
            | Self::ProtocolCasing { .. }
            | Self::AsCasing { .. }
            | Self::BasePlatform { .. }
            | Self::LegacyPair { .. }
            | Self::Repeated { .. }
            | Self::EmptyContinuation
            | Self::ReservedStage { .. } => return None,
        };
        Some(fixed.to_owned())
    }
}
