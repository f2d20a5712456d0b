//! The blocks of PEM that hold keys.

use pkcs8::{ObjectIdentifier, spki::AlgorithmIdentifierRef};

use crate::refusal::signing::AttestationKeyFault;

/// `id-Ed25519`.
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// `id-ecPublicKey`.
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// `prime256v1`, which is P-256.
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

/// Names of other algorithms, for messages.
const OTHERS: [(&str, &str); 6] = [
    ("1.2.840.113549.1.1.1", "RSA"),
    ("1.2.840.113549.1.1.10", "RSA-PSS"),
    ("1.2.840.10040.4.1", "DSA"),
    ("1.3.101.110", "X25519"),
    ("1.3.101.111", "X448"),
    ("1.3.101.113", "Ed448"),
];

/// An algorithm of keys that attest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// Ed25519.
    Ed25519,
    /// ECDSA with P-256.
    P256,
}

impl Algorithm {
    /// Returns the algorithm that a key says it is for. Others are refused by their names.
    pub(super) fn of(said: &AlgorithmIdentifierRef<'_>) -> Result<Self, AttestationKeyFault> {
        let unsupported = |kind: &str| AttestationKeyFault::Unsupported { kind: kind.to_owned() };
        match said.oid {
            ED25519 => Ok(Self::Ed25519),
            EC => match said.parameters_oid() {
                Ok(P256) => Ok(Self::P256),
                _ => Err(unsupported("ECDSA with another curve than P-256")),
            },
            other => {
                let oid = other.to_string();
                let name = OTHERS.iter().find(|(known, _)| *known == oid).map(|(_, name)| *name);
                Err(unsupported(name.unwrap_or(&oid)))
            }
        }
    }
}

/// The one block of PEM that holds a key.
pub(super) struct Block<'a> {
    /// What it says it is, such as `PRIVATE KEY`.
    pub(super) label: &'a str,
    /// The block, from its first line to its last.
    pub(super) text: &'a str,
}

/// Finds the one block that holds a key. The parameters that openssl writes before a key are passed over.
pub(super) fn the_block(text: &str) -> Result<Block<'_>, AttestationKeyFault> {
    let mut found = None;
    let mut rest = text;
    while let Some(at) = rest.find("-----BEGIN ") {
        let block = &rest[at..];
        let damaged = AttestationKeyFault::Damaged;
        let (label, _) = block["-----BEGIN ".len()..]
            .split_once("-----")
            .ok_or(damaged.clone())?;
        let last = format!("-----END {label}-----");
        let end = block.find(&last).ok_or(damaged)? + last.len();
        rest = &block[end..];
        if label == "EC PARAMETERS" {
            continue;
        }
        let text = &block[..end];
        if found.replace(Block { label, text }).is_some() {
            return Err(AttestationKeyFault::Several);
        }
    }
    found.ok_or(AttestationKeyFault::NotAKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_block_with_a_key_is_found() {
        let block = |label: &str| format!("-----BEGIN {label}-----\nAA==\n-----END {label}-----\n");
        let (parameters, key) = (block("EC PARAMETERS"), block("EC PRIVATE KEY"));
        let found = format!("a comment\n{parameters}{key}");
        let found = the_block(&found).unwrap();
        assert_eq!((found.label, found.text), ("EC PRIVATE KEY", key.trim_end()));
        for (text, fault) in [
            (String::new(), AttestationKeyFault::NotAKey),
            (parameters, AttestationKeyFault::NotAKey),
            (format!("{key}{key}"), AttestationKeyFault::Several),
            ("-----BEGIN PRIVATE KEY".into(), AttestationKeyFault::Damaged),
            (key.replace("-----END EC", "-----END"), AttestationKeyFault::Damaged),
        ] {
            assert_eq!(the_block(&text).err(), Some(fault), "{text}");
        }
    }
}
