//! One line that shows how far a command is, on a terminal only.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{BinaryBytes, ProgressBar, ProgressStyle};

use crate::cli::env::Stopwatch;
use crate::ops::meter::{Reading, reading};
use crate::ops::share::Progress;

/// How a transfer is shown: what is done, how much of how much, the rate, and the time left.
const TEMPLATE: &str = "{msg} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";

/// Nothing is shown of a command that takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(1);

/// The time between two looks at the work.
const EACH: Duration = Duration::from_millis(150);

/// Whether this process shows progress at all.
static IS_WANTED: AtomicBool = AtomicBool::new(true);

/// Whether the line of the work stands on the terminal.
static IS_DRAWN: AtomicBool = AtomicBool::new(false);

/// Whether a transfer has the line.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// The line that is shown, for an interruption.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

fn shown() -> MutexGuard<'static, Option<ProgressBar>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the line, if there is one, so that something else can be printed.
pub(super) fn clear() {
    if !IS_DRAWN.swap(false, Relaxed) {
        return;
    }
    hide();
    if let Some(bar) = shown().take() {
        bar.finish_and_clear();
    }
}

/// Turns progress off for this process.
pub(super) fn hide() {
    IS_WANTED.store(false, Relaxed);
}

/// Shows a transfer on standard error. Nothing is shown if that is not a terminal.
#[derive(Default)]
pub(super) struct TransferLine(Mutex<Option<ProgressBar>>);

impl TransferLine {
    fn bar(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for TransferLine {
    fn begin(&self, what: &'static str, bytes: u64) {
        if !IS_WANTED.load(Relaxed) {
            return;
        }
        IS_TAKEN.store(true, Relaxed);
        if IS_DRAWN.swap(false, Relaxed)
            && let Some(line) = shown().take()
        {
            line.finish_and_clear();
        }
        let bar = ProgressBar::new(bytes).with_message(what);
        let style = ProgressStyle::with_template(TEMPLATE).expect("the template is valid");
        bar.set_style(style);
        *self.bar() = Some(bar);
    }

    fn advance(&self, bytes: u64) {
        if let Some(bar) = &*self.bar() {
            bar.inc(bytes);
        }
    }

    fn end(&self) {
        if let Some(bar) = self.bar().take() {
            bar.finish_and_clear();
        }
        IS_TAKEN.store(false, Relaxed);
    }
}

impl Drop for TransferLine {
    fn drop(&mut self) {
        self.end();
    }
}

/// Shows the work of a command until it is dropped.
pub(super) struct WorkLine {
    bar: ProgressBar,
    /// Dropped to end the thread.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl WorkLine {
    /// Shows the work of the command `name` from the second second on. Shows nothing if standard error is no terminal.
    pub(super) fn of(name: &'static str) -> Option<Self> {
        let bar = ProgressBar::new_spinner();
        if bar.is_hidden() || !IS_WANTED.load(Relaxed) {
            return None;
        }
        bar.set_style(ProgressStyle::with_template("{wide_msg}").expect("the template is valid"));
        *shown() = Some(bar.clone());
        let (end, ended) = channel::<()>();
        let line = bar.clone();
        let mut phase = Pace::default();
        let work = move || {
            let started = Stopwatch::start();
            while ended.recv_timeout(EACH) == Err(RecvTimeoutError::Timeout) {
                if started.elapsed() < PATIENCE || IS_TAKEN.load(Relaxed) || !IS_WANTED.load(Relaxed) {
                    continue;
                }
                if let Some(reading) = reading() {
                    IS_DRAWN.store(true, Relaxed);
                    line.set_message(format!("{name}: {}", phase.line(&reading)));
                    line.tick();
                }
            }
        };
        let thread = std::thread::Builder::new().name("progress".into()).spawn(work).ok()?;
        Some(Self {
            bar,
            end: Some(end),
            thread: Some(thread),
        })
    }
}

impl Drop for WorkLine {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
        drop(shown().take());
        self.bar.finish_and_clear();
    }
}

/// When a phase began.
#[derive(Default)]
struct Pace {
    phase: u64,
    began: Option<Stopwatch>,
}

impl Pace {
    /// Returns what is done, how much of how much, the rate, and the time left.
    fn line(&mut self, reading: &Reading) -> String {
        if self.phase != reading.phase {
            self.phase = reading.phase;
            self.began = Some(Stopwatch::start());
        }
        let passed = self.began.as_ref().map(Stopwatch::elapsed).unwrap_or_default();
        told(reading, passed)
    }
}

fn told(reading: &Reading, passed: Duration) -> String {
    let Reading {
        done,
        total,
        bytes,
        files,
        size,
        ..
    } = *reading;
    let mut parts = vec![format!("{done} of {total}")];
    let seconds = passed.as_secs_f64();
    if bytes > 0 && seconds > 0.1 {
        let rate = bytes as f64 / seconds;
        parts.push(format!("{}, {}/s", BinaryBytes(bytes), BinaryBytes(rate as u64)));
    }
    // While the last files are read, their bytes tell more than their number.
    let part = match files >= total && bytes < size {
        true => bytes as f64 / size as f64,
        false => done as f64 / total as f64,
    };
    if done < total && part > 0.0 && seconds > 0.5 {
        let left = seconds * (1.0 - part) / part;
        parts.push(format!("{} left", clock(left as u64 + 1)));
    }
    parts.join(", ")
}

/// Returns a duration as `7 s`, `2:05` or `1:02:03`.
fn clock(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest} s"),
        (0, _) => format!("{minutes}:{rest:02}"),
        _ => format!("{hours}:{minutes:02}:{rest:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_the_rate_and_the_time_left() {
        let reading = Reading {
            phase: 1,
            done: 25,
            total: 100,
            bytes: 10 << 20,
            files: 26,
            size: 12 << 20,
        };
        let line = told(&reading, Duration::from_secs(5));
        assert_eq!(line, "25 of 100, 10.00 MiB, 2.00 MiB/s, 16 s left");
        assert_eq!(told(&reading, Duration::ZERO), "25 of 100");
        let nothing = Reading {
            done: 0,
            bytes: 0,
            ..reading
        };
        assert_eq!(told(&nothing, Duration::from_secs(5)), "0 of 100");
        let large = Reading {
            done: 0,
            total: 1,
            files: 1,
            size: 40 << 20,
            ..reading
        };
        let line = told(&large, Duration::from_secs(5));
        assert_eq!(line, "0 of 1, 10.00 MiB, 2.00 MiB/s, 16 s left");
        for (seconds, expected) in [(7, "7 s"), (125, "2:05"), (3723, "1:02:03")] {
            assert_eq!(clock(seconds), expected);
        }
    }
}
