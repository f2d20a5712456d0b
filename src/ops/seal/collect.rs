//! What goes into a pack, from where, and in which form: decided before anything is written.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::adapters::cipher::Recipients;
use crate::adapters::files::{self, Walked};
use crate::adapters::git::{Commit, Repository};
use crate::format::member_path::{MANIFEST, MemberPath, Unsafe};
use crate::format::object_id::ObjectId;
use crate::format::protected::Policy;
use crate::format::refusal::{Refusal, Result};
use crate::format::repo_path::shown;
use crate::format::repo_state::{EntryKind, Mode, TreeEntry};
use crate::format::{sealed, tree_meta};
use crate::ops::configuration::{self, Loaded};
use crate::ops::seal::{Notice, SealRequest};
use crate::ops::{Context, recipients, state};
use crate::rules::globs::{Case, Globs};
use crate::rules::protect::{Registry, Verdict};

/// Everything that will be staged.
pub struct Plan {
    /// The repository, where there is one.
    pub repo: Option<Repository>,
    /// What makes it a tree pack.
    pub tree: Option<TreePlan>,
    /// The registry in force, where there is one.
    pub registry: Option<Registry>,
    /// Copied as they are.
    pub plain: Vec<Plain>,
    /// Sealed.
    pub protected: Vec<Protected>,
    /// For whom; none where nothing is sealed.
    pub recipients: Option<Recipients>,
    /// Where packs go that have no output of their own.
    pub default_directory: Option<PathBuf>,
    /// What somebody should know.
    pub notices: Vec<Notice>,
}

/// What a tree pack knows of its commit.
pub struct TreePlan {
    /// The commit.
    pub commit: Commit,
    /// The branch, if the commit is that of `HEAD`.
    pub branch: Option<String>,
    /// The scope's key.
    pub scope: String,
    /// The scope's title.
    pub title: String,
    /// The canon version in the commit.
    pub canon_version: String,
}

/// Where bytes come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file on disk.
    File(PathBuf),
    /// A blob of the repository.
    Blob(ObjectId),
    /// These bytes.
    Bytes(Vec<u8>),
}

/// A member in the clear.
pub struct Plain {
    /// Its member path.
    pub path: MemberPath,
    /// Its bytes.
    pub source: Source,
    /// The tree entry that it copies, in a tree pack.
    pub entry: Option<TreeEntry>,
}

/// An artifact to be sealed.
pub struct Protected {
    /// Where it would lie in plaintext.
    pub path: MemberPath,
    /// Its bytes.
    pub source: Source,
    /// Its class.
    pub class: String,
    /// Its policy.
    pub policy: Policy,
    /// The glob that matched, or what else sealed it.
    pub rule: String,
}

/// Collects a tree pack.
pub fn tree_pack(ctx: &Context, request: &SealRequest) -> Result<Plan> {
    let repo = match Repository::discover(&ctx.cwd) {
        // Without a repository there is nothing to seal unless artifacts are named.
        Err(Refusal::NotARepository { .. })
            if request.rev.is_none() && request.attach.is_empty() =>
        {
            return Err(Refusal::Empty);
        }
        other => other?,
    };
    let commit = repo.commit(request.rev.as_deref().unwrap_or("HEAD"))?;
    let loaded = configuration::in_commit(&repo, &commit)?;
    let registry = loaded.registry()?;
    let selection = loaded.scope(request.scope.as_deref())?;
    let work_tree = repo.work_tree();
    let mut notices = Vec::new();
    if let Some(root) = &work_tree
        && config_differs(root, &loaded)
    {
        notices.push(Notice::ConfigDiffers {
            commit: commit.id.short(),
        });
    }

    let mut plain = Vec::new();
    let mut protected = Vec::new();
    let entries = state::select(&repo, &commit, &selection)?;
    let tracked: BTreeSet<Vec<u8>> = entries.iter().map(|e| e.path.as_bytes().to_vec()).collect();
    for entry in entries {
        let path = member_path(entry.path.as_bytes())?;
        let source = match entry.kind {
            EntryKind::Submodule => Source::Bytes(entry.id.hex().into_bytes()),
            _ => Source::Blob(entry.id),
        };
        if state::is_plain(&registry, &entry, Mode::Public) {
            plain.push(Plain {
                path: path.below(tree_meta::REPO),
                source,
                entry: Some(entry),
            });
        } else {
            let verdict = registry.judge(entry.path.as_bytes());
            protected.push(protect(path, source, verdict, "tracked"));
        }
    }
    let mut attached = Attached {
        registry: &registry,
        tracked: &tracked,
        found: BTreeMap::new(),
    };
    if let Some(root) = &work_tree {
        attached.configured(root, &loaded, &mut notices)?;
    }
    for path in &request.attach {
        let root = work_tree
            .as_deref()
            .ok_or(Refusal::NoWorkTree { what: "--attach" })?;
        attached.named(ctx, root, path)?;
    }
    protected.extend(attached.found.into_values());
    notices.extend(same_but_for_case(plain.iter().map(|p| &p.path)));

    let recipients = recipients_for(&protected, request, &loaded, || {
        work_tree.as_deref().is_some_and(|root| {
            configuration::on_disk(root).is_ok_and(|disk| !disk.config.recipients.is_empty())
        })
    })?;
    let branch = match request.rev.as_deref() {
        None | Some("HEAD") => repo.branch(),
        Some(_) => None,
    };
    Ok(Plan {
        tree: Some(TreePlan {
            canon_version: state::canon(&repo, &commit, &loaded)?,
            commit,
            branch,
            scope: selection.key,
            title: selection.title,
        }),
        registry: Some(registry),
        plain,
        protected,
        recipients,
        default_directory: work_tree.map(|root| root.join("_PACK_RUN")),
        notices,
        repo: Some(repo),
    })
}

/// Collects an evidence pack.
pub fn evidence_pack(ctx: &Context, request: &SealRequest) -> Result<Plan> {
    let tree_only = [
        ("--rev", request.rev.is_some()),
        ("--scope", request.scope.is_some()),
        ("--attach", !request.attach.is_empty()),
    ];
    if let Some((flag, _)) = tree_only.iter().find(|(_, given)| *given) {
        return Err(Refusal::usage(format!(
            "{flag} belongs to a tree pack, and artifacts are named for an evidence pack"
        )));
    }
    let candidates = artifacts(ctx, &request.artifacts)?;
    if candidates.is_empty() {
        return Err(Refusal::Empty);
    }
    let governed = Governed::of(ctx)?;
    let mut notices: Vec<Notice> = same_but_for_case(candidates.keys()).collect();
    let mut plain = Vec::new();
    let mut protected = Vec::new();
    let built_in = Registry::of(&[]).expect("the built-in rules compile");
    for (path, file) in candidates {
        let source = Source::File(file.clone());
        match &governed {
            Some(governed) => match governed.judge(&path, &file) {
                Some(verdict) => protected.push(protect(path, source, Some(verdict), "")),
                None => plain.push(Plain {
                    path,
                    source,
                    entry: None,
                }),
            },
            None => {
                if let Some(verdict) = built_in.judge(path.as_str().as_bytes()) {
                    notices.push(Notice::Unprotected {
                        path: path.to_string(),
                        class: verdict.class,
                    });
                }
                plain.push(Plain {
                    path,
                    source,
                    entry: None,
                });
            }
        }
    }
    let nobody = Loaded {
        config: Default::default(),
        origin: String::new(),
        bytes: None,
    };
    let loaded = governed
        .as_ref()
        .map_or(&nobody, |governed| governed.source_of_recipients());
    let recipients = recipients_for(&protected, request, loaded, || false)?;
    let (repo, registry) = match governed {
        Some(governed) => (Some(governed.repo), Some(governed.registry)),
        None => (None, None),
    };
    Ok(Plan {
        repo,
        tree: None,
        registry,
        plain,
        protected,
        recipients,
        default_directory: Some(ctx.cwd.join("pack")),
        notices,
    })
}

fn protect(
    path: MemberPath,
    source: Source,
    verdict: Option<Verdict>,
    otherwise: &str,
) -> Protected {
    let (class, policy, rule) = match verdict {
        Some(verdict) => (verdict.class, verdict.policy, verdict.glob),
        None => ("attached".into(), Policy::Never, otherwise.into()),
    };
    Protected {
        path,
        source,
        class,
        policy,
        rule,
    }
}

fn member_path(path: &[u8]) -> Result<MemberPath> {
    MemberPath::parse_bytes(path).map_err(|why: Unsafe| Refusal::UnsafePath {
        path: shown(path),
        reason: why.to_string(),
    })
}

fn config_differs(root: &Path, committed: &Loaded) -> bool {
    match files::read_optional(
        &root.join(crate::format::config::FILE_NAME),
        configuration::MAX_BYTES,
    ) {
        Ok(bytes) => bytes != committed.bytes,
        Err(_) => true,
    }
}

fn recipients_for(
    protected: &[Protected],
    request: &SealRequest,
    loaded: &Loaded,
    uncommitted: impl FnOnce() -> bool,
) -> Result<Option<Recipients>> {
    let recipients = match request.recipients.is_empty() {
        true => recipients::of_config(loaded)?,
        false => recipients::of_flags(&request.recipients)?,
    };
    if protected.is_empty() {
        return Ok(None);
    }
    if recipients.names().is_empty() {
        return Err(Refusal::NoRecipients {
            artifacts: protected
                .iter()
                .map(|p| shown(p.path.as_str().as_bytes()))
                .collect(),
            uncommitted: uncommitted(),
        });
    }
    Ok(Some(recipients))
}

fn same_but_for_case<'a>(
    paths: impl Iterator<Item = &'a MemberPath>,
) -> impl Iterator<Item = Notice> {
    let mut folded: BTreeMap<String, &MemberPath> = BTreeMap::new();
    let mut notices = Vec::new();
    for path in paths {
        if let Some(other) = folded.insert(path.as_str().to_lowercase(), path) {
            notices.push(Notice::SameButForCase {
                paths: [other.to_string(), path.to_string()],
            });
        }
    }
    notices.into_iter()
}

/// Untracked artifacts for a tree pack, by the path they have in the work tree.
struct Attached<'a> {
    registry: &'a Registry,
    tracked: &'a BTreeSet<Vec<u8>>,
    found: BTreeMap<MemberPath, Protected>,
}

impl Attached<'_> {
    /// Adds what the configuration's `attach` globs match.
    fn configured(
        &mut self,
        root: &Path,
        loaded: &Loaded,
        notices: &mut Vec<Notice>,
    ) -> Result<()> {
        let globs = &loaded.config.attach;
        if globs.is_empty() {
            return Ok(());
        }
        let set = Globs::new(
            globs.iter().map(|glob| glob.value.as_str()),
            Case::Sensitive,
        )
        .map_err(|bad| Refusal::BadConfig {
            origin: loaded.origin.clone(),
            line: globs.get(bad.index).map(|glob| glob.line),
            problem: format!("attach: {}", bad.reason),
        })?;
        let mut used = BTreeSet::new();
        for (path, walked) in files::walk(root, enters_work_tree) {
            let Some(index) = set.matching(&path).next() else {
                continue;
            };
            used.extend(set.matching(&path));
            if !self.tracked.contains(&path) {
                self.add(root, &path, walked, &globs[index].value)?;
            }
        }
        for (_, glob) in globs
            .iter()
            .enumerate()
            .filter(|(index, _)| !used.contains(index))
        {
            notices.push(Notice::NothingToAttach {
                glob: glob.value.clone(),
            });
        }
        Ok(())
    }

    /// Adds a file or directory that was named on the command line.
    fn named(&mut self, ctx: &Context, root: &Path, path: &Path) -> Result<()> {
        let absolute = ctx.cwd.join(path);
        let name = absolute.file_name().map(OsStr::to_owned);
        // The parent may be reached through links; what is attached itself may not be one.
        let place = match name {
            Some(name) => files::canonical(files::parent(&absolute))?.join(name),
            None => files::canonical(&absolute)?,
        };
        let relative = place.strip_prefix(root).map_err(|_| Refusal::Usage {
            problem: format!(
                "--attach {}: it is outside the work tree {}",
                path.display(),
                root.display()
            ),
            next: None,
        })?;
        let relative = relative.as_os_str().as_bytes().to_vec();
        if files::is_directory(&place) {
            let below = files::walk(&place, enters_work_tree);
            if below.is_empty() {
                return Err(Refusal::usage(format!(
                    "--attach {}: there is nothing in it",
                    path.display()
                )));
            }
            for (inner, walked) in below {
                let path = match relative.is_empty() {
                    true => inner,
                    false => [&relative, &b"/"[..], &inner].concat(),
                };
                if !self.tracked.contains(&path) {
                    self.add(root, &path, walked, "--attach")?;
                }
            }
            return Ok(());
        }
        if self.tracked.contains(&relative) {
            let path = shown(&relative);
            return Err(Refusal::Duplicate {
                sources: [
                    format!("--attach {path}"),
                    "the commit, which tracks it".into(),
                ],
                path,
            });
        }
        // That it is there and a regular file is checked again when it is read.
        let meta = files::open_regular(&place)?;
        drop(meta);
        self.add(root, &relative, Walked::File, "--attach")
    }

    fn add(&mut self, root: &Path, path: &[u8], walked: Walked, rule: &str) -> Result<()> {
        let file = root.join(OsStr::from_bytes(path));
        if !is_artifact(&file, walked)? {
            return Ok(());
        }
        let member = member_path(path)?;
        let verdict = self.registry.judge(path);
        self.found.insert(
            member.clone(),
            protect(member, Source::File(file), verdict, rule),
        );
        Ok(())
    }
}

fn enters_work_tree(directory: &[u8]) -> bool {
    let name = directory
        .rsplit(|byte| *byte == b'/')
        .next()
        .unwrap_or(directory);
    name != b".git" && !name.eq_ignore_ascii_case(b"_PACK_RUN")
}

/// Returns whether a walked entry is a file to be sealed; what is neither that nor an empty directory is refused.
fn is_artifact(path: &Path, walked: Walked) -> Result<bool> {
    match walked {
        Walked::File => Ok(true),
        Walked::EmptyDirectory => Ok(false),
        Walked::NotRegular(kind) => Err(Refusal::NotRegular {
            path: path.to_owned(),
            kind,
        }),
        Walked::UnreadableDirectory(e) => Err(Refusal::io("listing", path)(e)),
        Walked::Unreadable(e) => Err(Refusal::io("reading", path)(e)),
    }
}

/// Resolves artifacts to files by member path: a file by its name, a directory as `<its name>/<relative path>`.
fn artifacts(ctx: &Context, arguments: &[PathBuf]) -> Result<BTreeMap<MemberPath, PathBuf>> {
    let mut found: BTreeMap<MemberPath, PathBuf> = BTreeMap::new();
    let mut add = |path: &[u8], file: PathBuf| -> Result<()> {
        let path = member_path(path)?;
        if is_reserved(path.as_str()) {
            return Err(Refusal::ReservedPath {
                path: path.to_string(),
                source: file.display().to_string(),
            });
        }
        if let Some(other) = found.get(&path) {
            return Err(Refusal::Duplicate {
                path: path.to_string(),
                sources: [other.display().to_string(), file.display().to_string()],
            });
        }
        found.insert(path, file);
        Ok(())
    };
    for argument in arguments {
        let file = ctx.cwd.join(argument);
        let name = match argument.file_name() {
            Some(name) => name.to_owned(),
            // `.` and `..` have the name of the directory they stand for.
            None => files::canonical(&file)?
                .file_name()
                .map(OsStr::to_owned)
                .ok_or_else(|| {
                    Refusal::usage(format!(
                        "{}: it has no name to seal it under",
                        argument.display()
                    ))
                })?,
        };
        let looked_at = argument.file_name().is_some() && !ends_with_separator(argument);
        let is_directory = if looked_at {
            files::is_directory(&file)
        } else {
            files::canonical(&file)?.is_dir()
        };
        if !is_directory {
            // Opening says whether it is there and what it is; it is read later.
            drop(files::open_regular(&file)?);
            add(name.as_bytes(), file)?;
            continue;
        }
        for (relative, walked) in files::walk(&file, |_| true) {
            let inner = file.join(OsStr::from_bytes(&relative));
            if is_artifact(&inner, walked)? {
                add(&[name.as_bytes(), b"/", &relative].concat(), inner)?;
            }
        }
    }
    if let Some((file, below)) = file_above(&found) {
        return Err(Refusal::Duplicate {
            path: file.to_string(),
            sources: [
                found[&file].display().to_string(),
                found[&below].display().to_string(),
            ],
        });
    }
    Ok(found)
}

fn ends_with_separator(path: &Path) -> bool {
    path.as_os_str().as_bytes().ends_with(b"/")
}

/// Returns a member that would have to be a file and a directory at once, and one below it.
fn file_above(found: &BTreeMap<MemberPath, PathBuf>) -> Option<(MemberPath, MemberPath)> {
    found.keys().find_map(|below| {
        below.as_str().match_indices('/').find_map(|(at, _)| {
            let above = MemberPath::parse(&below.as_str()[..at]).ok()?;
            found.contains_key(&above).then(|| (above, below.clone()))
        })
    })
}

/// Names that mean something to a verifier and so cannot be given to an artifact.
fn is_reserved(path: &str) -> bool {
    let documents = [
        MANIFEST,
        sealed::MEMBER,
        tree_meta::REPO_STATE,
        tree_meta::FILE_INDEX,
        tree_meta::PACK_INFO,
        tree_meta::PROTECTED,
    ];
    documents.contains(&path) || crate::rules::seals::in_sealed(path)
}

/// A repository whose registry applies to evidence packs: it has a configuration, committed or in the work tree.
struct Governed {
    repo: Repository,
    root: PathBuf,
    committed: Option<Loaded>,
    on_disk: Loaded,
    registry: Registry,
}

impl Governed {
    fn of(ctx: &Context) -> Result<Option<Self>> {
        let repo = match Repository::discover(&ctx.cwd) {
            Err(Refusal::NotARepository { .. }) => return Ok(None),
            other => other?,
        };
        let Some(root) = repo.work_tree() else {
            return Ok(None);
        };
        let on_disk = configuration::on_disk(&root)?;
        let committed = match repo.has_commit() {
            true => Some(configuration::in_commit(&repo, &repo.commit("HEAD")?)?),
            false => None,
        };
        let committed = committed.filter(Loaded::is_present);
        if committed.is_none() && !on_disk.is_present() {
            return Ok(None);
        }
        let registry =
            configuration::registry(&committed.iter().chain([&on_disk]).collect::<Vec<_>>())?;
        Ok(Some(Self {
            repo,
            root,
            committed,
            on_disk,
            registry,
        }))
    }

    fn source_of_recipients(&self) -> &Loaded {
        match &self.committed {
            Some(committed) if !self.on_disk.is_present() => committed,
            _ => &self.on_disk,
        }
    }

    /// Judges an artifact by its name in the pack and by its place in the work tree; the stricter verdict holds.
    fn judge(&self, member: &MemberPath, file: &Path) -> Option<Verdict> {
        let by_name = self.registry.judge(member.as_str().as_bytes());
        let by_place = files::canonical(file)
            .ok()
            .and_then(|file| file.strip_prefix(&self.root).map(Path::to_owned).ok())
            .and_then(|path| self.registry.judge(path.as_os_str().as_bytes()));
        [by_place, by_name]
            .into_iter()
            .flatten()
            .max_by_key(|verdict| verdict.policy)
    }
}
