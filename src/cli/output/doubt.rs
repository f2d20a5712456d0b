//! The reasons why the tracking refs of a remote do not count, in words.

use crate::rules::push::Doubt;

/// Returns why tracking refs do not count, and the command that would change that. Without tracking refs there is no
/// reason.
pub(crate) fn doubt_words(doubt: Doubt) -> Option<(&'static str, Option<&'static str>)> {
    Some(match doubt {
        Doubt::NoRemote | Doubt::NothingTracked => return None,
        Doubt::PushedElsewhere => (
            "its tracking refs are fetched from another URL than the one pushed to",
            None,
        ),
        Doubt::AnotherUrl => ("its tracking refs were noted for another URL", Some("git fetch")),
        Doubt::Unmet | Doubt::Unknown => ("nothing says where its tracking refs are from", Some("git fetch")),
        Doubt::Shared => (
            "its tracking refs are filled by the refspecs of another remote too",
            None,
        ),
        Doubt::Rewritten => ("its history is not the one that was tracked", Some("git fetch")),
        Doubt::Unconfirmed => (
            "some tracking refs moved, and nothing says that this remote moved them",
            Some("git fetch"),
        ),
    })
}
