//! Applies the deltas of packs (gitformat-pack(5)). The library applies them only to what it read itself.

use std::ops::Range;

/// Fills `made` with what the instructions of `delta` make of `base`. Returns false if they are malformed, are for a base of
/// another size, or make more or less than they promise.
///
/// Fills `fresh` with the ranges that are not one piece of the base: what was inserted, and the seams, which are empty.
pub(super) fn apply(base: &[u8], delta: &[u8], made: &mut Vec<u8>, fresh: &mut Vec<Range<usize>>) -> bool {
    made.clear();
    fresh.clear();
    let Some((size, instructions)) = sizes(delta).and_then(|(of_base, size, rest)| {
        let size = usize::try_from(size).ok()?;
        (of_base == base.len() as u64).then_some((size, rest))
    }) else {
        return false;
    };
    made.reserve_exact(size);
    let mut making = Making {
        made,
        fresh,
        most: size,
        behind: 0,
    };
    making.follow(base, instructions).is_some() && making.made.len() == size
}

/// Returns the size of what a delta makes.
pub(super) fn size_of_result(delta: &[u8]) -> Option<u64> {
    sizes(delta).map(|(_, size, _)| size)
}

/// Returns the size of the base, the size of what is made, and the instructions.
fn sizes(delta: &[u8]) -> Option<(u64, u64, &[u8])> {
    let (base, rest) = number(delta)?;
    let (made, rest) = number(rest)?;
    Some((base, made, rest))
}

/// Reads a number of seven bits a byte, the lowest first.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let length = bytes.iter().take(9).position(|byte| byte & 0x80 == 0)? + 1;
    let (digits, rest) = bytes.split_at(length);
    let value = digits
        .iter()
        .rev()
        .fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
    Some((value, rest))
}

/// What is being made.
struct Making<'a> {
    made: &'a mut Vec<u8>,
    fresh: &'a mut Vec<Range<usize>>,
    /// The size that was promised.
    most: usize,
    /// Where in the base the last copy ended.
    behind: usize,
}

impl Making<'_> {
    /// Follows the instructions. `None` at one that is malformed, and where more comes than was promised.
    fn follow(&mut self, base: &[u8], mut rest: &[u8]) -> Option<()> {
        while let Some((&instruction, after)) = rest.split_first() {
            rest = after;
            match instruction {
                0 => return None,
                1..=0x7f => {
                    let (piece, after) = rest.split_at_checked(usize::from(instruction))?;
                    rest = after;
                    self.note(piece.len());
                    self.add(piece)?;
                }
                _ => {
                    let mut argument = |bits: Range<u32>| {
                        bits.clone().try_fold(0, |value, bit| match instruction >> bit & 1 {
                            0 => Some(value),
                            _ => {
                                let (&byte, after) = rest.split_first()?;
                                rest = after;
                                Some(value | usize::from(byte) << (8 * (bit - bits.start)))
                            }
                        })
                    };
                    let (start, length) = (argument(0..4)?, argument(4..7)?);
                    let length = if length == 0 { 0x10000 } else { length };
                    if start != self.behind {
                        self.note(0);
                    }
                    self.behind = start.checked_add(length)?;
                    self.add(base.get(start..self.behind)?)?;
                }
            }
        }
        Some(())
    }

    /// Notes that the next bytes are not from the base, or that what follows them is from elsewhere in the base.
    fn note(&mut self, length: usize) {
        let (start, end) = (self.made.len(), self.made.len() + length);
        match self.fresh.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => self.fresh.push(start..end),
        }
    }

    fn add(&mut self, piece: &[u8]) -> Option<()> {
        if piece.len() > self.most - self.made.len() {
            return None;
        }
        self.made.extend_from_slice(piece);
        Some(())
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "lists of one range are meant")]
mod tests {
    use super::*;

    const BASE: &[u8] = b"0123456789";

    fn made(delta: &[u8]) -> Option<Vec<u8>> {
        let mut made = b"left over".to_vec();
        apply(BASE, delta, &mut made, &mut Vec::new()).then_some(made)
    }

    #[test]
    fn pieces_are_copied_and_inserted() {
        assert_eq!(made(b"\x0a\x07\x91\x03\x04\x03abc").unwrap(), b"3456abc");
        // Without an offset it is zero; zero bytes mean 65,536, which this base does not have.
        assert_eq!(made(b"\x0a\x02\x90\x02").unwrap(), b"01");
        assert_eq!(made(b"\x0a\x80\x80\x04\x80"), None);
        assert_eq!(made(b"\x0a\x00").unwrap(), b"");
        let base = vec![7; 0x10000];
        let mut made = Vec::new();
        assert!(apply(
            &base,
            b"\x80\x80\x04\x80\x80\x04\x80",
            &mut made,
            &mut Vec::new()
        ));
        assert_eq!(made, base);
        assert_eq!(size_of_result(b"\x80\x80\x04\x80\x80\x04\x80"), Some(0x10000));
    }

    #[test]
    fn what_is_inserted_is_fresh_and_where_copies_meet() {
        let fresh = |instructions: &[u8], size: u8| {
            let (mut made, mut fresh) = (Vec::new(), vec![1..2]);
            assert!(apply(
                BASE,
                &[b"\x0a", &[size][..], instructions].concat(),
                &mut made,
                &mut fresh
            ));
            fresh
        };
        assert!(fresh(b"\x90\x0a", 10).is_empty());
        // The pieces follow each other in the base, too.
        assert!(fresh(b"\x90\x04\x91\x04\x06", 10).is_empty());
        assert_eq!(fresh(b"\x90\x04\x91\x05\x05", 9), [4..4]);
        assert_eq!(fresh(b"\x91\x01\x04\x02ab\x01c\x90\x02", 9), [0..0, 4..7]);
        // What goes on in the base behind an insertion does not make it one piece.
        assert_eq!(fresh(b"\x90\x04\x01a\x91\x04\x06", 11), [4..5]);
        assert_eq!(fresh(b"\x90\x04\x01a", 5), [4..5]);
    }

    #[test]
    fn what_is_malformed_makes_nothing() {
        for delta in [
            &b""[..],
            b"\x0a",
            b"\x0b\x02\x90\x02",     // another base
            b"\x0a\x03\x90\x02",     // too little
            b"\x0a\x01\x90\x02",     // too much, copied
            b"\x0a\x01\x02ab",       // too much, inserted
            b"\x0a\x02\x91\x09\x02", // beyond the end of the base
            b"\x0a\x02\x9f\xff\xff\xff\xff\x02",
            b"\x0a\x02\x00\x90\x02", // the reserved instruction
            b"\x0a\x02\x02a",        // cut in an insertion
            b"\x0a\x02\x91\x00",     // cut in a copy
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x90\x02",
        ] {
            assert_eq!(made(delta), None, "{delta:02x?}");
        }
    }
}
