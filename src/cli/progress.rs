//! One line that shows how far a transfer is, on a terminal only.

use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};

use crate::ops::share::Progress;

/// How a transfer is shown: what is done, how much of how much, the rate, and the time left.
const TEMPLATE: &str = "{msg} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";

/// Shows a transfer on standard error. Nothing is shown if that is not a terminal.
#[derive(Default)]
pub(super) struct TransferLine(Mutex<Option<ProgressBar>>);

impl TransferLine {
    fn bar(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Progress for TransferLine {
    fn begin(&self, what: &'static str, bytes: u64) {
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
    }
}

impl Drop for TransferLine {
    fn drop(&mut self) {
        self.end();
    }
}
