//! Collects a tree pack: a commit's entries, and untracked artifacts to seal with them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::adapters::files;
use crate::adapters::git::{Commit, Repository};
use crate::format::config::FILE_NAME;
use crate::format::dump::layout::{BUDGETS, Layout};
use crate::format::member_path::above;
use crate::format::object_id::ObjectId;
use crate::format::repo_state::{EntryKind, TreeEntry};
use crate::format::tree_meta::{self, Part};
use crate::ops::configuration::{self, Loaded};
use crate::ops::guard::scan::twins;
use crate::ops::pack::seal::attach::AttachedFiles;
use crate::ops::pack::seal::collect::{member_path, named_elsewhere, same_but_for_case, sealing_of};
use crate::ops::pack::seal::guarded::Guarded;
use crate::ops::pack::seal::judged::{ensure_is_artifact, protected_by};
use crate::ops::pack::seal::leaks::is_empty;
use crate::ops::pack::seal::plan::{
    ArtifactSource, CopiedMember, Material, ProtectedArtifact, Ruled, SealPlan, TreeMember, TreePlan, source_of_entry,
};
use crate::ops::pack::seal::release::release_in_tree;
use crate::ops::pack::seal::remembered::Remembered;
use crate::ops::pack::seal::{SealNotice, SealRequest, limits};
use crate::ops::protection::{PackJudge, blobs};
use crate::ops::{Context, state};
use crate::refusal::leak::Giveaway;
use crate::refusal::usage::Misuse;
use crate::refusal::work_tree::WorkTreeUse;
use crate::refusal::{Refusal, Result};
use crate::rules::protect::{Cause, FileFacts, OUTPUT_DIRECTORY, Registry};
use crate::rules::scope::Selection;
use crate::rules::twins::{SealedTwins, plain_of};

/// The source of a tree pack.
struct Site {
    repo: Repository,
    commit: Commit,
    /// The configuration of the commit.
    loaded: Loaded,
    work_tree: Option<PathBuf>,
}

/// What becomes of protected artifacts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Protected {
    Sealed,
    Withheld,
}

/// Collects a tree pack.
pub fn tree_pack(ctx: &Context, request: &SealRequest) -> Result<SealPlan> {
    collect(ctx, request, Protected::Sealed)
}

/// Collects a tree pack whose protected artifacts are left out and not sealed.
pub fn texts_only(ctx: &Context, request: &SealRequest) -> Result<SealPlan> {
    collect(ctx, request, Protected::Withheld)
}

fn collect(ctx: &Context, request: &SealRequest, fate: Protected) -> Result<SealPlan> {
    let site = Site::of(ctx, request)?;
    let Site {
        repo, commit, loaded, ..
    } = &site;
    let mut registry = loaded.registry()?;
    let selection = loaded.scope(request.scope.as_deref())?;
    let mut notices: Vec<SealNotice> = site.config_differs().into_iter().collect();
    let filter = request.only.as_ref().map(state::filter).transpose()?;
    let taken = |path: &[u8]| filter.as_ref().is_none_or(|filter| filter.contains(path));
    let entries = state::select(repo, commit, &selection)?;
    ensure_fits(repo, &registry, &selection, &entries, &taken)?;
    let attaches = !request.attach.is_empty() || !loaded.config.attach.is_empty();
    let tracked = entries.iter().filter(|_| attaches);
    let tracked: BTreeSet<Vec<u8>> = tracked.map(|e| e.path.as_bytes().to_vec()).collect();
    ensure_no_plain_twin(repo, loaded, &entries)?;
    let guarded = Guarded::of(repo, &registry, Some(commit.tree), Vec::new())?;
    let remembered = match request.plaintext.is_empty() {
        true => Some(Remembered::of(repo, &registry, &guarded, request.mode, &selection)),
        false => None,
    };
    let judged = remembered.as_ref().map(|remembered| remembered.were_judged(&entries));
    let judged = judged.unwrap_or_else(|| vec![false; entries.len()]);
    let judge = PackJudge::told(guarded.traits_of(repo, new_blobs(&entries, &judged))?, request.mode);
    let root = site.work_tree.as_deref();
    let released = release_in_tree(ctx, request, root, &mut registry, (&entries, &judge))?;
    notices.extend(released.into_iter().map(|path| SealNotice::Released { path }));
    // What is not taken protects its copies all the same, so everything is judged before anything is left out.
    let (members, protected) = by_rules(entries, &judged, (&judge, &registry), &taken)?;
    let (members, mut protected) = narrowed(members, protected, &taken)?;
    protected.extend(site.attached(ctx, request, &registry, &tracked, &mut notices)?);
    ensure_distinct(&protected)?;
    notices.extend(same_but_for_case(members.iter().map(|member| &member.copy)));
    let (sealed, withheld) = match fate {
        Protected::Sealed => (protected, Vec::new()),
        Protected::Withheld => (Vec::new(), protected),
    };
    let sealing = sealing_of(ctx, sealed, request, loaded, || named_elsewhere(repo, commit.tree))?;
    let emit = request.emit.clone().or_else(|| loaded.config.emit.clone());
    let emit = emit.unwrap_or_else(|| Part::DEFAULT.to_vec());
    let layout = Layout {
        max_tokens: budget(request, &emit)?.or(selection.layout.max_tokens),
        ..selection.layout
    };
    let branch = match request.rev.as_deref() {
        None | Some("HEAD") => repo.branch()?,
        Some(_) => None,
    };
    Ok(SealPlan {
        mode: request.mode,
        notices,
        default_directory: root.map(|root| root.join(OUTPUT_DIRECTORY)),
        material: Material::Tree(Box::new(TreePlan {
            canon_version: state::canon(repo, commit, loaded)?,
            members,
            withheld,
            commit: *commit,
            branch,
            scope: selection.key,
            title: selection.title,
            emit,
            layout,
            only: request.only.clone(),
            guarded,
            remembered,
            globs: selection.globs,
            ruled: Ruled {
                registry,
                sealing,
                repo: site.repo,
            },
        })),
    })
}

impl Site {
    fn of(ctx: &Context, request: &SealRequest) -> Result<Self> {
        let repo = match ctx.repository() {
            // Without a repository, and without named artifacts, there is nothing to seal.
            Err(Refusal::NotARepository { .. }) if request.rev.is_none() && request.attach.is_empty() => {
                return Err(Refusal::Empty);
            }
            other => other?,
        };
        let commit = repo.commit(request.rev.as_deref().unwrap_or("HEAD"))?;
        Ok(Self {
            loaded: configuration::in_commit(&repo, &commit)?,
            work_tree: repo.work_tree(),
            commit,
            repo,
        })
    }

    /// Returns a notice if the configuration on disk differs from that of the commit. Other line endings do not count.
    fn config_differs(&self) -> Option<SealNotice> {
        let lines = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).replace("\r\n", "\n"));
        let on_disk = self.work_tree.as_ref()?.join(FILE_NAME);
        let is_same = match files::read_optional(&on_disk, configuration::MAX_BYTES) {
            Ok(bytes) => lines(bytes.as_deref()) == lines(self.loaded.bytes.as_deref()),
            Err(_) => false,
        };
        let is_same = is_same
            && match &self.loaded.config.allow_file {
                Some(named) => {
                    let path = self.work_tree.as_ref()?.join(named.value.as_str());
                    let bytes = files::read_optional(&path, configuration::MAX_BYTES).ok().flatten();
                    lines(bytes.as_deref()) == lines(self.loaded.allowed.as_deref())
                }
                None => true,
            };
        (!is_same).then(|| SealNotice::ConfigDiffers {
            commit: self.commit.id.short(),
        })
    }

    /// Returns the untracked artifacts that the configuration or the request attaches.
    fn attached(
        &self,
        ctx: &Context,
        request: &SealRequest,
        registry: &Registry,
        tracked: &BTreeSet<Vec<u8>>,
        notices: &mut Vec<SealNotice>,
    ) -> Result<Vec<ProtectedArtifact>> {
        let Some(root) = &self.work_tree else {
            if !request.attach.is_empty() {
                return Err(Refusal::NoWorkTree {
                    action: WorkTreeUse::Attach,
                });
            }
            if !self.loaded.config.attach.is_empty() {
                notices.push(SealNotice::NowhereToAttach);
            }
            return Ok(Vec::new());
        };
        let mut attached = AttachedFiles::of(root, registry, tracked);
        attached.configured(&self.loaded)?;
        for path in &request.attach {
            notices.extend(attached.named(ctx, path)?);
        }
        let (artifacts, unkept) = attached.finish();
        notices.extend(unkept.notices(request.strict)?);
        Ok(artifacts)
    }
}

/// Refuses a commit that tracks a file beside its sealed twin: the pack would publish what the twin hides.
fn ensure_no_plain_twin(repo: &Repository, loaded: &Loaded, entries: &[TreeEntry]) -> Result<()> {
    let mut sealed = SealedTwins::default();
    let named = entries.iter().filter(|entry| plain_of(entry.path.as_bytes()).is_some());
    twins::collect(repo, named.cloned(), &mut sealed)?;
    if sealed.is_empty() {
        return Ok(());
    }
    let registry = loaded.registry()?.with_twins(&sealed);
    let beside_twin = entries.iter().find_map(|entry| {
        let file = FileFacts {
            path: entry.path.as_bytes(),
            blob: Some(entry.id),
            ..FileFacts::default()
        };
        match registry.judge_file(&file)?.cause {
            Cause::Twin(twin) if entry.kind != EntryKind::Submodule => Some((entry, twin)),
            _ => None,
        }
    });
    match beside_twin {
        Some((entry, twin)) => Err(Refusal::PlaintextLeak {
            plain: entry.path.to_string(),
            giveaway: Giveaway::TwinBeside { twin: twin.to_string() },
            may_be_named: false,
            entry: None,
        }),
        None => Ok(()),
    }
}

/// Returns the budget of tokens that the request asks for.
fn budget(request: &SealRequest, emit: &[Part]) -> Result<Option<u64>> {
    let Some(found) = request.max_tokens else {
        return Ok(None);
    };
    if !emit.contains(&Part::Split) {
        return Err(Refusal::Usage(Misuse::NotSplit));
    }
    let (least, most) = (*BUDGETS.start(), *BUDGETS.end());
    match BUDGETS.contains(&found) {
        true => Ok(Some(found)),
        false => Err(Refusal::Usage(Misuse::BadBudget { found, least, most })),
    }
}

/// Refuses entries that exceed the limits of their scope, and a pack of no entry.
fn ensure_fits(
    repo: &Repository,
    registry: &Registry,
    selection: &Selection,
    entries: &[TreeEntry],
    taken: &dyn Fn(&[u8]) -> bool,
) -> Result<()> {
    let of_pack = entries.iter().filter(|entry| taken(entry.path.as_bytes()));
    if of_pack.clone().next().is_none() && !entries.is_empty() {
        return Err(Refusal::Usage(Misuse::FilterTakesNothing {
            scope: selection.key.clone(),
        }));
    }
    limits::ensure(repo, registry, &selection.key, &selection.limits, of_pack)
}

/// Leaves out the entries that are not taken. Refuses an entry in the clear with the content of a protected one.
fn narrowed(
    mut members: Vec<TreeMember>,
    mut protected: Vec<ProtectedArtifact>,
    taken: &dyn Fn(&[u8]) -> bool,
) -> Result<(Vec<TreeMember>, Vec<ProtectedArtifact>)> {
    members.retain(|member| taken(&member.original()));
    let left_out: BTreeMap<ObjectId, &str> = protected
        .iter()
        .filter(|artifact| !taken(&artifact.path.original()))
        .filter_map(|artifact| match &artifact.source {
            ArtifactSource::Blob(id) if !is_empty(id) => Some((*id, artifact.path.as_str())),
            _ => None,
        })
        .collect();
    if let Some(member) = members.iter().find(|member| left_out.contains_key(&member.id)) {
        return Err(Refusal::PlaintextLeak {
            plain: member.copy.to_string(),
            giveaway: Giveaway::SameContent {
                artifact: left_out[&member.id].to_owned(),
            },
            may_be_named: false,
            entry: member.entry(),
        });
    }
    protected.retain(|artifact| taken(&artifact.path.original()));
    Ok((members, protected))
}

/// Returns the blobs of entries that were not judged before.
fn new_blobs(entries: &[TreeEntry], judged: &[bool]) -> impl Iterator<Item = ObjectId> {
    let new = entries.iter().zip(judged).filter(|(_, judged)| !**judged);
    new.map(|(entry, _)| entry)
        .flat_map(|entry| blobs(std::slice::from_ref(entry)))
}

/// Returns the entries in the clear, and those that are sealed or left out. `judged` tells of which it is known already that they
/// are fit to be in the clear, `taken` which are in the pack.
fn by_rules(
    entries: Vec<TreeEntry>,
    judged: &[bool],
    (judge, registry): (&PackJudge, &Registry),
    taken: &dyn Fn(&[u8]) -> bool,
) -> Result<(Vec<TreeMember>, Vec<ProtectedArtifact>)> {
    let mut protected = Vec::new();
    let mut members = Vec::with_capacity(entries.len());
    for (entry, was_judged) in entries.into_iter().zip(judged.iter().copied()) {
        let path = member_path(entry.path.as_bytes())?;
        if was_judged {
            members.push(TreeMember {
                copy: path.below(tree_meta::REPO),
                kind: entry.kind,
                id: entry.id,
                seen: None,
                was_judged,
            });
            continue;
        }
        let (seen, leak) = judge.judge(registry, &entry);
        match leak {
            None => members.push(TreeMember {
                copy: path.below(tree_meta::REPO),
                kind: entry.kind,
                id: entry.id,
                seen: (!seen.traits.is_plain()).then(|| Box::new(seen)),
                was_judged,
            }),
            Some(leak) => {
                // What is left out is not published, but still protects its copies.
                if taken(entry.path.as_bytes()) {
                    ensure_is_artifact(&leak, true)?;
                }
                protected.push(protected_by(leak, path, source_of_entry(entry.kind, entry.id)));
            }
        }
    }
    Ok((members, protected))
}

/// Refuses a path that would be both a file and a directory.
fn ensure_distinct(protected: &[ProtectedArtifact]) -> Result<()> {
    let paths: BTreeSet<&str> = protected.iter().map(|item| item.path.as_str()).collect();
    for path in &paths {
        if let Some(above) = above(path).find(|above| paths.contains(above)) {
            return Err(Refusal::Duplicate {
                path: above.to_owned(),
                sources: [above.to_owned(), (*path).to_owned()],
            });
        }
    }
    Ok(())
}
