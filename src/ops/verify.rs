//! `git pack verify`: is a pack what its manifest says, and what a commit holds?

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::adapters::cipher::{self, DecryptError, Identities};
use crate::adapters::files;
use crate::adapters::git::Repository;
use crate::adapters::git::pack_tree::PackTree;
use crate::adapters::pack_dir::{self, Found, Look};
use crate::adapters::workers;
use crate::format::canonical_json::parse_strict_into;
use crate::format::digest::Digest;
use crate::format::dump::text::TextWatch;
use crate::format::manifest::{Declared, ManifestDocument};
use crate::format::object_id::{ObjectHasher, ObjectId};
use crate::format::refusal::{Refusal, Result};
use crate::format::repo_state::{EntryKind, Mode, RepoState, StateFile};
use crate::format::sealed::{self, INDEX, Seal, SealHeader, SealedArtifacts};
use crate::format::tree_meta::{self, DOCUMENTS, PACK_INFO, PROTECTED, REPO_STATE};
use crate::ops::contents::examine_file;
use crate::ops::state::{StateRequest, state_in};
use crate::ops::unseal::{Unopened, named, unseal};
use crate::ops::{Context, identity, texts};
use crate::rules::content::KeyWatch;
use crate::rules::member_type::{Conformity, MAX_BYTES, conforms};
use crate::rules::scan::Traits;
use crate::rules::seals::{self, PlainMember, Seals};
use crate::rules::state::{self as state_rules, PackState, Texts};
use crate::rules::texts::{SeenTexts, is_of_texts};
use crate::rules::verify::{Fact, Facts, FindingKind, Findings, envelope};

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
    /// What it declares about its seals.
    pub sealed: Option<SealedArtifacts>,
    /// Whether its seals were opened, too.
    pub opened: bool,
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

/// What to verify, and against what.
#[derive(Clone, Debug, Default)]
pub struct VerifyRequest {
    /// The pack's directory.
    pub pack: PathBuf,
    /// A commit of the repository at the context's directory to compare with.
    pub rev: Option<String>,
    /// Identity files; with any, every seal is opened, to nowhere.
    pub identities: Vec<PathBuf>,
}

/// Verifies a pack.
pub fn verify(ctx: &Context, request: &VerifyRequest) -> Result<VerifyReport> {
    let root = ctx.cwd.join(&request.pack);
    // What cannot serve is refused before anything is read.
    let identities = match request.identities.is_empty() {
        true => None,
        false => Some(identity::load(ctx, &request.identities)?),
    };
    let Examined { mut report, state } = examine(&Source::Directory(&root))?;
    if let Some(rev) = &request.rev {
        let Some(pack) = state else {
            return Err(Refusal::usage(format!(
                "--rev: {} carries no readable {}, so there is nothing to compare with a commit",
                request.pack.display(),
                tree_meta::REPO_STATE,
            )));
        };
        let commit = compare(&ctx.repository()?, rev, &pack, &mut report)?;
        if let Some(repo_state) = &mut report.repo_state {
            repo_state.compared_with = Some(commit);
        }
    }
    if let Some(identities) = &identities {
        open_seals(&root, identities, &mut report)?;
    }
    Ok(report)
}

/// Opens every seal, to nowhere. Those that were found missing or tampered with already are said to be so once.
fn open_seals(root: &Path, identities: &Identities, report: &mut VerifyReport) -> Result<()> {
    report.opened = true;
    let Some(document) = &report.sealed else { return Ok(()) };
    let known: BTreeSet<&str> = report
        .findings
        .iter()
        .filter(|finding| matches!(finding.kind, FindingKind::SealMissing(_) | FindingKind::SealTampered(_)))
        .map(|finding| finding.path.as_str())
        .collect();
    let seals: Vec<&Seal> = document
        .artifacts
        .iter()
        .map(|artifact| &artifact.seal)
        .filter(|seal| !known.contains(seal.sealed_path.as_str()))
        .collect();
    let mut found: Vec<(String, String)> = Vec::new();
    let opened = workers::map(
        &seals,
        || Ok(()),
        |(), seal| {
            judged(
                unseal(root, seal, identities, std::io::sink()).map(drop),
                &seal.sealed_path,
                identities,
            )
        },
    )?;
    for (seal, why) in seals.iter().zip(opened) {
        found.extend(why.map(|why| (seal.sealed_path.clone(), why)));
    }
    if document.index.is_some() && !known.contains(INDEX) {
        let named = named(root, document, identities).map(drop);
        found.extend(judged(named, INDEX, identities)?.map(|why| (INDEX.to_owned(), why)));
    }
    for (path, why) in found {
        report.findings.add(path, FindingKind::SealUnopenable(why));
    }
    Ok(())
}

/// Returns why a seal is not what it should be. That a key could not be tried says nothing about the seal.
fn judged(opened: Result<(), Unopened>, path: &str, identities: &Identities) -> Result<Option<String>> {
    match opened {
        Ok(()) => Ok(None),
        Err(Unopened::Other(why)) => Ok(Some(why)),
        Err(Unopened::Cipher(why @ (DecryptError::Locked(_) | DecryptError::Reading(_)))) => {
            Err(identity::not_opened(why, path, identities))
        }
        Err(Unopened::Cipher(why)) => Ok(Some(why.to_string())),
    }
}

/// Verifies the pack in a directory, by itself.
pub fn verify_directory(root: &Path) -> Result<VerifyReport> {
    examine(&Source::Directory(root)).map(|examined| examined.report)
}

/// Verifies a pack, and against the commit that it names if `is_pushed` says that this commit is pushed with it.
pub fn verify_for_push(
    repo: &Repository,
    source: &Source<'_>,
    is_pushed: impl Fn(&ObjectId) -> bool,
) -> Result<VerifyReport> {
    let Examined { mut report, state } = examine(source)?;
    let named = state.as_ref().and_then(|pack| pack.info.as_ref());
    if let Some(pack) = &state
        && let Some(info) = named
        && let Some(commit) = ObjectId::parse(&info.commit)
        && is_pushed(&commit)
    {
        compare(repo, &info.commit, pack, &mut report)?;
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

    fn observe(&self, declared: &BTreeSet<&[u8]>, look: Look<'_, Seen>) -> Result<BTreeMap<Vec<u8>, Found<Seen>>> {
        match self {
            Self::Directory(root) => pack_dir::observe(root, declared, look),
            Self::Tree(tree, _) => tree.observe(declared, look),
        }
    }

    /// Returns the blob that a member is, hashed as `like` was.
    fn blob_of(&self, path: &str, like: &ObjectId) -> Result<Option<ObjectId>> {
        match self {
            Self::Tree(tree, _) => Ok(tree.blob_at(path)),
            Self::Directory(root) => blob_of_file(&root.join(path), like).map(Some),
        }
    }
}

/// Returns the id that git would give to a file, by the hash that gave `like`.
pub fn blob_of_file(path: &Path, like: &ObjectId) -> Result<ObjectId> {
    let opened = files::open_regular(path)?;
    let mut hasher = ObjectHasher::new(like, "blob", opened.size);
    files::read_in_chunks(path, |bytes| hasher.update(bytes))?;
    opened.ensure_unchanged()?;
    Ok(hasher.finish())
}

/// The longest target of a link, and more than the id of a submodule's commit.
const MAX_TARGET: u64 = 4096;

/// What was seen in a member.
enum Seen {
    /// It is nothing that is looked into.
    Nothing,
    /// A document of the pack's own; none if it is too large to be one.
    Document(Option<Vec<u8>>),
    /// A sealed member: its header, or why it has none.
    Header(Result<SealHeader, String>),
    /// A member in the clear.
    Plain {
        traits: Traits,
        conformity: Option<Conformity>,
        /// Whether it is text, where that matters.
        is_text: Option<bool>,
    },
    /// A member that holds texts.
    Texts(SeenTexts),
}

/// Looks at members as far as the checks need it.
struct Looker<'a> {
    /// Whether members in the clear are judged by their content.
    by_content: bool,
    /// Whether there are members that texts are written to.
    has_texts: bool,
    typed: BTreeMap<&'a str, &'a Declared>,
}

impl Looker<'_> {
    fn look(&self, path: &str, member: &mut dyn Read, size: u64) -> std::io::Result<Seen> {
        if DOCUMENTS.contains(&path) || path == sealed::MEMBER {
            return Ok(Seen::Document(match size <= pack_dir::MAX_DOCUMENT {
                true => {
                    let mut bytes = Vec::with_capacity(size as usize);
                    member.take(pack_dir::MAX_DOCUMENT).read_to_end(&mut bytes)?;
                    Some(bytes)
                }
                false => None,
            }));
        }
        if seals::in_sealed(path) {
            let mut watched = KeyWatch::new(member);
            let header = cipher::header(&mut watched);
            return Ok(Seen::Header(match watched.finish()? {
                true => Err("a private key can be read in it".into()),
                false => header,
            }));
        }
        let Some(declared) = self.typed.get(path) else {
            if self.has_texts && is_of_texts(path) {
                return texts::look(path, member, size).map(Seen::Texts);
            }
            if !self.by_content {
                return Ok(Seen::Nothing);
            }
            return self.plain(path, member, size);
        };
        let conforms = |content: Option<&[u8]>| conforms(&declared.kind, declared.artifact_version.as_deref(), content);
        if size > MAX_BYTES as u64 {
            let conformity = Some(conforms(None));
            return self.plain(path, member, size).map(|seen| seen.conforming(conformity));
        }
        let mut bytes = Vec::with_capacity(size as usize);
        member.take(MAX_BYTES as u64).read_to_end(&mut bytes)?;
        let seen = self.plain(path, &mut &bytes[..], bytes.len() as u64)?;
        Ok(seen.conforming(Some(conforms(Some(&bytes)))))
    }

    fn plain(&self, path: &str, member: &mut dyn Read, size: u64) -> std::io::Result<Seen> {
        let mut watched = Watching {
            member,
            watch: (self.has_texts && seals::in_directory(path, tree_meta::REPO)).then(TextWatch::default),
        };
        let traits = match self.by_content {
            true => examine_file(&mut watched, size)?,
            false => Traits::default(),
        };
        std::io::copy(&mut watched, &mut std::io::sink())?;
        Ok(Seen::Plain {
            traits,
            conformity: None,
            is_text: watched.watch.map(|watch| watch.shape().is_some()),
        })
    }
}

/// A member that goes by, watched for whether it is text.
struct Watching<'a> {
    member: &'a mut dyn Read,
    watch: Option<TextWatch>,
}

impl Read for Watching<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.member.read(buf)?;
        if let Some(watch) = &mut self.watch {
            watch.see(&buf[..n]);
        }
        Ok(n)
    }
}

impl Seen {
    fn conforming(mut self, what: Option<Conformity>) -> Self {
        if let Self::Plain { conformity, .. } = &mut self {
            *conformity = what;
        }
        self
    }
}

/// What a look at a whole pack came to.
struct Examined {
    report: VerifyReport,
    state: Option<PackState>,
}

fn examine(source: &Source<'_>) -> Result<Examined> {
    let manifest = source.manifest()?;
    let declared: BTreeSet<&[u8]> = manifest.members.iter().map(|member| member.path.as_bytes()).collect();
    let tree_pack = seals::is_tree_pack(manifest.members.iter().map(|member| member.path.as_str()));
    let typed = manifest
        .members
        .iter()
        .filter(|member| member.kind != "other" || member.artifact_version.is_some());
    let looker = Looker {
        by_content: declared.contains(PROTECTED.as_bytes()),
        has_texts: tree_pack && manifest.members.iter().any(|member| is_of_texts(&member.path)),
        typed: typed.map(|member| (member.path.as_str(), member)).collect(),
    };
    let found = source.observe(&declared, &|path, member, size| looker.look(path, member, size))?;

    let mut facts = Facts::new();
    let mut contents: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut headers = BTreeMap::new();
    let mut plain = BTreeMap::new();
    let mut text_members = BTreeMap::new();
    let mut copies = BTreeMap::new();
    let mut findings = Findings::default();
    let mut schemas_skipped = false;
    for (path, found) in found {
        let fact = match found {
            Found::Read(read) => {
                let name = String::from_utf8_lossy(&path).into_owned();
                match read.seen {
                    Seen::Document(Some(content)) => drop(contents.insert(name, content)),
                    Seen::Document(None) => {
                        findings.violation(&name, format!("it has more than {} bytes", pack_dir::MAX_DOCUMENT));
                    }
                    Seen::Header(header) => drop(headers.insert(name, header)),
                    Seen::Texts(texts) => drop(text_members.insert(name, texts)),
                    Seen::Plain {
                        traits,
                        conformity,
                        is_text,
                    } => {
                        if let (Some(is_text), Some(copied)) = (is_text, seals::copied(&name)) {
                            copies.insert(copied.to_owned(), is_text);
                        }
                        match conformity {
                            Some(Conformity::Violates(why)) => findings.violation(&name, why),
                            Some(Conformity::Unknown) => schemas_skipped = true,
                            Some(Conformity::Conforms) | None => {}
                        }
                        plain.insert(name, (traits, read.size));
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
        facts.insert(path, fact);
    }
    // A check that could not be made is not one that was passed.
    let examined = |path: &str| matches!(facts.get(path.as_bytes()), Some(Fact::Hashed { .. }));
    schemas_skipped |= looker.typed.keys().any(|path| !examined(path));
    envelope(&manifest, &facts, &mut findings);
    let plain = plain_members(source, tree_pack, plain, &contents)?;
    let read = Seals {
        document: contents.get(sealed::MEMBER).map(Vec::as_slice),
        info: contents.get(PACK_INFO).map(Vec::as_slice),
        registry: contents.get(PROTECTED).map(Vec::as_slice),
        headers: &headers,
        plain: &plain,
        texts: &text_members,
    };
    let sealed = seals::judge(&manifest, &facts, &read, &mut findings);
    let seen_texts = Texts {
        members: &text_members,
        copies: &copies,
    };
    let pack_state = state_rules::judge(&manifest, &facts, &contents, &seen_texts, &mut findings);
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
        opened: false,
    };
    Ok(Examined {
        report,
        state: pack_state,
    })
}

/// Adds to what was seen in members what they copy, and, where exceptions are by blob, which blob they are.
fn plain_members(
    source: &Source<'_>,
    tree_pack: bool,
    seen: BTreeMap<String, (Traits, u64)>,
    documents: &BTreeMap<String, Vec<u8>>,
) -> Result<BTreeMap<String, PlainMember>> {
    let state = documents
        .get(REPO_STATE)
        .and_then(|bytes| parse_strict_into::<RepoState>(bytes).ok());
    let kinds: BTreeMap<String, EntryKind> = state
        .iter()
        .flat_map(|state| &state.files)
        .filter(|_| tree_pack)
        .map(|file| (format!("{}/{}", tree_meta::REPO, file.path), file.kind()))
        .collect();
    let registry = documents
        .get(PROTECTED)
        .and_then(|bytes| seals::parse_registry(bytes).ok());
    let exceptions = registry.as_ref().and_then(|registry| {
        let like = registry.exceptions().next()?;
        Some((registry, like))
    });
    let mut members = BTreeMap::new();
    for (path, (traits, size)) in seen {
        let kind = match kinds.get(&path) {
            // What a document calls a link must be able to be one.
            Some(_) if size > MAX_TARGET => EntryKind::Regular,
            Some(kind) => *kind,
            None => EntryKind::Regular,
        };
        let mut member = PlainMember {
            kind,
            traits,
            blob: None,
        };
        if let Some((registry, like)) = &exceptions
            && seals::judge_member(registry, &path, Some(&member), tree_pack, Mode::Public).is_some()
        {
            member.blob = source.blob_of(&path, like)?;
        }
        members.insert(path, member);
    }
    Ok(members)
}

/// Compares with a commit, in the pack's own scope and mode.
fn compare(repo: &Repository, rev: &str, pack: &PackState, report: &mut VerifyReport) -> Result<ObjectId> {
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
