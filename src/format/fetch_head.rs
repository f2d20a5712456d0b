//! `FETCH_HEAD`: git's record of what it fetched last, and from where.

use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::format::remote_notes::SpentFile;

/// An object that was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Id of the object.
    pub id: ObjectId,
    /// The URL as git records it: without its user, and without slashes and `.git` at its end.
    pub from: String,
}

/// A `FETCH_HEAD` file.
#[derive(Clone, Debug)]
pub struct FetchHead {
    /// Content of the file.
    pub bytes: Vec<u8>,
    /// Modification time in nanoseconds since the epoch.
    pub written: u64,
}

impl FetchHead {
    /// Returns the properties by which the file is recognised later.
    pub fn print(&self) -> SpentFile {
        SpentFile {
            length: self.bytes.len(),
            written: self.written,
            hash: Digest::of(&self.bytes),
        }
    }

    /// Returns the objects that its lines name, without lines that were already there when one of `spent` was recorded.
    /// Skips malformed lines.
    ///
    /// If git wrote the file anew, all of its lines count, even if the bytes are the same. If git only appended to it,
    /// only the new lines count.
    pub fn lines(&self, spent: &[SpentFile]) -> Vec<Fetched> {
        let is_old = |old: &&SpentFile| {
            let begin = self.bytes.get(..old.length);
            let is_longer = self.bytes.len() > old.length;
            (is_longer || self.written == old.written) && begin.is_some_and(|begin| Digest::of(begin) == old.hash)
        };
        let start = spent.iter().filter(is_old).map(|old| old.length).max();
        let lines = self.bytes[start.unwrap_or(0)..].split(|byte| *byte == b'\n');
        lines.filter_map(line).collect()
    }
}

/// Parses `<id> TAB [not-for-merge] TAB [<kind> '<name>' of ]<url>`.
fn line(line: &[u8]) -> Option<Fetched> {
    let mut fields = std::str::from_utf8(line).ok()?.splitn(3, '\t');
    let (id, _, note) = (fields.next()?, fields.next()?, fields.next()?);
    // A ref name cannot contain a space, so the first `' of ` ends the name.
    let from = note.split_once("' of ").map_or(note, |(_, url)| url);
    Some(Fetched {
        id: ObjectId::parse(id)?,
        from: from.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_what_was_contradicted_is_left_out() {
        let one = "1".repeat(40);
        let text = format!(
            "{one}\t\tbranch 'main' of ../x\n{one}\tnot-for-merge\ttag 'v1' of host:a/b\n{one}\t\t/srv/it's of y\nx\n"
        );
        let from = |bytes: &[u8], written, spent: &[SpentFile]| {
            let bytes = bytes.to_vec();
            let lines = FetchHead { bytes, written }.lines(spent).into_iter();
            lines.map(|fetched| fetched.from).collect::<Vec<_>>()
        };
        let old = text.as_bytes();
        assert_eq!(from(old, 1, &[]), ["../x", "host:a/b", "/srv/it's of y"]);
        let bytes = old.to_vec();
        let spent = [FetchHead { bytes, written: 1 }.print()];
        assert_eq!(from(old, 1, &spent), Vec::<String>::new());
        assert_eq!(from(old, 2, &spent).len(), 3, "fetched again");
        let appended = [old, format!("{one}\t\tbranch 'a' of ../z\n").as_bytes()].concat();
        assert_eq!(from(&appended, 2, &spent), ["../z"]);
        assert_eq!(from(&old[..old.len() - 2], 2, &spent).len(), 3);
    }
}
