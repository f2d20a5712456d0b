//! Recipients: the public keys to encrypt to, of every kind that age knows.

use std::str::FromStr;

use age::plugin::RecipientPluginV1;
use age::ssh::ParseRecipientKeyError;

use super::EncryptError;
use super::ask::{Asker, Callbacks, one_at_a_time};
use super::encrypt::fault_of;
use crate::refusal::keys::RecipientFault;

/// A set of recipients. Order and duplicates do not matter.
pub struct Recipients {
    keys: Vec<Key>,
    names: Vec<String>,
    ask: Asker,
}

enum Key {
    X25519(age::x25519::Recipient),
    Tag(age::tag::Recipient),
    TagPq(Box<age::tagpq::Recipient>),
    Ssh(age::ssh::Recipient),
    Plugin(age::plugin::Recipient),
}

impl Recipients {
    /// Parses recipients. The error holds the text that is not a recipient, made safe to show, and the reason.
    ///
    /// Accepts `age1…` (X25519), `age1tag1…`, `age1tagpq1…`, `age1<plugin>1…`, `ssh-ed25519 …` and `ssh-rsa …`. Text
    /// after an SSH key is a comment.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>, ask: &Asker) -> Result<Self, (String, RecipientFault)> {
        let mut keys = Vec::new();
        for text in texts {
            let text = text.trim();
            let key = Key::parse(text).map_err(|why| (shown(text), why))?;
            keys.push((key.name(), key));
        }
        keys.sort_by(|a, b| a.0.cmp(&b.0));
        keys.dedup_by(|a, b| a.0 == b.0);
        let (names, keys) = keys.into_iter().unzip();
        let ask = ask.clone();
        Ok(Self { keys, names, ask })
    }

    /// Returns the recipients as text, sorted, without duplicates or comments.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the stanza types of a header for these recipients, sorted, one for each recipient, without grease.
    /// `None` if a plugin chooses them.
    pub fn stanza_kinds(&self) -> Option<Vec<String>> {
        let kinds = self.keys.iter().map(|key| match key {
            Key::X25519(_) => Some("X25519".to_owned()),
            Key::Tag(_) => Some("p256tag".to_owned()),
            Key::TagPq(_) => Some("mlkem768p256tag".to_owned()),
            Key::Ssh(age::ssh::Recipient::SshRsa(..)) => Some("ssh-rsa".to_owned()),
            Key::Ssh(age::ssh::Recipient::SshEd25519(..)) => Some("ssh-ed25519".to_owned()),
            Key::Plugin(_) => None,
        });
        let mut kinds: Vec<String> = kinds.collect::<Option<_>>()?;
        kinds.sort();
        Some(kinds)
    }

    /// Calls `wrap` with all recipients. The recipients of one plugin become one item.
    pub(super) fn with_each<T>(
        &self,
        wrap: impl FnOnce(&mut dyn Iterator<Item = &dyn age::Recipient>) -> Result<T, age::EncryptError>,
    ) -> Result<T, EncryptError> {
        let plugged: Vec<age::plugin::Recipient> = self
            .keys
            .iter()
            .filter_map(|key| match key {
                Key::Plugin(key) => Some(key.clone()),
                _ => None,
            })
            .collect();
        let mut names: Vec<&str> = plugged.iter().map(age::plugin::Recipient::plugin).collect();
        names.sort_unstable();
        names.dedup();
        let plugins = names
            .into_iter()
            .map(|name| RecipientPluginV1::new(name, &plugged, &[], Callbacks(self.ask.clone())))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|why| EncryptError::Cipher(super::encrypt::missing_plugin(&why)))?;
        let native = self.keys.iter().filter_map(|key| match key {
            Key::X25519(key) => Some(key as &dyn age::Recipient),
            Key::Tag(key) => Some(key),
            Key::TagPq(key) => Some(key.as_ref()),
            Key::Ssh(key) => Some(key),
            Key::Plugin(_) => None,
        });
        let talking = (!plugins.is_empty()).then(one_at_a_time);
        let mut each = native.chain(plugins.iter().map(|plugin| plugin as &dyn age::Recipient));
        let wrapped = wrap(&mut each).map_err(|e| EncryptError::Cipher(fault_of(&e)));
        drop(talking);
        wrapped
    }
}

/// Returns what an error may show of a text that is not a recipient. Hides anything that may be a secret key, even a
/// damaged one.
fn shown(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let public = ["age1", "ssh-", "ecdsa-", "sk-"]
        .iter()
        .any(|start| lower.starts_with(start));
    match () {
        () if is_secret(text) => "a secret key".to_owned(),
        () if public || text.len() <= 24 => text.to_owned(),
        () => "the given text".to_owned(),
    }
}

fn claims_to_be_public(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["age1", "ssh-", "ecdsa-", "sk-"]
        .iter()
        .any(|start| lower.starts_with(start))
}

/// Returns whether a text looks like a secret key. No message may repeat such a text.
pub fn is_secret(text: &str) -> bool {
    let exact = text.to_ascii_uppercase();
    if claims_to_be_public(text) {
        return ["AGE-SECRET-KEY-1", "AGE-PLUGIN-", "-----BEGIN "]
            .iter()
            .any(|mark| exact.contains(mark));
    }
    let upper: String = exact.chars().filter(char::is_ascii_alphanumeric).collect();
    ["SECRETKEY", "AGEPLUGIN", "BEGINOPENSSH", "PRIVATEKEY"]
        .iter()
        .any(|mark| upper.contains(mark))
}

impl Key {
    fn parse(text: &str) -> Result<Self, RecipientFault> {
        if is_secret(text) {
            return Err(RecipientFault::Secret);
        }
        if text.contains(|c: char| c.is_control() && c != '\t') {
            return Err(RecipientFault::SeveralLines);
        }
        match text
            .split_once("1")
            .map(|(start, _)| start.to_ascii_lowercase())
            .as_deref()
        {
            Some("age") => Self::parse_age(text),
            _ if text.contains(' ') || text.contains('\t') => parse_ssh(text),
            _ => Err(RecipientFault::Unknown),
        }
    }

    fn parse_age(text: &str) -> Result<Self, RecipientFault> {
        let expected = |said: &str| RecipientFault::BadAge { said: said.to_owned() };
        let human = text
            .rsplit_once('1')
            .map_or("", |(human, _)| human)
            .to_ascii_lowercase();
        match human.as_str() {
            "age" => age::x25519::Recipient::from_str(text)
                .map(Self::X25519)
                .map_err(expected),
            "age1tag" => age::tag::Recipient::from_str(text).map(Self::Tag).map_err(expected),
            "age1tagpq" => age::tagpq::Recipient::from_str(text)
                .map(|key| Self::TagPq(Box::new(key)))
                .map_err(expected),
            "age1pq" => Err(RecipientFault::Hybrid),
            _ => {
                let lower = text.to_ascii_lowercase();
                age::plugin::Recipient::from_str(&lower)
                    .map(Self::Plugin)
                    .map_err(expected)
            }
        }
    }

    fn name(&self) -> String {
        match self {
            Self::X25519(key) => key.to_string(),
            Self::Tag(key) => key.to_string(),
            Self::TagPq(key) => key.to_string(),
            Self::Ssh(key) => key.to_string(),
            Self::Plugin(key) => key.to_string(),
        }
    }
}

fn parse_ssh(text: &str) -> Result<Key, RecipientFault> {
    let mut words = text.split_ascii_whitespace();
    let (kind, base64) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let line = format!("{kind} {base64}");
    let key = age::ssh::Recipient::from_str(&line).map_err(|why| match why {
        ParseRecipientKeyError::RsaModulusTooSmall => RecipientFault::WeakRsa,
        ParseRecipientKeyError::RsaModulusTooLarge => RecipientFault::LongRsa,
        _ if is_ssh_type(kind) && !["ssh-ed25519", "ssh-rsa"].contains(&kind) => {
            RecipientFault::DoesNotEncrypt { kind: kind.to_owned() }
        }
        ParseRecipientKeyError::Unsupported(kind) => RecipientFault::DoesNotEncrypt { kind },
        _ => RecipientFault::Unknown,
    })?;
    // The crate stops reading at the end of the key and would not notice other bytes glued to it.
    match key.to_string().trim_end_matches('=') == line.trim_end_matches('=') {
        true => Ok(Key::Ssh(key)),
        false => Err(RecipientFault::DamagedSsh),
    }
}

fn is_ssh_type(kind: &str) -> bool {
    kind.starts_with("ssh-") || kind.starts_with("ecdsa-sha2-") || kind.starts_with("sk-")
}
