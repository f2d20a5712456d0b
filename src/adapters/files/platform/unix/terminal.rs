//! The terminal of this process.

use std::fs::File;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// How the terminal was set, such as whether it echoes what is typed.
pub struct TerminalSettings {
    terminal: File,
    before: Termios,
}

impl TerminalSettings {
    /// Returns how the terminal is set now. `None` if this process has no terminal.
    pub fn now() -> Option<Self> {
        let terminal = File::open("/dev/tty").ok()?;
        let before = tcgetattr(&terminal).ok()?;
        Some(Self { terminal, before })
    }

    /// Sets the terminal as it was.
    pub fn restore(&self) {
        // A failure cannot be reported better than by the terminal itself.
        tcsetattr(&self.terminal, OptionalActions::Now, &self.before).unwrap_or_default();
    }
}
