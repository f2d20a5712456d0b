//! Sets of globs over repository paths, with rules like those of `.gitignore`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use globset::{Candidate, Glob, GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

/// A glob of at most so many bytes, without alternatives and classes, always compiles.
const SHORT: usize = 64;

/// Compiled globs.
///
/// A pattern without a slash matches at any depth. A leading slash anchors it at the root. A trailing slash matches
/// only what is below a directory; without one, a pattern also matches everything below a directory that it names, unless
/// its [`Reach`] ends there. `*` and `?` do not match slashes, `**` does.
#[derive(Clone)]
pub struct Globs {
    set: GlobSet,
    case: Case,
    /// For each glob of `set`, the index of the pattern it was made from.
    pattern_of: Vec<usize>,
    /// By the extension of the files that they match: globs that are compiled when a path with it comes. Compiling them
    /// takes longer than a hook has, and hardly a path has one of these extensions.
    by_extension: Arc<HashMap<Vec<u8>, Vec<Late>>>,
}

/// A glob that is compiled when it is first needed.
struct Late {
    glob: Glob,
    /// The index of the pattern it was made from.
    pattern: usize,
    compiled: OnceLock<GlobMatcher>,
}

impl Late {
    fn matches(&self, path: &Candidate<'_>) -> bool {
        let matcher = self.compiled.get_or_init(|| self.glob.compile_matcher());
        matcher.is_match_candidate(path)
    }
}

/// Whether matching distinguishes upper and lower case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// Upper and lower case differ.
    Sensitive,
    /// Upper and lower case are the same: a renamed `X.VEC` is still a vector.
    Insensitive,
}

/// How far a pattern reaches that does not end in a slash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To the paths that it matches.
    Path,
    /// Also to everything below a directory with such a path, as in `.gitignore`.
    Below,
}

/// A pattern that is not a valid glob.
#[derive(Debug)]
pub struct BadGlob {
    /// Index of the pattern in the list.
    pub index: usize,
    /// Why it cannot be compiled.
    pub reason: String,
}

impl Globs {
    /// Compiles `patterns`, which also match what is below a directory.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>, case: Case) -> Result<Self, BadGlob> {
        Self::reaching(patterns.into_iter().map(|pattern| (pattern, Reach::Below)), case)
    }

    /// Compiles patterns, each with its reach.
    pub fn reaching<'a>(patterns: impl IntoIterator<Item = (&'a str, Reach)>, case: Case) -> Result<Self, BadGlob> {
        let mut builder = GlobSetBuilder::new();
        let mut pattern_of = Vec::new();
        let mut by_extension: HashMap<Vec<u8>, Vec<Late>> = HashMap::new();
        for (index, (pattern, reach)) in patterns.into_iter().enumerate() {
            if let Some(reason) = never_matches(pattern) {
                return Err(BadGlob {
                    index,
                    reason: format!("{pattern:?} {reason}"),
                });
            }
            let folded = match case {
                Case::Sensitive => pattern.to_owned(),
                Case::Insensitive => pattern.to_lowercase(),
            };
            for text in spellings(&folded, reach) {
                let glob = GlobBuilder::new(&text)
                    .literal_separator(true)
                    .backslash_escape(true)
                    .build()
                    .map_err(|e| BadGlob {
                        index,
                        reason: format!("{pattern:?} is not a glob: {}", e.kind()),
                    })?;
                if let Some(extension) = late_extension(&text) {
                    by_extension.entry(extension.into()).or_default().push(Late {
                        glob,
                        pattern: index,
                        compiled: OnceLock::new(),
                    });
                    continue;
                }
                builder.add(glob);
                pattern_of.push(index);
            }
        }
        let set = builder.build().map_err(|e| BadGlob {
            index: 0,
            reason: format!("these globs are too large to compile together: {e}"),
        })?;
        Ok(Self {
            set,
            case,
            pattern_of,
            by_extension: Arc::new(by_extension),
        })
    }

    /// Returns whether any pattern matches a path.
    pub fn matches(&self, path: &[u8]) -> bool {
        let folded = self.fold(path);
        let path = Candidate::from_bytes(&folded);
        self.set.is_match_candidate(&path) || self.late(&folded).any(|glob| glob.matches(&path))
    }

    /// Returns the globs for the extension of a path that are compiled late.
    fn late(&self, path: &[u8]) -> impl Iterator<Item = &Late> {
        let globs = extension_of(path).and_then(|extension| self.by_extension.get(extension));
        globs.into_iter().flatten()
    }

    /// Returns the indices of the patterns that match a path, ascending.
    pub fn matching(&self, path: &[u8]) -> Vec<usize> {
        let folded = self.fold(path);
        let path = Candidate::from_bytes(&folded);
        let mut patterns = self.set.matches_candidate(&path);
        for glob in &mut patterns {
            *glob = self.pattern_of[*glob];
        }
        let late = self.late(&folded).filter(|glob| glob.matches(&path));
        patterns.extend(late.map(|glob| glob.pattern));
        patterns.sort_unstable();
        patterns
    }
}

/// A pattern for whole paths. `*` matches a part of one segment, `**` any number of segments.
pub struct WholePath(GlobMatcher);

impl WholePath {
    /// Compiles a pattern. `None` if it is invalid.
    pub fn new(pattern: &str) -> Option<Self> {
        let glob = GlobBuilder::new(pattern).literal_separator(true).build().ok()?;
        Some(Self(glob.compile_matcher()))
    }

    /// Returns whether the pattern matches the whole path.
    pub fn matches(&self, path: &str) -> bool {
        self.0.is_match(path)
    }
}

impl Globs {
    /// Folds the case of a path like that of the patterns: of all letters in UTF-8, of ASCII letters in other bytes.
    fn fold<'a>(&self, path: &'a [u8]) -> Cow<'a, [u8]> {
        if self.case == Case::Sensitive || path.iter().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
            return Cow::Borrowed(path);
        }
        Cow::Owned(match std::str::from_utf8(path) {
            Ok(text) => text.to_lowercase().into_bytes(),
            Err(_) => path.to_ascii_lowercase(),
        })
    }
}

/// Returns the last part of a name that begins with a dot, if there is one.
fn extension_of(path: &[u8]) -> Option<&[u8]> {
    let at = path.iter().rposition(|byte| matches!(byte, b'.' | b'/'))?;
    (path[at] == b'.').then(|| &path[at..])
}

/// Returns the extension of every path that a glob can match, if it is one to compile late.
fn late_extension(glob: &str) -> Option<&[u8]> {
    let special = |byte: &u8| matches!(byte, b'*' | b'?' | b'[' | b']' | b'{' | b'}' | b'\\' | b',' | b'!');
    let extension = extension_of(glob.as_bytes())?;
    let is_simple = glob.len() <= SHORT && !glob.bytes().any(|byte| matches!(byte, b'[' | b'{' | b'\\'));
    // The set itself matches names and plain extensions without compiling anything.
    let inner = glob.strip_prefix("**/").unwrap_or(glob);
    let is_plain = !inner.bytes().any(|byte| special(&byte))
        || inner
            .strip_prefix('*')
            .is_some_and(|rest| rest.as_bytes() == extension && !extension.iter().any(special));
    (is_simple && !is_plain && !extension.iter().any(special)).then_some(extension)
}

fn spellings(pattern: &str, reach: Reach) -> Vec<String> {
    let tied = pattern.strip_prefix('/');
    let body = tied.unwrap_or(pattern);
    let inner = body.strip_suffix('/').unwrap_or(body);
    let base = if tied.is_some() || inner.contains('/') || inner == "**" {
        inner.to_owned()
    } else {
        format!("**/{inner}")
    };
    if body.ends_with('/') {
        return vec![format!("{base}/**")];
    }
    // Two stars reach below a directory only as a whole segment: `a**` is `a*`.
    if base == "**" || base.ends_with("/**") || reach == Reach::Path {
        return vec![base];
    }
    let below = format!("{base}/**");
    vec![base, below]
}

/// Returns why a pattern can never match, for the obvious cases: a rule that protects nothing must not look like one
/// that does.
fn never_matches(pattern: &str) -> Option<&'static str> {
    let segments = || pattern.strip_prefix('/').unwrap_or(pattern).split('/');
    if pattern.starts_with('!') {
        Some("begins with '!': globs cannot negate; use allow_in or a rule with policy = \"allowed\"")
    } else if segments().any(|segment| segment == "." || segment == "..") {
        Some("has a '.' or '..' segment, which no path of a repository has")
    } else if pattern.contains("//") || pattern.trim_matches('/').is_empty() {
        Some("has an empty segment, which no path of a repository has")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_git_users_expect() {
        for (pattern, yes, no) in [
            (
                "*.vec",
                &["a.vec", "d/e/a.vec", "A.VEC", "d/.vec"][..],
                &["a.vec.age", "a.vecs"][..],
            ),
            ("/top.bin", &["top.bin"], &["d/top.bin"]),
            ("data/", &["data/x", "d/data/x/y"], &["data", "data.bin"]),
            (
                "private/keys",
                &["private/keys", "private/keys/a"],
                &["d/private/keys", "private/keys2"],
            ),
            ("**", &["a", "a/b/c", ".hidden"], &[]),
            (
                "third_party/**",
                &["third_party/a", "third_party/a/b"],
                &["third_party", "x/third_party/a"],
            ),
            ("a/*.bin", &["a/x.bin"], &["a/b/x.bin"]),
            ("secret**", &["secret", "secret-a/x", "d/secrets/x/y"], &["d/no-secret"]),
            ("ÄB/*.q", &["äb/x.q", "Äb/É.Q"], &["ab/x.q"]),
            (
                "**/*.index",
                &["x.index", "a/b/x.Index", "x.index/file"],
                &["x.indexes"],
            ),
        ] {
            let globs = Globs::new([pattern], Case::Insensitive).unwrap();
            for path in yes {
                assert!(globs.matches(path.as_bytes()), "{pattern} should match {path}");
            }
            for path in no {
                assert!(!globs.matches(path.as_bytes()), "{pattern} should not match {path}");
            }
        }
    }

    #[test]
    fn a_pattern_can_stop_at_the_paths_that_it_matches() {
        let patterns = ["**/*.index", "data/", "a/**"].map(|pattern| (pattern, Reach::Path));
        let globs = Globs::reaching(patterns, Case::Insensitive).unwrap();
        for path in ["x.index", "d.index/X.Index", "data/x", "a/b"] {
            assert!(globs.matches(path.as_bytes()), "{path}");
        }
        for path in ["x.index/file", "d/x.index/a/b.js", "a"] {
            assert!(!globs.matches(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn names_that_are_not_utf8_and_names_with_newlines_are_matched_too() {
        let globs = Globs::new(["*.vec"], Case::Insensitive).unwrap();
        assert!(globs.matches(b"a/\xff\xfe.vec"));
        assert!(globs.matches(b"a/line\nbreak.vec"));
    }

    #[test]
    fn a_pattern_that_can_match_nothing_is_refused() {
        for pattern in ["./secret/**", "!other/**", "a//b", "", "/", "a/../b"] {
            assert!(Globs::new([pattern], Case::Sensitive).is_err(), "{pattern}");
        }
    }

    #[test]
    fn globs_that_are_compiled_late_match_as_the_others_do() {
        let patterns = [
            "**/*.weights.h5",
            "*embeddings.npy",
            "**/agents/**/g3/format.json",
            "a?.x",
            "*.db/c/*/p.q",
            "*.vec",
            "plain.txt",
            "x/*.[ab]c",
            "x/*.{q,r}",
            "no.*",
            "late/*.ÄB",
        ];
        let late: Vec<_> = patterns.iter().filter(|text| late_extension(text).is_some()).collect();
        assert_eq!(late.len(), 6, "{late:?}");
        let globs = Globs::reaching(patterns.map(|text| (text, Reach::Path)), Case::Insensitive).unwrap();
        for (path, expected) in [
            ("d/M.Weights.H5", &[0][..]),
            ("weights.h5", &[]),
            ("d/my-embeddings.npy", &[1]),
            ("d/embeddings.npy/x", &[]),
            ("agents/a/g3/format.json", &[2]),
            ("format.json", &[]),
            ("d/ab.x", &[3]),
            ("d/abc.x", &[]),
            ("y.db/c/d/p.q", &[4]),
            ("y.vec", &[5]),
            ("plain.txt", &[6]),
            ("x/y.ac", &[7]),
            ("x/y.r", &[8]),
            ("no.x", &[9]),
            ("late/é.äb", &[10]),
        ] {
            assert_eq!(globs.matching(path.as_bytes()), expected, "{path}");
            assert_eq!(globs.matches(path.as_bytes()), !expected.is_empty(), "{path}");
        }
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let error = Globs::new(["*.a", "a[b"], Case::Sensitive).err().unwrap();
        assert_eq!(error.index, 1);
        assert!(error.reason.contains("a[b"), "{}", error.reason);
    }
}
