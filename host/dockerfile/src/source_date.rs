//! `SOURCE_DATE_EPOCH`: the date that a build gives to everything it makes.
//!
//! Owns where the date comes from: a number, a build context, or a stage that is nothing but one source. Asks for a
//! date that it cannot know.

use zoea_model::{ContextName, Remote, SourceDate, Timestamp};

use crate::ast::{ArgumentDeclaration, Command, Copy, CopyKind, Dockerfile, StageBlock, Word};
use crate::budget::Budget;
use crate::build_arguments::expand_word;
use crate::contexts::Contexts;
use crate::directives::Escape;
use crate::environment::Environment;
use crate::error::{DockerfileError, Problem, RemoteProblem};
use crate::outline::Origin;
use crate::remote_source::{FetchFlags, Source, classify};
use crate::request::{KnownDate, Request};

/// The argument that holds it.
const NAME: &str = "SOURCE_DATE_EPOCH";

/// A request and its global arguments once the date is settled.
#[derive(Debug)]
pub(crate) struct Dated {
    /// The request, whose build argument is the number of seconds.
    pub(crate) request: Request,
    /// The arguments that a `FROM` sees, likewise.
    pub(crate) globals: Environment,
    /// The date.
    pub(crate) date: Option<Timestamp>,
}

/// What is to be done about the date.
#[derive(Debug)]
pub(crate) enum Settled {
    /// Nothing.
    Dated(Box<Dated>),
    /// It must be found out.
    Asked(SourceDate),
}

/// Settles the date of a build; `answer` is what was found out.
pub(crate) fn settle(
    dockerfile: &Dockerfile,
    request: &Request,
    globals: &Environment,
    budget: &Budget,
    answer: Option<KnownDate>,
) -> Result<Settled, DockerfileError> {
    let global = globals.get(NAME).filter(|value| !value.is_empty());
    let Some(value) = request.build_args.get(NAME).map(String::as_str).or(global) else {
        let (request, globals) = (request.clone(), globals.clone());
        return Ok(Settled::Dated(Box::new(Dated { request, globals, date: None })));
    };
    let others = without(globals);
    let date = match (find(value, dockerfile, request, &others, budget)?, answer) {
        (None, _) | (Some(SourceDate::Context(_) | SourceDate::Remote(_)), Some(KnownDate::None)) => None,
        (Some(SourceDate::Given(date)), _) => Some(date),
        (Some(SourceDate::Context(_) | SourceDate::Remote(_)), Some(KnownDate::At(date))) => Some(date),
        (Some(asked @ (SourceDate::Context(_) | SourceDate::Remote(_))), None) => {
            return Ok(Settled::Asked(asked));
        }
    };
    if let Some(Timestamp { seconds, .. }) = date.filter(|date| !date.is_rfc3339()) {
        return Err(Problem::from(RemoteProblem::SourceDateRange { seconds }).nowhere());
    }
    let mut request = request.clone();
    let seconds = date.map(|date| date.seconds.to_string());
    let given = request.build_args.remove(NAME).is_some();
    let globals = match (&seconds, globals.get(NAME)) {
        (Some(seconds), Some(_)) => {
            let mut globals = globals.clone();
            globals.set(NAME, seconds);
            globals
        }
        (Some(_) | None, None) | (None, Some(_)) => others,
    };
    if let Some(seconds) = seconds.filter(|_| given) {
        request.build_args.insert(NAME.to_owned(), seconds);
    }
    Ok(Settled::Dated(Box::new(Dated { request, globals, date })))
}

fn without(globals: &Environment) -> Environment {
    let mut others = Environment::default();
    for (name, value) in globals.variables().iter().filter(|(name, _)| name != NAME) {
        others.set(name, value);
    }
    others
}

/// Returns where the date comes from; nothing if there is none.
fn find(
    value: &str,
    dockerfile: &Dockerfile,
    request: &Request,
    globals: &Environment,
    budget: &Budget,
) -> Result<Option<SourceDate>, DockerfileError> {
    if value.is_empty() {
        return Ok(None);
    }
    if let Ok(seconds) = value.parse() {
        return Ok(Some(SourceDate::Given(Timestamp::from_seconds(seconds))));
    }
    if value == "context" {
        return Ok(Some(SourceDate::Context(ContextName::Main)));
    }
    match Contexts::new(request).find(value, &request.build_platform, Default::default()) {
        Some(Origin::Context(name)) => return Ok(Some(SourceDate::Context(name))),
        // An image has no date, as in BuildKit.
        Some(Origin::Image(_)) => return Ok(None),
        Some(Origin::Scratch | Origin::Stage(_) | Origin::Unknown) | None => {}
    }
    let is_meant = |stage: &&StageBlock| {
        stage.from.name.as_ref().is_some_and(|name| name.text.eq_ignore_ascii_case(value))
    };
    let Some(stage) = dockerfile.stages.iter().find(is_meant) else {
        return Err(Problem::from(RemoteProblem::SourceDate { value: value.to_owned() }).nowhere());
    };
    let escape = dockerfile.directives.escape;
    Reader { request, variables: globals.clone(), escape, budget }.stage(stage).map(Some)
}

/// Reads a stage that is nothing but one source.
struct Reader<'a> {
    request: &'a Request,
    variables: Environment,
    escape: Escape,
    budget: &'a Budget,
}

impl Reader<'_> {
    fn stage(mut self, stage: &StageBlock) -> Result<SourceDate, DockerfileError> {
        let name = stage.from.name.as_ref().map(|name| name.text.clone()).unwrap_or_default();
        let more = || Problem::from(RemoteProblem::SourceDateStage { stage: name.clone() });
        if self.expand(&stage.from.image)? != "scratch" {
            return Err(more().at(stage.from.image.span));
        }
        let mut source = None;
        for instruction in &stage.instructions {
            match &instruction.command {
                Command::Arg(declarations) => self.arguments(declarations)?,
                Command::Copy(copy) if copy.kind == CopyKind::Add && source.is_none() => {
                    let remote = self.source(copy)?;
                    source = Some(remote.ok_or_else(|| more().at(instruction.heading.span))?);
                }
                Command::Copy(_)
                | Command::Cmd(_)
                | Command::Entrypoint(_)
                | Command::Env(_)
                | Command::Expose(_)
                | Command::Healthcheck(_)
                | Command::Label(_)
                | Command::Maintainer(_)
                | Command::OnBuild(_)
                | Command::Run(_)
                | Command::Shell(_)
                | Command::StopSignal(_)
                | Command::User(_)
                | Command::Volume(_)
                | Command::Workdir(_) => return Err(more().at(instruction.heading.span)),
            }
        }
        source.map(SourceDate::Remote).ok_or_else(|| more().at(stage.from.heading.span))
    }

    fn expand(&self, word: &Word) -> Result<String, DockerfileError> {
        expand_word(word, self.escape, &self.variables, self.budget)
    }

    fn arguments(&mut self, declarations: &[ArgumentDeclaration]) -> Result<(), DockerfileError> {
        for ArgumentDeclaration { name, default } in declarations {
            let value = match (self.request.build_args.get(&name.text), default) {
                (Some(given), _) => given.clone(),
                (None, Some(default)) => self.expand(default)?,
                (None, None) => continue,
            };
            self.variables.set(&name.text, &value);
        }
        Ok(())
    }

    fn source(&self, copy: &Copy) -> Result<Option<Remote>, DockerfileError> {
        let ([word], []) = (copy.sources.as_slice(), copy.documents.as_slice()) else { return Ok(None) };
        let source = self.expand(word)?;
        let checksum = copy.flags.checksum.as_ref().map(|word| self.expand(word)).transpose()?;
        let keep = copy.flags.keep_git_directory;
        let mut flags = FetchFlags::new(checksum.unwrap_or_default(), keep);
        let remote = match classify(&source, keep).map_err(|problem| problem.at(word.span))? {
            Source::Git(reference) => flags.git(*reference).map(Remote::Git),
            Source::Http => flags.http(&source).map(Remote::Http),
            Source::Local => return Ok(None),
        };
        remote.map(Some).map_err(|problem| problem.at(word.span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build_arguments::globals;
    use crate::parse;

    fn request(date: Option<&str>) -> Request {
        Request {
            target: None,
            build_args: date.map(|date| (NAME.to_owned(), date.to_owned())).into_iter().collect(),
            platform: "linux/amd64".parse().unwrap(),
            build_platform: "linux/amd64".parse().unwrap(),
            labels: Default::default(),
            named_contexts: Default::default(),
        }
    }

    fn settled(
        text: &str,
        date: Option<&str>,
        answer: Option<KnownDate>,
    ) -> Result<Settled, DockerfileError> {
        let file = parse(text.as_bytes()).unwrap();
        let (request, budget) = (request(date), Budget::default());
        settle(&file, &request, &globals(&file, &request, &budget).unwrap(), &budget, answer)
    }

    fn dated(text: &str, date: Option<&str>, answer: Option<KnownDate>) -> Dated {
        match settled(text, date, answer).unwrap() {
            Settled::Dated(dated) => *dated,
            Settled::Asked(asked) => panic!("{text}: {asked:?}"),
        }
    }

    #[test]
    fn a_number_is_the_date() {
        let by_argument = dated("FROM x", Some("17"), None);
        assert_eq!(by_argument.date, Some(Timestamp::from_seconds(17)));
        let by_default = dated("ARG SOURCE_DATE_EPOCH=-5\nFROM x", None, None);
        assert_eq!(by_default.date, Some(Timestamp::from_seconds(-5)));
        let taken_away = dated("ARG SOURCE_DATE_EPOCH=5\nFROM x", Some(""), None);
        assert_eq!((taken_away.date, taken_away.globals.get(NAME)), (None, None));
        assert!(taken_away.request.build_args.is_empty());
        assert_eq!(dated("FROM x", None, None).date, None);
    }

    #[test]
    fn an_answer_becomes_the_number() {
        let at = Some(KnownDate::At(Timestamp { seconds: 9, nanoseconds: 1 }));
        let answered = dated("FROM x", Some("context"), at);
        assert_eq!(answered.request.build_args.get(NAME).unwrap(), "9");
        let answered = dated("ARG SOURCE_DATE_EPOCH=context\nFROM x", None, at);
        assert_eq!(answered.globals.get(NAME), Some("9"));
        assert_eq!(dated("FROM x", Some("context"), Some(KnownDate::None)).date, None);
        assert!(matches!(
            settled("FROM x", Some("context"), None).unwrap(),
            Settled::Asked(SourceDate::Context(ContextName::Main))
        ));
    }

    #[test]
    fn a_stage_with_one_source_has_a_date() {
        let text = "ARG V=1\nFROM scratch AS src\nARG R\nADD https://h/r.git?tag=v$V /\nFROM x";
        match settled(text, Some("SRC"), None).unwrap() {
            Settled::Asked(SourceDate::Remote(Remote::Git(git))) => {
                assert_eq!(git.reference.as_deref(), Some("refs/tags/v1"));
            }
            other @ (Settled::Dated(_) | Settled::Asked(_)) => panic!("{other:?}"),
        }
        for stage in [
            "FROM x AS src\nADD https://h/f /",
            "FROM scratch AS src",
            "FROM scratch AS src\nADD f /",
            "FROM scratch AS src\nADD https://h/a https://h/b /",
            "FROM scratch AS src\nADD https://h/a /\nADD https://h/b /",
            "FROM scratch AS src\nADD https://h/a /\nENV a=b",
        ] {
            assert!(settled(stage, Some("src"), None).is_err(), "{stage}");
        }
        assert!(settled("FROM x", Some("yesterday"), None).is_err());
    }

    #[test]
    fn a_date_is_one_that_an_image_can_tell() {
        assert!(settled("FROM x", Some("253402300799"), None).is_ok());
        assert!(settled("FROM x", Some("253402300800"), None).is_err());
        assert!(settled("ARG SOURCE_DATE_EPOCH=-99999999999\nFROM x", None, None).is_err());
        let far = Some(KnownDate::At(Timestamp::from_seconds(i64::MAX)));
        assert!(settled("FROM x", Some("context"), far).is_err());
    }
}
