//! Why keys cannot be used, with a short remedy where there is one.

use crate::refusal::config::ConfigFault;
use crate::refusal::keys::{
    CipherFault, IdentityFault, IdentityNamer, KeyFault, LockFault, RecipientFault, SecretFault,
};

/// Returns why an identity file cannot be used.
pub(crate) fn identity(fault: &IdentityFault) -> String {
    match fault {
        IdentityFault::InWorkTree => format!("{fault}; set GIT_PACK_IDENTITY to a path outside it"),
        IdentityFault::OnlyPluginKnows => format!("{fault}: add it with git pack recipients add"),
        IdentityFault::Secret(fault) => secret(fault),
        IdentityFault::Key(fault) => key(fault),
        IdentityFault::Locked(fault) => lock(fault),
        IdentityFault::Missing(_) | IdentityFault::Vanished | IdentityFault::OnlyKeyKnows { .. } => fault.to_string(),
    }
}

/// Returns what to do about an identity file that is missing.
pub(super) fn missing_identity(by: IdentityNamer) -> (Option<String>, Option<String>) {
    let (next, hint) = match by {
        IdentityNamer::Caller => (
            "git pack key list",
            "name the file of your key: -i FILE; git pack key list shows where git-pack looks for one",
        ),
        IdentityNamer::Variable => (
            "git pack key list",
            "set GIT_PACK_IDENTITY to the file of your key, or leave it out: unset GIT_PACK_IDENTITY",
        ),
        IdentityNamer::GitConfig => (
            "git pack key list",
            "git config gitpack.identity <file of your key>, or git config --unset gitpack.identity",
        ),
        IdentityNamer::Nobody => (
            "git pack key generate",
            "name the file of your key: -i FILE; if you have none yet: git pack key generate",
        ),
    };
    (Some(next.to_owned()), Some(hint.to_owned()))
}

/// Returns why a file with a secret is not used.
pub(super) fn secret(fault: &SecretFault) -> String {
    match fault {
        SecretFault::ReadableByOthers { path, .. } => format!("{fault}: chmod 600 {}", path.display()),
        SecretFault::Directory | SecretFault::TooLong { .. } => fault.to_string(),
    }
}

/// Returns why something was not unlocked, after the name of its file, if it is known.
pub(super) fn locked(file: Option<&str>, fault: &LockFault) -> String {
    match file {
        Some(file) => format!("{file}: {}", lock(fault)),
        None => lock(fault),
    }
}

/// Returns why the cipher failed.
pub(super) fn cipher(fault: &CipherFault) -> String {
    match fault {
        CipherFault::MissingPlugin { .. } => format!("{fault}: install this age plugin"),
        CipherFault::MixedRecipients
        | CipherFault::NoRecipients
        | CipherFault::LineEnds
        | CipherFault::LostReturns
        | CipherFault::Seal(_)
        | CipherFault::Said(_) => fault.to_string(),
    }
}

/// Returns why text is not a recipient.
pub(super) fn recipient(fault: &RecipientFault) -> String {
    match fault {
        RecipientFault::Secret => format!("{fault}: use its public key (git pack key public FILE)"),
        RecipientFault::Hybrid => format!("{fault}: use age1tagpq1…"),
        RecipientFault::DoesNotEncrypt { .. } => format!("{fault}: use ssh-ed25519, ssh-rsa or age1…"),
        _ => fault.to_string(),
    }
}

/// Returns what is wrong with a configuration.
pub(super) fn config(fault: &ConfigFault) -> String {
    match fault {
        ConfigFault::Recipient(fault) => format!("recipients: {}", recipient(fault)),
        _ => fault.to_string(),
    }
}

fn lock(fault: &LockFault) -> String {
    match fault {
        LockFault::NoPassphrase => format!("{fault}: use --passphrase-file"),
        LockFault::WrongPassphrase => fault.to_string(),
        LockFault::Key(fault) => key(fault),
        LockFault::Cipher(fault) => cipher(fault),
    }
}

fn key(fault: &KeyFault) -> String {
    match fault {
        KeyFault::ForeignFile => {
            format!("{fault}; if it is an SSH private key, ssh-keygen -p -f FILE converts it")
        }
        KeyFault::InsecurePassphrase => format!("{fault}: ssh-keygen -o -p -f FILE upgrades it"),
        KeyFault::OnDevice { .. } => format!("{fault}: use an age plugin for it"),
        KeyFault::DoesNotDecrypt { .. } => format!("{fault}: use ssh-ed25519, ssh-rsa or an age identity"),
        _ => fault.to_string(),
    }
}
