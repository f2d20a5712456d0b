//! `.gitpack.toml`: what is protected, for which recipients, and in which scopes. Parses it, and edits it without
//! touching other text.

mod limits;
mod scope;

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use toml::Spanned;
use toml_edit::{Array, DocumentMut, Item, Table, value};

use crate::format::member_path::MemberPath;
use crate::format::object_id::ObjectId;
use crate::format::protected::{Format, Origin, Policy, Rule};
use crate::format::remote_url::PrivatePlace;
use crate::format::tree_meta::Part;
use scope::RawScope;
pub use scope::{Limits, Scope};

/// Name of the file at the root of the repository.
pub const FILE_NAME: &str = ".gitpack.toml";

/// The class of run outputs, which no configuration may name or release.
pub const RUN_OUTPUT_CLASS: &str = "pack-run";

/// The error for an attempt to call a remote private by its name.
const NO_NAMED_REMOTES: &str = "[remote.NAME] is not a key here, since names of remotes differ from clone to clone; \
    private_remotes = [\"URL\"] at the top of the file calls a place private";

/// An error in a configuration file.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The line, counted from 1, if it is known.
    pub line: Option<usize>,
    /// The problem: what was expected and what was found.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

/// A value with its line.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// The line, counted from 1.
    pub line: usize,
}

/// A configuration. [`Config::default`] is the one of a repository without the file.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Key of the scope that is packed if the command names no scope.
    pub default_scope: Option<String>,
    /// The parts of a tree pack. `None` means the plain copies.
    pub emit: Option<Vec<Part>>,
    /// Globs of untracked artifacts that are sealed into every tree pack.
    pub attach: Vec<Located<String>>,
    /// The file that holds the canon version.
    pub canon_version_file: Option<String>,
    /// The scopes, by key.
    pub scopes: BTreeMap<String, Scope>,
    /// The `[[protect]]` rules in their order in the file, each with its line.
    pub protect: Vec<Located<Rule>>,
    /// The `[[allow]]` exceptions in their order in the file, each with its line.
    pub allow: Vec<Located<Allow>>,
    /// The recipients of everything that is sealed.
    pub recipients: Vec<Located<String>>,
    /// The file that names more recipients, as a path relative to the root of the repository.
    pub recipients_file: Option<Located<MemberPath>>,
    /// The places that only insiders can read.
    pub private_remotes: Vec<Located<PrivatePlace>>,
    /// Whether the guard blocks files that it could examine only in part, instead of reporting them.
    pub blocks_in_part: bool,
}

/// An exception: a blob that may appear in plaintext everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// Id of the blob.
    pub blob: ObjectId,
    /// The reason, for readers of the file.
    pub reason: String,
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
    allow: Vec<RawAllow>,
    #[serde(default)]
    seal: RawSeal,
    #[serde(default)]
    private_remotes: Vec<Spanned<String>>,
    /// A former key. It is read only to tell what replaces it.
    remote: Option<Spanned<toml::Value>>,
    #[serde(default)]
    guard: RawGuard,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPack {
    scope: Option<Spanned<String>>,
    emit: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    attach: Vec<Spanned<String>>,
    canon_version_file: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProtect {
    class: Spanned<String>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    formats: Vec<Spanned<Format>>,
    policy: Option<Policy>,
    #[serde(default)]
    allow_in: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAllow {
    blob: Spanned<String>,
    reason: Spanned<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSeal {
    #[serde(default)]
    recipients: Vec<Spanned<String>>,
    recipients_file: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGuard {
    #[serde(default)]
    in_part: InPart,
}

/// What the guard does about a file that it could examine only in part.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum InPart {
    #[default]
    Notice,
    Block,
}

impl Config {
    /// Parses the bytes of a `.gitpack.toml`.
    ///
    /// Unknown keys are errors: a misspelt rule must not look like one that protects something.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        let text = std::str::from_utf8(bytes).map_err(|e| ConfigError {
            line: Some(line_of(bytes, e.valid_up_to())),
            problem: "expected UTF-8".into(),
        })?;
        let lines = Lines::of(bytes);
        let raw: RawConfig = toml::from_str(text).map_err(|e| ConfigError {
            line: e.span().map(|span| line_of(bytes, span.start)),
            problem: e.message().replace('\n', ", "),
        })?;
        let at = |offset: usize| lines.at(offset);
        limits::hold(&raw).map_err(|problem| ConfigError { line: None, problem })?;
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
        let mut scopes = BTreeMap::new();
        for (key, scope) in raw.scope {
            let scope = scope.read(&key, &located).map_err(|(offset, problem)| ConfigError {
                line: offset.map(at),
                problem,
            })?;
            scopes.insert(key, scope);
        }
        let emit = match raw.pack.emit {
            Some(parts) => {
                let offset = parts.span().start;
                let mut wanted = Vec::new();
                for part in parts.into_inner() {
                    let named = Part::parse(part.get_ref());
                    wanted.push(named.map_err(|why| fail(part.span().start, format!("emit: {why}")))?);
                }
                Some(Part::set(wanted).map_err(|why| fail(offset, format!("emit: {why}")))?)
            }
            None => None,
        };
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
            if rule.paths.is_empty() && rule.formats.is_empty() {
                return Err(fail(
                    offset,
                    "expected at least one glob in paths, or one of formats".into(),
                ));
            }
            if let Some(key) = rule.formats.iter().find(|f| *f.get_ref() == Format::PrivateKey) {
                let problem = "formats: private keys are always protected; release single ones with [[allow]]";
                return Err(fail(key.span().start, problem.into()));
            }
            protect.push(Located {
                line: at(offset),
                value: Rule {
                    class: rule.class.into_inner(),
                    paths: rule.paths,
                    formats: rule.formats.into_iter().map(Spanned::into_inner).collect(),
                    policy: rule.policy.unwrap_or(Policy::Never),
                    allow_in: rule.allow_in,
                    origin: Origin::Config,
                },
            });
        }
        let mut allow = Vec::new();
        for raw in raw.allow {
            let offset = raw.blob.span().start;
            let (text, reason) = (raw.blob.into_inner(), raw.reason);
            let Some(blob) = ObjectId::parse(&text.to_ascii_lowercase()) else {
                let problem = format!("blob: expected the 40 or 64 hex digits of a blob's id, found {text:?}");
                return Err(fail(offset, problem));
            };
            if reason.get_ref().trim().is_empty() {
                return Err(fail(
                    reason.span().start,
                    "reason: expected why this blob may be public".into(),
                ));
            }
            allow.push(Located {
                line: at(offset),
                value: Allow {
                    blob,
                    reason: reason.into_inner(),
                },
            });
        }
        if let Some(remote) = raw.remote {
            return Err(fail(remote.span().start, NO_NAMED_REMOTES.into()));
        }
        let mut private_remotes = Vec::new();
        for place in raw.private_remotes {
            let offset = place.span().start;
            private_remotes.push(Located {
                line: at(offset),
                value: PrivatePlace::parse(place.get_ref()).map_err(|problem| fail(offset, problem))?,
            });
        }
        let recipients_file = match raw.seal.recipients_file {
            Some(path) => {
                let line = at(path.span().start);
                let path = MemberPath::parse_bytes(path.get_ref().as_bytes()).map_err(|why| ConfigError {
                    line: Some(line),
                    problem: format!("recipients_file: expected a path below the top of the repository: {why}"),
                })?;
                Some(Located { value: path, line })
            }
            None => None,
        };
        Ok(Self {
            blocks_in_part: raw.guard.in_part == InPart::Block,
            recipients_file,
            allow,
            emit,
            default_scope: raw.pack.scope.map(Spanned::into_inner),
            attach: raw.pack.attach.into_iter().map(located).collect(),
            canon_version_file: raw.pack.canon_version_file,
            scopes,
            protect,
            recipients: raw.seal.recipients.into_iter().map(located).collect(),
            private_remotes,
        })
    }
}

/// Returns whether a scope can have this key. Keys become part of directory names.
pub fn is_plain_word(key: &str) -> bool {
    !key.is_empty() && !key.starts_with('.') && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn line_of(text: &[u8], offset: usize) -> usize {
    Lines::of(text).at(offset)
}

/// The offsets of all line ends of a text. Finds the line of each of very many values without scanning the text again.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &[u8]) -> Self {
        let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        Self(ends.map(|(at, _)| at).collect())
    }

    /// Returns the line, counted from 1, of the byte at `offset`.
    fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|end| *end < offset) + 1
    }
}

/// Returns `text` with `recipient` added to `[seal] recipients` and otherwise unchanged. `None` if the recipient is
/// listed already.
pub fn add_recipient(text: &str, recipient: &str) -> Result<Option<String>, ConfigError> {
    edit_recipients(text, |list| {
        if position(list, recipient).is_some() {
            return false;
        }
        list.push(recipient);
        true
    })
}

/// Returns `text` with an `[[allow]]` entry for each of `blobs` that has none yet, and the number of entries added.
///
/// The text that comes with each blob becomes a comment above its entry.
pub fn add_allowed(text: &str, blobs: &[(Allow, String)]) -> Result<(String, usize), ConfigError> {
    let present = Config::parse(text.as_bytes())?.allow;
    let mut edited = text.to_owned();
    let mut added = 0;
    for (allow, about) in blobs {
        if present.iter().any(|other| other.value.blob == allow.blob) {
            continue;
        }
        if !edited.is_empty() && !edited.ends_with('\n') {
            edited.push('\n');
        }
        let reason = toml_edit::Value::from(allow.reason.as_str());
        edited.push_str(&format!(
            "\n# {about}\n[[allow]]\nblob = \"{}\"\nreason = {reason}\n",
            allow.blob.hex(),
        ));
        added += 1;
    }
    // An edit must never leave a file that cannot be parsed.
    Config::parse(edited.as_bytes())?;
    Ok((edited, added))
}

/// Returns `text` with `recipient` removed from `[seal] recipients`. `None` if the recipient is not listed.
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
    let same = |item: &toml_edit::Value| item.as_str().is_some_and(|other| is_same_recipient(other, recipient));
    list.iter().position(same)
}

/// Returns whether two texts name the same recipient. Ignores the comment after an SSH public key.
pub fn is_same_recipient(a: &str, b: &str) -> bool {
    a.split_ascii_whitespace()
        .take(2)
        .eq(b.split_ascii_whitespace().take(2))
}

/// Parses a recipients file, and returns each recipient with its line.
///
/// The format is that of `age -R`: one recipient on each line, with blank lines and `#` comments allowed.
pub fn parse_recipients_file(bytes: &[u8]) -> Result<Vec<Located<String>>, ConfigError> {
    let text = std::str::from_utf8(bytes).map_err(|e| ConfigError {
        line: Some(line_of(bytes, e.valid_up_to())),
        problem: "expected UTF-8".into(),
    })?;
    let lines = text.lines().map(str::trim).enumerate();
    let named: Vec<_> = lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(at, line)| Located {
            value: line.to_owned(),
            line: at + 1,
        })
        .collect();
    match named.is_empty() {
        true => Err(ConfigError {
            line: None,
            problem: "it names no recipient".into(),
        }),
        false => Ok(named),
    }
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

/// Puts each recipient on its own line, and keeps the comments before it.
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
            (
                "version = 1\n[[protect]]\nclass = \"v\"\nformats = [\"fais\"]\n",
                4,
                "unknown variant `fais`",
            ),
            (
                "version = 1\n[[protect]]\nclass = \"v\"\nformats = [\"private-key\"]\npolicy = \"allowed\"\n",
                4,
                "always protected",
            ),
            (
                "version = 1\n[[allow]]\nblob = \"main\"\nreason = \"x\"\n",
                3,
                "40 or 64 hex digits",
            ),
            (
                "version = 1\n[[allow]]\nblob = \"3b18e512dba79e4c8300dd08aeb37f8e728b8dad\"\nreason = \" \"\n",
                4,
                "why this blob may be public",
            ),
            ("version = 1\n[seal]\nrecipients = \"age1\"\n", 3, "expected a sequence"),
            (
                "version = 1\n[seal]\nrecipients_file = \"../keys\"\n",
                3,
                "a path below the top of the repository",
            ),
            ("version = 1\nx = [\n", 2, "unclosed array"),
            (
                "version = 1\n[remote.origin]\nvisibility = \"private\"\n",
                2,
                "private_remotes = [\"URL\"]",
            ),
            (
                "version = 1\nprivate_remotes = [\n\"../x\"]\n",
                3,
                "expected a URL, but it is relative",
            ),
            (
                "version = 1\nprivate_remotes = [\"https://me:word@h/x\"]\n",
                2,
                "\"https://h/x\"",
            ),
        ] {
            let error = Config::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.line, Some(line), "{text}: {error}");
            assert!(error.problem.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn exceptions_are_added_once_and_read_back() {
        let allow = |byte: u8| Allow {
            blob: ObjectId::from_bytes(&[byte; 20]).unwrap(),
            reason: "a \"quoted\" reason".into(),
        };
        let wanted = [(allow(1), "a.vec in 1234567".to_owned()), (allow(2), "b".to_owned())];
        let (text, added) = add_allowed("version = 1", &wanted).unwrap();
        assert_eq!(added, 2);
        let config = Config::parse(text.as_bytes()).unwrap();
        let read: Vec<_> = config.allow.into_iter().map(|a| a.value).collect();
        assert_eq!(read, [allow(1), allow(2)]);
        assert_eq!(add_allowed(&text, &wanted).unwrap(), (text, 0));
    }

    #[test]
    fn a_recipients_file_is_lines_and_an_ssh_key_is_itself_whatever_its_comment() {
        let named = parse_recipients_file(b"# us\n\n  age1x  \r\nssh-rsa AAAA me\n").unwrap();
        let named: Vec<_> = named.iter().map(|r| (r.value.as_str(), r.line)).collect();
        assert_eq!(named, [("age1x", 3), ("ssh-rsa AAAA me", 4)]);
        assert!(parse_recipients_file(b"# nobody\n").is_err());
        let text = add_recipient("version = 1\n", "ssh-rsa AAAA me").unwrap().unwrap();
        assert!(text.contains("\"ssh-rsa AAAA me\""));
        assert_eq!(add_recipient(&text, "ssh-rsa AAAA you").unwrap(), None);
        assert!(add_recipient(&text, "ssh-rsa AAAB me").unwrap().is_some());
        assert!(remove_recipient(&text, "ssh-rsa AAAA").unwrap().is_some());
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
