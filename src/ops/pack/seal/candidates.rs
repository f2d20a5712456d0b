//! The named artifacts, before it is known which of them are sealed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;

use crate::adapters::files;
use crate::adapters::git::{Commit, Repository};
use crate::format::member_path::{MANIFEST, MemberPath};
use crate::format::path_bytes::{bytes_of_path, path_below};
use crate::format::repo_state::{EntryKind, TreeEntry};
use crate::format::{sealed, tree_meta};
use crate::ops::Context;
use crate::ops::contents::ContentAt;
use crate::ops::pack::seal::collect::{is_artifact, member_path};
use crate::ops::pack::seal::unkept::UnkeptPaths;
use crate::refusal::shown::shown;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::pack::places::{in_directory, in_sealed};

/// An artifact, before it is known whether it is sealed.
pub(super) struct NamedArtifact {
    pub(super) source: ContentAt,
    /// Its origin, for messages.
    origin: String,
    /// Its path in the repository, if it is in one.
    pub(super) place: Option<Vec<u8>>,
}

/// Artifacts by member path: a file by its name, a directory as `<its name>/<relative path>`.
#[derive(Default)]
pub(super) struct NamedArtifacts {
    found: BTreeMap<MemberPath, NamedArtifact>,
    /// What the pack does not keep of them.
    unkept: UnkeptPaths,
}

impl NamedArtifacts {
    fn add(&mut self, path: &[u8], candidate: NamedArtifact) -> Result<()> {
        let path = member_path(path)?;
        if is_reserved(path.as_str()) {
            return Err(Refusal::ReservedPath {
                path: path.to_string(),
                source: candidate.origin,
            });
        }
        if let Some(other) = self.found.get(&path) {
            return Err(Refusal::Duplicate {
                path: path.to_string(),
                sources: [other.origin.clone(), candidate.origin],
            });
        }
        self.found.insert(path, candidate);
        Ok(())
    }

    pub(super) fn add_from_disk(&mut self, ctx: &Context, arguments: &[PathBuf]) -> Result<()> {
        let from = |file: PathBuf| NamedArtifact {
            origin: file.display().to_string(),
            place: None,
            source: ContentAt::File(file),
        };
        for argument in arguments {
            let file = ctx.cwd.join(argument);
            let name = match argument.file_name() {
                Some(name) => name.to_owned(),
                // `.` and `..` take the name of the directory that they stand for.
                None => files::canonical(&file)?
                    .file_name()
                    .map(OsStr::to_owned)
                    .ok_or_else(|| {
                        Refusal::Usage(Misuse::NoMemberName {
                            artifact: argument.clone(),
                        })
                    })?,
            };
            // A link is not followed, not even with a slash after it.
            let bare = file.components().collect::<PathBuf>();
            let is_directory = files::is_directory(&bare);
            if !is_directory {
                // Opening it checks that it exists and is a regular file. It is read later.
                drop(files::open_regular(&bare)?);
                self.unkept.look_at(&bare, || shown(name.as_encoded_bytes()))?;
                self.add(name.as_encoded_bytes(), from(bare))?;
                continue;
            }
            for (relative, walked) in files::walk(&bare, |_| true) {
                let inner = bare.join(path_below(&relative));
                let path = [name.as_encoded_bytes(), b"/", &relative].concat();
                if is_artifact(&inner, walked)? {
                    self.unkept.look_at(&inner, || shown(&path))?;
                    self.add(&path, from(inner))?;
                } else {
                    self.unkept.empty_directory(shown(&path));
                }
            }
        }
        Ok(())
    }

    pub(super) fn add_from_commit(&mut self, origin: &FromCommit, arguments: &[PathBuf]) -> Result<()> {
        for argument in arguments {
            let given = &*bytes_of_path(argument);
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
                if entry.kind == EntryKind::Executable {
                    self.unkept.executable(shown(&full[above.len()..]));
                }
                let candidate = NamedArtifact {
                    source: ContentAt::Blob(entry.id),
                    origin: name,
                    place: Some(full.to_vec()),
                };
                self.add(&full[above.len()..], candidate)?;
            }
            if !any {
                return Err(Refusal::Io {
                    deed: "reading",
                    path: format!("{}:{}", origin.rev, shown(given)).into(),
                    source: std::io::Error::new(std::io::ErrorKind::NotFound, "the commit has no such path"),
                });
            }
        }
        Ok(())
    }

    /// Returns the artifacts, and what the pack does not keep of them. Refuses if there are none, or if a path would be
    /// both a file and a directory.
    pub(super) fn finish(self) -> Result<(BTreeMap<MemberPath, NamedArtifact>, UnkeptPaths)> {
        let Self { found, unkept } = self;
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
        Ok((found, unkept))
    }
}

/// Returns whether a path has a meaning for verifiers, so that an artifact cannot have it.
fn is_reserved(path: &str) -> bool {
    path == MANIFEST
        || in_directory(path, MANIFEST)
        || path == sealed::MEMBER
        || tree_meta::DOCUMENTS.contains(&path)
        || in_sealed(path)
        || in_directory(path, tree_meta::REPO)
}

/// The commit that artifacts are read from.
pub(super) struct FromCommit {
    pub(super) repo: Repository,
    rev: String,
    pub(super) commit: Commit,
    entries: Vec<TreeEntry>,
}

impl FromCommit {
    pub(super) fn of(ctx: &Context, rev: &str) -> Result<Self> {
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
