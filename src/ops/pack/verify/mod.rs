//! `git pack verify`: checks that a pack is what its manifest declares, and what a commit holds.

mod ends;
mod look;
mod opening;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::adapters::git::Repository;
use crate::adapters::git::pack_tree::PackTree;
use crate::adapters::pack_dir::{self, Found, Look};
use crate::adapters::workers::MemoryBudget;
use crate::format::digest::Digest;
use crate::format::manifest::ManifestDocument;
use crate::format::object_id::ObjectId;
use crate::format::repo_state::{Mode, StateFile};
use crate::format::sealed::{self, SealedArtifacts};
use crate::format::tree_meta::{self, PACK_INFO, PROTECTED};
use crate::ops::Context;
use crate::ops::contents::{BUDGET, blob_of_file};
use crate::ops::keys::identity;
use crate::ops::state::{StateRequest, state_in};
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::content::UnpackBudget;
use crate::rules::member_type::{Conformity, MAX_BYTES};
use crate::rules::pack::findings::{Findings, NoticeKind};
use crate::rules::pack::members::envelope;
use crate::rules::pack::observed::{Fact, Facts};
use crate::rules::pack::places::{copied, is_of_texts, is_tree_pack};
use crate::rules::pack::seals::{self, Seals};
use crate::rules::pack::state::{self as state_rules, PackState, Texts};
use crate::rules::pack::{layout, lite};
use crate::rules::scan::InPart;
use ends::same_but_for_ends;
use look::{Looker, MAX_HELD, Seen, plain_members};
use opening::open_seals;

/// The outcome for a pack.
pub struct VerifyReport {
    /// The id that its manifest declares.
    pub pack_id: String,
    /// The findings; empty if the pack is OK.
    pub findings: Findings,
    /// SHA-256 of its manifest.
    pub manifest_hash: Digest,
    /// Size of its manifest in bytes.
    pub manifest_bytes: u64,
    /// Whether there was no member with a schema, or one that could not be checked.
    pub schemas_skipped: bool,
    /// Number of declared members.
    pub members: usize,
    /// Its repository state, if it has one.
    pub repo_state: Option<RepoStateReport>,
    /// The declaration of its seals.
    pub sealed: Option<SealedArtifacts>,
    /// Whether its seals were opened.
    pub opened: bool,
    /// Members in the clear that could be examined only in part, and why.
    pub in_part: Vec<(String, Vec<InPart>)>,
}

/// The repository state of a pack.
pub struct RepoStateReport {
    /// Its digest.
    pub digest: Digest,
    /// Its scope.
    pub scope: String,
    /// The canon version that it states.
    pub canon_version: String,
    /// The commit that the pack names.
    pub commit: Option<String>,
    /// The commit that it was compared with.
    pub compared_with: Option<ObjectId>,
}

/// What to verify, and against which commit.
#[derive(Clone, Debug, Default)]
pub struct VerifyRequest {
    /// The pack's directory.
    pub pack: PathBuf,
    /// A commit of the repository at the context's directory to compare with.
    pub rev: Option<String>,
    /// Identity files; with any, every seal is opened without keeping the plaintext.
    pub identities: Vec<PathBuf>,
}

/// Verifies a pack.
pub fn verify(ctx: &Context, request: &VerifyRequest) -> Result<VerifyReport> {
    let root = ctx.cwd.join(&request.pack);
    // Unusable identities are refused before anything is read.
    let identities = match request.identities.is_empty() {
        true => None,
        false => Some(identity::load(ctx, &request.identities)?),
    };
    let Examined { mut report, state } = examine(&Source::Directory(&root), &UnpackBudget::of(BUDGET))?;
    if let Some(rev) = &request.rev {
        let Some(pack) = state else {
            return Err(Refusal::Usage(Misuse::NoState {
                pack: request.pack.clone(),
                document: tree_meta::REPO_STATE,
            }));
        };
        let commit = compare(&ctx.repository_to_read()?, rev, Some(&root), &pack, &mut report)?;
        if let Some(repo_state) = &mut report.repo_state {
            repo_state.compared_with = Some(commit);
        }
    }
    if let Some(identities) = &identities {
        open_seals(&root, identities, &mut report)?;
    }
    Ok(report)
}

/// Verifies the pack in a directory, without a commit.
pub fn verify_directory(root: &Path) -> Result<VerifyReport> {
    examine(&Source::Directory(root), &UnpackBudget::of(BUDGET)).map(|examined| examined.report)
}

/// Verifies a pack. Compares it with the commit that it names if `is_pushed` returns true for that commit.
pub fn verify_for_push(
    repo: &Repository,
    source: &Source<'_>,
    budget: &UnpackBudget,
    is_pushed: impl Fn(&ObjectId) -> bool,
) -> Result<VerifyReport> {
    let Examined { mut report, state } = examine(source, budget)?;
    let named = state.as_ref().and_then(|pack| pack.info.as_ref());
    if let Some(pack) = &state
        && let Some(info) = named
        && let Some(commit) = ObjectId::parse(&info.commit)
        && is_pushed(&commit)
    {
        compare(repo, &info.commit, None, pack, &mut report)?;
    }
    Ok(report)
}

/// Where a pack is.
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

    fn observe(&self, declared: &BTreeSet<&[u8]>, look: Look<'_, Seen>) -> Result<Vec<(Vec<u8>, Found<Seen>)>> {
        match self {
            Self::Directory(root) => pack_dir::observe(root, declared, look),
            Self::Tree(tree, _) => tree.observe(declared, look),
        }
    }

    /// Returns the blob of a member, with the hash function of `like`.
    fn blob_of(&self, path: &str, like: &ObjectId) -> Result<Option<ObjectId>> {
        match self {
            Self::Tree(tree, _) => Ok(tree.blob_at(path)),
            Self::Directory(root) => blob_of_file(&root.join(path), like).map(Some),
        }
    }
}

/// The result of the checks against schemas.
#[derive(Default)]
struct Schemas {
    /// Whether any member was checked.
    checked: bool,
    /// Whether a member of a known type could not be checked.
    skipped: bool,
}

impl Schemas {
    fn judge(&mut self, name: &str, conformity: Conformity, tree_pack: bool, findings: &mut Findings) {
        match conformity {
            Conformity::NoSchema => return,
            Conformity::NoSchemaFor(kind) => return findings.departure(name, kind, tree_pack),
            Conformity::Unknown => self.skipped = true,
            Conformity::TooLarge => {
                self.skipped = true;
                let what = format!("it has more than {MAX_BYTES} bytes, so that its type is not checked");
                findings.departure(name, NoticeKind::NotExamined(what), tree_pack);
            }
            Conformity::Conforms => {}
            Conformity::Departs(kind) => findings.departure(name, kind, tree_pack),
            Conformity::Violates(why) => findings.violation(name, why),
        }
        self.checked = true;
    }
}

/// The result of examining a whole pack.
struct Examined {
    report: VerifyReport,
    state: Option<PackState>,
}

fn examine(source: &Source<'_>, budget: &UnpackBudget) -> Result<Examined> {
    let manifest = source.manifest()?;
    let declared: BTreeSet<&[u8]> = manifest.members.iter().map(|member| member.path.as_bytes()).collect();
    let tree_pack = is_tree_pack(manifest.members.iter().map(|member| member.path.as_str()));
    let typed = manifest
        .members
        .iter()
        .filter(|member| member.kind != "other" || member.artifact_version.is_some());
    let looker = Looker {
        budget,
        by_content: declared.contains(PROTECTED.as_bytes()),
        tree_pack,
        has_texts: tree_pack && manifest.members.iter().any(|member| is_of_texts(&member.path)),
        typed: typed.map(|member| (member.path.as_str(), member)).collect(),
        held: MemoryBudget::of(MAX_HELD),
    };
    let found = source.observe(&declared, &|path, member, size| looker.look(path, member, size))?;

    let mut contents: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut headers = BTreeMap::new();
    let mut plain = Vec::with_capacity(found.len());
    let mut text_members = BTreeMap::new();
    let mut copies = BTreeMap::new();
    let mut findings = Findings::default();
    let mut schemas = Schemas::default();
    let mut in_part = Vec::new();
    let facts = found.into_iter().map(|(path, found)| {
        let fact = match found {
            Found::Read(read) => {
                let name = String::from_utf8_lossy(&path).into_owned();
                match read.seen {
                    Seen::Document(Some(content)) => drop(contents.insert(name, content)),
                    Seen::Document(None) => {
                        findings.violation(&name, format!("it has more than {} bytes", pack_dir::MAX_DOCUMENT));
                    }
                    Seen::Header(header) => drop(headers.insert(name, *header)),
                    Seen::Texts(texts) => drop(text_members.insert(name, *texts)),
                    Seen::Plain {
                        traits,
                        conformity,
                        is_text,
                    } => {
                        if let (Some(is_text), Some(copied)) = (is_text, copied(&name)) {
                            copies.insert(copied.to_owned(), is_text);
                        }
                        if let Some(conformity) = conformity {
                            schemas.judge(&name, *conformity, tree_pack, &mut findings);
                        }
                        if let Some(traits) = traits.as_deref().filter(|traits| !traits.in_part.is_empty()) {
                            in_part.push((name.clone(), traits.in_part.clone()));
                        }
                        plain.push((name, traits, read.size));
                    }
                    Seen::Nothing => {}
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
        (path, fact)
    });
    let facts: Facts = facts.collect();
    // A check that could not be made does not count as passed.
    let examined = |path: &str| matches!(facts.get(path.as_bytes()), Some(Fact::Hashed { .. }));
    schemas.skipped |= looker.typed.keys().any(|path| !examined(path));
    schemas.checked |= !contents.is_empty();
    envelope(&manifest, &facts, tree_pack, &mut findings);
    let state = state_rules::repo_state(&mut contents, &mut findings);
    state_rules::lists(&mut contents, &manifest, &facts, &mut findings);
    let registry = contents.get(PROTECTED).map(Vec::as_slice);
    let plain = plain_members(source, tree_pack, plain, state.as_ref(), registry)?;
    let read = Seals {
        document: contents.get(sealed::MEMBER).map(Vec::as_slice),
        info: contents.get(PACK_INFO).map(Vec::as_slice),
        registry,
        headers: &headers,
        plain: &plain,
        texts: &text_members,
    };
    let sealed = seals::judge(&manifest, &facts, &read, &mut findings);
    drop(plain);
    let seen_texts = Texts {
        members: &text_members,
        copies: &copies,
    };
    let pack_state = state_rules::judge(
        &manifest,
        &facts,
        contents,
        state,
        &seen_texts,
        sealed.as_ref(),
        &mut findings,
    );
    let report = VerifyReport {
        manifest_hash: manifest.file_hash,
        manifest_bytes: manifest.file_bytes,
        members: manifest.members.len(),
        pack_id: manifest.pack_id,
        repo_state: pack_state.as_ref().map(|pack| RepoStateReport {
            digest: pack.state.digest(),
            scope: pack.state.scope.clone(),
            canon_version: pack.state.canon_version.clone(),
            commit: pack.info.as_ref().map(|info| info.commit.clone()),
            compared_with: None,
        }),
        findings,
        schemas_skipped: schemas.skipped || !schemas.checked,
        sealed,
        opened: false,
        in_part,
    };
    Ok(Examined {
        report,
        state: pack_state,
    })
}

/// Compares with a commit, in the pack's own scope and mode. `root` is the directory of its copies, if it is a
/// directory.
fn compare(
    repo: &Repository,
    rev: &str,
    root: Option<&Path>,
    pack: &PackState,
    report: &mut VerifyReport,
) -> Result<ObjectId> {
    let findings = &mut report.findings;
    let request = StateRequest {
        rev: Some(rev.to_owned()),
        scope: Some(pack.state.scope.clone()),
        mode: Some(match (&pack.info, &report.sealed) {
            (Some(info), _) => info.mode,
            (None, Some(sealed)) => sealed.mode,
            (None, None) => Mode::Public,
        }),
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
    let same = match root {
        Some(root) => {
            let changed = state_rules::changed(&pack.state, &files);
            same_but_for_ends(repo, root, &changed, &committed.entries)?
        }
        None => BTreeSet::new(),
    };
    state_rules::compare(&pack.state, &committed.canon_version, &files, &same, findings);
    if let Some(info) = &pack.info {
        layout::compare(info, &pack.laid_out, &committed.title, &committed.layout, findings);
        if let Some(carried) = &pack.carried {
            let settings = lite::Settings {
                title: &committed.title,
                layout: &committed.layout,
                globs: &committed.globs,
            };
            lite::compare(carried, info, &pack.state, &settings, findings);
        }
    }
    if let Some(info) = pack
        .info
        .as_ref()
        .filter(|info| info.commit == committed.commit.id.hex())
        && info.tree != committed.commit.tree.hex()
    {
        let what = format!("its tree is {}, not that of the commit that it names", info.tree);
        findings.violation(PACK_INFO, what);
    }
    if pack.info.is_some()
        && let Some(sealed) = &report.sealed
    {
        seals::compare(sealed, &committed.sealed, findings);
    }
    if let Some(registry) = &pack.registry
        && registry != &committed.registry
    {
        findings.violation(PROTECTED, "it is not the registry of the commit");
    }
    Ok(committed.commit.id)
}
