//! `git pack push`: sends a pack to a place.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use crate::adapters::place::{Outgoing, OutgoingMember, PackPlace, Progress, Sent, SentWithFiles};
use crate::format::digest::Digest;
use crate::format::member_path::MANIFEST;
use crate::format::repo_state::Mode;
use crate::ops::Context;
use crate::ops::pack::given::GivenPack;
use crate::ops::pack::sealed_pack::ensure_sound;
use crate::ops::pack::source::Source;
use crate::ops::pack::verify::verify_source;
use crate::ops::share::attached;
use crate::ops::share::place::{self, ReachRequest};
use crate::ops::share::publication;
use crate::ops::share::visibility;
use crate::refusal::transport::TransportFault;
use crate::refusal::{Refusal, Result};
use crate::rules::pack::verdict::Verdict;

/// What to send, and where to.
#[derive(Clone, Debug, Default)]
pub struct PushRequest {
    /// The pack: a directory, an archive, or a pack at another place.
    pub pack: PathBuf,
    /// The place instead of the configured one.
    pub destination: Option<String>,
    /// How it is reached.
    pub reach: ReachRequest,
    /// Whether to send nothing.
    pub dry_run: bool,
}

/// The outcome.
#[derive(Clone, Debug)]
pub struct PushReport {
    /// The pack's id.
    pub pack_id: Digest,
    /// The place, without secrets.
    pub place: String,
    /// SHA-256 of its manifest.
    pub manifest_hash: Digest,
    /// Size of its manifest in bytes.
    pub manifest_bytes: u64,
    /// Number of its members.
    pub members: usize,
    /// Number of contents that were sent, or the most that would be.
    pub sent: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// The signatures and attestations.
    pub attached: SentAttached,
}

/// What became of the files that are attached to a pack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SentAttached {
    /// Number of files that the place has now.
    pub there: usize,
    /// Number of those that were sent.
    pub sent: u64,
    /// Number of files that the place cannot keep.
    pub unsent: usize,
    /// What is beside the pack and was not sent, each with the reason.
    pub left_out: Vec<String>,
}

/// Verifies a pack, sends what the place does not have, and publishes it.
pub fn push(ctx: &Context, request: &PushRequest, told: &dyn Progress) -> Result<PushReport> {
    let address = place::named_or_default(ctx, request.destination.as_deref())?;
    let given = GivenPack::of_run(ctx, &request.pack, request.dry_run)?;
    let source = given.source();
    let verdict = verify_source(&source)?;
    ensure_sound(&verdict, &request.pack)?;
    if mode_of(&verdict) == Mode::Internal && !visibility::is_private(ctx, &address.place)? {
        return Err(Refusal::InternalPack {
            path: request.pack.clone(),
            place: address.place.to_string(),
        });
    }
    let manifest = source.manifest_bytes()?;
    if Digest::of(&manifest) != verdict.manifest_hash {
        return Err(Refusal::ChangedWhileRead {
            path: request.pack.clone(),
        });
    }
    let pack_id = Digest::parse_ref(&verdict.pack_id).ok_or_else(|| Refusal::ChangedWhileRead {
        path: request.pack.clone(),
    })?;
    let place = place::open(ctx, &address.place, &request.reach)?;
    let open = |path: &str| -> Result<Box<dyn Read + Send>> {
        match path {
            MANIFEST => Ok(Box::new(std::io::Cursor::new(manifest.clone()))),
            path => source.reader(path),
        }
    };
    let outgoing = Outgoing {
        pack_id,
        manifest: &manifest,
        members: members(&source, &manifest)?,
        labels: labels(&source, &verdict)?,
        tag: match address.which {
            Some(crate::format::destination::Which::Tag(tag)) => Some(tag),
            _ => None,
        },
        open: &open,
    };
    // What cannot be read is found before anything is sent.
    let (files, left_out) = attached::to_send(ctx, &source, &pack_id)?;
    let sent = match request.dry_run {
        true => SentWithFiles {
            pack: unsent(&*place, &outgoing)?,
            files: Some(0),
        },
        false => place.publish_with(&outgoing, &files, told)?,
    };
    let mut attached = SentAttached {
        left_out,
        ..SentAttached::default()
    };
    match sent.files {
        Some(sent) => (attached.there, attached.sent) = (files.len(), sent),
        None => attached.unsent = files.len(),
    }
    if let Some(state) = verdict.state.as_ref().filter(|_| !request.dry_run) {
        publication::note(ctx, &address.place.to_string(), &pack_id, state, mode_of(&verdict));
    }
    Ok(PushReport {
        pack_id,
        place: place.shown(),
        manifest_hash: verdict.manifest_hash,
        manifest_bytes: verdict.manifest_bytes,
        members: verdict.members,
        sent: sent.pack.contents,
        bytes: sent.pack.bytes,
        attached,
    })
}

/// Returns the most that would be sent: nothing, if the place lists the pack.
fn unsent(place: &dyn PackPlace, outgoing: &Outgoing<'_>) -> Result<Sent> {
    let listed = match place.packs() {
        Ok(packs) => packs.iter().any(|pack| pack.pack_id == outgoing.pack_id),
        // A place comes to be by the first pack there, and some cannot list packs.
        Err(Refusal::Transport {
            fault: TransportFault::NotFound { .. } | TransportFault::Impossible { .. },
            ..
        }) => false,
        Err(refused) => return Err(refused),
    };
    if listed {
        return Ok(Sent::default());
    }
    let contents: BTreeMap<Digest, u64> = outgoing
        .members
        .iter()
        .map(|member| (member.hash, member.size))
        .collect();
    Ok(Sent {
        contents: contents.len() as u64,
        bytes: contents.values().sum(),
    })
}

/// Returns the mode of a sound pack. An internal one always declares it.
fn mode_of(verdict: &Verdict) -> Mode {
    verdict.sealed.as_ref().map_or(Mode::Public, |sealed| sealed.mode)
}

/// Returns the files of a pack, its manifest included.
fn members(source: &Source<'_>, manifest: &[u8]) -> Result<Vec<OutgoingMember>> {
    let document = source.manifest()?;
    let mut members = vec![OutgoingMember {
        path: MANIFEST.to_owned(),
        hash: Digest::of(manifest),
        size: manifest.len() as u64,
    }];
    for member in document.members.iter() {
        let changed = || Refusal::ChangedWhileRead {
            path: member.path.into(),
        };
        members.push(OutgoingMember {
            hash: member.bytes_hash.digest().ok_or_else(changed)?,
            size: source.size(member.path).ok_or_else(changed)?,
            path: member.path.to_owned(),
        });
    }
    members.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(members)
}

/// Returns what a list of packs may show of this one, by the annotations of the OCI image specification.
fn labels(source: &Source<'_>, verdict: &Verdict) -> Result<Vec<(&'static str, String)>> {
    let mut labels = vec![
        ("org.opencontainers.image.created", source.manifest()?.created),
        ("vnd.gitpack.pack.id", verdict.pack_id.clone()),
    ];
    if let Some(state) = &verdict.state {
        labels.push(("vnd.gitpack.state", state.digest.to_string()));
        labels.push(("vnd.gitpack.scope", state.scope.clone()));
        labels.extend(
            state
                .commit
                .clone()
                .map(|commit| ("org.opencontainers.image.revision", commit)),
        );
    }
    Ok(labels)
}
