//! The rules, by BuildKit's names.

/// One build check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Instructions in capitals and in small letters.
    ConsistentInstructionCasing,
    /// `COPY` or `ADD` of a file that the context leaves out.
    CopyIgnoredFile,
    /// Two stages of one name.
    DuplicateStageName,
    /// `EXPOSE` with an address or a port of the host.
    ExposeInvalidFormat,
    /// `EXPOSE` with a protocol in capitals.
    ExposeProtoCasing,
    /// `FROM … as`.
    FromAsCasing,
    /// `FROM --platform=` without a variable.
    FromPlatformFlagConstDisallowed,
    /// A base image for another platform.
    InvalidBaseImagePlatform,
    /// A base image whose name is none without build arguments.
    InvalidDefaultArgInFrom,
    /// A comment above a stage or an argument that does not describe it.
    InvalidDefinitionDescription,
    /// `CMD` or `ENTRYPOINT` in shell form.
    JsonArgsRecommended,
    /// `ENV KEY value`.
    LegacyKeyValueFormat,
    /// `MAINTAINER`.
    MaintainerDeprecated,
    /// Several `CMD`, `ENTRYPOINT` or `HEALTHCHECK` in one stage.
    MultipleInstructionsDisallowed,
    /// A blank line within a continued instruction.
    NoEmptyContinuation,
    /// `FROM --platform=$TARGETPLATFORM`.
    RedundantTargetPlatform,
    /// A stage named `scratch` or `context`.
    ReservedStageName,
    /// A secret in `ARG` or `ENV`.
    SecretsUsedInArgOrEnv,
    /// A stage's name in capitals.
    StageNameCasing,
    /// `FROM` with a variable that is not declared.
    UndefinedArgInFrom,
    /// A variable that is not set.
    UndefinedVar,
    /// A relative `WORKDIR` before any absolute one.
    WorkdirRelativePath,
}

/// Whether a rule complains without being asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maturity {
    /// It does, unless it is skipped.
    Stable,
    /// It complains only where it is asked for, and cannot be skipped.
    Experimental,
}

impl Rule {
    /// Every rule, in the order of their names.
    pub const ALL: [Self; 22] = [
        Self::ConsistentInstructionCasing,
        Self::CopyIgnoredFile,
        Self::DuplicateStageName,
        Self::ExposeInvalidFormat,
        Self::ExposeProtoCasing,
        Self::FromAsCasing,
        Self::FromPlatformFlagConstDisallowed,
        Self::InvalidBaseImagePlatform,
        Self::InvalidDefaultArgInFrom,
        Self::InvalidDefinitionDescription,
        Self::JsonArgsRecommended,
        Self::LegacyKeyValueFormat,
        Self::MaintainerDeprecated,
        Self::MultipleInstructionsDisallowed,
        Self::NoEmptyContinuation,
        Self::RedundantTargetPlatform,
        Self::ReservedStageName,
        Self::SecretsUsedInArgOrEnv,
        Self::StageNameCasing,
        Self::UndefinedArgInFrom,
        Self::UndefinedVar,
        Self::WorkdirRelativePath,
    ];

    /// Returns BuildKit's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConsistentInstructionCasing => "ConsistentInstructionCasing",
            Self::CopyIgnoredFile => "CopyIgnoredFile",
            Self::DuplicateStageName => "DuplicateStageName",
            Self::ExposeInvalidFormat => "ExposeInvalidFormat",
            Self::ExposeProtoCasing => "ExposeProtoCasing",
            Self::FromAsCasing => "FromAsCasing",
            Self::FromPlatformFlagConstDisallowed => "FromPlatformFlagConstDisallowed",
            Self::InvalidBaseImagePlatform => "InvalidBaseImagePlatform",
            Self::InvalidDefaultArgInFrom => "InvalidDefaultArgInFrom",
            Self::InvalidDefinitionDescription => "InvalidDefinitionDescription",
            Self::JsonArgsRecommended => "JSONArgsRecommended",
            Self::LegacyKeyValueFormat => "LegacyKeyValueFormat",
            Self::MaintainerDeprecated => "MaintainerDeprecated",
            Self::MultipleInstructionsDisallowed => "MultipleInstructionsDisallowed",
            Self::NoEmptyContinuation => "NoEmptyContinuation",
            Self::RedundantTargetPlatform => "RedundantTargetPlatform",
            Self::ReservedStageName => "ReservedStageName",
            Self::SecretsUsedInArgOrEnv => "SecretsUsedInArgOrEnv",
            Self::StageNameCasing => "StageNameCasing",
            Self::UndefinedArgInFrom => "UndefinedArgInFrom",
            Self::UndefinedVar => "UndefinedVar",
            Self::WorkdirRelativePath => "WorkdirRelativePath",
        }
    }

    /// Says in one line what the rule asks for.
    pub fn description(self) -> &'static str {
        match self {
            Self::ConsistentInstructionCasing => "Write all instructions in capitals or all in small letters",
            Self::CopyIgnoredFile => "Do not copy files that the ignore file leaves out of the context",
            Self::DuplicateStageName => "Give every stage a name of its own",
            Self::ExposeInvalidFormat => "Name ports of the container alone in `EXPOSE`",
            Self::ExposeProtoCasing => "Write the protocol in `EXPOSE` in small letters",
            Self::FromAsCasing => "Write `AS` in the case of `FROM`",
            Self::FromPlatformFlagConstDisallowed => "Do not fix the platform of a base image",
            Self::InvalidBaseImagePlatform => "Start from images of the platform that is built for",
            Self::InvalidDefaultArgInFrom => "Let the defaults of arguments in `FROM` name an image",
            Self::InvalidDefinitionDescription => {
                "Begin the comment above a stage or an argument with its name, or put a line with `#` alone below it"
            }
            Self::JsonArgsRecommended => "Write `CMD` and `ENTRYPOINT` in JSON form, so that signals arrive",
            Self::LegacyKeyValueFormat => "Write `key=value` and not `key value`",
            Self::MaintainerDeprecated => "Name the author in a label",
            Self::MultipleInstructionsDisallowed => "Write what only counts once in a stage once",
            Self::NoEmptyContinuation => "Leave no empty line within a continued instruction",
            Self::RedundantTargetPlatform => "Leave out the platform that is built for anyway",
            Self::ReservedStageName => "Give no stage a name that means something else",
            Self::SecretsUsedInArgOrEnv => "Keep secrets out of arguments and variables",
            Self::StageNameCasing => "Write the names of stages in small letters",
            Self::UndefinedArgInFrom => "Declare the arguments that `FROM` uses",
            Self::UndefinedVar => "Set variables before they are used",
            Self::WorkdirRelativePath => "Set an absolute working directory before a relative one",
        }
    }

    /// Says whether it complains without being asked to.
    pub fn maturity(self) -> Maturity {
        match self {
            Self::InvalidDefinitionDescription => Maturity::Experimental,
            Self::ConsistentInstructionCasing
            | Self::CopyIgnoredFile
            | Self::DuplicateStageName
            | Self::ExposeInvalidFormat
            | Self::ExposeProtoCasing
            | Self::FromAsCasing
            | Self::FromPlatformFlagConstDisallowed
            | Self::InvalidBaseImagePlatform
            | Self::InvalidDefaultArgInFrom
            | Self::JsonArgsRecommended
            | Self::LegacyKeyValueFormat
            | Self::MaintainerDeprecated
            | Self::MultipleInstructionsDisallowed
            | Self::NoEmptyContinuation
            | Self::RedundantTargetPlatform
            | Self::ReservedStageName
            | Self::SecretsUsedInArgOrEnv
            | Self::StageNameCasing
            | Self::UndefinedArgInFrom
            | Self::UndefinedVar
            | Self::WorkdirRelativePath => Maturity::Stable,
        }
    }

    /// Returns the rule of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// Returns the address of the page that explains it, where Docker's documentation has one.
    pub fn page(self) -> Option<String> {
        if self == Self::InvalidBaseImagePlatform {
            return None;
        }
        let mut slug = String::new();
        let name = self
            .name()
            .strip_prefix("JSON")
            .map_or_else(|| self.name().to_owned(), |rest| format!("Json{rest}"));
        for character in name.chars() {
            if character.is_ascii_uppercase() && !slug.is_empty() {
                slug.push('-');
            }
            slug.push(character.to_ascii_lowercase());
        }
        Some(format!("https://docs.docker.com/go/dockerfile/rule/{slug}/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_lead_back() {
        assert!(
            Rule::ALL.is_sorted_by(|left, right| left.name().to_lowercase() < right.name().to_lowercase())
        );
        for rule in Rule::ALL {
            assert_eq!(Rule::from_name(rule.name()), Some(rule));
            assert!(!rule.description().ends_with('.'), "{}", rule.name());
        }
        assert_eq!(Rule::from_name("undefinedvar"), None);
    }

    #[test]
    fn pages_are_named_after_rules() {
        let page = |rule: Rule| rule.page().unwrap();
        assert!(page(Rule::JsonArgsRecommended).ends_with("/rule/json-args-recommended/"));
        assert!(page(Rule::SecretsUsedInArgOrEnv).ends_with("/rule/secrets-used-in-arg-or-env/"));
        assert_eq!(Rule::InvalidBaseImagePlatform.page(), None);
    }
}
