//! Dockerfile text in, [`Plan`](zoea_model::Plan) out; pure.
//!
//! Owns the language: lines, directives, words, instructions, stages, the configuration and history that
//! instructions give. Knows no file system, no registry and no process: what it needs to know of an image it asks
//! for with [`Lowered::Needs`]. A construct is lowered as BuildKit's frontend does it, or refused with its place
//! and a reason; it is never skipped. No input makes it panic, hang or fill the memory.
#![forbid(unsafe_code)]

mod arguments;
mod ast;
mod ast_text;
mod budget;
mod build_arguments;
mod call;
mod check;
mod circle;
mod complaints;
mod contexts;
mod device;
mod diagnose;
mod directives;
mod duration;
mod environment;
mod error;
mod error_list;
mod flags;
mod frontend;
mod go;
mod healthcheck;
mod heredoc;
mod history;
mod instruction;
mod keyword;
mod line;
mod lower;
mod mount;
mod onbuild;
mod outline;
mod parse;
mod plan_json;
mod plan_text;
mod ports;
mod print;
mod reach;
mod remote_source;
mod request;
mod safe_text;
mod shell_words;
mod signal;
mod source;
mod source_date;
mod stray;
mod suggest;
mod url;
mod words;

pub use ast::{
    ArgumentDeclaration, Command, Copy, CopyFlags, CopyKind, Dockerfile, Expansion, From, GlobalArguments,
    Heading, HereDocument, Instruction, Invocation, MountFlag, MountOption, OnBuild, Pair, Run, Separator,
    Spelling, StageBlock, StageName, Switch, Tabs, Word,
};
pub use ast_text::ast_text;
pub use build_arguments::is_proxy_variable;
pub use call::{
    Answer, CheckReport, DescribedArgument, DescribedStage, NamedCache, NamedNeed, StageOutline, Standing,
    Targets, describe_target, list_targets, run_checks,
};
pub use check::{Maturity, Rule};
pub use diagnose::render;
pub use directives::{Check, CheckSeverity, Directives, Escape, RuleSet};
pub use error::{Above, DockerfileError, Missing, MountProblem, Problem, RemoteProblem};
pub use error_list::DockerfileErrors;
pub use lower::lower;
pub use parse::parse;
pub use plan_json::plan_json;
pub use plan_text::plan_text;
pub use print::print;
pub use request::{
    IgnoredFiles, ImageRequest, Known, KnownDate, KnownImage, Lowered, NamedContext, Needs, Request,
};
