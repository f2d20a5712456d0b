//! `git pack seal`: makes a pack of artifacts, or of a commit's tree. The pack's id proves its content.

mod attach;
mod candidates;
mod chunks;
mod collect;
mod copy;
mod emit;
mod encrypt;
mod evidence;
mod finalize;
mod guarded;
mod judged;
mod leaks;
mod limits;
mod lite;
mod load;
mod plan;
pub mod preview;
mod release;
mod remembered;
mod reuse;
mod stage;
mod staged;
mod standing;
mod stream;
mod texts;
mod tree;
mod unkept;

use std::path::{Path, PathBuf};

use crate::adapters::files;
use crate::adapters::git::{Commit, Repository};
use crate::adapters::staging::{Access, Staging};
use crate::adapters::store::disk::{DiskStore, HeldStore, Hold};
use crate::adapters::workers;
use crate::format::digest::Digest;
use crate::format::only::Only;
use crate::format::path_bytes::bytes_of_path;
use crate::format::protected::{Format, Policy};
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::Mode;
use crate::format::timestamp::Timestamp;
use crate::format::tree_meta::Part;
use crate::format::witness::Input;
use crate::ops::Context;
use crate::ops::contents::ContentAt;
use crate::ops::guard::known;
use crate::ops::keys::recipients;
use crate::ops::pack::output::outside_of_git;
use crate::ops::pack::public_text::ensure_typed_without_key;
use crate::ops::store::run::Recorder;
use crate::refusal::agent::GenomeFault;
use crate::refusal::leak::PublicText;
use crate::refusal::seal_option::SealOption;
use crate::refusal::unsupported::Unkept;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use finalize::FinishedRun;
use plan::{ArtifactSource, Material, ProtectedArtifact, Ruled, SealPlan};
use reuse::Reusable;
pub(super) use standing::{check_output, publish};
use standing::{ensure_keeps_seals, is_replaceable, note_if_tracked, stands_whole};
pub use stream::{TextReport, full_text};

/// What to seal, and how.
#[derive(Clone, Debug, Default)]
pub struct SealRequest {
    /// Files and directories; if empty, the tree of a commit.
    pub artifacts: Vec<PathBuf>,
    /// The commit of a tree pack; none means `HEAD`.
    pub rev: Option<String>,
    /// The scope of a tree pack; none means the default one.
    pub scope: Option<String>,
    /// Untracked artifacts to seal into a tree pack.
    pub attach: Vec<PathBuf>,
    /// Files to publish in the clear although they hold a private key, or only claim to be sealed.
    pub plaintext: Vec<PathBuf>,
    /// Recipients instead of the configured ones.
    pub recipients: Vec<String>,
    /// The parts of a tree pack, sorted, instead of the configured ones.
    pub emit: Option<Vec<Part>>,
    /// Globs that narrow the scope of a tree pack.
    pub only: Option<Only>,
    /// The most tokens of a file under `SPLIT/`, instead of the configured number.
    pub max_tokens: Option<u64>,
    /// Which protected files stay in the clear.
    pub mode: Mode,
    /// How much the seals reveal.
    pub privacy: Privacy,
    /// Whether to encrypt everything again instead of reusing earlier ciphertexts.
    pub fresh: bool,
    /// A pack whose ciphertexts are reused where the plaintexts are the same.
    pub reuse: Option<PathBuf>,
    /// Identity files that open that pack, instead of the one in force.
    pub identities: Vec<PathBuf>,
    /// Files that name further recipients.
    pub recipients_files: Vec<PathBuf>,
    /// The output directory instead of the default one.
    pub output: Option<PathBuf>,
    /// Whether to replace another pack at the output.
    pub replace: bool,
    /// A note for the manifest.
    pub note: Option<String>,
    /// The time for the manifest.
    pub created: Option<Timestamp>,
    /// Whether to refuse artifacts with something that a pack does not keep.
    pub strict: bool,
}

/// How much the seals reveal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privacy {
    /// Whether names are sealed.
    pub opaque_names: bool,
    /// Whether sizes are rounded up.
    pub pad: bool,
}

/// The outcome.
#[derive(Debug)]
pub struct SealReport {
    /// The pack's id.
    pub pack_id: Digest,
    /// The absolute path of the pack.
    pub output: PathBuf,
    /// Whether the same pack was at the output already.
    pub existed: bool,
    /// The commit of a tree pack, and the branch if it is that of `HEAD`.
    pub commit: Option<(Commit, Option<String>)>,
    /// Number of files in the clear that are not the pack's own documents.
    pub plain_files: u64,
    /// Their total size in bytes.
    pub plain_bytes: u64,
    /// Number of sealed artifacts.
    pub sealed: u64,
    /// How many of them reuse an earlier ciphertext.
    pub reused: u64,
    /// How many of these come from another pack, so that their recipients are not known.
    pub taken_over: u64,
    /// Number of recipients.
    pub recipients: usize,
    /// Number of members.
    pub members: u64,
    /// The artifacts of an evidence pack. A sealed one has no hash here, because its hash must stay private.
    pub inputs: Vec<Input>,
    /// Notices for the user.
    pub notices: Vec<SealNotice>,
}

/// A fact worth a line on stderr. It does not change the outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealNotice {
    /// The work tree's configuration differs from that of the sealed commit. The commit's configuration was used.
    ConfigDiffers {
        /// The commit, shortened.
        commit: String,
    },
    /// There is no registry here; the built-in rules would have protected this artifact.
    Unprotected {
        /// The artifact.
        path: String,
        /// The class that it would have.
        class: String,
    },
    /// This file of the commit is in the clear against the commit's rules, because the user named it.
    Released {
        /// Its path.
        path: String,
    },
    /// No named artifact is protected, so nothing was sealed although an option says how.
    NothingSealed {
        /// The option.
        option: SealOption,
    },
    /// A file to attach is tracked by the commit, so it is in the pack already.
    AttachTracked {
        /// Its path.
        path: String,
    },
    /// Files have the header of a pack of cycles, but are not valid ones, or do not belong together.
    NotGenomes {
        /// The first one.
        path: String,
        /// What is wrong with it.
        fault: GenomeFault,
        /// Number of further faults.
        more: usize,
    },
    /// The configuration attaches files, but a bare repository has none.
    NowhereToAttach,
    /// An anchor is not a text in this pack.
    NoAnchor {
        /// Its path.
        path: String,
    },
    /// The artifacts have something that a pack does not keep.
    NotKept {
        /// What it is.
        what: Unkept,
        /// The paths that have it, made safe to show.
        paths: Vec<String>,
    },
    /// Only the key that is in force here opens what is sealed.
    OnlyYours,
    /// Git does not ignore the default output.
    NotIgnored,
    /// Two members have names that a file system without case treats as one.
    SameButForCase {
        /// Both names.
        paths: [String; 2],
    },
}

impl SealRequest {
    /// Refuses a note that would publish a private key.
    fn ensure_public_note(&self) -> Result<()> {
        match &self.note {
            Some(note) => ensure_typed_without_key(PublicText::Note, note),
            None => Ok(()),
        }
    }

    /// Returns a given option that is about sealing.
    fn sealing_option(&self) -> Option<SealOption> {
        let options = [
            (SealOption::Recipient, !self.recipients.is_empty()),
            (SealOption::RecipientsFile, !self.recipients_files.is_empty()),
            (SealOption::OpaqueNames, self.privacy.opaque_names),
            (SealOption::Pad, self.privacy.pad),
            (SealOption::Fresh, self.fresh),
            (SealOption::Reuse, self.reuse.is_some()),
            (SealOption::Internal, self.mode == Mode::Internal),
        ];
        options.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }
}

/// Seals. Either the whole pack is at its output afterwards, or nothing is left behind.
pub fn seal(ctx: &Context, request: &SealRequest) -> Result<SealReport> {
    if let Some(output) = &request.output {
        let there = ctx.cwd.join(output);
        // A pack that is there may be the one that is made. That shows at the end.
        if !is_replaceable(&there) {
            check_output(&there, request.replace)?;
        }
        outside_of_git(ctx, output)?;
    }
    let mut plan = planned(ctx, request)?;
    let base = match (&request.output, &plan.default_directory) {
        (Some(output), _) => ctx.cwd.join(output),
        (None, Some(directory)) => {
            // The default output must not be a link: the user did not choose its target.
            files::ensure_is_no_link(directory)?;
            directory.join("x")
        }
        (None, None) => {
            return Err(Refusal::Usage(Misuse::NoDefaultOutput));
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
    let stands = stands_whole(&output, &report.pack_id);
    if !stands {
        // A refused pack must leave no run.
        if !request.replace {
            ensure_keeps_seals(&output, staging.root())?;
        }
        check_output(&output, request.replace)?;
    }
    report.notices.extend(notices(ctx, request, &plan, &output)?);
    if let Some(store) = store.as_ref().filter(|_| !stands) {
        workers::map(
            &finished.receipts,
            || Ok(()),
            |(), (receipt, path)| store.put(receipt, path),
        )?;
    }
    // The run is recorded even if the pack exists: the run may be gone, or may lack content.
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
        // Another process made the same pack first.
        Err(Refusal::OutputExists { .. }) if stands_whole(&output, &report.pack_id) => {
            report.existed = true;
        }
        other => other?,
    }
    Ok(report)
}

/// Plans a pack. Writes nothing.
fn planned(ctx: &Context, request: &SealRequest) -> Result<SealPlan> {
    request.ensure_public_note()?;
    match request.artifacts.is_empty() {
        true => tree::tree_pack(ctx, request),
        false => evidence::evidence_pack(ctx, request),
    }
}

/// Returns what a person should know of who opens the pack, and of where it is.
fn notices(ctx: &Context, request: &SealRequest, plan: &SealPlan, output: &Path) -> Result<Vec<SealNotice>> {
    let mut notices = Vec::new();
    if let Some((_, sealing)) = plan.sealing()
        && recipients::is_only_own(ctx, &sealing.recipients)
    {
        notices.push(SealNotice::OnlyYours);
    }
    if request.output.is_none()
        && let (Material::Evidence(_), Some(ruled)) = (&plan.material, plan.ruled())
    {
        notices.extend(note_if_tracked(&ruled.repo, output)?);
    }
    Ok(notices)
}

/// Makes the clone remember the sealed content, so that the guard finds copies of it under other names.
fn remember(ruled: &Ruled) {
    let root = ruled.repo.work_tree();
    let artifacts = ruled.sealing.iter().flat_map(|sealing| &sealing.artifacts);
    let sealed = artifacts.filter_map(|artifact| to_be_known(artifact, root.as_deref()));
    known::remember(&ruled.repo, &ruled.registry, sealed.collect());
}

/// Returns what to remember of an artifact; none if it holds a private key, or if its policy allows publication.
fn to_be_known(artifact: &ProtectedArtifact, root: Option<&Path>) -> Option<known::ProtectedFile> {
    let whole = artifact.policy == Policy::Never && !artifact.formats.contains(&Format::PrivateKey);
    let below = |file: &Path| {
        let file = files::canonical(file).ok()?;
        let path = file.strip_prefix(root?).ok()?;
        Some(RepoPath::new(&bytes_of_path(path)))
    };
    let named = || RepoPath::new(&artifact.path.original());
    let (path, source, attached) = match &artifact.source {
        // The rules do not apply to files outside of the work tree.
        ArtifactSource::File(file, _) => match below(file) {
            Some(path) => (path, ContentAt::File(file.clone()), artifact.attached),
            None => (named(), ContentAt::File(file.clone()), true),
        },
        ArtifactSource::Blob(id) => (named(), ContentAt::Blob(*id), artifact.attached),
        ArtifactSource::Bytes(_) => return None,
    };
    whole.then(|| known::ProtectedFile {
        path,
        source,
        formats: artifact.formats.clone(),
        attached,
    })
}

/// Records the run of a tree pack. Nothing is collected while the returned value is held.
fn record(repo: &Repository, commit: Commit, run: &FinishedRun) -> Result<HeldStore> {
    let (runs, store) = (repo.private().runs(), repo.private().store());
    let lock = held_to_record(repo, &store)?;
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

/// Holds the store so that nothing is collected. If a killed seal left the lock of a ref, removes it, once every other
/// process that may hold such a lock ended.
fn held_to_record(repo: &Repository, store: &DiskStore) -> Result<HeldStore> {
    if repo.locks_of_run_refs()?.is_empty() {
        return store.lock(Hold::Shared);
    }
    let lock = store.lock(Hold::Exclusive)?;
    repo.locks_of_run_refs()?
        .iter()
        .try_for_each(|path| files::remove_whole(path))?;
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;
    use crate::adapters::cipher::generate_identity;
    use crate::adapters::files::platform::set_mode_at;
    use crate::adapters::workers::as_if_on;
    use crate::format::path_bytes::path_below;
    use crate::ops::pack::open::{OpenRequest, open};
    use crate::ops::pack::verify::{VerifyRequest, verify};

    fn contents(root: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let found = files::walk(root, |_| true).into_iter();
        let read = found.map(|(path, _)| {
            let bytes = fs::read(root.join(path_below(&path))).unwrap();
            (path, bytes)
        });
        read.collect()
    }

    #[test]
    fn one_core_and_many_make_the_same_pack() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("repo");
        let identity = generate_identity("now");
        fs::write(temp.path().join("id"), identity.file.as_bytes()).unwrap();
        set_mode_at(&temp.path().join("id"), 0o600).unwrap();
        for number in 0..70 {
            let directory = root.join("artifacts").join(format!("{}", number % 7));
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join(format!("{number}.txt")), "x".repeat(number * 99)).unwrap();
        }
        // Larger than what threads share.
        let large = |from: u32| -> Vec<u8> { (from..from + (5 << 16)).flat_map(u32::to_be_bytes).collect() };
        fs::write(root.join("artifacts/large.bin"), large(0)).unwrap();
        fs::write(root.join("artifacts/0/large.txt"), large(1 << 30)).unwrap();
        let rules = "[[protect]]\nclass = \"c\"\npaths = [\"**/*.bin\", \"artifacts/3/**\"]\n";
        let configuration = format!(
            "version = 1\n{rules}[seal]\nrecipients = [\"{}\"]\n",
            identity.recipient
        );
        fs::write(root.join(".gitpack.toml"), configuration).unwrap();
        let mut git = std::process::Command::new("git");
        assert!(git.args(["init", "-q"]).arg(&root).status().unwrap().success());
        let ctx = Context::new(&root, Timestamp::EPOCH);
        let sealed = |cores, name: &str, fresh| {
            let request = SealRequest {
                artifacts: vec!["artifacts".into()],
                output: Some(temp.path().join(name)),
                fresh,
                ..SealRequest::default()
            };
            let report = as_if_on(cores, || seal(&ctx, &request)).unwrap();
            assert_eq!((report.sealed, report.plain_files), (11, 61));
            contents(&temp.path().join(name))
        };
        assert_eq!(sealed(1, "one", false), sealed(64, "many", false));
        sealed(64, "new", true);
        for (pack, cores) in [("one", 64), ("new", 1), ("new", 64)] {
            let request = VerifyRequest {
                pack: temp.path().join(pack),
                ..VerifyRequest::default()
            };
            let verified = as_if_on(cores, || verify(&ctx, &request)).unwrap();
            assert_eq!(verified.outcome(), "OK");
            let output = temp.path().join(format!("{pack}-opened-on-{cores}"));
            let request = OpenRequest {
                pack: temp.path().join(pack),
                identities: vec![temp.path().join("id")],
                output: Some(output.clone()),
                ..OpenRequest::default()
            };
            as_if_on(cores, || open(&ctx, &request)).unwrap();
            let opened = contents(&output);
            assert_eq!(opened.len(), 11);
            assert_eq!(opened[&b"artifacts/large.bin"[..]], large(0));
            for (path, bytes) in opened {
                assert_eq!(fs::read(root.join(path_below(&path))).unwrap(), bytes);
            }
        }
    }
}
