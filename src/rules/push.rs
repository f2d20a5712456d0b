//! Decides which objects a remote already has, and whether it is public. This determines how much of a push is judged,
//! and how strictly.
//!
//! A tracking ref is only git's own record: a push elsewhere, a changed URL or a fetch from another place moves it or
//! leaves it stale. So a tracking ref counts only with evidence that the remote had this object at this URL.

pub mod baseline;
#[cfg(test)]
mod tests;
mod visibility;

use std::collections::{BTreeMap, BTreeSet};

use crate::format::fetch_head::Fetched;
use crate::format::object_id::ObjectId;
use crate::format::remote_notes::{RemoteNote, RemoteNotes, SpentFile};
use crate::format::remote_url::{RemoteUrl, Way, as_git_notes, as_git_shows};
pub use visibility::{destination, private_line};

/// A remote as a clone's configuration describes it.
#[derive(Clone, Debug, Default)]
pub struct Remote {
    /// Name of the remote.
    pub name: String,
    /// The URL that git fetches from, rewritten by `url.*.insteadOf`. `None` if no URL is configured.
    pub fetch_url: Option<String>,
    /// All URLs that git pushes to, rewritten by `url.*.insteadOf` and `pushInsteadOf`.
    pub push_urls: Vec<String>,
    /// Its tracking refs.
    pub tracking: Vec<Tracking>,
}

/// A ref below `refs/remotes/` that the remote's own fetch refspecs fill.
#[derive(Clone, Debug)]
pub struct Tracking {
    /// Full name of the ref at the remote, such as `refs/heads/main`.
    pub remote_ref: String,
    /// The object that it points to in this clone.
    pub id: ObjectId,
    /// Whether the refspecs of another remote fill it too, so that its object may come from there.
    pub is_shared: bool,
    /// Whether the last entry of its reflog says that a push moved it. `None` if it has no reflog.
    pub moved_by_push: Option<bool>,
}

/// The evidence for tracking refs.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The notes of this clone.
    pub notes: RemoteNotes,
    /// The objects that `FETCH_HEAD` lists.
    pub fetched: Vec<Fetched>,
    /// The `git clone` that made this repository, if a reflog records it.
    pub cloned: Option<Cloned>,
}

/// What the reflog of `refs/remotes/<name>/HEAD` records about the `git clone`.
#[derive(Clone, Debug, Default)]
pub struct Cloned {
    /// The URL as git recorded it: without its user.
    pub from: String,
    /// The object of each ref of the remote at that time.
    pub values: BTreeMap<String, ObjectId>,
}

/// A ref of the remote whose present object git reports.
#[derive(Clone, Debug)]
pub struct Reported {
    /// Full name of the ref at the remote.
    pub remote_ref: String,
    /// The object. `None` if the remote has no such ref.
    pub old: Option<ObjectId>,
}

/// What the remote is believed to have.
#[derive(Clone, Debug, Default)]
pub struct Belief {
    /// The tracking refs that count, by the ref of the remote, each with its object.
    pub there: BTreeMap<String, ObjectId>,
    /// Number of tracking refs.
    pub tracked: usize,
    /// Why some or all tracking refs do not count.
    pub doubt: Option<Doubt>,
    /// Whether the remote contradicts the tracking refs. This must be remembered even if the push is blocked.
    pub is_contradicted: bool,
}

/// Why tracking refs do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The push goes to a URL that no remote has.
    NoRemote,
    /// There are no tracking refs.
    NothingTracked,
    /// The push goes to another URL than git fetches from.
    PushedElsewhere,
    /// The notes about the remote are for another URL.
    AnotherUrl,
    /// There is no note about the remote yet, so nothing tells where the tracking refs come from.
    Unmet,
    /// Nothing tells where the tracking refs come from.
    Unknown,
    /// The refspecs of two remotes fill the tracking refs.
    Shared,
    /// The remote has another history than the tracked one.
    Rewritten,
    /// Some tracking refs moved, and nothing tells that a fetch from or a push to this remote moved them.
    Unconfirmed,
}

/// Returns the ref of a remote that a tracking ref is from, of those that its refspecs fill it from.
///
/// If two refs of the remote fill one tracking ref, its content may come from either, so it counts as from none.
pub fn tracked_from(sources: &[Option<String>]) -> Option<&str> {
    match sources {
        [source] => source.as_deref(),
        _ => None,
    }
}

/// Returns whether a remote is at `url`: git fetches from it and pushes to it.
pub fn is_at(url: &str, fetch_url: Option<&str>, push_urls: &[String]) -> bool {
    fetch_url == Some(url) && push_urls.iter().any(|push| push == url)
}

/// The evidence for one tracking ref.
enum Standing {
    /// The remote had this object at git's last fetch or push.
    Fresh,
    /// The remote had this object when the note was written.
    Noted,
    /// The remote was seen to have only this ancestor of the present object.
    Behind(ObjectId),
    /// The remote was seen to have another object, so history was rewritten at one end.
    Replaced,
    /// There is no evidence.
    Unknown,
}

/// Returns the tracking refs that count for a push to `url`, given git's report about the refs that are pushed.
///
/// `descends(new, old)` returns whether `old` is `new` or one of its ancestors, and false if this clone does not have
/// `new`.
pub fn believe<E>(
    url: &str,
    remote: Option<&Remote>,
    evidence: &Evidence,
    reported: &[Reported],
    descends: &dyn Fn(&ObjectId, &ObjectId) -> Result<bool, E>,
) -> Result<Belief, E> {
    let nothing = |doubt| Belief {
        doubt: Some(doubt),
        tracked: remote.map_or(0, |remote| remote.tracking.len()),
        ..Belief::default()
    };
    let Some(remote) = remote else {
        return Ok(nothing(Doubt::NoRemote));
    };
    if remote.tracking.is_empty() {
        return Ok(nothing(Doubt::NothingTracked));
    }
    if url.is_empty() || remote.fetch_url.as_deref() != Some(url) {
        return Ok(nothing(Doubt::PushedElsewhere));
    }
    let witness = Witness::of(url, remote, evidence);
    let reported = reported
        .iter()
        .map(|report| (report.remote_ref.as_str(), report.old))
        .collect();
    let weighed = weigh(remote, &witness, &reported, descends)?;
    let all_count = |tracking: &Tracking| weighed.there.get(&tracking.remote_ref) == Some(&tracking.id);
    let doubt = match () {
        () if weighed.is_contradicted => Some(Doubt::Rewritten),
        () if remote.tracking.iter().all(all_count) => None,
        () if remote.tracking.iter().all(|tracking| tracking.is_shared) => Some(Doubt::Shared),
        () if !weighed.there.is_empty() => Some(Doubt::Unconfirmed),
        () if weighed.is_replaced => Some(Doubt::Rewritten),
        () if evidence.notes.of(&remote.name).next().is_none() => Some(Doubt::Unmet),
        () if witness.note.is_none() => Some(Doubt::AnotherUrl),
        () => Some(Doubt::Unknown),
    };
    Ok(Belief {
        there: weighed.there,
        tracked: remote.tracking.len(),
        doubt,
        is_contradicted: weighed.is_contradicted,
    })
}

/// The result of weighing all tracking refs.
#[derive(Default)]
struct Weighed {
    there: BTreeMap<String, ObjectId>,
    is_replaced: bool,
    is_contradicted: bool,
}

/// Weighs each tracking ref.
///
/// If the remote contradicts one of them, none counts. If one was replaced, only those with fresh evidence count.
fn weigh<E>(
    remote: &Remote,
    witness: &Witness<'_>,
    reported: &BTreeMap<&str, Option<ObjectId>>,
    descends: &dyn Fn(&ObjectId, &ObjectId) -> Result<bool, E>,
) -> Result<Weighed, E> {
    // Returns whether git reports an object that does not descend from the tracked one.
    let contradicts = |tracking: &Tracking, tracked: ObjectId| match reported.get(tracking.remote_ref.as_str()) {
        None => Ok(false),
        // A remote that lacks a tracked branch may have become another repository.
        Some(None) => Ok(true),
        Some(Some(old)) => Ok(*old != tracked && !descends(old, &tracked)?),
    };
    let (mut weighed, mut fresh) = (Weighed::default(), BTreeMap::new());
    for tracking in remote.tracking.iter().filter(|tracking| !tracking.is_shared) {
        let standing = witness.standing(tracking, descends)?;
        let seen = match standing {
            Standing::Fresh | Standing::Noted => Some(tracking.id),
            Standing::Behind(older) => Some(older),
            Standing::Replaced | Standing::Unknown => None,
        };
        let is_older = seen.filter(|seen| *seen != tracking.id);
        if contradicts(tracking, tracking.id)? || is_older.map_or(Ok(false), |seen| contradicts(tracking, seen))? {
            return Ok(Weighed {
                is_contradicted: true,
                ..Weighed::default()
            });
        }
        let is_fresh = matches!(standing, Standing::Fresh);
        weighed.is_replaced |= matches!(standing, Standing::Replaced);
        weighed.is_replaced |= is_fresh && witness.was_rewritten(tracking, descends)?;
        if let Some(id) = seen {
            weighed.there.insert(tracking.remote_ref.clone(), id);
            if is_fresh {
                fresh.insert(tracking.remote_ref.clone(), id);
            }
        }
    }
    if weighed.is_replaced {
        weighed.there = fresh;
    }
    Ok(weighed)
}

/// The evidence about one remote at one URL.
struct Witness<'a> {
    evidence: &'a Evidence,
    note: Option<&'a RemoteNote>,
    fetched: BTreeSet<ObjectId>,
    cloned: Option<&'a Cloned>,
    /// Whether the URL is the last one used with this remote and the only one it pushes to.
    is_constant: bool,
}

impl<'a> Witness<'a> {
    fn of(url: &str, remote: &Remote, evidence: &'a Evidence) -> Self {
        let note = evidence.notes.get(&remote.name, url);
        let is_last = note.is_some() && evidence.notes.of(&remote.name).next() == note;
        let noted_as = as_git_notes(url);
        // Several URLs look alike in FETCH_HEAD, so it counts only for the URL that was last used with the remote.
        let fetched = evidence
            .fetched
            .iter()
            .filter(|fetched| is_last && fetched.from == noted_as);
        Self {
            evidence,
            note,
            fetched: fetched.map(|fetched| fetched.id).collect(),
            cloned: evidence
                .cloned
                .as_ref()
                .filter(|cloned| note.is_none() && is_of(cloned, url)),
            is_constant: is_last && remote.push_urls.len() == 1,
        }
    }

    fn standing<E>(
        &self,
        tracking: &Tracking,
        descends: &dyn Fn(&ObjectId, &ObjectId) -> Result<bool, E>,
    ) -> Result<Standing, E> {
        if self.fetched.contains(&tracking.id) || self.was_pushed(tracking) {
            return Ok(Standing::Fresh);
        }
        match self.seen(&tracking.remote_ref) {
            Some(seen) if seen == tracking.id => Ok(Standing::Noted),
            Some(seen) if descends(&tracking.id, &seen)? => Ok(Standing::Behind(seen)),
            Some(_) => Ok(Standing::Replaced),
            None => Ok(Standing::Unknown),
        }
    }

    /// Returns the object that a ref of the remote was last seen to point to.
    fn seen(&self, remote_ref: &str) -> Option<ObjectId> {
        let cloned = self.cloned.and_then(|cloned| cloned.values.get(remote_ref));
        self.note
            .and_then(|note| note.there.get(remote_ref))
            .or(cloned)
            .copied()
    }

    /// Returns whether git moved the tracking ref because the remote accepted a push to this URL.
    fn was_pushed(&self, tracking: &Tracking) -> bool {
        let Some(note) = self.note else { return false };
        let is_it = |note: &RemoteNote| note.pushed.get(&tracking.remote_ref) == Some(&tracking.id);
        let elsewhere = self
            .evidence
            .notes
            .of(&note.remote)
            .filter(|other| other.url != note.url);
        let was_judged = is_it(note) && !elsewhere.into_iter().any(is_it);
        match tracking.moved_by_push {
            // Without a reflog, the push that moved it must have been judged for this URL and no other.
            None => was_judged,
            // A ref that already had this object when the URL was first noted may have been pushed to another URL.
            Some(by_push) => {
                let was_here = note.foreign.get(&tracking.remote_ref) == Some(&tracking.id);
                by_push && (was_judged || (self.is_constant && !was_here))
            }
        }
    }

    /// Returns whether the remote now has an object that does not descend from the one it had, and no push from this
    /// clone explains it.
    fn was_rewritten<E>(
        &self,
        tracking: &Tracking,
        descends: &dyn Fn(&ObjectId, &ObjectId) -> Result<bool, E>,
    ) -> Result<bool, E> {
        match self.seen(&tracking.remote_ref) {
            Some(seen) if seen != tracking.id && !self.was_pushed(tracking) => Ok(!descends(&tracking.id, &seen)?),
            _ => Ok(false),
        }
    }
}

/// Returns whether a reflog proves that the repository was cloned from exactly this URL.
///
/// git omits the user from the recorded URL. Over ssh, the user may select another place, so such a URL is not proven.
fn is_of(cloned: &Cloned, url: &str) -> bool {
    let has_no_user = match RemoteUrl::parse(url) {
        Ok(url) => match &url.way {
            Way::Path => true,
            Way::Scheme(scheme) => url.user.is_none() && matches!(scheme.as_str(), "https" | "http" | "git" | "file"),
            Way::Scp => false,
        },
        Err(_) => false,
    };
    has_no_user && cloned.from == url
}

/// Returns the note about a remote after a push was judged: the objects it is known to have, and the tracking refs that
/// do not count from now on.
pub fn noted(remote: &Remote, url: &str, belief: &Belief, reported: &[Reported], spent: Vec<SpentFile>) -> RemoteNote {
    let mut note = RemoteNote::new(&remote.name, url);
    note.there.clone_from(&belief.there);
    for report in reported {
        match report.old {
            Some(old) => drop(note.there.insert(report.remote_ref.clone(), old)),
            None => drop(note.there.remove(&report.remote_ref)),
        }
    }
    for tracking in &remote.tracking {
        if note.there.get(&tracking.remote_ref) != Some(&tracking.id) {
            note.foreign.insert(tracking.remote_ref.clone(), tracking.id);
        }
    }
    note.spent = spent;
    note
}

/// Returns the first note about a remote, for when hooks are installed: its tracking refs count as what its URL has.
///
/// `None` if there is a note already, or if anything shows that the tracking refs come from elsewhere.
pub fn first_note(remote: &Remote, evidence: &Evidence, others: &[&Remote]) -> Option<RemoteNote> {
    let url = remote.fetch_url.as_deref()?;
    if evidence.notes.of(&remote.name).next().is_some() || !remote.push_urls.iter().any(|push| push == url) {
        return None;
    }
    let shown = as_git_shows(url);
    if evidence.cloned.as_ref().is_some_and(|cloned| cloned.from != shown) {
        return None;
    }
    let is_known = |from: &str| {
        let others = others.iter().filter_map(|other| other.fetch_url.as_deref());
        others.chain([url]).any(|url| as_git_notes(url) == from)
    };
    let tracking = || remote.tracking.iter().filter(|tracking| !tracking.is_shared);
    let foreign = evidence.fetched.iter().filter(|fetched| !is_known(&fetched.from));
    if foreign
        .into_iter()
        .any(|fetched| tracking().any(|tracking| tracking.id == fetched.id))
    {
        return None;
    }
    let mut note = RemoteNote::new(&remote.name, url);
    note.there = tracking()
        .map(|tracking| (tracking.remote_ref.clone(), tracking.id))
        .collect();
    Some(note)
}
