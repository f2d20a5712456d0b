//! Scopes: selects the part of a tree to pack.

use crate::format::config::{Config, ConfigError, Limits, Located};
use crate::format::dump::layout::Layout;
use crate::format::only::Only;
use crate::rules::globs::{BadGlob, Case, Globs};

/// Key of the scope that every repository has: the whole tree.
pub const WHOLE: &str = "repo";

/// A compiled scope, which selects paths.
pub struct Selection {
    /// Key of the scope.
    pub key: String,
    /// Title of the scope, or its key if it has no title.
    pub title: String,
    /// The layout of its texts.
    pub layout: Layout,
    /// Size limits of its packs.
    pub limits: Limits,
    /// The included and the excluded globs, as written.
    pub globs: [Vec<String>; 2],
    /// The same globs, compiled. `None` selects everything.
    compiled: Option<(Globs, Globs)>,
}

/// Narrows a scope for one pack.
pub struct Narrowing {
    /// `None` takes everything.
    include: Option<Globs>,
    exclude: Globs,
}

impl Narrowing {
    /// Compiles the globs. The error names the one that cannot be used.
    pub fn of(only: &Only) -> Result<Self, BadGlob> {
        let globs = |globs: &[String]| Globs::new(globs.iter().map(String::as_str), Case::Sensitive);
        Ok(Self {
            include: match only.include.is_empty() {
                true => None,
                false => Some(globs(&only.include)?),
            },
            exclude: globs(&only.exclude)?,
        })
    }

    /// Returns whether `path` is taken.
    pub fn contains(&self, path: &[u8]) -> bool {
        self.include.as_ref().is_none_or(|include| include.matches(path)) && !self.exclude.matches(path)
    }
}

/// Why a scope cannot be used.
#[derive(Debug)]
pub enum BadScope {
    /// The configuration has no scope with this key. Holds the existing keys.
    Unknown(Vec<String>),
    /// One of its globs is invalid.
    Config(ConfigError),
}

impl Selection {
    /// Returns the scope `key` of `config`, or its default scope.
    pub fn of(config: &Config, key: Option<&str>) -> Result<Self, BadScope> {
        let key = key.or(config.default_scope.as_deref()).unwrap_or(WHOLE);
        let compiled = match config.scopes.get(key) {
            Some(scope) => Some((compile("include", &scope.include)?, compile("exclude", &scope.exclude)?)),
            None if key == WHOLE => None,
            None => {
                let mut names: Vec<_> = config.scopes.keys().cloned().collect();
                if !config.scopes.contains_key(WHOLE) {
                    names.push(WHOLE.into());
                }
                return Err(BadScope::Unknown(names));
            }
        };
        let scope = config.scopes.get(key);
        let title = scope.and_then(|scope| scope.title.clone());
        Ok(Self {
            layout: scope.map_or_else(|| Layout::of_scope(key), |scope| scope.layout.clone()),
            limits: scope.map(|scope| scope.limits).unwrap_or_default(),
            key: key.to_owned(),
            title: title.unwrap_or_else(|| key.to_owned()),
            globs: match scope {
                Some(scope) => [&scope.include, &scope.exclude].map(|globs| written(globs)),
                None => [vec!["**".into()], Vec::new()],
            },
            compiled,
        })
    }

    /// Returns whether every path belongs to the scope.
    pub fn is_whole(&self) -> bool {
        self.compiled.is_none()
    }

    /// Returns whether `path` belongs to the scope.
    pub fn contains(&self, path: &[u8]) -> bool {
        self.compiled
            .as_ref()
            .is_none_or(|(include, exclude)| include.matches(path) && !exclude.matches(path))
    }
}

fn written(globs: &[Located<String>]) -> Vec<String> {
    globs.iter().map(|glob| glob.value.clone()).collect()
}

fn compile(what: &str, globs: &[Located<String>]) -> Result<Globs, BadScope> {
    Globs::new(globs.iter().map(|glob| glob.value.as_str()), Case::Sensitive).map_err(|bad| {
        BadScope::Config(ConfigError {
            line: globs.get(bad.index).map(|glob| glob.line),
            problem: format!("{what}: {}", bad.reason),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_takes_what_is_included_and_not_excluded() {
        let filter = |include: &[&str], exclude: &[&str]| {
            let [include, exclude] = [include, exclude].map(|globs| globs.iter().map(|glob| (*glob).into()).collect());
            Narrowing::of(&Only { include, exclude })
        };
        let one = filter(&["src/**", "*.md"], &["src/old/"]).unwrap();
        for (path, taken) in [
            ("src/a", true),
            ("a/b.md", true),
            ("src/old/a", false),
            ("lib/a", false),
            ("SRC/a", false),
        ] {
            assert_eq!(one.contains(path.as_bytes()), taken, "{path}");
        }
        assert!(filter(&[], &["*.lock"]).unwrap().contains(b"anything"));
        assert_eq!(filter(&["a", "../b"], &[]).err().unwrap().index, 1);
    }

    #[test]
    fn scopes_include_and_exclude() {
        let config = Config::parse(
            b"version = 1\n[pack]\nscope = \"docs\"\n[scope.docs]\ntitle = \"Docs\"\ninclude = [\"docs/**\"]\nexclude = [\"*.tmp\"]\n",
        )
        .unwrap();
        let docs = Selection::of(&config, None).unwrap();
        assert_eq!((docs.key.as_str(), docs.title.as_str()), ("docs", "Docs"));
        assert!(docs.contains(b"docs/a.md"));
        assert!(!docs.contains(b"docs/a.tmp"));
        assert!(!docs.contains(b"src/a.rs"));
        assert!(Selection::of(&config, Some("repo")).unwrap().contains(b"src/a.rs"));
        match Selection::of(&config, Some("nope")) {
            Err(BadScope::Unknown(names)) => assert_eq!(names, ["docs", "repo"]),
            _ => panic!("an unknown scope must not select anything"),
        }
    }
}
