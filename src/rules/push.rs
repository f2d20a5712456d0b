//! What a remote has already, and whether it is public: what decides how much of a push is judged, and how strictly.
//!
//! A tracking ref is only git's own note: a push elsewhere, a changed URL or a fetch from another place moves it or leaves
//! it stale. So a tracking ref counts only with evidence that the remote had this object at this URL.

#[cfg(test)]
mod tests;
mod visibility;

use std::collections::{BTreeMap, BTreeSet};

use crate::format::fetch_head::Fetched;
use crate::format::object_id::ObjectId;
use crate::format::remote_notes::{RemoteNote, RemoteNotes, SpentFile};
use crate::format::remote_url::{RemoteUrl, Way, as_git_notes, as_git_shows};
pub use visibility::{destination, private_line};

/// A remote as the configuration of a clone describes it.
#[derive(Clone, Debug, Default)]
pub struct Remote {
    /// Its name.
    pub name: String,
    /// Where git fetches from, as rewritten by `url.*.insteadOf`; none if nothing is configured.
    pub fetch_url: Option<String>,
    /// Everywhere git pushes to, as rewritten by `url.*.insteadOf` and `pushInsteadOf`.
    pub push_urls: Vec<String>,
    /// Its tracking refs.
    pub tracking: Vec<Tracking>,
}

/// A ref below `refs/remotes/` that the remote's own fetch refspecs fill.
#[derive(Clone, Debug)]
pub struct Tracking {
    /// The ref of the remote, such as `refs/heads/main`.
    pub remote_ref: String,
    /// The object it points to here.
    pub id: ObjectId,
    /// Whether the refspecs of another remote fill it too, so that it may be from there.
    pub is_shared: bool,
    /// Whether the last entry of its reflog says that a push moved it; none if it has no reflog.
    pub moved_by_push: Option<bool>,
}

/// What speaks for tracking refs.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The notes of this clone.
    pub notes: RemoteNotes,
    /// What `FETCH_HEAD` lists.
    pub fetched: Vec<Fetched>,
    /// The clone that made this repository, if its reflog names it.
    pub cloned: Option<Cloned>,
}

/// What the reflog of `refs/remotes/<name>/HEAD` says of the clone.
#[derive(Clone, Debug, Default)]
pub struct Cloned {
    /// The URL as git wrote it: without its user.
    pub from: String,
    /// What each ref of the remote was when it was cloned.
    pub values: BTreeMap<String, ObjectId>,
}

/// A ref of the remote of which git reports what it points to right now.
#[derive(Clone, Debug)]
pub struct Reported {
    /// The ref of the remote.
    pub remote_ref: String,
    /// The object; none if the remote has no such ref.
    pub old: Option<ObjectId>,
}

/// What the remote is known to have.
#[derive(Clone, Debug, Default)]
pub struct Belief {
    /// The tracking refs that count, by the ref of the remote, with the object that is there.
    pub there: BTreeMap<String, ObjectId>,
    /// How many tracking refs there are.
    pub tracked: usize,
    /// Why some or all of them do not count.
    pub doubt: Option<Doubt>,
    /// Whether the remote contradicts what was tracked: that must be remembered, whatever becomes of this push.
    pub is_contradicted: bool,
}

/// Why tracking refs do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The push goes to a URL, and no remote has it.
    NoRemote,
    /// There are no tracking refs.
    NothingTracked,
    /// The push goes elsewhere than what git fetches from.
    PushedElsewhere,
    /// What is noted about the remote is noted for another URL.
    AnotherUrl,
    /// Nothing was noted of the remote yet, so that nothing says where they are from.
    Unmet,
    /// Nothing says where they are from.
    Unknown,
    /// The refspecs of two remotes fill them.
    Shared,
    /// The remote has another history than the tracked one.
    Rewritten,
    /// Some of them moved, and nothing says that this remote moved them.
    Unconfirmed,
}

/// What speaks for a tracking ref.
enum Standing {
    /// The remote had this object when git fetched or pushed last.
    Fresh,
    /// It was there when the remote was noted.
    Noted,
    /// Only this older one was seen there, of which the present one is a descendant.
    Behind(ObjectId),
    /// Something else was seen there, so that history was rewritten at one end.
    Replaced,
    /// Nothing.
    Unknown,
}

/// Returns which tracking refs count for a push to `url`, given what git reports of the refs that are pushed.
///
/// `descends(new, old)` tells whether `old` is `new` or one of its ancestors; it is false where `new` is not here.
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

/// What came of looking at each tracking ref.
#[derive(Default)]
struct Weighed {
    there: BTreeMap<String, ObjectId>,
    is_replaced: bool,
    is_contradicted: bool,
}

/// Looks at each tracking ref. One that the remote contradicts takes all of them along; one that was replaced leaves those
/// that were seen there since.
fn weigh<E>(
    remote: &Remote,
    witness: &Witness<'_>,
    reported: &BTreeMap<&str, Option<ObjectId>>,
    descends: &dyn Fn(&ObjectId, &ObjectId) -> Result<bool, E>,
) -> Result<Weighed, E> {
    // Whether what git reports of the ref does not descend from what was tracked, or seen there.
    let contradicts = |tracking: &Tracking, tracked: ObjectId| match reported.get(tracking.remote_ref.as_str()) {
        None => Ok(false),
        // A remote without a branch that was tracked may be another one by now.
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
    /// The URL was the last that this remote was used with, and is the only one that it pushes to.
    is_constant: bool,
}

impl<'a> Witness<'a> {
    fn of(url: &str, remote: &Remote, evidence: &'a Evidence) -> Self {
        let note = evidence.notes.get(&remote.name, url);
        let is_last = note.is_some() && evidence.notes.of(&remote.name).next() == note;
        let noted_as = as_git_notes(url);
        // Several URLs look alike in FETCH_HEAD, so it counts only for the URL that the remote is known by.
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

    /// What the remote was last seen to have under a ref.
    fn seen(&self, remote_ref: &str) -> Option<ObjectId> {
        let cloned = self.cloned.and_then(|cloned| cloned.values.get(remote_ref));
        self.note
            .and_then(|note| note.there.get(remote_ref))
            .or(cloned)
            .copied()
    }

    /// Whether git moved the ref because a push to this URL was accepted.
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
            // Without a reflog, what was judged for this URL and no other one must be what moved it.
            None => was_judged,
            // A ref that stood there when the URL was met may have been pushed to another one.
            Some(by_push) => {
                let was_here = note.foreign.get(&tracking.remote_ref) == Some(&tracking.id);
                by_push && (was_judged || (self.is_constant && !was_here))
            }
        }
    }

    /// Whether the remote now has something that does not descend from what it had, and no push of ours made it so.
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

/// Whether a reflog says that the clone is from just this URL. git leaves the user out of it, which may name another place
/// with ssh.
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

/// Returns the note about a remote after a look at it: what is known to be there, and what does not count from now on.
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

/// Returns the note about a remote that is met for the first time, when hooks are installed: its tracking refs count as what
/// its URL has. None if something was noted before, or something says that they are from elsewhere.
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
