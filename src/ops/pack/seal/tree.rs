//! What a tree pack is made of: a commit's entries, and untracked artifacts to be sealed with them.

use std::collections::BTreeSet;
use std::path::Path;

use crate::adapters::files;
use crate::adapters::git::Repository;
use crate::format::config::FILE_NAME;
use crate::format::member_path::above;
use crate::format::repo_state::{EntryKind, TreeEntry};
use crate::format::tree_meta::{self, Part};
use crate::ops::configuration::{self, Loaded};
use crate::ops::guard::scan::twins;
use crate::ops::pack::seal::attach::Attached;
use crate::ops::pack::seal::collect::{
    Entry, Plain, Plan, Protected, Source, TreePlan, ensure_is_artifact, member_path, protect, recipients_for,
    same_but_for_case,
};
use crate::ops::pack::seal::guarded::Guarded;
use crate::ops::pack::seal::release::release_in_tree;
use crate::ops::pack::seal::{Notice, OUTPUT_DIRECTORY, SealRequest, limits};
use crate::ops::protection::{Judge, blobs};
use crate::ops::{Context, state};
use crate::refusal::{Refusal, Result};
use crate::rules::protect::{Cause, Registry, Subject};
use crate::rules::twins::SealedTwins;

/// Collects a tree pack.
pub fn tree_pack(ctx: &Context, request: &SealRequest) -> Result<Plan> {
    let repo = match ctx.repository() {
        // Without a repository there is nothing to seal unless artifacts are named.
        Err(Refusal::NotARepository { .. }) if request.rev.is_none() && request.attach.is_empty() => {
            return Err(Refusal::Empty);
        }
        other => other?,
    };
    let commit = repo.commit(request.rev.as_deref().unwrap_or("HEAD"))?;
    let loaded = configuration::in_commit(&repo, &commit)?;
    let mut registry = loaded.registry()?;
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

    let entries = state::select(&repo, &commit, &selection)?;
    limits::ensure(&repo, &registry, &selection.key, &selection.limits, &entries)?;
    let attaches = !request.attach.is_empty() || !loaded.config.attach.is_empty();
    let tracked = entries.iter().filter(|_| attaches);
    let tracked: BTreeSet<Vec<u8>> = tracked.map(|e| e.path.as_bytes().to_vec()).collect();
    ensure_no_plain_twin(&repo, &loaded, &entries)?;
    let guarded = Guarded::of(&repo, &registry, Some(commit.tree), Vec::new())?;
    let traits = guarded.traits_of(&repo, blobs(&entries))?;
    let judge = Judge::told(traits, request.mode);
    let released = release_in_tree(ctx, request, work_tree.as_deref(), &mut registry, (&entries, &judge))?;
    notices.extend(released.into_iter().map(|path| Notice::Released { path }));
    let (plain, mut protected) = by_rules(entries, &judge, &registry)?;
    match &work_tree {
        Some(root) => {
            let mut attached = Attached::of(root, &registry, &tracked);
            attached.configured(&loaded)?;
            for path in &request.attach {
                notices.extend(attached.named(ctx, path)?);
            }
            protected.extend(attached.into_protected());
        }
        None if !request.attach.is_empty() => return Err(Refusal::NoWorkTree { what: "--attach" }),
        None if !loaded.config.attach.is_empty() => notices.push(Notice::NowhereToAttach),
        None => {}
    }
    ensure_distinct(&protected)?;
    notices.extend(same_but_for_case(plain.iter().map(|p| &p.path)));

    let recipients = recipients_for(ctx, &protected, request, &loaded, || {
        work_tree
            .as_deref()
            .is_some_and(|root| configuration::on_disk(root).is_ok_and(|disk| disk.names_recipients()))
    })?;
    let emit = request.emit.clone().or_else(|| loaded.config.emit.clone());
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
            emit: emit.unwrap_or_else(|| Part::DEFAULT.to_vec()),
            layout: selection.layout,
            globs: selection.globs,
        }),
        mode: request.mode,
        privacy: request.privacy,
        fresh: request.fresh,
        registry: Some(registry),
        binding: None,
        plain,
        protected,
        recipients,
        default_directory: work_tree.map(|root| root.join(OUTPUT_DIRECTORY)),
        notices,
        repo: Some(repo),
    })
}

/// A commit that tracks a file beside its sealed twin would have the pack publish what the twin hides.
fn ensure_no_plain_twin(repo: &Repository, loaded: &Loaded, entries: &[TreeEntry]) -> Result<()> {
    let mut sealed = SealedTwins::default();
    twins::collect(repo, entries.iter().cloned(), &mut sealed)?;
    let registry = loaded.registry()?.with_twins(&sealed);
    let beside_twin = entries.iter().find_map(|entry| {
        let file = Subject {
            path: entry.path.as_bytes(),
            blob: Some(entry.id),
            ..Subject::default()
        };
        match registry.judge_file(&file)?.cause {
            Cause::Twin(twin) if entry.kind != EntryKind::Submodule => Some((entry, twin)),
            _ => None,
        }
    });
    match beside_twin {
        Some((entry, twin)) => Err(Refusal::PlaintextLeak {
            plain: entry.path.to_string(),
            protected: format!("its sealed twin {twin} is tracked beside it"),
            may_be_named: false,
        }),
        None => Ok(()),
    }
}

/// Returns the entries that stand in the clear, and those that are sealed.
fn by_rules(entries: Vec<TreeEntry>, judge: &Judge, registry: &Registry) -> Result<(Vec<Plain>, Vec<Protected>)> {
    let mut protected = Vec::new();
    let mut plain = Vec::with_capacity(entries.len());
    for entry in entries {
        let (seen, leak) = judge.judge(registry, &entry);
        let path = member_path(entry.path.as_bytes())?;
        let source = match entry.kind {
            EntryKind::Submodule => Source::Bytes(entry.id.hex().into_bytes()),
            _ => Source::Blob(entry.id),
        };
        match leak {
            None => plain.push(Plain {
                path: path.below(tree_meta::REPO),
                source,
                entry: Some(Entry {
                    kind: entry.kind,
                    id: entry.id,
                }),
                seen: (!seen.traits.is_plain()).then(|| Box::new(seen)),
            }),
            Some(leak) => {
                ensure_is_artifact(&leak)?;
                protected.push(protect(path, source, Some(leak), "tracked"));
            }
        }
    }
    Ok((plain, protected))
}

/// No artifact may have to be a file and a directory at once.
fn ensure_distinct(protected: &[Protected]) -> Result<()> {
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

/// A checkout with other line ends says the same.
fn config_differs(root: &Path, committed: &Loaded) -> bool {
    let lines = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).replace("\r\n", "\n"));
    match files::read_optional(&root.join(FILE_NAME), configuration::MAX_BYTES) {
        Ok(bytes) => lines(bytes.as_deref()) != lines(committed.bytes.as_deref()),
        Err(_) => true,
    }
}
