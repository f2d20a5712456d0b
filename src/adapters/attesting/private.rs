//! Private keys that sign attestations. Both algorithms sign without random numbers, so one statement has one signature.

use ed25519_dalek::Signer;
use p256::ecdsa::DerSignature;
use pkcs8::{PrivateKeyInfo, SecretDocument};
use ssh_key::private::KeypairData;

use super::pem::{Algorithm, the_block};
use super::public::AttestationKey;
use crate::adapters::cipher::Asker;
use crate::refusal::keys::LockFault;
use crate::refusal::signing::AttestationKeyFault;

/// The object identifier of P-256 in DER, by which a key names its curve.
const P256_DER: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// What precedes the 32 bytes of an Ed25519 key in PKCS#8: the type and the length of an octet string in DER.
const OCTETS_32: [u8; 2] = [0x04, 0x20];

/// A private key. It is wiped from memory when it is dropped, and has no `Debug`.
pub struct AttestingKey(Kind);

enum Kind {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    P256(Box<p256::ecdsa::SigningKey>),
}

impl AttestingKey {
    /// Parses the content of a key file: PKCS#8 or SEC1 in PEM, or a private key of OpenSSH. `name` identifies the file
    /// when its passphrase is asked for.
    ///
    /// The error repeats nothing of the content.
    pub fn parse(bytes: &[u8], name: &str, ask: &Asker) -> Result<Self, AttestationKeyFault> {
        let text = std::str::from_utf8(bytes).map_err(|_| AttestationKeyFault::NotAKey)?;
        let block = the_block(text)?;
        let kind = match block.label {
            "PRIVATE KEY" => of_pkcs8(&decoded(block.text)?)?,
            "EC PRIVATE KEY" if block.text.contains("\nProc-Type:") => return Err(AttestationKeyFault::Encrypted),
            "EC PRIVATE KEY" => of_sec1(&decoded(block.text)?)?,
            "OPENSSH PRIVATE KEY" => of_openssh(block.text, name, ask)?,
            label if label.starts_with("ENCRYPTED ") => return Err(AttestationKeyFault::Encrypted),
            label if label.ends_with("PUBLIC KEY") || label == "CERTIFICATE" => {
                return Err(AttestationKeyFault::Public);
            }
            label => {
                let kind = label.strip_suffix(" PRIVATE KEY").ok_or(AttestationKeyFault::NotAKey)?;
                return Err(AttestationKeyFault::Unsupported { kind: kind.to_owned() });
            }
        };
        Ok(Self(kind))
    }

    /// Returns a key of each algorithm.
    #[cfg(test)]
    pub fn for_tests() -> [Self; 2] {
        let p256 = p256::ecdsa::SigningKey::from_slice(&[7; 32]).expect("it is below the order of the curve");
        [
            Self(Kind::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(&[7; 32])))),
            Self(Kind::P256(Box::new(p256))),
        ]
    }

    /// Signs a message. The signature of P-256 is in DER.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.0 {
            Kind::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Kind::P256(key) => {
                let signature: DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
        }
    }

    /// Returns the public half.
    pub fn public(&self) -> AttestationKey {
        match &self.0 {
            Kind::Ed25519(key) => AttestationKey::of_ed25519(key.verifying_key()),
            Kind::P256(key) => AttestationKey::of_p256(*key.verifying_key()),
        }
    }
}

fn decoded(pem: &str) -> Result<SecretDocument, AttestationKeyFault> {
    let (_, document) = SecretDocument::from_pem(pem).map_err(|_| AttestationKeyFault::Damaged)?;
    Ok(document)
}

fn of_pkcs8(document: &SecretDocument) -> Result<Kind, AttestationKeyFault> {
    let info = PrivateKeyInfo::try_from(document.as_bytes()).map_err(|_| AttestationKeyFault::Damaged)?;
    match Algorithm::of(&info.algorithm)? {
        // The parser of the crate would leave a copy of the key in memory.
        Algorithm::Ed25519 => {
            let seed = info.private_key.strip_prefix(&OCTETS_32);
            let seed: Option<&[u8; 32]> = seed.and_then(|seed| seed.try_into().ok());
            let key = Box::new(ed25519_dalek::SigningKey::from_bytes(
                seed.ok_or(AttestationKeyFault::Damaged)?,
            ));
            match info.public_key {
                Some(public) if public != key.verifying_key().as_bytes() => Err(AttestationKeyFault::Damaged),
                _ => Ok(Kind::Ed25519(key)),
            }
        }
        Algorithm::P256 => p256::SecretKey::try_from(info)
            .map(|key| Kind::P256(Box::new(key.into())))
            .map_err(|_| AttestationKeyFault::Damaged),
    }
}

fn of_sec1(document: &SecretDocument) -> Result<Kind, AttestationKeyFault> {
    let der = document.as_bytes();
    if !der.windows(P256_DER.len()).any(|part| part == P256_DER) {
        return Err(AttestationKeyFault::Unsupported {
            kind: "ECDSA with another curve than P-256".into(),
        });
    }
    p256::SecretKey::from_sec1_der(der)
        .map(|key| Kind::P256(Box::new(key.into())))
        .map_err(|_| AttestationKeyFault::Damaged)
}

fn of_openssh(text: &str, name: &str, ask: &Asker) -> Result<Kind, AttestationKeyFault> {
    let key = ssh_key::PrivateKey::from_openssh(text).map_err(|why| match why {
        ssh_key::Error::AlgorithmUnknown => AttestationKeyFault::Unsupported {
            kind: "SSH of another kind than ssh-ed25519".into(),
        },
        _ => AttestationKeyFault::Damaged,
    })?;
    if key.algorithm() != ssh_key::Algorithm::Ed25519 {
        return Err(AttestationKeyFault::Unsupported {
            kind: key.algorithm().to_string(),
        });
    }
    let key = match key.is_encrypted() {
        false => key,
        true => {
            let passphrase = ask.secret(&format!("Passphrase of {name}"));
            let passphrase = passphrase.ok_or(AttestationKeyFault::Locked(LockFault::NoPassphrase))?;
            key.decrypt(passphrase.as_bytes())
                .map_err(|_| AttestationKeyFault::Locked(LockFault::WrongPassphrase))?
        }
    };
    let KeypairData::Ed25519(pair) = key.key_data() else {
        return Err(AttestationKeyFault::Damaged);
    };
    let signing = ed25519_dalek::SigningKey::from_bytes(pair.private.as_ref());
    // A signature under another public key would give the private one away.
    match signing.verifying_key().as_bytes() == &pair.public.0 {
        true => Ok(Kind::Ed25519(Box::new(signing))),
        false => Err(AttestationKeyFault::Damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PKCS#8 with the public half, as RFC 8410 has it in its second example.
    fn with_public(seed: &[u8], public: &[u8]) -> Result<Kind, AttestationKeyFault> {
        let head = b"\x30\x51\x02\x01\x01\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
        let der = [&head[..], seed, b"\x81\x21\x00", public].concat();
        of_pkcs8(&SecretDocument::try_from(&der[..]).unwrap())
    }

    #[test]
    fn a_key_with_the_public_half_of_another_is_damaged() {
        let public = ed25519_dalek::SigningKey::from_bytes(&[7; 32])
            .verifying_key()
            .to_bytes();
        assert!(matches!(with_public(&[7; 32], &public), Ok(Kind::Ed25519(_))));
        assert!(with_public(&[8; 32], &public).is_err());
    }
}
