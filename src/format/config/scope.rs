//! `[scope.KEY]`: a part of the tree, the layout of its packs, and their size limits.

use bytesize::ByteSize;
use serde::Deserialize;
use toml::{Spanned, Value};

use crate::format::config::lines::Lines;
use crate::format::config::{ConfigError, Located, is_plain_word};
use crate::format::dump::layout::{BUDGETS, Layout, is_prefix};
use crate::format::member_path::MemberPath;

/// A named part of the tree.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The title that people see.
    pub title: Option<String>,
    /// Globs of the paths in the scope.
    pub include: Vec<Located<String>>,
    /// Globs of included paths that are not in the scope.
    pub exclude: Vec<Located<String>>,
    /// The layout of its texts.
    pub layout: Layout,
    /// Size limits of its packs.
    pub limits: Limits,
}

/// Limits for packs of a scope. `None` means no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of all entries together.
    pub max_total_bytes: Option<u64>,
    /// Most bytes of one entry.
    pub max_entry_bytes: Option<u64>,
    /// Most entries.
    pub max_entries: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawScope {
    title: Option<String>,
    include: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    exclude: Vec<Spanned<String>>,
    prefix: Option<Spanned<String>>,
    #[serde(default)]
    buckets: Vec<Spanned<String>>,
    #[serde(default)]
    anchors: Vec<Spanned<String>>,
    #[serde(default)]
    limits: RawLimits,
    #[serde(default)]
    split: RawSplit,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSplit {
    max_tokens: Option<Spanned<Value>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    max_total_bytes: Option<Spanned<Value>>,
    max_entry_bytes: Option<Spanned<Value>>,
    max_entries: Option<Spanned<Value>>,
}

impl RawScope {
    /// Returns the globs of the scope.
    pub(super) fn globs(&self) -> impl Iterator<Item = &String> {
        let globs = self.include.iter().flatten().chain(&self.exclude);
        globs.map(|glob| glob.get_ref())
    }

    /// Returns the number of its buckets and anchors.
    pub(super) fn items(&self) -> usize {
        self.buckets.len() + self.anchors.len()
    }

    /// Reads the scope `key`.
    pub(super) fn read(self, key: &str, lines: &Lines) -> Result<Scope, ConfigError> {
        if !is_plain_word(key) {
            let problem = format!("scope: expected a name of letters, digits, '.', '_' and '-', found {key:?}");
            return Err(ConfigError { line: None, problem });
        }
        let mut layout = Layout::of_scope(key);
        if let Some(prefix) = self.prefix {
            layout.prefix = read_prefix(prefix, lines)?;
        }
        for bucket in self.buckets {
            add_bucket(&mut layout, bucket, lines)?;
        }
        for anchor in self.anchors {
            add_anchor(&mut layout, anchor, lines)?;
        }
        layout.max_tokens = budget(self.split.max_tokens, lines)?;
        let limits = self.limits.read(lines)?;
        let whole = || Located {
            value: "**".into(),
            line: 0,
        };
        let located = |globs: Vec<_>| globs.into_iter().map(|glob| lines.locate(glob)).collect();
        Ok(Scope {
            title: self.title,
            include: self.include.map_or_else(|| vec![whole()], located),
            exclude: located(self.exclude),
            layout,
            limits,
        })
    }
}

fn read_prefix(prefix: Spanned<String>, lines: &Lines) -> Result<String, ConfigError> {
    match is_prefix(prefix.get_ref()) {
        true => Ok(prefix.into_inner()),
        false => {
            let found = prefix.get_ref();
            let problem = format!("prefix: expected at most 64 letters, digits, '_' and '-', found {found:?}");
            Err(lines.error(prefix.span().start, problem))
        }
    }
}

fn add_bucket(layout: &mut Layout, bucket: Spanned<String>, lines: &Lines) -> Result<(), ConfigError> {
    let (at, name) = (bucket.span().start, bucket.into_inner());
    let name = name.strip_suffix('/').unwrap_or(&name).to_owned();
    if name.contains('/') || MemberPath::parse(&name).is_err() {
        let problem = format!("buckets: expected the name of a directory at the top, found {name:?}");
        return Err(lines.error(at, problem));
    }
    if layout.buckets.contains(&name) {
        return Err(lines.error(at, format!("buckets: {name:?} occurs twice")));
    }
    layout.buckets.push(name);
    Ok(())
}

fn add_anchor(layout: &mut Layout, anchor: Spanned<String>, lines: &Lines) -> Result<(), ConfigError> {
    let (at, path) = (anchor.span().start, anchor.into_inner());
    if let Err(why) = MemberPath::parse(&path) {
        let problem = format!("anchors: expected the path of a file in the tree, found {path:?}: {why}");
        return Err(lines.error(at, problem));
    }
    if layout.anchors.contains(&path) {
        return Err(lines.error(at, format!("anchors: {path:?} occurs twice")));
    }
    layout.anchors.push(path);
    Ok(())
}

impl RawLimits {
    fn read(self, lines: &Lines) -> Result<Limits, ConfigError> {
        Ok(Limits {
            max_total_bytes: size("max_total_bytes", self.max_total_bytes, lines)?,
            max_entry_bytes: size("max_entry_bytes", self.max_entry_bytes, lines)?,
            max_entries: number("max_entries", self.max_entries, lines)?,
        })
    }
}

/// Returns the size in bytes that a text states: `2048`, `50MiB` or `2 MB`.
pub fn size_of(text: &str) -> Option<u64> {
    text.parse::<ByteSize>().ok().map(|size| size.as_u64())
}

/// Reads a size in bytes: an integer, or a text with a unit.
fn size(key: &str, raw: Option<Spanned<Value>>, lines: &Lines) -> Result<Option<u64>, ConfigError> {
    let Some(raw) = raw else { return Ok(None) };
    let bytes = match raw.get_ref() {
        Value::Integer(bytes) => u64::try_from(*bytes).ok(),
        Value::String(text) => size_of(text),
        _ => None,
    };
    let expected = "bytes as an integer, or a size such as \"50MiB\" or \"2 MB\"";
    let bytes = bytes.ok_or_else(|| not(key, expected, &raw, lines))?;
    Ok(Some(bytes))
}

/// Reads the budget of tokens of a split.
fn budget(raw: Option<Spanned<Value>>, lines: &Lines) -> Result<Option<u64>, ConfigError> {
    let Some(raw) = raw else { return Ok(None) };
    let number = raw.get_ref().as_integer().and_then(|n| u64::try_from(n).ok());
    match number.filter(|number| BUDGETS.contains(number)) {
        Some(number) => Ok(Some(number)),
        None => {
            let (least, most, found) = (BUDGETS.start(), BUDGETS.end(), raw.get_ref());
            let problem = format!("split.max_tokens: expected an integer from {least} to {most}, found {found}");
            Err(lines.error(raw.span().start, problem))
        }
    }
}

fn number(key: &str, raw: Option<Spanned<Value>>, lines: &Lines) -> Result<Option<u64>, ConfigError> {
    let Some(raw) = raw else { return Ok(None) };
    let number = raw.get_ref().as_integer().and_then(|n| u64::try_from(n).ok());
    let number = number.ok_or_else(|| not(key, "an integer that is not negative", &raw, lines))?;
    Ok(Some(number))
}

/// Returns the error about a limit with an unusable value.
fn not(key: &str, expected: &str, found: &Spanned<Value>, lines: &Lines) -> ConfigError {
    let problem = format!("limits.{key}: expected {expected}, found {}", found.get_ref());
    lines.error(found.span().start, problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::config::Config;
    use crate::format::tree_meta::Part;

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, line, expected) in [
            (
                "version = 1\n[pack]\nemit = [\n \"repo\",\n  \"lits\",\n]\n",
                5,
                "expected one of repo, lite, full and split",
            ),
            (
                "version = 1\n[pack]\nemit = [\"ful\"]\n",
                3,
                "expected one of repo, lite, full and split",
            ),
            ("version = 1\n[pack]\nemit = []\n", 3, "expected at least one"),
            ("version = 1\n[pack]\nemit = [\"repo\", \"repo\"]\n", 3, "occurs twice"),
            (
                "version = 1\n[scope.a]\nprefix = \"a b\"\n",
                3,
                "at most 64 letters, digits, '_' and '-'",
            ),
            (
                "version = 1\n[scope.a]\nbuckets = [\"a\",\n\"a/b\"]\n",
                4,
                "the name of a directory at the top",
            ),
            ("version = 1\n[scope.a]\nbuckets = [\"a\", \"a/\"]\n", 3, "occurs twice"),
            (
                "version = 1\n[scope.a]\nanchors = [\"../x\"]\n",
                3,
                "the path of a file in the tree",
            ),
            (
                "version = 1\n[scope.a]\nlimits = { max_total_bytes = \"50 apples\" }\n",
                3,
                "limits.max_total_bytes: expected bytes",
            ),
            (
                "version = 1\n[scope.a.limits]\nmax_entry_bytes = -1\n",
                3,
                "limits.max_entry_bytes: expected bytes",
            ),
            (
                "version = 1\n[scope.a.limits]\nmax_entries = \"1\"\n",
                3,
                "limits.max_entries: expected an integer",
            ),
            (
                "version = 1\n[scope.a]\nsplit = { max_tokens = 999 }\n",
                3,
                "split.max_tokens: expected an integer from 1000 to 10000000, found 999",
            ),
            (
                "version = 1\n[scope.a]\nsplit = { max_tokens = \"1M\" }\n",
                3,
                "split.max_tokens: expected an integer",
            ),
            (
                "version = 1\n[scope.a]\nsplit = { tokens = 5000 }\n",
                3,
                "unknown field `tokens`",
            ),
            (
                "version = 1\n[scope.a.limits]\nmax_bytes = 1\n",
                3,
                "unknown field `max_bytes`",
            ),
        ] {
            let error = Config::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.line, Some(line), "{text}: {error}");
            assert!(error.problem.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn scopes_say_how_packs_are_laid_out_and_how_large_they_may_be() {
        let text = "version = 1\n[pack]\nemit = [\"split\", \"full\"]\n[scope.a]\nprefix = \"My-Pack\"\n\
                    buckets = [\"z\", \"b/\"]\nanchors = [\"z/README.md\"]\n\
                    limits = { max_total_bytes = \"50MiB\", max_entry_bytes = 2048, max_entries = 7 }\n\
                    split = { max_tokens = 100_000 }\n\
                    [scope.\"b.c\"]\nlimits = { max_total_bytes = \"2 MB\", max_entry_bytes = \"1.5KiB\" }\n";
        let config = Config::parse(text.as_bytes()).unwrap();
        assert_eq!(config.emit, Some(vec![Part::Full, Part::Split]));
        let (a, b) = (&config.scopes["a"], &config.scopes["b.c"]);
        assert_eq!(a.layout.prefix, "My-Pack");
        assert_eq!(
            (&a.layout.buckets, &a.layout.anchors),
            (&vec!["z".into(), "b".into()], &vec!["z/README.md".into()])
        );
        assert_eq!(
            a.limits,
            Limits {
                max_total_bytes: Some(50 << 20),
                max_entry_bytes: Some(2048),
                max_entries: Some(7)
            }
        );
        assert_eq!((a.layout.max_tokens, b.layout.max_tokens), (Some(100_000), None));
        assert_eq!(b.layout.prefix, "B_C");
        assert_eq!(
            (b.limits.max_total_bytes, b.limits.max_entry_bytes),
            (Some(2_000_000), Some(1536))
        );
        assert_eq!(b.limits.max_entries, None);
    }
}
