//! Recognises the vector indexes of hnswlib, usearch and Annoy.

use super::sample::Sample;

/// Returns whether this is an index as hnswlib saves it. It has no magic, but many of its numbers follow from others.
/// Chroma saves the header in a file of its own, behind a version.
pub fn is_hnsw(sample: &Sample) -> bool {
    let is_header = sample.size == 4 + HNSW_HEADER && sample.u32(0) == Some(1);
    hnsw(sample) == Some(true) || is_header && header(&sample.after(4)).is_some()
}

/// Size of the header of an index of hnswlib.
const HNSW_HEADER: u64 = 96;

fn hnsw(sample: &Sample) -> Option<bool> {
    Some(sample.holds(header(sample)?.checked_add(HNSW_HEADER)?))
}

/// Checks the header: `offsetLevel0, max_elements, cur_element_count, size_data_per_element, label_offset, offsetData:
/// u64, maxlevel: i32, enterpoint_node: u32, maxM, maxM0, M: u64, mult: f64, ef_construction: u64`. Returns the size of
/// the elements.
fn header(sample: &Sample) -> Option<u64> {
    if sample.u64(0)? != 0 {
        return None;
    }
    let (room, count, stride) = (sample.u64(8)?, sample.u64(16)?, sample.u64(24)?);
    let (label_at, data_at) = (sample.u64(32)?, sample.u64(40)?);
    let (top, entry) = (sample.i32(48)?, sample.u32(52)?);
    let (links, links0, m) = (sample.u64(56)?, sample.u64(64)?, sample.u64(72)?);
    let multiplier = f64::from_le_bytes(sample.bytes(80)?);
    let breadth = sample.u64(88)?;
    if !(2..=1 << 20).contains(&m) || links != m || links0 != 2 * m || count > room {
        return None;
    }
    let expected = 1.0 / f64::from(u32::try_from(m).ok()?).ln();
    let entered = if count == 0 {
        top < 0
    } else {
        (0..64).contains(&top) && u64::from(entry) < count
    };
    let is_possible = data_at == links0 * 4 + 4
        && label_at > data_at
        && label_at.checked_add(8) == Some(stride)
        && (multiplier - expected).abs() < 1e-9
        && breadth < 1 << 32
        && entered;
    is_possible.then(|| count.checked_mul(stride)).flatten()
}

/// Returns whether this is an index of usearch: its header begins with a magic, a version and letters of the metric and
/// the types, at the start or behind the matrix of vectors.
pub fn is_usearch(sample: &Sample) -> bool {
    [sample.head, sample.far].iter().any(|header| {
        let rest = header
            .strip_prefix(b"usearch")
            .and_then(|rest| rest.split_first_chunk::<10>());
        rest.is_some_and(|(kinds, rest)| kinds[1] == 0 && kinds[3] == 0 && kinds[0] > 0 && rest.len() >= 8)
    })
}

/// Returns whether this is an index of Annoy, for any metric but Hamming's: nodes of one size, of which the first ones
/// are vectors. It has no magic, but a vector comes with its norm or with zeros that nothing else has.
pub fn is_annoy(sample: &Sample) -> bool {
    sample.u32(0) == Some(1)
        && sample.tail.is_some()
        && (is_angular(sample) == Some(true) || is_split(sample) == Some(true))
}

/// Fewest nodes by which an index without norms is recognised, if it has as many.
const NODES: usize = 4;

/// Checks nodes for the angular metric: `descendants: 1, norm: f32, 0, vector`.
fn is_angular(sample: &Sample) -> Option<bool> {
    const HEADER: usize = 12;
    let norm_at = |at: usize| {
        let is_vector = sample.u32(at)? == 1 && sample.u32(at + 8)? == 0;
        let norm = f64::from(sample.f32(at + 4)?);
        (is_vector && norm > 0.0 && norm.is_finite()).then_some(norm)
    };
    let expected = norm_at(0)?;
    let mut norm = 0.0;
    let mut at = HEADER;
    loop {
        if at > HEADER && (norm - expected).abs() <= expected * 1e-3 && norm_at(at).is_some() {
            break;
        }
        let value = f64::from(sample.f32(at)?);
        norm += value * value;
        if !value.is_finite() || norm > expected * 1.01 {
            return Some(false);
        }
        at += 4;
    }
    let second = norm_at(at)?;
    let norm: f64 = (at + HEADER..2 * at)
        .step_by(4)
        .map(|at| sample.f32(at).map(|value| f64::from(value).powi(2)))
        .sum::<Option<f64>>()?;
    Some((norm - second).abs() <= second * 1e-3 && sample.size.is_multiple_of(at as u64))
}

/// Checks nodes for the other metrics: `descendants: 1, 0, 0, factor: f32, vector`, of which the factor is zero except
/// with the dot product.
fn is_split(sample: &Sample) -> Option<bool> {
    const HEADER: usize = 16;
    let begins = |at: usize| {
        let zeros = sample.u32(at + 4)? == 0 && sample.u32(at + 8)? == 0;
        let factor = sample.f32(at + 12)?;
        (sample.u32(at)? == 1 && zeros && (factor == 0.0 || plausible(factor))).then_some(factor)
    };
    begins(0)?;
    let stride = (HEADER + 4..sample.head.len().min(sample.head.len() / NODES + HEADER))
        .step_by(4)
        .find(|&at| begins(at).is_some())?;
    if !sample.size.is_multiple_of(stride as u64) {
        return Some(false);
    }
    let mut first = None;
    for node in 0..NODES {
        let at = node * stride;
        let factor = f64::from(begins(at)?);
        let mut norm = 0.0;
        for at in (at + HEADER..at + stride).step_by(4) {
            let value = sample.f32(at)?;
            if value != 0.0 && !plausible(value) {
                return Some(false);
            }
            norm += f64::from(value).powi(2);
        }
        // The factor completes every vector to the same length.
        let length = norm + factor * factor;
        let longest = *first.get_or_insert(length);
        if norm == 0.0 || factor != 0.0 && (length - longest).abs() > longest * 1e-3 {
            return Some(false);
        }
    }
    Some(true)
}

/// Returns whether a number is one that vectors have, and not another number read as one.
fn plausible(value: f32) -> bool {
    (1e-12..1e12).contains(&value.abs())
}
