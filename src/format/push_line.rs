//! The lines about refs that git passes to hooks (githooks(5)).

use crate::format::object_id::ObjectId;

/// A ref to be pushed, as pre-push hooks get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushLine {
    /// The object to be pushed. `None` for a deletion.
    pub local: Option<ObjectId>,
    /// Full name of the ref at the remote, such as `refs/heads/main`.
    pub remote_ref: String,
    /// The object that the remote ref points to now. `None` if the ref does not exist yet.
    pub remote: Option<ObjectId>,
}

impl PushLine {
    /// Parses the whole standard input of a pre-push hook.
    pub fn parse_all(stdin: &[u8]) -> Result<Vec<Self>, String> {
        stdin
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| {
                let wrong = || wrong(line);
                // Ref names have no spaces, but the first field may be a revision such as `HEAD@{1 day ago}`.
                let mut fields = line.rsplitn(4, |byte| *byte == b' ');
                let remote = fields.next().ok_or_else(wrong)?;
                let remote_ref = fields.next().ok_or_else(wrong)?;
                let local = fields.next().ok_or_else(wrong)?;
                fields.next().ok_or_else(wrong)?;
                Ok(Self {
                    remote_ref: String::from_utf8_lossy(remote_ref).into_owned(),
                    local: parse_id(local).ok_or_else(wrong)?,
                    remote: parse_id(remote).ok_or_else(wrong)?,
                })
            })
            .collect()
    }
}

/// A ref that is about to change, as pre-receive and reference-transaction hooks get it: `<old> <new> <ref>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefLine {
    /// The object it points to now. `None` if the ref does not exist, or its value is not known.
    pub old: Option<ObjectId>,
    /// The object it will point to. `None` for a deletion.
    pub new: Option<ObjectId>,
    /// Full name of the ref.
    pub name: String,
}

impl RefLine {
    /// Parses the whole standard input of such a hook. Skips symbolic refs, whose value begins with `ref:`.
    pub fn parse_all(stdin: &[u8]) -> Result<Vec<Self>, String> {
        let lines = stdin.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines
            .filter_map(|line| {
                let mut fields = line.splitn(3, |byte| *byte == b' ');
                let (Some(old), Some(new), Some(name)) = (fields.next(), fields.next(), fields.next()) else {
                    return Some(Err(wrong(line)));
                };
                if old.starts_with(b"ref:") || new.starts_with(b"ref:") {
                    return None;
                }
                let (Some(old), Some(new)) = (parse_id(old), parse_id(new)) else {
                    return Some(Err(wrong(line)));
                };
                let name = String::from_utf8_lossy(name).into_owned();
                Some(Ok(Self { old, new, name }))
            })
            .collect()
    }
}

fn wrong(line: &[u8]) -> String {
    format!("cannot read the line {:?}", String::from_utf8_lossy(line))
}

/// Parses an object id. All zeros give `Some(None)`, a malformed id `None`.
fn parse_id(text: &[u8]) -> Option<Option<ObjectId>> {
    let id = ObjectId::parse(std::str::from_utf8(text).ok()?)?;
    Some(id.as_bytes().iter().any(|byte| *byte != 0).then_some(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_about_refs_are_read() {
        let (one, zero) = ("1".repeat(40), "0".repeat(40));
        let text = format!("{zero} {one} refs/heads/a\nref:refs/heads/x {one} HEAD\n{one} {zero} refs/tags/b\n");
        let id = ObjectId::from_bytes(&[0x11; 20]);
        let lines = RefLine::parse_all(text.as_bytes()).unwrap();
        let read: Vec<_> = lines
            .iter()
            .map(|line| (line.old, line.new, line.name.as_str()))
            .collect();
        assert_eq!(read, [(None, id, "refs/heads/a"), (id, None, "refs/tags/b")]);
        for wrong in ["x", "a b c", &format!("{one} {one}")] {
            assert!(RefLine::parse_all(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lines_are_read_whole_or_not_at_all() {
        let (one, zero) = ("1".repeat(40), "0".repeat(40));
        let text = format!("HEAD@{{1 day ago}} {one} refs/heads/a {zero}\n(delete) {zero} refs/heads/b {one}\n");
        let id = ObjectId::from_bytes(&[0x11; 20]);
        let line = |local, remote_ref: &str, remote| PushLine {
            local,
            remote_ref: remote_ref.into(),
            remote,
        };
        assert_eq!(
            PushLine::parse_all(text.as_bytes()).unwrap(),
            [line(id, "refs/heads/a", None), line(None, "refs/heads/b", id)]
        );
        let wide = format!("a {} b {}", "2".repeat(64), "0".repeat(64));
        assert_eq!(
            PushLine::parse_all(wide.as_bytes()).unwrap()[0].local,
            ObjectId::from_bytes(&[0x22; 32])
        );
        assert_eq!(PushLine::parse_all(b""), Ok(vec![]));
        for wrong in ["x", "a b c d", &format!("a {one} b"), &format!("a {one} b {one}0")] {
            assert!(PushLine::parse_all(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
