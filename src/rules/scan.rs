//! The leak guard's judgement: is this entry, in this place, a leak?

use crate::format::object_id::ObjectId;
use crate::format::protected::{Origin, Policy};
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::EntryKind;
use crate::rules::protect::{Registry, is_run_output};

/// Where the entry would end up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// In a commit of this repository.
    Repository,
    /// On a remote that only insiders can read.
    PrivateRemote,
    /// On a remote that anybody may read.
    PublicRemote,
}

/// An entry to be judged.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its path.
    pub path: RepoPath,
    /// What it is.
    pub kind: EntryKind,
    /// Its blob, or a submodule's commit.
    pub id: ObjectId,
    /// The commit that introduces it, where there is one.
    pub commit: Option<ObjectId>,
}

/// What kind of leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeakCode {
    /// A path with a `_PACK_RUN` segment.
    TrackedRunOutput,
    /// A path that a rule protects.
    PlaintextProtected,
}

/// A leak.
#[derive(Clone, Debug)]
pub struct Leak {
    /// What kind of leak.
    pub code: LeakCode,
    /// The entry.
    pub entry: Candidate,
    /// The class of the rule.
    pub class: String,
    /// Its policy.
    pub policy: Policy,
    /// Its glob.
    pub rule: String,
    /// Who wrote it.
    pub origin: Origin,
}

/// Judges one entry by its path; none if it may go where it is going.
///
/// A submodule publishes no content of its own and is a leak only inside `_PACK_RUN`.
pub fn judge(registry: &Registry, entry: Candidate, destination: Destination) -> Option<Leak> {
    let run_output = is_run_output(entry.path.as_bytes());
    if entry.kind == EntryKind::Submodule && !run_output {
        return None;
    }
    let verdict = registry.judge(entry.path.as_bytes())?;
    let leaks = match verdict.policy {
        Policy::Never => true,
        Policy::Internal => destination == Destination::PublicRemote,
        Policy::Allowed => false,
    };
    leaks.then_some(Leak {
        code: if run_output {
            LeakCode::TrackedRunOutput
        } else {
            LeakCode::PlaintextProtected
        },
        entry,
        class: verdict.class,
        policy: verdict.policy,
        rule: verdict.glob,
        origin: verdict.origin,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::config::Config;

    fn leak(path: &str, kind: EntryKind, destination: Destination) -> Option<LeakCode> {
        let config = Config::parse(
            b"version = 1\n[[protect]]\nclass = \"notes\"\npaths = [\"*.notes\"]\npolicy = \"internal\"\n",
        )
        .unwrap();
        let entry = Candidate {
            path: RepoPath::new(path.as_bytes()),
            kind,
            id: ObjectId::from_bytes(&[1; 20]).unwrap(),
            commit: None,
        };
        judge(&Registry::of(&[&config]).unwrap(), entry, destination).map(|leak| leak.code)
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
}
