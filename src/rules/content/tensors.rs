//! Recognises model weights with a describing header: safetensors and GGUF.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

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
    match usize::try_from(length).ok().and_then(|length| rest.get(..length)) {
        Some(header) => describes_tensors(header, sample.size == 8 + length && sample.tail.is_some()),
        None => longest_object(rest).is_some_and(|header| describes_tensors(&header, false)),
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

fn describes_tensors(header: &[u8], nothing_follows: bool) -> bool {
    let Ok(mut entries) = serde_json::from_slice::<BTreeMap<String, Value>>(header) else {
        return false;
    };
    let metadata = entries.remove("__metadata__");
    if entries.is_empty() {
        return nothing_follows && metadata.is_some_and(|m| m.is_object());
    }
    entries.into_values().all(|entry| {
        serde_json::from_value(entry).is_ok_and(|tensor: Tensor| {
            let (begin, end) = tensor.data_offsets;
            begin <= end
                && !tensor.dtype.is_empty()
                && tensor
                    .dtype
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        })
    })
}

/// Returns a JSON object with the complete entries of `start`, which is the truncated text of an object.
fn longest_object(start: &[u8]) -> Option<Vec<u8>> {
    let last = start.windows(2).rposition(|pair| pair == b"},")?;
    Some([&start[..=last], b"}"].concat())
}

/// Returns whether this is a GGUF file of either byte order: it has a version from 1 to 3, possible counts, and a
/// plausible first key or tensor name.
pub fn is_gguf(sample: &Sample) -> bool {
    gguf(sample) == Some(true)
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
