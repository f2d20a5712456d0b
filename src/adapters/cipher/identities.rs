//! Identities: private keys from age identity files and SSH keys, with or without a passphrase.

use std::io::{BufReader, Read};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use age::Identity as _;
use age::plugin::IdentityPluginV1;
use age_core::format::{FileKey, Stanza};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use zeroize::Zeroizing;

use super::armour::dearmoured;
use super::ask::{Asker, Callbacks, Silence, one_at_a_time, passphrase};
use super::encrypt::missing_plugin;
use super::open::DecryptError;
use super::{MAX_WORK_FACTOR, one_line};
use crate::format::digest::Digest;
use crate::format::sealed::is_grease;
use crate::refusal::keys::{CipherFault, KeyFault, LockFault};

/// Most bytes of plaintext read from a locked identity file.
const MAX_FILE: u64 = 1 << 20;

/// A set of identities. A locked one is unlocked when it is first needed.
#[derive(Clone)]
pub struct Identities {
    files: Vec<Arc<File>>,
    ask: Asker,
}

/// The public side of an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// The kind of key, such as `X25519` or `plugin yubikey`.
    pub kind: String,
    /// The recipient. `None` if only a plugin knows it.
    pub recipient: Option<String>,
}

struct File {
    name: String,
    content: Content,
}

enum Content {
    Keys(Vec<Key>),
    LockedSsh(LockedSsh),
    LockedFile(LockedFile),
}

enum Key {
    X25519(age::x25519::Identity),
    Ssh {
        identity: Box<age::ssh::Identity>,
        public: String,
    },
    Plugin(age::plugin::Identity),
}

/// An SSH key with a passphrase. Its public half is not encrypted, so its stanzas are recognised without the
/// passphrase.
struct LockedSsh {
    key: age::ssh::EncryptedKey,
    public: String,
    unlocked: Once<Key>,
}

/// An identity file that is itself an age file sealed with a passphrase.
struct LockedFile {
    bytes: Zeroizing<Vec<u8>>,
    unlocked: Once<Vec<Key>>,
}

/// The result of unlocking. The passphrase is asked for once, whether it is right or wrong.
struct Once<T>(Mutex<Option<Result<Arc<T>, LockFault>>>);

impl<T> Once<T> {
    fn new() -> Self {
        Self(Mutex::new(None))
    }

    fn get(&self, unlock: impl FnOnce() -> Result<T, LockFault>) -> Result<Arc<T>, LockFault> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.get_or_insert_with(|| unlock().map(Arc::new)).clone()
    }
}

impl Identities {
    /// Returns an empty set. It can still open files sealed with a passphrase, by asking for it.
    pub fn none(ask: &Asker) -> Self {
        Self {
            files: Vec::new(),
            ask: ask.clone(),
        }
    }

    /// Parses the content of an identity file. `name` identifies the file when its passphrase is asked for.
    ///
    /// Accepts an age identity file (plain or sealed with a passphrase, armoured or not) and an SSH private key (with
    /// or without a passphrase). The error gives the reason and repeats nothing of the content, which may be secret.
    pub fn parse(name: String, bytes: Zeroizing<Vec<u8>>, ask: &Asker) -> Result<Self, KeyFault> {
        let content = match bytes.trim_ascii_start() {
            armoured if armoured.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----") => Content::locked(bytes)?,
            binary if binary.starts_with(b"age-encryption.org/") => Content::locked(bytes)?,
            pem if pem.starts_with(b"-----BEGIN ") => Content::ssh(pem, &name)?,
            _ => Content::Keys(keys_of(&bytes)?),
        };
        Ok(Self {
            files: vec![Arc::new(File { name, content })],
            ask: ask.clone(),
        })
    }

    /// Joins several sets into one.
    pub fn join(all: impl IntoIterator<Item = Self>, ask: &Asker) -> Self {
        let files = all.into_iter().flat_map(|each| each.files).collect();
        Self {
            files,
            ask: ask.clone(),
        }
    }

    /// Returns the identities that work without a person: those with a passphrase or a plugin are left out, since a
    /// plugin may want a hardware key to be touched.
    pub fn unattended(&self) -> Self {
        let quiet = |file: &&Arc<File>| match &file.content {
            Content::Keys(keys) => !keys.iter().any(|key| matches!(key, Key::Plugin(_))),
            _ => false,
        };
        Self {
            files: self.files.iter().filter(quiet).cloned().collect(),
            ask: Silence::asker(),
        }
    }

    /// Returns whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Returns the kinds of the keys, as far as they are known without a passphrase.
    pub fn kinds(&self) -> Vec<String> {
        self.files.iter().flat_map(|file| file.kinds()).collect()
    }

    /// Returns the name of each file with the kinds of its keys, for error messages.
    pub fn tried(&self) -> Vec<String> {
        let file = |file: &Arc<File>| format!("{} ({})", file.name, file.kinds().join(", "));
        self.files.iter().map(file).collect()
    }

    /// Returns the public side of each key. Asks for a passphrase where the public side is locked too.
    pub fn public_keys(&self) -> Result<Vec<PublicKey>, LockFault> {
        let mut found = Vec::new();
        for file in &self.files {
            match &file.content {
                Content::Keys(keys) => found.extend(keys.iter().map(Key::public)),
                Content::LockedSsh(locked) => found.push(PublicKey {
                    kind: kind_of_ssh(&locked.public),
                    recipient: Some(locked.public.clone()),
                }),
                Content::LockedFile(locked) => {
                    found.extend(locked.keys(&file.name, &self.ask)?.iter().map(Key::public));
                }
            }
        }
        Ok(found)
    }

    /// Returns the recipients of those keys whose recipient is known.
    pub fn recipients(&self) -> Result<Vec<String>, LockFault> {
        let keys = self.public_keys()?;
        Ok(keys.into_iter().filter_map(|key| key.recipient).collect())
    }

    /// Unwraps the file key from the stanzas of one header.
    ///
    /// Tries keys that work without a person first, then locked keys and plugins. Goes on with the next identity when
    /// one fails.
    pub(super) fn unwrap(&self, stanzas: &[Stanza]) -> Result<FileKey, DecryptError> {
        if let [stanza] = stanzas
            && stanza.tag == "scrypt"
        {
            return self.unwrap_with_passphrase(stanza);
        }
        let mut failures = Vec::new();
        for file in &self.files {
            if let Content::Keys(keys) = &file.content
                && let Some(key) = unwrap_quietly(keys, stanzas, &mut failures)
            {
                return Ok(key);
            }
        }
        for file in &self.files {
            let unwrapped = match &file.content {
                Content::Keys(keys) => unwrap_by_plugins(keys, stanzas, &self.ask, &mut failures),
                Content::LockedSsh(locked) => locked.unwrap(stanzas, &file.name, &self.ask, &mut failures),
                Content::LockedFile(locked) => locked.unwrap(stanzas, &file.name, &self.ask, &mut failures),
            };
            if let Some(key) = unwrapped {
                return Ok(key);
            }
        }
        Err(failures
            .into_iter()
            .next()
            .unwrap_or_else(|| DecryptError::not_for(stanzas)))
    }

    fn unwrap_with_passphrase(&self, stanza: &Stanza) -> Result<FileKey, DecryptError> {
        let locked = |fault| DecryptError::Locked { file: None, fault };
        let talking = one_at_a_time();
        let passphrase =
            passphrase(&self.ask, "Passphrase of the sealed file").ok_or_else(|| locked(LockFault::NoPassphrase))?;
        drop(talking);
        let mut identity = age::scrypt::Identity::new(passphrase);
        identity.set_max_work_factor(MAX_WORK_FACTOR);
        match identity.unwrap_stanza(stanza) {
            Some(Ok(key)) => Ok(key),
            Some(Err(age::DecryptError::DecryptionFailed)) => Err(locked(LockFault::WrongPassphrase)),
            Some(Err(e)) => Err(DecryptError::Broken(one_line(&e))),
            None => Err(DecryptError::not_for(std::slice::from_ref(stanza))),
        }
    }
}

impl File {
    fn kinds(&self) -> Vec<String> {
        match &self.content {
            Content::Keys(keys) => keys.iter().map(|key| key.public().kind).collect(),
            Content::LockedSsh(locked) => vec![kind_of_ssh(&locked.public)],
            Content::LockedFile(_) => vec!["locked by a passphrase".into()],
        }
    }
}

impl Content {
    fn locked(bytes: Zeroizing<Vec<u8>>) -> Result<Self, KeyFault> {
        let header = super::header(dearmoured(&bytes[..])).map_err(|fault| KeyFault::BadHeader {
            said: fault.to_string(),
        })?;
        match header.stanzas.as_slice() {
            [kind] if kind == "scrypt" => Ok(Self::LockedFile(LockedFile {
                bytes,
                unlocked: Once::new(),
            })),
            _ => Err(KeyFault::NotLocked),
        }
    }

    fn ssh(pem: &[u8], name: &str) -> Result<Self, KeyFault> {
        let text = std::str::from_utf8(pem).map_err(|_| KeyFault::NotText)?;
        let named = text.lines().next().unwrap_or_default();
        if !named.contains("OPENSSH PRIVATE KEY") && !named.contains("RSA PRIVATE KEY") {
            return Err(KeyFault::ForeignFile);
        }
        let identity = age::ssh::Identity::from_buffer(BufReader::new(pem), Some(name.to_owned()))
            .map_err(|_| KeyFault::DamagedSsh)?;
        let public = age::ssh::Recipient::try_from(identity.clone()).map(|public| public.to_string());
        match identity {
            age::ssh::Identity::Encrypted(key) => Ok(Self::LockedSsh(LockedSsh {
                key,
                public: public.map_err(|_| KeyFault::UnusedSsh)?,
                unlocked: Once::new(),
            })),
            age::ssh::Identity::Unsupported(kind) => Err(unsupported(&kind)),
            identity => Ok(Self::Keys(vec![Key::Ssh {
                public: public.map_err(|_| KeyFault::UnusedSsh)?,
                identity: Box::new(identity),
            }])),
        }
    }
}

fn unsupported(kind: &age::ssh::UnsupportedKey) -> KeyFault {
    use age::ssh::UnsupportedKey::{EncryptedPem, EncryptedSsh, Hardware, Type};
    match kind {
        EncryptedPem => KeyFault::InsecurePassphrase,
        EncryptedSsh(cipher) => KeyFault::UnsupportedCipher {
            cipher: cipher.to_string(),
        },
        Hardware(kind) => KeyFault::OnDevice { kind: kind.to_string() },
        Type(kind) => KeyFault::DoesNotDecrypt { kind: kind.to_string() },
    }
}

/// Parses the lines of an age identity file.
fn keys_of(bytes: &[u8]) -> Result<Vec<Key>, KeyFault> {
    let text = std::str::from_utf8(bytes).map_err(|_| KeyFault::NotText)?;
    let mut keys = Vec::new();
    for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let damaged = |kind| KeyFault::DamagedLine { line: number, kind };
        let upper = Zeroizing::new(line.to_ascii_uppercase());
        keys.push(match () {
            () if upper.starts_with("AGE-SECRET-KEY-1") => age::x25519::Identity::from_str(line)
                .map(Key::X25519)
                .map_err(|_| damaged("AGE-SECRET-KEY-1"))?,
            () if upper.starts_with("AGE-SECRET-KEY-PQ-1") => {
                return Err(KeyFault::HybridLine { line: number });
            }
            () if upper.starts_with("AGE-PLUGIN-") => age::plugin::Identity::from_str(&upper)
                .map(Key::Plugin)
                .map_err(|_| damaged("AGE-PLUGIN-"))?,
            () => {
                return Err(KeyFault::UnknownLine { line: number });
            }
        });
    }
    match keys.is_empty() {
        true => Err(KeyFault::Empty),
        false => Ok(keys),
    }
}

impl Key {
    fn public(&self) -> PublicKey {
        let (kind, recipient) = match self {
            Self::X25519(key) => ("X25519".to_owned(), Some(key.to_public().to_string())),
            Self::Ssh { public, .. } => (kind_of_ssh(public), Some(public.clone())),
            Self::Plugin(key) => (format!("plugin {}", key.plugin()), None),
        };
        PublicKey { kind, recipient }
    }
}

/// Tries the keys that work without a person.
fn unwrap_quietly(keys: &[Key], stanzas: &[Stanza], failures: &mut Vec<DecryptError>) -> Option<FileKey> {
    for key in keys {
        let unwrapped = match key {
            Key::X25519(key) => key.unwrap_stanzas(stanzas),
            Key::Ssh { identity, .. } => identity.unwrap_stanzas(stanzas),
            Key::Plugin(_) => None,
        };
        match unwrapped {
            Some(Ok(key)) => return Some(key),
            Some(Err(e)) => failures.push(DecryptError::Broken(one_line(&e))),
            None => {}
        }
    }
    None
}

/// Tries the plugin keys. All keys of one plugin are handed to it in one call.
fn unwrap_by_plugins(
    keys: &[Key],
    stanzas: &[Stanza],
    ask: &Asker,
    failures: &mut Vec<DecryptError>,
) -> Option<FileKey> {
    let identities: Vec<age::plugin::Identity> = keys
        .iter()
        .filter_map(|key| match key {
            Key::Plugin(key) => Some(key.clone()),
            _ => None,
        })
        .collect();
    let mut names: Vec<&str> = identities.iter().map(age::plugin::Identity::plugin).collect();
    names.sort_unstable();
    names.dedup();
    let foreign = |kind: &str| !["X25519", "ssh-ed25519", "ssh-rsa", "mlkem768x25519"].contains(&kind);
    let by_plugin = |fault| DecryptError::Locked {
        file: None,
        fault: LockFault::Cipher(fault),
    };
    for name in names {
        let _talking = one_at_a_time();
        match IdentityPluginV1::new(name, &identities, Callbacks(ask.clone())) {
            Ok(plugin) => match plugin.unwrap_stanzas(stanzas) {
                Some(Ok(key)) => return Some(key),
                Some(Err(e)) => {
                    let said = format!("age-plugin-{name}: {}", one_line(&e));
                    failures.push(by_plugin(CipherFault::Said(said)));
                }
                None => {}
            },
            // A missing plugin is an error only if it could have opened a stanza.
            Err(why)
                if stanzas
                    .iter()
                    .any(|stanza| foreign(&stanza.tag) && !is_grease(&stanza.tag)) =>
            {
                failures.push(by_plugin(missing_plugin(&why)));
            }
            Err(_) => {}
        }
    }
    None
}

impl LockedSsh {
    fn unwrap(&self, stanzas: &[Stanza], name: &str, ask: &Asker, failures: &mut Vec<DecryptError>) -> Option<FileKey> {
        let (kind, key) = self.public.split_once(' ')?;
        let tag = STANDARD_NO_PAD.encode(&Digest::of(&STANDARD.decode(key).ok()?).as_bytes()[..4]);
        if !stanzas
            .iter()
            .any(|stanza| stanza.tag == kind && stanza.args.first() == Some(&tag))
        {
            return None;
        }
        let unlocked = self.unlocked.get(|| {
            let passphrase = asked_for(name, ask)?;
            let key = self.key.decrypt(passphrase).map_err(|_| LockFault::WrongPassphrase)?;
            Ok(Key::Ssh {
                identity: Box::new(key.into()),
                public: self.public.clone(),
            })
        });
        match unlocked {
            Ok(key) => unwrap_quietly(std::slice::from_ref(&key), stanzas, failures),
            Err(fault) => {
                failures.push(DecryptError::Locked {
                    file: Some(name.to_owned()),
                    fault,
                });
                None
            }
        }
    }
}

impl LockedFile {
    fn keys(&self, name: &str, ask: &Asker) -> Result<Arc<Vec<Key>>, LockFault> {
        self.unlocked.get(|| {
            let mut identity = age::scrypt::Identity::new(asked_for(name, ask)?);
            identity.set_max_work_factor(MAX_WORK_FACTOR);
            let failed = |e: &dyn std::fmt::Display| LockFault::Cipher(CipherFault::Said(one_line(&e)));
            let decryptor = age::Decryptor::new_buffered(dearmoured(&self.bytes[..])).map_err(|e| failed(&e))?;
            let reader = decryptor
                .decrypt(std::iter::once(&identity as &dyn age::Identity))
                .map_err(|e| match e {
                    age::DecryptError::DecryptionFailed => LockFault::WrongPassphrase,
                    e => failed(&e),
                })?;
            // Reserve all the room first: a growing vector leaves copies of the secret behind that are not wiped.
            let mut text = Zeroizing::new(Vec::with_capacity(self.bytes.len()));
            reader.take(MAX_FILE).read_to_end(&mut text).map_err(|e| failed(&e))?;
            keys_of(&text).map_err(LockFault::Key)
        })
    }

    fn unwrap(&self, stanzas: &[Stanza], name: &str, ask: &Asker, failures: &mut Vec<DecryptError>) -> Option<FileKey> {
        // A locked identity file holds no SSH keys.
        let may_fit = |stanza: &Stanza| !["ssh-ed25519", "ssh-rsa"].contains(&&*stanza.tag) && !is_grease(&stanza.tag);
        if !stanzas.iter().any(may_fit) {
            return None;
        }
        match self.keys(name, ask) {
            Ok(keys) => {
                unwrap_quietly(&keys, stanzas, failures).or_else(|| unwrap_by_plugins(&keys, stanzas, ask, failures))
            }
            Err(fault) => {
                failures.push(DecryptError::Locked {
                    file: Some(name.to_owned()),
                    fault,
                });
                None
            }
        }
    }
}

fn asked_for(name: &str, ask: &Asker) -> Result<age::secrecy::SecretString, LockFault> {
    let _talking = one_at_a_time();
    passphrase(ask, &format!("Passphrase of {name}")).ok_or(LockFault::NoPassphrase)
}

fn kind_of_ssh(public: &str) -> String {
    public.split(' ').next().unwrap_or_default().to_owned()
}
