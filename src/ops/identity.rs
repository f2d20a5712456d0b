//! The identity of whoever works here: where its file is, and which recipient it has.

use std::path::{Path, PathBuf};

use crate::adapters::cipher;
use crate::adapters::files;
use crate::adapters::git::Repository;
use crate::format::refusal::{Refusal, Result};
use crate::ops::Context;
use zeroize::Zeroizing;

/// Returns the path of the identity file, which must not lie in the work tree: there git could come to track it.
pub fn path(ctx: &Context, repo: &Repository) -> Result<PathBuf> {
    let path = chosen(ctx, repo)?;
    let standing = path.ancestors().find(|path| files::exists(path)).unwrap_or(&path);
    let within = |root: PathBuf| files::canonical(standing).is_ok_and(|place| place.starts_with(root));
    if repo.work_tree().is_some_and(within) && !path.starts_with(repo.common_dir()) {
        return Err(Refusal::NoIdentity {
            path,
            reason:
                "it lies in the work tree, where git could come to track it; set GIT_PACK_IDENTITY to another place"
                    .into(),
        });
    }
    Ok(path)
}

/// `GIT_PACK_IDENTITY`, then `git config gitpack.identity`, then the default.
fn chosen(ctx: &Context, repo: &Repository) -> Result<PathBuf> {
    if let Some(path) = &ctx.identity {
        return Ok(ctx.cwd.join(path));
    }
    if let Some(path) = repo.config_path("gitpack.identity")? {
        return Ok(ctx.cwd.join(path));
    }
    let home = ctx.config_home.as_ref().ok_or_else(|| Refusal::Usage {
        problem: "there is no HOME and no XDG_CONFIG_HOME, so there is no place for an identity".into(),
        next: Some("GIT_PACK_IDENTITY=/path/to/identity.txt git pack init".into()),
    })?;
    Ok(home.join("git-pack").join("identity.txt"))
}

/// Returns the recipient of the identity file at `path`; none if there is no file.
pub fn recipient(path: &Path) -> Result<Option<String>> {
    let Some(text) = text(path)? else { return Ok(None) };
    cipher::recipient_of(&text)
        .map(Some)
        .ok_or_else(|| Refusal::NoIdentity {
            path: path.to_owned(),
            reason: "it holds no AGE-SECRET-KEY-1… line".into(),
        })
}

/// Returns the text of the identity file at `path`; none if there is no file.
///
/// A file that others can read is refused: its key may not be its owner's alone.
pub fn text(path: &Path) -> Result<Option<Zeroizing<String>>> {
    if !files::exists(path) {
        return Ok(None);
    }
    let unfit = |reason: String| Refusal::NoIdentity {
        path: path.to_owned(),
        reason,
    };
    let target = files::canonical(path)?;
    let bits = files::permission_bits(&target)?;
    if bits & 0o077 != 0 {
        return Err(unfit(format!(
            "others can read it (mode {bits:03o}): chmod 600 {}",
            path.display()
        )));
    }
    let bytes = Zeroizing::new(files::read(&target, 1 << 20)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| unfit("it is not a text file".into()))?;
    Ok(Some(Zeroizing::new(text.to_owned())))
}
