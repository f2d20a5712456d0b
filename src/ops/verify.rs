//! `git pack verify`: is a pack what its manifest says, and what a commit holds?

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::adapters::git::Repository;
use crate::adapters::git::pack_tree::PackTree;
use crate::adapters::pack_dir::{self, Found, Want};
use crate::format::digest::Digest;
use crate::format::manifest::{Declared, ManifestDocument};
use crate::format::object_id::ObjectId;
use crate::format::refusal::{Refusal, Result};
use crate::format::repo_state::{Mode, StateFile};
use crate::format::tree_meta::{FILE_INDEX, FILE_TREE, PACK_INFO, PROTECTED, PROVENANCE, REPO_STATE};
use crate::format::{sealed, tree_meta};
use crate::ops::Context;
use crate::ops::state::{StateRequest, state_in};
use crate::rules::member_type::{Conformity, MAX_BYTES, conforms};
use crate::rules::seals::{self, Seals};
use crate::rules::state::{self as state_rules, PackState};
use crate::rules::verify::{Fact, Facts, Findings, envelope};

/// What was found out about a pack.
pub struct VerifyReport {
    /// The id that its manifest declares.
    pub pack_id: String,
    /// What is wrong with it; nothing if it is OK.
    pub findings: Findings,
    /// SHA-256 of its manifest.
    pub manifest_hash: Digest,
    /// Bytes of its manifest.
    pub manifest_bytes: u64,
    /// Whether a member has a version for which no schema is known here.
    pub schemas_skipped: bool,
    /// Number of declared members.
    pub members: usize,
    /// Its repository state, if it carries one.
    pub repo_state: Option<RepoStateReport>,
    /// Number of sealed artifacts, if it declares any.
    pub sealed: Option<u64>,
}

/// The repository state that a pack carries.
pub struct RepoStateReport {
    /// Its digest.
    pub digest: Digest,
    /// Its scope.
    pub scope: String,
    /// The commit that the pack names.
    pub commit: Option<String>,
    /// The commit that it was compared with.
    pub compared_with: Option<ObjectId>,
}

/// Verifies the pack at `path`; with `rev`, also against that commit of the repository at the context's directory.
pub fn verify(ctx: &Context, path: &Path, rev: Option<&str>) -> Result<VerifyReport> {
    let root: PathBuf = ctx.cwd.join(path);
    let (mut report, pack_state) = examine(&Source::Directory(&root))?;
    if let Some(rev) = rev {
        let Some(pack) = pack_state else {
            return Err(Refusal::usage(format!(
                "--rev: {} carries no readable {}, so there is nothing to compare with a commit",
                path.display(),
                tree_meta::REPO_STATE,
            )));
        };
        let commit = compare(&ctx.repository()?, rev, &pack, &mut report.findings)?;
        if let Some(repo_state) = &mut report.repo_state {
            repo_state.compared_with = Some(commit);
        }
    }
    Ok(report)
}

/// Verifies the pack in a directory, by itself.
pub fn verify_directory(root: &Path) -> Result<VerifyReport> {
    examine(&Source::Directory(root)).map(|(report, _)| report)
}

/// Verifies a pack, and against the commit that it names if `is_pushed` says that this commit is pushed with it.
pub fn verify_for_push(
    repo: &Repository,
    source: &Source<'_>,
    is_pushed: impl Fn(&ObjectId) -> bool,
) -> Result<VerifyReport> {
    let (mut report, pack_state) = examine(source)?;
    let named = pack_state.as_ref().and_then(|pack| pack.info.as_ref());
    if let Some(pack) = &pack_state
        && let Some(info) = named
        && let Some(commit) = ObjectId::parse(&info.commit)
        && is_pushed(&commit)
    {
        compare(repo, &info.commit, pack, &mut report.findings)?;
    }
    Ok(report)
}

/// Where a pack stands.
pub enum Source<'a> {
    /// In a directory.
    Directory(&'a Path),
    /// In a commit.
    Tree(PackTree<'a>, String),
}

impl Source<'_> {
    fn manifest(&self) -> Result<ManifestDocument> {
        match self {
            Self::Directory(root) => pack_dir::manifest(root),
            Self::Tree(tree, name) => tree.manifest()?.map_err(|reason| Refusal::BadPack {
                path: name.into(),
                reason,
            }),
        }
    }

    fn observe<E: Send>(
        &self,
        declared: &BTreeSet<&[u8]>,
        want: impl Fn(&str) -> Want + Sync,
        examine: impl Fn(&str, Option<&[u8]>) -> E + Sync,
    ) -> Result<BTreeMap<Vec<u8>, Found<E>>> {
        match self {
            Self::Directory(root) => pack_dir::observe(root, declared, want, examine),
            Self::Tree(tree, _) => tree.observe(declared, want, examine),
        }
    }
}

fn examine(source: &Source<'_>) -> Result<(VerifyReport, Option<PackState>)> {
    let manifest = source.manifest()?;
    let declared: BTreeSet<&[u8]> = manifest.members.iter().map(|member| member.path.as_bytes()).collect();
    let documents = [
        REPO_STATE,
        FILE_INDEX,
        FILE_TREE,
        PACK_INFO,
        PROVENANCE,
        PROTECTED,
        sealed::MEMBER,
    ];
    let typed: BTreeMap<&str, &Declared> = manifest
        .members
        .iter()
        .filter(|member| member.kind != "other" || member.artifact_version.is_some())
        .map(|member| (member.path.as_str(), member))
        .collect();
    let want = |path: &str| match path {
        _ if documents.contains(&path) => Want::Content,
        _ if seals::in_sealed(path) => Want::Seal,
        _ if typed.contains_key(path) => Want::Examine(MAX_BYTES),
        _ => Want::Hash,
    };
    let found = source.observe(&declared, want, |path, content| {
        let member = typed.get(path)?;
        Some(conforms(&member.kind, member.artifact_version.as_deref(), content))
    })?;

    let mut facts = Facts::new();
    let mut contents: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut headers = BTreeMap::new();
    let mut findings = Findings::default();
    let mut schemas_skipped = false;
    for (path, found) in found {
        let fact = match found {
            Found::Read(read) => {
                let name = String::from_utf8_lossy(&path).into_owned();
                match read.content {
                    Some(content) => drop(contents.insert(name.clone(), content)),
                    None if documents.contains(&name.as_str()) => {
                        findings.violation(&name, format!("it has more than {} bytes", pack_dir::MAX_DOCUMENT));
                    }
                    None => {}
                }
                match read.examined.flatten() {
                    Some(Conformity::Violates(why)) => findings.violation(&name, why),
                    Some(Conformity::Unknown) => schemas_skipped = true,
                    Some(Conformity::Conforms) | None => {}
                }
                if let Some(header) = read.seal {
                    headers.insert(name, header);
                }
                Fact::Hashed {
                    hash: read.hash,
                    size: read.size,
                }
            }
            Found::Undeclared => Fact::Undeclared,
            Found::NotRegular(kind) => Fact::NotRegular(kind),
            Found::EmptyDirectory => Fact::EmptyDirectory,
            Found::Unreadable(why) => Fact::Unreadable(why),
            Found::UnreadableDirectory(why) => Fact::UnreadableDirectory(why),
        };
        facts.insert(path, fact);
    }
    // A check that could not be made is not one that was passed.
    let examined = |path: &str| matches!(facts.get(path.as_bytes()), Some(Fact::Hashed { .. }));
    schemas_skipped |= typed.keys().any(|path| !examined(path));
    envelope(&manifest, &facts, &mut findings);
    let read = Seals {
        document: contents.get(sealed::MEMBER).map(Vec::as_slice),
        info: contents.get(PACK_INFO).map(Vec::as_slice),
        registry: contents.get(PROTECTED).map(Vec::as_slice),
        headers: &headers,
    };
    let sealed = seals::judge(&manifest, &facts, &read, &mut findings);
    let pack_state = state_rules::judge(&manifest, &facts, &contents, &mut findings);
    let report = VerifyReport {
        manifest_hash: manifest.file_hash,
        manifest_bytes: manifest.file_bytes,
        members: manifest.members.len(),
        pack_id: manifest.pack_id,
        repo_state: pack_state.as_ref().map(|pack| RepoStateReport {
            digest: pack.state.digest(),
            scope: pack.state.scope.clone(),
            commit: pack.info.as_ref().map(|info| info.commit.clone()),
            compared_with: None,
        }),
        findings,
        schemas_skipped,
        sealed,
    };
    Ok((report, pack_state))
}

/// Compares with a commit, in the pack's own scope and mode.
fn compare(repo: &Repository, rev: &str, pack: &PackState, findings: &mut Findings) -> Result<ObjectId> {
    let request = StateRequest {
        rev: Some(rev.to_owned()),
        scope: Some(pack.state.scope.clone()),
        mode: Some(pack.info.as_ref().map_or(Mode::Public, |info| info.mode)),
        no_cache: false,
    };
    let committed = state_in(repo, &request)?;
    let files: Vec<StateFile> = committed
        .entries
        .iter()
        .map(|entry| {
            StateFile::of(entry).map_err(|path| Refusal::UnsafePath {
                path: path.to_string(),
                reason: "it is not UTF-8".into(),
            })
        })
        .collect::<Result<_>>()?;
    state_rules::compare(&pack.state, &committed.canon_version, &files, findings);
    if let Some(info) = pack
        .info
        .as_ref()
        .filter(|info| info.commit == committed.commit.id.hex())
        && info.tree != committed.commit.tree.hex()
    {
        let what = format!("its tree is {}, not that of the commit that it names", info.tree);
        findings.violation(PACK_INFO, what);
    }
    if let Some(registry) = &pack.registry
        && registry != &committed.registry
    {
        findings.violation(PROTECTED, "it is not the registry of the commit");
    }
    Ok(committed.commit.id)
}
