//! `git pack seal`: artifacts, or a commit's tree, become a pack whose id proves its content.

mod attach;
mod candidates;
mod collect;
mod copy;
mod emit;
mod encrypt;
mod evidence;
mod finalize;
mod guarded;
mod judged;
mod limits;
mod lite;
mod plan;
mod release;
mod reuse;
mod stage;
mod tree;

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::adapters::files;
use crate::adapters::git::{Commit, Repository};
use crate::adapters::pack_dir;
use crate::adapters::staging::{Access, Publish, Staging};
use crate::adapters::store::disk::Hold;
use crate::format::digest::Digest;
use crate::format::member_path::MANIFEST;
use crate::format::protected::{Format, Policy};
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::Mode;
use crate::format::timestamp::Timestamp;
use crate::format::tree_meta::Part;
use crate::format::witness::Input;
use crate::ops::Context;
use crate::ops::guard::known;
use crate::ops::pack::output::outside_of_git;
use crate::ops::pack::verify;
use crate::ops::store::run::Recorder;
use crate::refusal::{Refusal, Result};
use finalize::FinishedRun;
use plan::{ArtifactSource, Material, ProtectedArtifact, Ruled};
use reuse::Reusable;

/// What to seal, and how.
#[derive(Clone, Debug, Default)]
pub struct SealRequest {
    /// Files and directories; none means the tree of a commit.
    pub artifacts: Vec<PathBuf>,
    /// The commit of a tree pack; none means `HEAD`.
    pub rev: Option<String>,
    /// The scope of a tree pack; none means the default one.
    pub scope: Option<String>,
    /// Untracked artifacts to seal into a tree pack.
    pub attach: Vec<PathBuf>,
    /// Files that stand in the clear although they hold a private key, or only claim to be sealed.
    pub plaintext: Vec<PathBuf>,
    /// Recipients instead of the configured ones.
    pub recipients: Vec<String>,
    /// What a tree pack is made of, sorted, instead of what the configuration says.
    pub emit: Option<Vec<Part>>,
    /// What stays in the clear.
    pub mode: Mode,
    /// How much the seals tell of what they hold.
    pub privacy: Privacy,
    /// Whether everything is encrypted anew, instead of keeping earlier ciphertexts.
    pub fresh: bool,
    /// A pack whose ciphertexts are kept where they hold the same.
    pub reuse: Option<PathBuf>,
    /// Identity files that open it, instead of the one in force.
    pub identities: Vec<PathBuf>,
    /// Files that name recipients, beside them.
    pub recipients_files: Vec<PathBuf>,
    /// The output directory instead of the default one.
    pub output: Option<PathBuf>,
    /// Whether another pack at the output is swapped for this one.
    pub replace: bool,
    /// A note for the manifest.
    pub note: Option<String>,
    /// The time for the manifest.
    pub created: Option<Timestamp>,
}

/// How much the seals tell of what they hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privacy {
    /// Names are sealed too.
    pub opaque_names: bool,
    /// Sizes are rounded up.
    pub pad: bool,
}

/// What was sealed.
#[derive(Debug)]
pub struct SealReport {
    /// The pack's id.
    pub pack_id: Digest,
    /// Where it stands, absolute.
    pub output: PathBuf,
    /// Whether it stood there already, whole.
    pub existed: bool,
    /// The commit of a tree pack, and the branch if it is that of `HEAD`.
    pub commit: Option<(Commit, Option<String>)>,
    /// Number of files in the clear that are not the pack's own documents.
    pub plain_files: u64,
    /// Their bytes.
    pub plain_bytes: u64,
    /// Number of sealed artifacts.
    pub sealed: u64,
    /// How many of them kept an earlier ciphertext.
    pub reused: u64,
    /// How many of these are those of another pack, so that it is not known for whom they are.
    pub taken_over: u64,
    /// Number of recipients they were sealed for.
    pub recipients: usize,
    /// Number of members.
    pub members: u64,
    /// The artifacts of an evidence pack; of those that were sealed, no hash is known to anybody else.
    pub inputs: Vec<Input>,
    /// What somebody should know.
    pub notices: Vec<Notice>,
}

/// Something worth a line on stderr, which changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The work tree's configuration is not the one of the sealed commit, which was used.
    ConfigDiffers {
        /// The commit, shortened.
        commit: String,
    },
    /// There is no registry here; the built-in one would have protected this artifact.
    Unprotected {
        /// The artifact.
        path: String,
        /// The class that it would have.
        class: String,
    },
    /// This file of the commit stands in the clear because somebody named it, against the rules of the commit.
    Released {
        /// Its path.
        path: String,
    },
    /// Nothing that was named is protected, so that nothing was sealed although a flag says how.
    NothingSealed {
        /// The flag.
        flag: &'static str,
    },
    /// A file that was to be attached is in the commit, and so in the pack already.
    AttachTracked {
        /// Its path.
        path: String,
    },
    /// The configuration attaches files, and a bare repository has none.
    NowhereToAttach,
    /// What is to be read first is no text in this pack.
    NoAnchor {
        /// Its path.
        path: String,
    },
    /// Two members whose names are one on a file system that folds case.
    SameButForCase {
        /// Both names.
        paths: [String; 2],
    },
}

impl SealRequest {
    /// Returns a flag that was given and says how to seal.
    fn sealing_flag(&self) -> Option<&'static str> {
        let flags = [
            ("--recipient", !self.recipients.is_empty()),
            ("--recipients-file", !self.recipients_files.is_empty()),
            ("--opaque-names", self.privacy.opaque_names),
            ("--pad", self.privacy.pad),
            ("--fresh", self.fresh),
            ("--reuse", self.reuse.is_some()),
            ("--mode internal", self.mode == Mode::Internal),
        ];
        flags.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
    }
}

/// Seals; either the whole pack stands at its output afterwards, or nothing was left behind.
pub fn seal(ctx: &Context, request: &SealRequest) -> Result<SealReport> {
    if let Some(output) = &request.output {
        check_output(&ctx.cwd.join(output), request.replace)?;
        outside_of_git(ctx, output)?;
    }
    let mut plan = match request.artifacts.is_empty() {
        true => tree::tree_pack(ctx, request)?,
        false => evidence::evidence_pack(ctx, request)?,
    };
    let base = match (&request.output, &plan.default_directory) {
        (Some(output), _) => ctx.cwd.join(output),
        (None, Some(directory)) => {
            // Where it goes if nobody says so is not for a link to say.
            files::ensure_is_no_link(directory)?;
            directory.join("x")
        }
        (None, None) => {
            return Err(Refusal::usage(
                "a bare repository has no default output: name one with --output",
            ));
        }
    };
    let store = plan.ruled().map(|ruled| ruled.repo.private().seals());
    let _lock = match &store {
        Some(store) if plan.sealing().is_some() => Some(store.lock()?),
        _ => None,
    };
    let reusable = match (&request.reuse, plan.sealing()) {
        (Some(pack), Some((_, sealing))) => Some(Reusable::of(ctx, pack, &request.identities, &sealing.recipients)?),
        _ => None,
    };
    let staging = Staging::beside(&base, Access::Shared)?;
    let staged = stage::stage(&staging, &plan, reusable.as_ref())?;
    let finished = finalize::finalize(ctx, request, &staging, &mut plan, staged)?;

    let output = match &request.output {
        Some(output) => ctx.cwd.join(output),
        None => base.with_file_name(&finished.directory_name),
    };
    let mut report = finished.report;
    report.output = output.clone();
    let stands = request.output.is_none() && stands_whole(&output, &report.pack_id);
    if !stands {
        // What is refused leaves no run.
        check_output(&output, request.replace)?;
    }
    if let Some(store) = store.as_ref().filter(|_| !stands) {
        for (receipt, path) in &finished.receipts {
            store.put(receipt, path)?;
        }
    }
    // Also where the pack stands already: its run may be gone, or may have lost what it needs.
    let _held = match (&plan.material, &finished.run) {
        (Material::Tree(tree), Some(run)) => Some(record(&tree.ruled.repo, tree.commit, run)?),
        _ => None,
    };
    if let Some(ruled) = plan.ruled() {
        remember(ruled);
    }
    if stands {
        report.existed = true;
        return Ok(report);
    }
    match publish(staging, &output, request.replace) {
        // Another process was faster, and made the same pack.
        Err(Refusal::OutputExists { .. }) if request.output.is_none() && stands_whole(&output, &report.pack_id) => {
            report.existed = true;
        }
        other => other?,
    }
    Ok(report)
}

/// Has the clone know what was sealed by its content, so that no copy of it gets past the guard under another name.
fn remember(ruled: &Ruled) {
    let root = ruled.repo.work_tree();
    let artifacts = ruled.sealing.iter().flat_map(|sealing| &sealing.artifacts);
    let sealed = artifacts.filter_map(|artifact| to_be_known(artifact, root.as_deref()));
    known::remember(&ruled.repo, &ruled.registry, sealed.collect());
}

/// Returns what an artifact is to be known by; none if it holds a private key, or may be published some day.
fn to_be_known(artifact: &ProtectedArtifact, root: Option<&Path>) -> Option<known::Protected> {
    let whole = artifact.policy == Policy::Never && !artifact.formats.contains(&Format::PrivateKey);
    let below = |file: &Path| {
        let file = files::canonical(file).ok()?;
        let path = file.strip_prefix(root?).ok()?;
        Some(RepoPath::new(path.as_os_str().as_bytes()))
    };
    let named = || RepoPath::new(artifact.path.as_str().as_bytes());
    let (path, source, attached) = match &artifact.source {
        // The rules say nothing of what lies outside of the work tree.
        ArtifactSource::File(file, _) => match below(file) {
            Some(path) => (path, known::Source::File(file.clone()), artifact.attached),
            None => (named(), known::Source::File(file.clone()), true),
        },
        ArtifactSource::Blob(id) => (named(), known::Source::Blob(*id), artifact.attached),
        ArtifactSource::Bytes(_) => return None,
    };
    whole.then(|| known::Protected {
        path,
        source,
        formats: artifact.formats.clone(),
        attached,
    })
}

/// Records the run of a tree pack; nothing is collected while the returned file is held.
fn record(repo: &Repository, commit: Commit, run: &FinishedRun) -> Result<impl Sized + use<>> {
    let (runs, store) = (repo.private().runs(), repo.private().store());
    let lock = store.lock(Hold::Shared)?;
    repo.private().digests().keep(&run.hashed, |_| false);
    let recorder = Recorder {
        repo,
        runs: &runs,
        store: &store,
        commit,
    };
    recorder.record(&run.records)?;
    Ok(lock)
}

/// Refuses early what [`publish`] would refuse late.
pub(super) fn check_output(output: &Path, replace: bool) -> Result<()> {
    if !files::exists(output) || files::is_empty_directory(output) {
        return Ok(());
    }
    let replaceable = is_replaceable(output);
    match replace && replaceable {
        true => Ok(()),
        false => Err(Refusal::OutputExists {
            path: output.to_owned(),
            replaceable: replaceable && !replace,
        }),
    }
}

/// Puts a finished pack at its output: where nothing is or, if it is to replace one, in the place of another pack.
pub(super) fn publish(staging: Staging, output: &Path, replace: bool) -> Result<()> {
    check_output(output, replace)?;
    let how = match files::exists(output) && !files::is_empty_directory(output) {
        true => Publish::Replace,
        false => Publish::New,
    };
    staging.publish(output, how)
}

/// Only a pack may be swapped out, and only if nothing lies in it that it does not declare: that is somebody's work.
fn is_replaceable(output: &Path) -> bool {
    let Some(manifest) = pack_dir::manifest(output).ok().filter(|_| files::is_directory(output)) else {
        return false;
    };
    let declared: BTreeSet<&[u8]> = manifest.members.iter().map(|member| member.path.as_bytes()).collect();
    let mut found = files::walk(output, |_| true).into_iter().map(|(path, _)| path);
    found.all(|path| path == MANIFEST.as_bytes() || declared.contains(path.as_slice()))
}

fn stands_whole(output: &Path, pack_id: &Digest) -> bool {
    files::is_directory(output)
        && verify::verify_directory(output)
            .is_ok_and(|report| report.findings.is_empty() && report.pack_id == pack_id.to_string())
}
