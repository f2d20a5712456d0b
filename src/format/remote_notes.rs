//! The notes of a clone about its remotes: which objects their refs were seen to have, and what was pushed.
//!
//! The file consists of lines of text. A URL may contain a password, so only its hash is stored.
//!
//! ```text
//! pack.remotes.v0
//! remote <hash of the URL> <name>
//! there <id> <ref>
//! pushed <id> <ref>
//! foreign <id> <ref>
//! spent <bytes> <time> <hash>
//! ```

use std::collections::BTreeMap;

use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;

/// The first line of the file.
const VERSION: &str = "pack.remotes.v0";

/// Most URLs kept for one remote, the last used ones.
const MAX_URLS: usize = 8;

/// All notes, the last used first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteNotes {
    notes: Vec<RemoteNote>,
}

/// What is known of one remote at one URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteNote {
    /// Name of the remote.
    pub remote: String,
    /// SHA-256 of the whole URL.
    pub url: Digest,
    /// The object that each ref of the remote was seen to point to.
    pub there: BTreeMap<String, ObjectId>,
    /// The object last judged for a push to each ref. It is not known whether the push succeeded.
    pub pushed: BTreeMap<String, ObjectId>,
    /// Tracking refs that existed when the note was written and did not count as evidence, by the ref of the remote.
    pub foreign: BTreeMap<String, ObjectId>,
    /// The `FETCH_HEAD` files of that time that do not count as evidence.
    pub spent: Vec<SpentFile>,
}

/// The state of a file at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpentFile {
    /// Size in bytes.
    pub length: usize,
    /// Modification time in nanoseconds since the epoch.
    pub written: u64,
    /// SHA-256 of its content.
    pub hash: Digest,
}

impl RemoteNote {
    /// Returns an empty note.
    pub fn new(remote: &str, url: &str) -> Self {
        Self {
            remote: remote.to_owned(),
            url: Digest::of(url.as_bytes()),
            there: BTreeMap::new(),
            pushed: BTreeMap::new(),
            foreign: BTreeMap::new(),
            spent: Vec::new(),
        }
    }
}

impl RemoteNotes {
    /// Parses a whole file. `None` if any line is malformed.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(bytes).ok()?.lines();
        if lines.next()? != VERSION {
            return None;
        }
        let mut notes: Vec<RemoteNote> = Vec::new();
        for line in lines {
            let mut fields = line.splitn(3, ' ');
            let (word, value, rest) = (fields.next()?, fields.next()?, fields.next()?);
            if word == "remote" {
                let url = Digest::parse_hex(value)?;
                notes.push(RemoteNote {
                    url,
                    ..RemoteNote::new(rest, "")
                });
                continue;
            }
            let note = notes.last_mut()?;
            match word {
                "there" => drop(note.there.insert(rest.to_owned(), ObjectId::parse(value)?)),
                "pushed" => drop(note.pushed.insert(rest.to_owned(), ObjectId::parse(value)?)),
                "foreign" => drop(note.foreign.insert(rest.to_owned(), ObjectId::parse(value)?)),
                "spent" => {
                    let (written, hash) = rest.split_once(' ')?;
                    note.spent.push(SpentFile {
                        length: value.parse().ok()?,
                        written: written.parse().ok()?,
                        hash: Digest::parse_hex(hash)?,
                    });
                }
                _ => return None,
            }
        }
        Some(Self { notes })
    }

    /// Returns the bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{VERSION}\n");
        for note in &self.notes {
            text.push_str(&format!("remote {} {}\n", note.url.hex(), note.remote));
            let lists = [
                ("there", &note.there),
                ("pushed", &note.pushed),
                ("foreign", &note.foreign),
            ];
            for (word, refs) in lists {
                for (name, id) in refs {
                    text.push_str(&format!("{word} {} {name}\n", id.hex()));
                }
            }
            for SpentFile { length, written, hash } in &note.spent {
                text.push_str(&format!("spent {length} {written} {}\n", hash.hex()));
            }
        }
        text.into_bytes()
    }

    /// Returns the note about a remote at one URL.
    pub fn get(&self, remote: &str, url: &str) -> Option<&RemoteNote> {
        let url = Digest::of(url.as_bytes());
        self.notes.iter().find(|note| note.remote == remote && note.url == url)
    }

    /// Returns all notes about a remote, the last used URL first.
    pub fn of<'a>(&'a self, remote: &'a str) -> impl Iterator<Item = &'a RemoteNote> {
        self.notes.iter().filter(move |note| note.remote == remote)
    }

    /// Puts a note first and removes an older one about the same remote and URL. Drops the notes about remotes for
    /// which `is_remote` returns false.
    pub fn put(&mut self, note: RemoteNote, is_remote: impl Fn(&str) -> bool) {
        let same = |other: &RemoteNote| other.remote == note.remote && other.url == note.url;
        self.notes.retain(|other| !same(other) && is_remote(&other.remote));
        self.notes.insert(0, note);
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        self.notes.retain(|note| {
            let count = seen.entry(note.remote.clone()).or_default();
            *count += 1;
            *count <= MAX_URLS
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> ObjectId {
        ObjectId::from_bytes(&[byte; 20]).unwrap()
    }

    #[test]
    fn notes_are_read_as_they_were_written_and_the_last_used_is_first() {
        let mut notes = RemoteNotes::default();
        let mut note = RemoteNote::new("corp/private x", "https://me:word@host/x");
        note.there.insert("refs/heads/main".into(), id(1));
        note.pushed.insert("refs/heads/a".into(), id(2));
        note.foreign.insert("refs/heads/b".into(), id(3));
        note.spent.push(SpentFile {
            length: 12,
            written: 34,
            hash: Digest::of(b"x"),
        });
        notes.put(note.clone(), |_| true);
        notes.put(RemoteNote::new("origin", "../x"), |_| true);
        let bytes = notes.to_bytes();
        assert!(!String::from_utf8_lossy(&bytes).contains("word"));
        assert_eq!(RemoteNotes::parse(&bytes), Some(notes.clone()));
        assert_eq!(notes.get("corp/private x", "https://me:word@host/x"), Some(&note));
        assert_eq!(notes.get("corp/private x", "https://host/x"), None);
        for n in 0..20 {
            notes.put(RemoteNote::new("origin", &n.to_string()), |name| name == "origin");
        }
        assert_eq!(notes.of("origin").count(), MAX_URLS);
        assert_eq!(notes.of("origin").next(), notes.get("origin", "19"));
        assert_eq!(notes.of("corp/private x").count(), 0);
    }

    #[test]
    fn a_damaged_file_says_nothing() {
        let good = format!("{VERSION}\nremote {} o\n", Digest::of(b"u").hex());
        assert!(RemoteNotes::parse(good.as_bytes()).is_some());
        for bad in [
            "",
            "x",
            &format!("{VERSION}\nthere 11 r\n"),
            &format!("{good}there 11 r\n"),
            &format!("{good}x y z\n"),
        ] {
            assert_eq!(RemoteNotes::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
