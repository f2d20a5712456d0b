//! The order of flags, which is the same in every help: what, where, with which keys, and how.

use clap::Arg;

/// The flags by their long names. Those that are missing here come before [`LAST`], in the order in which a command has them.
const FIRST: &[&str] = &[
    // What.
    "staged",
    "worktree",
    "rev",
    "range",
    "all",
    "no-ignore",
    "shallow",
    "baseline",
    "scope",
    "include",
    "exclude",
    "emit",
    "max-tokens",
    "attach",
    "plaintext",
    "only",
    "run",
    "pin",
    "unpin",
    "shard",
    "count",
    "tool",
    "since",
    "until",
    "outcome",
    "input-hash",
    "type",
    "predicate",
    "members",
    "kind",
    // Where.
    "remote",
    "store",
    "from",
    "from-full",
    "from-split",
    "against",
    "output",
    "replace",
    "stdout",
    "insecure-http",
    "token-host",
    // With which keys.
    "recipient",
    "recipients-file",
    "identity",
    "passphrase",
    "passphrase-file",
    "key",
    "agent",
    "signed-by",
    "require-signatures",
    "allowed-signers",
    "revoked",
    "attestation-key",
    // How.
    "mode",
];

/// The flags about what is printed.
const LAST: &[&str] = &["dry-run", "files", "hex", "format", "json", "markdown"];

/// Returns the place of a flag among those of its command. `nth` is its place in the sources.
pub(super) fn place(flag: &Arg, nth: usize) -> usize {
    let among = |names: &[&str]| names.iter().position(|name| Some(*name) == flag.get_long());
    // No command has so many flags.
    const GAP: usize = 1000;
    match (among(FIRST), among(LAST)) {
        (Some(place), _) => place,
        (None, Some(place)) => 2 * GAP + place,
        // A flag without a long name is -z, which ends lines with NUL.
        (None, None) if flag.get_long().is_none() => 3 * GAP,
        (None, None) => GAP + nth,
    }
}
