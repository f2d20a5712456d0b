//! The protected registry: which class and policy a file has, by the built-in rules and those of the configurations.

use std::collections::BTreeSet;
use std::fmt;

use crate::format::canonical_json::to_document;
use crate::format::config::{Config, ConfigError, RUN_OUTPUT_CLASS};
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::format::protected::{Format, Origin, Policy, ProtectedDocument, Rule, RuleSetDocument, VERSION};
use crate::rules::globs::{Case, Globs};

/// The class of private keys, which no rule releases.
const KEY_CLASS: &str = "key";

/// The directory of run outputs; a path with such a segment is always protected, in any case and without exception.
const RUN_OUTPUT_SEGMENT: &[u8] = b"_PACK_RUN";

/// The built-in classes, their globs and formats; all of them have the policy `never`.
const BUILT_IN: [(&str, &[&str], &[Format]); 7] = [
    (
        RUN_OUTPUT_CLASS,
        &["_PACK_RUN/**", "**/_PACK_RUN/**", "**/_PACK_RUN"],
        &[],
    ),
    (
        "vector",
        &["**/*.vec", "**/*.faiss", "**/*.hnsw"],
        &[Format::Faiss, Format::Hnsw],
    ),
    ("index", &["**/*.index"], &[]),
    ("proof", &["**/PROOF_BUNDLE.json"], &[]),
    (
        "weights",
        &["**/*.safetensors", "**/*.gguf"],
        &[Format::Safetensors, Format::Gguf, Format::Pickle],
    ),
    (
        "agent",
        &[
            "**/agents/**/g3_information/format.json",
            "**/agents/**/g5_information/session.json",
        ],
        &[],
    ),
    (KEY_CLASS, &[], &[Format::PrivateKey]),
];

/// A registry in force: one set of rules a configuration that has a say, the strictest verdict holds.
pub struct Registry {
    sets: Vec<RuleSet>,
    /// Whether some configuration blocks what could not be examined whole.
    blocks_in_part: bool,
}

struct RuleSet {
    rules: Vec<Rule>,
    allow_in: Vec<Globs>,
    /// Blobs that may stand in plaintext everywhere but among run outputs.
    allowed: BTreeSet<ObjectId>,
    /// All globs of all rules, and for each its rule and text.
    globs: Globs,
    sources: Vec<(usize, String)>,
}

/// What is known of a file that is to be judged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// Its repository path.
    pub path: &'a [u8],
    /// What its content was recognised as.
    pub formats: &'a [Format],
    /// Its blob.
    pub blob: Option<ObjectId>,
}

/// What the registry says of a file that it does not leave alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The class of the deciding rule.
    pub class: String,
    /// Its policy: never `allowed`.
    pub policy: Policy,
    /// What matched.
    pub cause: Cause,
    /// Who wrote the rule.
    pub origin: Origin,
}

/// What it is about a file that a rule matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its path, by this glob.
    Glob(String),
    /// Its content.
    Content(Format),
    /// That not all of its content could be examined.
    InPart,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Glob(glob) => f.write_str(glob),
            Self::Content(format) => write!(f, "content: {}", format.as_str()),
            Self::InPart => f.write_str("[guard] in_part"),
        }
    }
}

impl Registry {
    /// Compiles the registry of `configs`, each on top of the built-in rules; of none, those rules alone.
    pub fn of(configs: &[&Config]) -> Result<Self, ConfigError> {
        let none = Config::default();
        let configs = if configs.is_empty() { &[&none][..] } else { configs };
        let mut sets: Vec<RuleSet> = Vec::new();
        for config in configs {
            let own = config.protect.iter().map(|rule| rule.value.clone());
            let rules: Vec<Rule> = built_in().chain(own).collect();
            let allowed: BTreeSet<ObjectId> = config.allow.iter().map(|allow| allow.value.blob).collect();
            if sets.iter().any(|set| set.rules == rules && set.allowed == allowed) {
                continue;
            }
            let first_own = rules.len() - config.protect.len();
            sets.push(RuleSet::compile(rules, allowed).map_err(|(rule, problem)| ConfigError {
                line: rule.checked_sub(first_own).map(|own| config.protect[own].line),
                problem,
            })?);
        }
        Ok(Self {
            sets,
            blocks_in_part: configs.iter().any(|config| config.blocks_in_part),
        })
    }

    /// Compiles the registry that a pack carries.
    pub fn of_document(document: ProtectedDocument) -> Result<Self, String> {
        if document.version != VERSION {
            return Err(format!("version: expected {VERSION}, found {:?}", document.version));
        }
        if document.rule_sets.is_empty() {
            return Err("rule_sets is empty".into());
        }
        let sets = document
            .rule_sets
            .into_iter()
            .map(|set| {
                let allowed = set.allow.iter().map(|id| {
                    ObjectId::parse(id).ok_or_else(|| format!("allow: expected 40 or 64 hex digits, found {id:?}"))
                });
                RuleSet::compile(set.rules, allowed.collect::<Result<_, _>>()?).map_err(|(_, problem)| problem)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            sets,
            blocks_in_part: false,
        })
    }

    /// Returns the bytes of `meta/PROTECTED.json`.
    pub fn to_document(&self) -> Vec<u8> {
        let sets = self.sets.iter().map(|set| RuleSetDocument {
            rules: set.rules.clone(),
            allow: set.allowed.iter().map(ObjectId::hex).collect(),
        });
        to_document(&ProtectedDocument {
            version: VERSION.into(),
            rule_sets: sets.collect(),
        })
    }

    /// Returns whether what could not be examined whole is a leak to the guard.
    pub fn blocks_in_part(&self) -> bool {
        self.blocks_in_part
    }

    /// Returns whether every set lets this blob pass by an exception of its own.
    pub fn has_exception(&self, blob: ObjectId) -> bool {
        self.sets.iter().all(|set| set.allowed.contains(&blob))
    }

    /// Returns the blobs that may stand in plaintext by an exception of their own.
    pub fn exceptions(&self) -> impl Iterator<Item = ObjectId> {
        self.sets.iter().flat_map(|set| set.allowed.iter().copied())
    }

    /// Returns a digest of everything that a verdict depends on besides the file.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.to_document())
    }

    /// Returns whether every set begins with the built-in rules: without them it is no registry of ours.
    pub fn has_built_in_rules(&self) -> bool {
        let built_in: Vec<Rule> = built_in().collect();
        self.sets.iter().all(|set| set.rules.starts_with(&built_in))
    }

    /// Returns whether some rule for a content of this format gives a file this class and policy.
    pub fn has_rule_for(&self, format: Format, class: &str, policy: Policy) -> bool {
        let mut rules = self.sets.iter().flat_map(|set| &set.rules);
        rules.any(|rule| rule.formats.contains(&format) && rule.class == class && rule.policy == policy)
    }

    /// Returns the rules in force, a list a set.
    pub fn rules(&self) -> impl Iterator<Item = &[Rule]> {
        self.sets.iter().map(|set| set.rules.as_slice())
    }

    /// Returns the strictest verdict of the sets on a repository path; none where plaintext may stand everywhere.
    pub fn judge(&self, path: &[u8]) -> Option<Verdict> {
        self.judge_file(&Subject {
            path,
            ..Subject::default()
        })
    }

    /// Returns the strictest verdict of the sets on a file, by its path, its content and its blob.
    pub fn judge_file(&self, file: &Subject<'_>) -> Option<Verdict> {
        self.sets
            .iter()
            .filter_map(|set| set.judge(file))
            .max_by_key(|verdict| verdict.policy)
    }

    /// Returns whether a file under this path may stand nowhere, whatever its content is, unless it is encrypted or an
    /// exception lets its blob pass.
    pub fn forbids_path(&self, path: &[u8]) -> bool {
        self.sets.iter().any(|set| set.forbids_path(path))
    }

    /// Returns whether every set lets plaintext stand under this path and blob by a rule or an exception of its own.
    pub fn releases(&self, file: &Subject<'_>) -> bool {
        self.sets.iter().all(|set| set.releases(file))
    }
}

impl RuleSet {
    fn compile(rules: Vec<Rule>, allowed: BTreeSet<ObjectId>) -> Result<Self, (usize, String)> {
        let mut sources = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            sources.extend(rule.paths.iter().map(|glob| (index, glob.clone())));
        }
        let globs = Globs::new(sources.iter().map(|(_, glob)| glob.as_str()), Case::Insensitive).map_err(|bad| {
            (
                sources.get(bad.index).map_or(0, |s| s.0),
                format!("paths: {}", bad.reason),
            )
        })?;
        let allow_in = rules
            .iter()
            .enumerate()
            .map(|(index, rule)| {
                Globs::new(rule.allow_in.iter().map(String::as_str), Case::Sensitive)
                    .map_err(|bad| (index, format!("allow_in: {}", bad.reason)))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            rules,
            allow_in,
            allowed,
            globs,
            sources,
        })
    }

    /// The last rule that matches decides, so that a configuration refines what stands before it. Private keys and run
    /// outputs are beyond its rules.
    fn judge(&self, file: &Subject<'_>) -> Option<Verdict> {
        let verdict = |class: &str, policy, cause, origin| {
            Some(Verdict {
                class: class.into(),
                policy,
                cause,
                origin,
            })
        };
        if is_run_output(file.path) {
            let cause = Cause::Glob("_PACK_RUN/**".into());
            return verdict(RUN_OUTPUT_CLASS, Policy::Never, cause, Origin::BuiltIn);
        }
        if self.allows(file) {
            return None;
        }
        if file.formats.contains(&Format::PrivateKey) {
            let cause = Cause::Content(Format::PrivateKey);
            return verdict(KEY_CLASS, Policy::Never, cause, Origin::BuiltIn);
        }
        let (rule, cause) = self.deciding(file)?;
        match self.is_released(rule, file.path) {
            true => None,
            false => {
                let rule = &self.rules[rule];
                verdict(&rule.class, rule.policy, cause, rule.origin)
            }
        }
    }

    fn forbids_path(&self, path: &[u8]) -> bool {
        if is_run_output(path) {
            return true;
        }
        let file = Subject {
            path,
            ..Subject::default()
        };
        // Rules behind the deciding one that go by content can name another class, but not all of them can release.
        let releases =
            |rule: &Rule| !rule.formats.is_empty() && (rule.policy != Policy::Never || !rule.allow_in.is_empty());
        self.deciding(&file).is_some_and(|(rule, _)| {
            self.rules[rule].policy == Policy::Never
                && !self.is_released(rule, path)
                && !self.rules[rule + 1..].iter().any(releases)
        })
    }

    fn releases(&self, file: &Subject<'_>) -> bool {
        self.allows(file)
            || self
                .deciding(file)
                .is_some_and(|(rule, _)| self.is_released(rule, file.path))
    }

    fn allows(&self, file: &Subject<'_>) -> bool {
        file.blob.is_some_and(|blob| self.allowed.contains(&blob))
    }

    fn is_released(&self, rule: usize, path: &[u8]) -> bool {
        self.rules[rule].policy == Policy::Allowed || self.allow_in[rule].matches(path)
    }

    /// Returns the last rule that matches, and by what.
    fn deciding(&self, file: &Subject<'_>) -> Option<(usize, Cause)> {
        let by_path: Vec<usize> = self.globs.matching(file.path);
        if by_path.is_empty() && file.formats.is_empty() {
            return None;
        }
        (0..self.rules.len()).rev().find_map(|index| {
            let rule = &self.rules[index];
            let glob = by_path.iter().rev().find(|glob| self.sources[**glob].0 == index);
            let format = rule.formats.iter().find(|format| file.formats.contains(format));
            let needs_both = rule.policy == Policy::Allowed && !rule.paths.is_empty() && !rule.formats.is_empty();
            let cause = match (glob, format) {
                (Some(_), None) | (None, Some(_)) if needs_both => return None,
                (Some(glob), _) => Cause::Glob(self.sources[*glob].1.clone()),
                (None, Some(format)) => Cause::Content(*format),
                (None, None) => return None,
            };
            Some((index, cause))
        })
    }
}

/// Returns whether a path has a `_PACK_RUN` segment.
pub fn is_run_output(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/')
        .any(|segment| segment.eq_ignore_ascii_case(RUN_OUTPUT_SEGMENT))
}

fn built_in() -> impl Iterator<Item = Rule> {
    BUILT_IN.into_iter().map(|(class, globs, formats)| Rule {
        class: class.into(),
        paths: globs.iter().map(|glob| (*glob).to_owned()).collect(),
        formats: formats.to_vec(),
        policy: Policy::Never,
        allow_in: Vec::new(),
        origin: Origin::BuiltIn,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::canonical_json::parse_strict_into;

    fn config(text: &str) -> Config {
        Config::parse(format!("version = 1\n{text}").as_bytes()).unwrap()
    }

    fn judge(configs: &[&Config], path: &str) -> Option<(String, Policy)> {
        let verdict = Registry::of(configs).unwrap().judge(path.as_bytes())?;
        Some((verdict.class, verdict.policy))
    }

    #[test]
    fn the_built_in_rules_hold_without_a_configuration() {
        for (path, class) in [
            ("embeddings/index.vec", "vector"),
            ("A/B.VEC", "vector"),
            ("x.index", "index"),
            ("p/PROOF_BUNDLE.json", "proof"),
            ("m.safetensors", "weights"),
            ("_PACK_RUN/x", "pack-run"),
            ("a/_pack_run/b", "pack-run"),
            ("_PACK_RUN", "pack-run"),
            ("agents/00/ab/g3_information/format.json", "agent"),
        ] {
            assert_eq!(judge(&[], path), Some((class.into(), Policy::Never)), "{path}");
        }
        for path in ["a.vec.age", "index.html", "index", "my_PACK_RUN/x", "format.json"] {
            assert_eq!(judge(&[], path), None, "{path}");
        }
    }

    #[test]
    fn a_configuration_widens_refines_and_releases_but_never_run_outputs() {
        let config = config(
            r#"
            [[protect]]
            class = "ledger"
            paths = ["*.ledger"]
            policy = "internal"
            [[protect]]
            class = "vector"
            paths = ["*.vec"]
            allow_in = ["tests/fixtures/**"]
            [[protect]]
            class = "all"
            paths = ["public/**", "_PACK_RUN/**"]
            policy = "allowed"
            "#,
        );
        let configs = [&config];
        assert_eq!(judge(&configs, "a.ledger"), Some(("ledger".into(), Policy::Internal)));
        assert_eq!(judge(&configs, "a.vec"), Some(("vector".into(), Policy::Never)));
        assert_eq!(judge(&configs, "tests/fixtures/a.vec"), None);
        assert_eq!(judge(&configs, "public/a.vec"), None);
        assert_eq!(judge(&configs, "_PACK_RUN/a"), Some(("pack-run".into(), Policy::Never)));
        assert_eq!(
            judge(&configs, "public/_PACK_RUN/a"),
            Some(("pack-run".into(), Policy::Never))
        );
    }

    #[test]
    fn the_strictest_of_several_configurations_holds() {
        let weak = config("[[protect]]\nclass = \"v\"\npaths = [\"*.vec\"]\npolicy = \"allowed\"\n");
        let none = Config::default();
        assert_eq!(judge(&[&weak], "a.vec"), None);
        assert_eq!(judge(&[&weak, &none], "a.vec"), Some(("vector".into(), Policy::Never)));
        assert_eq!(judge(&[&none, &weak], "a.vec"), Some(("vector".into(), Policy::Never)));
    }

    fn judge_content(config: &Config, path: &str, formats: &[Format], blob: u8) -> Option<(String, Policy)> {
        let file = Subject {
            path: path.as_bytes(),
            formats,
            blob: ObjectId::from_bytes(&[blob; 20]),
        };
        let verdict = Registry::of(&[config]).unwrap().judge_file(&file)?;
        Some((verdict.class, verdict.policy))
    }

    #[test]
    fn content_is_judged_where_names_say_nothing() {
        let none = Config::default();
        let vector = Some(("vector".to_owned(), Policy::Never));
        assert_eq!(judge_content(&none, "logo.png", &[Format::Faiss], 1), vector);
        assert_eq!(judge_content(&none, "t.parquet", &[Format::Parquet], 1), None);
        let config = config(
            r#"
            [[protect]]
            class = "dataset"
            formats = ["parquet"]
            policy = "internal"
            [[protect]]
            class = "sample"
            paths = ["samples/**"]
            formats = ["faiss"]
            policy = "allowed"
            [[protect]]
            class = "public"
            paths = ["public/**"]
            policy = "allowed"
            [[allow]]
            blob = "0707070707070707070707070707070707070707"
            reason = "a test key"
            "#,
        );
        let dataset = Some(("dataset".to_owned(), Policy::Internal));
        assert_eq!(judge_content(&config, "t", &[Format::Parquet], 1), dataset);
        // A release that names both needs both.
        assert_eq!(judge_content(&config, "samples/x", &[Format::Faiss], 1), None);
        assert_eq!(judge_content(&config, "x", &[Format::Faiss], 1), vector);
        assert!(judge_content(&config, "samples/x.gguf", &[Format::Gguf], 1).is_some());
        // Keys are released one by one only, run outputs never.
        let key = Some(("key".to_owned(), Policy::Never));
        assert_eq!(judge_content(&config, "public/k", &[Format::PrivateKey], 1), key);
        assert_eq!(judge_content(&config, "k", &[Format::PrivateKey], 7), None);
        assert!(judge_content(&config, "_PACK_RUN/k", &[], 7).is_some());
    }

    #[test]
    fn a_path_forbids_by_itself_where_no_content_can_release_it() {
        let forbids = |text: &str, path: &str| Registry::of(&[&config(text)]).unwrap().forbids_path(path.as_bytes());
        assert!(forbids("", "a.vec") && forbids("", "_PACK_RUN/a") && !forbids("", "a.txt"));
        let rule = |more: &str| format!("[[protect]]\nclass = \"c\"\nformats = [\"faiss\"]\n{more}\n");
        assert!(forbids(&rule(""), "a.vec"));
        assert!(!forbids(&rule("policy = \"internal\""), "a.vec"));
        assert!(!forbids(&rule("allow_in = [\"t/**\"]"), "a.vec"));
        let paths = "[[protect]]\nclass = \"c\"\npaths = [\"*.x\"]\npolicy = \"internal\"\n";
        assert!(!forbids(paths, "a.x") && forbids(paths, "a.vec"));
    }

    #[test]
    fn a_registry_reads_back_from_its_document() {
        let config = config("[[protect]]\nclass = \"l\"\npaths = [\"*.l\"]\nallow_in = [\"t/**\"]\n");
        let registry = Registry::of(&[&config, &Config::default()]).unwrap();
        let bytes = registry.to_document();
        let again = Registry::of_document(parse_strict_into(&bytes).unwrap()).unwrap();
        assert_eq!(again.to_document(), bytes);
        assert!(again.judge(b"a.l").is_some());
    }

    #[test]
    fn a_bad_glob_is_named_with_its_line() {
        let config = config("[[protect]]\nclass = \"l\"\npaths = [\"a[\"]\n");
        let error = Registry::of(&[&config]).err().unwrap();
        assert_eq!(error.line, Some(2));
        assert!(error.problem.contains("a["), "{error}");
    }
}
