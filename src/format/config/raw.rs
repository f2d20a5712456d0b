//! The keys of a `.gitpack.toml`, as the TOML parser reads them: each value with its offset in the text.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::format::config::scope::RawScope;
use crate::format::protected::{Format, Policy};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConfig {
    pub(super) version: Spanned<i64>,
    #[serde(default)]
    pub(super) pack: RawPack,
    #[serde(default)]
    pub(super) scope: BTreeMap<String, RawScope>,
    #[serde(default)]
    pub(super) protect: Vec<Spanned<RawProtect>>,
    #[serde(default)]
    pub(super) allow: Vec<RawAllow>,
    pub(super) allow_file: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) seal: RawSeal,
    #[serde(default)]
    pub(super) private_remotes: Vec<Spanned<String>>,
    /// A former key. It is read only to tell what replaces it.
    pub(super) remote: Option<Spanned<toml::Value>>,
    #[serde(default)]
    pub(super) guard: RawGuard,
    #[serde(default)]
    pub(super) verify: RawVerify,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPack {
    pub(super) scope: Option<Spanned<String>>,
    pub(super) emit: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    pub(super) attach: Vec<Spanned<String>>,
    pub(super) canon_version_file: Option<String>,
    #[serde(default)]
    pub(super) require_published: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProtect {
    pub(super) class: Spanned<String>,
    #[serde(default)]
    pub(super) paths: Vec<String>,
    #[serde(default)]
    pub(super) formats: Vec<Spanned<Format>>,
    pub(super) policy: Option<Policy>,
    #[serde(default)]
    pub(super) allow_in: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAllow {
    pub(super) blob: Spanned<String>,
    pub(super) reason: Spanned<String>,
}

/// The keys of the file that `allow_file` names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAllowFile {
    #[serde(default)]
    pub(super) allow: Vec<RawAllow>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSeal {
    #[serde(default)]
    pub(super) recipients: Vec<Spanned<String>>,
    pub(super) recipients_file: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGuard {
    #[serde(default)]
    pub(super) in_part: RawInPart,
    #[serde(default)]
    pub(super) packs: RawPacks,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVerify {
    pub(super) signatures: Option<Spanned<i64>>,
    pub(super) signers: Option<Spanned<String>>,
    pub(super) revoked: Option<Spanned<String>>,
}

/// What the guard demands of the packs in a push.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawPacks {
    #[default]
    Verified,
    Signed,
}

/// What the guard does about a file that it could examine only in part.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawInPart {
    #[default]
    Notice,
    Block,
}
