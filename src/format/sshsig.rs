//! SSH signatures (SSHSIG, PROTOCOL.sshsig of OpenSSH) in armour: their form, and which kind of key made them.
//!
//! Nothing is verified here.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ssh_encoding::{Decode, Reader};

/// The namespace of signatures over manifests.
pub const NAMESPACE: &str = "git-pack";

/// Least size of an RSA key in bits.
pub const MIN_RSA_BITS: usize = 2048;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
const MAGIC: &[u8; 6] = b"SSHSIG";
const VERSION: u32 = 1;

/// The parts of an SSH signature that are looked at before it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshSignature {
    /// The public key, or the certificate, in the encoding of OpenSSH.
    pub public_key: Vec<u8>,
    /// The type of the key, such as `ssh-ed25519`.
    pub key_type: String,
    /// The size of an RSA key in bits.
    pub rsa_bits: Option<usize>,
    /// What the signature is for.
    pub namespace: String,
}

impl SshSignature {
    /// Parses a signature in armour. Whatever does not change its meaning must be as OpenSSH writes it, except for the
    /// length of its lines.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let blob = dearmoured(bytes)?;
        decode(&blob).map_err(|why| match why {
            Undecoded::Said(said) => said,
            Undecoded::Encoding(e) => format!("not an SSH signature: {e}"),
        })
    }

    /// Returns why a signature by this key proves nothing, however well it fits. `None` if it may be used.
    pub fn weakness(&self) -> Option<String> {
        match (self.rsa_bits, self.key_type.as_str()) {
            (Some(bits), _) if bits < MIN_RSA_BITS => Some(format!(
                "its RSA key has {bits} bits, and at least {MIN_RSA_BITS} are needed"
            )),
            (_, kind) if kind.starts_with("ssh-dss") => Some("a DSA key made it".into()),
            _ => None,
        }
    }
}

fn dearmoured(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let bad = |what: &str| format!("not an SSH signature in armour: {what}");
    let text = std::str::from_utf8(bytes).map_err(|_| bad("not text"))?;
    let inner = text
        .strip_prefix(BEGIN)
        .and_then(|rest| rest.strip_prefix('\n'))
        .ok_or_else(|| bad("it does not begin like one"))?;
    let inner = inner
        .strip_suffix('\n')
        .unwrap_or(inner)
        .strip_suffix(END)
        .and_then(|rest| rest.strip_suffix('\n'))
        .ok_or_else(|| bad("it does not end like one"))?;
    let lines: Vec<&str> = inner.split('\n').collect();
    let width = lines.first().map_or(0, |line| line.len());
    let (last, others) = lines.split_last().ok_or_else(|| bad("it is empty"))?;
    if others.iter().any(|line| line.len() != width) || last.is_empty() || last.len() > width {
        return Err(bad("its lines have different lengths"));
    }
    STANDARD.decode(lines.concat()).map_err(|e| bad(&e.to_string()))
}

enum Undecoded {
    Said(String),
    Encoding(ssh_encoding::Error),
}

impl From<ssh_encoding::Error> for Undecoded {
    fn from(error: ssh_encoding::Error) -> Self {
        Self::Encoding(error)
    }
}

fn decode(blob: &[u8]) -> Result<SshSignature, Undecoded> {
    let said = |said: String| Undecoded::Said(said);
    let mut rest = blob
        .strip_prefix(MAGIC)
        .ok_or_else(|| said("not an SSH signature: it does not begin with SSHSIG".into()))?;
    let rest = &mut rest;
    let version = u32::decode(rest)?;
    if version != VERSION {
        return Err(said(format!("an SSH signature of version {version}, not {VERSION}")));
    }
    let public_key = Vec::<u8>::decode(rest)?;
    let namespace = String::decode(rest)?;
    let reserved = Vec::<u8>::decode(rest)?;
    let hash = String::decode(rest)?;
    drop(Vec::<u8>::decode(rest)?);
    if !reserved.is_empty() || !rest.is_finished() {
        return Err(said("an SSH signature with something more in it".into()));
    }
    if !["sha256", "sha512"].contains(&hash.as_str()) {
        return Err(said(format!("an SSH signature with the hash {hash:?}")));
    }
    let mut key = &public_key[..];
    let key_type = String::decode(&mut key)?;
    let rsa_bits = match key_type.starts_with("ssh-rsa") {
        true => {
            if key_type.contains("-cert-") {
                // Its nonce.
                drop(Vec::<u8>::decode(&mut key)?);
            }
            drop(Vec::<u8>::decode(&mut key)?);
            Some(bits(&Vec::<u8>::decode(&mut key)?))
        }
        false => None,
    };
    Ok(SshSignature {
        public_key,
        key_type,
        rsa_bits,
        namespace,
    })
}

/// Returns the number of bits of an integer.
fn bits(integer: &[u8]) -> usize {
    let leading = integer.iter().take_while(|byte| **byte == 0).count();
    let digits = &integer[leading..];
    digits
        .first()
        .map_or(0, |first| digits.len() * 8 - first.leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a signature whose parts are these, in lines of `width` digits.
    fn armoured(key: &[&[u8]], namespace: &str, hash: &str, width: usize) -> String {
        let string = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat();
        let key: Vec<u8> = key.iter().flat_map(|part| string(part)).collect();
        let blob = [
            MAGIC.to_vec(),
            VERSION.to_be_bytes().to_vec(),
            string(&key),
            string(namespace.as_bytes()),
            string(b""),
            string(hash.as_bytes()),
            string(b"signature"),
        ];
        let digits = STANDARD.encode(blob.concat());
        let lines: Vec<&str> = digits
            .as_bytes()
            .chunks(width)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        format!("{BEGIN}\n{}\n{END}\n", lines.join("\n"))
    }

    #[test]
    fn the_parts_of_a_signature_are_read() {
        for width in [64, 70, 76, 10_000] {
            let text = armoured(&[b"ssh-ed25519", &[7; 32]], NAMESPACE, "sha512", width);
            let read = SshSignature::parse(text.as_bytes()).unwrap();
            assert_eq!((&*read.key_type, &*read.namespace), ("ssh-ed25519", NAMESPACE));
            assert_eq!((read.rsa_bits, read.weakness()), (None, None));
        }
    }

    #[test]
    fn weak_keys_are_told() {
        let modulus = |bits: usize| {
            let mut modulus = vec![0xff; bits / 8];
            modulus.insert(0, 0);
            modulus
        };
        let of = |key: &[&[u8]]| SshSignature::parse(armoured(key, NAMESPACE, "sha512", 70).as_bytes()).unwrap();
        let rsa = |bits| of(&[b"ssh-rsa", &[1, 0, 1], &modulus(bits)]);
        assert_eq!(rsa(2048).weakness(), None);
        assert!(rsa(2040).weakness().unwrap().contains("2040 bits"));
        let certificate = |bits| of(&[b"ssh-rsa-cert-v01@openssh.com", b"nonce", &[1, 0, 1], &modulus(bits)]);
        assert_eq!(certificate(3072).rsa_bits, Some(3072));
        assert!(certificate(1024).weakness().is_some());
        assert!(of(&[b"ssh-dss", b"p"]).weakness().is_some());
    }

    #[test]
    fn every_other_spelling_is_refused() {
        let text = armoured(&[b"ssh-ed25519", &[7; 32]], NAMESPACE, "sha512", 70);
        let (head, tail) = text.split_at(BEGIN.len() + 1 + 30);
        for other in [
            String::new(),
            text.replace('\n', "\r\n"),
            format!(" {text}"),
            format!("{text}\n"),
            format!("{text}{text}"),
            format!("{head}\n{tail}"),
            format!("{head} {tail}"),
            text.replace(END, "-----END SSH SIGNATURE----"),
            armoured(&[b"ssh-ed25519"], NAMESPACE, "sha1", 70),
            armoured(&[b"ssh-rsa"], NAMESPACE, "sha512", 70),
        ] {
            assert!(SshSignature::parse(other.as_bytes()).is_err(), "{other:?}");
        }
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut flipped = text.clone().into_bytes();
                flipped[at] ^= 1 << bit;
                // A flip that is not noticed here changes what is signed, or the signature.
                let changed = dearmoured(&flipped).is_ok_and(|blob| blob == dearmoured(text.as_bytes()).unwrap());
                assert!(!changed, "byte {at}, bit {bit}");
            }
        }
    }
}
