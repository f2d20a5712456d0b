//! Recognises vector indexes: faiss and hnswlib.

use super::sample::Sample;

/// The value that faiss writes into two unused fields of an index header.
const DUMMY: u64 = 1 << 20;

/// The largest plausible dimension.
const DIMENSIONS: u32 = 1 << 24;

/// Returns whether this is a faiss index, or a vector transform of faiss.
pub fn is_faiss(sample: &Sample) -> bool {
    match sample.head.first_chunk() {
        Some([b'I', b'B', a, b]) if named(*a, *b) => binary_index(sample) == Some(true),
        // A lattice index has four additional numbers before the header.
        Some(b"IxLa") => index(sample, 20) == Some(true),
        Some([b'I', a, b, c]) if a.is_ascii_alphanumeric() && named(*b, *c) => index(sample, 4) == Some(true),
        Some(b"rrot" | b"LTra") => linear_transform(sample, 4) == Some(true),
        Some(b"Pcam" | b"PcAm") => pca(sample) == Some(true),
        _ => false,
    }
}

fn named(a: u8, b: u8) -> bool {
    a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric()
}

/// Checks an index header: `d: i32, ntotal: i64, dummy: i64, dummy: i64, is_trained: bool, metric_type: i32`.
fn index(sample: &Sample, at: usize) -> Option<bool> {
    let dimensions = sample.u32(at)?;
    let [trained] = sample.bytes(at + 28)?;
    Some(
        dimensions <= DIMENSIONS
            && sample.u64(at + 4)? < 1 << 48
            && sample.u64(at + 12)? == DUMMY
            && sample.u64(at + 20)? == DUMMY
            && trained <= 1
            && sample.u32(at + 29)? < 256,
    )
}

/// Checks a binary index header: `d: i32, code_size: i32, ntotal: i64, is_trained: bool, metric_type: i32`.
fn binary_index(sample: &Sample) -> Option<bool> {
    let dimensions = sample.u32(4)?;
    let [trained] = sample.bytes(20)?;
    Some(
        dimensions > 0
            && dimensions <= DIMENSIONS
            && dimensions.is_multiple_of(8)
            && sample.u32(8)? == dimensions / 8
            && sample.u64(12)? < 1 << 48
            && trained <= 1
            && sample.u32(21)? < 256,
    )
}

/// Checks a linear transform: `have_bias: bool, A: [f32], b: [f32], d_in: i32, d_out: i32, is_trained: bool`, with a
/// length before each array, and nothing after it.
///
/// Values that lie beyond the sample are taken to be those that follow from its end.
fn linear_transform(sample: &Sample, at: usize) -> Option<bool> {
    let [.., a, b, c, d, e, f, g, h, trained] = sample.tail? else {
        return None;
    };
    let d_in = u32::from_le_bytes([*a, *b, *c, *d]);
    let d_out = u32::from_le_bytes([*e, *f, *g, *h]);
    if !(1..=DIMENSIONS).contains(&d_in) || !(1..=DIMENSIONS).contains(&d_out) || *trained > 1 {
        return Some(false);
    }
    let full = u64::from(d_in) * u64::from(d_out);
    let [bias] = sample.bytes(at).unwrap_or_default();
    let matrix = sample.u64(at.checked_add(1)?).unwrap_or(full);
    let rest = sample.size.checked_sub(at as u64)?.checked_sub(26)?;
    let added = rest.checked_sub(matrix.checked_mul(4)?)?;
    Some(
        bias <= 1
            && (matrix == full || (matrix == 0 && *trained == 0))
            && (added == 0 || added == 4 * u64::from(d_out)),
    )
}

/// Checks a PCA transform: `eigen_power: f32, epsilon: f32, random_rotation: bool, balanced_bins: i32`, three arrays,
/// and a linear transform.
fn pca(sample: &Sample) -> Option<bool> {
    let mut at: usize = if sample.head.starts_with(b"Pcam") {
        4 + 4 + 4 + 1 + 4
    } else {
        4 + 4 + 1 + 4
    };
    for _ in 0..3 {
        let length = usize::try_from(sample.u64(at)?).ok()?;
        at = at.checked_add(8)?.checked_add(length.checked_mul(4)?)?;
    }
    linear_transform(sample, at)
}

/// Returns whether this is an index as hnswlib saves it. It has no magic, but many of its numbers follow from others.
pub fn is_hnsw(sample: &Sample) -> bool {
    hnsw(sample) == Some(true)
}

/// Checks the header: `offsetLevel0, max_elements, cur_element_count, size_data_per_element, label_offset, offsetData:
/// u64, maxlevel: i32, enterpoint_node: u32, maxM, maxM0, M: u64, mult: f64, ef_construction: u64`.
fn hnsw(sample: &Sample) -> Option<bool> {
    const HEADER: u64 = 96;
    if sample.u64(0)? != 0 {
        return Some(false);
    }
    let (room, count, stride) = (sample.u64(8)?, sample.u64(16)?, sample.u64(24)?);
    let (label_at, data_at) = (sample.u64(32)?, sample.u64(40)?);
    let (top, entry) = (sample.i32(48)?, sample.u32(52)?);
    let (links, links0, m) = (sample.u64(56)?, sample.u64(64)?, sample.u64(72)?);
    let multiplier = f64::from_le_bytes(sample.bytes(80)?);
    let breadth = sample.u64(88)?;
    if !(2..=1 << 20).contains(&m) || links != m || links0 != 2 * m || count > room {
        return Some(false);
    }
    let expected = 1.0 / f64::from(u32::try_from(m).ok()?).ln();
    let entered = if count == 0 {
        top < 0
    } else {
        (0..64).contains(&top) && u64::from(entry) < count
    };
    Some(
        data_at == links0 * 4 + 4
            && label_at > data_at
            && label_at.checked_add(8) == Some(stride)
            && (multiplier - expected).abs() < 1e-9
            && breadth < 1 << 32
            && entered
            && sample.holds(count.checked_mul(stride)?.checked_add(HEADER)?),
    )
}
