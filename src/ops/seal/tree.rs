//! What a tree pack is made of: a commit's entries, and untracked artifacts to be sealed with them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::adapters::files::{self, Walked};
use crate::adapters::git::Repository;
use crate::format::config::FILE_NAME;
use crate::format::member_path::{MemberPath, above};
use crate::format::refusal::{Refusal, Result};
use crate::format::repo_path::shown;
use crate::format::repo_state::{EntryKind, Mode, TreeEntry};
use crate::format::tree_meta::{self, Part};
use crate::ops::configuration::{self, Loaded};
use crate::ops::protection::Judge;
use crate::ops::scan::twins;
use crate::ops::seal::collect::{
    Entry, Plain, Plan, Protected, Source, TreePlan, ensure_is_no_fake, is_artifact, judge_file, member_path, protect,
    recipients_for, same_but_for_case,
};
use crate::ops::seal::{Notice, OUTPUT_DIRECTORY, SealRequest, limits};
use crate::ops::{Context, state};
use crate::rules::globs::{Case, Globs};
use crate::rules::protect::{Cause, Registry, Subject};
use crate::rules::scan::LeakCode;
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

    let mut protected = Vec::new();
    let entries = state::select(&repo, &commit, &selection)?;
    limits::ensure(&repo, &registry, &selection.key, &selection.limits, &entries)?;
    let attaches = !request.attach.is_empty() || !loaded.config.attach.is_empty();
    let tracked = entries.iter().filter(|_| attaches);
    let tracked: BTreeSet<Vec<u8>> = tracked.map(|e| e.path.as_bytes().to_vec()).collect();
    ensure_no_plain_twin(&repo, &loaded, &entries)?;
    let judge = Judge::of(&repo, &entries, request.mode)?;
    let mut plain = Vec::with_capacity(entries.len());
    for entry in entries {
        let (seen, leak) = judge.judge(&registry, &entry);
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
                ensure_is_no_fake(&leak)?;
                protected.push(protect(path, source, Some(leak), "tracked"));
            }
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
        let root = work_tree.as_deref().ok_or(Refusal::NoWorkTree { what: "--attach" })?;
        attached.named(ctx, root, path)?;
    }
    protected.extend(attached.found.into_values());
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
        }),
        None => Ok(()),
    }
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

/// Untracked artifacts for a tree pack, by the path they have in the work tree.
struct Attached<'a> {
    registry: &'a Registry,
    tracked: &'a BTreeSet<Vec<u8>>,
    found: BTreeMap<MemberPath, Protected>,
}

impl Attached<'_> {
    /// Adds what the configuration's `attach` globs match.
    fn configured(&mut self, root: &Path, loaded: &Loaded, notices: &mut Vec<Notice>) -> Result<()> {
        let globs = &loaded.config.attach;
        if globs.is_empty() {
            return Ok(());
        }
        let set = Globs::new(globs.iter().map(|glob| glob.value.as_str()), Case::Sensitive).map_err(|bad| {
            Refusal::BadConfig {
                origin: loaded.origin.clone(),
                line: globs.get(bad.index).map(|glob| glob.line),
                problem: format!("attach: {}", bad.reason),
            }
        })?;
        let mut used = BTreeSet::new();
        for (path, walked) in files::walk(root, enters_work_tree) {
            if let Walked::UnreadableDirectory(e) | Walked::Unreadable(e) = walked {
                // What may lie in there cannot be judged, and must not be left out in silence.
                return Err(Refusal::io("listing", &root.join(OsStr::from_bytes(&path)))(e));
            }
            let Some(index) = set.matching(&path).into_iter().next() else {
                continue;
            };
            used.extend(set.matching(&path));
            if !self.tracked.contains(&path) {
                self.add(root, &path, walked, &globs[index].value)?;
            }
        }
        for (_, glob) in globs.iter().enumerate().filter(|(index, _)| !used.contains(index)) {
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
                sources: [format!("--attach {path}"), "the commit, which tracks it".into()],
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
        let judged = judge_file(&file, self.registry, &[path], Mode::Public)?;
        // What is attached is sealed whatever it is.
        let leak = judged.leak.filter(|leak| leak.code != LeakCode::FakeSeal);
        let source = Source::File(file, Box::new(judged.stamp));
        self.found.insert(member.clone(), protect(member, source, leak, rule));
        Ok(())
    }
}

fn enters_work_tree(directory: &[u8]) -> bool {
    let name = directory.rsplit(|byte| *byte == b'/').next().unwrap_or(directory);
    name != b".git" && !name.eq_ignore_ascii_case(b"_PACK_RUN")
}
