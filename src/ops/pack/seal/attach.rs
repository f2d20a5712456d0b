//! Untracked files that a tree pack seals as well: those of the configuration's `attach` and of `--attach`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::adapters::files::{self, Walked};
use crate::format::member_path::MemberPath;
use crate::format::path_bytes::{bytes_of_path, path_below};
use crate::format::repo_state::Mode;
use crate::format::sealed::ATTACHED_BY_FLAG;
use crate::ops::Context;
use crate::ops::configuration::Loaded;
use crate::ops::pack::seal::SealNotice;
use crate::ops::pack::seal::collect::{is_artifact, member_path};
use crate::ops::pack::seal::guarded::Guarded;
use crate::ops::pack::seal::judged::{FileJudge, Inside, attached_by, protected_by};
use crate::ops::pack::seal::plan::{ArtifactSource, ProtectedArtifact};
use crate::ops::pack::seal::unkept::UnkeptPaths;
use crate::refusal::config::ConfigFault;
use crate::refusal::shown::shown;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::globs::{Case, Globs};
use crate::rules::protect::{Registry, is_run_output};
use crate::rules::scan::LeakCode;

/// Attached files, by their path in the work tree.
pub(super) struct AttachedFiles<'a> {
    root: &'a Path,
    registry: &'a Registry,
    /// The entries of the commit in the scope. They are in the pack already.
    tracked: &'a BTreeSet<Vec<u8>>,
    found: BTreeMap<MemberPath, ProtectedArtifact>,
    /// What the pack does not keep of them.
    unkept: UnkeptPaths,
}

impl<'a> AttachedFiles<'a> {
    /// Makes an empty collection for the work tree at `root`.
    pub(super) fn of(root: &'a Path, registry: &'a Registry, tracked: &'a BTreeSet<Vec<u8>>) -> Self {
        Self {
            root,
            registry,
            tracked,
            found: BTreeMap::new(),
            unkept: UnkeptPaths::default(),
        }
    }

    /// Returns the artifacts, sorted by path, and what the pack does not keep of them.
    pub(super) fn finish(self) -> (Vec<ProtectedArtifact>, UnkeptPaths) {
        (self.found.into_values().collect(), self.unkept)
    }

    /// Adds the matches of the configuration's `attach` globs. Refuses a glob that matches nothing.
    pub(super) fn configured(&mut self, loaded: &Loaded) -> Result<()> {
        let globs = &loaded.config.attach;
        if globs.is_empty() {
            return Ok(());
        }
        let bad = |index: usize, fault| Refusal::BadConfig {
            origin: loaded.origin.clone(),
            line: globs.get(index).map(|glob| glob.line),
            fault,
        };
        let set = Globs::new(globs.iter().map(|glob| glob.value.as_str()), Case::Sensitive)
            .map_err(|e| bad(e.index, ConfigFault::AttachBadGlob { said: e.reason }))?;
        let used = self.matched(&set, Path::new(""), |index| &globs[index].value)?;
        match (0..globs.len()).find(|index| !used.contains(index)) {
            Some(index) => {
                let glob = globs[index].value.clone();
                Err(bad(index, ConfigFault::AttachNothing { glob }))
            }
            None => Ok(()),
        }
    }

    /// Adds a file, a directory or the matches of a glob, as named on the command line relative to the current
    /// directory.
    pub(super) fn named(&mut self, ctx: &Context, path: &Path) -> Result<Option<SealNotice>> {
        let absolute = ctx.cwd.join(path);
        if !files::exists(&absolute)
            && let Some((directory, glob)) = split_glob(path)
        {
            return self.glob(ctx, path, &directory, &glob).map(|()| None);
        }
        let name = absolute.file_name().map(OsStr::to_owned);
        // The path to the parent may contain links. The attached file itself must not be one.
        let place = match name {
            Some(name) => files::canonical(files::parent(&absolute))?.join(name),
            None => files::canonical(&absolute)?,
        };
        let relative = bytes_of_path(&self.below(&place, path)?).to_vec();
        if files::is_directory(&place) {
            self.directory(&place, &relative, path)?;
        } else if self.tracked.contains(&relative) {
            return Ok(Some(SealNotice::AttachTracked { path: shown(&relative) }));
        } else {
            // The file is checked again when it is read.
            drop(files::open_regular(&place)?);
            self.add(&relative, Walked::File, ATTACHED_BY_FLAG)?;
        }
        Ok(None)
    }

    fn directory(&mut self, place: &Path, relative: &[u8], path: &Path) -> Result<()> {
        let below = files::walk(place, enters_work_tree);
        if below.is_empty() {
            return Err(Refusal::Usage(Misuse::AttachEmpty { path: path.to_owned() }));
        }
        for (inner, walked) in below {
            self.add(&joined(relative, &inner), walked, ATTACHED_BY_FLAG)?;
        }
        Ok(())
    }

    fn glob(&mut self, ctx: &Context, path: &Path, directory: &Path, glob: &str) -> Result<()> {
        let set = Globs::new([glob], Case::Sensitive).map_err(|e| {
            Refusal::Usage(Misuse::AttachBadGlob {
                path: path.to_owned(),
                problem: e.reason,
            })
        })?;
        let directory = ctx.cwd.join(directory);
        let used = match files::canonical(&directory) {
            Ok(place) => {
                let below = self.below(&place, path)?;
                self.matched(&set, &below, |_| ATTACHED_BY_FLAG)?
            }
            Err(_) => BTreeSet::new(),
        };
        match used.is_empty() {
            true => Err(Refusal::Usage(Misuse::AttachNothing {
                path: path.to_owned(),
                directory,
            })),
            false => Ok(()),
        }
    }

    /// Adds the matches of a set of globs below a directory of the work tree; returns the globs that match something.
    fn matched<'g>(&mut self, set: &Globs, below: &Path, rule: impl Fn(usize) -> &'g str) -> Result<BTreeSet<usize>> {
        let mut used = BTreeSet::new();
        let root = self.root.join(below);
        for (inner, walked) in files::walk(&root, enters_work_tree) {
            if let Walked::UnreadableDirectory(e) | Walked::Unreadable(e) = walked {
                // The content of an unreadable directory cannot be judged, and must not be left out without an error.
                return Err(Refusal::io("listing", &root.join(path_below(&inner)))(e));
            }
            let matching = set.matching(&inner);
            if let Some(index) = matching.first() {
                let path = joined(&bytes_of_path(below), &inner);
                if !matches!(walked, Walked::EmptyDirectory) {
                    used.extend(&matching);
                }
                self.add(&path, walked, rule(*index))?;
            }
        }
        Ok(used)
    }

    /// Returns the path below the top of the work tree.
    fn below(&self, place: &Path, path: &Path) -> Result<PathBuf> {
        let below = place.strip_prefix(self.root).map(Path::to_owned);
        below.map_err(|_| {
            Refusal::Usage(Misuse::AttachOutside {
                path: path.to_owned(),
                work_tree: self.root.to_owned(),
            })
        })
    }

    fn add(&mut self, path: &[u8], walked: Walked, rule: &str) -> Result<()> {
        let file = self.root.join(path_below(path));
        if self.tracked.contains(path) {
            return Ok(());
        }
        if !is_artifact(&file, walked)? {
            self.unkept.empty_directory(shown(path));
            return Ok(());
        }
        self.unkept.look_at(&file, || shown(path))?;
        let member = member_path(path)?;
        let judge = FileJudge {
            registry: self.registry,
            guarded: &Guarded::default(),
            mode: Mode::Public,
            look: Inside::AsNeeded,
        };
        let judged = judge.judge(&file, &[path])?;
        let source = ArtifactSource::File(file, Box::new(judged.stamp));
        // An attached file is sealed whatever its content is.
        let artifact = match judged.leak.filter(|leak| leak.code != LeakCode::FakeSeal) {
            Some(leak) => protected_by(leak, member.clone(), source),
            None => attached_by(rule, member.clone(), source),
        };
        self.found.insert(member, artifact);
        Ok(())
    }
}

/// Splits a path with a glob into the directory before the first glob and a glob below that; none if there is no glob.
///
/// Like a glob of the configuration, a glob without a directory matches at any depth.
fn split_glob(path: &Path) -> Option<(PathBuf, String)> {
    let is_glob = |part: &str| part.contains(['*', '?', '[', '{', '\\']);
    let text = path.to_str()?;
    let parts: Vec<&str> = text.split('/').collect();
    let first = parts.iter().position(|part| is_glob(part))?;
    let directory = match &parts[..first] {
        [""] => "/".to_owned(),
        parts => parts.join("/"),
    };
    let glob = parts[first..].join("/");
    Some(match first {
        0 => (PathBuf::from("."), glob),
        _ => (PathBuf::from(directory), format!("/{glob}")),
    })
}

fn joined(directory: &[u8], inner: &[u8]) -> Vec<u8> {
    match (directory, inner) {
        (b"", path) | (path, b"") => path.to_vec(),
        (directory, inner) => [directory, b"/", inner].concat(),
    }
}

fn enters_work_tree(directory: &[u8]) -> bool {
    let name = directory.rsplit(|byte| *byte == b'/').next().unwrap_or(directory);
    name != b".git" && !is_run_output(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_begins_below_the_last_plain_directory() {
        for (path, directory, glob) in [
            ("*.vec", ".", "*.vec"),
            ("**/*.vec", ".", "**/*.vec"),
            ("a/b/*.vec", "a/b", "/*.vec"),
            ("../a/**/x?", "../a", "/**/x?"),
            ("./*.vec", ".", "/*.vec"),
            ("/tmp/*", "/tmp", "/*"),
            ("/*", "/", "/*"),
            ("a/{b,c}/d/", "a", "/{b,c}/d/"),
        ] {
            let split = split_glob(Path::new(path)).unwrap();
            assert_eq!(split, (PathBuf::from(directory), glob.to_owned()), "{path}");
        }
        assert_eq!(split_glob(Path::new("a/b.vec")), None);
    }
}
