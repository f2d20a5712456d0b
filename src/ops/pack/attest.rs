//! `git pack attest`: states under a key that a pack verified, or what else the user knows of it.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::adapters::archive::is_archive;
use crate::adapters::attached_dir;
use crate::adapters::attesting::AttestingKey;
use crate::adapters::clone::verified_packs::VerifiedPacks;
use crate::adapters::files;
use crate::format::attachment::{AttachmentKind, MAX_ATTACHMENT};
use crate::format::canonical_json::parse_strict;
use crate::format::destination::PlaceAddress;
use crate::format::digest::Digest;
use crate::format::dsse::{Envelope, EnvelopeSignature, IN_TOTO, signed_bytes};
use crate::format::manifest::ManifestDocument;
use crate::format::slsa::{self, PROVENANCE, VERIFICATION_SUMMARY};
use crate::format::statement::Statement;
use crate::format::timestamp::Timestamp;
use crate::ops::Context;
use crate::ops::keys::identity::read_secret;
use crate::ops::pack::output::outside_of_git;
use crate::ops::pack::public_text::{ensure_typed_without_key, ensure_without_key};
use crate::ops::pack::sealed_pack::ensure_sound;
use crate::ops::pack::source::Source;
use crate::ops::pack::verify::verify_source;
use crate::refusal::leak::PublicText;
use crate::refusal::pack::PackFault;
use crate::refusal::shown::shown_path;
use crate::refusal::signing::SigningFault;
use crate::refusal::{Refusal, Result};
use crate::rules::pack::verdict::Verdict;

/// The largest file with a private key that is read.
const MAX_KEY: usize = 64 << 10;

/// A predicate that the user gives.
#[derive(Clone, Debug)]
pub struct GivenPredicate {
    /// Its type, a URI.
    pub uri: String,
    /// The file with it, which is strict JSON.
    pub file: PathBuf,
}

/// What to attest, and with which key.
#[derive(Clone, Debug)]
pub struct AttestRequest {
    /// The directory of the pack.
    pub pack: PathBuf,
    /// The file with the private key.
    pub key: PathBuf,
    /// What is stated, if it is not that the pack verified.
    pub predicate: Option<GivenPredicate>,
    /// Whether each member is a subject too.
    pub members: bool,
    /// The time of the verification, instead of the one in the context.
    pub created: Option<Timestamp>,
    /// Whether to do everything but write the attestation.
    pub dry_run: bool,
}

/// The outcome.
#[derive(Clone, Debug)]
pub struct AttestReport {
    /// The pack's id.
    pub pack_id: String,
    /// SHA-256 of its manifest.
    pub manifest_hash: Digest,
    /// Size of its manifest in bytes.
    pub manifest_bytes: u64,
    /// The absolute path of the attestation, or of the directory for it.
    pub output: PathBuf,
    /// Whether it was written. One with the same content stays as it is.
    pub is_new: bool,
    /// The type of what is stated.
    pub predicate_type: String,
    /// Number of its subjects.
    pub subjects: usize,
    /// The id of the key.
    pub key_id: String,
    /// The algorithm of the key.
    pub algorithm: &'static str,
}

/// Verifies a pack, and puts an attestation beside it. Without a predicate, the attestation says that the pack verified.
pub fn attest(ctx: &Context, request: &AttestRequest) -> Result<AttestReport> {
    let root = directory(ctx, &request.pack)?;
    let key = private_key(ctx, &request.key)?;
    let given = request.predicate.as_ref().map(|given| read_predicate(ctx, given));
    let given = given.transpose()?;
    let before = VerifiedPacks::print(&root);
    let source = Source::Directory(&root);
    let verdict = verify_source(&source)?;
    ensure_sound(&verdict, &request.pack)?;
    let id = Digest::parse_ref(&verdict.pack_id).ok_or_else(|| changed(&request.pack))?;
    let time = request.created.or(ctx.source_date_epoch);
    let (predicate_type, predicate) = match (given, &request.predicate) {
        (Some(predicate), Some(GivenPredicate { uri, .. })) => (uri.as_str(), predicate),
        _ => (VERIFICATION_SUMMARY, summary(&verdict, &id, time)),
    };
    let subjects = subjects(&source, &verdict, &id, request)?;
    let named = subjects.iter().map(|(name, digest)| (name.as_str(), *digest));
    let statement = Statement::write(named, predicate_type, &predicate);
    let public = key.public();
    let line = enveloped(&key, public.id(), statement).to_line();
    if line.len() as u64 > MAX_ATTACHMENT {
        let fault = SigningFault::TooLarge {
            allowed: MAX_ATTACHMENT,
            found: line.len() as u64,
        };
        return Err(refused(&request.pack, fault));
    }
    // What was verified is still there, and the same.
    if VerifiedPacks::print(&root) != before {
        return Err(Refusal::ChangedWhileRead {
            path: request.pack.clone(),
        });
    }
    let (output, is_new) = match request.dry_run {
        true => (attached_dir::beside(&root), true),
        false => attached_dir::add(&root, &id, AttachmentKind::Attestation, &line)?,
    };
    Ok(AttestReport {
        pack_id: verdict.pack_id,
        manifest_hash: verdict.manifest_hash,
        manifest_bytes: verdict.manifest_bytes,
        output,
        is_new,
        predicate_type: predicate_type.to_owned(),
        subjects: subjects.len(),
        key_id: public.id().to_owned(),
        algorithm: public.algorithm(),
    })
}

/// Returns the directory of the pack. An archive, or a pack at a place, has nothing beside it.
fn directory(ctx: &Context, pack: &Path) -> Result<PathBuf> {
    let root = ctx.cwd.join(pack);
    let is_address = pack.to_str().is_some_and(PlaceAddress::is_address);
    match is_address || is_archive(&root) {
        true => Err(refused(pack, SigningFault::NotADirectory)),
        // Nothing is written into the repository of another user, or into git's own directory.
        false => outside_of_git(ctx, &attached_dir::beside(&root)).map(|_| root),
    }
}

/// Reads the private key. Follows links and reads pipes, and refuses a file that others can read.
fn private_key(ctx: &Context, file: &Path) -> Result<AttestingKey> {
    let bytes = match read_secret(&ctx.cwd.join(file), MAX_KEY)? {
        None => return Err(refused(file, SigningFault::MissingKey)),
        Some(Err(fault)) => return Err(refused(file, SigningFault::Secret(fault))),
        Some(Ok(bytes)) => bytes,
    };
    AttestingKey::parse(&bytes, &shown_path(file), &ctx.ask).map_err(|fault| refused(file, SigningFault::Key(fault)))
}

/// Reads a predicate. A provenance must say what SLSA demands of one.
fn read_predicate(ctx: &Context, given: &GivenPredicate) -> Result<Map<String, Value>> {
    let unfit = |problem: String| refused(&given.file, SigningFault::Predicate { problem });
    let bytes = files::read_any(&ctx.cwd.join(&given.file), MAX_ATTACHMENT)?;
    ensure_typed_without_key(PublicText::PredicateType, &given.uri)?;
    ensure_without_key(PublicText::Predicate, &bytes)?;
    let value = parse_strict(&bytes).map_err(|why| unfit(why.to_string()))?;
    let Value::Object(predicate) = value else {
        return Err(unfit("it is not a JSON object".into()));
    };
    match slsa::lacking(&predicate).filter(|_| given.uri == PROVENANCE) {
        Some(field) => Err(unfit(format!("a provenance needs the field {field}"))),
        None => Ok(predicate),
    }
}

/// Returns the predicate that says that the pack verified.
fn summary(verdict: &Verdict, id: &Digest, time: Option<Timestamp>) -> Map<String, Value> {
    let registry = verdict.sealed.as_ref().map(|sealed| &sealed.registry_hash);
    slsa::verification_summary(id, registry, time)
}

/// Returns what the statement is about: the pack, and each of its members if that is wanted.
fn subjects(
    source: &Source<'_>,
    verdict: &Verdict,
    id: &Digest,
    request: &AttestRequest,
) -> Result<Vec<(String, Digest)>> {
    let mut subjects = vec![(verdict.pack_id.clone(), *id)];
    if request.members {
        let bytes = source.manifest_bytes()?;
        if Digest::of(&bytes) != verdict.manifest_hash {
            return Err(changed(&request.pack));
        }
        let manifest = ManifestDocument::parse(&bytes).map_err(|_| changed(&request.pack))?;
        for member in manifest.members.iter() {
            let hash = member.bytes_hash.digest().ok_or_else(|| changed(&request.pack))?;
            subjects.push((member.path.to_owned(), hash));
        }
    }
    Ok(subjects)
}

/// Signs a statement.
fn enveloped(key: &AttestingKey, key_id: &str, statement: Vec<u8>) -> Envelope {
    let signature = EnvelopeSignature {
        key_id: Some(key_id.to_owned()),
        bytes: key.sign(&signed_bytes(IN_TOTO, &statement)),
    };
    Envelope {
        payload_type: IN_TOTO.to_owned(),
        payload: statement,
        signatures: vec![signature],
    }
}

fn refused(path: &Path, fault: SigningFault) -> Refusal {
    Refusal::Signing {
        path: path.to_owned(),
        fault,
    }
}

fn changed(pack: &Path) -> Refusal {
    Refusal::BadPack {
        path: pack.to_owned(),
        fault: PackFault::Changed,
    }
}
