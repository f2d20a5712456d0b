//! What this clone knows about a remote that a push goes to, and the notes that it keeps.

use std::collections::BTreeMap;

use crate::adapters::git::Repository;
use crate::adapters::git::remotes::FilledRef;
use crate::format::object_id::ObjectId;
use crate::format::reflog::Reflog;
use crate::format::remote_notes::{RemoteNote, RemoteNotes};
use crate::refusal::Result;
use crate::rules::push::{self, Belief, Cloned, Doubt, Evidence, Remote, Reported, Tracking, baseline};

/// A destination of a push.
pub struct PushTarget {
    /// Its URL; empty if it is not known.
    pub url: String,
    /// What the remote is known to have.
    pub belief: Belief,
    /// Whether this remote was last used with this URL.
    is_last: bool,
    remote: Option<Remote>,
    default: Option<String>,
    reported: Vec<Reported>,
    notes: RemoteNotes,
}

impl PushTarget {
    /// Observes the destination of a push to `url`; `named` is the remote as git calls it.
    pub fn observe(repo: &Repository, named: &str, url: &str, reported: Vec<Reported>) -> Result<Self> {
        let name = name_of(repo, named, url);
        let url = match &name {
            // A hook runner may leave out the URL.
            Some(name) if url.is_empty() => only(repo.push_urls(name)).unwrap_or_default(),
            _ => url.to_owned(),
        };
        let notes = repo.private().remote_notes().load();
        let remote = name.map(|name| remote(repo, &name, &url, &notes)).transpose()?;
        let (remote, default) = remote.unzip();
        let evidence = match &remote {
            Some(remote) => evidence(repo, remote, &url, notes)?,
            None => Evidence {
                notes,
                ..Evidence::default()
            },
        };
        let descends = |new: &ObjectId, old: &ObjectId| repo.descends(new, old);
        let belief = push::believe(&url, remote.as_ref(), &evidence, &reported, &descends)?;
        let notes = evidence.notes;
        let is_last = remote.as_ref().is_some_and(|remote| {
            let last = notes.of(&remote.name).next();
            last.is_some() && last == notes.get(&remote.name, &url)
        });
        Ok(Self {
            url,
            belief,
            is_last,
            remote,
            default: default.flatten(),
            reported,
            notes,
        })
    }

    /// Returns what the remote already has: what git reports, and the tracking refs that count.
    pub fn known(&self) -> Vec<ObjectId> {
        let reported = self.reported.iter().filter_map(|report| report.old);
        reported.chain(self.belief.there.values().copied()).collect()
    }

    /// Returns the commit at which a ref of the remote is tracked, whether that counts or not.
    pub fn tracked(&self, remote_ref: &str) -> Option<ObjectId> {
        let mut tracking = self.remote.iter().flat_map(|remote| &remote.tracking);
        let tracking = tracking.find(|tracking| !tracking.is_shared && tracking.remote_ref == remote_ref)?;
        Some(tracking.id)
    }

    /// Returns the commits that a new branch is compared with: the remote's default branch or, if that is not known,
    /// all that the remote is known to have.
    pub fn standing(&self) -> Vec<ObjectId> {
        let default = self.default.as_ref().and_then(|default| self.belief.there.get(default));
        baseline::standing(default.copied(), &self.known())
    }

    /// Saves facts that the next push needs, even if this one fails: that the remote is now used with this URL, and
    /// that the remote contradicts its tracking refs.
    pub fn keep_what_was_seen(&mut self, repo: &Repository) -> Result<()> {
        if self.is_last && !self.belief.is_contradicted {
            return Ok(());
        }
        let Some(remote) = &self.remote else { return Ok(()) };
        let spent = repo.fetch_heads().iter().map(|head| head.print()).collect();
        let note = push::noted(remote, &self.url, &self.belief, &self.reported, spent);
        let names = repo.remotes();
        self.notes.put(note, |name| names.iter().any(|other| other == name));
        let saved = repo.private().remote_notes().save(&self.notes);
        match self.belief.is_contradicted {
            true => saved,
            // Without the note, fewer tracking refs count next time, so more is judged.
            false => Ok(()),
        }
    }

    /// Saves what was judged for this destination and found clean.
    pub fn keep_what_passed(&mut self, repo: &Repository, pushed: BTreeMap<String, ObjectId>) {
        let Some(remote) = &self.remote else { return };
        let spent = self.notes.get(&remote.name, &self.url).map(|note| note.spent.clone());
        let mut note = push::noted(
            remote,
            &self.url,
            &self.belief,
            &self.reported,
            spent.unwrap_or_default(),
        );
        note.pushed = pushed;
        if self.notes.get(&remote.name, &self.url) == Some(&note) {
            return;
        }
        let names = repo.remotes();
        self.notes.put(note, |name| names.iter().any(|other| other == name));
        // If the clone cannot be written to, more is judged next time.
        drop(repo.private().remote_notes().save(&self.notes));
    }
}

/// The report of `status` on a remote at one URL.
pub struct RemoteReport {
    /// Its name.
    pub name: String,
    /// The URL that it pushes to.
    pub url: String,
    /// How many of its tracking refs count.
    pub counted: usize,
    /// How many tracking refs it has.
    pub tracked: usize,
    /// Why some do not count.
    pub doubt: Option<Doubt>,
    /// Whether this clone's configuration calls the URL private.
    pub is_private: bool,
}

/// Returns a report on each remote at each URL that it pushes to.
pub fn report(repo: &Repository, is_private: impl Fn(&str) -> bool) -> Result<Vec<RemoteReport>> {
    let mut found = Vec::new();
    for name in repo.remotes() {
        for url in repo.push_urls(&name) {
            let place = PushTarget::observe(repo, &name, &url, Vec::new())?;
            found.push(RemoteReport {
                counted: place.belief.there.len(),
                tracked: place.belief.tracked,
                doubt: place.belief.doubt,
                is_private: is_private(&url),
                name: name.clone(),
                url,
            });
        }
    }
    Ok(found)
}

/// Writes a note for each new remote: its tracking refs then count as what its URLs have.
pub fn note_all(repo: &Repository) -> Result<()> {
    let notes = repo.private().remote_notes().load();
    let mut kept = notes.clone();
    let names = repo.remotes();
    let mut remotes = Vec::new();
    for name in &names {
        let url = repo.fetch_url(name).unwrap_or_default();
        remotes.push(remote(repo, name, &url, &notes)?.0);
    }
    let all: Vec<&Remote> = remotes.iter().collect();
    for remote in &remotes {
        let url = remote.fetch_url.clone().unwrap_or_default();
        let evidence = evidence(repo, remote, &url, notes.clone())?;
        if let Some(note) = push::first_note(remote, &evidence, &all) {
            kept.put(note, |name| names.iter().any(|other| other == name));
        }
    }
    match kept == notes {
        true => Ok(()),
        false => repo.private().remote_notes().save(&kept),
    }
}

/// Returns the remote that git names, or else the only remote that fetches from this URL and pushes to it.
fn name_of(repo: &Repository, named: &str, url: &str) -> Option<String> {
    if repo.has_remote(named) {
        return Some(named.to_owned());
    }
    let fits = |name: &String| push::is_at(url, repo.fetch_url(name).as_deref(), &repo.push_urls(name));
    only(repo.remotes().into_iter().filter(fits).collect())
}

fn only(mut values: Vec<String>) -> Option<String> {
    match values.len() {
        1 => values.pop(),
        _ => None,
    }
}

/// Returns the tracking refs of a remote, each with the ref of the remote that it is from.
fn tracked(repo: &Repository, name: &str) -> Result<Vec<(String, FilledRef)>> {
    let filled = repo.filled_refs(name)?.into_iter();
    let from = |filled: FilledRef| Some((push::tracked_from(&filled.sources)?.to_owned(), filled));
    Ok(filled.filter_map(from).collect())
}

/// Returns the reflogs of these refs, without the refs that have none.
fn logs_of(repo: &Repository, names: Vec<String>) -> Result<BTreeMap<String, Reflog>> {
    let logs = repo.reflogs(&names)?;
    let logged = names.into_iter().zip(logs);
    Ok(logged.filter_map(|(name, log)| Some((name, log?))).collect())
}

/// Reads the configuration of a remote, and finds the tracking ref of its default branch.
fn remote(repo: &Repository, name: &str, url: &str, notes: &RemoteNotes) -> Result<(Remote, Option<String>)> {
    let note = notes.get(name, url);
    let head = repo.default_tracking_ref(name)?;
    let mut default = None;
    let mut tracking = Vec::new();
    let tracked = tracked(repo, name)?;
    // Only refs that moved since the note need a look at the reflog.
    let moved = |note: &RemoteNote| {
        let moved = tracked.iter();
        let moved = moved.filter(|(remote_ref, filled)| note.there.get(remote_ref) != Some(&filled.id));
        moved.map(|(_, filled)| filled.local_ref.clone()).collect::<Vec<_>>()
    };
    let logs = logs_of(repo, note.map(moved).unwrap_or_default())?;
    for (remote_ref, filled) in tracked {
        if head.as_ref() == Some(&filled.local_ref) {
            default = Some(remote_ref.clone());
        }
        let log = logs.get(&filled.local_ref);
        let moved_by_push = log.map(|log| log.was_pushed_to(&filled.id));
        tracking.push(Tracking {
            remote_ref,
            id: filled.id,
            is_shared: filled.is_shared,
            moved_by_push,
        });
    }
    let remote = Remote {
        name: name.to_owned(),
        fetch_url: repo.fetch_url(name),
        push_urls: repo.push_urls(name),
        tracking,
    };
    Ok((remote, default))
}

fn evidence(repo: &Repository, remote: &Remote, url: &str, notes: RemoteNotes) -> Result<Evidence> {
    let note = notes.get(&remote.name, url);
    let is_noted =
        |tracking: &Tracking| note.is_some_and(|note| note.there.get(&tracking.remote_ref) == Some(&tracking.id));
    if remote.tracking.iter().all(is_noted) {
        return Ok(Evidence {
            notes,
            ..Evidence::default()
        });
    }
    let spent = note.map(|note| note.spent.as_slice()).unwrap_or_default();
    let fetched = repo.fetch_heads().iter().flat_map(|head| head.lines(spent)).collect();
    let cloned = match note {
        None => cloned(repo, &remote.name)?,
        Some(_) => None,
    };
    Ok(Evidence { fetched, cloned, notes })
}

/// Returns what the reflogs say about the clone that made this repository.
///
/// A clone writes a reflog for `HEAD`, but not for the tracking refs that it makes. So a tracking ref without a reflog
/// was not moved since.
fn cloned(repo: &Repository, name: &str) -> Result<Option<Cloned>> {
    if !repo.keeps_reflogs() {
        return Ok(None);
    }
    let head = format!("refs/remotes/{name}/HEAD");
    let heads = logs_of(repo, vec![head.clone()])?;
    let Some(from) = heads.get(&head).and_then(Reflog::cloned_from) else {
        return Ok(None);
    };
    let tracked = tracked(repo, name)?;
    let logs = logs_of(
        repo,
        tracked.iter().map(|(_, filled)| filled.local_ref.clone()).collect(),
    )?;
    let mut values = BTreeMap::new();
    for (remote_ref, filled) in tracked {
        let value = match logs.get(&filled.local_ref) {
            None => Some(filled.id),
            Some(log) => log.before,
        };
        values.extend(value.map(|id| (remote_ref, id)));
    }
    Ok(Some(Cloned {
        from: from.to_owned(),
        values,
    }))
}
