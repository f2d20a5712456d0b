//! The protected registry: decides the class and policy of a file, by the built-in rules and the rules of
//! configurations.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::format::canonical_json::to_document;
use crate::format::config::{Config, ConfigError, RUN_OUTPUT_CLASS};
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::format::protected::{Format, Origin, Policy, ProtectedDocument, Rule, RuleSetDocument, VERSION};
use crate::format::repo_path::RepoPath;
use crate::rules::globs::{Case, Globs};
use crate::rules::twins::SealedTwins;

/// The class of private keys, which no rule releases.
const KEY_CLASS: &str = "key";

/// The class of files that only their sealed twins protect.
const SEALED_CLASS: &str = "sealed";

/// The class of files that a user attached to a pack and that no rule names.
const ATTACHED_CLASS: &str = "attached";

/// The directory of run outputs at the top of a work tree. A path with such a segment, in upper or lower case, is always
/// protected, without exception.
pub const OUTPUT_DIRECTORY: &str = "_PACK_RUN";

/// The built-in classes with their globs and formats. All have the policy `never`.
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

/// A registry in force: one set of rules for each configuration that applies. The strictest verdict holds.
///
/// Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    sets: Arc<[RuleSet]>,
    /// Further files that are protected because their sealed twins are tracked.
    twins: SealedTwins,
    /// Whether some configuration blocks files that could be examined only in part.
    blocks_in_part: bool,
}

#[derive(Clone)]
struct RuleSet {
    rules: Vec<Rule>,
    allow_in: Vec<Globs>,
    /// Blobs that are allowed in plaintext everywhere except among run outputs.
    allowed: BTreeSet<ObjectId>,
    /// All globs of all rules.
    globs: Globs,
    /// For each glob, the index of its rule, and its text.
    sources: Vec<(usize, String)>,
    /// Indices of the rules that name formats, ascending.
    with_formats: Vec<usize>,
}

/// What is known of a file to be judged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// Path relative to the repository's root.
    pub path: &'a [u8],
    /// The formats recognised in its content.
    pub formats: &'a [Format],
    /// Id of its blob, if it is known.
    pub blob: Option<ObjectId>,
}

/// The registry's verdict on a protected file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The class of the deciding rule.
    pub class: String,
    /// The policy of that rule. Never `allowed`.
    pub policy: Policy,
    /// What matched.
    pub cause: Cause,
    /// Where the rule comes from.
    pub origin: Origin,
}

/// The property of a file that a rule matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its path, by this glob.
    Glob(String),
    /// Its content.
    Content(Format),
    /// Its sealed twin at this path is tracked.
    Twin(RepoPath),
    /// It contains a part of a file that this clone protected.
    Known {
        /// The part in percent.
        percent: u64,
        /// Path of the protected file.
        original: RepoPath,
    },
    /// Not all of its content could be examined.
    InPart,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Glob(glob) => f.write_str(glob),
            Self::Content(format) => write!(f, "content: {}", format.as_str()),
            Self::Twin(sealed) => write!(f, "sealed twin {sealed}"),
            Self::Known { percent, original } => write!(f, "{percent} % of {original}"),
            Self::InPart => f.write_str("[guard] in_part"),
        }
    }
}

impl Verdict {
    /// Returns the verdict on the plaintext of a tracked twin, whatever the rules say.
    pub fn twin(sealed: &RepoPath) -> Self {
        Self {
            class: SEALED_CLASS.into(),
            policy: Policy::Never,
            cause: Cause::Twin(sealed.clone()),
            origin: Origin::BuiltIn,
        }
    }

    /// Returns the verdict on a file that a user attached to a pack, whatever the rules say.
    pub fn attached(path: &RepoPath) -> Self {
        Self {
            class: ATTACHED_CLASS.into(),
            policy: Policy::Never,
            cause: Cause::Glob(path.to_string()),
            origin: Origin::Config,
        }
    }
}

impl Registry {
    /// Compiles the registry of `configs`, each on top of the built-in rules. Without configurations, only the built-in
    /// rules apply.
    pub fn of(configs: &[&Config]) -> Result<Self, ConfigError> {
        let none = Config::default();
        let configs = if configs.is_empty() { &[&none][..] } else { configs };
        let registry = Self {
            sets: [].into(),
            twins: SealedTwins::default(),
            blocks_in_part: false,
        };
        registry.and(configs)
    }

    /// Returns the same registry with these configurations added.
    pub fn and(self, configs: &[&Config]) -> Result<Self, ConfigError> {
        let mut new: Vec<RuleSet> = Vec::new();
        for config in configs {
            let own = config.protect.iter().map(|rule| rule.value.clone());
            let rules: Vec<Rule> = built_in().chain(own).collect();
            let allowed: BTreeSet<ObjectId> = config.allow.iter().map(|allow| allow.value.blob).collect();
            let mut sets = self.sets.iter().chain(&new);
            if sets.any(|set| set.rules == rules && set.allowed == allowed) {
                continue;
            }
            let first_own = rules.len() - config.protect.len();
            new.push(RuleSet::compile(rules, allowed).map_err(|(rule, problem)| ConfigError {
                line: rule.checked_sub(first_own).map(|own| config.protect[own].line),
                problem,
            })?);
        }
        Ok(Self {
            sets: match new.is_empty() {
                true => self.sets,
                false => self.sets.iter().cloned().chain(new).collect(),
            },
            twins: self.twins,
            blocks_in_part: self.blocks_in_part || configs.iter().any(|config| config.blocks_in_part),
        })
    }

    /// Returns the same registry, which then also protects the plaintexts of `twins`.
    pub fn with_twins(mut self, twins: &SealedTwins) -> Self {
        self.add_twins(twins);
        self
    }

    /// Adds the plaintexts of `twins` to the protected files.
    pub fn add_twins(&mut self, twins: &SealedTwins) {
        self.twins.extend(twins);
    }

    /// Compiles the registry that a pack carries.
    pub fn of_document(document: ProtectedDocument) -> Result<Self, String> {
        if document.version != VERSION {
            return Err(format!("version: expected {VERSION}, found {:?}", document.version));
        }
        if document.rule_sets.is_empty() {
            return Err("rule_sets is empty".into());
        }
        document.hold()?;
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
            twins: SealedTwins::default(),
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

    /// Returns whether the guard treats a file that it could examine only in part as a leak.
    pub fn blocks_in_part(&self) -> bool {
        self.blocks_in_part
    }

    /// Returns whether every set has an exception for this blob.
    pub fn has_exception(&self, blob: ObjectId) -> bool {
        self.sets.iter().all(|set| set.allowed.contains(&blob))
    }

    /// Returns the blobs with an exception in any set.
    pub fn exceptions(&self) -> impl Iterator<Item = ObjectId> {
        self.sets.iter().flat_map(|set| set.allowed.iter().copied())
    }

    /// Adds exceptions for these blobs to every set.
    pub fn allow(&mut self, blobs: &[ObjectId]) {
        for set in Arc::make_mut(&mut self.sets) {
            set.allowed.extend(blobs);
        }
    }

    /// Returns a digest of everything in the registry on which a verdict depends.
    pub fn fingerprint(&self) -> Digest {
        let mut all = self.to_document();
        for sealed in self.twins.iter() {
            all.extend_from_slice(sealed.as_bytes());
            all.push(0);
        }
        Digest::of(&all)
    }

    /// Returns whether every set begins with the built-in rules. Otherwise, git-pack did not make the registry.
    pub fn has_built_in_rules(&self) -> bool {
        let built_in: Vec<Rule> = built_in().collect();
        self.sets.iter().all(|set| set.rules.starts_with(&built_in))
    }

    /// Returns whether some rule for this format has this class and policy.
    pub fn has_rule_for(&self, format: Format, class: &str, policy: Policy) -> bool {
        let mut rules = self.sets.iter().flat_map(|set| &set.rules);
        rules.any(|rule| rule.formats.contains(&format) && rule.class == class && rule.policy == policy)
    }

    /// Returns the rules in force, one list for each set.
    pub fn rules(&self) -> impl Iterator<Item = &[Rule]> {
        self.sets.iter().map(|set| set.rules.as_slice())
    }

    /// Returns the strictest verdict of the sets on a repository path. `None` if plaintext is allowed everywhere.
    pub fn judge(&self, path: &[u8]) -> Option<Verdict> {
        self.judge_file(&Subject {
            path,
            ..Subject::default()
        })
    }

    /// Returns the strictest verdict of the sets on a file, by its path, its content and its blob.
    ///
    /// The plaintext of a tracked twin is protected unless every set releases it explicitly.
    pub fn judge_file(&self, file: &Subject<'_>) -> Option<Verdict> {
        let by_rules = self.sets.iter().filter_map(|set| set.judge(file));
        let by_rules = by_rules.max_by_key(|verdict| verdict.policy);
        match (&by_rules, self.twins.of(file.path)) {
            (Some(verdict), _) if verdict.policy == Policy::Never => by_rules,
            (_, Some(sealed)) if !self.releases(file) => Some(Verdict::twin(sealed)),
            _ => by_rules,
        }
    }

    /// Returns whether plaintext at this path is allowed nowhere, whatever its content is, unless an exception covers
    /// its blob.
    pub fn forbids_path(&self, path: &[u8]) -> bool {
        self.sets.iter().any(|set| set.forbids_path(path)) || self.is_plain_of_twin(path)
    }

    /// Returns whether only a tracked twin protects the file at `path`.
    pub fn is_plain_of_twin(&self, path: &[u8]) -> bool {
        let verdict = self.judge(path);
        verdict.is_some_and(|verdict| matches!(verdict.cause, Cause::Twin(_)))
    }

    /// Returns whether every set has an exception for the blob of this file.
    pub fn allows_blob(&self, file: &Subject<'_>) -> bool {
        self.sets.iter().all(|set| set.allows(file))
    }

    /// Returns whether every set releases this path and blob by a rule or an exception.
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
        let named = rules.iter().enumerate().filter(|(_, rule)| !rule.formats.is_empty());
        let with_formats = named.map(|(index, _)| index).collect();
        Ok(Self {
            with_formats,
            rules,
            allow_in,
            allowed,
            globs,
            sources,
        })
    }

    /// Judges a file by the last matching rule, so that a configuration refines the rules before it. Its rules cannot
    /// release private keys and run outputs.
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
        // A later rule that matches by content could decide instead. That matters only if it can release the file.
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

    /// Returns the index of the last matching rule, and what it matched.
    ///
    /// Examines only rules that match by path or name formats, because there may be very many rules.
    fn deciding(&self, file: &Subject<'_>) -> Option<(usize, Cause)> {
        let by_path: Vec<usize> = self.globs.matching(file.path);
        if by_path.is_empty() && file.formats.is_empty() {
            return None;
        }
        // Globs are in the order of their rules.
        let mut globs = by_path.into_iter().rev().peekable();
        let mut by_content = match file.formats.is_empty() {
            true => [].iter(),
            false => self.with_formats.iter(),
        }
        .rev()
        .peekable();
        loop {
            let of_glob = globs.peek().map(|glob| self.sources[*glob].0);
            let index = of_glob.max(by_content.peek().map(|index| **index))?;
            // If several globs of the rule match, name the last one.
            let glob = globs.peek().filter(|_| of_glob == Some(index)).copied();
            while globs.next_if(|glob| self.sources[*glob].0 == index).is_some() {}
            by_content.next_if(|other| **other == index);
            let rule = &self.rules[index];
            let format = rule.formats.iter().find(|format| file.formats.contains(format));
            let needs_both = rule.policy == Policy::Allowed && !rule.paths.is_empty() && !rule.formats.is_empty();
            let cause = match (glob, format) {
                (Some(_), None) | (None, Some(_)) if needs_both => continue,
                (Some(glob), _) => Cause::Glob(self.sources[glob].1.clone()),
                (None, Some(format)) => Cause::Content(*format),
                (None, None) => continue,
            };
            return Some((index, cause));
        }
    }
}

/// Returns whether a path has a `_PACK_RUN` segment, in upper or lower case.
pub fn is_run_output(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/')
        .any(|segment| segment.eq_ignore_ascii_case(OUTPUT_DIRECTORY.as_bytes()))
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
