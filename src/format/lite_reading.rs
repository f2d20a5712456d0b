//! Reading a manifest of contents entry by entry.

use std::io;

use crate::format::canonical_json::{Document, Listing, ListingError, parse_strict_into, to_canonical};
use crate::format::lite::{ManifestEntry, PackManifest};

impl PackManifest {
    /// Reads a document without its entries.
    pub fn read_hull(from: &mut dyn io::Read) -> io::Result<Result<Self, String>> {
        let read = Listing::begin(from, "entries").and_then(Listing::finish);
        match read {
            Ok((hull, _)) => Ok(parse_strict_into(&hull).map_err(|e| e.to_string())),
            Err(ListingError::Json(why)) => Ok(Err(why.to_string())),
            Err(ListingError::Io(e)) => Err(e),
        }
    }

    /// Reads a document entry by entry, and passes each to `each`. Returns it without its entries. `None` if it is not in
    /// canonical form.
    pub fn read_each(from: &mut dyn io::Read, each: &mut dyn FnMut(&ManifestEntry)) -> io::Result<Option<Self>> {
        match Self::try_each(from, each) {
            Ok(hull) => Ok(hull),
            Err(ListingError::Json(_)) => Ok(None),
            Err(ListingError::Io(e)) => Err(e),
        }
    }

    fn try_each(from: &mut dyn io::Read, each: &mut dyn FnMut(&ManifestEntry)) -> Result<Option<Self>, ListingError> {
        let mut listing = Listing::begin(from, "entries")?;
        while let Some(text) = listing.next_item()? {
            match parse_strict_into::<ManifestEntry>(text) {
                Ok(entry) if to_canonical(&entry) == text => each(&entry),
                _ => return Ok(None),
            }
        }
        let (hull, tight) = listing.finish()?;
        let read: Self = parse_strict_into(&hull).map_err(ListingError::Json)?;
        let is_canonical = tight && read.entries.is_empty() && read.is_written_as(&hull);
        Ok(is_canonical.then_some(read))
    }
}

#[cfg(test)]
mod tests {
    use crate::format::canonical_json::to_document;
    use crate::format::digest::Digest;
    use crate::format::dump::layout::Layout;
    use crate::format::lite::{Kind, ManifestEntry, PackManifest};
    use crate::format::run_record::CommitRef;

    #[test]
    fn a_manifest_is_read_entry_by_entry_only_in_canonical_form() {
        let entry = |path: &&str| ManifestEntry::new(*path, Digest::of(path.as_bytes()), 1, Kind::File);
        let commit = CommitRef {
            commit: "c".into(),
            tree: "t".into(),
        };
        let layout = Layout {
            prefix: String::new(),
            buckets: Vec::new(),
            anchors: Vec::new(),
            max_tokens: None,
        };
        let entries = ["a/x", "b/y.rs", "top"].iter().map(entry).collect();
        let made = PackManifest::new("repo", commit, &layout, entries);
        let read = |bytes: &[u8]| {
            let mut entries = Vec::new();
            let hull = PackManifest::read_each(&mut &bytes[..], &mut |entry| entries.push(entry.clone())).unwrap();
            hull.map(|hull| PackManifest { entries, ..hull })
        };
        let bytes = to_document(&made);
        assert_eq!(read(&bytes), Some(made));
        let text = String::from_utf8(bytes).unwrap();
        for (from, to) in [("},{", "}, {"), ("\"scope\"", " \"scope\""), ("\n", ""), ("]", "")] {
            let other = text.replacen(from, to, 1);
            assert_ne!(other, text, "{from}");
            assert_eq!(read(other.as_bytes()), None, "{from}");
        }
    }
}
