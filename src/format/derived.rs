//! What is known of bytes that were made of others, by copying pieces and inserting.

use std::cell::Cell;
use std::ops::Range;

/// A search for signs in bytes that may have been made of others. Where those have no sign, one of these is not in a piece
/// that was copied whole.
#[derive(Default)]
pub struct SignSearch<'a> {
    /// If the others have no sign: where the bytes are not one piece of them. Seams between pieces are empty ranges.
    pub fresh: Option<&'a [Range<usize>]>,
    /// Whether the bytes were searched and have no sign. The search sets it.
    pub has_none: Cell<bool>,
}

impl SignSearch<'_> {
    /// Returns the parts of `size` bytes in which a sign of up to `longest` bytes may be. `None` if it may be anywhere.
    pub fn parts(&self, size: usize, longest: usize) -> Option<Vec<Range<usize>>> {
        let mut parts: Vec<Range<usize>> = Vec::new();
        for fresh in self.fresh? {
            let (start, end) = (
                fresh.start.saturating_sub(longest - 1),
                (fresh.end + longest - 1).min(size),
            );
            match parts.last_mut() {
                Some(last) if last.end >= start => last.end = last.end.max(end),
                _ => parts.push(start..end),
            }
        }
        Some(parts)
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "lists of one range are meant")]
mod tests {
    use super::*;

    #[test]
    fn a_sign_may_reach_over_either_end_of_what_is_fresh() {
        let parts = |fresh: &[Range<usize>]| {
            let search = SignSearch {
                fresh: Some(fresh),
                ..SignSearch::default()
            };
            search.parts(100, 4).unwrap()
        };
        assert!(parts(&[]).is_empty());
        assert_eq!(parts(&[1..2, 10..12, 50..50, 99..100]), [0..5, 7..15, 47..53, 96..100]);
        assert_eq!(parts(&[10..12, 18..20, 21..21]), [7..24]);
        assert_eq!(SignSearch::default().parts(100, 4), None);
    }
}
