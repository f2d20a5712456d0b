//! What interrupts this process: Ctrl-C, Ctrl-Break and the end of its console.

use std::io;
use std::sync::{Mutex, PoisonError};

/// `STATUS_CONTROL_C_EXIT`, with which a program ends that does not handle Ctrl-C.
const CONTROL_C_EXIT: i32 = 0xC000_013A_u32 as i32;

type Undo = Box<dyn FnOnce() + Send>;

/// What an interruption calls.
static UNDO: Mutex<Option<Undo>> = Mutex::new(None);

/// Has an interruption call `undo`. The process then ends as one that Ctrl-C has ended.
pub fn on_interruption(undo: impl FnOnce() + Send + 'static) -> io::Result<()> {
    *UNDO.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(undo));
    ctrlc::set_handler(|| interrupt()).map_err(io::Error::other)
}

/// Interrupts this process, for a key that reached a prompt instead of making an event.
pub fn interrupt() -> ! {
    // A second interruption waits here until the first has ended the process.
    let mut held = UNDO.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(undo) = held.take() {
        undo();
    }
    std::process::exit(CONTROL_C_EXIT);
}
