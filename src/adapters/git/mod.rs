//! A git repository: found as git finds it, and asked for commits, configuration and places.

pub mod blobs;
pub mod canary;
pub mod digest_cache;
pub mod history;
mod holders;
pub mod hooks_dir;
pub mod index;
mod lfs;
mod objects;
mod pack_order;
pub mod pack_tree;
pub mod run_refs;
mod staging;
mod sweep;
pub mod tree;
pub mod work_tree;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use objects::Joined;
pub use objects::ObjectPlaces;
use pack_order::PackIndices;

use gix::bstr::ByteSlice;

use crate::format::object_id::{ObjectHasher, ObjectId};
use crate::format::refusal::{Refusal, Result};

/// A delta-base cache of this size for each thread lets packs be read in one sweep; without one it takes twice as long.
const DELTA_CACHE: &str = "core.deltaBaseCacheLimit=25165824";

/// Objects of any size are read, whoever owns the repository.
const NO_LIMIT: &str = "gitoxide.objects.allocLimitIfReducedTrust=0";

/// The checksum of the index is not computed when it is read: git itself does not do that either, but for `git fsck`.
const SKIP_INDEX_HASH: &str = "index.skipHash=true";

/// A repository; cheap to share among threads.
pub struct Repository {
    shared: gix::ThreadSafeRepository,
    /// Read when objects are first to be put in order.
    packs: OnceLock<PackIndices>,
    /// Joins several object directories into one, where git named them.
    _joined: Option<Joined>,
}

/// A commit, as much of it as is needed here.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    /// Its id.
    pub id: ObjectId,
    /// The id of its tree.
    pub tree: ObjectId,
    /// The committer's time, in seconds since the epoch.
    pub committed: i64,
}

impl Repository {
    /// Opens the repository that git would use in `directory`, heeding `GIT_DIR` and its kin, with the objects in `places`.
    pub fn discover(directory: &Path, places: &ObjectPlaces) -> Result<Self> {
        let mut trust = gix::sec::trust::Mapping::<gix::open::Options>::default();
        for options in [&mut trust.full, &mut trust.reduced] {
            // A repository of another owner is read as any other: nothing in it is executed, and every object must count.
            options.modify(|o| o.cli_overrides([DELTA_CACHE, NO_LIMIT, SKIP_INDEX_HASH]));
        }
        let upwards = gix::discover::upwards::Options {
            match_ceiling_dir_or_error: false,
            ..Default::default()
        };
        let mut shared = gix::ThreadSafeRepository::discover_with_environment_overrides_opts(directory, upwards, trust)
            .map_err(|e| {
                let absent = e.downcast_any_ref::<gix::discover::upwards::Error>().is_some();
                let from_environment = e.is_not_found();
                if absent || from_environment {
                    return Refusal::NotARepository {
                        path: directory.to_owned(),
                    };
                }
                Refusal::Unsupported {
                    what: format!("the repository cannot be opened: {}", explain(&e)),
                    remedy: "git status    (git itself may say more)".into(),
                }
            })?;
        let joined = objects::join(&mut shared, directory, places)?;
        Ok(Self {
            shared,
            packs: OnceLock::new(),
            _joined: joined,
        })
    }

    /// Returns a handle for one thread. Replacement objects are local to a clone and never looked at.
    fn local(&self) -> gix::Repository {
        let mut repo = self.shared.to_thread_local();
        repo.objects.ignore_replacements = true;
        repo
    }

    /// Returns a handle for a thread that reads much, and looks for no new packs meanwhile.
    fn worker(&self) -> gix::Repository {
        let mut repo = self.local();
        repo.objects.refresh_never();
        repo
    }

    /// Returns the top of the work tree, absolute and without links; a bare repository has none.
    pub fn work_tree(&self) -> Option<PathBuf> {
        let work_tree = self.shared.work_tree.as_deref()?;
        Some(std::fs::canonicalize(work_tree).unwrap_or_else(|_| work_tree.to_owned()))
    }

    /// Returns the directory that all worktrees of the clone share.
    pub fn common_dir(&self) -> PathBuf {
        self.local().common_dir().to_owned()
    }

    /// Returns a value of the git configuration that names a path, `~` expanded.
    pub fn config_path(&self, key: &str) -> Result<Option<PathBuf>> {
        self.local()
            .config_snapshot()
            .trusted_path(key)
            .map_err(|e| Refusal::BadConfig {
                origin: "git config".into(),
                line: None,
                problem: format!("{key}: {}", explain(&e)),
            })
    }

    /// Returns a value of the git configuration.
    pub fn config_text(&self, key: &str) -> Option<String> {
        let value = self.local().config_snapshot().string(key)?;
        Some(value.to_str_lossy().into_owned())
    }

    /// Returns whether what was fetched from the remote `name` says something of the place at `url`: they are the same, but
    /// for how one gets there.
    pub fn is_fetched_from(&self, name: &str, url: &str) -> Result<bool> {
        let Some(configured) = self.config_text(&format!("remote.{name}.url")) else {
            return Ok(true);
        };
        if url.is_empty() || place_of(&configured) == place_of(url) {
            return Ok(true);
        }
        // url.<base>.insteadOf may stand between them; git says what it makes of it, without going there.
        let mut git = self.git();
        let output = git.args(["ls-remote", "--get-url", name]).output();
        let output = output.map_err(Refusal::io("running", Path::new("git")))?;
        let fetched = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok(output.status.success() && place_of(&fetched) == place_of(url))
    }

    /// Returns whether a remote of that name is configured.
    pub fn has_remote(&self, name: &str) -> bool {
        let repo = self.local();
        repo.remote_names()
            .iter()
            .any(|remote| remote.as_bstr() == name.as_bytes().as_bstr())
    }

    /// Returns the name of a remote: that of the branch or the first one.
    pub fn any_remote(&self) -> Option<String> {
        let repo = self.local();
        let names = repo.remote_names();
        names.iter().next().map(|name| name.to_str_lossy().into_owned())
    }

    /// Returns the name of the remote that is configured with just this URL.
    pub fn remote_of(&self, url: &str) -> Option<String> {
        let repo = self.local();
        let names = repo.remote_names();
        names.iter().map(|name| name.to_str_lossy().into_owned()).find(|name| {
            ["url", "pushurl"]
                .iter()
                .any(|key| self.config_text(&format!("remote.{name}.{key}")).as_deref() == Some(url))
        })
    }

    /// Returns the short name of the branch that HEAD is on.
    pub fn branch(&self) -> Option<String> {
        let name = self.local().head_name().ok()??;
        Some(name.shorten().to_str_lossy().into_owned())
    }

    /// Returns whether HEAD has a commit.
    pub fn has_commit(&self) -> bool {
        self.local().head_id().is_ok()
    }

    /// Resolves a revision to the commit it names, peeling tags.
    pub fn commit(&self, rev: &str) -> Result<Commit> {
        let repo = self.local();
        let bad = |reason: String| Refusal::BadRevision {
            rev: rev.to_owned(),
            reason,
        };
        let id = match repo.rev_parse_single(rev) {
            Ok(id) => id,
            Err(e) => {
                return Err(match repo.head() {
                    Ok(head) if rev == "HEAD" && head.is_unborn() => Refusal::NoCommit,
                    Ok(_) if e.is_not_found() => match target_of(&repo, rev) {
                        Some(id) => Refusal::MissingObject {
                            count: 1,
                            example: id.to_string(),
                        },
                        None => bad("there is nothing of that name".into()),
                    },
                    Ok(_) => bad(explain(&e)),
                    Err(e) => unreadable_references(&repo, &e),
                });
            }
        };
        let object = id.object().map_err(|e| object_error(id.detach(), &e))?;
        let object = object.peel_tags_to_end().map_err(|e| object_error(id.detach(), &e))?;
        if object.kind != gix::object::Kind::Commit {
            return Err(bad(format!("it names a {}, not a commit", object.kind)));
        }
        let id = object.id;
        ensure_intact(id, "commit", &object.data)?;
        let commit = object.into_commit();
        let decoded =
            || -> std::result::Result<_, gix::Error> { Ok((commit.tree_id()?.detach(), commit.time()?.seconds)) };
        let (tree, committed) = decoded().map_err(|e| object_error(id, &e))?;
        Ok(Commit {
            id: from_gix(&id),
            tree: from_gix(&tree),
            committed,
        })
    }

    /// Returns the git directory and the variables that make a child `git` use this repository and nothing else.
    fn git(&self) -> Command {
        let mut command = Command::new("git");
        command
            .arg("--git-dir")
            .arg(self.shared.refs.git_dir())
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .stdin(std::process::Stdio::null());
        command
    }
}

/// Returns host and path of a URL or a path, without what is only about the way there.
fn place_of(url: &str) -> String {
    let (host, path) = match url.split_once("://") {
        Some(("file", path)) => ("", path),
        Some((_, rest)) => rest.split_once('/').unwrap_or((rest, "")),
        None => match url.split_once(':') {
            Some((host, path)) if !host.contains('/') => (host, path),
            _ => ("", url),
        },
    };
    let host = host.rsplit('@').next().unwrap_or(host);
    let host = host.split(':').next().unwrap_or(host).to_lowercase();
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    match host.is_empty() {
        true => path.to_owned(),
        false => format!("{host}/{}", path.trim_start_matches('/')),
    }
}

/// Takes over an id of the library's.
fn from_gix(id: &gix::oid) -> ObjectId {
    ObjectId::from_bytes(id.as_bytes()).expect("git object ids have 20 or 32 bytes")
}

/// Gives an id back to the library.
fn to_gix(id: &ObjectId) -> gix::ObjectId {
    gix::ObjectId::from_bytes_or_panic(id.as_bytes())
}

/// Joins an error and its causes into one line.
fn explain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !next.is_empty() && !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text.replace('\n', " ")
}

/// Tells an object that is not there from one that cannot be read.
fn object_error(id: gix::ObjectId, error: &gix::Error) -> Refusal {
    if error.is_not_found() {
        Refusal::MissingObject {
            count: 1,
            example: id.to_string(),
        }
    } else {
        corrupt_object(id, &explain(error))
    }
}

/// Refuses an object whose content is not the one that its id stands for.
fn ensure_intact(id: gix::ObjectId, kind: &str, content: &[u8]) -> Result<()> {
    let expected = from_gix(&id);
    let mut hasher = ObjectHasher::new(&expected, kind, content.len() as u64);
    hasher.update(content);
    match hasher.finish() == expected {
        true => Ok(()),
        false => Err(corrupt_object(id, "its content does not hash to its id")),
    }
}

/// Returns what a reference leads to, whether that is in this clone or not.
fn target_of(repo: &gix::Repository, rev: &str) -> Option<gix::ObjectId> {
    let mut reference = repo.find_reference(rev).ok()?;
    Some(reference.follow_to_object().ok()?.detach())
}

/// Tells references that are kept in a way that the library does not know from those that are damaged.
fn unreadable_references(repo: &gix::Repository, error: &gix::Error) -> Refusal {
    let storage = repo.config_snapshot().string("extensions.refStorage");
    match storage.filter(|storage| storage.as_slice() != b"files") {
        Some(storage) => Refusal::Unsupported {
            what: format!("the references of this repository are kept as {storage}, and only files can be read here"),
            remedy: "git refs migrate --ref-format=files".into(),
        },
        None => Refusal::Unsupported {
            what: format!("the references of this repository cannot be read: {}", explain(error)),
            remedy: "git fsck".into(),
        },
    }
}

fn corrupt_object(id: gix::ObjectId, why: &str) -> Refusal {
    Refusal::Corrupt {
        what: format!("object {id} cannot be read: {why}"),
        remedy: "git fsck".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::place_of;

    #[test]
    fn places_are_the_same_whatever_the_way() {
        let place = "host.example/a/b";
        for url in [
            "https://host.example/a/b.git",
            "https://user:word@Host.example:8443/a/b/",
            "ssh://git@host.example/a/b.git",
            "git@host.example:a/b.git",
            "host.example:/a/b",
        ] {
            assert_eq!(place_of(url), place, "{url}");
        }
        assert_eq!(place_of("file:///srv/x.git"), place_of("/srv/x"));
        assert_ne!(place_of("../remote.git"), place_of("../fork.git"));
    }
}
