//! The cipher: every kind of key, when it asks for a passphrase, and what a valid header is.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use proptest::prelude::*;

use gitpack::adapters::cipher::{
    Ask, Asker, DecryptError, EncryptError, Identities, Recipients, RewrapError, Silence, decrypt, encrypt,
    examine_seal, generate_identity, header, lock_identity, rewrap,
};
use gitpack::format::digest::Digest;
use gitpack::format::sealed::chunk_bytes;
use gitpack::format::sealed::is_grease;
use gitpack::refusal::keys::{CipherFault, LockFault, RecipientFault};
use zeroize::Zeroizing;

/// Gives the same answer every time, and counts the questions.
struct Answers(&'static str, AtomicUsize);

impl Ask for Answers {
    fn secret(&self, _: &str) -> Option<Zeroizing<String>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Some(Zeroizing::new(self.0.to_owned()))
    }

    fn text(&self, _: &str) -> Option<String> {
        None
    }

    fn confirm(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
        None
    }

    fn tell(&self, _: &str) {}
}

fn answers(passphrase: &'static str) -> Arc<Answers> {
    Arc::new(Answers(passphrase, AtomicUsize::new(0)))
}

fn nobody() -> Asker {
    Silence::asker()
}

fn identity_of(text: &str, ask: &Asker) -> Identities {
    Identities::parse("id".into(), Zeroizing::new(text.as_bytes().to_vec()), ask).unwrap()
}

fn for_one(recipient: &str) -> Recipients {
    Recipients::parse([recipient], &nobody()).unwrap()
}

fn sealed_for(recipients: &Recipients, plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encrypt(recipients, &mut &plain[..], &mut out).unwrap();
    out
}

fn opened(identities: &Identities, bytes: &[u8]) -> Result<Vec<u8>, DecryptError> {
    let mut plain = Vec::new();
    decrypt(identities, bytes, &mut plain).map(|()| plain)
}

/// Makes an SSH key; returns none if there is no ssh-keygen.
fn ssh_key(kind: &str, passphrase: &str) -> Option<(String, String)> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    let mut keygen = std::process::Command::new("ssh-keygen");
    keygen
        .args(["-q", "-t", kind, "-C", "who@where", "-N", passphrase, "-f"])
        .arg(&path);
    keygen.output().ok().filter(|output| output.status.success())?;
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
    Some((read(&path), read(&path.with_extension("pub"))))
}

#[test]
fn what_was_encrypted_opens_with_its_identity() {
    for size in [0, 1, 65_535, 65_536, 65_537, 200_000] {
        let plain = vec![7; size];
        let new = generate_identity("2026-01-15T10:30:00Z");
        let mut bytes = Vec::new();
        let encrypted = encrypt(&for_one(&new.recipient), &mut &plain[..], &mut bytes).unwrap();
        assert_eq!(encrypted.plain_hash, Digest::of(&plain));
        assert_eq!(encrypted.sealed_hash, Digest::of(&bytes));
        assert_eq!(
            (encrypted.plain_bytes, encrypted.sealed_bytes),
            (size as u64, bytes.len() as u64)
        );
        let identities = identity_of(&new.file, &nobody());
        assert_eq!(opened(&identities, &bytes).unwrap(), plain);
        assert_eq!(identities.recipients().unwrap(), [new.recipient]);
        let other = identity_of(&generate_identity("").file, &nobody());
        match opened(&other, &bytes).unwrap_err() {
            DecryptError::NotFor { stanzas } => assert_eq!(stanzas, ["X25519"]),
            why => panic!("{why}"),
        }
    }
}

#[test]
fn the_header_tells_stanzas_nonce_and_length() {
    let bytes = sealed_for(&for_one(&generate_identity("").recipient), &[1; 70_000]);
    let header = header(&bytes[..]).unwrap();
    assert_eq!(header.stanzas[0], "X25519");
    assert_eq!(header.bytes + chunk_bytes(70_000), bytes.len() as u64);
    let nonce = &bytes[header.bytes as usize - 16..header.bytes as usize];
    assert_eq!(header.nonce, STANDARD_NO_PAD.encode(nonce));
}

#[test]
fn no_grease_is_taken_for_a_fault() {
    let recipients = for_one(&generate_identity("").recipient);
    for _ in 0..500 {
        let bytes = sealed_for(&recipients, b"");
        assert_eq!(
            examine_seal(&mut &bytes[..]).unwrap(),
            Ok(()),
            "{}",
            String::from_utf8_lossy(&bytes)
        );
    }
}

#[test]
fn a_short_file_that_lost_its_returns_says_that_it_may_have() {
    let new = generate_identity("");
    let identities = identity_of(&new.file, &nobody());
    let plain = crate::common::noise(1, 1 << 20);
    let said = |bytes: &[u8]| opened(&identities, bytes).unwrap_err().to_string();
    let pairs = |bytes: &[u8]| bytes.windows(2).filter(|pair| pair == b"\r\n").count();
    let (bytes, converted) = loop {
        let bytes = sealed_for(&for_one(&new.recipient), &plain);
        let mut converted = bytes.clone();
        let mut at = 0;
        converted.retain(|byte| {
            at += 1;
            *byte != b'\r' || bytes.get(at) != Some(&b'\n')
        });
        // Two returns before a newline leave one, in one ciphertext of sixteen. Nothing is said of such a one.
        if pairs(&bytes) > 0 && pairs(&converted) == 0 {
            break (bytes, converted);
        }
    };
    let words = "its line ends may have been converted to LF";
    assert!(said(&converted).contains(words), "{}", said(&converted));
    // Other damage is not blamed on line ends, and too few newlines tell nothing.
    let mut flipped = bytes.clone();
    flipped[600_000] ^= 1;
    assert!(!said(&flipped).contains(words), "{}", said(&flipped));
    let mut short = sealed_for(&for_one(&new.recipient), &plain[..10_000]);
    short[5000] ^= 1;
    assert!(!said(&short).contains(words), "{}", said(&short));
    assert!(opened(&identities, &bytes).unwrap() == plain);
}

#[test]
fn what_is_not_an_age_file_has_no_header() {
    let bytes = sealed_for(&for_one(&generate_identity("").recipient), b"x");
    for wrong in [&b""[..], b"age-encryption.org/v1\n", b"plaintext", &bytes[..60]] {
        assert!(header(wrong).is_err());
    }
    let endless = io::repeat(b'a');
    assert!(header((&b"age-encryption.org/v1\n-> X25519 "[..]).chain(endless)).is_err());
}

#[test]
fn recipients_are_a_set_and_secrets_are_no_recipients() {
    let (a, b) = (generate_identity("").recipient, generate_identity("").recipient);
    let one = Recipients::parse([a.as_str(), b.as_str(), a.as_str()], &nobody()).unwrap();
    let two = Recipients::parse([b.as_str(), a.as_str()], &nobody()).unwrap();
    assert_eq!(one.names(), two.names());
    assert_eq!(one.stanza_kinds().unwrap(), ["X25519", "X25519"]);
    let identity = generate_identity("");
    let secret = identity.file.lines().last().unwrap();
    for secret in [
        secret,
        &secret.to_lowercase(),
        "AGE-PLUGIN-X-1QQ",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
    ] {
        let (shown, why) = Recipients::parse([secret], &nobody()).err().unwrap();
        assert_eq!(why, RecipientFault::Secret);
        assert!(!shown.contains(secret), "{shown}");
    }
    for (wrong, because) in [
        ("age1nonsense", "expected"),
        ("hello", "expected"),
        ("ssh-ed25519 AAAA", "expected"),
        (
            "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHFliOyIZs1gxGF3fmDxFykQhE88wy6AKDGFBfn0R6ZuvRmENABZQa9+pj9hMki+LX0qDJbmHTiWDbYv/cmFt/Q=",
            "cannot encrypt to",
        ),
        ("age1pq1qqqq", "not supported"),
    ] {
        let (_, why) = Recipients::parse([wrong], &nobody()).err().unwrap();
        assert!(why.to_string().contains(because), "{wrong}: {why}");
    }
}

#[test]
fn ssh_keys_open_with_and_without_a_passphrase() {
    for kind in ["ed25519", "rsa"] {
        let Some((private, public)) = ssh_key(kind, "") else {
            return;
        };
        let recipients = for_one(&public);
        assert!(!recipients.names()[0].contains("who@where"));
        assert_eq!(recipients.stanza_kinds().unwrap(), [format!("ssh-{kind}")]);
        let bytes = sealed_for(&recipients, b"plain");
        assert_eq!(opened(&identity_of(&private, &nobody()), &bytes).unwrap(), b"plain");

        let (private, public) = ssh_key(kind, "open it").unwrap();
        let bytes = sealed_for(&for_one(&public), b"plain");
        let right = answers("open it");
        let asker: Asker = right.clone();
        let identities = identity_of(&private, &asker);
        assert_eq!(identities.kinds(), [format!("ssh-{kind}")]);
        assert_eq!(identities.recipients().unwrap(), for_one(&public).names());
        // A seal for others does not cause a question.
        let foreign = sealed_for(&recipients, b"other");
        assert!(matches!(
            opened(&identities, &foreign),
            Err(DecryptError::NotFor { .. })
        ));
        assert_eq!(right.1.load(Ordering::Relaxed), 0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(opened(&identities, &bytes).unwrap(), b"plain"));
            }
        });
        assert_eq!(right.1.load(Ordering::Relaxed), 1);
        for asker in [answers("wrong") as Asker, nobody()] {
            let why = opened(&identity_of(&private, &asker), &bytes).unwrap_err();
            assert!(
                matches!(&why, DecryptError::Locked { fault, .. } if fault.to_string().contains("passphrase")),
                "{why}"
            );
        }
    }
}

#[test]
fn a_locked_identity_file_asks_once_and_only_if_it_may_fit() {
    let new = generate_identity("");
    let locked = lock_identity(&new.file, "sesame").unwrap();
    let right = answers("sesame");
    let asker: Asker = right.clone();
    let identities = identity_of(&locked, &asker);
    assert_eq!(right.1.load(Ordering::Relaxed), 0);
    let bytes = sealed_for(&for_one(&new.recipient), b"plain");
    assert_eq!(opened(&identities, &bytes).unwrap(), b"plain");
    assert_eq!(opened(&identities, &bytes).unwrap(), b"plain");
    assert_eq!(identities.recipients().unwrap()[0], new.recipient);
    assert_eq!(right.1.load(Ordering::Relaxed), 1);
    // A key that fits without a passphrase is tried first.
    let wrong = answers("wrong");
    let asker: Asker = wrong.clone();
    let both = Identities::join([identity_of(&locked, &asker), identity_of(&new.file, &asker)], &asker);
    assert_eq!(opened(&both, &bytes).unwrap(), b"plain");
    assert_eq!(wrong.1.load(Ordering::Relaxed), 0);
    let why = opened(&identity_of(&locked, &asker), &bytes).unwrap_err();
    assert!(
        matches!(
            &why,
            DecryptError::Locked {
                fault: LockFault::WrongPassphrase,
                ..
            }
        ),
        "{why}"
    );
    assert!(identity_of(&locked, &asker).unattended().is_empty());
}

#[test]
fn what_is_sealed_with_a_passphrase_asks_for_it() {
    let sealed = lock_identity("plain", "sesame").unwrap();
    let blank = format!(" \r\n{sealed}\n ");
    for bytes in [sealed.as_bytes(), blank.as_bytes()] {
        let asker: Asker = answers("sesame");
        assert_eq!(opened(&Identities::none(&asker), bytes).unwrap(), b"plain");
    }
    for (asker, because) in [(answers("wrong") as Asker, "is wrong"), (nobody(), "no terminal")] {
        let why = opened(&Identities::none(&asker), sealed.as_bytes()).unwrap_err();
        assert!(
            matches!(&why, DecryptError::Locked { fault, .. } if fault.to_string().contains(because)),
            "{why}"
        );
    }
}

#[test]
fn a_weak_rsa_key_is_no_recipient() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("weak");
    let mut keygen = std::process::Command::new("ssh-keygen");
    keygen
        .args(["-q", "-t", "rsa", "-b", "1024", "-N", "", "-f"])
        .arg(&path);
    if !keygen.output().is_ok_and(|output| output.status.success()) {
        return;
    }
    let public = std::fs::read_to_string(path.with_extension("pub")).unwrap();
    let (_, why) = Recipients::parse([public.as_str()], &nobody()).err().unwrap();
    assert_eq!(why, RecipientFault::WeakRsa);
}

#[test]
fn identity_files_that_are_none_say_why_and_repeat_nothing() {
    let secret = generate_identity("").file.lines().last().unwrap().to_owned();
    let cut = &secret[..40];
    for (text, because) in [
        (cut, "line 1: the AGE-SECRET-KEY-1… key is damaged"),
        ("# nothing\n", "no AGE-SECRET-KEY"),
        ("age1abc", "line 1: expected an identity"),
        ("AGE-SECRET-KEY-PQ-1ABC", "not supported"),
        (
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "age does not read this kind",
        ),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "damaged"),
    ] {
        let bytes = Zeroizing::new(text.as_bytes().to_vec());
        let why = Identities::parse("id".into(), bytes, &nobody())
            .err()
            .unwrap()
            .to_string();
        assert!(why.contains(because) && !why.contains(cut), "{text}: {why}");
    }
}

/// A recipient of a hardware key, from a test of the age crate.
const TAGGED: &str = "age1tag1qt8lw0ual6avlwmwatk888yqnmdamm7xfd0wak53ut6elz5c4swx2yqdj4e";
/// The same with a post-quantum half.
const TAGGED_PQ: &str = include_str!("../../fixtures/tagpq-recipient.txt");

#[test]
fn tagged_recipients_are_encrypted_to_and_post_quantum_ones_do_not_mix() {
    for (recipient, kind) in [(TAGGED, "p256tag"), (TAGGED_PQ, "mlkem768p256tag")] {
        let recipients = for_one(recipient);
        assert_eq!(recipients.stanza_kinds().unwrap(), [kind]);
        let bytes = sealed_for(&recipients, b"x");
        assert_eq!(header(&bytes[..]).unwrap().stanzas[0], kind);
        assert_eq!(examine_seal(&mut &bytes[..]).unwrap(), Ok(()));
    }
    let plain = generate_identity("").recipient;
    let mixed = Recipients::parse([plain.as_str(), TAGGED_PQ], &nobody()).unwrap();
    let error = encrypt(&mixed, &mut io::empty(), io::sink()).unwrap_err();
    assert!(
        matches!(&error, EncryptError::Cipher(CipherFault::MixedRecipients)),
        "{error:?}"
    );
    let both = Recipients::parse([plain.as_str(), TAGGED], &nobody()).unwrap();
    assert_eq!(both.stanza_kinds().unwrap(), ["X25519", "p256tag"]);
    sealed_for(&both, b"x");
}

#[test]
fn a_missing_plugin_is_named() {
    // A Bech32 recipient of a plugin that does not exist.
    let hrp = bech32::Hrp::parse("age1nosuchthing").unwrap();
    let plugin = bech32::encode::<bech32::Bech32>(hrp, &[1, 2, 3]).unwrap();
    let recipients = for_one(&plugin);
    assert_eq!(recipients.names(), [plugin]);
    assert_eq!(recipients.stanza_kinds(), None);
    let error = encrypt(&recipients, &mut io::empty(), io::sink()).unwrap_err();
    assert!(
        matches!(&error, EncryptError::Cipher(CipherFault::MissingPlugin { program }) if program == "age-plugin-nosuchthing"),
        "{error:?}"
    );
}

/// Returns what follows the header and the nonce of an age file.
fn payload(file: &[u8]) -> &[u8] {
    let mac = file.windows(5).position(|bytes| bytes == b"\n--- ").unwrap() + 1;
    let line = file[mac..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    &file[mac + line + 16..]
}

#[test]
fn a_rewrapped_header_opens_the_old_payload_for_the_new_ones_alone() {
    let (old, new) = (generate_identity(""), generate_identity(""));
    let plain = vec![9; 100_000];
    let bytes = sealed_for(&for_one(&old.recipient), &plain);
    let old_identity = identity_of(&old.file, &nobody());
    let rewrapped = rewrap(&old_identity, &bytes[..], &for_one(&new.recipient))
        .ok()
        .unwrap();
    let moved = [&rewrapped[..], payload(&bytes)].concat();
    assert_eq!(opened(&identity_of(&new.file, &nobody()), &moved).unwrap(), plain);
    assert!(matches!(
        opened(&old_identity, &moved),
        Err(DecryptError::NotFor { .. })
    ));
    assert_eq!(examine_seal(&mut &moved[..]).unwrap(), Ok(()));
    // The MAC of the old header is verified, so a tampered header is not wrapped again.
    let mut tampered = bytes.clone();
    let mac = bytes.windows(4).position(|at| at == b"--- ").unwrap() + 6;
    tampered[mac] = if tampered[mac] == b'A' { b'B' } else { b'A' };
    let refused = rewrap(&old_identity, &tampered[..], &for_one(&new.recipient))
        .err()
        .unwrap();
    assert!(
        matches!(refused, RewrapError::Opening(DecryptError::Broken(_))),
        "{refused:?}"
    );
    let other = identity_of(&new.file, &nobody());
    let refused = rewrap(&other, &bytes[..], &for_one(&new.recipient)).err().unwrap();
    assert!(
        matches!(refused, RewrapError::Opening(DecryptError::NotFor { .. })),
        "{refused:?}"
    );
}

#[test]
fn keys_of_every_kind_change_hands() {
    let new = generate_identity("");
    let mut handed = vec![(
        sealed_for(&for_one(&new.recipient), b"plain"),
        identity_of(&new.file, &nobody()),
    )];
    for kind in ["ed25519", "rsa"] {
        if let Some((private, public)) = ssh_key(kind, "") {
            handed.push((
                sealed_for(&for_one(&public), b"plain"),
                identity_of(&private, &nobody()),
            ));
        }
    }
    let asker: Asker = answers("sesame");
    let armoured = lock_identity("plain", "sesame").unwrap();
    let mut binary = Vec::new();
    age::armor::ArmoredReader::new(armoured.as_bytes())
        .read_to_end(&mut binary)
        .unwrap();
    handed.push((binary, Identities::none(&asker)));
    let ssh = ssh_key("ed25519", "").map(|(_, public)| public);
    for (bytes, identities) in &handed {
        let to: Vec<&str> = [Some(new.recipient.as_str()), ssh.as_deref(), Some(TAGGED)]
            .into_iter()
            .flatten()
            .collect();
        let recipients = Recipients::parse(to, &nobody()).unwrap();
        let rewrapped = rewrap(identities, &bytes[..], &recipients).ok().unwrap();
        let moved = [&rewrapped[..], payload(bytes)].concat();
        assert_eq!(opened(&identity_of(&new.file, &nobody()), &moved).unwrap(), b"plain");
        let mut kinds = header(&moved[..]).unwrap().stanzas;
        kinds.retain(|kind| !is_grease(kind));
        kinds.sort();
        assert_eq!(Some(kinds), recipients.stanza_kinds());
        // The `age` command agrees, where there is one.
        let directory = tempfile::tempdir().unwrap();
        let (sealed, key) = (directory.path().join("sealed"), directory.path().join("key"));
        std::fs::write(&sealed, &moved).unwrap();
        std::fs::write(&key, new.file.as_bytes()).unwrap();
        let age = std::env::var("GITPACK_AGE").unwrap_or_else(|_| "age".into());
        if let Ok(output) = std::process::Command::new(age)
            .arg("-d")
            .arg("-i")
            .args([&key, &sealed])
            .output()
        {
            assert_eq!(output.stdout, b"plain", "{}", String::from_utf8_lossy(&output.stderr));
        }
        // Post-quantum recipients cannot be mixed with others here either.
        let mixed = Recipients::parse([new.recipient.as_str(), TAGGED_PQ], &nobody()).unwrap();
        assert!(matches!(
            rewrap(identities, &bytes[..], &mixed),
            Err(RewrapError::Sealing(_))
        ));
    }
    // The payload of an armoured file cannot be copied unchanged.
    let refused = rewrap(&Identities::none(&asker), armoured.as_bytes(), &for_one(&new.recipient))
        .err()
        .unwrap();
    assert!(matches!(&refused, RewrapError::Opening(DecryptError::Broken(why)) if why.contains("armoured")));
}

proptest! {
    /// Every header that is accepted here is accepted by the crate, too.
    #[test]
    fn what_is_a_header_here_is_one_to_the_crate(at in 0usize..400, byte: u8) {
        let mut bytes = sealed_for(&for_one(&generate_identity("").recipient), b"x");
        let at = at % bytes.len();
        bytes[at] = byte;
        if header(&bytes[..]).is_ok() {
            prop_assert!(age::Decryptor::new_buffered(&bytes[..]).is_ok());
        }
    }
}
