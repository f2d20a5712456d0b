//! The reasons why the tracking refs of a remote are not trusted, in words.

use crate::rules::push::Doubt;

/// Returns why tracking refs are not trusted, and the command that would change that. Returns `None` without tracking
/// refs.
pub(crate) fn doubt_words(doubt: Doubt) -> Option<(&'static str, Option<&'static str>)> {
    Some(match doubt {
        Doubt::NoRemote | Doubt::NothingTracked => return None,
        Doubt::PushedElsewhere => ("its fetch URL differs from the URL pushed to", None),
        Doubt::AnotherUrl => ("its tracking refs were recorded for another URL", Some("git fetch")),
        Doubt::Unmet | Doubt::Unknown => ("the origin of its tracking refs is unknown", Some("git fetch")),
        Doubt::Shared => ("the refspecs of another remote also fill its tracking refs", None),
        Doubt::Rewritten => ("its history does not match its tracking refs", Some("git fetch")),
        Doubt::Unconfirmed => (
            "some tracking refs moved, perhaps not by this remote",
            Some("git fetch"),
        ),
    })
}
