//! The terminal of this process.

/// How the terminal was set. A console is set back by the shell.
pub struct TerminalSettings(());

impl TerminalSettings {
    /// Returns `None`: there is nothing to set back.
    pub fn now() -> Option<Self> {
        None
    }

    /// Does nothing.
    pub fn restore(&self) {}
}
