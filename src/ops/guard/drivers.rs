//! The drivers by which git compares and merges sealed twins, in the configuration of a clone.
//!
//! What a repository commits can only name the drivers. The commands stand in the configuration of the clone, so that no
//! repository decides what runs.

use crate::adapters::git::Repository;
use crate::format::git_keys;
use crate::ops::Context;
use crate::ops::guard::program;
use crate::ops::keys::identity;
use crate::refusal::Result;
use crate::rules::twins::DRIVER;

/// The command that turns a twin into text, a line for sh. git adds the path of the twin.
const DIFF: &str = include_str!("../../../hooks/diff-driver");

/// The command that merges twins, a line for sh. git replaces the words that begin with `%`.
const MERGE: &str = include_str!("../../../hooks/merge-driver");

/// How the configuration of a clone changes.
pub struct DriversPlan {
    repo: Repository,
    /// What the clone has.
    present: Vec<(String, String)>,
    /// What it gets; nothing if the drivers are removed.
    wanted: Vec<(String, String)>,
}

/// What the clone has of the drivers after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriversChange {
    /// They were set.
    Set,
    /// They were removed.
    Removed,
    /// It had them.
    Kept,
    /// It had none.
    Absent,
}

/// What a clone has of the drivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriversState {
    /// They are set. `can_open` tells whether there is an identity here by which they open twins.
    Set {
        /// Whether there is an identity.
        can_open: bool,
    },
    /// They are set differently, by another version or by hand.
    Different,
    /// They are not set.
    NotSet,
    /// They are switched off in the configuration of git.
    Off,
}

/// Returns what this clone has of the drivers.
pub fn state(ctx: &Context, repo: &Repository) -> Result<DriversState> {
    if !are_wanted(repo) {
        return Ok(DriversState::Off);
    }
    let present = repo.driver_settings(DRIVER)?;
    Ok(match present.is_empty() {
        true => DriversState::NotSet,
        false if present == settings(&program::quoted(ctx)?) => DriversState::Set {
            can_open: can_open(ctx),
        },
        false => DriversState::Different,
    })
}

/// Returns whether there is an identity here, without which the drivers open nothing.
pub fn can_open(ctx: &Context) -> bool {
    identity::load_if_any(ctx, &[]).is_ok_and(|identities| !identities.is_empty())
}

/// Returns whether the drivers are to be used in this clone.
pub fn are_wanted(repo: &Repository) -> bool {
    repo.config_flag(git_keys::DRIVERS) != Some(false)
}

/// Plans to set the drivers. If they are switched off in this clone, plans to remove them.
pub fn plan(ctx: &Context, repo: Repository) -> Result<DriversPlan> {
    let wanted = match are_wanted(&repo) {
        true => settings(&program::quoted(ctx)?),
        false => Vec::new(),
    };
    Ok(DriversPlan {
        present: repo.driver_settings(DRIVER)?,
        wanted,
        repo,
    })
}

/// Plans to remove the drivers.
pub fn plan_removal(repo: Repository) -> Result<DriversPlan> {
    Ok(DriversPlan {
        present: repo.driver_settings(DRIVER)?,
        wanted: Vec::new(),
        repo,
    })
}

/// Returns the settings with the program at `binary`, a word of a shell.
fn settings(binary: &str) -> Vec<(String, String)> {
    let command = |template: &str, binary: &str| template.trim_end().replace("@BINARY@", binary);
    let settings = [
        ("diff", "textconv", command(DIFF, binary)),
        // A cache is a note in the repository, with the plaintext in it.
        ("diff", "cachetextconv", "false".to_owned()),
        ("merge", "name", "merges sealed twins as text".to_owned()),
        ("merge", "driver", command(MERGE, &binary.replace('%', "%%"))),
        // Where git merges several common ancestors first, a side that is taken for their merge would seem unchanged
        // afterwards, and would be lost. With this, git takes the ancestors' own ancestor.
        ("merge", "recursive", "binary".to_owned()),
    ];
    let settings = settings.map(|(kind, key, value)| (format!("{kind}.{DRIVER}.{key}"), value));
    settings.into()
}

impl DriversPlan {
    /// Returns what the plan changes.
    pub fn change(&self) -> DriversChange {
        match (self.present == self.wanted, self.wanted.is_empty()) {
            (true, true) => DriversChange::Absent,
            (true, false) => DriversChange::Kept,
            (false, true) => DriversChange::Removed,
            (false, false) => DriversChange::Set,
        }
    }

    /// Applies the plan.
    pub fn apply(&self) -> Result<DriversChange> {
        let change = self.change();
        if matches!(change, DriversChange::Absent | DriversChange::Kept) {
            return Ok(change);
        }
        if !self.present.is_empty() {
            self.repo.remove_drivers(DRIVER, &self.present)?;
        }
        for (key, value) in &self.wanted {
            self.repo.set_driver(key, value)?;
        }
        Ok(change)
    }
}
