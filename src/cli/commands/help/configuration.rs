//! The reference of the configuration, made of the tables that the program uses.

use super::page::{Block, Described, Section, section, text};
use super::settings::{GIT_KEYS, KEYS, Setting, VARIABLES};
use crate::format::budget::{Allowance, Bound};

/// Returns the reference.
pub(super) fn sections() -> Vec<Section> {
    let order = section(
        "What counts",
        [
            text(
                "A flag comes first, then a variable of the environment, then git's configuration, then `.gitpack.toml`, then \
                 the default. What goes into a pack depends on flags and on the committed `.gitpack.toml` alone, so that \
                 everybody makes the same pack of a commit.",
            ),
            text("An unknown key in `.gitpack.toml` is an error, because a misspelt rule would protect nothing."),
        ],
    );
    let described = |settings: &[Setting]| Block::Settings(settings.iter().map(Described::from).collect());
    let file = section(
        ".gitpack.toml",
        [
            text(
                "This file is at the top of the repository, and committed. `git pack init` writes one with comments. Keys \
                 without a table are above every table. `[scope.KEY]` stands for a scope of any name.",
            ),
            described(KEYS),
        ],
    );
    let git = section("git config", [described(GIT_KEYS)]);
    let bounds = section(
        "Bounds",
        [
            text(
                "How much one command may read from a repository before it refuses with `E_LIMIT`. These are keys of git's \
                 configuration too. A bound grows with what was pushed to a server, or is stored in a clone.",
            ),
            Block::Settings(Bound::ALL.map(bound).into()),
        ],
    );
    let environment = section("Environment", [described(VARIABLES)]);
    vec![order, file, git, bounds, environment]
}

/// Returns a bound as a setting.
fn bound(bound: Bound) -> Described {
    let (server, clone) = (bound.on_a_server(), bound.in_a_clone());
    let default = match clone.base {
        u64::MAX => format!("on a server {}; in a clone unlimited", allowed(server)),
        _ => format!("on a server {}; in a clone {}", allowed(server), allowed(clone)),
    };
    Described {
        name: bound.key().into(),
        kind: "number, such as 10000000 or 512m".into(),
        default,
        meaning: format!("The most {}.", bound.measure()),
        example: format!("git config {} {}", bound.key(), server.base.saturating_mul(2)),
    }
}

/// Returns the default of a bound.
fn allowed(allowance: Allowance) -> String {
    match allowance.for_each_kib {
        0 => allowance.base.to_string(),
        more => format!("{} and {more} for each KiB", allowance.base),
    }
}
