//! The attestations beside a pack: reads them, and checks their signatures with the keys that the user gave.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::adapters::attesting::AttestationKey;
use crate::adapters::files;
use crate::format::attachment::{Attached, Attachment, AttachmentKind};
use crate::format::digest::Digest;
use crate::format::dsse::{Envelope, IN_TOTO};
use crate::format::statement::Statement;
use crate::ops::Context;
use crate::ops::pack::source::Source;
use crate::refusal::shown::shown_path;
use crate::refusal::signing::SigningFault;
use crate::refusal::{Refusal, Result};
use crate::rules::pack::attestations::{
    AttestationContent, AttestedPack, DemandedKey, FoundAttestation, JudgedAttestation, judge_attestations,
};
use crate::rules::pack::findings::{FindingKind, Findings};
use crate::rules::pack::verdict::Verdict;

/// The largest file with a public key that is read.
const MAX_KEY: u64 = 64 << 10;

/// Public keys by which a pack must be attested.
#[derive(Default)]
pub struct AttestationKeys(Vec<(AttestationKey, DemandedKey)>);

impl AttestationKeys {
    /// Reads the keys in these files. Follows links, and reads pipes.
    pub fn read(ctx: &Context, files: &[PathBuf]) -> Result<Self> {
        let mut keys: Vec<(AttestationKey, DemandedKey)> = Vec::new();
        for file in files {
            let bytes = files::read_any(&ctx.cwd.join(file), MAX_KEY)?;
            let key = AttestationKey::parse(&bytes).map_err(|fault| Refusal::Signing {
                path: file.clone(),
                fault: SigningFault::Key(fault),
            })?;
            let demanded = DemandedKey {
                id: key.id().to_owned(),
                file: shown_path(Path::new(file)),
            };
            if !keys.iter().any(|(there, _)| *there == key) {
                keys.push((key, demanded));
            }
        }
        Ok(Self(keys))
    }
}

/// Checks the attestations of a pack that was judged, and adds what is wrong with them to the verdict.
pub(super) fn check(
    source: &Source<'_>,
    keys: &AttestationKeys,
    verdict: &mut Verdict,
) -> Result<Vec<JudgedAttestation>> {
    let id = Digest::parse_ref(&verdict.pack_id);
    let attached = match &id {
        Some(id) => source.attached(id)?,
        None => Attached::default(),
    };
    let found = found(&attached, keys);
    let members = match found.is_empty() {
        true => BTreeMap::new(),
        false => declared(source)?,
    };
    // Others than signatures, which are judged with these.
    let ending = AttachmentKind::Signature.ending();
    for (name, why) in attached.strange.iter().filter(|(name, _)| !name.ends_with(ending)) {
        let what = FindingKind::AttestationInvalid(why.clone());
        verdict.findings.add(name.clone(), what);
    }
    let demanded: Vec<DemandedKey> = keys.0.iter().map(|(_, demanded)| demanded.clone()).collect();
    let pack = AttestedPack { id, members: &members };
    Ok(judge_attestations(found, &demanded, &pack, &mut verdict.findings))
}

/// Returns each of these attestations with the reason for which it is not one of this pack. Signatures are not checked.
pub fn sound_attestations(
    source: &Source<'_>,
    id: &Digest,
    attestations: Vec<Attachment>,
) -> Result<Vec<(Attachment, Option<String>)>> {
    if attestations.is_empty() {
        return Ok(Vec::new());
    }
    let attached = Attached {
        files: attestations,
        strange: Vec::new(),
    };
    let found = found(&attached, &AttestationKeys::default());
    let members = declared(source)?;
    let pack = AttestedPack {
        id: Some(*id),
        members: &members,
    };
    let mut findings = Findings::default();
    judge_attestations(found, &[], &pack, &mut findings);
    let fault = |name: &str| {
        let mut of_file = findings.iter().filter(|finding| finding.path == name);
        of_file.find_map(|finding| finding.kind.detail().map(str::to_owned))
    };
    Ok(attached
        .files
        .into_iter()
        .map(|file| {
            let fault = fault(&file.name);
            (file, fault)
        })
        .collect())
}

/// Reads the attestations among what is attached.
pub(super) fn found(attached: &Attached, keys: &AttestationKeys) -> Vec<FoundAttestation> {
    let files = attached.files.iter();
    files
        .filter(|file| file.kind == AttachmentKind::Attestation)
        .map(|file| FoundAttestation {
            name: file.name.clone(),
            content: content(&file.bytes, keys),
        })
        .collect()
}

/// Reads an attestation, and checks its signatures with each key.
fn content(bytes: &[u8], keys: &AttestationKeys) -> Result<AttestationContent, String> {
    let envelope = Envelope::parse(bytes).map_err(|why| why.to_string())?;
    if envelope.payload_type != IN_TOTO {
        return Err(format!(
            "its payload type is {:?}, not {IN_TOTO}",
            envelope.payload_type
        ));
    }
    let statement = Statement::parse(&envelope.payload).map_err(|why| why.to_string())?;
    let message = envelope.signed_bytes();
    let (mut made_by, mut not_made_by) = (Vec::new(), Vec::new());
    for (key, DemandedKey { id, .. }) in &keys.0 {
        // A hint may be wrong or missing, so each signature is tried with each key.
        let (mut made, mut named_in_vain) = (false, false);
        for signature in &envelope.signatures {
            let is_valid = key.verifies(&message, &signature.bytes);
            made |= is_valid;
            named_in_vain |= !is_valid && signature.key_id.as_ref() == Some(id);
        }
        if made {
            made_by.push(id.clone());
        }
        if named_in_vain {
            not_made_by.push(id.clone());
        }
    }
    let key_ids = envelope.signatures.into_iter().filter_map(|signature| signature.key_id);
    Ok(AttestationContent {
        statement,
        key_ids: key_ids.collect(),
        made_by,
        not_made_by,
    })
}

/// Returns the declared hash of each member.
pub(super) fn declared(source: &Source<'_>) -> Result<BTreeMap<String, Digest>> {
    let manifest = source.manifest()?;
    let members = manifest.members.iter();
    let hashes = members.filter_map(|member| Some((member.path.to_owned(), member.bytes_hash.digest()?)));
    Ok(hashes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::attesting::AttestingKey;
    use crate::format::dsse::{EnvelopeSignature, signed_bytes};
    use crate::format::slsa::{VERIFICATION_SUMMARY, verification_summary};
    use crate::rules::pack::attestations::SignatureState;
    use crate::rules::pack::findings::Findings;

    /// Returns a key of each algorithm, and what demands an attestation by it.
    fn keys() -> [(AttestingKey, AttestationKeys); 2] {
        AttestingKey::for_tests().map(|key| {
            let demanded = DemandedKey {
                id: key.public().id().to_owned(),
                file: "key.pub".into(),
            };
            let keys = AttestationKeys(vec![(key.public(), demanded)]);
            (key, keys)
        })
    }

    fn envelope(key: &AttestingKey, pack: &Digest) -> Envelope {
        let predicate = verification_summary(pack, None, None);
        let statement = Statement::write([("pack", *pack)], VERIFICATION_SUMMARY, &predicate);
        Envelope {
            signatures: vec![EnvelopeSignature {
                key_id: Some(key.public().id().to_owned()),
                bytes: key.sign(&signed_bytes(IN_TOTO, &statement)),
            }],
            payload_type: IN_TOTO.into(),
            payload: statement,
        }
    }

    fn state(line: &[u8], keys: &AttestationKeys, pack: &Digest) -> SignatureState {
        let found = FoundAttestation {
            name: "file".into(),
            content: content(line, keys),
        };
        let pack = AttestedPack {
            id: Some(*pack),
            members: &BTreeMap::new(),
        };
        let demanded: Vec<DemandedKey> = keys.0.iter().map(|(_, demanded)| demanded.clone()).collect();
        judge_attestations(vec![found], &demanded, &pack, &mut Findings::default())[0].signature
    }

    /// The masks with which each byte is changed. Checking a signature of P-256 takes longer.
    fn masks(key: &AttestingKey) -> &'static [u8] {
        match key.public().algorithm() {
            "Ed25519" => &[1, 2, 4, 8, 16, 32, 64, 128, 255],
            _ => &[1, 32],
        }
    }

    #[test]
    fn each_changed_byte_of_an_envelope_is_caught_unless_it_says_nothing() {
        let pack = Digest::of(b"pack");
        for (key, keys) in keys() {
            let whole = envelope(&key, &pack);
            let line = whole.to_line();
            assert_eq!(state(&line, &keys, &pack), SignatureState::Valid);
            let text = String::from_utf8(line.clone()).unwrap();
            let hint = text.find("\"keyid\"").unwrap()..text.find(",\"sig\"").unwrap();
            let mut passed = 0;
            for at in 0..line.len() {
                for mask in masks(&key) {
                    let mut changed = line.clone();
                    changed[at] ^= mask;
                    if state(&changed, &keys, &pack) == SignatureState::Valid {
                        // Nothing is signed in the hint, and what is signed is the same.
                        assert!(hint.contains(&at), "byte {at} of {text} changed by {mask:#x}");
                        let read = Envelope::parse(&changed).unwrap();
                        assert_eq!((&read.payload, read.payload_type), (&whole.payload, IN_TOTO.into()));
                        passed += 1;
                    }
                }
            }
            assert!(passed > 0);
        }
    }

    #[test]
    fn each_changed_byte_of_a_statement_or_a_signature_is_caught() {
        let pack = Digest::of(b"pack");
        for (key, keys) in keys() {
            let whole = envelope(&key, &pack);
            let is_valid = |envelope: &Envelope| state(&envelope.to_line(), &keys, &pack) == SignatureState::Valid;
            for mask in masks(&key) {
                for at in 0..whole.payload.len() {
                    let mut changed = whole.clone();
                    changed.payload[at] ^= mask;
                    assert!(!is_valid(&changed), "byte {at} of the statement");
                }
                for at in 0..whole.signatures[0].bytes.len() {
                    let mut changed = whole.clone();
                    changed.signatures[0].bytes[at] ^= mask;
                    assert_eq!(state(&changed.to_line(), &keys, &pack), SignatureState::Invalid);
                    changed.signatures[0].key_id = None;
                    assert!(!is_valid(&changed), "byte {at} of the signature");
                }
            }
        }
    }

    #[test]
    fn a_signature_counts_whatever_key_it_names() {
        let pack = Digest::of(b"pack");
        let [(ours, keys), (other, _)] = keys();
        for key_id in [None, Some("x".to_owned()), Some(other.public().id().to_owned())] {
            let mut envelope = envelope(&ours, &pack);
            envelope.signatures[0].key_id = key_id;
            assert_eq!(state(&envelope.to_line(), &keys, &pack), SignatureState::Valid);
        }
        // Another key signs in the name of ours, alone and beside it.
        let (mut forged, good) = (envelope(&other, &pack), envelope(&ours, &pack));
        forged.signatures[0].key_id = Some(ours.public().id().to_owned());
        assert_eq!(state(&forged.to_line(), &keys, &pack), SignatureState::Invalid);
        forged.signatures.extend(good.signatures);
        assert_eq!(state(&forged.to_line(), &keys, &pack), SignatureState::Invalid);
        // Another key signs in its own name.
        let line = envelope(&other, &pack).to_line();
        assert_eq!(state(&line, &keys, &pack), SignatureState::NotChecked);
    }

    #[test]
    fn an_envelope_holds_an_in_toto_statement_about_this_pack() {
        let pack = Digest::of(b"pack");
        let [(key, keys), _] = keys();
        let mut other_type = envelope(&key, &pack);
        other_type.payload_type = "application/json".into();
        other_type.signatures[0].bytes = key.sign(&other_type.signed_bytes());
        let mut twice = envelope(&key, &pack);
        let text = String::from_utf8(twice.payload).unwrap();
        twice.payload = text.replacen('{', "{\"predicate\":{},", 1).into_bytes();
        twice.signatures[0].bytes = key.sign(&twice.signed_bytes());
        for (envelope, pack) in [
            (other_type, pack),
            (twice, pack),
            (envelope(&key, &pack), Digest::of(b"another pack")),
        ] {
            assert_eq!(state(&envelope.to_line(), &keys, &pack), SignatureState::Invalid);
        }
    }

    #[test]
    fn one_statement_has_one_signature() {
        for ((first, _), (second, _)) in keys().into_iter().zip(keys()) {
            assert_eq!(first.sign(b"statement"), second.sign(b"statement"));
            assert_ne!(first.sign(b"statement"), first.sign(b"statemens"));
        }
    }
}
