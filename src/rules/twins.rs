//! Files and their sealed twins: which of the two changed since they last agreed, and which files tracked twins
//! protect.

use std::collections::BTreeMap;

use crate::format::config::FILE_NAME;
use crate::format::digest::Digest;
use crate::format::member_path::leads_to_dot_git;
use crate::format::repo_path::RepoPath;
use crate::format::twin::{SUFFIX, TwinNote};

/// The plaintexts that are protected because their sealed twins are tracked.
///
/// `git pack protect` promises this protection, with or without a rule that names the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealedTwins {
    /// Twins by the case-folded paths of their plaintexts: on a file system that ignores case, two spellings name the
    /// same file.
    by_plain: BTreeMap<Vec<u8>, RepoPath>,
}

impl SealedTwins {
    /// Adds the twin at `sealed`. Ignores a path that is not the name of a twin.
    pub fn add(&mut self, sealed: &RepoPath) {
        if let Some(plain) = plain_of(sealed.as_bytes()) {
            self.by_plain.entry(folded(plain)).or_insert_with(|| sealed.clone());
        }
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: &Self) {
        for (plain, sealed) in &other.by_plain {
            self.by_plain.entry(plain.clone()).or_insert_with(|| sealed.clone());
        }
    }

    /// Returns the twin of the plaintext at `path`.
    pub fn of(&self, path: &[u8]) -> Option<&RepoPath> {
        match self.by_plain.is_empty() {
            true => None,
            false => self.by_plain.get(&folded(path)),
        }
    }

    /// Returns whether there are no twins.
    pub fn is_empty(&self) -> bool {
        self.by_plain.is_empty()
    }

    /// Returns the twins, in the order of their plaintexts.
    pub fn iter(&self) -> impl Iterator<Item = &RepoPath> {
        self.by_plain.values()
    }
}

/// Why a file must have no sealed twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTwin {
    /// It is in git's own directory, or leads there. git refuses to track such a path, and so to check it out.
    GitsOwn,
    /// It tells git or git-pack what to do: whoever reads a commit must see it.
    ReadInPlaintext,
}

/// Returns why the file at a path must have no twin. Ignores case, as some file systems do.
pub fn no_twin(plain: &[u8]) -> Option<NoTwin> {
    const READ: [&[u8]; 4] = [b".gitignore", b".gitattributes", b".gitmodules", FILE_NAME.as_bytes()];
    let name = plain.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    match READ.iter().any(|read| name.eq_ignore_ascii_case(read)) {
        _ if leads_to_dot_git(plain) => Some(NoTwin::GitsOwn),
        true => Some(NoTwin::ReadInPlaintext),
        false => None,
    }
}

/// Returns the path of the plaintext of the twin at `sealed`. `None` if that is not the name of a twin.
pub fn plain_of(sealed: &[u8]) -> Option<&[u8]> {
    let (plain, suffix) = sealed.split_at_checked(sealed.len().checked_sub(SUFFIX.len())?)?;
    let named = !plain.is_empty() && !plain.ends_with(b"/");
    (named && suffix.eq_ignore_ascii_case(SUFFIX.as_bytes())).then_some(plain)
}

fn folded(path: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(path) {
        Ok(text) => text.to_lowercase().into_bytes(),
        Err(_) => path.to_ascii_lowercase(),
    }
}

/// The state of a file and its sealed twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The sealed twin holds the present plaintext.
    UpToDate,
    /// There is no plaintext.
    SealedOnly,
    /// There is no sealed twin.
    PlainOnly,
    /// The plaintext changed since they last agreed.
    PlainNewer,
    /// The sealed twin changed since they last agreed.
    SealedNewer,
    /// Both changed since they last agreed.
    BothChanged,
    /// This clone has not seen them agree.
    Unknown,
    /// A merge left the twin or the plaintext unmerged.
    Unmerged,
}

/// A side of a merge, in git's words. In a rebase, ours is the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeSide {
    /// What `HEAD` has.
    Ours,
    /// What is merged, picked, rebased or applied.
    Theirs,
}

/// Compares the present hashes with those in the note.
pub fn standing(plain: Option<&Digest>, sealed: Option<&Digest>, note: Option<&TwinNote>) -> Standing {
    let (plain, sealed) = match (plain, sealed) {
        (Some(plain), Some(sealed)) => (plain, sealed),
        (Some(_), None) => return Standing::PlainOnly,
        (None, _) => return Standing::SealedOnly,
    };
    let Some(note) = note else {
        return Standing::Unknown;
    };
    match (*plain == note.plain_hash, *sealed == note.sealed_hash) {
        (true, true) => Standing::UpToDate,
        (false, true) => Standing::PlainNewer,
        (true, false) => Standing::SealedNewer,
        (false, false) => Standing::BothChanged,
    }
}

/// What is wrong with a tracked twin, whatever its plaintext is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TwinFault {
    /// Its line ends were converted on disk.
    ConvertedOnDisk,
    /// Its line ends were converted in the index.
    ConvertedInIndex,
    /// The index has another twin than the disk.
    StagedDiffers,
    /// It has an attribute by which git may change it.
    Attribute(String),
    /// It is sealed for other recipients than the configuration names.
    OtherRecipients,
}

/// The name of the diff driver and of the merge driver, in attributes and in git's configuration.
pub const DRIVER: &str = "gitpack";

/// The beginning of the line of `.gitattributes` for twins. It keeps git from converting line ends in them.
const ATTRIBUTE_LINE: &str = "*.age -text";

/// Returns the line that `.gitattributes` needs for twins with these attributes. `None` if it needs no other.
///
/// It names the drivers only if `drivers` is true. A driver that somebody else has chosen for one of the twins stays, and so
/// does the choice of none, as by `binary`.
pub fn attribute_line(twins: &[&[(String, String)]], drivers: bool) -> Option<Vec<u8>> {
    let all = |name, wanted: &[&str]| twins.iter().all(|of_twin| wanted.contains(&value(of_twin, name)));
    let any = |name, wanted| twins.iter().any(|of_twin| value(of_twin, name) == wanted);
    let mut line = ATTRIBUTE_LINE.to_owned();
    let mut is_needed = twins.iter().any(|of_twin| may_be_text(of_twin));
    for name in ["diff", "merge"] {
        if drivers && all(name, &["unspecified", DRIVER]) {
            line.push_str(&format!(" {name}={DRIVER}"));
            is_needed |= any(name, "unspecified");
        }
    }
    is_needed.then(|| line.into_bytes())
}

/// Returns `text`, the content of `.gitattributes`, with `line` of [`attribute_line`] at its end, and without an earlier such
/// line. Keeps the line ends of the file.
pub fn with_attribute_line(text: &[u8], line: &[u8]) -> Vec<u8> {
    let others = text.split_inclusive(|byte| *byte == b'\n');
    let kept: Vec<&[u8]> = others.filter(|other| !is_attribute_line(other)).collect();
    with_line(kept.concat(), line)
}

/// Returns whether [`attribute_line`] could have made this line.
pub fn is_attribute_line(line: &[u8]) -> bool {
    let Some(rest) = line.trim_ascii().strip_prefix(ATTRIBUTE_LINE.as_bytes()) else {
        return false;
    };
    let (diff, merge) = (format!(" diff={DRIVER}"), format!(" merge={DRIVER}"));
    ["", &diff, &merge, &format!("{diff}{merge}")]
        .iter()
        .any(|ours| ours.as_bytes() == rest)
}

/// What a three-way merge makes of contents that are known by their digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreeWay {
    /// Our side.
    Ours,
    /// Their side.
    Theirs,
    /// Neither: all three differ, so their texts must be merged.
    Texts,
}

/// Compares both sides with each other and with their common ancestor, if there is one.
pub fn three_way(base: Option<&Digest>, ours: &Digest, theirs: &Digest) -> ThreeWay {
    match (base == Some(ours), base == Some(theirs)) {
        _ if ours == theirs => ThreeWay::Ours,
        (_, true) => ThreeWay::Ours,
        (true, false) => ThreeWay::Theirs,
        (false, false) => ThreeWay::Texts,
    }
}

/// Returns whether a text has the markers that git writes where both sides changed the same lines.
pub fn has_conflict_markers(text: &[u8]) -> bool {
    let mut expected = [&b"<<<<<<< "[..], b"=======", b">>>>>>> "].into_iter().peekable();
    for line in text.split(|byte| *byte == b'\n') {
        if expected.peek().is_some_and(|marker| line.starts_with(marker)) {
            expected.next();
        }
    }
    expected.peek().is_none()
}

/// Returns whether attributes let git convert the line ends of a file, here or in another clone.
pub fn may_be_text(attributes: &[(String, String)]) -> bool {
    match value(attributes, "text") {
        "unset" => false,
        "unspecified" => value(attributes, "crlf") != "unset",
        _ => true,
    }
}

/// Returns the attribute by which git may change ciphertext, as `.gitattributes` spells it. `None` if git changes nothing.
///
/// With `text=auto` or without attributes, git converts no file that it takes for binary, as ciphertext is.
pub fn changing_attribute(attributes: &[(String, String)]) -> Option<String> {
    let of = |name: &str| value(attributes, name).to_owned();
    let named = |name: &str, value: &str| match value {
        "set" => name.to_owned(),
        value => format!("{name}={value}"),
    };
    let is_text = |value: &str| matches!(value, "set" | "input");
    let (text, crlf, eol) = (of("text"), of("crlf"), of("eol"));
    match (text.as_str(), crlf.as_str(), eol.as_str()) {
        ("unset", _, _) => {}
        (text, _, _) if is_text(text) => return Some(named("text", text)),
        ("auto", _, _) | (_, "unset", _) => {}
        (_, crlf, _) if is_text(crlf) => return Some(named("crlf", crlf)),
        (_, _, eol @ ("lf" | "crlf")) => return Some(named("eol", eol)),
        _ => {}
    }
    let is_value = |value: &str| !matches!(value, "set" | "unset" | "unspecified");
    let changing = ["filter", "working-tree-encoding"].into_iter();
    let mut changing = changing.filter(|name| is_value(&of(name)));
    match changing.next() {
        Some(name) => Some(named(name, &of(name))),
        None if of("ident") == "set" => Some("ident".to_owned()),
        // git joins the lines of both sides, whatever they are.
        None => (of("merge") == "union").then(|| named("merge", "union")),
    }
}

fn value<'a>(attributes: &'a [(String, String)], name: &str) -> &'a str {
    let found = attributes.iter().find(|(other, _)| other == name);
    found.map_or("unspecified", |(_, value)| value)
}

/// Returns `text` with `line` at its end. Keeps the line ends of the file.
pub fn with_line(mut text: Vec<u8>, line: &[u8]) -> Vec<u8> {
    let newline: &[u8] = match text.windows(2).any(|pair| pair == b"\r\n") {
        true => b"\r\n",
        false => b"\n",
    };
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.extend_from_slice(newline);
    }
    text.extend_from_slice(line);
    text.extend_from_slice(newline);
    text
}

/// The line of the root's `.gitignore` that ignores run outputs.
pub const OUTPUTS_IGNORED: &[u8] = b"_PACK_RUN/";

/// Returns the line of the root's `.gitignore` that ignores exactly the file at `path` (gitignore(5)). `None` if the
/// path has a line end.
pub fn ignore_line(path: &[u8]) -> Option<Vec<u8>> {
    if path.contains(&b'\n') || path.contains(&b'\r') {
        return None;
    }
    let mut line = vec![b'/'];
    let trailing = path.len() - path.iter().rev().take_while(|byte| **byte == b' ').count();
    for (at, byte) in path.iter().enumerate() {
        if matches!(byte, b'\\' | b'*' | b'?' | b'[' | b']') || at >= trailing {
            line.push(b'\\');
        }
        line.push(*byte);
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(given: &str) -> Vec<(String, String)> {
        let pairs = given.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn the_side_that_moved_on_is_found() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let note = TwinNote {
            version: String::new(),
            plain_hash: a,
            sealed_hash: b,
            recipients: None,
        };
        for (plain, sealed, note, expected) in [
            (Some(&a), Some(&b), Some(&note), Standing::UpToDate),
            (Some(&b), Some(&b), Some(&note), Standing::PlainNewer),
            (Some(&a), Some(&a), Some(&note), Standing::SealedNewer),
            (Some(&b), Some(&a), Some(&note), Standing::BothChanged),
            (Some(&a), Some(&b), None, Standing::Unknown),
            (None, Some(&b), Some(&note), Standing::SealedOnly),
            (Some(&a), None, Some(&note), Standing::PlainOnly),
        ] {
            assert_eq!(standing(plain, sealed, note), expected);
        }
    }

    #[test]
    fn a_twin_protects_its_plaintext_in_any_case() {
        let mut twins = SealedTwins::default();
        for sealed in ["a/B.vec.age", "notes.txt.AGE", ".age", "a/.age", "plain"] {
            twins.add(&RepoPath::new(sealed.as_bytes()));
        }
        assert_eq!(twins.of(b"A/b.VEC").unwrap().as_bytes(), b"a/B.vec.age");
        assert!(twins.of(b"notes.txt").is_some());
        for path in [&b"B.vec"[..], b"a/B.vec.age", b"", b"a/", b"plain"] {
            assert!(twins.of(path).is_none(), "{path:?}");
        }
        assert_eq!(twins.iter().count(), 2);
    }

    #[test]
    fn attributes_by_which_git_changes_ciphertext_are_found() {
        for (given, text, changing) in [
            ("", true, None),
            ("text=set", true, Some("text")),
            ("text=auto", true, None),
            ("text=unset eol=crlf crlf=set", false, None),
            ("text=auto eol=crlf", true, None),
            ("text=unspecified eol=crlf", true, Some("eol=crlf")),
            ("crlf=set", true, Some("crlf")),
            ("crlf=input", true, Some("crlf=input")),
            ("crlf=unset eol=lf", false, None),
            ("text=unset filter=lfs", false, Some("filter=lfs")),
            ("text=unset filter=unset ident=unset", false, None),
            ("text=unset ident=set", false, Some("ident")),
            ("text=unset merge=union", false, Some("merge=union")),
            ("text=unset merge=gitpack", false, None),
            (
                "text=unset working-tree-encoding=UTF-16",
                false,
                Some("working-tree-encoding=UTF-16"),
            ),
        ] {
            let attributes = attributes(given);
            assert_eq!(may_be_text(&attributes), text, "{given}");
            assert_eq!(changing_attribute(&attributes).as_deref(), changing, "{given}");
        }
    }

    #[test]
    fn the_drivers_are_named_where_nobody_chose_others() {
        let line = |given: &[&str], drivers| {
            let twins: Vec<Vec<(String, String)>> = given.iter().map(|given| attributes(given)).collect();
            let twins: Vec<&[(String, String)]> = twins.iter().map(Vec::as_slice).collect();
            attribute_line(&twins, drivers).map(|line| String::from_utf8(line).unwrap())
        };
        let both = Some("*.age -text diff=gitpack merge=gitpack".to_owned());
        assert_eq!(line(&[""], true), both);
        assert_eq!(line(&["text=unset"], true), both);
        assert_eq!(line(&["text=unset diff=gitpack merge=gitpack"], true), None);
        assert_eq!(
            line(&["text=unset diff=gitpack merge=gitpack", "text=unset"], true),
            both
        );
        assert_eq!(line(&["text=set diff=gitpack merge=gitpack"], true), both);
        assert_eq!(line(&[""], false), Some("*.age -text".into()));
        assert_eq!(line(&["text=unset"], false), None);
        // `binary` stands for these three.
        assert_eq!(line(&["text=unset diff=unset merge=unset"], true), None);
        assert_eq!(
            line(&["text=unset diff=other"], true),
            Some("*.age -text merge=gitpack".into())
        );
        assert_eq!(line(&["diff=other merge=other"], true), Some("*.age -text".into()));
        for older in ["*.age -text", "*.age -text diff=gitpack", "*.age -text merge=gitpack"] {
            let text = format!("a\n{older}\nb\n");
            let new = with_attribute_line(text.as_bytes(), both.as_ref().unwrap().as_bytes());
            assert_eq!(new, b"a\nb\n*.age -text diff=gitpack merge=gitpack\n");
        }
    }

    #[test]
    fn a_change_of_one_side_is_taken_and_others_need_their_texts() {
        let (a, b, c) = (Digest::of(b"a"), Digest::of(b"b"), Digest::of(b"c"));
        for (base, ours, theirs, expected) in [
            (Some(&a), &b, &b, ThreeWay::Ours),
            (None, &b, &b, ThreeWay::Ours),
            (Some(&a), &b, &a, ThreeWay::Ours),
            (Some(&a), &a, &b, ThreeWay::Theirs),
            (Some(&a), &b, &c, ThreeWay::Texts),
            (None, &b, &c, ThreeWay::Texts),
        ] {
            assert_eq!(three_way(base, ours, theirs), expected);
        }
    }

    #[test]
    fn all_three_markers_make_a_conflict() {
        assert!(has_conflict_markers(
            b"a\n<<<<<<< ours\nb\n=======\nc\n>>>>>>> theirs\n"
        ));
        for text in ["", "=======\n", "<<<<<<< ours\n", "=======\n<<<<<<< a\n>>>>>>> b\n"] {
            assert!(!has_conflict_markers(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn ignored_names_mean_themselves() {
        assert_eq!(ignore_line(b"a/b.vec").unwrap(), b"/a/b.vec");
        assert_eq!(ignore_line(b"a*[x]\\? ").unwrap(), b"/a\\*\\[x\\]\\\\\\?\\ ");
        assert_eq!(ignore_line(b"a\nb"), None);
    }
}
