//! The record of a call in the witness ledger.

use std::path::Path;

use serde_json::{Map, Value};

use crate::cli::exit::Exit;
use crate::cli::output::words::without_password;
use crate::cli::output::{Output, refusal};
use crate::format::digest::Digest;
use crate::format::witness::Input;
use crate::ops::Context;
use crate::ops::witness::{OwnHash, Testimony, record};
use crate::refusal::shown::{HIDDEN_KEY, shown, without_private_keys};
use crate::rules::content::holds_private_key;

/// A record that is filled in while the command runs. Its outcome is REFUSAL until the command sets another one.
pub(super) struct Account {
    testimony: Testimony,
    /// Set when the command begins.
    own: Option<OwnHash>,
}

impl Account {
    /// Opens the account of a command.
    pub(super) fn of(command: &'static str) -> Self {
        let testimony = Testimony {
            command,
            inputs: Vec::new(),
            params: Map::new(),
            outcome: "REFUSAL".into(),
            exit_code: Exit::Refused.code(),
            output_hash: String::new(),
            pack_id: None,
        };
        Self { testimony, own: None }
    }

    /// Notes that the command begins.
    pub(super) fn begins(&mut self, ctx: &Context) {
        self.own = Some(OwnHash::begin(ctx));
    }

    /// Adds a file or directory that the command looks at.
    pub(super) fn input(mut self, path: &Path) -> Self {
        self.testimony.inputs.push(Input {
            path: name(path),
            hash: None,
            bytes: None,
        });
        self
    }

    /// Adds a parameter of the call, if it was given.
    pub(super) fn asked(mut self, key: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.found(key, value);
        }
        self
    }

    /// Adds a parameter that the command found out.
    pub(super) fn found(&mut self, key: &str, value: impl Into<Value>) {
        self.testimony.params.insert(key.into(), value.into());
    }

    /// Sets the outcome, in one word.
    pub(super) fn ends(&mut self, outcome: &str) {
        self.testimony.outcome = outcome.into();
    }

    /// Sets the pack of the call.
    pub(super) fn is_about(&mut self, pack_id: Option<String>) {
        self.testimony.pack_id = pack_id;
    }

    /// Replaces the inputs.
    pub(super) fn looked_at(&mut self, inputs: &[Input]) {
        self.testimony.inputs = inputs.to_vec();
    }

    /// Sets the hash and the size of the inputs.
    pub(super) fn read(&mut self, hash: &Digest, bytes: u64) {
        for input in &mut self.testimony.inputs {
            input.hash = Some(hash.to_string());
            input.bytes = Some(bytes);
        }
    }

    /// Appends the account to the ledger. A failure is printed and does not change the exit status.
    pub(super) fn close(mut self, ctx: &Context, exit: Exit, output: &mut Output) {
        // Whoever mistakes a key for the name of its file must not find it in the ledger.
        for input in &mut self.testimony.inputs {
            input.path = without_private_keys(&input.path);
        }
        self.testimony.params.values_mut().for_each(without_keys);
        self.testimony.exit_code = exit.code();
        self.testimony.output_hash = output.hash();
        let own = self.own.unwrap_or_else(|| OwnHash::begin(ctx));
        if let Err(refused) = record(ctx, self.testimony, own) {
            let why = refusal::one_line(&refused);
            output.err(&format!("witness append warning: {why}\n"));
        }
    }
}

/// Removes private keys from a parameter: a text whole, if a key in it has no form that can be cut out.
fn without_keys(value: &mut Value) {
    refusal::clean_texts(value);
    if let Value::String(text) = value
        && holds_private_key(text.as_bytes())
    {
        *text = HIDDEN_KEY.to_owned();
    }
}

/// Returns a path for the ledger: printable, and without a password.
pub(super) fn name(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| shown(bytes));
    without_password(&text)
}
