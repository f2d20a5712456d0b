//! Asks the person at the terminal.

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::cli::progress::clear;
use crate::ops::interruption::{interrupt, while_asking};
use crate::ops::{Ask, Asker};
use crate::refusal::shown::shown;

/// Returns a prompter that knows the passphrase and asks for everything else at the terminal.
pub(super) fn knowing(passphrase: Zeroizing<String>) -> Asker {
    Arc::new(Knowing(passphrase))
}

struct Knowing(Zeroizing<String>);

impl Ask for Knowing {
    fn secret(&self, _: &str) -> Option<Zeroizing<String>> {
        Some(self.0.clone())
    }

    fn text(&self, prompt: &str) -> Option<String> {
        Terminal.text(prompt)
    }

    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        Terminal.confirm(message, yes, no)
    }

    fn tell(&self, message: &str) {
        Terminal.tell(message);
    }
}

/// The terminal of this process, if it has one.
pub(super) struct Terminal;

impl Ask for Terminal {
    fn secret(&self, prompt: &str) -> Option<Zeroizing<String>> {
        clear();
        match while_asking(|| rpassword::prompt_password(format!("{}: ", shown(prompt.as_bytes())))) {
            Ok(secret) => Some(Zeroizing::new(secret)),
            // While it asks, Ctrl-C makes no signal.
            Err(e) if e.kind() == io::ErrorKind::Interrupted => interrupt(),
            Err(_) => None,
        }
    }

    fn text(&self, prompt: &str) -> Option<String> {
        if !io::stdin().is_terminal() {
            return None;
        }
        // A failure to write the question cannot be reported anywhere.
        drop(write!(anstream::stderr(), "{}: ", shown(prompt.as_bytes())));
        let mut line = String::new();
        match io::stdin().lock().read_line(&mut line) {
            Ok(1..) => Some(line.trim_end_matches(['\r', '\n']).to_owned()),
            _ => None,
        }
    }

    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        let answers = format!("{message} (y: {yes}, n: {})", no.unwrap_or("no"));
        match self.text(&answers)?.trim() {
            "y" | "Y" | "yes" => Some(true),
            "n" | "N" | "no" => Some(false),
            _ => None,
        }
    }

    fn tell(&self, message: &str) {
        drop(writeln!(anstream::stderr(), "{}", shown(message.as_bytes())));
    }
}
