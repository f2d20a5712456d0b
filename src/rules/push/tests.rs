//! Tests of the evidence for tracking refs and of private places, on values alone.

use std::collections::BTreeMap;

use super::*;
use crate::format::config::Config;
use crate::rules::scan::Destination;

const URL: &str = "https://host/x.git";
const MAIN: &str = "refs/heads/main";

fn id(byte: u8) -> ObjectId {
    ObjectId::from_bytes(&[byte; 20]).unwrap()
}

/// A linear history in which a larger number is a younger commit. A second, unrelated history starts at 100.
fn descends(new: &ObjectId, old: &ObjectId) -> Result<bool, ()> {
    let (new, old) = (new.as_bytes()[0], old.as_bytes()[0]);
    Ok(new >= old && (new < 100) == (old < 100))
}

fn tracking(remote_ref: &str, byte: u8, moved_by_push: Option<bool>) -> Tracking {
    Tracking {
        remote_ref: remote_ref.into(),
        id: id(byte),
        is_shared: false,
        moved_by_push,
    }
}

fn origin(tracking: Vec<Tracking>) -> Remote {
    Remote {
        name: "origin".into(),
        fetch_url: Some(URL.into()),
        push_urls: vec![URL.into()],
        tracking,
    }
}

fn note(url: &str, there: &[(&str, u8)]) -> RemoteNote {
    let mut note = RemoteNote::new("origin", url);
    note.there = there
        .iter()
        .map(|(name, byte)| ((*name).to_owned(), id(*byte)))
        .collect();
    note
}

/// Builds evidence from notes. The last note in the list was used last.
fn evidence(notes: &[RemoteNote]) -> Evidence {
    let mut evidence = Evidence::default();
    for note in notes {
        evidence.notes.put(note.clone(), |_| true);
    }
    evidence
}

fn fetched(from: &str, byte: u8) -> Fetched {
    Fetched {
        id: id(byte),
        from: from.into(),
    }
}

fn is(old: Option<u8>) -> Vec<Reported> {
    vec![Reported {
        remote_ref: MAIN.into(),
        old: old.map(id),
    }]
}

/// Returns the commits that count, and the doubt.
fn counted(remote: &Remote, evidence: &Evidence, reported: &[Reported]) -> (Vec<u8>, Option<Doubt>) {
    let belief = believe(URL, Some(remote), evidence, reported, &descends).unwrap();
    assert_eq!(
        belief.is_contradicted && belief.there.is_empty(),
        belief.is_contradicted
    );
    let there = belief.there.values().map(|id| id.as_bytes()[0]).collect();
    (there, belief.doubt)
}

#[test]
fn nothing_counts_without_evidence() {
    let remote = origin(vec![tracking(MAIN, 5, None)]);
    let none = evidence(&[]);
    assert_eq!(counted(&remote, &none, &[]), (vec![], Some(Doubt::Unmet)));
    let belief = believe(URL, None, &none, &[], &descends).unwrap();
    assert_eq!(belief.doubt, Some(Doubt::NoRemote));
    // An object in FETCH_HEAD may come from another URL that looks the same there.
    let mut seen = evidence(&[]);
    seen.fetched = vec![fetched("https://host/x", 5)];
    assert_eq!(counted(&remote, &seen, &[]), (vec![], Some(Doubt::Unmet)));
}

#[test]
fn what_was_noted_counts_at_this_very_url() {
    let mut remote = origin(vec![tracking(MAIN, 5, None)]);
    let noted = evidence(&[note(URL, &[(MAIN, 5)])]);
    assert_eq!(counted(&remote, &noted, &[]), (vec![5], None));
    for other in [
        "https://host/x",
        "https://me@host/x.git",
        "https://host:443/x.git",
        "http://host/x.git",
        "https://host/x.git/",
    ] {
        let noted = evidence(&[note(other, &[(MAIN, 5)])]);
        assert_eq!(
            counted(&remote, &noted, &[]),
            (vec![], Some(Doubt::AnotherUrl)),
            "{other}"
        );
        remote.fetch_url = Some(other.into());
        let noted = evidence(&[note(URL, &[(MAIN, 5)])]);
        assert_eq!(
            counted(&remote, &noted, &[]),
            (vec![], Some(Doubt::PushedElsewhere)),
            "{other}"
        );
        remote.fetch_url = Some(URL.into());
    }
    remote.tracking[0].is_shared = true;
    assert_eq!(counted(&remote, &noted, &[]), (vec![], Some(Doubt::Shared)));
}

#[test]
fn a_ref_that_moved_counts_only_as_what_moved_it() {
    let noted = |more: &dyn Fn(&mut RemoteNote)| {
        let mut note = note(URL, &[(MAIN, 5)]);
        more(&mut note);
        evidence(&[note])
    };
    let plain = noted(&|_| ());
    let moved = |byte, by_push| origin(vec![tracking(MAIN, byte, by_push)]);
    assert_eq!(
        counted(&moved(7, Some(false)), &plain, &[]),
        (vec![5], Some(Doubt::Unconfirmed)),
        "by hand"
    );
    assert_eq!(
        counted(&moved(105, Some(false)), &plain, &[]),
        (vec![], Some(Doubt::Rewritten)),
        "replaced"
    );
    assert_eq!(
        counted(&moved(7, Some(true)), &plain, &[]),
        (vec![7], None),
        "by a push"
    );
    let judged = noted(&|note| note.pushed.extend([(MAIN.to_owned(), id(7))]));
    assert_eq!(
        counted(&moved(7, None), &judged, &[]),
        (vec![7], None),
        "judged, without a reflog"
    );
    assert_eq!(
        counted(&moved(7, Some(false)), &judged, &[]),
        (vec![5], Some(Doubt::Unconfirmed))
    );
    let here_before = noted(&|note| note.foreign.extend([(MAIN.to_owned(), id(7))]));
    assert_eq!(
        counted(&moved(7, Some(true)), &here_before, &[]),
        (vec![5], Some(Doubt::Unconfirmed)),
        "pushed before this URL was met"
    );
    let mut fetched_here = plain.clone();
    fetched_here.fetched = vec![fetched("https://host/x", 7)];
    assert_eq!(counted(&moved(7, Some(false)), &fetched_here, &[]), (vec![7], None));
    fetched_here.fetched = vec![fetched("https://elsewhere/x", 7)];
    assert_eq!(
        counted(&moved(7, Some(false)), &fetched_here, &[]),
        (vec![5], Some(Doubt::Unconfirmed))
    );
}

#[test]
fn a_push_to_one_of_several_urls_says_nothing_of_the_others() {
    let mut remote = origin(vec![tracking(MAIN, 7, Some(true))]);
    remote.push_urls.push("https://fork/x.git".into());
    let mut here = note(URL, &[(MAIN, 5)]);
    here.pushed.insert(MAIN.into(), id(7));
    let mut there = note("https://fork/x.git", &[]);
    assert_eq!(
        counted(&remote, &evidence(&[there.clone(), here.clone()]), &[]),
        (vec![7], None)
    );
    there.pushed.insert(MAIN.into(), id(7));
    let both = evidence(&[there, here]);
    assert_eq!(counted(&remote, &both, &[]), (vec![5], Some(Doubt::Unconfirmed)));
}

#[test]
fn evidence_from_before_another_url_was_used_is_void() {
    let remote = origin(vec![tracking(MAIN, 7, Some(true))]);
    let mut left = evidence(&[note(URL, &[(MAIN, 5)]), note("https://other/x", &[])]);
    left.fetched = vec![fetched("https://host/x", 7)];
    assert_eq!(counted(&remote, &left, &[]), (vec![5], Some(Doubt::Unconfirmed)));
}

#[test]
fn the_remote_itself_has_the_last_word() {
    let remote = origin(vec![tracking(MAIN, 5, None), tracking("refs/heads/b", 6, None)]);
    let noted = evidence(&[note(URL, &[(MAIN, 5), ("refs/heads/b", 6)])]);
    for old in [5, 9] {
        assert_eq!(counted(&remote, &noted, &is(Some(old))), (vec![6, 5], None));
    }
    for old in [None, Some(3), Some(105)] {
        assert_eq!(
            counted(&remote, &noted, &is(old)),
            (vec![], Some(Doubt::Rewritten)),
            "{old:?}"
        );
    }
}

#[test]
fn after_a_rewrite_only_what_was_fetched_since_counts() {
    let remote = origin(vec![
        tracking(MAIN, 105, Some(false)),
        tracking("refs/heads/gone", 6, None),
    ]);
    let mut rewritten = evidence(&[note(URL, &[(MAIN, 5), ("refs/heads/gone", 6)])]);
    rewritten.fetched = vec![fetched("https://host/x", 105)];
    assert_eq!(counted(&remote, &rewritten, &[]), (vec![105], Some(Doubt::Unconfirmed)));
}

#[test]
fn a_clone_speaks_for_its_refs_where_git_wrote_its_whole_url() {
    let remote = origin(vec![tracking(MAIN, 5, None), tracking("refs/heads/b", 7, Some(false))]);
    let mut cloned = evidence(&[]);
    let values = BTreeMap::from([(MAIN.to_owned(), id(5)), ("refs/heads/b".to_owned(), id(6))]);
    cloned.cloned = Some(Cloned {
        from: URL.into(),
        values,
    });
    assert_eq!(counted(&remote, &cloned, &[]), (vec![6, 5], Some(Doubt::Unconfirmed)));
    cloned.cloned.as_mut().unwrap().from = "https://host/x".into();
    assert_eq!(counted(&remote, &cloned, &[]), (vec![], Some(Doubt::Unmet)));
    for (url, says) in [
        ("git@host:x", "host:x"),
        ("host:x", "host:x"),
        ("ssh://host/x", "ssh://host/x"),
    ] {
        let from = says.to_owned();
        let cloned = Cloned {
            from,
            ..Cloned::default()
        };
        assert!(!is_of(&cloned, url), "{url}");
    }
}

#[test]
fn the_first_note_is_made_where_nothing_speaks_against_it() {
    let remote = origin(vec![tracking(MAIN, 5, None)]);
    let first =
        |remote: &Remote, evidence: &Evidence| first_note(remote, evidence, &[remote]).map(|note| note.there.len());
    assert_eq!(first(&remote, &evidence(&[])), Some(1));
    assert_eq!(first(&remote, &evidence(&[note("https://other/x", &[])])), None);
    let mut foreign = evidence(&[]);
    foreign.fetched = vec![fetched("https://other/x", 5)];
    assert_eq!(first(&remote, &foreign), None);
    foreign.fetched = vec![fetched("https://host/x", 5)];
    assert_eq!(first(&remote, &foreign), Some(1));
    foreign.cloned = Some(Cloned {
        from: "https://other/x".into(),
        ..Cloned::default()
    });
    assert_eq!(first(&remote, &foreign), None);
    let mut elsewhere = remote;
    elsewhere.push_urls = vec!["https://other/x".into()];
    assert_eq!(first(&elsewhere, &evidence(&[])), None);
}

fn goes(places: &[&str], url: &str) -> Destination {
    let text = format!("version = 1\nprivate_remotes = {places:?}\n");
    let config = Config::parse(text.as_bytes()).unwrap();
    destination(&[&config], &[url.to_owned()])
}

#[test]
fn a_place_is_private_only_if_nothing_else_can_be_meant() {
    let places = [
        "git@git.example.org:team/*",
        "https://git.example.org/team/*",
        "ssh://git@git.example.org:2222/deep/**",
        "/srv/git/team/*",
    ];
    for url in [
        "git@git.example.org:team/x.git",
        "git@GIT.example.org:team/x",
        "https://git.example.org/team/x.git",
        "https://git.example.org/team/x/",
        "https://Git.Example.org/team/x",
        "https://me:word@git.example.org/team/x",
        "ssh://git@git.example.org:2222/deep/er/x",
        "/srv/git/team/x.git",
    ] {
        assert_eq!(goes(&places, url), Destination::PrivateRemote, "{url}");
    }
    for url in [
        "",
        "https://git.example.org.evil.example/team/x",
        "https://git.example.org@evil.example/team/x",
        "https://git.example.org:team@evil.example/team/x",
        "https://a@git.example.org@evil.example/team/x",
        "https://evil.example/https://git.example.org/team/x",
        "https://evil.example#@git.example.org/team/x",
        "https://evil.example\\@git.example.org/team/x",
        "https://evil.example?@git.example.org/team/x",
        "https://git.example.org./team/x",
        "https://git.example.org:8443/team/x",
        "https://sub.git.example.org/team/x",
        "http://git.example.org/team/x",
        "HTTPS://git.example.org/team/x",
        "https://git.example.org/team/../other/x",
        "https://git.example.org/team/%2e%2e/other/x",
        "https://git.example.org/team/x/y",
        "https://git.example.org/team//x",
        "https://git.example.org/team/",
        "https://git.example.org/team",
        "https://git.example.org/TEAM/x",
        "https://git.example.org/other/team/x",
        "https://git.example.org/team%2fx",
        "git@git.example.org:/team/x",
        "git@git.example.org:team/../other",
        "git@git.example.org:~evil/x",
        "git.example.org:team/x",
        "evil@git.example.org:team/x",
        "git@git.example.org.evil.example:team/x",
        "git@evil.example:git.example.org:team/x",
        "ssh://git@git.example.org/team/x",
        "ssh://git@git.example.org/deep/x",
        "ssh://git@git.example.org:2222/deep",
        "ssh://evil@git.example.org:2222/deep/x",
        "ext::git@git.example.org:team/x",
        "/srv/git/team/../public/x",
        "/srv/git/team/x/y",
        "file:///srv/git/team/x",
        "srv/git/team/x",
    ] {
        assert_eq!(goes(&places, url), Destination::PublicRemote, "{url}");
    }
    assert_eq!(goes(&["git@host:*/x"], "git@host:~evil/x"), Destination::PublicRemote);
    assert_eq!(goes(&["git@host:~me/*"], "git@host:~me/x"), Destination::PrivateRemote);
}

#[test]
fn every_configuration_and_every_url_must_agree() {
    let private = Config::parse(b"version = 1\nprivate_remotes = [\"/srv/a\", \"/srv/b\"]\n").unwrap();
    let other = Config::parse(b"version = 1\nprivate_remotes = [\"/srv/a\"]\n").unwrap();
    let urls = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let both = urls(&["/srv/a", "/srv/b"]);
    assert_eq!(destination(&[&private], &both), Destination::PrivateRemote);
    assert_eq!(destination(&[&private, &other], &both), Destination::PublicRemote);
    assert_eq!(
        destination(&[&private, &other], &urls(&["/srv/a"])),
        Destination::PrivateRemote
    );
    assert_eq!(destination(&[&private], &[]), Destination::PublicRemote);
}

#[test]
fn a_place_that_is_no_single_place_is_refused() {
    for place in [
        "https://*/team/x",
        "https://*.example.org/team/x",
        "*",
        "**",
        "git@*:team/x",
        "*@host:team/x",
        "https://me@host/x",
        "https://me:hunter2@host/x",
        "https://host/team/[ab]",
        "https://host/team/{a,b}",
        "https://host/team/a**",
        "../x",
        "ext::x",
    ] {
        let text = format!("version = 1\nprivate_remotes = [{place:?}]\n");
        let error = Config::parse(text.as_bytes()).unwrap_err();
        assert!(
            error.problem.starts_with("private_remotes: ") && !error.problem.contains("hunter2"),
            "{error}"
        );
    }
}

#[test]
fn the_line_to_add_calls_just_this_place_private() {
    for (url, line) in [
        ("https://me:word@host/x.git", Some("https://host/x.git")),
        ("git@host:x/", Some("git@host:x")),
        ("/srv/x", Some("/srv/x")),
        ("../x", None),
        ("https://host/a[b]", None),
        ("", None),
    ] {
        let line = line.map(|line| format!("private_remotes = [\"{line}\"]"));
        assert_eq!(private_line(url), line);
        if let Some(line) = line {
            let config = Config::parse(format!("version = 1\n{line}\n").as_bytes()).unwrap();
            assert_eq!(destination(&[&config], &[url.to_owned()]), Destination::PrivateRemote);
        }
    }
}

#[test]
fn a_ref_tracks_the_only_one_that_fills_it() {
    let source = |name: &str| Some(name.to_owned());
    assert_eq!(tracked_from(&[source("refs/heads/a")]), Some("refs/heads/a"));
    assert_eq!(tracked_from(&[source("refs/heads/a"), source("refs/heads/b")]), None);
    assert_eq!(tracked_from(&[None]), None);
    assert_eq!(tracked_from(&[]), None);
}

#[test]
fn a_remote_is_where_it_both_fetches_from_and_pushes_to() {
    let push = ["a".to_owned(), "b".to_owned()];
    assert!(is_at("b", Some("b"), &push));
    assert!(!is_at("a", Some("b"), &push) && !is_at("c", Some("c"), &push) && !is_at("a", None, &push));
}
