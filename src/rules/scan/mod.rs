//! The leak guard's judgement: is an entry with this content a leak at this destination?

pub mod groups;
mod leak;
mod sealed_name;
mod traits;

use crate::format::line_ends::LineEnds;
use crate::format::object_id::ObjectId;
use crate::format::protected::{Format, Origin, Policy};
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::EntryKind;
use crate::refusal::leak::Giveaway;
use crate::rules::protect::{Cause, FileFacts, Registry, is_run_output};
pub use leak::{Leak, LeakCode};
use sealed_name::SealedName;
pub use traits::{InPart, SealState, Traits, Unexamined};

/// Where an entry is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Into a commit of this repository.
    Repository,
    /// To a remote that only insiders can read.
    PrivateRemote,
    /// To a remote that anybody may read.
    PublicRemote,
}

/// An entry to be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Path relative to the repository's root. Empty for a blob that a ref names directly.
    pub path: RepoPath,
    /// The kind of entry.
    pub kind: EntryKind,
    /// Id of its blob, or of a submodule's commit. [`ObjectId::NULL`] if it is not known.
    pub id: ObjectId,
    /// The commit that introduces it, if there is one.
    pub commit: Option<ObjectId>,
}

/// Returns whether the path alone requires examining the content: a rule protects the path, or the name claims that the
/// file is sealed.
pub fn needs_content(registry: &Registry, entry: &Candidate) -> bool {
    entry.kind != EntryKind::Submodule
        && (claims_to_be_sealed(entry) || registry.judge(entry.path.as_bytes()).is_some())
        && !is_run_output(entry.path.as_bytes())
}

/// Judges an entry by its path alone. `None` if the path is not forbidden.
pub fn judge_path(registry: &Registry, entry: &Candidate, destination: Destination) -> Option<Leak> {
    let traits = Traits::default();
    match claims_to_be_sealed(entry) {
        true => None,
        false => judge(registry, entry, &traits, destination),
    }
}

/// Judges an entry. `None` if it may go to its destination.
///
/// A submodule publishes no content of its own, so it is a leak only inside `_PACK_RUN`. An encrypted file is not
/// plaintext, whatever its name is.
pub fn judge(registry: &Registry, entry: &Candidate, traits: &Traits, destination: Destination) -> Option<Leak> {
    let path = entry.path.as_bytes();
    let run_output = is_run_output(path);
    if entry.kind == EntryKind::Submodule && !run_output {
        return None;
    }
    let formats: Vec<Format> = traits.formats.iter().map(|(format, _)| *format).collect();
    let subject = FileFacts {
        path,
        formats: &formats,
        blob: (entry.id != ObjectId::NULL).then_some(entry.id),
    };
    if !run_output {
        match &traits.seal {
            // A key that can be read in the file is not encrypted.
            SealState::Whole if formats.contains(&Format::PrivateKey) => {}
            // Formats found in ciphertext are chance matches and do not count. Known plaintext found in it was never
            // encrypted, whatever header precedes it.
            SealState::Whole => return judge_known(registry, entry, &subject, traits, destination),
            SealState::Broken(why) if claims_to_be_sealed(entry) => {
                return fake_seal(registry, entry, &subject, Some(why));
            }
            // A private file of an earlier version is named like one that is sealed. Its format says more.
            SealState::No if claims_to_be_sealed(entry) && !formats.contains(&Format::AgentPrivate) => {
                return fake_seal(registry, entry, &subject, None);
            }
            SealState::No | SealState::Broken(_) => {}
        }
    }
    let Some(verdict) = registry
        .judge_file(&subject)
        .filter(|verdict| is_leak(verdict.policy, destination))
    else {
        return judge_known(registry, entry, &subject, traits, destination);
    };
    let detail = match &verdict.cause {
        Cause::Content(format) => {
            let found = traits.formats.iter().find(|(found, _)| found == format);
            found.and_then(|(_, within)| within.clone())
        }
        Cause::Glob(_) | Cause::Twin(_) | Cause::Known { .. } | Cause::InPart => None,
    };
    Some(Leak {
        code: match &verdict.cause {
            _ if run_output => LeakCode::TrackedRunOutput,
            _ if traits.lfs_pointer.is_some() => LeakCode::LfsPointer,
            Cause::Content(Format::PrivateKey) => LeakCode::PrivateKey,
            _ => LeakCode::PlaintextProtected,
        },
        entry: entry.clone(),
        class: verdict.class,
        policy: verdict.policy,
        cause: verdict.cause,
        detail,
        origin: verdict.origin,
    })
}

fn is_leak(policy: Policy, destination: Destination) -> bool {
    match policy {
        Policy::Never => true,
        Policy::Internal => destination == Destination::PublicRemote,
        Policy::Allowed => false,
    }
}

/// Judges the parts of protected files found in an entry, by the present rules for those files. An exception for the
/// entry's blob releases it.
fn judge_known(
    registry: &Registry,
    entry: &Candidate,
    subject: &FileFacts<'_>,
    traits: &Traits,
    destination: Destination,
) -> Option<Leak> {
    if traits.known.is_empty() || registry.allows_blob(subject) {
        return None;
    }
    let leaks = traits.known.iter().filter_map(|part| {
        let verdict = part.verdict(registry)?;
        is_leak(verdict.policy, destination).then_some((part, verdict))
    });
    let (part, verdict) = leaks.max_by_key(|(part, verdict)| (verdict.policy, part.percent()))?;
    Some(Leak {
        code: LeakCode::KnownPlaintext,
        entry: entry.clone(),
        class: verdict.class,
        policy: verdict.policy,
        cause: Cause::Known {
            percent: part.percent(),
            original: part.original.clone(),
        },
        detail: part.within.clone(),
        origin: verdict.origin,
    })
}

/// Returns why a file must not be published unless the user names it, whatever the rules say: it holds a private key,
/// or it only claims to be sealed. `None` otherwise.
pub fn needs_a_word(path: &[u8], traits: &Traits) -> Option<Giveaway> {
    let mut keys = traits
        .formats
        .iter()
        .filter(|(format, _)| *format == Format::PrivateKey);
    if let Some((_, within)) = keys.next() {
        let within = within.as_ref().map(ToString::to_string);
        return Some(Giveaway::PrivateKey { within });
    }
    let name = SealedName::of(path)?;
    let fault = match &traits.seal {
        SealState::Whole => return None,
        SealState::Broken(why) => why,
        SealState::No => name.fault(),
    };
    Some(Giveaway::FakeSeal {
        fault: fault.to_owned(),
    })
}

/// Like [`judge`], for the guard. It tells a broken seal from a fake one: behind the first, the plaintext may be lost,
/// while the second publishes it. An entry that could be examined only in part is also a leak if a configuration says
/// so.
pub fn judge_guarded(
    registry: &Registry,
    entry: &Candidate,
    traits: &Traits,
    destination: Destination,
) -> Option<Leak> {
    let unexamined = || {
        let why: Vec<String> = traits.in_part.iter().map(InPart::to_string).collect();
        (is_in_part(registry, entry, traits) && registry.blocks_in_part()).then(|| Leak {
            code: LeakCode::ExaminedInPart,
            entry: entry.clone(),
            class: "unexamined".into(),
            policy: Policy::Never,
            cause: Cause::InPart,
            detail: Some(why.join("; ")),
            origin: Origin::Config,
        })
    };
    let mut leak = judge(registry, entry, traits, destination).or_else(unexamined)?;
    if leak.code == LeakCode::FakeSeal && matches!(traits.seal, SealState::Broken(_)) {
        leak.code = LeakCode::BrokenSeal;
    }
    Some(leak)
}

/// Judges an age file whose line ends became `line_ends` on the way into the index: nobody can open it. `None` if a rule or
/// an exception releases it.
pub fn judge_converted(registry: &Registry, entry: &Candidate, line_ends: LineEnds) -> Option<Leak> {
    let subject = FileFacts {
        path: entry.path.as_bytes(),
        formats: &[],
        blob: Some(entry.id),
    };
    let found = fake_seal(registry, entry, &subject, Some(line_ends.converted()));
    found.map(|leak| Leak {
        code: LeakCode::BrokenSeal,
        ..leak
    })
}

/// Returns whether an entry was examined only in part and has no exception for its blob.
pub fn is_in_part(registry: &Registry, entry: &Candidate, traits: &Traits) -> bool {
    !traits.in_part.is_empty() && !registry.has_exception(entry.id)
}

fn fake_seal(registry: &Registry, entry: &Candidate, subject: &FileFacts<'_>, why: Option<&str>) -> Option<Leak> {
    let name = SealedName::of(subject.path).unwrap_or(SealedName::Age);
    (!registry.releases(subject)).then(|| Leak {
        code: LeakCode::FakeSeal,
        entry: entry.clone(),
        class: "seal".into(),
        policy: Policy::Never,
        cause: Cause::Glob(name.glob()),
        detail: Some(why.unwrap_or_else(|| name.fault()).to_owned()),
        origin: Origin::BuiltIn,
    })
}

fn claims_to_be_sealed(entry: &Candidate) -> bool {
    matches!(entry.kind, EntryKind::Regular | EntryKind::Executable) && SealedName::of(entry.path.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::config::Config;
    use crate::format::digest::Digest;
    use crate::format::layers::Unread;
    use crate::rules::content::Pointer;

    fn judged(path: &str, kind: EntryKind, traits: &Traits, destination: Destination) -> Option<LeakCode> {
        let config = Config::parse(
            b"version = 1\n[[protect]]\nclass = \"notes\"\npaths = [\"*.notes\"]\npolicy = \"internal\"\n\
              [[protect]]\nclass = \"fixture\"\npaths = [\"fixtures/**\"]\npolicy = \"allowed\"\n\
              [[protect]]\nclass = \"safe\"\npaths = [\"safe/**\"]\n",
        )
        .unwrap();
        let entry = Candidate {
            path: RepoPath::new(path.as_bytes()),
            kind,
            id: ObjectId::from_bytes(&[1; 20]).unwrap(),
            commit: None,
        };
        judge(&Registry::of(&[&config]).unwrap(), &entry, traits, destination).map(|leak| leak.code)
    }

    fn leak(path: &str, kind: EntryKind, destination: Destination) -> Option<LeakCode> {
        judged(path, kind, &Traits::default(), destination)
    }

    #[test]
    fn policies_meet_destinations() {
        use Destination::*;
        use EntryKind::*;
        use LeakCode::*;
        for destination in [Repository, PrivateRemote, PublicRemote] {
            assert_eq!(leak("a.vec", Regular, destination), Some(PlaintextProtected));
            assert_eq!(leak("a.vec", Symlink, destination), Some(PlaintextProtected));
            assert_eq!(leak("a.vec", Submodule, destination), None);
            assert_eq!(leak("_PACK_RUN/s", Submodule, destination), Some(TrackedRunOutput));
            assert_eq!(leak("a.txt", Regular, destination), None);
        }
        assert_eq!(leak("a.notes", Regular, Repository), None);
        assert_eq!(leak("a.notes", Regular, PrivateRemote), None);
        assert_eq!(leak("a.notes", Regular, PublicRemote), Some(PlaintextProtected));
    }

    #[test]
    fn content_decides_where_names_do_not() {
        let judge = |path: &str, traits: &Traits| judged(path, EntryKind::Regular, traits, Destination::PublicRemote);
        let of = |format| Traits {
            formats: vec![(format, None)],
            ..Traits::default()
        };
        assert_eq!(
            judge("logo.png", &of(Format::Faiss)),
            Some(LeakCode::PlaintextProtected)
        );
        assert_eq!(judge("fixtures/logo.png", &of(Format::Faiss)), None);
        assert_eq!(judge("fixtures/k", &of(Format::PrivateKey)), Some(LeakCode::PrivateKey));
        let pointer = Traits {
            lfs_pointer: Some(Pointer {
                oid: Digest::of(b""),
                size: 0,
            }),
            ..Traits::default()
        };
        assert_eq!(judge("a.vec", &pointer), Some(LeakCode::LfsPointer));
        assert_eq!(judge("a.txt", &pointer), None);
    }

    #[test]
    fn what_was_examined_in_part_is_a_leak_if_one_side_says_so() {
        let id = ObjectId::from_bytes(&[1; 20]).unwrap();
        let entry = Candidate {
            path: RepoPath::new(b"a.bin"),
            kind: EntryKind::Regular,
            id,
            commit: None,
        };
        let traits = Traits {
            in_part: vec![InPart {
                why: Unexamined::Packed(Unread::Encrypted),
                within: Some("in a zip member a".into()),
            }],
            ..Traits::default()
        };
        let block = "[guard]\nin_part = \"block\"\n";
        let allow = format!("[[allow]]\nblob = \"{id}\"\nreason = \"x\"\n");
        let judged = |sides: &[&str]| {
            let configs = sides
                .iter()
                .map(|text| Config::parse(format!("version = 1\n{text}").as_bytes()).unwrap());
            let configs: Vec<Config> = configs.collect();
            let registry = Registry::of(&configs.iter().collect::<Vec<_>>()).unwrap();
            assert!(judge(&registry, &entry, &traits, Destination::PublicRemote).is_none());
            judge_guarded(&registry, &entry, &traits, Destination::Repository).map(|leak| (leak.code, leak.detail))
        };
        let leak = Some((
            LeakCode::ExaminedInPart,
            Some("it is encrypted (in a zip member a)".to_owned()),
        ));
        assert_eq!(judged(&[""]), None);
        assert_eq!(judged(&[block]), leak);
        assert_eq!(judged(&[block, ""]), leak);
        assert_eq!(judged(&["", block]), leak);
        let both = format!("{block}{allow}");
        assert_eq!(judged(&[&both]), None);
        // An exception that only one of the configurations has releases nothing.
        assert_eq!(judged(&[block, &both]), leak);
    }

    #[test]
    fn what_is_named_like_a_sealed_private_file_must_be_sealed() {
        let judge = |path: &str, seal, formats: &[Format]| {
            let traits = Traits {
                seal,
                formats: formats.iter().map(|format| (*format, None)).collect(),
                ..Traits::default()
            };
            judged(path, EntryKind::Regular, &traits, Destination::PublicRemote)
        };
        let sealed = "agents/u/g3_information/format.json.enc";
        let broken = || SealState::Broken("short".into());
        let private = &[Format::AgentPrivate][..];
        assert_eq!(judge(sealed, SealState::Whole, &[]), None);
        assert_eq!(judge(sealed, SealState::No, &[]), Some(LeakCode::FakeSeal));
        assert_eq!(judge(sealed, broken(), private), Some(LeakCode::FakeSeal));
        assert_eq!(
            judge(sealed, SealState::No, private),
            Some(LeakCode::PlaintextProtected)
        );
        assert_eq!(judge("x.bin", broken(), private), Some(LeakCode::PlaintextProtected));
        assert_eq!(judge("agents/secrets.json.enc", SealState::No, &[]), None);
        assert_eq!(judge("fixtures/x.bin", SealState::No, private), None);
        assert_eq!(
            judge("x.age", SealState::No, private),
            Some(LeakCode::PlaintextProtected)
        );
    }

    #[test]
    fn what_claims_to_be_sealed_must_be() {
        let judge = |path: &str, seal| {
            let traits = Traits {
                seal,
                ..Traits::default()
            };
            judged(path, EntryKind::Regular, &traits, Destination::PublicRemote)
        };
        let broken = || SealState::Broken("short".into());
        assert_eq!(judge("x.vec.age", SealState::Whole), None);
        assert_eq!(judge("safe/x.age", SealState::Whole), None);
        assert_eq!(judge("x.vec", SealState::Whole), None);
        assert_eq!(
            judge("_PACK_RUN/x.age", SealState::Whole),
            Some(LeakCode::TrackedRunOutput)
        );
        assert_eq!(judge("x.AGE", SealState::No), Some(LeakCode::FakeSeal));
        assert_eq!(judge("x.age", broken()), Some(LeakCode::FakeSeal));
        assert_eq!(judge("fixtures/x.age", broken()), None);
        let legible = Traits {
            formats: vec![(Format::PrivateKey, None)],
            seal: SealState::Whole,
            ..Traits::default()
        };
        let legible = judged("x.age", EntryKind::Regular, &legible, Destination::PublicRemote);
        assert_eq!(legible, Some(LeakCode::PrivateKey));
        assert_eq!(judge("x.txt", broken()), None);
        let guarded = |path: &str, seal| {
            let entry = Candidate {
                path: RepoPath::new(path.as_bytes()),
                kind: EntryKind::Regular,
                id: ObjectId::from_bytes(&[1; 20]).unwrap(),
                commit: None,
            };
            let traits = Traits {
                seal,
                ..Traits::default()
            };
            let leak = judge_guarded(&Registry::of(&[]).unwrap(), &entry, &traits, Destination::Repository);
            leak.map(|leak| (leak.code, leak.detail))
        };
        let why = |text: &str| Some(text.to_owned());
        assert_eq!(guarded("x.age", broken()), Some((LeakCode::BrokenSeal, why("short"))));
        assert_eq!(
            guarded("x.age", SealState::No).map(|leak| leak.0),
            Some(LeakCode::FakeSeal)
        );
        assert_eq!(guarded("x.txt", broken()), None);
        assert_eq!(judge("x.vec", broken()), Some(LeakCode::PlaintextProtected));
        assert_eq!(leak("x.age", EntryKind::Symlink, Destination::PublicRemote), None);
    }
}
