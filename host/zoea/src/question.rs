//! What can be asked of a Dockerfile without building it: `--call`, `--check` and `--dry-run`.
//!
//! Owns which answer belongs to which question. Looks up configurations of images, but fetches no layer and runs
//! nothing.

use serde_json::{Value, json};
use zoea_dockerfile::{Dockerfile, describe_target, list_targets, plan_json, plan_text, run_checks};
use zoea_model::{Plan, Platform};

use crate::platforms::check;
use crate::resolve::{Resolver, resolve};
use crate::{Authority, Request, ZoeaError};

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// What do build checks complain of?
    Check,
    /// What can the target be given: arguments, secrets, agents, caches?
    Outline,
    /// Which stages can be built?
    Targets,
    /// What would be done?
    Plan,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerForm {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Its text.
    pub text: String,
    /// Whether anything is wrong with the Dockerfile.
    pub verdict: Verdict,
}

/// Whether anything is wrong with a Dockerfile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing that was asked for.
    Clean,
    /// Build checks complain.
    Complaints,
}

/// Answers a question about the Dockerfile of `request`. Checks and outlines are those of its first platform.
///
/// # Errors
/// See [`ZoeaError`]: a file that cannot be read has no answers, and an image that it names may not be there.
pub fn ask(
    question: Question,
    form: AnswerForm,
    request: &Request,
    authority: &Authority<'_>,
) -> Result<Answered, ZoeaError> {
    check(request)?;
    let text = &request.dockerfile;
    let failed = |errors| ZoeaError::dockerfile(&errors, &text.name, &text.bytes);
    let dockerfile = zoea_dockerfile::parse(&text.bytes).map_err(failed)?;
    let clean = |text| Ok(Answered { text, verdict: Verdict::Clean });
    match question {
        Question::Check => checks(&dockerfile, form, request, authority),
        Question::Outline => {
            let outline = Resolver::new(request, authority)
                .answer(first_platform(request), |asked, known| {
                    describe_target(&dockerfile, asked, known).map_err(failed)
                })?;
            clean(match form {
                AnswerForm::Text => outline.to_text(),
                AnswerForm::Json => outline.to_json(&text.bytes),
            })
        }
        Question::Targets => {
            let targets = list_targets(&dockerfile);
            clean(match form {
                AnswerForm::Text => targets.to_text(),
                AnswerForm::Json => targets.to_json(&text.bytes),
            })
        }
        Question::Plan => {
            let plans = resolve(&dockerfile, request, authority)?.plans;
            clean(plans_in(form, &request.platforms, &plans))
        }
    }
}

fn checks(
    dockerfile: &Dockerfile,
    form: AnswerForm,
    request: &Request,
    authority: &Authority<'_>,
) -> Result<Answered, ZoeaError> {
    let report = Resolver::new(request, authority)
        .answer(first_platform(request), |asked, known| Ok(run_checks(dockerfile, asked, known)))?;
    let file = &request.dockerfile;
    let text = match form {
        AnswerForm::Text => report.to_text(&file.name, &file.bytes),
        AnswerForm::Json => report.to_json(&file.name, &file.bytes),
    };
    let verdict = if report.is_clean() { Verdict::Clean } else { Verdict::Complaints };
    Ok(Answered { text, verdict })
}

fn first_platform(request: &Request) -> &Platform {
    request.platforms.first().unwrap_or(&request.dockerfile_request.platform)
}

/// Writes plans one after the other, each under its platform; as JSON, always as a list.
fn plans_in(form: AnswerForm, platforms: &[Platform], plans: &[Plan]) -> String {
    let pairs = platforms.iter().zip(plans);
    match form {
        AnswerForm::Text => pairs
            .map(|(platform, plan)| format!("platform {platform}\n{}", plan_text(plan)))
            .collect::<Vec<_>>()
            .join("\n"),
        AnswerForm::Json => {
            let list: Vec<Value> = pairs
                .map(|(platform, plan)| json!({ "platform": platform.to_string(), "plan": plan_json(plan) }))
                .collect();
            format!("{:#}\n", Value::Array(list))
        }
    }
}
