//! `.gitpack.toml`: what is protected, who can open it, which scopes there are; text to values, and careful edits.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use toml::Spanned;
use toml_edit::{Array, DocumentMut, Item, Table, value};

use crate::format::protected::{Origin, Policy, Rule};

/// The file's name, at the top of the repository.
pub const FILE_NAME: &str = ".gitpack.toml";

/// The class of run outputs, which no configuration may name or release.
pub const RUN_OUTPUT_CLASS: &str = "pack-run";

/// What is wrong in a configuration file, and on which line.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The line, counted from 1, where it is known.
    pub line: Option<usize>,
    /// What was found and what was expected.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

/// A value with the line it stands on.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// The line, counted from 1.
    pub line: usize,
}

/// A whole configuration; [`Config::default`] is that of a repository without one.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The scope that is packed when none is named.
    pub default_scope: Option<String>,
    /// Globs of untracked artifacts that every tree pack seals in.
    pub attach: Vec<Located<String>>,
    /// The file that holds the canon version.
    pub canon_version_file: Option<String>,
    /// The scopes by key.
    pub scopes: BTreeMap<String, Scope>,
    /// The `[[protect]]` rules in the order written, each with its line.
    pub protect: Vec<Located<Rule>>,
    /// Recipients of everything that is sealed.
    pub recipients: Vec<Located<String>>,
    /// Names of the remotes that are private.
    pub private_remotes: Vec<String>,
}

/// A part of the tree under a name.
#[derive(Clone, Debug)]
pub struct Scope {
    /// For people.
    pub title: Option<String>,
    /// Globs of what belongs to it.
    pub include: Vec<Located<String>>,
    /// Globs of what does not, although included.
    pub exclude: Vec<Located<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    version: Spanned<i64>,
    #[serde(default)]
    pack: RawPack,
    #[serde(default)]
    scope: BTreeMap<String, RawScope>,
    #[serde(default)]
    protect: Vec<Spanned<RawProtect>>,
    #[serde(default)]
    seal: RawSeal,
    #[serde(default)]
    remote: BTreeMap<String, RawRemote>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPack {
    scope: Option<Spanned<String>>,
    #[serde(default)]
    attach: Vec<Spanned<String>>,
    canon_version_file: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScope {
    title: Option<String>,
    include: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    exclude: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProtect {
    class: Spanned<String>,
    paths: Vec<String>,
    policy: Option<Policy>,
    #[serde(default)]
    allow_in: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSeal {
    #[serde(default)]
    recipients: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRemote {
    #[serde(default)]
    visibility: Visibility,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Visibility {
    #[default]
    Public,
    Private,
}

impl Config {
    /// Parses the bytes of a `.gitpack.toml`.
    ///
    /// Unknown keys are errors: a misspelt rule that protects nothing must not pass for one that does.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        let text = std::str::from_utf8(bytes).map_err(|e| ConfigError {
            line: Some(line_of(bytes, e.valid_up_to())),
            problem: "expected UTF-8".into(),
        })?;
        let raw: RawConfig = toml::from_str(text).map_err(|e| ConfigError {
            line: e.span().map(|span| line_of(bytes, span.start)),
            problem: e.message().replace('\n', ", "),
        })?;
        let at = |offset: usize| line_of(bytes, offset);
        let located = |spanned: Spanned<String>| Located {
            line: at(spanned.span().start),
            value: spanned.into_inner(),
        };
        let fail = |offset: usize, problem: String| ConfigError {
            line: Some(at(offset)),
            problem,
        };

        if *raw.version.get_ref() != 1 {
            let problem = format!("version: expected 1, found {}", raw.version.get_ref());
            return Err(fail(raw.version.span().start, problem));
        }
        let scopes: BTreeMap<_, _> = raw
            .scope
            .into_iter()
            .map(|(key, scope)| {
                let whole = || {
                    vec![Located {
                        value: "**".into(),
                        line: 0,
                    }]
                };
                let include = scope
                    .include
                    .map_or_else(whole, |globs| globs.into_iter().map(located).collect());
                let exclude = scope.exclude.into_iter().map(located).collect();
                let title = scope.title;
                (
                    key,
                    Scope {
                        title,
                        include,
                        exclude,
                    },
                )
            })
            .collect();
        if let Some(key) = scopes.keys().find(|key| !is_plain_word(key)) {
            let problem = format!("scope: expected a name of letters, digits, '.', '_' and '-', found {key:?}");
            return Err(ConfigError { line: None, problem });
        }
        if let Some(scope) = &raw.pack.scope
            && scope.get_ref() != "repo"
            && !scopes.contains_key(scope.get_ref())
        {
            let problem = format!("pack.scope: expected a scope of this file, found {:?}", scope.get_ref());
            return Err(fail(scope.span().start, problem));
        }
        let mut protect = Vec::new();
        for rule in raw.protect {
            let offset = rule.span().start;
            let rule = rule.into_inner();
            let class = rule.class.get_ref();
            if class.is_empty() || class == RUN_OUTPUT_CLASS {
                let problem = format!("class: expected a word of your own, found {class:?}");
                return Err(fail(rule.class.span().start, problem));
            }
            if rule.paths.is_empty() {
                return Err(fail(offset, "paths: expected at least one glob".into()));
            }
            protect.push(Located {
                line: at(offset),
                value: Rule {
                    class: rule.class.into_inner(),
                    paths: rule.paths,
                    policy: rule.policy.unwrap_or(Policy::Never),
                    allow_in: rule.allow_in,
                    origin: Origin::Config,
                },
            });
        }
        Ok(Self {
            default_scope: raw.pack.scope.map(Spanned::into_inner),
            attach: raw.pack.attach.into_iter().map(located).collect(),
            canon_version_file: raw.pack.canon_version_file,
            scopes,
            protect,
            recipients: raw.seal.recipients.into_iter().map(located).collect(),
            private_remotes: raw
                .remote
                .into_iter()
                .filter(|(_, remote)| remote.visibility == Visibility::Private)
                .map(|(name, _)| name)
                .collect(),
        })
    }
}

/// Scope keys become part of directory names.
fn is_plain_word(key: &str) -> bool {
    !key.is_empty() && !key.starts_with('.') && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn line_of(text: &[u8], offset: usize) -> usize {
    let before = &text[..offset.min(text.len())];
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Returns `text` with `recipient` added to `[seal] recipients`, everything else as it was; none if it is there already.
pub fn add_recipient(text: &str, recipient: &str) -> Result<Option<String>, ConfigError> {
    edit_recipients(text, |list| {
        if position(list, recipient).is_some() {
            return false;
        }
        list.push(recipient);
        true
    })
}

/// Returns `text` without `recipient` in `[seal] recipients`; none if it is not there.
pub fn remove_recipient(text: &str, recipient: &str) -> Result<Option<String>, ConfigError> {
    edit_recipients(text, |list| match position(list, recipient) {
        Some(at) => {
            list.remove(at);
            true
        }
        None => false,
    })
}

fn position(list: &Array, recipient: &str) -> Option<usize> {
    list.iter().position(|item| item.as_str() == Some(recipient))
}

fn edit_recipients(text: &str, edit: impl FnOnce(&mut Array) -> bool) -> Result<Option<String>, ConfigError> {
    Config::parse(text.as_bytes())?;
    let mut document: DocumentMut = text.parse().expect("a text that parsed as TOML once does so again");
    let seal = document.entry("seal").or_insert_with(|| Item::Table(Table::new()));
    let recipients = seal
        .as_table_like_mut()
        .expect("Config::parse accepts seal as a table only")
        .entry("recipients")
        .or_insert_with(|| value(Array::new()));
    let list = recipients
        .as_array_mut()
        .expect("Config::parse accepts recipients as an array only");
    if !edit(list) {
        return Ok(None);
    }
    lay_out(list);
    let edited = document.to_string();
    Ok(Some(match text.contains("\r\n") {
        true => edited.replace("\r\n", "\n").replace('\n', "\r\n"),
        false => edited,
    }))
}

/// Puts each recipient on a line of its own, keeping the comments that stand before them.
fn lay_out(list: &mut Array) {
    for item in list.iter_mut() {
        let prefix = item.decor().prefix().and_then(|raw| raw.as_str()).unwrap_or("");
        if !prefix.contains('\n') {
            item.decor_mut().set_prefix("\n  ");
        }
    }
    list.set_trailing_comma(!list.is_empty());
    if list.is_empty() {
        list.set_trailing("");
    } else if !list.trailing().as_str().unwrap_or("").contains('\n') {
        list.set_trailing("\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, line, expected) in [
            ("", 1, "missing field `version`"),
            ("version = 2\n", 1, "expected 1, found 2"),
            ("version = 1\n\n[pack]\nscopee = \"x\"\n", 4, "unknown field `scopee`"),
            (
                "version = 1\n[pack]\nscope = \"docs\"\n",
                3,
                "expected a scope of this file",
            ),
            (
                "version = 1\n[[protect]]\nclass = \"v\"\npaths = [\"*\"]\npolicy = \"nevr\"\n",
                5,
                "unknown variant `nevr`, expected one of",
            ),
            (
                "version = 1\n[[protect]]\nclass = \"pack-run\"\npaths = [\"*\"]\n",
                3,
                "a word of your own",
            ),
            (
                "version = 1\n[[protect]]\nclass = \"v\"\npaths = []\n",
                2,
                "at least one glob",
            ),
            ("version = 1\n[seal]\nrecipients = \"age1\"\n", 3, "expected a sequence"),
            ("version = 1\nx = [\n", 2, "unclosed array"),
        ] {
            let error = Config::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.line, Some(line), "{text}: {error}");
            assert!(error.problem.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn recipients_are_edited_without_touching_anything_else() {
        let text = "# mine\nversion = 1 # v\n\n[seal]\nrecipients = [\n  # Ann\n  \"a\",\n]\n\n# tail\n";
        let added = add_recipient(text, "b").unwrap().unwrap();
        assert_eq!(added, text.replace("\"a\",\n", "\"a\",\n  \"b\",\n"));
        assert_eq!(add_recipient(&added, "b").unwrap(), None);
        assert_eq!(remove_recipient(&added, "b").unwrap().unwrap(), text);
        assert_eq!(remove_recipient(text, "b").unwrap(), None);

        let dos = text.replace('\n', "\r\n");
        assert_eq!(add_recipient(&dos, "b").unwrap().unwrap(), added.replace('\n', "\r\n"));

        let bare = "version = 1\n";
        let added = add_recipient(bare, "a").unwrap().unwrap();
        assert_eq!(added, "version = 1\n\n[seal]\nrecipients = [\n  \"a\",\n]\n");
        assert_eq!(
            remove_recipient(&added, "a").unwrap().unwrap(),
            "version = 1\n\n[seal]\nrecipients = []\n"
        );
    }
}
