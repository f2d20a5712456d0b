//! `git pack verify`: verifies a pack by itself and against a commit.

mod against;
mod ends;
mod joined;
mod look;
mod observe;
mod opening;

use std::path::{Path, PathBuf};

use crate::adapters::cipher::Identities;
use crate::adapters::git::Repository;
use crate::format::object_id::ObjectId;
use crate::format::tree_meta::REPO_STATE;
use crate::ops::Context;
use crate::ops::contents::BUDGET;
use crate::ops::keys::identity;
use crate::ops::pack::attestations::{self, AttestationKeys};
use crate::ops::pack::given::GivenPack;
use crate::ops::pack::signatures::{SignaturesReport, SignerRequest, check_signatures};
use crate::ops::pack::source::Source;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::content::UnpackBudget;
use crate::rules::pack::attestations::JudgedAttestation;
use crate::rules::pack::verdict::Verdict;
use crate::rules::pack::{judge, judge_partial};
use observe::observe;
use opening::open_seals;

/// The result of verifying a pack.
pub struct VerifyReport {
    /// The verdict on the pack.
    pub verdict: Verdict,
    /// The commit that it was compared with, if any.
    pub compared_with: Option<ObjectId>,
    /// Whether its seals were opened as well.
    pub opened: bool,
    /// Number of members that are there, if some are not and that was allowed.
    pub seen: Option<usize>,
    /// Its signatures.
    pub signatures: SignaturesReport,
    /// The attestations beside it.
    pub attestations: Vec<JudgedAttestation>,
}

impl VerifyReport {
    /// Returns the outcome as one word.
    pub fn outcome(&self) -> &'static str {
        match (self.verdict.findings.is_empty(), self.seen) {
            (false, _) => "INVALID",
            (true, None) => "OK",
            (true, Some(_)) => "PARTIAL",
        }
    }
}

/// The options of `verify`.
#[derive(Clone, Debug, Default)]
pub struct VerifyRequest {
    /// The pack: a directory, an archive, or a pack at a place.
    pub pack: PathBuf,
    /// A commit of the repository at the context's directory to compare with.
    pub rev: Option<String>,
    /// Identity files. If there are any, every seal is opened and its content is discarded.
    pub identities: Vec<PathBuf>,
    /// Whether members may be missing.
    pub partial: bool,
    /// Who must have signed, and who may.
    pub signers: SignerRequest,
    /// Files with public keys. Each must have attested the pack.
    pub attestation_keys: Vec<PathBuf>,
}

/// Verifies a pack.
pub fn verify(ctx: &Context, request: &VerifyRequest) -> Result<VerifyReport> {
    let verifying = Verifying::prepared(ctx, request)?;
    let given = GivenPack::of(ctx, &request.pack)?;
    verifying.run(&given.source())
}

/// A request with the keys that it names.
pub struct Verifying<'a> {
    ctx: &'a Context,
    request: &'a VerifyRequest,
    keys: AttestationKeys,
    identities: Option<Identities>,
}

impl<'a> Verifying<'a> {
    /// Reads the keys, so that unusable ones are refused before anything else is read.
    pub fn prepared(ctx: &'a Context, request: &'a VerifyRequest) -> Result<Self> {
        let keys = AttestationKeys::read(ctx, &request.attestation_keys)?;
        let identities = match request.identities.is_empty() {
            true => None,
            false => Some(identity::load(ctx, &request.identities)?),
        };
        Ok(Self {
            ctx,
            request,
            keys,
            identities,
        })
    }

    /// Verifies the pack of the request, which `source` holds.
    pub fn run(&self, source: &Source<'_>) -> Result<VerifyReport> {
        let mut report = judged(self.ctx, self.request, source, self.identities.as_ref())?;
        report.attestations = attestations::check(source, &self.keys, &mut report.verdict)?;
        Ok(report)
    }
}

/// Judges the pack itself.
fn judged(
    ctx: &Context,
    request: &VerifyRequest,
    source: &Source<'_>,
    identities: Option<&Identities>,
) -> Result<VerifyReport> {
    let observed = observe(source, &UnpackBudget::of(BUDGET))?;
    if request.partial && !observed.is_complete() {
        let (mut verdict, seen) = judge_partial(observed);
        let signatures = check_signatures(ctx, source, &request.signers, None, &mut verdict)?;
        return Ok(VerifyReport {
            verdict,
            compared_with: None,
            opened: false,
            seen: Some(seen),
            signatures,
            attestations: Vec::new(),
        });
    }
    let (mut verdict, pack) = judge(observed);
    let repo = match request.rev {
        Some(_) => Some(ctx.repository_to_read()?),
        None => None,
    };
    let mut compared_with = None;
    let mut commit = None;
    if let (Some(repo), Some(rev)) = (&repo, &request.rev) {
        let Some(pack) = pack else {
            return Err(Refusal::Usage(Misuse::NoState {
                pack: request.pack.clone(),
                document: REPO_STATE,
            }));
        };
        let id = against::compare(repo, rev, source.directory(), &pack, &mut verdict)?;
        commit = Some((repo, repo.commit_of(&id)?));
        compared_with = Some(id);
    }
    let commit = commit.as_ref().map(|(repo, commit)| (*repo, commit));
    let signatures = check_signatures(ctx, source, &request.signers, commit, &mut verdict)?;
    if let Some(identities) = identities {
        open_seals(source, identities, &mut verdict)?;
    }
    Ok(VerifyReport {
        verdict,
        compared_with,
        opened: identities.is_some(),
        seen: None,
        signatures,
        attestations: Vec::new(),
    })
}

/// Verifies a pack in a directory by itself.
pub fn verify_directory(root: &Path) -> Result<Verdict> {
    verify_source(&Source::Directory(root))
}

/// Verifies a pack by itself.
pub fn verify_source(source: &Source<'_>) -> Result<Verdict> {
    let observed = observe(source, &UnpackBudget::of(BUDGET))?;
    Ok(judge(observed).0)
}

/// Verifies the members of a pack that are there, by the manifest. The documents are not judged, since they are about
/// all members.
pub fn verify_partial(source: &Source<'_>) -> Result<Verdict> {
    Ok(judge_partial(observe(source, &UnpackBudget::of(BUDGET))?).0)
}

/// Verifies a pack. If it states a commit for which `is_pushed` returns true, it is also compared with that commit.
pub fn verify_for_push(
    repo: &Repository,
    source: &Source<'_>,
    budget: &UnpackBudget,
    is_pushed: impl Fn(&ObjectId) -> bool,
) -> Result<Verdict> {
    let (mut verdict, pack) = judge(observe(source, budget)?);
    if let Some(pack) = &pack
        && let Some(info) = &pack.info
        && let Some(commit) = ObjectId::parse(&info.commit)
        && is_pushed(&commit)
    {
        against::compare(repo, &info.commit, None, pack, &mut verdict)?;
    }
    Ok(verdict)
}
