//! Recognises what faiss writes: indexes, vector transforms, inverted lists and product quantizers.

use super::sample::Sample;

/// The value that faiss writes into two unused fields of an index header.
const DUMMY: u64 = 1 << 20;

/// The largest plausible dimension.
const DIMENSIONS: u32 = 1 << 24;

/// The largest plausible number of vectors, lists or bytes.
const COUNT: u64 = 1 << 48;

/// Bytes that end every vector transform: `d_in: i32, d_out: i32, is_trained: bool`.
const END: u64 = 9;

/// Returns whether this is a file of faiss: an index, a vector transform, inverted lists or a product quantizer.
pub fn is_faiss(sample: &Sample) -> bool {
    let recognised = match sample.head.first_chunk() {
        Some([b'I', b'B', a, b]) if named(*a, *b) => binary_index(sample),
        // A lattice index has four additional numbers before the header.
        Some(b"IxLa") => index(sample, 20),
        Some(b"IxFP" | b"IxFp") => panorama(sample),
        Some([b'I', a, b, c]) if a.is_ascii_alphanumeric() && named(*b, *c) => index(sample, 4),
        Some([b'N', b'P', b'L' | b'R', b'f']) => index(sample, 4),
        Some([b'i', b'l', ..]) => inverted_lists(sample),
        Some(_) => transform(sample).or_else(|| product_quantizer(sample)),
        None => None,
    };
    recognised == Some(true)
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
            && sample.u64(at + 4)? < COUNT
            && sample.u64(at + 12)? == DUMMY
            && sample.u64(at + 20)? == DUMMY
            && trained <= 1
            && sample.u32(at + 29)? < 256,
    )
}

/// Checks the header of a flat Panorama index: `d: i32, n_levels: u64, batch_size: u64, ntotal: i64, is_trained: bool`,
/// and the length of its codes, which fill whole batches.
fn panorama(sample: &Sample) -> Option<bool> {
    let dimensions = sample.u32(4)?;
    let (levels, batch, count) = (sample.u64(8)?, sample.u64(16)?, sample.u64(24)?);
    let [trained] = sample.bytes(32)?;
    if !(1..=DIMENSIONS).contains(&dimensions) || !(1..=1 << 24).contains(&batch) || count >= COUNT {
        return Some(false);
    }
    let codes = count
        .div_ceil(batch)
        .checked_mul(batch)?
        .checked_mul(4 * u64::from(dimensions))?;
    Some((1..=u64::from(dimensions)).contains(&levels) && trained <= 1 && sample.u64(33)? == codes)
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
            && sample.u64(12)? < COUNT
            && trained <= 1
            && sample.u32(21)? < 256,
    )
}

/// Checks inverted lists: in memory (`ilar`, `ilp2`, `ilpn`), on disk (`ilod`) or in blocks (`ilbl`). All begin with
/// `nlist: u64, code_size: u64`.
fn inverted_lists(sample: &Sample) -> Option<bool> {
    let kind: [u8; 4] = sample.bytes(0)?;
    let (lists, code) = (sample.u64(4)?, sample.u64(12)?);
    // Blocks have no size of their own for one vector.
    let sized = (1..1 << 32).contains(&code) || (kind == *b"ilbl" && code == u64::MAX);
    if !(1..COUNT).contains(&lists) || !sized {
        return Some(false);
    }
    match &kind {
        b"ilar" => list_sizes(sample, 20, lists),
        b"ilpn" => Some(sample.u64(20)? > 0 && list_sizes(sample, 28, lists)?),
        b"ilp2" => Some(sample.u64(20)? > 0 && sample.u64(28)? > 0 && list_sizes(sample, 36, lists)?),
        // Size, capacity and offset of each list; the vectors are in a file of their own.
        b"ilod" => Some(sample.u64(20)? == lists && sample.holds(lists.checked_mul(24)?.checked_add(28)?)),
        b"ilbl" => blocks(sample),
        _ => Some(false),
    }
}

/// Checks the sizes of lists: of all (`full`), or numbers and sizes of those that are not empty (`sprs`).
fn list_sizes(sample: &Sample, at: usize, lists: u64) -> Option<bool> {
    let written = sample.u64(at + 4)?;
    let fits = sample.holds(written.checked_mul(8)?.checked_add(at as u64 + 12)?);
    Some(match &sample.bytes(at)? {
        b"full" => written == lists && fits,
        b"sprs" => written <= lists + 1 && written.is_multiple_of(2) && fits,
        _ => false,
    })
}

/// Checks lists in blocks: `n_per_block: u64, block_size: u64`, then the ids and the blocks of each list.
fn blocks(sample: &Sample) -> Option<bool> {
    let (per_block, size, ids) = (sample.u64(20)?, sample.u64(28)?, sample.u64(36)?);
    if !(1..1 << 24).contains(&per_block) || !(1..1 << 40).contains(&size) || ids >= COUNT {
        return Some(false);
    }
    let bytes = ids.div_ceil(per_block).checked_mul(size)?;
    let codes_at = ids.checked_mul(8)?.checked_add(44)?;
    let whole = bytes.checked_add(codes_at)?.checked_add(8)?;
    let codes = usize::try_from(codes_at).ok().and_then(|at| sample.u64(at));
    Some(codes.is_none_or(|codes| codes == bytes) && sample.holds(whole))
}

/// Checks a product quantizer, which has no magic: `d, M, nbits: u64`, the number of its centroids' values, which
/// follows from them, these values, and nothing after them.
fn product_quantizer(sample: &Sample) -> Option<bool> {
    const LEAST: u64 = 16;
    let (dimensions, parts, bits, values) = (sample.u64(0)?, sample.u64(8)?, sample.u64(16)?, sample.u64(24)?);
    if !(1..=u64::from(DIMENSIONS)).contains(&dimensions) || parts == 0 || !(1..=24).contains(&bits) {
        return Some(false);
    }
    Some(
        dimensions.is_multiple_of(parts)
            && values == dimensions << bits
            && values >= LEAST
            && sample.tail.is_some()
            && sample.size == 32 + 4 * values,
    )
}

/// The end of a vector transform.
struct End {
    d_in: u32,
    d_out: u32,
    trained: bool,
}

/// Reads the end of a transform. Returns `None` if it was not read or is not possible.
fn end(sample: &Sample) -> Option<End> {
    let [.., a, b, c, d, e, f, g, h, trained] = sample.tail? else {
        return None;
    };
    let d_in = u32::from_le_bytes([*a, *b, *c, *d]);
    let d_out = u32::from_le_bytes([*e, *f, *g, *h]);
    let possible = (1..=DIMENSIONS).contains(&d_in) && (1..=DIMENSIONS).contains(&d_out) && *trained <= 1;
    possible.then_some(End {
        d_in,
        d_out,
        trained: *trained == 1,
    })
}

/// Checks a vector transform, and that nothing follows it. Returns `None` if the magic is not that of one.
fn transform(sample: &Sample) -> Option<bool> {
    let checked = match &sample.bytes(0)? {
        b"rrot" | b"LTra" => linear(sample, 4),
        b"Viqm" => linear(sample, 4 + 4 + 4),
        b"Pcam" => pca(sample, 4 + 4 + 4 + 1 + 4),
        b"PcAm" => pca(sample, 4 + 4 + 1 + 4),
        b"PCAm" => pca(sample, 4 + 4 + 1),
        b"VNrm" => normalization(sample),
        b"HRot" => hadamard(sample),
        b"VCnt" => centering(sample),
        b"RmDT" => remap(sample),
        b"Viqt" => itq(sample),
        _ => return None,
    };
    Some(checked == Some(true))
}

/// Checks a linear transform: `have_bias: bool, A: [f32], b: [f32]`, with a length before each array, and the end.
///
/// Values that lie beyond the sample are taken to be those that follow from its end.
fn linear(sample: &Sample, at: usize) -> Option<bool> {
    let end = end(sample)?;
    let full = u64::from(end.d_in) * u64::from(end.d_out);
    let [bias] = sample.bytes(at).unwrap_or_default();
    let matrix = sample.u64(at.checked_add(1)?).unwrap_or(full);
    let rest = sample.size.checked_sub(at as u64)?.checked_sub(1 + 8 + 8 + END)?;
    let added = rest.checked_sub(matrix.checked_mul(4)?)?;
    Some(
        bias <= 1
            && (matrix == full || (matrix == 0 && !end.trained))
            && (added == 0 || added == 4 * u64::from(end.d_out)),
    )
}

/// Checks a PCA transform: a few numbers, three arrays that begin at `at`, and a linear transform.
fn pca(sample: &Sample, mut at: usize) -> Option<bool> {
    for _ in 0..3 {
        let length = usize::try_from(sample.u64(at)?).ok()?;
        at = at.checked_add(8)?.checked_add(length.checked_mul(4)?)?;
    }
    linear(sample, at)
}

/// Checks a normalization: `norm: f32`, and the end.
fn normalization(sample: &Sample) -> Option<bool> {
    let (end, norm) = (end(sample)?, f32::from_le_bytes(sample.bytes(4)?));
    Some(end.d_in == end.d_out && norm.is_finite() && norm >= 0.0 && sample.size == 4 + 4 + END)
}

/// Checks a Hadamard rotation: `seed: u32`, and the end.
fn hadamard(sample: &Sample) -> Option<bool> {
    let end = end(sample)?;
    Some(end.d_out >= end.d_in && end.d_out.is_power_of_two() && sample.size == 4 + 4 + END)
}

/// Checks a centering: `mean: [f32]`, and the end.
fn centering(sample: &Sample) -> Option<bool> {
    let (end, mean) = (end(sample)?, sample.u64(4)?);
    let whole = mean == u64::from(end.d_in) || (mean == 0 && !end.trained);
    Some(end.d_in == end.d_out && whole && sample.size == 4 + 8 + 4 * mean + END)
}

/// Checks a change of dimensions: `map: [i32]`, and the end.
fn remap(sample: &Sample) -> Option<bool> {
    let (end, map) = (end(sample)?, sample.u64(4)?);
    Some(map == u64::from(end.d_out) && sample.size == 4 + 8 + 4 * map + END)
}

/// Checks an ITQ transform: `mean: [f32], do_pca: bool`, an ITQ matrix, a linear transform, and the end.
fn itq(sample: &Sample) -> Option<bool> {
    let (end, mean) = (end(sample)?, sample.u64(4)?);
    if mean != u64::from(end.d_in) && (mean != 0 || end.trained) {
        return Some(false);
    }
    let at = usize::try_from(4 + 8 + 4 * mean).ok()?;
    let [pca] = sample.bytes(at).unwrap_or_default();
    let matrix = sample.bytes(at + 1).unwrap_or(*b"Viqm");
    Some(pca <= 1 && &matrix == b"Viqm" && sample.size > 4 * mean + 80)
}
