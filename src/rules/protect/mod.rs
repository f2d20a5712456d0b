//! The protected registry: decides the class and policy of a file, by the built-in rules and the rules of
//! configurations.

mod built_in;
mod rule_set;
mod verdict;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::format::canonical_json::to_document;
use crate::format::config::{Config, ConfigError};
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::format::protected::{Format, Policy, ProtectedDocument, Rule, RuleSetDocument, VERSION};
use crate::rules::globs::Reach;
use crate::rules::twins::SealedTwins;
pub use built_in::{OUTPUT_DIRECTORY, is_run_output};
use built_in::{begin_with_built_in, built_in};
use rule_set::RuleSet;
pub use verdict::{Cause, FileFacts, Protection};

/// A built-in rule names a kind of file. A directory can have such a name for other reasons: the documentation of Rust
/// has a `search.index/` full of scripts.
const REACH: Reach = Reach::Path;

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
    /// Whether some configuration lets a branch be pushed only after a pack of its tip was published.
    requires_published: bool,
    /// Whether some configuration demands that the packs of a push are signed.
    requires_signed: bool,
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
            requires_published: false,
            requires_signed: false,
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
            new.push(
                RuleSet::compile(rules, allowed, REACH).map_err(|(rule, problem)| ConfigError {
                    line: rule.checked_sub(first_own).map(|own| config.protect[own].line),
                    problem,
                })?,
            );
        }
        Ok(Self {
            sets: match new.is_empty() {
                true => self.sets,
                false => self.sets.iter().cloned().chain(new).collect(),
            },
            twins: self.twins,
            blocks_in_part: self.blocks_in_part || configs.iter().any(|config| config.blocks_in_part),
            requires_published: self.requires_published || configs.iter().any(|config| config.requires_published),
            requires_signed: self.requires_signed || configs.iter().any(|config| config.requires_signed),
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
                RuleSet::compile(set.rules, allowed.collect::<Result<_, _>>()?, REACH).map_err(|(_, problem)| problem)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            sets,
            twins: SealedTwins::default(),
            blocks_in_part: false,
            requires_published: false,
            requires_signed: false,
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

    /// Returns whether a branch may be pushed only after a pack of its tip was published.
    pub fn requires_published(&self) -> bool {
        self.requires_published
    }

    /// Returns whether the packs of a push must be signed.
    pub fn requires_signed(&self) -> bool {
        self.requires_signed
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

    /// Returns whether every set begins with the built-in rules, of today or of an earlier version. Otherwise, git-pack
    /// did not make the registry.
    pub fn has_built_in_rules(&self) -> bool {
        self.sets.iter().all(|set| begin_with_built_in(&set.rules))
    }

    /// Returns the same rules as earlier versions understood them: the paths of built-in rules also matched everything
    /// below a directory.
    pub fn as_before(&self) -> Self {
        let compile = |set: &RuleSet| {
            let wider = RuleSet::compile(set.rules.clone(), set.allowed.clone(), Reach::Below);
            // Globs that were compiled already can only become too large together.
            wider.unwrap_or_else(|_| set.clone())
        };
        Self {
            sets: self.sets.iter().map(compile).collect(),
            ..self.clone()
        }
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
    pub fn judge(&self, path: &[u8]) -> Option<Protection> {
        self.judge_file(&FileFacts {
            path,
            ..FileFacts::default()
        })
    }

    /// Returns the strictest verdict of the sets on a file, by its path, its content and its blob.
    ///
    /// The plaintext of a tracked twin is protected unless every set releases it explicitly.
    pub fn judge_file(&self, file: &FileFacts<'_>) -> Option<Protection> {
        let by_rules = self.sets.iter().filter_map(|set| set.judge(file));
        let by_rules = by_rules.max_by_key(|verdict| verdict.policy);
        match (&by_rules, self.twins.of(file.path)) {
            (Some(verdict), _) if verdict.policy == Policy::Never => by_rules,
            (_, Some(sealed)) if !self.releases(file) => Some(Protection::twin(sealed)),
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
    pub fn allows_blob(&self, file: &FileFacts<'_>) -> bool {
        self.sets.iter().all(|set| set.allows(file))
    }

    /// Returns whether every set releases this path and blob by a rule or an exception.
    pub fn releases(&self, file: &FileFacts<'_>) -> bool {
        self.sets.iter().all(|set| set.releases(file))
    }
}

#[cfg(test)]
mod tests;
