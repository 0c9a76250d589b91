//! Shows a job while it runs: JSON lines on stdout, or lines for people with a bar on the terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::{Value, json};
use walwarden_core::catalog::JobState;
use walwarden_core::watch::{StateChange, Transfer, Watch};

use super::{Output, bytes, elapsed};

/// Watches one job.
#[derive(Debug)]
pub(crate) struct JobWatch {
    output: Output,
    bar: ProgressBar,
    began: Instant,
}

/// One line of the JSON stream.
#[derive(Debug, Serialize)]
struct Record<'a> {
    state: &'a str,
    at: String,
    payload: Value,
}

impl JobWatch {
    pub(crate) fn new(output: Output) -> Self {
        let bar = if output.is_interactive() {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
        } else {
            ProgressBar::hidden()
        };
        bar.set_style(style(NO_BYTES));
        JobWatch { output, bar, began: Instant::now() }
    }

    /// How long the job has been watched.
    pub(crate) fn elapsed(&self) -> String {
        elapsed(self.began.elapsed())
    }

    /// Something that takes a while begins; how many bytes it moves is not known yet.
    fn begin_phase(&self, name: &'static str) {
        self.bar.set_style(style(NO_BYTES));
        self.bar.set_message(name);
        self.bar.unset_length();
        self.bar.reset();
        self.bar.enable_steady_tick(Duration::from_millis(120));
    }

    fn say_record(&self, record: &Record<'_>) {
        self.say(serde_json::to_string(record).expect("a record has text keys only"));
    }

    /// A reader that closed the pipe has no claim on the job: it goes on.
    fn say(&self, text: impl std::fmt::Display) {
        self.bar.suspend(|| {
            let _ = self.output.line(text);
        });
    }
}

impl Watch for JobWatch {
    fn state(&self, change: &StateChange) {
        match change.state {
            JobState::Running
            | JobState::Downloading
            | JobState::Verifying
            | JobState::Restoring
            | JobState::Finalizing => self.begin_phase(change.state.text()),
            _ => self.bar.finish_and_clear(),
        }
        if self.output.is_json() {
            self.say_record(&record(change));
        } else {
            self.say(format_args!("{:<18} {}", change.state.text(), detail(change)));
        }
    }

    fn transfer(&self, transfer: Transfer) {
        if self.bar.position() == 0 {
            self.bar.set_style(style(if transfer.total_bytes.is_some() {
                KNOWN_TOTAL
            } else {
                UNKNOWN_TOTAL
            }));
        }
        if let Some(total) = transfer.total_bytes {
            self.bar.set_length(total);
        }
        self.bar.set_position(transfer.done_bytes);
    }

    fn notice(&self, text: &str) {
        self.bar.suspend(|| self.output.note(format_args!("note: {text}")));
    }
}

impl Drop for JobWatch {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The payload is the row's and the job's id.
fn record(change: &StateChange) -> Record<'static> {
    let mut payload: Value = super::json_of(&change.payload);
    payload["jobId"] = json!(change.job_id.to_string());
    Record { state: change.state.text(), at: change.at.to_string(), payload }
}

fn detail(change: &StateChange) -> String {
    let payload = super::json_of(&change.payload);
    match change.state {
        JobState::Queued | JobState::Triggered => format!("job {}", change.job_id),
        // Whether and when it is tried again is told by a note: a restore never is.
        JobState::FailedRetryable | JobState::FailedTerminal => {
            payload["class"].as_str().unwrap_or("failed").to_owned()
        }
        JobState::Completed => payload["sizeBytes"].as_u64().map(bytes).unwrap_or_default(),
        _ => String::new(),
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates below are well-formed").progress_chars("=> ")
}

const NO_BYTES: &str = "{spinner} {msg}  {elapsed}";
const UNKNOWN_TOTAL: &str = "{spinner} {msg}  {bytes}  {bytes_per_sec}  {elapsed}";
const KNOWN_TOTAL: &str = "{msg}  [{bar:20}] {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
