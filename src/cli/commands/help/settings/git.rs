//! The keys of git's configuration. Those of bounds are in `refusal/bound.rs`.

use super::Setting;
use crate::format::git_keys::{DRIVERS, IDENTITY, REMOTE, SIGNING_KEY, VISIBILITY};

/// The keys, except those of bounds.
pub(in crate::cli::commands::help) const GIT_KEYS: &[Setting] = &[
    Setting {
        name: REMOTE,
        kind: "place",
        default: "`PACK_DATA_FABRIC_BASE_URL`, else none",
        meaning: "The place for packs, which `push`, `pull`, `restore`, `list` and `require_published` use if none is named.",
        example: "git config gitpack.remote oci://registry.example.org/team/packs",
    },
    Setting {
        name: IDENTITY,
        kind: "path",
        default: "`$XDG_CONFIG_HOME/git-pack/identity.txt`",
        meaning: "The age identity or SSH private key that opens seals. `GIT_PACK_IDENTITY` and `--identity` come before it.",
        example: "git config gitpack.identity ~/.ssh/id_ed25519",
    },
    Setting {
        name: SIGNING_KEY,
        kind: "path, or a public key",
        default: "`user.signingKey`, if `gpg.format` is `ssh`",
        meaning: "The SSH key with which `git pack sign` signs.",
        example: "git config gitpack.signingKey ~/.ssh/id_ed25519",
    },
    Setting {
        name: DRIVERS,
        kind: "true or false",
        default: "true",
        meaning: "Whether `install` lets git compare and merge sealed twins through git-pack. Run `git pack install` after a change.",
        example: "git config gitpack.drivers false",
    },
    Setting {
        name: VISIBILITY,
        kind: "public or private",
        default: "public",
        meaning: "On a server: who can read the repository. With private, its pre-receive hook lets files with the policy `internal` in.",
        example: "git config gitpack.visibility private",
    },
];
