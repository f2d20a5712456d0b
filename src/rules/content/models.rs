//! Recognises models that begin with a magic: TensorFlow Lite, ONNX Runtime, TensorRT, the weights of Core ML, and
//! checkpoints of TensorFlow.

use super::flatbuffer::Flatbuffer;
use super::graphs;
use super::sample::{HEAD, Sample};

/// Returns whether this is a TensorFlow Lite model: a flatbuffer with its identifier and the version 3.
pub fn is_tflite(sample: &Sample) -> bool {
    root(sample, b"TFL3").and_then(|version| sample.u32(version)) == Some(3)
}

/// Returns whether this is an ONNX model with weights, or a model of ONNX Runtime, which has a version as text.
pub fn is_onnx(sample: &Sample) -> bool {
    let has_version = |at: usize| {
        let text = at.checked_add(usize::try_from(sample.u32(at)?).ok()?)?;
        let digit: [u8; 1] = sample.bytes(text.checked_add(4)?)?;
        Some(matches!(sample.u32(text), Some(1..=8)) && digit[0].is_ascii_digit())
    };
    graphs::is_onnx(sample) || root(sample, b"ORTM").and_then(has_version) == Some(true)
}

/// Returns the place of the first field of the root table, if this is a flatbuffer with this identifier.
fn root(sample: &Sample, identifier: &[u8; 4]) -> Option<usize> {
    let buffer = Flatbuffer {
        sample,
        start: 8,
        end: sample.head.len(),
    };
    let is_it = sample.bytes(4) == Some(*identifier);
    is_it.then(|| buffer.field(buffer.table(0)?, 0)).flatten()
}

/// Returns whether this is a TensorRT engine, also behind the metadata that Ultralytics puts before one: the magic, a
/// small version, and the parts that every engine has.
pub fn is_tensorrt(sample: &Sample) -> bool {
    /// Bytes up to the version of the library.
    const HEADER: u64 = 28;
    let engine = |at: usize| {
        sample.bytes(at) == Some(*b"ftrt")
            && sample.u32(at + 4).is_some_and(|version| version < 1 << 8)
            && sample.holds(at as u64 + HEADER)
    };
    let behind = match sample.u32(0).map(usize::try_from) {
        Some(Ok(length)) if length < HEAD && sample.head.get(4) == Some(&b'{') => 4 + length,
        _ => 0,
    };
    engine(behind)
}

/// Returns whether this is a Core ML model, or the file with the weights of one: a count, the version 2, and a first
/// entry after padding.
pub fn is_coreml(sample: &Sample) -> bool {
    const ENTRY: [u8; 4] = 0xdead_beef_u32.to_le_bytes();
    let has_entry = sample.bytes(64) == Some(ENTRY) && sample.bytes(8) == Some([0; 56]);
    let is_file = matches!((sample.u32(0), sample.u32(4)), (Some(1..), Some(1 | 2)));
    has_entry && is_file || graphs::is_coreml(sample)
}

/// Returns whether this is a checkpoint of TensorFlow or its index, or a frozen graph. A checkpoint is a table like
/// those of LevelDB; but its first key is empty, which no key of LevelDB is, and leads to a header.
pub fn is_tensorflow(sample: &Sample) -> bool {
    const TABLE: [u8; 8] = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];
    let Some([0, 0, length, header @ ..]) = sample.head.first_chunk::<8>() else {
        return graphs::is_frozen_graph(sample);
    };
    // The number of files comes first, or else, in the first version, the list of tensors.
    match sample.tail {
        Some(tail) => tail.ends_with(&TABLE) && *length > 0 && matches!(header, [0x08 | 0x0a, ..]),
        None => matches!(header, [0x08, _, 0x1a, 0x02, 0x08]),
    }
}
