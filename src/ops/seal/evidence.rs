//! What an evidence pack is made of: files and directories named on the command line, on disk or in a commit.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::adapters::git::{Commit, Repository};
use crate::adapters::{files, workers};
use crate::format::member_path::{MANIFEST, MemberPath};
use crate::format::object_id::ObjectId;
use crate::format::refusal::{Refusal, Result};
use crate::format::repo_path::shown;
use crate::format::repo_state::{EntryKind, GRAMMAR_VERSION, Mode, RepoState, StateFile, TreeEntry};
use crate::format::{sealed, tree_meta};
use crate::ops::configuration::{self, Loaded};
use crate::ops::contents::traits_of;
use crate::ops::protection::retain_plain;
use crate::ops::seal::collect::{
    Plain, Plan, Source, ensure_is_no_fake, is_artifact, judge_file, member_path, protect, recipients_for,
    same_but_for_case,
};
use crate::ops::seal::{Notice, SealRequest};
use crate::ops::{Context, state};
use crate::rules::protect::Registry;
use crate::rules::scan::Leak;
use crate::rules::seals::{PlainMember, in_directory, in_sealed, judge_at};

/// Collects an evidence pack.
pub fn evidence_pack(ctx: &Context, request: &SealRequest) -> Result<Plan> {
    let tree_only = [
        ("--scope", request.scope.is_some()),
        ("--attach", !request.attach.is_empty()),
        ("--emit", request.emit.is_some()),
    ];
    if let Some((flag, _)) = tree_only.iter().find(|(_, given)| *given) {
        return Err(Refusal::usage(format!(
            "{flag} belongs to a tree pack, and artifacts are named for an evidence pack"
        )));
    }
    let mut candidates = Candidates::default();
    let governed = match &request.rev {
        Some(rev) => {
            let origin = FromCommit::of(ctx, rev)?;
            candidates.add_from_commit(&origin, &request.artifacts)?;
            Some(Governed::by_commit(origin, request.mode)?)
        }
        None => {
            candidates.add_from_disk(ctx, &request.artifacts)?;
            Governed::on_disk(ctx)?
        }
    };
    if governed.is_none() {
        ensure_means_to_copy(ctx, request)?;
    }
    let candidates: Vec<(MemberPath, Candidate)> = candidates.finish()?.into_iter().collect();
    let mut notices = same_but_for_case(candidates.iter().map(|(path, _)| path));
    let mut plain = Vec::new();
    let mut protected = Vec::new();
    let built_in = Registry::of(&[]).expect("the built-in rules compile");
    let judge = Judge {
        registry: governed.as_ref().map_or(&built_in, |governed| &governed.registry),
        governed: governed.as_ref(),
        mode: request.mode,
    };
    let judged = judge.all(&candidates)?;
    for ((path, _), judged) in candidates.into_iter().zip(judged) {
        match judged.leak {
            Some(leak) if governed.is_some() => {
                ensure_is_no_fake(&leak)?;
                protected.push(protect(path, judged.source, Some(leak), ""));
            }
            leak => {
                notices.extend(leak.map(|leak| Notice::Unprotected {
                    path: path.to_string(),
                    class: leak.class,
                }));
                plain.push(Plain {
                    path,
                    source: judged.source,
                    entry: None,
                    seen: Some(Box::new(judged.seen)),
                });
            }
        }
    }
    if protected.is_empty()
        && let Some(flag) = request.sealing_flag()
    {
        notices.push(Notice::NothingSealed { flag });
    }
    let nobody = Loaded::none();
    let loaded = governed.as_ref().map_or(&nobody, |governed| &governed.recipients);
    let recipients = recipients_for(ctx, &protected, request, loaded, || false)?;
    let mut plan = Plan {
        repo: None,
        tree: None,
        mode: request.mode,
        privacy: request.privacy,
        fresh: request.fresh,
        registry: None,
        binding: None,
        plain,
        protected,
        recipients,
        default_directory: Some(ctx.cwd.join("pack")),
        notices,
    };
    if let Some(governed) = governed {
        plan.repo = Some(governed.repo);
        plan.registry = Some(governed.registry);
        plan.binding = governed.binding;
    }
    Ok(plan)
}

/// Where no configuration applies, everything stands in the clear: who says how to seal does not mean that, and what lies in a
/// repository with rules is to be judged by them.
fn ensure_means_to_copy(ctx: &Context, request: &SealRequest) -> Result<()> {
    if let Some(flag) = request.sealing_flag() {
        return Err(Refusal::Usage {
            problem: format!("{flag}: no .gitpack.toml applies here, so nothing would be sealed"),
            next: Some("git pack init    (in a repository; then seal there)".into()),
        });
    }
    for artifact in &request.artifacts {
        let directory = files::canonical(files::parent(&ctx.cwd.join(artifact)))?;
        let repo = match Repository::discover(&directory, &ctx.surroundings) {
            Err(Refusal::NotARepository { .. }) => continue,
            other => other?,
        };
        let Some(root) = repo.work_tree() else { continue };
        if configuration::on_disk(&root)?.is_present() {
            return Err(Refusal::Usage {
                problem: format!(
                    "{} belongs to the repository {}, whose .gitpack.toml says what is sealed",
                    artifact.display(),
                    root.display()
                ),
                next: Some(format!("cd {}    (and seal there)", root.display())),
            });
        }
    }
    Ok(())
}

/// Where an artifact is to be found.
enum Origin {
    File(PathBuf),
    Blob(ObjectId),
}

/// An artifact, before it is known whether it stands in the clear.
struct Candidate {
    source: Origin,
    /// Where it comes from, for messages.
    origin: String,
    /// Its path in the repository, if it is in one.
    place: Option<Vec<u8>>,
}

/// Artifacts by member path: a file by its name, a directory as `<its name>/<relative path>`.
#[derive(Default)]
struct Candidates(BTreeMap<MemberPath, Candidate>);

impl Candidates {
    fn add(&mut self, path: &[u8], candidate: Candidate) -> Result<()> {
        let path = member_path(path)?;
        if is_reserved(path.as_str()) {
            return Err(Refusal::ReservedPath {
                path: path.to_string(),
                source: candidate.origin,
            });
        }
        if let Some(other) = self.0.get(&path) {
            return Err(Refusal::Duplicate {
                path: path.to_string(),
                sources: [other.origin.clone(), candidate.origin],
            });
        }
        self.0.insert(path, candidate);
        Ok(())
    }

    fn add_from_disk(&mut self, ctx: &Context, arguments: &[PathBuf]) -> Result<()> {
        let from = |file: PathBuf| Candidate {
            origin: file.display().to_string(),
            place: None,
            source: Origin::File(file),
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
                        Refusal::usage(format!("{}: it has no name to seal it under", argument.display()))
                    })?,
            };
            // A link is not followed, not even with a slash behind it.
            let bare = file.components().collect::<PathBuf>();
            let is_directory = files::is_directory(&bare);
            if !is_directory {
                // Opening says whether it is there and what it is; it is read later.
                drop(files::open_regular(&bare)?);
                self.add(name.as_bytes(), from(bare))?;
                continue;
            }
            for (relative, walked) in files::walk(&bare, |_| true) {
                let inner = bare.join(OsStr::from_bytes(&relative));
                if is_artifact(&inner, walked)? {
                    self.add(&[name.as_bytes(), b"/", &relative].concat(), from(inner))?;
                }
            }
        }
        Ok(())
    }

    fn add_from_commit(&mut self, origin: &FromCommit, arguments: &[PathBuf]) -> Result<()> {
        for argument in arguments {
            let given = argument.as_os_str().as_bytes();
            let path = given.strip_prefix(b"./").unwrap_or(given);
            let path = path.strip_suffix(b"/").unwrap_or(path);
            let directory = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path).len();
            let above = &path[..path.len() - directory];
            let mut any = false;
            for entry in &origin.entries {
                let full = entry.path.as_bytes();
                let within = full == path || (full.starts_with(path) && full.get(path.len()) == Some(&b'/'));
                if path.is_empty() || !within {
                    continue;
                }
                any = true;
                let name = format!("{}:{}", origin.rev, entry.path);
                let kind = match entry.kind {
                    EntryKind::Regular | EntryKind::Executable => None,
                    EntryKind::Symlink => Some("a symbolic link"),
                    EntryKind::Submodule => Some("a submodule"),
                };
                if let Some(kind) = kind {
                    return Err(Refusal::NotRegular {
                        path: name.into(),
                        kind,
                    });
                }
                let candidate = Candidate {
                    source: Origin::Blob(entry.id),
                    origin: name,
                    place: Some(full.to_vec()),
                };
                self.add(&full[above.len()..], candidate)?;
            }
            if !any {
                return Err(Refusal::Io {
                    deed: "reading",
                    path: format!("{}:{}", origin.rev, shown(given)).into(),
                    source: std::io::Error::new(
                        std::io::ErrorKind::NotFound,
                        "there is nothing of that path in the commit",
                    ),
                });
            }
        }
        Ok(())
    }

    /// Returns the artifacts, if there are any and none would have to be a file and a directory at once.
    fn finish(self) -> Result<BTreeMap<MemberPath, Candidate>> {
        let found = self.0;
        if found.is_empty() {
            return Err(Refusal::Empty);
        }
        for (below, candidate) in &found {
            for (at, _) in below.as_str().match_indices('/') {
                let above = MemberPath::parse(&below.as_str()[..at]);
                if let Some(file) = above.ok().and_then(|above| found.get(&above)) {
                    return Err(Refusal::Duplicate {
                        path: below.as_str()[..at].to_owned(),
                        sources: [file.origin.clone(), candidate.origin.clone()],
                    });
                }
            }
        }
        Ok(found)
    }
}

/// Names that mean something to a verifier and so cannot be given to an artifact.
fn is_reserved(path: &str) -> bool {
    path == MANIFEST
        || in_directory(path, MANIFEST)
        || path == sealed::MEMBER
        || tree_meta::DOCUMENTS.contains(&path)
        || in_sealed(path)
        || in_directory(path, tree_meta::REPO)
}

/// The commit from which artifacts are taken.
struct FromCommit {
    repo: Repository,
    rev: String,
    commit: Commit,
    entries: Vec<TreeEntry>,
}

impl FromCommit {
    fn of(ctx: &Context, rev: &str) -> Result<Self> {
        let repo = ctx.repository()?;
        let commit = repo.commit(rev)?;
        let entries = repo.tree_entries(&commit.tree)?;
        Ok(Self {
            repo,
            rev: rev.to_owned(),
            commit,
            entries,
        })
    }
}

/// A repository that evidence comes from, with what it has to say about it.
struct Governed {
    repo: Repository,
    /// The top of the work tree, for artifacts on disk.
    root: Option<PathBuf>,
    /// None where the repository has no configuration: then it protects nothing.
    registry: Registry,
    /// The configuration that names the recipients.
    recipients: Loaded,
    /// The state of the commit that the evidence is bound to.
    binding: Option<RepoState>,
}

impl Governed {
    /// Takes the configurations that have a say about artifacts on disk: that of `HEAD` and that of the work tree.
    fn on_disk(ctx: &Context) -> Result<Option<Self>> {
        let repo = match ctx.repository() {
            Err(Refusal::NotARepository { .. }) => return Ok(None),
            other => other?,
        };
        let Some(root) = repo.work_tree() else { return Ok(None) };
        let on_disk = configuration::on_disk(&root)?;
        let committed = match repo.has_commit() {
            true => Some(configuration::in_commit(&repo, &repo.commit("HEAD")?)?),
            false => None,
        };
        let committed = committed.filter(Loaded::is_present);
        if committed.is_none() && !on_disk.is_present() {
            return Ok(None);
        }
        let registry = configuration::registry(&committed.iter().chain([&on_disk]).collect::<Vec<_>>())?;
        Ok(Some(Self {
            repo,
            root: Some(root),
            registry,
            recipients: match committed {
                Some(committed) if !on_disk.is_present() => committed,
                _ => on_disk,
            },
            binding: None,
        }))
    }

    /// Takes the configuration of the commit, and binds the evidence to its state.
    fn by_commit(origin: FromCommit, mode: Mode) -> Result<Self> {
        let FromCommit { repo, commit, .. } = origin;
        let loaded = configuration::in_commit(&repo, &commit)?;
        let registry = loaded.registry()?;
        let selection = loaded.scope(None)?;
        let mut entries = state::select(&repo, &commit, &selection)?;
        // The hashes of protected entries are not for everybody.
        retain_plain(&repo, &registry, &mut entries, mode)?;
        let hashed = state::hash(&repo, &registry, entries, &repo.private().digests())?;
        let files = hashed.iter().map(|entry| {
            StateFile::of(entry).map_err(|path| Refusal::UnsafePath {
                path: path.to_string(),
                reason: "it is not UTF-8".into(),
            })
        });
        Ok(Self {
            binding: Some(RepoState {
                canon_version: state::canon(&repo, &commit, &loaded)?,
                grammar_version: GRAMMAR_VERSION.into(),
                scope: selection.key,
                files: files.collect::<Result<_>>()?,
            }),
            repo,
            root: None,
            registry,
            recipients: loaded,
        })
    }

    fn place_of(&self, file: &Path) -> Option<Vec<u8>> {
        let file = files::canonical(file).ok()?;
        let place = file.strip_prefix(self.root.as_ref()?).ok()?;
        Some(place.as_os_str().as_bytes().to_vec())
    }
}

/// Judges artifacts by content, by their names in the pack and by their places in the repository; the strictest verdict
/// holds.
struct Judge<'a> {
    registry: &'a Registry,
    governed: Option<&'a Governed>,
    mode: Mode,
}

/// An artifact, and why it may not stand in the clear.
struct JudgedArtifact {
    source: Source,
    seen: PlainMember,
    leak: Option<Leak>,
}

impl Judge<'_> {
    fn all(&self, candidates: &[(MemberPath, Candidate)]) -> Result<Vec<JudgedArtifact>> {
        let blobs = candidates.iter().filter_map(|(_, candidate)| match candidate.source {
            Origin::Blob(id) => Some(id),
            Origin::File(_) => None,
        });
        let traits = match self.governed {
            Some(governed) => traits_of(&governed.repo, blobs)?,
            None => HashMap::new(),
        };
        workers::map(
            candidates,
            || Ok(()),
            |(), (path, candidate)| {
                let name = path.as_str().as_bytes();
                match &candidate.source {
                    Origin::Blob(id) => {
                        let seen = PlainMember {
                            kind: EntryKind::Regular,
                            traits: traits.get(id).cloned().unwrap_or_default(),
                            blob: Some(*id),
                        };
                        let names = [Some(name), candidate.place.as_deref()];
                        let leaks = names.into_iter().flatten();
                        let leaks = leaks.filter_map(|name| judge_at(self.registry, name, &seen, self.mode));
                        Ok(JudgedArtifact {
                            source: Source::Blob(*id),
                            leak: leaks.max_by_key(|leak| leak.policy),
                            seen,
                        })
                    }
                    Origin::File(file) => {
                        let place = self.governed.and_then(|governed| governed.place_of(file));
                        let names: Vec<&[u8]> = [Some(name), place.as_deref()].into_iter().flatten().collect();
                        let judged = judge_file(file, self.registry, &names, self.mode)?;
                        Ok(JudgedArtifact {
                            source: Source::File(file.clone(), Box::new(judged.stamp)),
                            seen: judged.seen,
                            leak: judged.leak,
                        })
                    }
                }
            },
        )
    }
}
