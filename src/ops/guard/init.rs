//! `git pack init`: a configuration, an ignored output directory, an identity and the hooks.

use std::path::{Path, PathBuf};

use crate::adapters::cipher;
use crate::adapters::files::{self, Durability, create_private_dir, write_whole};
use crate::adapters::git::Repository;
use crate::format::config::{FILE_NAME, add_recipient, is_same_recipient};
use crate::format::protected::Policy;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::EntryKind;
use crate::ops::Context;
use crate::ops::configuration::{self, Loaded};
use crate::ops::guard::install::{self, HooksReport, InstallRequest};
use crate::ops::keys::{identity, recipients};
use crate::refusal::keys::IdentityFault;
use crate::refusal::work_tree::WorkTreeUse;
use crate::refusal::{Refusal, Result};
use crate::rules::protect::{FileFacts, is_run_output};
use crate::rules::twins::{OUTPUTS_IGNORED, with_line};

const TEMPLATE: &str = include_str!("../../../templates/gitpack.toml");

/// What `init` did, and what it found done already.
#[derive(Debug)]
pub struct InitReport {
    /// Whether `.gitpack.toml` was written; else it was there.
    pub config_written: bool,
    /// Whether `_PACK_RUN/` was added to `.gitignore`; else it was there.
    pub ignore_written: bool,
    /// The identity. `None` if its default place is in the work tree, where git could track it.
    pub identity: Option<InitIdentity>,
    /// The hooks.
    pub hooks: HooksReport,
    /// The files that git tracks in plaintext although their names are protected everywhere. The hooks block commits that
    /// keep them.
    pub exposed: Vec<RepoPath>,
}

/// The identity of a repository that was set up.
#[derive(Debug)]
pub struct InitIdentity {
    /// The file.
    pub path: PathBuf,
    /// Whether it was made; else it was there.
    pub is_new: bool,
    /// Its recipient.
    pub recipient: String,
    /// Whether the configuration lists the recipient.
    pub is_listed: bool,
}

/// Sets up the repository at the context's directory. Everything that exists is kept, so `init` can be run again.
///
/// With `dry_run`, changes nothing. Then a new identity has no recipient yet.
pub fn init(ctx: &Context, hooks: InstallRequest, dry_run: bool) -> Result<InitReport> {
    let repo = ctx.repository()?;
    let root = repo.work_tree().ok_or(Refusal::NoWorkTree {
        action: WorkTreeUse::Init,
    })?;

    // Everything that may refuse comes before the first write, so that a refusal leaves nothing half set up.
    let present = configuration::on_disk(&root)?;
    let gitignore = root.join(".gitignore");
    // Git does not read a `.gitignore` that is a link, and writing through one could change a file outside the
    // repository.
    files::ensure_is_no_link(&gitignore)?;
    let ignored = files::read_optional(&gitignore, 16 << 20)?.unwrap_or_default();
    let hooks = install::plan_install(ctx, hooks)?;
    let identity_path = identity::place_for_new(ctx, &repo)?;
    let known = match &identity_path {
        Some(path) => identity::recipient(ctx, path)?,
        None => None,
    };

    files::ensure_writable(&root)?;
    let exposed = exposed(&repo, &present)?;

    if dry_run {
        return Ok(InitReport {
            config_written: !present.is_present(),
            ignore_written: !ignores_outputs(&ignored),
            identity: identity_path
                .map(|path| planned_identity(path, known, &present))
                .transpose()?,
            hooks: install::preview(hooks)?,
            exposed,
        });
    }
    let identity = match identity_path {
        Some(path) => Some(identity_at(ctx, path, known, &present)?),
        None => None,
    };
    if !present.is_present() {
        let text = match &identity {
            Some(identity) => add_recipient(TEMPLATE, &identity.recipient)
                .map_err(|e| configuration::bad("the template", e))?
                .expect("the template names no recipient"),
            None => TEMPLATE.to_owned(),
        };
        write_whole(&root.join(FILE_NAME), text.as_bytes(), 0o666, Durability::Durable)?;
    }
    let ignore_written = !ignores_outputs(&ignored);
    if ignore_written {
        write_whole(
            &gitignore,
            &with_line(ignored, OUTPUTS_IGNORED),
            0o666,
            Durability::Durable,
        )?;
    }
    Ok(InitReport {
        config_written: !present.is_present(),
        ignore_written,
        identity,
        hooks: install::apply(hooks)?,
        exposed,
    })
}

/// Returns the tracked files that the rules never allow in plaintext, by their names. The rules of a configuration that `init`
/// writes are the built-in ones.
fn exposed(repo: &Repository, present: &Loaded) -> Result<Vec<RepoPath>> {
    let registry = present.registry()?;
    let tracked = repo.index()?.staged(None, None)?.into_iter().map(|staged| staged.entry);
    let exposed = tracked.filter(|entry| {
        let facts = FileFacts {
            path: entry.path.as_bytes(),
            blob: Some(entry.id),
            ..FileFacts::default()
        };
        let protection = registry
            .judge_file(&facts)
            .filter(|_| entry.kind != EntryKind::Submodule);
        protection.is_some_and(|protection| protection.policy == Policy::Never) && !is_run_output(entry.path.as_bytes())
    });
    Ok(exposed.map(|entry| entry.path).collect())
}

/// Returns the identity that [`identity_at`] would return. A new one has no recipient yet.
fn planned_identity(path: PathBuf, known: Option<String>, present: &Loaded) -> Result<InitIdentity> {
    Ok(InitIdentity {
        path,
        is_new: known.is_none(),
        is_listed: match &known {
            Some(recipient) => is_listed(recipient, present)?,
            None => !present.is_present(),
        },
        recipient: known.unwrap_or_default(),
    })
}

/// Returns the identity at `path`, whose recipient is `known` if the file is there. Makes it if not.
fn identity_at(ctx: &Context, path: PathBuf, known: Option<String>, present: &Loaded) -> Result<InitIdentity> {
    let (recipient, is_new) = match known {
        Some(recipient) => (recipient, false),
        None => make_identity(ctx, &path)?,
    };
    Ok(InitIdentity {
        is_listed: is_listed(&recipient, present)?,
        path,
        is_new,
        recipient,
    })
}

/// Returns whether the configuration lists a recipient once `init` is done.
fn is_listed(recipient: &str, present: &Loaded) -> Result<bool> {
    Ok(match present.is_present() {
        true => recipients::named(present)?
            .iter()
            .any(|(_, named)| is_same_recipient(&named.value, recipient)),
        // The configuration is written with it.
        false => true,
    })
}

/// Makes an identity, and returns its recipient and whether it is new. An identity that another process made meanwhile
/// is used instead.
fn make_identity(ctx: &Context, path: &Path) -> Result<(String, bool)> {
    let new = cipher::generate_identity(&ctx.now.to_string());
    create_private_dir(files::parent(path))?;
    if files::write_new_private(path, new.file.as_bytes())? {
        return Ok((new.recipient, true));
    }
    identity::recipient(ctx, path)?
        .map(|recipient| (recipient, false))
        .ok_or_else(|| Refusal::NoIdentity {
            path: path.to_owned(),
            fault: IdentityFault::Vanished,
        })
}

/// Returns whether run outputs are ignored. As in git, the last matching line decides.
fn ignores_outputs(gitignore: &[u8]) -> bool {
    gitignore
        .split(|byte| *byte == b'\n')
        .map(|line| line.trim_ascii_end())
        .fold(false, |ignored, line| {
            let (negated, pattern) = match line.strip_prefix(b"!") {
                Some(pattern) => (true, pattern),
                None => (false, line),
            };
            match pattern {
                b"_PACK_RUN/" | b"/_PACK_RUN/" | b"_PACK_RUN" | b"/_PACK_RUN" => !negated,
                _ => ignored,
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ignore_line_is_added_once_and_in_the_files_own_style() {
        for (before, after) in [
            ("", "_PACK_RUN/\n"),
            ("target", "target\n_PACK_RUN/\n"),
            ("a\r\nb\r\n", "a\r\nb\r\n_PACK_RUN/\r\n"),
        ] {
            assert!(!ignores_outputs(before.as_bytes()));
            let written = with_line(before.into(), OUTPUTS_IGNORED);
            assert_eq!(String::from_utf8(written.clone()).unwrap(), after);
            assert!(ignores_outputs(&written));
        }
        assert!(!ignores_outputs(b"#_PACK_RUN/\n!_PACK_RUN/\n"));
    }
}
