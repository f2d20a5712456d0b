//! What an evidence pack is made of: files and directories named on the command line, on disk or in a commit.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::adapters::git::Repository;
use crate::adapters::{files, workers};
use crate::format::member_path::MemberPath;
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::{EntryKind, GRAMMAR_VERSION, Mode, RepoState, StateFile};
use crate::ops::configuration::{self, Loaded};
use crate::ops::pack::seal::candidates::{Candidate, Candidates, FromCommit, Origin};
use crate::ops::pack::seal::collect::{
    Inside, Plain, Plan, Protected, Source, ensure_is_artifact, judge_file, protect, recipients_for, same_but_for_case,
};
use crate::ops::pack::seal::guarded::{self, Guarded};
use crate::ops::pack::seal::{Notice, SealRequest, release};
use crate::ops::protection::retain_plain;
use crate::ops::{Context, state};
use crate::refusal::{Refusal, Result};
use crate::rules::pack::plain::{PlainMember, judge_at};
use crate::rules::protect::Registry;
use crate::rules::scan::{Leak, needs_a_word};

/// Collects an evidence pack.
pub fn evidence_pack(ctx: &Context, request: &SealRequest) -> Result<Plan> {
    ensure_is_evidence(request)?;
    let mut candidates = Candidates::default();
    let mut ground = match &request.rev {
        Some(rev) => {
            let origin = FromCommit::of(ctx, rev)?;
            candidates.add_from_commit(&origin, &request.artifacts)?;
            Ground::of_commit(origin, request.mode)?
        }
        None => {
            candidates.add_from_disk(ctx, &request.artifacts)?;
            Ground::on_disk(ctx)?
        }
    };
    if ground.rules.is_none() {
        ensure_means_to_copy(ctx, request)?;
    }
    let candidates: Vec<(MemberPath, Candidate)> = candidates.finish()?.into_iter().collect();
    let named = release::named(ctx, request, &candidates)?;
    let mut notices = same_but_for_case(candidates.iter().map(|(path, _)| path));
    let guarded = ground.guard(&candidates)?;
    let judge = Judge {
        ground: &ground,
        guarded: &guarded,
        mode: request.mode,
    };
    let mut judged = judge.all(&candidates)?;
    if let (Some(_), Some(repo)) = (&ground.rules, &ground.repo) {
        release::release(repo, &mut ground.registry, &named, &mut judged, &candidates)?;
    }
    let each = candidates.into_iter().map(|(path, _)| path).zip(judged);
    let (plain, protected) = match &ground.rules {
        Some(_) => by_rules(each)?,
        None => {
            let mut plain = Vec::new();
            for (at, (path, judged)) in each.enumerate() {
                if !named.contains(&at) {
                    ensure_goes_without_a_word(&path, &judged)?;
                    notices.extend(judged.leak.as_ref().map(|leak| Notice::Unprotected {
                        path: path.to_string(),
                        class: leak.class.clone(),
                    }));
                }
                plain.push(judged.plain(path));
            }
            (plain, Vec::new())
        }
    };
    if protected.is_empty()
        && let Some(flag) = request.sealing_flag()
    {
        notices.push(Notice::NothingSealed { flag });
    }
    let nobody = Loaded::none();
    let loaded = ground.rules.as_ref().map_or(&nobody, |rules| &rules.recipients);
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
    if let Some(rules) = ground.rules {
        plan.repo = ground.repo;
        plan.registry = Some(ground.registry);
        plan.binding = rules.binding;
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

/// Refuses flags that belong to a tree pack.
fn ensure_is_evidence(request: &SealRequest) -> Result<()> {
    let tree_only = [
        ("--scope", request.scope.is_some()),
        ("--attach", !request.attach.is_empty()),
        ("--emit", request.emit.is_some()),
    ];
    if let Some((flag, _)) = tree_only.iter().find(|(_, given)| *given) {
        return Err(Refusal::usage(format!(
            "{flag} belongs to a tree pack, and artifacts are named for an evidence pack{}",
            if *flag == "--attach" {
                "; quote a glob, so that the shell leaves it alone"
            } else {
                ""
            }
        )));
    }
    Ok(())
}

/// Returns the artifacts that stand in the clear, and those that are sealed.
fn by_rules(each: impl Iterator<Item = (MemberPath, JudgedArtifact)>) -> Result<(Vec<Plain>, Vec<Protected>)> {
    let (mut plain, mut protected) = (Vec::new(), Vec::new());
    for (path, judged) in each {
        match judged.leak {
            Some(leak) => {
                ensure_is_artifact(&leak)?;
                protected.push(protect(path, judged.source, Some(leak), ""));
            }
            None => plain.push(judged.plain(path)),
        }
    }
    Ok((plain, protected))
}

/// Without rules, what nobody publishes on purpose is refused all the same.
fn ensure_goes_without_a_word(path: &MemberPath, judged: &JudgedArtifact) -> Result<()> {
    let by_guard = judged.leak.as_ref().and_then(guarded::why);
    match by_guard.or_else(|| needs_a_word(path.as_str().as_bytes(), &judged.seen.traits)) {
        None => Ok(()),
        Some(protected) => Err(Refusal::PlaintextLeak {
            plain: path.to_string(),
            protected,
            may_be_named: true,
        }),
    }
}

/// Where evidence comes from, and what has a say about it.
struct Ground {
    /// The repository, if it comes from one.
    repo: Option<Repository>,
    /// The top of the work tree, for artifacts on disk.
    root: Option<PathBuf>,
    /// The tree of the commit that artifacts are taken from.
    tree: Option<ObjectId>,
    registry: Registry,
    /// What the repository's configuration says besides; none where there is no configuration.
    rules: Option<Rules>,
}

/// What a repository with a configuration says about evidence besides what is protected.
struct Rules {
    /// The configuration that names the recipients.
    recipients: Loaded,
    /// The state of the commit that the evidence is bound to.
    binding: Option<RepoState>,
}

impl Ground {
    /// Takes the configurations that have a say about artifacts on disk: that of `HEAD` and that of the work tree.
    fn on_disk(ctx: &Context) -> Result<Self> {
        let mut ground = Self {
            repo: None,
            root: None,
            tree: None,
            registry: Registry::of(&[]).expect("the built-in rules compile"),
            rules: None,
        };
        let repo = match ctx.repository() {
            Err(Refusal::NotARepository { .. }) => return Ok(ground),
            other => other?,
        };
        let Some(root) = repo.work_tree() else {
            return Ok(ground);
        };
        let on_disk = configuration::on_disk(&root)?;
        let committed = match repo.has_commit() {
            true => Some(configuration::in_commit(&repo, &repo.commit("HEAD")?)?),
            false => None,
        };
        let committed = committed.filter(Loaded::is_present);
        ground.repo = Some(repo);
        ground.root = Some(root);
        if committed.is_some() || on_disk.is_present() {
            ground.registry = configuration::registry(&committed.iter().chain([&on_disk]).collect::<Vec<_>>())?;
            ground.rules = Some(Rules {
                recipients: match committed {
                    Some(committed) if !on_disk.is_present() => committed,
                    _ => on_disk,
                },
                binding: None,
            });
        }
        Ok(ground)
    }

    /// Takes the configuration of the commit, and binds the evidence to its state.
    fn of_commit(origin: FromCommit, mode: Mode) -> Result<Self> {
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
        let binding = RepoState {
            canon_version: state::canon(&repo, &commit, &loaded)?,
            grammar_version: GRAMMAR_VERSION.into(),
            scope: selection.key,
            files: files.collect::<Result<_>>()?,
        };
        Ok(Self {
            repo: Some(repo),
            root: None,
            tree: Some(commit.tree),
            registry,
            rules: Some(Rules {
                recipients: loaded,
                binding: Some(binding),
            }),
        })
    }

    /// Has the registry protect the plaintexts of tracked twins; returns what else the clone guards.
    fn guard(&mut self, candidates: &[(MemberPath, Candidate)]) -> Result<Guarded> {
        let Some(repo) = &self.repo else {
            return Ok(Guarded::default());
        };
        let places = candidates.iter().filter_map(|(_, candidate)| match &candidate.source {
            Origin::Blob(_) => candidate.place.clone(),
            Origin::File(file) => self.place_of(file),
        });
        let places = places.map(|place| RepoPath::new(&place)).collect();
        let guarded = Guarded::of(repo, &self.registry, self.tree, places)?;
        self.registry.add_twins(guarded.twins());
        Ok(guarded)
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
    ground: &'a Ground,
    guarded: &'a Guarded,
    mode: Mode,
}

/// An artifact, and why it may not stand in the clear.
pub(super) struct JudgedArtifact {
    source: Source,
    pub(super) seen: PlainMember,
    pub(super) leak: Option<Leak>,
}

impl JudgedArtifact {
    fn plain(self, path: MemberPath) -> Plain {
        Plain {
            path,
            source: self.source,
            entry: None,
            seen: Some(Box::new(self.seen)),
        }
    }
}

impl Judge<'_> {
    fn all(&self, candidates: &[(MemberPath, Candidate)]) -> Result<Vec<JudgedArtifact>> {
        let blobs = candidates.iter().filter_map(|(_, candidate)| match candidate.source {
            Origin::Blob(id) => Some(id),
            Origin::File(_) => None,
        });
        let traits = match &self.ground.repo {
            Some(repo) => self.guarded.traits_of(repo, blobs)?,
            None => HashMap::new(),
        };
        let registry = &self.ground.registry;
        let look = match self.ground.rules {
            Some(_) => Inside::AsNeeded,
            None => Inside::Always,
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
                        let leaks = leaks.filter_map(|name| judge_at(registry, name, &seen, self.mode));
                        Ok(JudgedArtifact {
                            source: Source::Blob(*id),
                            leak: leaks.max_by_key(|leak| leak.policy),
                            seen,
                        })
                    }
                    Origin::File(file) => {
                        let place = self.ground.place_of(file);
                        let names: Vec<&[u8]> = [Some(name), place.as_deref()].into_iter().flatten().collect();
                        let judged = judge_file(file, registry, &names, self.mode, (look, self.guarded))?;
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
