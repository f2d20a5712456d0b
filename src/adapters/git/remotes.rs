//! Remotes: the URLs that git fetches from and pushes to, their tracking refs, and git's own records of fetches and
//! pushes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use gix::bstr::{BString, ByteSlice};
use gix::refspec::match_group::{Item, SourceRef};
use gix::refspec::{MatchGroup, RefSpecRef, parse::Operation};

use crate::adapters::files;
use crate::adapters::git::refs::RefFault;
use crate::adapters::git::{Peeled, Repository};
use crate::format::fetch_head::FetchHead;
use crate::format::object_id::ObjectId;
use crate::refusal::unsupported::Unsupported;
use crate::refusal::{Refusal, Result};

/// Where tracking refs lie. A refspec may write elsewhere, such as into `refs/heads/`, but a person writes there too,
/// so such a ref is no evidence.
const TRACKING: &str = "refs/remotes/";

/// The largest `FETCH_HEAD` to read, in bytes.
const MAX_FETCH_HEAD: u64 = 32 << 20;

/// A ref below `refs/remotes/` that fetch refspecs fill.
#[derive(Clone, Debug)]
pub struct FilledRef {
    /// Full name of the ref in this clone.
    pub local_ref: String,
    /// The object it points to.
    pub id: ObjectId,
    /// The refs of the remote that its own refspecs fill it from; none in place of a source that is not a full name.
    pub sources: Vec<Option<String>>,
    /// Whether another remote's refspecs fill it too.
    pub is_shared: bool,
}

impl Repository {
    /// Returns the names of all configured remotes. Skips names that are not UTF-8.
    pub fn remotes(&self) -> Vec<String> {
        let repo = self.local();
        let names = repo.remote_names();
        names
            .iter()
            .filter_map(|name| name.to_str().ok().map(str::to_owned))
            .collect()
    }

    /// Returns whether a remote with this name is configured.
    pub fn has_remote(&self, name: &str) -> bool {
        let repo = self.local();
        repo.remote_names()
            .iter()
            .any(|remote| remote.as_bstr() == name.as_bytes().as_bstr())
    }

    /// Returns the URL that git fetches from: the first URL of a remote, rewritten as git does it.
    pub fn fetch_url(&self, name: &str) -> Option<String> {
        let urls = self.values_of(&format!("remote.{name}.url"));
        Some(rewritten(urls.first()?, &self.rewrites("insteadOf")))
    }

    /// Returns all URLs that git pushes to, rewritten as git does it.
    pub fn push_urls(&self, name: &str) -> Vec<String> {
        let instead = self.rewrites("insteadOf");
        let rewrite = |urls: Vec<String>| urls.iter().map(|url| rewritten(url, &instead)).collect::<Vec<_>>();
        let pushed = self.values_of(&format!("remote.{name}.pushurl"));
        if !pushed.is_empty() {
            return rewrite(pushed);
        }
        // If pushInsteadOf matches any URL, git pushes only to the URLs that it matches.
        let urls = self.values_of(&format!("remote.{name}.url"));
        let for_push = self.rewrites("pushInsteadOf");
        let fitting = urls.iter().filter(|url| longest(url, &for_push).is_some());
        let fitting: Vec<String> = fitting.map(|url| rewritten(url, &for_push)).collect();
        match fitting.is_empty() {
            true => rewrite(urls),
            false => fitting,
        }
    }

    /// Returns the refs below `refs/remotes/` that the fetch refspecs of a remote fill, without symbolic refs.
    pub fn filled_refs(&self, name: &str) -> Result<Vec<FilledRef>> {
        let specs = self.fetch_specs(name);
        if specs.is_empty() {
            return Ok(Vec::new());
        }
        let refs = self.direct_refs(TRACKING)?;
        let mine = sources(&specs, &refs);
        let mut shared = BTreeSet::new();
        for other in self.remotes().iter().filter(|other| *other != name) {
            shared.extend(sources(&self.fetch_specs(other), &refs).into_keys());
        }
        let filled = mine.into_iter().map(|(at, sources)| FilledRef {
            local_ref: refs[at].0.clone(),
            id: refs[at].1,
            sources,
            is_shared: shared.contains(&at),
        });
        Ok(filled.collect())
    }

    /// Returns the tracking ref that `refs/remotes/<name>/HEAD` points to.
    pub fn default_tracking_ref(&self, name: &str) -> Result<Option<String>> {
        let head = self
            .refs_named(&[format!("{TRACKING}{name}/HEAD")])
            .map_err(unreadable)?;
        Ok(head.into_iter().find_map(|head| head.symbolic))
    }

    /// Returns the commits that the refs of these names lead to, each once. Skips refs and commits that do not exist here.
    pub fn commits_at(&self, names: &[String]) -> Result<Vec<ObjectId>> {
        let mut found: Vec<ObjectId> = Vec::new();
        for named in self.refs_named(names).map_err(unreadable)? {
            if let Some(id) = named.id
                && self.has(&id)
                && let Peeled::Commit(id) = self.peel(&id)?
                && !found.contains(&id)
            {
                found.push(id);
            }
        }
        Ok(found)
    }

    /// Returns whether git writes reflogs for tracking refs, according to the present configuration.
    pub fn keeps_reflogs(&self) -> bool {
        let setting = self.config_text("core.logAllRefUpdates");
        match setting.map(|setting| setting.to_ascii_lowercase()).as_deref() {
            None => self.work_tree().is_some(),
            Some("always") => true,
            Some(_) => self.local().config_snapshot().boolean("core.logAllRefUpdates") == Some(true),
        }
    }

    /// Returns the `FETCH_HEAD` of every work tree, in which git records its last fetch.
    pub fn fetch_heads(&self) -> Vec<FetchHead> {
        let common = self.common_dir();
        let mut places: Vec<PathBuf> = vec![common.clone()];
        let linked = common.join("worktrees");
        places.extend(
            files::directories_in(&linked)
                .unwrap_or_default()
                .iter()
                .map(|name| linked.join(name)),
        );
        let read = |place: PathBuf| {
            let path = place.join("FETCH_HEAD");
            let bytes = files::read_optional(&path, MAX_FETCH_HEAD).ok().flatten()?;
            let written = files::written_at(&path)?;
            Some(FetchHead { bytes, written })
        };
        places.into_iter().filter_map(read).collect()
    }

    /// Returns whether `old` is `new` or one of its ancestors. Returns false if this clone does not have both as
    /// commits.
    pub fn descends(&self, new: &ObjectId, old: &ObjectId) -> Result<bool> {
        if new == old {
            return Ok(true);
        }
        if !self.has(new) || !self.has(old) {
            return Ok(false);
        }
        match (self.peel(new)?, self.peel(old)?) {
            (Peeled::Commit(new), Peeled::Commit(old)) => Ok(self.walk(&[old], &[new])?.count() == 0),
            _ => Ok(false),
        }
    }

    /// Returns the full names and ids of the refs below `prefix` that are not symbolic.
    fn direct_refs(&self, prefix: &str) -> Result<Vec<(String, ObjectId)>> {
        let below = self.refs_below(prefix).map_err(|fault| {
            fault.refuse(|said| Unsupported::ReferencesBelow {
                prefix: prefix.to_owned(),
                said,
            })
        })?;
        let direct = below.into_iter().filter(|found| found.symbolic.is_none());
        let named = direct.filter_map(|found| Some((found.name.to_str().ok()?.to_owned(), found.id?)));
        Ok(named.collect())
    }

    /// Returns the fetch refspecs of a remote. Returns an empty list if one of them is invalid, since git then fetches
    /// nothing.
    fn fetch_specs(&self, name: &str) -> Vec<String> {
        let specs = self.values_of(&format!("remote.{name}.fetch"));
        match specs.iter().all(|spec| parse_spec(spec).is_some()) {
            true => specs,
            false => Vec::new(),
        }
    }

    /// Returns all values of a key, in the order of the configuration. An empty value resets those before it.
    fn values_of(&self, key: &str) -> Vec<String> {
        let values = self
            .local()
            .config_snapshot()
            .plumbing()
            .strings(key)
            .unwrap_or_default();
        let start = values.iter().rposition(|value| value.is_empty()).map_or(0, |at| at + 1);
        values[start..]
            .iter()
            .map(|value| value.to_str_lossy().into_owned())
            .collect()
    }

    /// Returns the URL rewrites `url.<by>.<key>`, as pairs of the replaced prefix and its replacement.
    fn rewrites(&self, key: &str) -> Vec<(String, String)> {
        let repo = self.local();
        let config = repo.config_snapshot();
        let mut found = Vec::new();
        let Some(sections) = config.plumbing().sections_by_name("url") else {
            return found;
        };
        for section in sections {
            let Some(by) = section.header().subsection_name() else {
                continue;
            };
            let values = section.values(key).into_iter();
            found.extend(values.map(|replaced| (text(&replaced), text(&by.to_owned()))));
        }
        found
    }
}

fn unreadable(fault: RefFault) -> Refusal {
    fault.refuse(|said| Unsupported::References { said })
}

fn text(bytes: &BString) -> String {
    bytes.to_str_lossy().into_owned()
}

/// Returns the longest of `rewrites` that matches. Of several with the same length, the first.
fn longest<'a>(url: &str, rewrites: &'a [(String, String)]) -> Option<&'a (String, String)> {
    let mut best: Option<&(String, String)> = None;
    for rewrite in rewrites.iter().filter(|(replaced, _)| url.starts_with(replaced)) {
        if best.is_none_or(|best| rewrite.0.len() > best.0.len()) {
            best = Some(rewrite);
        }
    }
    best
}

/// Replaces the beginning of a URL once, as git does it.
fn rewritten(url: &str, rewrites: &[(String, String)]) -> String {
    match longest(url, rewrites) {
        Some((replaced, by)) => format!("{by}{}", &url[replaced.len()..]),
        None => url.to_owned(),
    }
}

fn parse_spec(spec: &str) -> Option<RefSpecRef<'_>> {
    gix::refspec::parse(spec.into(), Operation::Fetch).ok()
}

/// Returns, for each of `refs` that `specs` fill, the remote refs that fill it. A source that is not a full ref name is
/// `None`.
fn sources(specs: &[String], refs: &[(String, ObjectId)]) -> BTreeMap<usize, Vec<Option<String>>> {
    let ids: Vec<gix::ObjectId> = refs.iter().map(|(_, id)| super::to_gix(id)).collect();
    let items = refs.iter().zip(&ids).map(|((name, _), id)| Item {
        full_ref_name: name.as_str().into(),
        target: id.as_ref(),
        object: None,
    });
    let group = MatchGroup::from_fetch_specs(specs.iter().filter_map(|spec| parse_spec(spec)));
    let mut found: BTreeMap<usize, Vec<Option<String>>> = BTreeMap::new();
    for mapping in group.match_rhs(items).mappings {
        let Some(at) = mapping.item_index else { continue };
        let source = match &mapping.lhs {
            SourceRef::FullName(name) => name.to_str().ok().filter(|name| name.starts_with("refs/")),
            SourceRef::ObjectId(_) => None,
        };
        found.entry(at).or_default().push(source.map(str::to_owned));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_replacement_is_made_once() {
        let rules = [("hub:", "../"), ("hub:a", "../b/"), ("../", "x:")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        for (url, expected) in [("hub:x", "../x"), ("hub:a/y", "../b//y"), ("../x", "x:x"), ("y", "y")] {
            assert_eq!(rewritten(url, &rules), expected);
        }
    }

    #[test]
    fn refs_are_mapped_by_all_of_a_remotes_refspecs() {
        let specs = [
            "+refs/heads/*:refs/remotes/o/*",
            "^refs/heads/private/*",
            "refs/heads/main:refs/remotes/o/copy",
        ]
        .map(str::to_owned);
        let refs: Vec<_> = [
            "refs/remotes/o/main",
            "refs/remotes/o/private/x",
            "refs/remotes/o/copy",
            "refs/remotes/p/a",
        ]
        .iter()
        .map(|name| ((*name).to_owned(), ObjectId::from_bytes(&[1; 20]).unwrap()))
        .collect();
        let found = sources(&specs, &refs);
        let main = |name: &str| Some(format!("refs/heads/{name}"));
        assert_eq!(found[&0], [main("main")]);
        assert_eq!(found.get(&1), None);
        assert_eq!(found[&2], [main("copy"), main("main")]);
        assert_eq!(found.len(), 2);
    }
}
