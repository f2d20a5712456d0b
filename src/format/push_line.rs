//! The lines that git gives a pre-push hook (githooks(5)): local ref and object, remote ref and object.

use crate::format::digest::parse_hex;
use crate::format::object_id::ObjectId;

/// One ref to be pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushLine {
    /// The object to be pushed; none for a deletion.
    pub local: Option<ObjectId>,
    /// The ref on the remote, such as `refs/heads/main`.
    pub remote_ref: String,
    /// The object that the remote ref has now; none if there is no such ref yet.
    pub remote: Option<ObjectId>,
}

impl PushLine {
    /// Parses all of a hook's standard input; what is wrong with it, if it is not such lines.
    pub fn parse_all(stdin: &[u8]) -> Result<Vec<Self>, String> {
        stdin
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| {
                let wrong = || format!("cannot read the line {:?}", String::from_utf8_lossy(line));
                // Ref names have no spaces, but a revision such as `HEAD@{1 day ago}` may stand in the first field.
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

/// Parses an object id; all zeros mean none.
fn parse_id(text: &[u8]) -> Option<Option<ObjectId>> {
    let id = match text.len() {
        40 => ObjectId::from_bytes(&parse_hex::<20>(text)?),
        _ => ObjectId::from_bytes(&parse_hex::<32>(text)?),
    }?;
    Some(id.as_bytes().iter().any(|byte| *byte != 0).then_some(id))
}

#[cfg(test)]
mod tests {
    use super::*;

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
