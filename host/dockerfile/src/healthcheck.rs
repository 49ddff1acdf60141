//! `HEALTHCHECK`: its flags, kinds and limits.

use zoea_model::Healthcheck;

use crate::arguments::invocation;
use crate::ast::{Invocation, Word};
use crate::duration;
use crate::error::{DockerfileError, Problem};
use crate::flags::{FlagRule, Flags, RawFlag, check};
use crate::line::Part;

/// The shortest duration that container engines accept, in nanoseconds.
const SHORTEST: i64 = 1_000_000;

const RULES: [FlagRule; 5] = [
    FlagRule::Value("interval"),
    FlagRule::Value("timeout"),
    FlagRule::Value("start-period"),
    FlagRule::Value("start-interval"),
    FlagRule::Value("retries"),
];

/// Reads what follows `HEALTHCHECK`.
pub(crate) fn parse(raw: Vec<RawFlag<'_>>, arguments: Part<'_>) -> Result<Healthcheck, DockerfileError> {
    let instruction = "HEALTHCHECK";
    let given = raw.len();
    let mut flags = check(instruction, raw, &RULES)?;
    let (kind, command) = arguments.split_first();
    if kind.is_empty() {
        return Err(
            Problem::Arguments { instruction, needed: "`CMD command` or `NONE`" }.at(arguments.span())
        );
    }
    match kind.text().to_ascii_uppercase().as_str() {
        "NONE" if given > 0 || !command.is_empty() => Err(Problem::HealthcheckNone.at(arguments.span())),
        "NONE" => Ok(Healthcheck { test: vec!["NONE".to_owned()], ..Healthcheck::default() }),
        "CMD" => Ok(Healthcheck {
            test: test(kind, command)?,
            interval: interval(&mut flags, "interval")?,
            timeout: interval(&mut flags, "timeout")?,
            start_period: interval(&mut flags, "start-period")?,
            start_interval: interval(&mut flags, "start-interval")?,
            retries: retries(flags.take("retries"))?,
        }),
        _ => Err(Problem::HealthcheckKind { kind: kind.text().to_owned() }.at(kind.span())),
    }
}

fn test(kind: Part<'_>, command: Part<'_>) -> Result<Vec<String>, DockerfileError> {
    let missing = || {
        let needed = "a command after `CMD`";
        Problem::Arguments { instruction: "HEALTHCHECK", needed }.at(kind.span())
    };
    if command.is_empty() {
        return Err(missing());
    }
    match invocation(command)? {
        Invocation::Exec(arguments) if arguments.is_empty() => Err(missing()),
        Invocation::Exec(arguments) => Ok(std::iter::once("CMD".to_owned()).chain(arguments).collect()),
        Invocation::Shell(text) => Ok(vec!["CMD-SHELL".to_owned(), text]),
    }
}

fn interval(flags: &mut Flags, flag: &'static str) -> Result<i64, DockerfileError> {
    let Some(Word { text, span, .. }) = flags.take(flag).filter(|word| !word.text.is_empty()) else {
        return Ok(0);
    };
    match duration::parse(&text) {
        None => Err(Problem::Duration { text }.at(span)),
        Some(nanoseconds) if nanoseconds != 0 && nanoseconds < SHORTEST => {
            Err(Problem::DurationTooShort { flag, text }.at(span))
        }
        Some(nanoseconds) => Ok(nanoseconds),
    }
}

fn retries(word: Option<Word>) -> Result<i64, DockerfileError> {
    let Some(Word { text, span, .. }) = word.filter(|word| !word.text.is_empty()) else { return Ok(0) };
    match text.parse::<i32>() {
        Ok(number) if number >= 0 => Ok(number.into()),
        Ok(_) | Err(_) => Err(Problem::Retries { text }.at(span)),
    }
}
