//! The protected registry: which class and policy a path has, by the built-in rules and those of the configurations.

use crate::format::canonical_json::to_document;
use crate::format::config::{Config, ConfigError, RUN_OUTPUT_CLASS};
use crate::format::protected::{Origin, Policy, ProtectedDocument, Rule, VERSION};
use crate::rules::globs::{Case, Globs};

/// The directory of run outputs; a path with such a segment is always protected, in any case and without exception.
const RUN_OUTPUT_SEGMENT: &[u8] = b"_PACK_RUN";

/// The built-in classes and their globs; all of them have the policy `never`.
const BUILT_IN: [(&str, &[&str]); 6] = [
    (RUN_OUTPUT_CLASS, &["_PACK_RUN/**", "**/_PACK_RUN/**", "**/_PACK_RUN"]),
    ("vector", &["**/*.vec", "**/*.faiss", "**/*.hnsw"]),
    ("index", &["**/*.index"]),
    ("proof", &["**/PROOF_BUNDLE.json"]),
    ("weights", &["**/*.safetensors", "**/*.gguf"]),
    (
        "agent",
        &[
            "**/agents/**/g3_information/format.json",
            "**/agents/**/g5_information/session.json",
        ],
    ),
];

/// A registry in force: one set of rules a configuration that has a say, the strictest verdict holds.
pub struct Registry {
    sets: Vec<RuleSet>,
}

struct RuleSet {
    rules: Vec<Rule>,
    allow_in: Vec<Globs>,
    /// All globs of all rules, and for each its rule and text.
    globs: Globs,
    sources: Vec<(usize, String)>,
}

/// What the registry says of a path that it does not leave alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The class of the deciding rule.
    pub class: String,
    /// Its policy: never `allowed`.
    pub policy: Policy,
    /// The glob that matched.
    pub glob: String,
    /// Who wrote the rule.
    pub origin: Origin,
}

impl Registry {
    /// Compiles the registry of `configs`, each on top of the built-in rules; of none, those rules alone.
    pub fn of(configs: &[&Config]) -> Result<Self, ConfigError> {
        let none = Config::default();
        let configs = if configs.is_empty() { &[&none][..] } else { configs };
        let mut sets: Vec<RuleSet> = Vec::new();
        for config in configs {
            let rules: Vec<Rule> = built_in()
                .chain(config.protect.iter().map(|rule| rule.value.clone()))
                .collect();
            if sets.iter().any(|set| set.rules == rules) {
                continue;
            }
            let first_own = rules.len() - config.protect.len();
            sets.push(RuleSet::compile(rules).map_err(|(rule, problem)| ConfigError {
                line: rule.checked_sub(first_own).map(|own| config.protect[own].line),
                problem,
            })?);
        }
        Ok(Self { sets })
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
            .map(|rules| RuleSet::compile(rules).map_err(|(_, problem)| problem))
            .collect::<Result<_, _>>()?;
        Ok(Self { sets })
    }

    /// Returns the bytes of `meta/PROTECTED.json`.
    pub fn to_document(&self) -> Vec<u8> {
        to_document(&ProtectedDocument {
            version: VERSION.into(),
            rule_sets: self.sets.iter().map(|set| set.rules.clone()).collect(),
        })
    }

    /// Returns whether every set begins with the built-in rules: without them it is no registry of ours.
    pub fn has_built_in_rules(&self) -> bool {
        let built_in: Vec<Rule> = built_in().collect();
        self.sets.iter().all(|set| set.rules.starts_with(&built_in))
    }

    /// Returns the strictest verdict of the sets on a repository path; none where plaintext may stand everywhere.
    pub fn judge(&self, path: &[u8]) -> Option<Verdict> {
        self.sets
            .iter()
            .filter_map(|set| set.judge(path))
            .max_by_key(|verdict| verdict.policy)
    }
}

impl RuleSet {
    fn compile(rules: Vec<Rule>) -> Result<Self, (usize, String)> {
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
            globs,
            sources,
        })
    }

    /// The last rule that matches decides, so that a configuration refines what stands before it.
    fn judge(&self, path: &[u8]) -> Option<Verdict> {
        if is_run_output(path) {
            return Some(Verdict {
                class: RUN_OUTPUT_CLASS.into(),
                policy: Policy::Never,
                glob: "_PACK_RUN/**".into(),
                origin: Origin::BuiltIn,
            });
        }
        let (rule, glob) = self.globs.matching(path).map(|glob| &self.sources[glob]).next_back()?;
        let deciding = &self.rules[*rule];
        let allowed = deciding.policy == Policy::Allowed || self.allow_in[*rule].matches(path);
        (!allowed).then(|| Verdict {
            class: deciding.class.clone(),
            policy: deciding.policy,
            glob: glob.clone(),
            origin: deciding.origin,
        })
    }
}

/// Returns whether a path has a `_PACK_RUN` segment.
pub fn is_run_output(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/')
        .any(|segment| segment.eq_ignore_ascii_case(RUN_OUTPUT_SEGMENT))
}

fn built_in() -> impl Iterator<Item = Rule> {
    BUILT_IN.into_iter().map(|(class, globs)| Rule {
        class: class.into(),
        paths: globs.iter().map(|glob| (*glob).to_owned()).collect(),
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
