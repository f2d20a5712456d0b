//! Collects an evidence pack: files and directories named on the command line, on disk or in a commit.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::adapters::git::Repository;
use crate::adapters::{files, workers};
use crate::format::member_path::MemberPath;
use crate::format::object_id::ObjectId;
use crate::format::path_bytes::bytes_of_path;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::{EntryKind, GRAMMAR_VERSION, Mode, RepoState, StateFile};
use crate::ops::configuration::{self, Loaded};
use crate::ops::contents::ContentAt;
use crate::ops::pack::seal::candidates::{FromCommit, NamedArtifact, NamedArtifacts};
use crate::ops::pack::seal::collect::{named_elsewhere, same_but_for_case, sealing_of};
use crate::ops::pack::seal::guarded::{self, Guarded};
use crate::ops::pack::seal::judged::{FileJudge, Inside, JudgedArtifact, ensure_is_artifact, protected_by};
use crate::ops::pack::seal::plan::{
    ArtifactSource, EvidenceMember, EvidencePlan, EvidenceRules, Material, ProtectedArtifact, Ruled, SealPlan, Sealing,
};
use crate::ops::pack::seal::{SealNotice, SealRequest, release};
use crate::ops::protection::retain_plain;
use crate::ops::{Context, state};
use crate::refusal::keys::RecipientsElsewhere;
use crate::refusal::seal_option::SealOption;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::pack::plain::{PlainMember, judge_at};
use crate::rules::protect::Registry;
use crate::rules::scan::{Traits, needs_a_word};

/// Collects an evidence pack.
pub fn evidence_pack(ctx: &Context, request: &SealRequest) -> Result<SealPlan> {
    ensure_is_evidence(request)?;
    let mut candidates = NamedArtifacts::default();
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
    if ground.site.rules().is_none() {
        ensure_means_to_copy(ctx, request)?;
    }
    let (candidates, unkept) = candidates.finish()?;
    let candidates: Vec<(MemberPath, NamedArtifact)> = candidates.into_iter().collect();
    let named = release::named(ctx, request, &candidates)?;
    let mut notices = same_but_for_case(candidates.iter().map(|(path, _)| path));
    notices.extend(unkept.notices(request.strict)?);
    let guarded = ground.guard(&candidates)?;
    let judge = Judge {
        ground: &ground,
        guarded: &guarded,
        mode: request.mode,
    };
    let mut judged = judge.all(&candidates)?;
    if let (Some(_), Some(repo)) = (ground.site.rules(), ground.site.repo()) {
        release::release(repo, &mut ground.registry, &named, &mut judged, &candidates)?;
    }
    let each = candidates.into_iter().map(|(path, _)| path).zip(judged);
    let (members, sealing) = match ground.site.rules() {
        Some(loaded) => {
            let (members, protected) = by_rules(each)?;
            let elsewhere = || match (ground.site.repo(), ground.site.tree()) {
                (Some(repo), Some(tree)) => named_elsewhere(repo, tree),
                _ => RecipientsElsewhere::Nowhere,
            };
            (members, sealing_of(ctx, protected, request, loaded, elsewhere)?)
        }
        None => (without_rules(each, &named, &mut notices)?, None),
    };
    if sealing.is_none()
        && let Some(option) = request.sealing_option()
    {
        notices.push(SealNotice::NothingSealed { option });
    }
    Ok(SealPlan {
        mode: request.mode,
        notices,
        default_directory: Some(ctx.cwd.join("pack")),
        material: Material::Evidence(Box::new(EvidencePlan {
            members,
            rules: ground.into_rules(sealing),
        })),
    })
}

/// Without a configuration, every artifact is copied in the clear. Refuses that if a flag says how to seal, or if an
/// artifact belongs to a repository with rules.
fn ensure_means_to_copy(ctx: &Context, request: &SealRequest) -> Result<()> {
    if let Some(option) = request.sealing_option() {
        return Err(Refusal::Usage(Misuse::NothingWouldBeSealed { option }));
    }
    for artifact in &request.artifacts {
        let directory = files::canonical(files::parent(&ctx.cwd.join(artifact)))?;
        let repo = match Repository::discover(&directory, &ctx.surroundings) {
            Err(Refusal::NotARepository { .. }) => continue,
            other => other?,
        };
        let Some(root) = repo.work_tree() else { continue };
        if configuration::on_disk(&root)?.is_present() {
            return Err(Refusal::Usage(Misuse::OtherRules {
                artifact: artifact.clone(),
                repository: root,
            }));
        }
    }
    Ok(())
}

/// Refuses flags that belong to a tree pack.
fn ensure_is_evidence(request: &SealRequest) -> Result<()> {
    let tree_only = [
        (SealOption::Scope, request.scope.is_some()),
        (SealOption::Attach, !request.attach.is_empty()),
        (SealOption::Emit, request.emit.is_some()),
        (
            SealOption::Include,
            request.only.as_ref().is_some_and(|only| !only.include.is_empty()),
        ),
        (
            SealOption::Exclude,
            request.only.as_ref().is_some_and(|only| !only.exclude.is_empty()),
        ),
        (SealOption::MaxTokens, request.max_tokens.is_some()),
    ];
    if let Some((option, _)) = tree_only.into_iter().find(|(_, given)| *given) {
        return Err(Refusal::Usage(Misuse::OfTreePack { option }));
    }
    Ok(())
}

/// Returns the artifacts in the clear, and those that are sealed.
fn by_rules(
    each: impl Iterator<Item = (MemberPath, JudgedArtifact)>,
) -> Result<(Vec<EvidenceMember>, Vec<ProtectedArtifact>)> {
    let (mut members, mut protected) = (Vec::new(), Vec::new());
    for (path, judged) in each {
        match judged.leak {
            Some(leak) => {
                ensure_is_artifact(&leak, false)?;
                protected.push(protected_by(leak, path, judged.source));
            }
            None => members.push(judged.plain(path)),
        }
    }
    Ok((members, protected))
}

/// Returns the artifacts, all of them in the clear. An artifact that looks protected is refused or reported, unless its
/// index is in `named`.
fn without_rules(
    each: impl Iterator<Item = (MemberPath, JudgedArtifact)>,
    named: &BTreeSet<usize>,
    notices: &mut Vec<SealNotice>,
) -> Result<Vec<EvidenceMember>> {
    let mut members = Vec::new();
    for (at, (path, judged)) in each.enumerate() {
        if !named.contains(&at) {
            ensure_goes_without_a_word(&path, &judged)?;
            notices.extend(judged.leak.as_ref().map(|leak| SealNotice::Unprotected {
                path: path.to_string(),
                class: leak.class.clone(),
            }));
        }
        members.push(judged.plain(path));
    }
    Ok(members)
}

/// Refuses artifacts that must not be published by accident, even without rules.
fn ensure_goes_without_a_word(path: &MemberPath, judged: &JudgedArtifact) -> Result<()> {
    let by_guard = judged.leak.as_ref().and_then(guarded::why);
    match by_guard.or_else(|| needs_a_word(path.as_str().as_bytes(), &judged.seen.traits)) {
        None => Ok(()),
        Some(giveaway) => Err(Refusal::PlaintextLeak {
            plain: path.to_string(),
            giveaway,
            may_be_named: true,
            entry: None,
        }),
    }
}

/// The source of the evidence, and the rules that apply.
struct Ground {
    site: Site,
    registry: Registry,
}

/// Where artifacts are read from.
enum Site {
    /// The disk, outside of any work tree.
    Disk,
    /// A work tree.
    WorkTree {
        repo: Repository,
        /// The top of the work tree.
        root: PathBuf,
        /// The configuration that names the recipients; none if the work tree has no configuration.
        rules: Option<Loaded>,
    },
    /// A commit.
    Commit {
        repo: Repository,
        tree: ObjectId,
        /// The commit's configuration, which names the recipients.
        rules: Loaded,
        /// The commit's state, to which the evidence is bound.
        binding: RepoState,
    },
}

impl Site {
    fn repo(&self) -> Option<&Repository> {
        match self {
            Self::Disk => None,
            Self::WorkTree { repo, .. } | Self::Commit { repo, .. } => Some(repo),
        }
    }

    fn tree(&self) -> Option<ObjectId> {
        match self {
            Self::Commit { tree, .. } => Some(*tree),
            Self::Disk | Self::WorkTree { .. } => None,
        }
    }

    /// Returns the configuration that says how to seal; none if there is none.
    fn rules(&self) -> Option<&Loaded> {
        match self {
            Self::Disk => None,
            Self::WorkTree { rules, .. } => rules.as_ref(),
            Self::Commit { rules, .. } => Some(rules),
        }
    }

    /// Returns the path of a file in the work tree.
    fn place_of(&self, file: &Path) -> Option<Vec<u8>> {
        let Self::WorkTree { root, .. } = self else { return None };
        let file = files::canonical(file).ok()?;
        let place = file.strip_prefix(root).ok()?;
        Some(bytes_of_path(place).to_vec())
    }
}

impl Ground {
    /// Loads the configurations that apply to artifacts on disk: those of `HEAD` and of the work tree.
    fn on_disk(ctx: &Context) -> Result<Self> {
        let builtin = || Registry::of(&[]).expect("the built-in rules compile");
        let nowhere = || Self {
            site: Site::Disk,
            registry: builtin(),
        };
        let repo = match ctx.repository() {
            Err(Refusal::NotARepository { .. }) => return Ok(nowhere()),
            other => other?,
        };
        let Some(root) = repo.work_tree() else {
            return Ok(nowhere());
        };
        let on_disk = configuration::on_disk(&root)?;
        let committed = match repo.has_commit()? {
            true => Some(configuration::in_commit(&repo, &repo.commit("HEAD")?)?),
            false => None,
        };
        let committed = committed.filter(Loaded::is_present);
        let applies = committed.is_some() || on_disk.is_present();
        let registry = match applies {
            true => configuration::registry(&committed.iter().chain([&on_disk]).collect::<Vec<_>>())?,
            false => builtin(),
        };
        let rules = match committed {
            Some(committed) if !on_disk.is_present() => committed,
            _ => on_disk,
        };
        Ok(Self {
            site: Site::WorkTree {
                repo,
                root,
                rules: applies.then_some(rules),
            },
            registry,
        })
    }

    /// Loads the commit's configuration, and binds the evidence to its state.
    fn of_commit(origin: FromCommit, mode: Mode) -> Result<Self> {
        let FromCommit { repo, commit, .. } = origin;
        let loaded = configuration::in_commit(&repo, &commit)?;
        let registry = loaded.registry()?;
        let selection = loaded.scope(None)?;
        let mut entries = state::select(&repo, &commit, &selection)?;
        // The hashes of protected entries must not be published.
        retain_plain(&repo, &registry, &mut entries, mode)?;
        let hashed = state::hash(&repo, &registry, entries, repo.private().digests())?;
        let mut files: Vec<StateFile> = hashed.iter().map(StateFile::of).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let binding = RepoState {
            canon_version: state::canon(&repo, &commit, &loaded)?,
            grammar_version: GRAMMAR_VERSION.into(),
            scope: selection.key,
            files,
        };
        Ok(Self {
            site: Site::Commit {
                repo,
                tree: commit.tree,
                rules: loaded,
                binding,
            },
            registry,
        })
    }

    /// Makes the registry protect the plaintexts of tracked twins; returns what else the clone guards.
    fn guard(&mut self, candidates: &[(MemberPath, NamedArtifact)]) -> Result<Guarded> {
        let Some(repo) = self.site.repo() else {
            return Ok(Guarded::default());
        };
        let places = candidates.iter().filter_map(|(_, candidate)| match &candidate.source {
            ContentAt::Blob(_) => candidate.place.clone(),
            ContentAt::File(file) => self.site.place_of(file),
        });
        let places = places.map(|place| RepoPath::new(&place)).collect();
        let guarded = Guarded::of(repo, &self.registry, self.site.tree(), places)?;
        self.registry.add_twins(guarded.twins());
        Ok(guarded)
    }

    /// Returns the rules that judged the evidence, with what they seal; none if no configuration applies.
    fn into_rules(self, sealing: Option<Sealing>) -> Option<EvidenceRules> {
        let (repo, binding) = match self.site {
            Site::Disk | Site::WorkTree { rules: None, .. } => return None,
            Site::WorkTree { repo, .. } => (repo, None),
            Site::Commit { repo, binding, .. } => (repo, Some(binding)),
        };
        Some(EvidenceRules {
            ruled: Ruled {
                repo,
                registry: self.registry,
                sealing,
            },
            binding,
        })
    }
}

/// Judges artifacts by content, by their names in the pack and by their paths in the repository. The strictest verdict
/// applies.
struct Judge<'a> {
    ground: &'a Ground,
    guarded: &'a Guarded,
    mode: Mode,
}

impl Judge<'_> {
    fn all(&self, candidates: &[(MemberPath, NamedArtifact)]) -> Result<Vec<JudgedArtifact>> {
        let blobs = candidates.iter().filter_map(|(_, candidate)| match candidate.source {
            ContentAt::Blob(id) => Some(id),
            ContentAt::File(_) => None,
        });
        let traits = match self.ground.site.repo() {
            Some(repo) => self.guarded.traits_of(repo, blobs)?,
            None => HashMap::new(),
        };
        let files = FileJudge {
            registry: &self.ground.registry,
            guarded: self.guarded,
            mode: self.mode,
            look: match self.ground.site.rules() {
                Some(_) => Inside::AsNeeded,
                None => Inside::Always,
            },
        };
        workers::map(
            candidates,
            || Ok(()),
            |(), (path, candidate)| {
                let name = path.as_str().as_bytes();
                match &candidate.source {
                    ContentAt::Blob(id) => Ok(self.blob(*id, name, candidate, &traits)),
                    ContentAt::File(file) => {
                        let place = self.ground.site.place_of(file);
                        let names: Vec<&[u8]> = [Some(name), place.as_deref()].into_iter().flatten().collect();
                        let judged = files.judge(file, &names)?;
                        Ok(JudgedArtifact {
                            source: ArtifactSource::File(file.clone(), Box::new(judged.stamp)),
                            seen: judged.seen,
                            leak: judged.leak,
                        })
                    }
                }
            },
        )
    }

    fn blob(
        &self,
        id: ObjectId,
        name: &[u8],
        candidate: &NamedArtifact,
        traits: &HashMap<ObjectId, Traits>,
    ) -> JudgedArtifact {
        let seen = PlainMember {
            kind: EntryKind::Regular,
            traits: traits.get(&id).cloned().unwrap_or_default(),
            blob: Some(id),
        };
        let names = [Some(name), candidate.place.as_deref()];
        let leaks = names.into_iter().flatten();
        let leaks = leaks.filter_map(|name| judge_at(&self.ground.registry, name, &seen, self.mode));
        JudgedArtifact {
            source: ArtifactSource::Blob(id),
            // Of equally strict ones the first, which is by the path in the pack: `verify` knows no other path.
            leak: leaks.rev().max_by_key(|leak| leak.policy),
            seen,
        }
    }
}
