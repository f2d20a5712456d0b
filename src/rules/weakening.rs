//! Finds what a change of the configuration no longer protects.

use std::collections::BTreeSet;
use std::fmt;

use crate::format::config::{Config, Located};
use crate::format::member_path::MemberPath;
use crate::format::object_id::ObjectId;
use crate::format::protected::{Policy, Rule};

/// Something that a change of the configuration no longer protects, or newly releases.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weakening {
    /// A new exception for this blob.
    Exception(ObjectId),
    /// This rule protects less.
    Dropped {
        /// The rule as it was.
        rule: String,
        /// The rule that stands in its place, if there is one.
        now: Option<String>,
    },
    /// This new rule releases something.
    Releasing {
        /// The rule.
        rule: String,
        /// What it lets happen.
        effect: Effect,
    },
    /// Files that are examined only in part no longer block.
    InPart,
    /// Branches may be pushed without a published pack.
    Unpublished,
    /// Packs may be pushed with fewer signatures, or other people may sign them.
    Unsigned(&'static str),
    /// Remotes that this entry names now count as private.
    Private(String),
}

/// What a new rule lets happen to what it matches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It may be published.
    Published,
    /// It may go to private remotes.
    Internal,
    /// It may be published if it lies in one of these places.
    PublishedIn(String),
}

/// The kind of a weakening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WeakeningKind {
    /// [`Weakening::Exception`].
    Exception,
    /// [`Weakening::Dropped`].
    Dropped,
    /// [`Weakening::Releasing`].
    Releasing,
    /// [`Weakening::InPart`].
    InPart,
    /// [`Weakening::Unpublished`].
    Unpublished,
    /// [`Weakening::Unsigned`].
    Unsigned,
    /// [`Weakening::Private`].
    Private,
}

impl Weakening {
    /// Returns its kind.
    pub fn kind(&self) -> WeakeningKind {
        match self {
            Self::Exception(_) => WeakeningKind::Exception,
            Self::Dropped { .. } => WeakeningKind::Dropped,
            Self::Releasing { .. } => WeakeningKind::Releasing,
            Self::InPart => WeakeningKind::InPart,
            Self::Unpublished => WeakeningKind::Unpublished,
            Self::Unsigned(_) => WeakeningKind::Unsigned,
            Self::Private(_) => WeakeningKind::Private,
        }
    }

    /// Returns a short name, for a list of several of one kind.
    pub fn name(&self) -> String {
        match self {
            Self::Exception(blob) => blob.hex()[..12].to_owned(),
            Self::Dropped { rule, .. } | Self::Releasing { rule, .. } => rule.clone(),
            Self::InPart => "[guard] in_part".into(),
            Self::Unpublished => "[pack] require_published".into(),
            Self::Unsigned(key) => (*key).into(),
            Self::Private(place) => place.clone(),
        }
    }
}

impl fmt::Display for Weakening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exception(blob) => write!(f, "[[allow]] of blob {blob} is new"),
            Self::Dropped { rule, now: None } => write!(f, "[[protect]] {rule} is dropped"),
            Self::Dropped { rule, now: Some(now) } => write!(f, "[[protect]] {rule} is now {now}"),
            Self::Releasing { rule, effect } => match effect {
                Effect::Published => write!(
                    f,
                    "[[protect]] {rule} is new: what it matches may be published, whatever protected it before"
                ),
                Effect::Internal => write!(
                    f,
                    "[[protect]] {rule} is new: what it matches may go to private remotes, even if it never was to be published"
                ),
                Effect::PublishedIn(places) => {
                    write!(
                        f,
                        "[[protect]] {rule} is new: what it matches may be published in {places}"
                    )
                }
            },
            Self::InPart => f.write_str("[guard] in_part is no longer \"block\""),
            Self::Unpublished => f.write_str("[pack] require_published is no longer true"),
            Self::Unsigned(key) => write!(f, "{key} asks for less, or for other signers"),
            Self::Private(place) => write!(f, "{place} now counts as private"),
        }
    }
}

/// Returns what `new` no longer protects, or newly releases, compared with `old`.
pub fn weakened(old: &Config, new: &Config) -> Vec<Weakening> {
    let mut found = Vec::new();
    // Rules that are named already, as what stands in the place of an earlier one.
    let mut replacing: Vec<&Rule> = Vec::new();
    let new_rules: Vec<&Rule> = new.protect.iter().map(|rule| &rule.value).collect();
    let old_rules: Vec<&Rule> = old.protect.iter().map(|rule| &rule.value).collect();
    for rule in &old_rules {
        if rule.policy != Policy::Allowed && !new_rules.iter().any(|other| covers(other, rule)) {
            let in_its_place = new_rules
                .iter()
                .find(|new| !old_rules.contains(new) && meets(new, rule));
            replacing.extend(in_its_place.copied());
            found.push(Weakening::Dropped {
                rule: describe(rule),
                now: in_its_place.map(|new| describe(new)),
            });
        }
    }
    for rule in &new_rules {
        let releases = rule.policy != Policy::Never || !rule.allow_in.is_empty();
        let is_new = !old_rules.contains(rule);
        // A rule that is at least as strict as an old rule for the same paths and formats releases nothing.
        let tightens = old_rules.iter().any(|old| covers(rule, old));
        if releases && is_new && !tightens && !replacing.contains(rule) {
            found.push(Weakening::Releasing {
                rule: describe(rule),
                effect: match rule.policy {
                    Policy::Allowed => Effect::Published,
                    Policy::Internal => Effect::Internal,
                    Policy::Never => Effect::PublishedIn(rule.allow_in.join(", ")),
                },
            });
        }
    }
    let allowed: BTreeSet<&ObjectId> = old.allow.iter().map(|allow| &allow.value.blob).collect();
    for allow in &new.allow {
        if !allowed.contains(&allow.value.blob) {
            found.push(Weakening::Exception(allow.value.blob));
        }
    }
    if old.blocks_in_part && !new.blocks_in_part {
        found.push(Weakening::InPart);
    }
    if old.requires_published && !new.requires_published {
        found.push(Weakening::Unpublished);
    }
    let path = |file: &Option<Located<MemberPath>>| file.as_ref().map(|file| file.value.clone());
    for (key, is_weaker) in [
        ("[guard] packs", old.requires_signed && !new.requires_signed),
        ("[verify] signatures", new.signatures < old.signatures),
        (
            "[verify] signers",
            old.signers.is_some() && path(&new.signers) != path(&old.signers),
        ),
        (
            "[verify] revoked",
            old.revoked.is_some() && path(&new.revoked) != path(&old.revoked),
        ),
    ] {
        found.extend(is_weaker.then_some(Weakening::Unsigned(key)));
    }
    for place in &new.private_remotes {
        if !old.private_remotes.iter().any(|other| other.value == place.value) {
            found.push(Weakening::Private(place.value.text.clone()));
        }
    }
    found
}

/// Returns whether `new` protects everything that `old` protects, at least as strictly.
fn covers(new: &Rule, old: &Rule) -> bool {
    old.paths.iter().all(|glob| new.paths.contains(glob))
        && old.formats.iter().all(|format| new.formats.contains(format))
        && new.allow_in.iter().all(|glob| old.allow_in.contains(glob))
        && new.policy >= old.policy
}

/// Returns whether both rules name a path or a format in the same words.
fn meets(new: &Rule, old: &Rule) -> bool {
    old.paths.iter().any(|glob| new.paths.contains(glob))
        || old.formats.iter().any(|format| new.formats.contains(format))
}

fn describe(rule: &Rule) -> String {
    let formats = rule.formats.iter().map(|format| format.as_str().to_owned());
    let what: Vec<String> = rule.paths.iter().cloned().chain(formats).collect();
    let policy = rule.policy.as_str();
    let but = match rule.allow_in.is_empty() {
        true => String::new(),
        false => format!(", but not in {}", rule.allow_in.join(", ")),
    };
    format!("{} = {} ({policy}{but})", rule.class, what.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sentences about what `new` weakens.
    fn weakened(old: &Config, new: &Config) -> Vec<String> {
        super::weakened(old, new).iter().map(Weakening::to_string).collect()
    }

    fn config(text: &str) -> Config {
        Config::parse(format!("version = 1\n{text}").as_bytes()).unwrap()
    }

    #[test]
    fn what_protects_less_is_named() {
        let rule = "[[protect]]\nclass = \"n\"\npaths = [\"*.n\"]\n";
        let old = config(rule);
        for (new, expected) in [
            ("", "dropped"),
            (
                "[[protect]]\nclass = \"n\"\npaths = [\"*.n\"]\npolicy = \"internal\"\n",
                "[[protect]] n = *.n (never) is now n = *.n (internal)",
            ),
            (
                "[[protect]]\nclass = \"n\"\npaths = [\"*.n\"]\nallow_in = [\"t/**\"]\n",
                "is now n = *.n (never, but not in t/**)",
            ),
        ] {
            let found = weakened(&old, &config(new));
            assert!(found.len() == 1 && found[0].contains(expected), "{new}: {found:?}");
        }
        for more in [
            "[[protect]]\nclass = \"v\"\npaths = [\"*.vec\"]\npolicy = \"allowed\"\n",
            "[[protect]]\nclass = \"v\"\npaths = [\"*.vec\"]\nallow_in = [\"t/**\"]\n",
            "[[allow]]\nblob = \"3b18e512dba79e4c8300dd08aeb37f8e728b8dad\"\nreason = \"x\"\n",
        ] {
            assert_eq!(weakened(&old, &config(&format!("{rule}{more}"))).len(), 1, "{more}");
        }
        let internal = "[[protect]]\nclass = \"m\"\npaths = [\"*.m\"]\npolicy = \"internal\"\n";
        assert_eq!(
            weakened(&old, &config(&format!("{rule}{internal}"))),
            [
                "[[protect]] m = *.m (internal) is new: what it matches may go to private remotes, even if it never was to be published"
            ]
        );
        let private = config(&format!("private_remotes = [\"git@git.example.org:team/*\"]\n{rule}"));
        assert_eq!(
            weakened(&old, &private),
            ["git@git.example.org:team/* now counts as private"]
        );
        assert_eq!(weakened(&private, &private), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_longer_blocked_is_named() {
        let block = config("[guard]\nin_part = \"block\"\n");
        let notice = config("[guard]\nin_part = \"notice\"\n");
        assert_eq!(weakened(&block, &notice), ["[guard] in_part is no longer \"block\""]);
        assert_eq!(weakened(&block, &Config::default()).len(), 1);
        assert_eq!(weakened(&notice, &block), [""; 0]);
        let published = config("[pack]\nrequire_published = true\n");
        let not = config("[pack]\nrequire_published = false\n");
        assert_eq!(
            weakened(&published, &not),
            ["[pack] require_published is no longer true"]
        );
        assert_eq!(weakened(&not, &published), [""; 0]);
    }

    #[test]
    fn what_protects_more_is_not() {
        let old =
            config("[[protect]]\nclass = \"n\"\npaths = [\"*.n\"]\npolicy = \"internal\"\nallow_in = [\"t/**\"]\n");
        for new in [
            "[[protect]]\nclass = \"n\"\npaths = [\"*.n\", \"*.m\"]\n",
            "[[protect]]\nclass = \"other word\"\npaths = [\"*.n\"]\npolicy = \"internal\"\n",
        ] {
            assert_eq!(weakened(&old, &config(new)), Vec::<String>::new(), "{new}");
        }
        assert_eq!(weakened(&old, &old), Vec::<String>::new());
    }
}
