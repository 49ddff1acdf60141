//! The zoea command: arguments, options, wiring of authority, progress, report, exit status.
#![forbid(unsafe_code)]

mod args;
mod error;
mod kaniko_log;
mod options;
mod output_spec;
mod places;
mod plain_progress;
mod purpose;
mod report;
mod report_files;
mod request;
mod run;
mod visible;
mod wire;

pub use run::run;
