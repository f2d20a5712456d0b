//! The age test vectors of C2SP: our way of opening gives the expected result, and so does the keyless check of the
//! structure.

#![allow(clippy::print_stdout, reason = "the test names the vectors that it skips")]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gitpack::adapters::cipher::{
    Ask, Asker, DecryptError, Identities, Silence, examine_seal, has_header, header, open,
};
use gitpack::format::digest::Digest;
use zeroize::Zeroizing;

/// Vectors for identities that the age crate cannot read (AGE-SECRET-KEY-PQ-1…), and that name no other identity.
const UNSUPPORTED: [&str; 18] = [
    "armor_hybrid",
    "hybrid",
    "hybrid_and_x25519",
    "hybrid_bad_tag",
    "hybrid_currupted_enc_mlkem",
    "hybrid_currupted_enc_x25519",
    "hybrid_extra_argument",
    "hybrid_grease",
    "hybrid_identity",
    "hybrid_long_file_key",
    "hybrid_long_share",
    "hybrid_low_order",
    "hybrid_multiple_recipients",
    "hybrid_no_match",
    "hybrid_not_canonical_body",
    "hybrid_not_canonical_enc",
    "hybrid_short_share",
    "hybrid_uppercase",
];

struct Vector {
    name: String,
    expect: String,
    payload: Option<String>,
    identities: Vec<String>,
    passphrases: Vec<String>,
    armored: bool,
    file: Vec<u8>,
}

impl Vector {
    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let end = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap();
        let mut vector = Self {
            name: path.file_name().unwrap().to_str().unwrap().to_owned(),
            expect: String::new(),
            payload: None,
            identities: Vec::new(),
            passphrases: Vec::new(),
            armored: false,
            file: bytes[end + 2..].to_vec(),
        };
        for line in std::str::from_utf8(&bytes[..end]).unwrap().lines() {
            let (key, value) = line.split_once(": ").unwrap();
            match key {
                "expect" => vector.expect = value.into(),
                "payload" => vector.payload = Some(value.into()),
                "identity" => vector.identities.push(value.into()),
                "passphrase" => vector.passphrases.push(value.into()),
                "armored" => vector.armored = value == "yes",
                "compressed" => {
                    let mut plain = Vec::new();
                    flate2::read::ZlibDecoder::new(&vector.file[..])
                        .read_to_end(&mut plain)
                        .unwrap();
                    vector.file = plain;
                }
                "file key" | "comment" => {}
                other => panic!("{}: {other}", vector.name),
            }
        }
        vector
    }
}

/// Returns the vectors; none if the default directory does not exist.
fn vectors() -> Vec<Vector> {
    let named = std::env::var_os("GITPACK_AGE_TESTKIT").map(PathBuf::from);
    let place = named
        .clone()
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/age-testkit"));
    if !place.is_dir() {
        assert!(named.is_none(), "GITPACK_AGE_TESTKIT: {} is not there", place.display());
        println!("age-testkit: not found, not run");
        return Vec::new();
    }
    let entries = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path());
    let mut vectors: Vec<_> = entries.map(|path| Vector::read(&path)).collect();
    vectors.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(vectors.len(), 143);
    vectors
}

/// Answers with the passphrase of a vector.
struct Knows(String);

impl Ask for Knows {
    fn secret(&self, _: &str) -> Option<Zeroizing<String>> {
        Some(Zeroizing::new(self.0.clone()))
    }

    fn text(&self, _: &str) -> Option<String> {
        None
    }

    fn confirm(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
        None
    }

    fn tell(&self, _: &str) {}
}

/// Opens a vector; returns the plaintext and how it ended.
fn opened(vector: &Vector, identities: &Identities) -> (Vec<u8>, &'static str) {
    let mut plain = Vec::new();
    let ended = match open(identities, &vector.file[..]) {
        Ok(mut reader) => match reader.read_to_end(&mut plain) {
            Ok(_) => "success",
            Err(_) => "payload failure",
        },
        Err(DecryptError::NotFor { .. } | DecryptError::Locked { .. }) => "no match",
        Err(DecryptError::Broken(_) | DecryptError::LineEnds) => "broken",
        Err(other) => panic!("{}: {other}", vector.name),
    };
    (plain, ended)
}

#[test]
fn every_vector_ends_as_it_should() {
    let vectors = vectors();
    let mut unsupported = Vec::new();
    for vector in &vectors {
        let ask: Asker = match vector.passphrases.first() {
            Some(passphrase) => Arc::new(Knows(passphrase.clone())),
            None => Silence::asker(),
        };
        let parsed = |text: &String| Identities::parse(vector.name.clone(), Zeroizing::new(text.clone().into()), &ask);
        let (known, unknown): (Vec<_>, Vec<_>) = vector.identities.iter().map(parsed).partition(Result::is_ok);
        let hybrid = unknown
            .iter()
            .all(|why| why.as_ref().err().unwrap().to_string().contains("PQ"));
        assert!(hybrid, "{}", vector.name);
        if known.is_empty() && !unknown.is_empty() {
            unsupported.push(vector.name.as_str());
            continue;
        }
        let identities = Identities::join(known.into_iter().map(Result::unwrap), &ask);
        let (plain, ended) = opened(vector, &identities);
        let accepted: &[&str] = match vector.expect.as_str() {
            "success" => &["success"],
            "no match" => &["no match"],
            "header failure" | "HMAC failure" => &["broken"],
            "payload failure" => &["payload failure"],
            // Bad armour shows before the header, in it, or in the payload.
            "armor failure" => &["broken", "payload failure"],
            other => panic!("{}: {other}", vector.name),
        };
        assert!(
            accepted.contains(&ended),
            "{}: {} came to {ended}",
            vector.name,
            vector.expect
        );
        match &vector.payload {
            Some(hash) => assert_eq!(&Digest::of(&plain).hex(), hash, "{}", vector.name),
            None => assert!(plain.is_empty() || vector.expect == "armor failure", "{}", vector.name),
        }
    }
    if !vectors.is_empty() {
        assert_eq!(unsupported, UNSUPPORTED);
    }
}

#[test]
fn the_structure_is_judged_without_a_key() {
    for vector in vectors() {
        let examined = examine_seal(&mut &vector.file[..]).unwrap();
        let has = has_header(&vector.file);
        match vector.expect.as_str() {
            "header failure" => {
                assert!(examined.is_err(), "{}", vector.name);
                assert!(!has, "{}", vector.name);
                assert!(vector.armored || header(&vector.file[..]).is_err(), "{}", vector.name);
            }
            "success" => {
                assert_eq!(examined, Ok(()), "{}", vector.name);
                assert!(has, "{}", vector.name);
            }
            "no match" | "HMAC failure" => assert_eq!(examined, Ok(()), "{}", vector.name),
            "armor failure" => assert!(examined.is_err(), "{}", vector.name),
            _ => {}
        }
    }
}
