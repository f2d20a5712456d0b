//! What git compares instead of a sealed twin: its plaintext, for whoever can open it.

use std::io::{self, Seek};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::adapters::files::{self, OpenedFile};
use crate::adapters::git::Repository;
use crate::adapters::open_files::writes_below;
use crate::format::digest::{Digest, Hashing};
use crate::ops::Context;
use crate::ops::guard::twins::opened::{OpenedTwin, TwinContent, WhySealed, head_of, is_sealed, open_twin};
use crate::ops::keys::identity;
use crate::refusal::{Refusal, Result};
use crate::rules::twins::DRIVER;

/// A file that git compares.
#[derive(Clone, Debug)]
pub struct DiffRequest {
    /// The file, which git may have made of a blob.
    pub file: PathBuf,
    /// The process of git that compares, if it is known.
    pub git: Option<u32>,
}

/// What git compares instead of the file.
pub enum Compared {
    /// The file itself, which is not sealed.
    File(OpenedFile),
    /// The text of the twin.
    Text(Zeroizing<Vec<u8>>),
    /// A word about a plaintext that is not shown, because it is not a text or is too long.
    NotText {
        /// Whether it is a binary file; else it is too long.
        is_binary: bool,
        /// Size of the plaintext in bytes.
        bytes: u64,
        /// What tells this plaintext from others, in this clone alone.
        mark: String,
    },
    /// A word about a twin that is not opened.
    Sealed {
        /// SHA-256 of the twin.
        sealed: Digest,
        /// Why.
        why: NotShown,
    },
}

/// Why a twin is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotShown {
    /// It is not opened.
    Sealed(WhySealed),
    /// git is configured to keep what it compares, in the repository.
    Cached,
    /// git writes into a file of the repository, such as the message of a commit with the changes below it.
    IntoGit,
    /// Whether git writes into a file of the repository cannot be seen.
    PerhapsIntoGit,
}

/// Opens a twin for git, which compares what this returns. Asks nothing: git may be behind a pager.
pub fn compared(ctx: &Context, request: &DiffRequest) -> Result<Compared> {
    let repo = match ctx.repository() {
        // git compares files outside of a repository.
        Err(Refusal::NotARepository { .. }) => None,
        repo => Some(repo?),
    };
    let path = ctx.cwd.join(&request.file);
    let mut opened = files::open_regular(&path)?;
    let reading = |e| Refusal::io("reading", &path)(e);
    let head = head_of(&opened.file).map_err(reading)?;
    opened.file.rewind().map_err(reading)?;
    if !is_sealed(&head) {
        return Ok(Compared::File(opened));
    }
    let kept = repo.as_ref().map(|repo| not_to_be_shown(repo, request.git));
    let why = match kept.transpose()?.flatten() {
        Some(why) => why,
        None => match open(ctx, &opened)? {
            Ok(twin) => return Ok(text_of(ctx, twin)),
            Err(why) => NotShown::Sealed(why),
        },
    };
    Ok(Compared::Sealed {
        sealed: hash_of(&mut opened, &path)?,
        why,
    })
}

fn open(ctx: &Context, opened: &OpenedFile) -> Result<Result<OpenedTwin, WhySealed>> {
    // An identity that cannot be used opens nothing, and git goes on.
    let Ok(identities) = identity::load_if_any(ctx, &[]) else {
        return Ok(Err(WhySealed::NoIdentity));
    };
    let twin = open_twin(&identities.unattended(), &opened.file);
    Ok(twin.map_err(|e| WhySealed::of(&e, &identities)))
}

fn text_of(ctx: &Context, twin: OpenedTwin) -> Compared {
    let is_binary = match twin.content {
        TwinContent::Text(text) => return Compared::Text(text),
        TwinContent::Binary => true,
        TwinContent::TooLong => false,
    };
    // The digest itself would let anyone who gets the output confirm a guess.
    let key = ctx.surroundings.memory.to_write("mark of a plaintext");
    let mark = key.map(|key| Digest::from_bytes(key.of(twin.hash.as_bytes())).hex());
    Compared::NotText {
        is_binary,
        bytes: twin.bytes,
        mark: mark.unwrap_or_default(),
    }
}

/// Returns why git must not get a plaintext, whoever can open it: git would keep it in the repository.
fn not_to_be_shown(repo: &Repository, git: Option<u32>) -> Result<Option<NotShown>> {
    if repo.keeps_diffed_text(DRIVER)? {
        return Ok(Some(NotShown::Cached));
    }
    let Some(git) = git else { return Ok(None) };
    Ok(match writes_below(git, &own_directories(repo)) {
        Some(false) => None,
        Some(true) => Some(NotShown::IntoGit),
        None => Some(NotShown::PerhapsIntoGit),
    })
}

/// Returns git's own directories, without links.
fn own_directories(repo: &Repository) -> Vec<PathBuf> {
    let own = [repo.common_dir(), repo.git_dir()];
    own.iter()
        .filter_map(|directory| files::canonical(directory).ok())
        .collect()
}

fn hash_of(opened: &mut OpenedFile, path: &Path) -> Result<Digest> {
    let mut hashing = Hashing::new(io::sink());
    let read = opened
        .file
        .rewind()
        .and_then(|()| io::copy(&mut opened.file, &mut hashing));
    read.map_err(Refusal::io("reading", path))?;
    Ok(hashing.finish().1)
}
