//! Public keys that check attestations.

use p256::ecdsa::signature::Verifier;
use pkcs8::spki::SubjectPublicKeyInfoRef;
use pkcs8::{Document, EncodePublicKey};

use super::pem::{Algorithm, the_block};
use crate::format::digest::Digest;
use crate::refusal::signing::AttestationKeyFault;

/// A public key, and its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestationKey {
    id: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Ed25519(ed25519_dalek::VerifyingKey),
    P256(p256::ecdsa::VerifyingKey),
}

impl AttestationKey {
    /// Parses the content of a key file: a public key in PEM, or the line of an Ed25519 key of OpenSSH.
    pub fn parse(bytes: &[u8]) -> Result<Self, AttestationKeyFault> {
        let text = std::str::from_utf8(bytes).map_err(|_| AttestationKeyFault::NotAKey)?;
        if !text.contains("-----BEGIN ") {
            return of_openssh(text.trim());
        }
        let block = the_block(text)?;
        match block.label {
            "PUBLIC KEY" => of_spki(block.text),
            "RSA PUBLIC KEY" => Err(AttestationKeyFault::Unsupported { kind: "RSA".into() }),
            label if label.ends_with("PRIVATE KEY") => Err(AttestationKeyFault::Private),
            _ => Err(AttestationKeyFault::NotAKey),
        }
    }

    /// Takes an Ed25519 key.
    pub(super) fn of_ed25519(key: ed25519_dalek::VerifyingKey) -> Self {
        Self {
            id: id_of(key.to_public_key_der()),
            kind: Kind::Ed25519(key),
        }
    }

    /// Takes a key of P-256.
    pub(super) fn of_p256(key: p256::ecdsa::VerifyingKey) -> Self {
        Self {
            id: id_of(p256::PublicKey::from(key).to_public_key_der()),
            kind: Kind::P256(key),
        }
    }

    /// Returns the id: the SHA-256 of the key as SubjectPublicKeyInfo in DER, in hex.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the name of the algorithm.
    pub fn algorithm(&self) -> &'static str {
        match self.kind {
            Kind::Ed25519(_) => "Ed25519",
            Kind::P256(_) => "ECDSA P-256",
        }
    }

    /// Returns whether the key made this signature of the message.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.kind {
            // The strict check takes one signature only where the lax one takes several forms of it.
            Kind::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Kind::P256(key) => p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
        }
    }
}

fn id_of(der: pkcs8::spki::Result<Document>) -> String {
    let der = der.expect("a key has an encoding of a few bytes");
    Digest::of(der.as_bytes()).hex()
}

fn of_spki(pem: &str) -> Result<AttestationKey, AttestationKeyFault> {
    let (_, document) = Document::from_pem(pem).map_err(|_| AttestationKeyFault::Damaged)?;
    let info = SubjectPublicKeyInfoRef::try_from(document.as_bytes()).map_err(|_| AttestationKeyFault::Damaged)?;
    match Algorithm::of(&info.algorithm)? {
        Algorithm::Ed25519 => {
            let key = ed25519_dalek::VerifyingKey::try_from(info).map_err(|_| AttestationKeyFault::Damaged)?;
            ensure_strong(key)
        }
        Algorithm::P256 => {
            let key = p256::PublicKey::try_from(info).map_err(|_| AttestationKeyFault::Damaged)?;
            Ok(AttestationKey::of_p256(key.into()))
        }
    }
}

fn of_openssh(line: &str) -> Result<AttestationKey, AttestationKeyFault> {
    let kind = line.split(' ').next().unwrap_or_default();
    if line.contains('\n') || !["ssh-", "ecdsa-", "sk-"].iter().any(|start| kind.starts_with(start)) {
        return Err(AttestationKeyFault::NotAKey);
    }
    let unsupported = || AttestationKeyFault::Unsupported { kind: kind.to_owned() };
    let key = ssh_key::PublicKey::from_openssh(line).map_err(|why| match why {
        ssh_key::Error::AlgorithmUnknown => unsupported(),
        _ => AttestationKeyFault::Damaged,
    })?;
    let bytes = key.key_data().ed25519().ok_or_else(unsupported)?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes.0).map_err(|_| AttestationKeyFault::Damaged)?;
    ensure_strong(key)
}

/// Refuses a key of small order: a signature by it fits many messages.
fn ensure_strong(key: ed25519_dalek::VerifyingKey) -> Result<AttestationKey, AttestationKeyFault> {
    match key.is_weak() {
        true => Err(AttestationKeyFault::Weak),
        false => Ok(AttestationKey::of_ed25519(key)),
    }
}
