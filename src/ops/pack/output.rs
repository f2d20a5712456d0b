//! Decides where a command may create a directory: never over existing files, in its own input or in git's directory.
//! Opened plaintext never goes where git could track it.

use std::io;
use std::path::{Component, Path, PathBuf};

use crate::adapters::files::{self, Durability, Over, write_whole};
use crate::adapters::git::Repository;
use crate::format::path_bytes::bytes_of_path;
use crate::format::repo_path::RepoPath;
use crate::ops::Context;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::protect::OUTPUT_DIRECTORY;

/// A path that is free, or an empty directory.
pub struct OutputPlace {
    /// The absolute path, with links and dots resolved.
    pub path: PathBuf,
    /// The path as it was named, below the directory of the command.
    named: PathBuf,
    /// The repository that contains it.
    repo: Option<Repository>,
}

impl OutputPlace {
    /// Takes a path for a new directory. Refuses one that is in use, or inside git's own directory.
    pub fn at(ctx: &Context, wanted: &Path) -> Result<Self> {
        let wanted = ctx.cwd.join(wanted);
        if files::exists(&wanted) && !files::is_empty_directory(&wanted) {
            return Err(Refusal::OutputExists {
                path: wanted,
                replaceable: false,
            });
        }
        let (path, repo) = outside_of_git(ctx, &wanted)?;
        Ok(Self {
            path,
            named: wanted,
            repo,
        })
    }

    /// Takes a path for a file, which may be in use. Refuses one inside git's own directory.
    pub fn file(ctx: &Context, wanted: &Path) -> Result<Self> {
        let (path, repo) = outside_of_git(ctx, wanted)?;
        Ok(Self {
            path,
            named: ctx.cwd.join(wanted),
            repo,
        })
    }

    /// Returns what a file here may replace: nothing or, if the user wants it, a file of the same kind.
    pub fn over(&self, replace: bool, is_of_the_kind: impl Fn(&Path) -> bool) -> Result<Over> {
        if !files::exists(&self.path) {
            return Ok(Over::Nothing);
        }
        let replaceable = is_of_the_kind(&self.path);
        match replace && replaceable {
            true => Ok(Over::Anything),
            false => Err(Refusal::OutputExists {
                path: self.named.clone(),
                replaceable: replaceable && !replace,
            }),
        }
    }

    /// Like [`OutputPlace::at`], for a path of our own below `root`, which must not lead through a link.
    pub fn below(ctx: &Context, root: &Path, wanted: &Path) -> Result<Self> {
        files::ensure_no_link(root, wanted)?;
        Self::at(ctx, &root.join(wanted))
    }

    /// Refuses an output inside the pack at `root`.
    pub fn ensure_outside(&self, root: &Path) -> Result<()> {
        match self.path.starts_with(files::canonical(root)?) {
            true => Err(Refusal::Usage(Misuse::OutputInPack {
                output: self.named.clone(),
            })),
            false => Ok(()),
        }
    }

    /// Refuses an output that git could track. With `ours`, first makes git ignore the directory if it does not yet.
    pub fn ensure_untracked(&self, ours: bool) -> Result<()> {
        let Some(repo) = &self.repo else { return Ok(()) };
        let Some(root) = repo.work_tree() else { return Ok(()) };
        let Ok(below) = self.path.strip_prefix(&root) else {
            return Ok(());
        };
        let inside = RepoPath::new(&bytes_of_path(&below.join("x")));
        if ours && !repo.is_ignored(&inside)? {
            ignore_own(&root)?;
        }
        if repo.is_ignored(&inside)? && !tracks_below(repo, below)? {
            return Ok(());
        }
        Err(Refusal::Usage(Misuse::OutputTracked {
            output: self.named.clone(),
        }))
    }

    /// Refuses an output, a file, that git could track.
    pub fn ensure_file_untracked(&self) -> Result<()> {
        let Some((repo, root)) = self.repo.as_ref().and_then(|repo| Some((repo, repo.work_tree()?))) else {
            return Ok(());
        };
        let Ok(below) = self.path.strip_prefix(&root) else {
            return Ok(());
        };
        let path = RepoPath::new(&bytes_of_path(below));
        match repo.is_ignored(&path)? && !repo.tracked_paths()?.contains(&path) {
            true => Ok(()),
            false => Err(Refusal::Usage(Misuse::OutputTracked {
                output: self.named.clone(),
            })),
        }
    }
}

/// Resolves a path and finds the repository that contains it. The path may be in use, but must not be inside git's own
/// directory.
pub fn outside_of_git(ctx: &Context, wanted: &Path) -> Result<(PathBuf, Option<Repository>)> {
    if wanted.as_os_str() == "-" {
        return Err(Refusal::Usage(Misuse::OutputIsStream));
    }
    files::ensure_stays_in_tree(&ctx.cwd.join(wanted))?;
    let (above, path) = resolved(&ctx.cwd.join(wanted))?;
    let repo = match Repository::discover(&above, &ctx.surroundings) {
        Err(Refusal::NotARepository { .. }) => None,
        other => Some(other?),
    };
    // Nothing is written into the repository of another user.
    repo.as_ref().map_or(Ok(()), Repository::ensure_ours)?;
    // The environment may name another repository than the one around the path.
    let mut in_git = path.components().any(|part| part.as_os_str() == ".git");
    if let Some(repo) = &repo {
        in_git |= path.starts_with(files::canonical(&repo.common_dir())?);
    }
    match in_git {
        true => Err(Refusal::Usage(Misuse::OutputInGit {
            output: ctx.cwd.join(wanted),
        })),
        false => Ok((path, repo)),
    }
}

/// Returns the existing directory above an output, and the output, both with links and dots resolved.
fn resolved(output: &Path) -> Result<(PathBuf, PathBuf)> {
    let outside = || {
        Refusal::Usage(Misuse::UnnamedOutput {
            output: output.to_owned(),
        })
    };
    for above in output.ancestors().skip(1) {
        let Ok(standing) = files::canonical(above) else {
            continue;
        };
        if !files::is_directory(&standing) {
            return Err(Refusal::io("creating", output)(io::ErrorKind::NotADirectory.into()));
        }
        let rest = output.strip_prefix(above).map_err(|_| outside())?;
        let plain = rest.components().all(|part| matches!(part, Component::Normal(_)));
        return match plain && rest != Path::new("") {
            true => Ok((standing.clone(), standing.join(rest))),
            false => Err(outside()),
        };
    }
    Err(outside())
}

fn tracks_below(repo: &Repository, directory: &Path) -> Result<bool> {
    let prefix = [&*bytes_of_path(directory), b"/"].concat();
    let paths = repo.tracked_paths()?;
    Ok(paths.iter().any(|path| path.as_bytes().starts_with(&prefix)))
}

/// Makes git ignore the directory for opened plaintext.
fn ignore_own(root: &Path) -> Result<()> {
    let below = Path::new(OUTPUT_DIRECTORY).join("open");
    files::ensure_no_link(root, &below)?;
    let directory = root.join(below);
    files::create_private_dir(&directory)?;
    write_whole(&directory.join(".gitignore"), b"*\n", 0o600, Durability::Durable)
}
