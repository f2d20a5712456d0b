//! Recognises model weights with a describing header: safetensors, GGUF and the formats before it.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::sample::Sample;

/// The longest header that the safetensors library reads, in bytes.
const HEADER: u64 = 100_000_000;

/// Returns whether this is a safetensors file: the length of a JSON object, that object, which describes the tensors,
/// and the tensors.
pub fn is_safetensors(sample: &Sample) -> bool {
    let Some(length) = sample.u64(0) else { return false };
    if !(2..=HEADER).contains(&length) || !sample.holds(8 + length) || sample.head.get(8) != Some(&b'{') {
        return false;
    }
    let rest = &sample.head[8..];
    let header = usize::try_from(length).ok().and_then(|length| rest.get(..length));
    let complete = header.is_some();
    let (found, whole) = Header::read(header.unwrap_or(rest));
    let nothing_follows = sample.size == 8 + length && sample.tail.is_some();
    match (complete, whole) {
        (true, Some(true)) | (false, Some(_)) if found.tensors > 0 => true,
        // Metadata may fill all that was read, as that of adapters does, and the tensors come after it.
        (false, Some(false)) => found.in_metadata,
        (_, Some(true)) => found.metadata && nothing_follows,
        _ => false,
    }
}

/// The entries of a header of safetensors, as far as it was read.
#[derive(Default)]
struct Header {
    tensors: usize,
    metadata: bool,
    in_metadata: bool,
}

impl Header {
    /// Reads the text of a header or of its start. The second value tells whether the text is a whole header; it is
    /// `None` if it is not even the start of one.
    fn read(text: &[u8]) -> (Self, Option<bool>) {
        let mut header = Self::default();
        let mut json = serde_json::Deserializer::from_slice(text);
        let read = json.deserialize_map(&mut header).and_then(|()| json.end());
        let whole = match read {
            Ok(()) => Some(true),
            Err(error) if error.is_eof() => Some(false),
            Err(_) => None,
        };
        (header, whole)
    }
}

impl<'de> Visitor<'de> for &mut Header {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a header of safetensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(name) = entries.next_key::<String>()? {
            if name == "__metadata__" {
                self.in_metadata = true;
                entries.next_value::<BTreeMap<String, IgnoredAny>>()?;
                self.in_metadata = false;
                self.metadata = true;
            } else if entries.next_value::<Tensor>()?.is_possible() {
                self.tensors += 1;
            } else {
                return Err(A::Error::custom("not a tensor"));
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tensor {
    dtype: String,
    #[serde(rename = "shape")]
    _shape: Vec<u64>,
    data_offsets: (u64, u64),
}

impl Tensor {
    fn is_possible(&self) -> bool {
        let (begin, end) = self.data_offsets;
        let in_type = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        begin <= end && !self.dtype.is_empty() && self.dtype.bytes().all(in_type)
    }
}

/// Returns whether this is a GGUF file of either byte order: it has a version from 1 to 3, possible counts, and a
/// plausible first key or tensor name. The formats before GGUF count too.
pub fn is_gguf(sample: &Sample) -> bool {
    gguf(sample).or_else(|| ggml(sample)) == Some(true)
}

/// Checks a file of ggml from before GGUF: its magic as a little-endian number, a version except for the oldest, and
/// the sizes of the model, all of them small numbers.
fn ggml(sample: &Sample) -> Option<bool> {
    /// Sizes of all models, such as those of the vocabulary, the context and a layer.
    const SIZES: usize = 5;
    let magic: [u8; 4] = sample.bytes(0)?;
    let version = sample.u32(4)?;
    let sizes = |at: usize, least: usize| -> Option<bool> {
        for index in 0..SIZES {
            let size = sample.u32(at + 4 * index)?;
            if size >= 1 << 24 || (index < least && size == 0) {
                return Some(false);
            }
        }
        Some(true)
    };
    match &magic {
        b"lmgg" => sizes(4, SIZES),
        // Others than llama.cpp count their versions from 100, and write fewer sizes.
        b"fmgg" => Some(matches!(version, 1 | 100 | 101) && sizes(8, 3)?),
        b"tjgg" => Some(matches!(version, 1..=3) && sizes(8, SIZES)?),
        // An adapter: its rank and scale, then dimensions and name length of the first tensor.
        b"algg" => Some(version == 1 && sizes(8, 4)? && matches!(sample.u32(16)?, 1..=4)),
        _ => None,
    }
}

fn gguf(sample: &Sample) -> Option<bool> {
    if !sample.head.starts_with(b"GGUF") {
        return None;
    }
    let (version, reversed) = match sample.u32(4)? {
        version @ 1..=3 => (version, false),
        version => (version.swap_bytes(), true),
    };
    let mut at = 8;
    let mut number = || {
        let number = if version == 1 {
            let number = sample.u32(at)?;
            at += 4;
            u64::from(if reversed { number.swap_bytes() } else { number })
        } else {
            let number = sample.u64(at)?;
            at += 8;
            if reversed { number.swap_bytes() } else { number }
        };
        Some(number)
    };
    if !(1..=3).contains(&version) {
        return Some(false);
    }
    let (tensors, keys) = (number()?, number()?);
    if tensors > 1 << 24 || keys > 1 << 24 {
        return Some(false);
    }
    if tensors == 0 && keys == 0 {
        return Some(sample.tail.is_some() && sample.size <= 64);
    }
    let length = usize::try_from(number()?).ok()?;
    let name = sample.head.get(at..at.checked_add(length)?)?;
    Some(!name.is_empty() && name.iter().all(|b| b.is_ascii_graphic()))
}
