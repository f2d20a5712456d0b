//! A compiled set of rules: the last rule that matches a file decides.

use std::collections::BTreeSet;

use crate::format::config::RUN_OUTPUT_CLASS;
use crate::format::object_id::ObjectId;
use crate::format::protected::{Format, Origin, Policy, Rule};
use crate::rules::globs::{Case, Globs, Reach};
use crate::rules::protect::built_in::{KEY_CLASS, is_run_output};
use crate::rules::protect::{Cause, FileFacts, Protection};

/// The built-in rules, followed by those of one configuration.
#[derive(Clone)]
pub(super) struct RuleSet {
    pub(super) rules: Vec<Rule>,
    allow_in: Vec<Globs>,
    /// Blobs that are allowed in plaintext everywhere except among run outputs.
    pub(super) allowed: BTreeSet<ObjectId>,
    /// All globs of all rules.
    globs: Globs,
    /// For each glob, the index of its rule, and its text.
    sources: Vec<(usize, String)>,
    /// Indices of the rules that name formats, ascending.
    with_formats: Vec<usize>,
}

impl RuleSet {
    /// Compiles rules. The paths of built-in rules have the reach `built_in`, those of a configuration reach below
    /// directories.
    pub(super) fn compile(
        rules: Vec<Rule>,
        allowed: BTreeSet<ObjectId>,
        built_in: Reach,
    ) -> Result<Self, (usize, String)> {
        let mut sources = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            sources.extend(rule.paths.iter().map(|glob| (index, glob.clone())));
        }
        let reach = |rule: usize| match rules[rule].origin {
            Origin::BuiltIn => built_in,
            Origin::Config => Reach::Below,
        };
        let patterns = sources.iter().map(|(rule, glob)| (glob.as_str(), reach(*rule)));
        let globs = Globs::reaching(patterns, Case::Insensitive).map_err(|bad| {
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
    pub(super) fn judge(&self, file: &FileFacts<'_>) -> Option<Protection> {
        let verdict = |class: &str, policy, cause, origin| {
            Some(Protection {
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

    pub(super) fn forbids_path(&self, path: &[u8]) -> bool {
        if is_run_output(path) {
            return true;
        }
        let file = FileFacts {
            path,
            ..FileFacts::default()
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

    pub(super) fn releases(&self, file: &FileFacts<'_>) -> bool {
        self.allows(file)
            || self
                .deciding(file)
                .is_some_and(|(rule, _)| self.is_released(rule, file.path))
    }

    pub(super) fn allows(&self, file: &FileFacts<'_>) -> bool {
        file.blob.is_some_and(|blob| self.allowed.contains(&blob))
    }

    fn is_released(&self, rule: usize, path: &[u8]) -> bool {
        self.rules[rule].policy == Policy::Allowed || self.allow_in[rule].matches(path)
    }

    /// Returns the index of the last matching rule, and what it matched.
    ///
    /// Examines only rules that match by path or name formats, because there may be very many rules.
    fn deciding(&self, file: &FileFacts<'_>) -> Option<(usize, Cause)> {
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
