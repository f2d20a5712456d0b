//! What to do about signatures and attestations, and about places for packs.

use crate::cli::output::words::argument;
use crate::refusal::keys::{LockFault, SecretFault};
use crate::refusal::signing::{AttestationKeyFault, SigningFault};
use crate::refusal::transport::TransportFault;

/// Returns what to do about something that cannot be signed, attested or checked.
pub(super) fn signing(fault: &SigningFault) -> Option<String> {
    let hint = match fault {
        SigningFault::TooMany { .. } => "remove those that are not needed",
        SigningFault::NotADirectory => {
            "git pack pull <archive or address> --output <directory>, then name that directory"
        }
        SigningFault::Program { .. } => "install OpenSSH (ssh-keygen), or set gpg.ssh.program",
        SigningFault::NoKey => {
            "--key <file>, or git config gitpack.signingKey <file>, or git config user.signingKey with gpg.format ssh"
        }
        SigningFault::MissingKey => "ssh-keygen -t ed25519 -f <file>",
        SigningFault::Secret(SecretFault::ReadableByOthers { path, .. }) => {
            return Some(format!("chmod 600 {}", argument(path.as_os_str().as_encoded_bytes())));
        }
        SigningFault::Secret(_) => "name the file of the key",
        SigningFault::NotSigned { .. } => "name the private key, or add it to the agent: ssh-add <file>",
        SigningFault::Unfit { .. } => "sign with another key: ssh-keygen -t ed25519 -f <file>",
        SigningFault::NoSigners => {
            "--allowed-signers <file>, or [verify] signers in .gitpack.toml, or git config gpg.ssh.allowedSignersFile"
        }
        SigningFault::NotText => "allowed signers are lines of text (ssh-keygen(1), ALLOWED SIGNERS)",
        SigningFault::TooLarge { .. } => "leave out --members: the pack id covers every member",
        SigningFault::Key(AttestationKeyFault::Encrypted) => {
            "decrypt it into a file that only you can read: openssl pkey -in FILE -out KEY; chmod 600 KEY"
        }
        SigningFault::Key(AttestationKeyFault::Private) => {
            "openssl pkey -in FILE -pubout, or the .pub file of ssh-keygen"
        }
        SigningFault::Key(AttestationKeyFault::Unsupported { .. }) => "openssl genpkey -algorithm ed25519 -out KEY",
        SigningFault::Key(AttestationKeyFault::Locked(LockFault::NoPassphrase)) => "use --passphrase-file",
        SigningFault::Key(_) | SigningFault::Predicate { .. } => return None,
    };
    Some(hint.to_owned())
}

/// Returns what to do about a place that did not take a pack or give one.
pub(super) fn transport(fault: &TransportFault) -> Option<String> {
    let text = match fault {
        TransportFault::Unauthorized { found: false, .. } => {
            "log in with the tool of the place: docker login for a registry, git credential approve for a data fabric"
        }
        TransportFault::Unauthorized { found: true, .. } => "log in again, or ask for access to this repository",
        TransportFault::AwsLogin { .. } => {
            "have the tool of AWS log in, and put what it got into the environment: \
             eval \"$(aws configure export-credentials --format env)\""
        }
        TransportFault::ForeignRealm { .. } => {
            "if that host is really the one that knows your password, name it with --token-host"
        }
        TransportFault::PlainRealm { .. } => "git-pack sends a password over HTTPS only: ask who runs the registry",
        TransportFault::Untrusted { .. } => {
            "if it is from your organisation's own authority, name the file with that authority's certificate: \
             SSL_CERT_FILE=ca.pem"
        }
        TransportFault::Insecure { .. } => "use https, or --insecure-http if nobody else can listen",
        TransportFault::NotFound { .. } => "git pack list shows the packs that are there",
        TransportFault::NotCanonical => "seal it again, or push it to another kind of place",
        TransportFault::NoNetwork => "install a build with the network: cargo install gitpack",
        TransportFault::Connection { .. } => {
            "see whether the address is right and the server runs, and run the command again: it sends or fetches only what is missing"
        }
        TransportFault::Timeout | TransportFault::Slow | TransportFault::Short => {
            "run the command again: it sends or fetches only what is missing"
        }
        _ => return None,
    };
    Some(text.to_owned())
}
