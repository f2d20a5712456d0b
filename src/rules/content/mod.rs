//! Recognises what a blob is by its bytes, whatever its name is.

mod agents;
mod der;
mod embeddings;
mod encoded;
mod examination;
mod faiss;
mod flatbuffer;
mod formats;
mod graphs;
mod hdf5;
mod jwk;
mod keys;
mod marks;
mod models;
mod pem;
mod pickles;
mod place;
mod pointer;
pub use place::{Listener, Place};
pub use pointer::{age_at, claims_age};
mod protobuf;
mod sample;
mod sqlite;
mod tables;
mod tensors;
mod vectors;
mod watch;

use std::collections::BTreeMap;
use std::io::{self, Read};

use crate::format::derived::SignSearch;
use crate::format::layers::Bounds;
pub use crate::format::layers::{UnpackBudget, Unread};
use crate::format::protected::Format;
use examination::Examination;
pub use pointer::Pointer;
use sample::Sample;
use watch::Watch;

/// Size in bytes up to which a blob is read into memory whole.
const IN_MEMORY: u64 = 4 << 20;

/// Limits on examining a blob: 256 MiB of decompressed output over all layers; of archives, the first 64 MiB of each of
/// the first 100,000 members; 65 MiB of decoders' windows at a time.
pub const BOUNDS: Bounds = Bounds {
    member: 64 << 20,
    total: 256 << 20,
    members: 100_000,
    windows: 65 << 20,
};

/// Number of nested layers that are opened.
pub const DEPTH: usize = 3;

/// Version of the recognition. Increase it whenever something more or less is recognised, so that earlier verdicts are
/// not reused.
pub const VERSION: u32 = 7;

/// What was recognised in a blob.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recognised {
    /// The formats, each with the place where it was found first.
    pub formats: BTreeMap<Format, Place>,
    /// Where the age file begins that the bytes claim to be: at the start, or behind the header of a private file.
    pub age: Option<usize>,
    /// The Git LFS pointer that the bytes are, if any.
    pub pointer: Option<Pointer>,
    /// Reasons why not all of the blob was examined, each with the place where it occurred first.
    pub in_part: BTreeMap<Unread, Place>,
}

/// Options for examining a blob.
#[derive(Default)]
pub struct Look<'a> {
    /// The shared budget for unpacking, in addition to [`BOUNDS`].
    pub budget: Option<&'a UnpackBudget>,
    /// Receives all bytes that are read and unpacked.
    pub listener: Option<&'a mut dyn Listener>,
}

impl<'a> Look<'a> {
    /// Returns options that share a budget with other blobs.
    pub fn within(budget: &'a UnpackBudget) -> Self {
        Self {
            budget: Some(budget),
            listener: None,
        }
    }
}

/// Recognises what a blob is, and reads it to its end. `size` is its stated size, on which only speed depends.
///
/// Opens up to [`DEPTH`] layers, within [`BOUNDS`]. Holds at most 4 MiB of each content in memory, besides the windows
/// of decoders. The result tells what could not be read.
///
/// Fails only if `blob` does.
pub fn recognise(blob: &mut dyn Read, size: u64, look: Look<'_>) -> io::Result<Recognised> {
    let mut start = Vec::with_capacity(usize::try_from(size.min(IN_MEMORY) + 1).unwrap_or_default());
    blob.take(IN_MEMORY + 1).read_to_end(&mut start)?;
    if start.len() as u64 <= IN_MEMORY {
        return Ok(recognise_slice(&start, look));
    }
    recognise_stream(&start, blob, look)
}

/// Returns whether a blob with this start is a private file that is not sealed, as far as the start shows that.
pub fn begins_as_private_file(start: &[u8]) -> bool {
    agents::is_private_file(&Sample::of(start))
}

/// A reader that searches its bytes for private keys.
pub struct KeyWatch<'a, R> {
    inner: R,
    watch: Watch,
    listener: Option<&'a mut dyn Listener>,
}

impl<'a, R: Read> KeyWatch<'a, R> {
    /// Wraps a reader of a blob.
    pub fn new(inner: R, look: Look<'a>) -> Self {
        let mut listener = look.listener;
        if let Some(listener) = &mut listener {
            listener.begin(&Place::blob());
        }
        Self {
            inner,
            watch: Watch::default(),
            listener,
        }
    }

    /// Reads the rest, and returns whether the bytes contained a private key.
    pub fn finish(mut self) -> io::Result<bool> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match self.read(&mut buffer) {
                Ok(0) => {
                    if let Some(listener) = &mut self.listener {
                        listener.end(&Place::blob());
                    }
                    return Ok(self.watch.finish(true).contains(&Format::PrivateKey));
                }
                Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
                _ => {}
            }
        }
    }
}

impl<R: Read> Read for KeyWatch<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if let Some(listener) = &mut self.listener {
            listener.feed(&Place::blob(), &buffer[..read]);
        }
        self.watch.feed(&buffer[..read]);
        Ok(read)
    }
}

/// Like [`recognise`], for a blob in memory.
pub fn recognise_slice(blob: &[u8], look: Look<'_>) -> Recognised {
    recognise_derived(blob, &SignSearch::default(), look)
}

/// Returns whether a text holds a private key, plain or encoded.
pub fn holds_private_key(text: &[u8]) -> bool {
    recognise_slice(text, Look::default())
        .formats
        .contains_key(&Format::PrivateKey)
}

/// Like [`recognise_slice`], for a blob that may have been made of another one. `search` tells where signs of keys may be.
pub fn recognise_derived(blob: &[u8], search: &SignSearch<'_>, look: Look<'_>) -> Recognised {
    let examination = Examination::new(look);
    examination.blob(blob, search);
    Recognised {
        age: age_at(blob),
        pointer: pointer::lfs(blob),
        ..examination.finish()
    }
}

/// Like [`recognise`], for a blob that begins with `start` and continues with `rest`.
fn recognise_stream(start: &[u8], rest: &mut dyn Read, look: Look<'_>) -> io::Result<Recognised> {
    let examination = Examination::new(look);
    let pointer = examination.stream(start, rest)?;
    Ok(Recognised {
        age: age_at(start),
        pointer,
        ..examination.finish()
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::format::agent::HEADER;
    use crate::format::layers::Layer;
    use crate::format::path_bytes::bytes_of_path;

    /// Returns the files under `fixtures/content/<below>`.
    pub fn samples(below: &str) -> Vec<(String, Vec<u8>)> {
        fn files(directory: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    files(&path, found);
                } else {
                    found.push(path);
                }
            }
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/content");
        let mut found = Vec::new();
        files(&root.join(below), &mut found);
        found.sort();
        let name = |path: &Path| {
            let below = bytes_of_path(path.strip_prefix(&root).unwrap());
            String::from_utf8(below.into_owned()).unwrap()
        };
        found.iter().map(|path| (name(path), fs::read(path).unwrap())).collect()
    }

    pub fn sample(name: &str) -> Vec<u8> {
        fs::read(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("fixtures/content")
                .join(name),
        )
        .unwrap()
    }

    pub fn whole(bytes: &[u8]) -> Recognised {
        recognise_slice(bytes, Look::default())
    }

    pub fn formats(found: &Recognised) -> Vec<Format> {
        found.formats.keys().copied().collect()
    }

    #[test]
    fn samples_of_a_format_are_exactly_that() {
        for format in Format::ALL {
            let samples = samples(format.as_str());
            assert!(!samples.is_empty(), "{format:?} has no samples");
            for (name, bytes) in samples {
                let found = whole(&bytes);
                let mut expected = vec![format];
                expected.extend(name.contains("/numpy_").then_some(Format::Numpy));
                assert_eq!(formats(&found), expected, "{name}");
                assert_eq!(found.age.is_some(), name.ends_with("_line_then_plain"), "{name}");
                assert!(found.pointer.is_none() && found.in_part.is_empty(), "{name}");
            }
        }
    }

    #[test]
    fn near_misses_are_nothing() {
        for (name, bytes) in samples("none") {
            assert_eq!(whole(&bytes), Recognised::default(), "{name}");
        }
    }

    #[test]
    fn formats_are_found_in_layers() {
        let layers = samples("layers");
        assert!(layers.len() > 40);
        for (name, bytes) in layers {
            let mut parts = name.split('/').skip(1);
            let (layer, format) = (parts.next().unwrap(), parts.next().unwrap());
            let found = whole(&bytes);
            let formats: Vec<_> = found.formats.iter().collect();
            assert_eq!(formats.len(), 1, "{name}: {found:?}");
            assert_eq!(formats[0].0.as_str(), format, "{name}");
            let place = formats[0].1.to_string();
            // A stored zip member is also visible in the archive itself.
            let shows = place == "blob" && name.contains("stored");
            assert!(place.starts_with(layer) || shows, "{name}: {place}");
            // Damage, and content that only some readers read, is reported too.
            let odd = ["damage", "cut", "unknown", "encrypted", "lies"];
            let is_odd = odd.iter().any(|word| name.contains(word));
            assert_eq!(found.in_part.is_empty(), !is_odd, "{name}: {found:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_the_reason() {
        for (word, why) in [
            ("damaged", Unread::Damaged),
            ("encrypted", Unread::Encrypted),
            ("unsupported", Unread::Unsupported),
            ("depth", Unread::Depth),
        ] {
            let samples = samples(&format!("in-part/{word}"));
            assert!(!samples.is_empty());
            for (name, bytes) in samples {
                let found = whole(&bytes);
                assert_eq!(formats(&found), [], "{name}");
                assert_eq!(found.in_part.keys().collect::<Vec<_>>(), [&why], "{name}: {found:?}");
            }
        }
    }

    #[test]
    fn the_member_of_an_archive_is_named() {
        let archive = sample("layers/zip/faiss/deflated.zip");
        assert_eq!(
            whole(&archive).formats[&Format::Faiss],
            Place::blob().inside(Layer::Zip, Some("w/x.faiss"))
        );
    }

    #[test]
    fn what_claims_to_be_age_and_what_points_into_git_lfs_is_told() {
        for (name, bytes) in samples("age") {
            let expected = Recognised {
                age: Some(if name.contains("agent") { HEADER } else { 0 }),
                ..Recognised::default()
            };
            assert_eq!(whole(&bytes), expected, "{name}");
        }
        for (name, bytes) in samples("lfs") {
            let found = whole(&bytes);
            assert!(found.pointer.is_some(), "{name}");
            assert_eq!(formats(&found), [], "{name}");
        }
    }

    #[test]
    fn an_error_of_the_reader_is_returned_also_from_within_a_layer() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::TimedOut.into())
            }
        }
        for (name, bytes) in samples("layers").into_iter().chain(samples("faiss")) {
            let mut start = (&bytes[..bytes.len() / 2]).chain(Broken);
            assert_eq!(
                recognise(&mut start, 0, Look::default()).unwrap_err().kind(),
                io::ErrorKind::TimedOut,
                "{name}"
            );
            let (start, rest) = bytes.split_at(bytes.len() / 2);
            let error = recognise_stream(start, &mut rest.chain(Broken), Look::default()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{name}");
        }
    }

    fn gzip(bytes: &[u8], repeat: usize) -> Vec<u8> {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        for _ in 0..repeat {
            encoder.write_all(bytes).unwrap();
        }
        encoder.finish().unwrap()
    }

    /// Records what it receives, and checks the promised order of calls.
    #[derive(Default)]
    pub struct Recorder {
        open: Vec<(Place, Vec<u8>)>,
        pub heard: Vec<(String, Vec<u8>)>,
    }

    impl Listener for Recorder {
        fn begin(&mut self, place: &Place) {
            assert_eq!(place.depth(), self.open.len(), "{place}");
            if let Some((outer, _)) = self.open.last() {
                assert!(place.is_within(outer), "{place} in {outer}");
            }
            self.open.push((place.clone(), Vec::new()));
        }

        fn feed(&mut self, place: &Place, bytes: &[u8]) {
            let (known, heard) = &mut self.open[place.depth()];
            assert_eq!(known, place);
            heard.extend_from_slice(bytes);
        }

        fn end(&mut self, place: &Place) {
            let (known, heard) = self.open.pop().unwrap();
            assert_eq!(&known, place);
            self.heard.push((place.to_string(), heard));
        }
    }

    #[test]
    fn a_listener_hears_the_blob_and_what_is_inside_of_it() {
        let text = sample("gguf/v3");
        let packed = gzip(&text, 1);
        let expected = [("gzip".to_owned(), text), ("blob".to_owned(), packed.clone())];
        let heard = |examine: &dyn Fn(Look<'_>)| {
            let mut recorder = Recorder::default();
            examine(Look {
                listener: Some(&mut recorder),
                ..Look::default()
            });
            assert!(recorder.open.is_empty());
            recorder.heard
        };
        let whole = heard(&|look| drop(recognise_slice(&packed, look)));
        assert_eq!(whole, expected);
        let (start, rest) = packed.split_at(20);
        let streamed = heard(&|look| drop(recognise_stream(start, &mut &rest[..], look).unwrap()));
        assert_eq!(streamed, expected);
        let archive = sample("layers/zip/faiss/deflated.zip");
        let names: Vec<_> = heard(&|look| drop(recognise_slice(&archive, look)));
        let names: Vec<&str> = names.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(names.last(), Some(&"blob"));
        assert!(names.contains(&"zip member w/x.faiss"), "{names:?}");
    }

    #[test]
    fn what_unpacks_to_too_much_is_examined_up_to_the_bound() {
        let key = sample("private-key/pem_rsa");
        let zeros = vec![0; 1 << 20];
        for (megabytes, expected) in [(255, vec![Format::PrivateKey]), (257, vec![])] {
            let mut blob = gzip(&zeros, megabytes);
            blob.extend(gzip(&key, 1));
            assert_eq!(formats(&whole(&blob)), expected, "{megabytes}");
        }
    }

    #[test]
    fn a_table_that_goes_on_beyond_the_bound_is_known_by_its_start() {
        let table = sample("parquet/plain");
        let mut start = table;
        start.resize(1 << 20, 0);
        let cut_short = gzip(&start, 257);
        assert_eq!(formats(&whole(&cut_short)), [Format::Parquet]);
        assert_eq!(formats(&whole(&gzip(&start, 1))), []);
    }
}
