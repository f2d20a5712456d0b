//! What an evidence pack is made of: the files and directories named on the command line.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::adapters::files;
use crate::adapters::git::Repository;
use crate::format::member_path::{MANIFEST, MemberPath};
use crate::format::refusal::{Refusal, Result};
use crate::format::{sealed, tree_meta};
use crate::ops::Context;
use crate::ops::configuration::{self, Loaded};
use crate::ops::seal::collect::{
    Plain, Plan, Source, is_artifact, member_path, protect, recipients_for, same_but_for_case,
};
use crate::ops::seal::{Notice, SealRequest};
use crate::rules::protect::{Registry, Verdict};
use crate::rules::seals::{in_sealed, judge_member};

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
                .ok_or_else(|| Refusal::usage(format!("{}: it has no name to seal it under", argument.display())))?,
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
            sources: [found[&file].display().to_string(), found[&below].display().to_string()],
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
    path == MANIFEST || path == sealed::MEMBER || tree_meta::DOCUMENTS.contains(&path) || in_sealed(path)
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
        let registry = configuration::registry(&committed.iter().chain([&on_disk]).collect::<Vec<_>>())?;
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
        let by_name = judge_member(&self.registry, member.as_str(), false);
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
