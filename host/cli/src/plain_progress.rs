//! Progress as lines of text, or as one JSON object a line, on standard error.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;

use serde_json::{Value, json};
use zoea::model::{Event, Events, OutputStream, StepName, Warning};

use crate::visible::visible_line;

/// A line that grows longer is shown in parts, so that output without an end of line fills no memory.
const LONGEST_LINE: usize = 64 << 10;

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people and logs.
    Plain,
    /// For programs.
    Json,
}

/// Writes each event when it comes.
pub(crate) struct PlainProgress<W> {
    form: Form,
    state: Mutex<State<W>>,
}

struct State<W> {
    sink: W,
    /// The unfinished last line of each stream of each running step.
    partial: BTreeMap<(String, bool), Vec<u8>>,
}

impl<W: Write + Send> PlainProgress<W> {
    /// Writes to `sink`.
    pub(crate) fn new(form: Form, sink: W) -> Self {
        Self { form, state: Mutex::new(State { sink, partial: BTreeMap::new() }) }
    }
}

impl<W: Write + Send> Events for PlainProgress<W> {
    fn emit(&self, event: Event) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let written = match self.form {
            Form::Plain => state.plain(&event),
            Form::Json => writeln!(state.sink, "{}", to_json(&event)),
        };
        // Nobody may wait for progress: when it cannot be shown (a closed pipe), the build goes on.
        drop(written);
    }
}

impl<W: Write> State<W> {
    fn plain(&mut self, event: &Event) -> std::io::Result<()> {
        if let Event::StepOutput { step, stream, bytes } = event {
            return self.output(step, *stream, bytes);
        }
        if let Event::StepFinished { step, .. } = event {
            self.flush(step)?;
        }
        match line(event) {
            Some(line) => writeln!(self.sink, "{}", visible_line(&line)),
            None => Ok(()),
        }
    }

    fn output(&mut self, step: &StepName, stream: OutputStream, bytes: &[u8]) -> std::io::Result<()> {
        let key = (step.label(), stream == OutputStream::Stderr);
        let prefix = prefix(step);
        let mut pending = self.partial.remove(&key).unwrap_or_default();
        // One write for all lines that an event completes: a step may write millions.
        let mut whole = Vec::with_capacity(bytes.len() + prefix.len());
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            pending.extend_from_slice(part);
            let ended = part.ends_with(b"\n");
            if ended || pending.len() >= LONGEST_LINE {
                whole.extend_from_slice(prefix.as_bytes());
                whole.append(&mut pending);
                if !ended {
                    whole.push(b'\n');
                }
            }
        }
        if !pending.is_empty() {
            self.partial.insert(key, pending);
        }
        self.sink.write_all(&whole)
    }

    fn flush(&mut self, step: &StepName) -> std::io::Result<()> {
        for stderr in [false, true] {
            if let Some(rest) = self.partial.remove(&(step.label(), stderr)) {
                self.sink.write_all(prefix(step).as_bytes())?;
                self.sink.write_all(&rest)?;
                self.sink.write_all(b"\n")?;
            }
        }
        Ok(())
    }
}

fn prefix(step: &StepName) -> String {
    format!("[{}] | ", step.label())
}

/// Shows a warning with its place, the build check that complains, and what to do.
fn warning_line(Warning { span, message, rule, hint }: &Warning) -> String {
    let place = span.map(|span| format!("line {}: ", span.line)).unwrap_or_default();
    let rule = rule.map(|rule| format!("{rule}: ")).unwrap_or_default();
    let hint = hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("warning: {place}{rule}{message}{hint}")
}

/// Returns the line that shows `event`, where it has one.
fn line(event: &Event) -> Option<String> {
    Some(match event {
        Event::ImageResolved { name, digest } => format!("{name} is {digest}"),
        Event::LayerStarted { digest, size } => format!("unpacking {digest} ({size} bytes)"),
        Event::StepStarted(step) => {
            format!("[{}] {}", step.label(), step.text)
        }
        Event::Warning(warning) => warning_line(warning),
        Event::ImageBuilt { digest } => format!("built {digest}"),
        Event::Exported { destination } => format!("written to {destination}"),
        Event::BlobPushed { digest, how } => format!("{how} {digest}"),
        Event::Pushed { reference, digest } => format!("pushed {reference}@{digest}"),
        Event::LayerFinished { .. }
        | Event::UnpackSkipped { .. }
        | Event::StepOutput { .. }
        | Event::StepFinished { .. }
        | Event::PushSkipped => return None,
    })
}

fn to_json(event: &Event) -> Value {
    match event {
        Event::ImageResolved { name, digest } => {
            json!({"event": "image-resolved", "name": name, "digest": digest})
        }
        Event::LayerStarted { digest, size } => {
            json!({"event": "layer-started", "digest": digest, "size": size})
        }
        Event::LayerFinished { digest } => json!({"event": "layer-finished", "digest": digest}),
        Event::UnpackSkipped { stage } => json!({"event": "unpack-skipped", "stage": stage}),
        Event::StepStarted(step) => with_step("step-started", step, json!({"text": step.text})),
        Event::StepOutput { step, stream, bytes } => {
            let stream = match stream {
                OutputStream::Stdout => "stdout",
                OutputStream::Stderr => "stderr",
            };
            with_step("step-output", step, json!({"stream": stream, "text": String::from_utf8_lossy(bytes)}))
        }
        Event::StepFinished { step, milliseconds } => {
            with_step("step-finished", step, json!({"milliseconds": milliseconds}))
        }
        Event::Warning(Warning { span, message, rule, hint }) => json!({
            "event": "warning",
            "line": span.map(|span| span.line),
            "column": span.map(|span| span.column),
            "rule": rule,
            "message": message,
            "hint": hint,
        }),
        Event::ImageBuilt { digest } => json!({"event": "image-built", "digest": digest}),
        Event::Exported { destination } => json!({"event": "exported", "destination": destination}),
        Event::BlobPushed { digest, how } => json!({"event": "blob-pushed", "digest": digest, "how": how}),
        Event::Pushed { reference, digest } => {
            json!({"event": "pushed", "reference": reference, "digest": digest})
        }
        Event::PushSkipped => json!({"event": "push-skipped"}),
    }
}

fn with_step(name: &str, step: &StepName, more: Value) -> Value {
    let mut value = json!({"event": name, "stage": step.stage, "step": step.number, "of": step.total});
    if let (Value::Object(fields), Value::Object(more)) = (&mut value, more) {
        fields.extend(step.platform.iter().map(|platform| ("platform".to_owned(), json!(platform))));
        fields.extend(more);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step() -> StepName {
        StepName { platform: None, stage: "app".to_owned(), number: 2, total: 3, text: "RUN make".to_owned() }
    }

    fn written(form: Form, events: Vec<Event>) -> String {
        let mut sink = Vec::new();
        let progress = PlainProgress::new(form, &mut sink);
        for event in events {
            progress.emit(event);
        }
        String::from_utf8(sink).unwrap()
    }

    #[test]
    fn output_is_shown_by_line_with_the_name_of_its_step() {
        let output = |bytes: &[u8]| Event::StepOutput {
            step: step(),
            stream: OutputStream::Stdout,
            bytes: bytes.to_vec(),
        };
        let text = written(
            Form::Plain,
            vec![
                Event::StepStarted(step()),
                output(b"a\nb"),
                output(b"c\n\nd"),
                Event::StepFinished { step: step(), milliseconds: 1 },
            ],
        );
        assert_eq!(text, "[app 2/3] RUN make\n[app 2/3] | a\n[app 2/3] | bc\n[app 2/3] | \n[app 2/3] | d\n");
    }

    #[test]
    fn an_endless_line_is_shown_in_parts() {
        let output = |length| Event::StepOutput {
            step: step(),
            stream: OutputStream::Stderr,
            bytes: vec![b'x'; length],
        };
        let text = written(Form::Plain, vec![output(LONGEST_LINE - 1), output(5)]);
        assert_eq!(text, format!("[app 2/3] | {}\n", "x".repeat(LONGEST_LINE + 4)));
    }

    #[test]
    fn platforms_are_part_of_a_steps_name() {
        let step = StepName { platform: Some("linux/amd64->arm64".to_owned()), ..step() };
        let text = written(Form::Plain, vec![Event::StepStarted(step.clone())]);
        assert_eq!(text, "[linux/amd64->arm64 app 2/3] RUN make\n");
        let text = written(Form::Json, vec![Event::StepStarted(step)]);
        assert!(text.contains(r#""platform":"linux/amd64->arm64""#), "{text}");
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = written(Form::Json, vec![Event::StepStarted(step()), Event::PushSkipped]);
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["text"], "RUN make");
        assert_eq!(lines[1]["event"], "push-skipped");
    }
}
