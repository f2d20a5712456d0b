//! Public packs of cycles: their names, their headers, and where a cycle is.

use super::{HEADER, RESERVED, SALT, SNAPSHOT, StoreHeader};
use crate::refusal::agent::GenomeFault;

/// The directory of all shards, below the top of a store.
pub const ROOT: &str = "agency/g1_information";
/// Length of a cycle in bytes: 48 pairs of operations, two in a byte.
pub const CYCLE: u64 = 24;
/// The largest size of a pack in bytes, unless it is said otherwise.
pub const PACK_SIZE: u64 = 64_000_000;
/// The smallest size that holds a cycle, in bytes.
pub const SMALLEST_PACK: u64 = HEADER as u64 + CYCLE;
/// The first bytes of a pack.
pub const MAGIC: [u8; 4] = *b"GYRO";
/// The version of the format.
pub const VERSION: u8 = 2;
/// How many cycles a shard can hold: the number of a pack's first cycle has 32 bits.
pub const MAX_CYCLES: u64 = 1 << 32;

/// The header of a pack, which is known to be valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenomeHeader {
    /// The number of the first cycle.
    pub start: u32,
    /// The snapshot of the gene.
    pub snapshot: [u8; SNAPSHOT],
    /// Random bytes, which nothing uses.
    pub salt: [u8; SALT],
}

impl GenomeHeader {
    /// Parses the beginning of a pack. Returns every fault that it has.
    pub fn parse(start_of_file: &[u8]) -> Result<Self, Vec<GenomeFault>> {
        let Some(bytes) = start_of_file.first_chunk::<HEADER>() else {
            return Err(vec![GenomeFault::Short {
                bytes: start_of_file.len() as u64,
            }]);
        };
        let header = StoreHeader::from_bytes(bytes);
        let faults: Vec<GenomeFault> = [
            (header.magic != MAGIC).then_some(GenomeFault::Magic(header.magic)),
            (header.version != VERSION).then_some(GenomeFault::Version(header.version)),
            (header.flags != 0).then_some(GenomeFault::Flags(header.flags)),
            (usize::from(header.header_size) != HEADER).then_some(GenomeFault::HeaderSize(header.header_size)),
            (header.reserved != [0; RESERVED]).then_some(GenomeFault::Reserved),
        ]
        .into_iter()
        .flatten()
        .collect();
        match faults.is_empty() {
            true => Ok(Self {
                start: header.number,
                snapshot: header.snapshot,
                salt: header.salt,
            }),
            false => Err(faults),
        }
    }

    /// Returns the bytes of the header.
    pub fn to_bytes(&self) -> [u8; HEADER] {
        let header = StoreHeader {
            number: self.start,
            ..StoreHeader::of(MAGIC, VERSION, self.snapshot, self.salt)
        };
        header.to_bytes()
    }
}

/// Returns how many whole cycles fit into a pack of `size` bytes.
pub fn cycles_in(size: u64) -> u64 {
    size.saturating_sub(HEADER as u64) / CYCLE
}

/// Returns how many bytes stand behind the last whole cycle of a pack of `size` bytes.
pub fn torn_bytes(size: u64) -> u64 {
    size.saturating_sub(HEADER as u64) % CYCLE
}

/// Returns the byte at which the cycle begins that stands `index` cycles behind the first one of its pack.
pub fn byte_of(index: u64) -> u64 {
    HEADER as u64 + index * CYCLE
}

/// Returns the name of the pack that begins with the cycle `start`.
pub fn name_of(start: u32) -> String {
    format!("genome_{start:012x}.dat")
}

/// Parses the name of a pack. `None` if it is not exactly as [`name_of`] writes it, for a number of up to 48 bits.
pub fn start_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("genome_")?.strip_suffix(".dat")?;
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let well_formed = digits.len() == 12 && digits.bytes().all(is_digit);
    well_formed.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

/// Returns whether a name is close enough to that of a pack to be meant as one.
pub fn is_meant_as_pack(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.starts_with("genome_") && lower.ends_with(".dat")
}

/// A shard of a store: two lowercase hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard(String);

impl Shard {
    /// Takes the first two hexadecimal digits of a shard, or of the id of an agent such as a UUID. `None` if there is
    /// anything else in it than hexadecimal digits and hyphens.
    pub fn of(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        let sound = digits.len() >= 2 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        sound.then(|| Self(digits[..2].to_ascii_lowercase()))
    }

    /// Takes the name of a directory that is a shard.
    pub fn of_directory(name: &str) -> Option<Self> {
        Self::of(name).filter(|shard| shard.0 == name)
    }

    /// Returns the two digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header that `fixtures/agent/genome-header.hex` holds. `fixtures/agent/make.py` writes it with `struct.pack`.
    fn fixture() -> Vec<u8> {
        let text = include_str!("../../../fixtures/agent/genome-header.hex");
        let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        let pairs = digits.as_bytes().chunks(2);
        pairs
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn the_header_is_that_of_the_contract() {
        let mut snapshot = [0; SNAPSHOT];
        for (value, byte) in (1..).zip(&mut snapshot) {
            *byte = value;
        }
        let mut salt = [0; SALT];
        for (value, byte) in (0xa0..).zip(&mut salt) {
            *byte = value;
        }
        let header = GenomeHeader {
            start: 0x0102_0304,
            snapshot,
            salt,
        };
        assert_eq!(header.to_bytes().as_slice(), fixture());
        assert_eq!(GenomeHeader::parse(&fixture()), Ok(header));
    }

    #[test]
    fn each_field_that_is_wrong_is_a_fault_of_its_own() {
        for (at, value, fault) in [
            (3, b'3', GenomeFault::Magic(*b"GYR3")),
            (4, 3, GenomeFault::Version(3)),
            (5, 1, GenomeFault::Flags(1)),
            (6, 127, GenomeFault::HeaderSize(127)),
            (7, 1, GenomeFault::HeaderSize(0x180)),
            (120, 1, GenomeFault::Reserved),
            (127, 1, GenomeFault::Reserved),
        ] {
            let mut bytes = fixture();
            bytes[at] = value;
            assert_eq!(GenomeHeader::parse(&bytes), Err(vec![fault]));
        }
        assert_eq!(
            GenomeHeader::parse(&fixture()[..127]),
            Err(vec![GenomeFault::Short { bytes: 127 }])
        );
        assert_eq!(GenomeHeader::parse(&[0xff; HEADER]).unwrap_err().len(), 5);
    }

    #[test]
    fn names_are_exact() {
        assert_eq!(name_of(0), "genome_000000000000.dat");
        assert_eq!(name_of(u32::MAX), "genome_0000ffffffff.dat");
        for start in [0, 1, 2_666_661, u32::MAX] {
            assert_eq!(start_of(&name_of(start)), Some(u64::from(start)));
        }
        assert_eq!(start_of("genome_ffffffffffff.dat"), Some(0xffff_ffff_ffff));
        for (name, is_meant) in [
            ("genome_00000000000A.dat", true),
            ("genome_0.dat", true),
            ("genome_0000000000000.dat", true),
            ("genome_+00000000001.dat", true),
            ("Genome_000000000000.dat", true),
            ("genome_000000000000.dat.bak", false),
            ("notes.txt", false),
        ] {
            assert_eq!(start_of(name), None, "{name}");
            assert_eq!(is_meant_as_pack(name), is_meant, "{name}");
        }
    }

    #[test]
    fn a_shard_is_what_an_id_begins_with() {
        for (text, shard) in [
            ("00", "00"),
            ("Ab", "ab"),
            ("abcdef1234567890", "ab"),
            ("F0e1d2c3-0000-4000-8000-000000000000", "f0"),
        ] {
            assert_eq!(Shard::of(text).unwrap().as_str(), shard);
        }
        for text in ["", "0", "0-", "../00", "00/x", "0x", "zz", "00 ", "é0"] {
            assert_eq!(Shard::of(text), None, "{text}");
        }
        assert!(Shard::of_directory("00").is_some());
        for name in ["000", "AB", "0-0", "x"] {
            assert_eq!(Shard::of_directory(name), None, "{name}");
        }
    }

    #[test]
    fn a_pack_is_never_larger_than_its_size() {
        for (size, cycles) in [(0, 0), (151, 0), (152, 1), (175, 1), (176, 2), (PACK_SIZE, 2_666_661)] {
            assert_eq!(cycles_in(size), cycles);
            assert!(cycles == 0 || byte_of(cycles) <= size);
            assert!(byte_of(cycles + 1) > size);
        }
        assert_eq!((torn_bytes(128), torn_bytes(151), torn_bytes(152)), (0, 23, 0));
    }
}
