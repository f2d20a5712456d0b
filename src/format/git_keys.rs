//! The keys of git-pack in git's configuration, except those of bounds, which `refusal/bound.rs` has.

/// The key of the place for packs.
pub const REMOTE: &str = "gitpack.remote";

/// The key of the identity file.
pub const IDENTITY: &str = "gitpack.identity";

/// The key of the SSH key that signs packs.
pub const SIGNING_KEY: &str = "gitpack.signingKey";

/// The key that switches the drivers of twins off.
pub const DRIVERS: &str = "gitpack.drivers";

/// The key that tells a server who can read it.
pub const VISIBILITY: &str = "gitpack.visibility";
