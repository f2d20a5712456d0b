//! Recognises the vector indexes of hnswlib.

use super::sample::Sample;

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
