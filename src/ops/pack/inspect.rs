//! `git pack inspect`: lists the content of a pack without judging it.

use std::path::Path;

use crate::adapters::pack_dir;
use crate::format::attachment::AttachmentKind;
use crate::format::canonical_json::parse_strict_into;
use crate::format::digest::Digest;
use crate::format::repo_state::RepoState;
use crate::format::sshsig::SshSignature;
use crate::format::tree_meta::{PACK_INFO, PackInfo, REPO_STATE};
use crate::ops::Context;
use crate::ops::pack::attestations::{AttestationKeys, found};
use crate::ops::pack::given::GivenPack;
use crate::ops::pack::source::Source;
use crate::refusal::Result;
use crate::rules::pack::attestations::FoundAttestation;
use crate::rules::pack::places::in_sealed;

/// The declarations of a pack.
#[derive(Debug)]
pub struct InspectReport {
    /// The declared id.
    pub pack_id: String,
    /// The declared time.
    pub created: String,
    /// The declared note.
    pub note: Option<String>,
    /// The release that made it.
    pub tool_version: String,
    /// The members, in the order declared.
    pub members: Vec<InspectedMember>,
    /// Whether a member without a size is missing. Who holds a pack elsewhere need not tell sizes.
    pub sizes_are_known: bool,
    /// Its origin.
    pub info: Option<PackInfo>,
    /// The digest of its repository state.
    pub state: Option<Digest>,
    /// The signatures that are attached to it. They are not checked here.
    pub signatures: Vec<InspectedSignature>,
    /// What stands beside it as attestations. Nothing of it was checked.
    pub attestations: Vec<FoundAttestation>,
}

/// A signature that is attached to a pack.
#[derive(Debug)]
pub struct InspectedSignature {
    /// The name of its file, or where a place has it.
    pub name: String,
    /// The type of the key that it says made it. `None` if it is not a signature.
    pub key_type: Option<String>,
}

/// A member.
#[derive(Debug)]
pub struct InspectedMember {
    /// Its path.
    pub path: String,
    /// Its type.
    pub kind: String,
    /// Its version.
    pub artifact_version: Option<String>,
    /// Its declared hash.
    pub bytes_hash: String,
    /// Its size in bytes; none if it is not a regular file.
    pub size: Option<u64>,
    /// Whether it is sealed.
    pub sealed: bool,
}

/// Reads a pack's manifest, its documents, and the attestations beside it.
pub fn inspect(ctx: &Context, path: &Path) -> Result<InspectReport> {
    let given = GivenPack::of(ctx, path)?;
    let source = given.source();
    let mut report = inspect_source(&source)?;
    if let Some(id) = Digest::parse_ref(&report.pack_id) {
        report.attestations = found(&source.attached(&id)?, &AttestationKeys::default());
    }
    Ok(report)
}

/// Reads a pack's manifest and documents from where it is.
pub fn inspect_source(source: &Source<'_>) -> Result<InspectReport> {
    let manifest = source.manifest()?;
    let members = manifest
        .members
        .iter()
        .map(|member| InspectedMember {
            size: source.size(member.path),
            sealed: in_sealed(member.path),
            path: member.path.to_owned(),
            kind: member.kind.to_owned(),
            artifact_version: member.artifact_version.map(str::to_owned),
            bytes_hash: member.bytes_hash.to_string(),
        })
        .collect();
    let attached = source.attached(&manifest.computed_id)?.files.into_iter();
    let signatures = attached
        .filter(|file| file.kind == AttachmentKind::Signature)
        .map(|file| InspectedSignature {
            key_type: SshSignature::parse(&file.bytes).ok().map(|parsed| parsed.key_type),
            name: file.name,
        });
    let read = |path: &str| source.read(path, pack_dir::MAX_DOCUMENT);
    Ok(InspectReport {
        pack_id: manifest.pack_id,
        created: manifest.created,
        note: manifest.note,
        tool_version: manifest.tool_version,
        members,
        sizes_are_known: source.directory().is_some(),
        info: read(PACK_INFO).and_then(|bytes| parse_strict_into(&bytes).ok()),
        state: read(REPO_STATE)
            .and_then(|bytes| parse_strict_into::<RepoState>(&bytes).ok())
            .map(|state| state.digest()),
        signatures: signatures.collect(),
        attestations: Vec::new(),
    })
}
