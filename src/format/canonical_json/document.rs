//! Writes documents in canonical form, long lists item by item, and hashes and compares them on the way.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::format::canonical_json::{to_canonical, to_document};
use crate::format::digest::{Digest, Hashing};

/// A document in canonical form. A document that is mostly one list overrides `write` to write it item by item.
pub trait Document: Serialize + Sized {
    /// Writes the document as [`to_document`] returns it.
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&to_document(self))
    }

    /// Returns the SHA-256 and the size in bytes of the written document.
    fn hashed(&self) -> (Digest, u64) {
        let mut hashing = Hashing::new(io::sink());
        self.write(&mut hashing).expect("a sink takes everything");
        let (_, hash, bytes) = hashing.finish();
        (hash, bytes)
    }

    /// Returns whether `bytes` equal the written document, without writing a second copy to memory.
    fn is_written_as(&self, bytes: &[u8]) -> bool {
        let mut same = Same::of(bytes);
        self.write(&mut same).is_ok() && same.is_same()
    }
}

/// A writer that compares what is written with expected bytes.
pub struct Same<'a>(Option<&'a [u8]>);

impl<'a> Same<'a> {
    /// Returns a writer that expects these bytes.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self(Some(bytes))
    }

    /// Returns whether exactly the expected bytes were written.
    pub fn is_same(&self) -> bool {
        self.0.is_some_and(<[u8]>::is_empty)
    }
}

impl Write for Same<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0 = self.0.and_then(|rest| rest.strip_prefix(buf));
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the next item of a list.
pub fn write_item(out: &mut dyn Write, first: &mut bool, item: &impl Serialize) -> io::Result<()> {
    if !std::mem::replace(first, false) {
        out.write_all(b",")?;
    }
    out.write_all(&to_canonical(item))
}

/// Returns the bytes before and after the items of the list under `key`, in the canonical form of an object.
pub fn around_list(hull: &impl Serialize, key: &str) -> [Vec<u8>; 2] {
    let Ok(Value::Object(fields)) = serde_json::to_value(hull) else {
        unreachable!("only objects have keys");
    };
    let (mut before, mut behind) = (Map::new(), Map::new());
    for (name, value) in fields {
        match name.encode_utf16().cmp(key.encode_utf16()) {
            std::cmp::Ordering::Less => drop(before.insert(name, value)),
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => drop(behind.insert(name, value)),
        }
    }
    let mut head = to_canonical(&before);
    head.pop();
    if !before.is_empty() {
        head.push(b',');
    }
    head.extend(to_canonical(&key));
    head.extend(b":[");
    let mut tail = b"]".to_vec();
    if !behind.is_empty() {
        tail.push(b',');
    }
    tail.extend_from_slice(&to_canonical(&behind)[1..]);
    [head, tail]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::canonical_json::tests::json;
    use crate::format::canonical_json::{parse_listing, parse_strict};
    use proptest::prelude::*;

    /// Writes the document `hull`, with these items as the list under `key`. Ignores the value that `hull` has there.
    fn write_listing<T: Serialize>(
        out: &mut dyn Write,
        hull: &impl Serialize,
        key: &str,
        items: impl Iterator<Item = T>,
    ) -> io::Result<()> {
        let [before, behind] = around_list(hull, key);
        out.write_all(&before)?;
        let mut first = true;
        for item in items {
            write_item(out, &mut first, &item)?;
        }
        out.write_all(&behind)?;
        out.write_all(b"\n")
    }

    /// A document that consists of a list and the fields around it.
    #[derive(Serialize)]
    struct Listing(Map<String, Value>);

    impl Document for Listing {
        fn write(&self, out: &mut dyn Write) -> io::Result<()> {
            let mut hull = self.0.clone();
            hull.remove("m");
            let items = self.0["m"].as_array().unwrap().iter();
            write_listing(out, &hull, "m", items)
        }
    }

    #[test]
    fn a_list_stands_where_its_key_belongs() {
        for text in [
            r#"{"m":[]}"#,
            r#"{"m":[1,[2],{"b":1,"a":"\""}]}"#,
            r#"{"a":{"m":[]},"m":[1],"n":"\"m\":[]"}"#,
            r#"{"A":[],"l\"m":[],"m":[1,2],"n":{"m":[]},"é":null}"#,
        ] {
            let Value::Object(fields) = parse_strict(text.as_bytes()).unwrap() else {
                panic!("{text}")
            };
            let mut bytes = Vec::new();
            Listing(fields.clone()).write(&mut bytes).unwrap();
            assert_eq!(bytes, to_document(&fields), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_list_that_is_written_and_read_item_by_item_is_the_list(
            mut fields in prop::collection::btree_map("[lmn\"\\\\é😀]{0,3}", json(), 0..5),
            items in prop::collection::vec(json(), 0..5),
            at in any::<prop::sample::Index>(),
        ) {
            fields.insert("m".into(), items.clone().into());
            let whole: Map<String, Value> = fields.into_iter().collect();
            let bytes = to_document(&whole);
            let mut listed = Vec::new();
            Listing(whole.clone()).write(&mut listed).unwrap();
            prop_assert_eq!(&listed, &bytes);
            prop_assert!(Listing(whole.clone()).is_written_as(&bytes));
            let mut read = Vec::new();
            let mut hull = parse_listing(&bytes, "m", &mut |item| read.push(item)).unwrap();
            prop_assert_eq!(&hull["m"], &Value::Array(Vec::new()));
            prop_assert_eq!(&read, &items);
            hull["m"] = items.into();
            prop_assert_eq!(hull, Value::Object(whole.clone()));
            let mut other = bytes.clone();
            other[at.index(bytes.len())] ^= 1;
            for other in [&other, &bytes[..at.index(bytes.len())], &[&bytes[..], b"\n"].concat()] {
                prop_assert!(!Listing(whole.clone()).is_written_as(other));
            }
        }
    }
}
