//! `git pack report`: gathers what a page says about a pack or a commit, and writes the page in one step.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::adapters::cipher;
use crate::adapters::files::{self, Over};
use crate::format::digest::Digest;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::{EntryKind, Mode, StateReport, TreeEntry};
use crate::ops::Context;
use crate::ops::configuration;
use crate::ops::keys::recipients;
use crate::ops::pack::diff::{DiffReport, diff_sources};
use crate::ops::pack::given::GivenPack;
use crate::ops::pack::inspect::{InspectReport, inspect_source};
use crate::ops::pack::output::OutputPlace;
use crate::ops::pack::signatures::SignerRequest;
use crate::ops::pack::source::Source;
use crate::ops::pack::verify::{VerifyReport, VerifyRequest, Verifying};
use crate::ops::protection::PackJudge;
use crate::ops::state::{StateRequest, state_in};
use crate::refusal::{Refusal, Result};
use crate::rules::scan::{Leak, SealState};
use crate::rules::twins::plain_of;

/// How each page begins. Only a file that begins so is replaced.
pub const BEGINNING: &str = "<!DOCTYPE html>\n<html lang=\"en\" data-page=\"git-pack-report\">";

/// What to report on, and where to.
#[derive(Clone, Debug)]
pub struct ReportRequest {
    /// The pack or the commit.
    pub subject: ReportSubject,
    /// The new file.
    pub output: PathBuf,
    /// Whether a page at the output is replaced.
    pub replace: bool,
    /// Whether the page is made, but not written.
    pub dry_run: bool,
}

/// What a page is about.
#[derive(Clone, Debug)]
pub enum ReportSubject {
    /// A pack.
    Pack {
        /// How to verify it.
        verify: Box<VerifyRequest>,
        /// An older pack to compare it with.
        against: Option<PathBuf>,
    },
    /// A commit of the repository at the context's directory.
    Commit {
        /// The revision.
        rev: String,
        /// The scope; none means the default one.
        scope: Option<String>,
    },
}

impl ReportSubject {
    /// Returns the request for a page about a pack. Its signers are those that the request names, whatever the machine has
    /// configured: one pack has one page.
    pub fn pack(pack: PathBuf, signers: SignerRequest, keys: Vec<PathBuf>, against: Option<PathBuf>) -> Self {
        let signers = SignerRequest {
            only_named: true,
            ..signers
        };
        let verify = VerifyRequest {
            pack,
            signers,
            attestation_keys: keys,
            ..VerifyRequest::default()
        };
        Self::Pack {
            verify: Box::new(verify),
            against,
        }
    }
}

/// What a page says.
pub enum ReportFacts {
    /// Of a pack.
    Pack(Box<ReportedPack>),
    /// Of a commit.
    Commit(Box<ReportedCommit>),
}

/// What a page says of a pack.
pub struct ReportedPack {
    /// Its declarations.
    pub declared: InspectReport,
    /// The verdict on it.
    pub verified: VerifyReport,
    /// The members that are age files in the place of plaintexts, such as tracked twins.
    pub age_files: BTreeSet<String>,
    /// What changed since an older pack, if one was named.
    pub difference: Option<DiffReport>,
}

/// What a page says of a commit.
pub struct ReportedCommit {
    /// Its state.
    pub state: StateReport,
    /// The title of the scope.
    pub title: String,
    /// The number of recipients in its configuration, or why they cannot be read.
    pub recipients: Result<usize>,
    /// The files of the scope, sorted bytewise by path.
    pub files: Vec<ReportedFile>,
}

/// A file of a commit.
pub struct ReportedFile {
    /// Its path.
    pub path: RepoPath,
    /// Its kind.
    pub kind: EntryKind,
    /// Size of its content in bytes.
    pub size: u64,
    /// Why a public pack does not hold it in the clear, if so.
    pub leak: Option<Leak>,
    /// Whether it is an age file.
    pub sealed: bool,
}

/// The page that was written, or that a dry run would write.
pub struct WrittenReport {
    /// What it says.
    pub reported: ReportFacts,
    /// Its absolute path.
    pub output: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Reports on a pack or a commit. `page` makes the page, which is written whole or not at all.
pub fn report(
    ctx: &Context,
    request: &ReportRequest,
    page: impl FnOnce(&ReportFacts) -> Vec<u8>,
) -> Result<WrittenReport> {
    let output = OutputPlace::file(ctx, &request.output)?;
    let over = output.over(request.replace, is_report)?;
    let reported = match &request.subject {
        ReportSubject::Pack { verify, against } => {
            ReportFacts::Pack(Box::new(on_pack(ctx, request, verify, against.as_deref(), &output)?))
        }
        ReportSubject::Commit { rev, scope } => ReportFacts::Commit(Box::new(on_commit(ctx, rev, scope.as_deref())?)),
    };
    let bytes = page(&reported);
    if !request.dry_run {
        let mut file = files::unnamed_beside(&output.path, 0o666)?;
        file.write_all(&bytes).map_err(Refusal::io("writing", &output.path))?;
        match over {
            Over::Anything => files::place_unnamed(file, &output.path, 0o666)?,
            Over::Nothing => files::place_new_unnamed(file, &output.path, 0o666)?,
        }
    }
    Ok(WrittenReport {
        reported,
        output: output.path,
        bytes: bytes.len() as u64,
    })
}

/// Returns whether a regular file at `path` begins like a page of ours. Links are not followed.
fn is_report(path: &Path) -> bool {
    let Ok(opened) = files::open_regular(path) else {
        return false;
    };
    let mut start = Vec::new();
    let read = (&opened.file).take(BEGINNING.len() as u64).read_to_end(&mut start);
    read.is_ok() && start == BEGINNING.as_bytes()
}

fn on_pack(
    ctx: &Context,
    asked: &ReportRequest,
    request: &VerifyRequest,
    against: Option<&Path>,
    output: &OutputPlace,
) -> Result<ReportedPack> {
    let verifying = Verifying::prepared(ctx, request)?;
    let named = |name: &Path| GivenPack::of_run(ctx, name, asked.dry_run);
    let given = named(&request.pack)?;
    let older = against.map(named).transpose()?;
    let verified = verifying.run(&given.source())?;
    for source in [Some(given.source()), older.as_ref().map(GivenPack::source)]
        .iter()
        .flatten()
    {
        source.directory().map_or(Ok(()), |root| output.ensure_outside(root))?;
    }
    let declared = inspect_source(&given.source())?;
    let age_files = age_files(&given.source(), &declared);
    let difference = match &older {
        Some(older) => Some(diff_sources(&[older.source(), given.source()])?),
        None => None,
    };
    // All of the page is about the manifest that was verified.
    if Digest::of(&given.source().manifest_bytes()?) != verified.verdict.manifest_hash {
        return Err(Refusal::ChangedWhileRead {
            path: request.pack.clone(),
        });
    }
    Ok(ReportedPack {
        declared,
        verified,
        age_files,
        difference,
    })
}

/// Returns the members outside of the place of seals that have the name of an age file, and are one.
fn age_files(source: &Source<'_>, declared: &InspectReport) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let named = declared
        .members
        .iter()
        .filter(|member| !member.sealed && member.size.is_some() && plain_of(member.path.as_bytes()).is_some());
    for member in named {
        let mut is_whole = false;
        let read = source.member(&member.path, &mut |content, _| {
            is_whole = cipher::examine_seal(content)?.is_ok();
            Ok(())
        });
        // What cannot be read is no age file. The verdict says why.
        if is_whole && read.is_ok() {
            found.insert(member.path.clone());
        }
    }
    found
}

fn on_commit(ctx: &Context, rev: &str, scope: Option<&str>) -> Result<ReportedCommit> {
    let repo = ctx.repository_to_read()?;
    let request = StateRequest {
        rev: Some(rev.to_owned()),
        scope: scope.map(str::to_owned),
        ..StateRequest::default()
    };
    let state = state_in(&repo, &request)?;
    let loaded = configuration::in_commit(&repo, &state.commit)?;
    let registry = loaded.registry()?;
    let entries: Vec<TreeEntry> = state.entries.iter().map(|entry| entry.entry.clone()).collect();
    let judge = PackJudge::of(&repo, &entries, Mode::Public)?;
    let files = state.entries.iter().map(|file| {
        let (seen, leak) = judge.judge(&registry, &file.entry);
        ReportedFile {
            path: file.entry.path.clone(),
            kind: file.entry.kind,
            size: file.size,
            leak,
            sealed: seen.traits.seal == SealState::Whole,
        }
    });
    Ok(ReportedCommit {
        files: files.collect(),
        recipients: recipients::named(&loaded).map(|named| named.len()),
        title: state.title.clone(),
        state: state.report(),
    })
}
