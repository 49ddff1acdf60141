//! Progress in kaniko's words, for people and pipelines that know them: `INFO[0003] RUN make`.

use std::io::Write;
use std::sync::Mutex;
use std::time::Instant;

use zoea::model::{Event, Events, Warning};

use crate::args::Verbosity;
use crate::visible::visible_line;

/// Logs events as kaniko does: level, seconds since the start, message. Output of steps is passed on as it is.
pub(crate) struct KanikoLog<W> {
    verbosity: Verbosity,
    start: Instant,
    sink: Mutex<W>,
}

impl<W: Write + Send> KanikoLog<W> {
    /// Logs to `sink` what `verbosity` lets through.
    pub(crate) fn new(verbosity: Verbosity, sink: W) -> Self {
        Self { verbosity, start: Instant::now(), sink: Mutex::new(sink) }
    }

    fn write(&self, line: &Line) -> std::io::Result<()> {
        let mut sink = self.sink.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let seconds = self.start.elapsed().as_secs();
        match line {
            Line::Info(text) if self.verbosity >= Verbosity::Info => {
                writeln!(sink, "INFO[{seconds:04}] {}", visible_line(text))
            }
            Line::Warning(text) if self.verbosity >= Verbosity::Warn => {
                writeln!(sink, "WARN[{seconds:04}] {}", visible_line(text))
            }
            Line::Raw(bytes) => sink.write_all(bytes),
            Line::Info(_) | Line::Warning(_) => Ok(()),
        }
    }
}

enum Line {
    Info(String),
    Warning(String),
    Raw(Vec<u8>),
}

fn lines(event: Event) -> Option<Line> {
    Some(match event {
        Event::ImageResolved { name, digest } => {
            Line::Info(format!("Retrieved image manifest {name} ({digest})"))
        }
        Event::LayerStarted { digest, .. } => Line::Info(format!("Unpacking layer {digest}")),
        Event::UnpackSkipped { .. } => Line::Info("Skipping unpacking as no commands require it.".to_owned()),
        Event::StepStarted(step) => Line::Info(step.text),
        Event::StepOutput { bytes, .. } => Line::Raw(bytes),
        Event::Warning(Warning { message, .. }) => Line::Warning(message),
        Event::ImageBuilt { digest } => Line::Info(format!("Built image {digest}")),
        Event::Exported { destination } => Line::Info(format!("Wrote {destination}")),
        Event::Pushed { reference, digest } => Line::Info(format!("Pushed {reference}@{digest}")),
        Event::PushSkipped => {
            Line::Info("Skipping push to container registry due to --no-push flag".to_owned())
        }
        Event::LayerFinished { .. } | Event::StepFinished { .. } | Event::BlobPushed { .. } => return None,
    })
}

impl<W: Write + Send> Events for KanikoLog<W> {
    fn emit(&self, event: Event) {
        if let Some(line) = lines(event) {
            // Nobody may wait for progress: when it cannot be shown (a closed pipe), the build goes on.
            drop(self.write(&line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks_as_kaniko_does() {
        let mut sink = Vec::new();
        let log = KanikoLog::new(Verbosity::Info, &mut sink);
        log.emit(Event::UnpackSkipped { stage: "0".to_owned() });
        log.emit(Event::PushSkipped);
        assert_eq!(
            String::from_utf8(sink).unwrap(),
            "INFO[0000] Skipping unpacking as no commands require it.\n\
             INFO[0000] Skipping push to container registry due to --no-push flag\n"
        );
    }

    #[test]
    fn quiet_levels_keep_quiet() {
        let mut sink = Vec::new();
        let log = KanikoLog::new(Verbosity::Error, &mut sink);
        log.emit(Event::PushSkipped);
        log.emit(Event::Warning(Warning::new("w")));
        assert!(sink.is_empty());
    }
}
