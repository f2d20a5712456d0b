//! Asks the person for passphrases and for whatever a plugin wants to know.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use age::secrecy::SecretString;
use zeroize::Zeroizing;

/// Asks the person. Each method returns `None` if there is no terminal to ask at.
pub trait Ask: Send + Sync {
    /// Asks for a secret and does not echo it.
    fn secret(&self, prompt: &str) -> Option<Zeroizing<String>>;
    /// Asks for a line of text.
    fn text(&self, prompt: &str) -> Option<String>;
    /// Asks a question with the answers `yes` and, if given, `no`. Returns true for `yes`.
    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool>;
    /// Shows a message that needs no answer.
    fn tell(&self, message: &str);
}

impl fmt::Debug for dyn Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ask")
    }
}

/// A shared prompter.
pub type Asker = Arc<dyn Ask>;

/// A prompter that declines every question and discards every message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silence;

impl Silence {
    /// Returns a prompter that always declines.
    pub fn asker() -> Asker {
        Arc::new(Self)
    }
}

impl Ask for Silence {
    fn secret(&self, _: &str) -> Option<Zeroizing<String>> {
        None
    }

    fn text(&self, _: &str) -> Option<String> {
        None
    }

    fn confirm(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
        None
    }

    fn tell(&self, _: &str) {}
}

/// Asks for a passphrase in the form that the crate takes.
pub(super) fn passphrase(ask: &Asker, prompt: &str) -> Option<SecretString> {
    ask.secret(prompt).map(|secret| SecretString::from(secret.as_str()))
}

/// Returns a lock to hold while asking. A person cannot answer two questions at once.
pub(super) fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TALKING: Mutex<()> = Mutex::new(());
    TALKING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Passes the questions of the crate's plugin client on to the prompter.
#[derive(Clone)]
pub(super) struct Callbacks(pub(super) Asker);

impl age::Callbacks for Callbacks {
    fn display_message(&self, message: &str) {
        self.0.tell(message);
    }

    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        self.0.confirm(message, yes, no)
    }

    fn request_public_string(&self, description: &str) -> Option<String> {
        self.0.text(description)
    }

    fn request_passphrase(&self, description: &str) -> Option<SecretString> {
        passphrase(&self.0, description)
    }
}
