//! Private files of version 2, for reading only. Their keystream is no encryption: see `docs/agent-store.md`.

use std::fmt;

use zeroize::Zeroizing;

use super::private::{OLD_VERSION, PrivateKind, header_of};
use super::{HEADER, RESERVED, SALT, SNAPSHOT};

/// The version of the files.
pub const VERSION: u8 = OLD_VERSION;
/// Length in bytes after which the keystream repeats.
const PERIOD: usize = 24;
/// Length in bytes of the shortest key.
const SHORTEST_KEY: usize = 16;
/// Length in bytes of the longest key.
const LONGEST_KEY: usize = 32;

/// A private file of version 2.
#[derive(Debug)]
pub struct OldFile<'a> {
    /// What it holds.
    pub kind: PrivateKind,
    /// The snapshot in its header.
    pub snapshot: [u8; SNAPSHOT],
    /// The salt in its header.
    pub salt: [u8; SALT],
    payload: &'a [u8],
}

/// Why bytes are not a private file of version 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOld {
    /// They have no header of a private file.
    Header,
    /// The header has another version.
    Version(u8),
    /// The header has flags that are not known, or reserved bytes that are not zero.
    Fields,
    /// The header states another length of the payload in bytes.
    Length {
        /// The stated one.
        stated: u32,
        /// The one found.
        found: u64,
    },
    /// The payload does not end with a whole block.
    Block,
}

impl fmt::Display for NotOld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("it does not have the header of a private file"),
            Self::Version(version) => write!(f, "it has version {version}, not 2"),
            Self::Fields => f.write_str("its header has unknown flags, or reserved bytes that are not zero"),
            Self::Length { stated, found } => {
                write!(f, "its header states a payload of {stated} bytes, and it has {found}")
            }
            Self::Block => f.write_str("its payload is not a multiple of 24 bytes"),
        }
    }
}

impl<'a> OldFile<'a> {
    /// Parses a whole file.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NotOld> {
        let (kind, header) = header_of(bytes).ok_or(NotOld::Header)?;
        if header.version != VERSION {
            return Err(NotOld::Version(header.version));
        }
        // Writers set bit 0, although the contract says nothing of flags in private files.
        if header.flags > 1 || header.reserved != [0; RESERVED] {
            return Err(NotOld::Fields);
        }
        let payload = &bytes[HEADER..];
        // Writers put the length of the payload where a pack has the number of its first cycle.
        if header.number != 0 && u64::from(header.number) != payload.len() as u64 {
            return Err(NotOld::Length {
                stated: header.number,
                found: payload.len() as u64,
            });
        }
        if !payload.len().is_multiple_of(PERIOD) {
            return Err(NotOld::Block);
        }
        Ok(Self {
            kind,
            snapshot: header.snapshot,
            salt: header.salt,
            payload,
        })
    }

    /// Decodes the payload with a key.
    pub fn decode(&self, key: &OldKey) -> Zeroizing<Vec<u8>> {
        self.decode_by(key.codes)
    }

    /// Decodes the payload in every way that any key could.
    pub fn decode_all(&self) -> Vec<Zeroizing<Vec<u8>>> {
        let mut streams: Vec<[u8; PERIOD]> = Vec::new();
        for number in 0..=u8::MAX {
            let codes = [number & 3, number >> 2 & 3, number >> 4 & 3, number >> 6];
            let stream = self.keystream(codes);
            if !streams.contains(&stream) {
                streams.push(stream);
            }
        }
        streams.iter().map(|stream| self.xored(stream)).collect()
    }

    fn decode_by(&self, codes: [u8; 4]) -> Zeroizing<Vec<u8>> {
        self.xored(&self.keystream(codes))
    }

    /// Makes the keystream: the snapshot with the salt over its start, cut into four quarters, each inverted as its code
    /// says, and all of them XORed.
    fn keystream(&self, codes: [u8; 4]) -> [u8; PERIOD] {
        let mut mixed = self.snapshot;
        for (byte, salt) in mixed.iter_mut().zip(self.salt) {
            *byte ^= salt;
        }
        let mut stream = [0; PERIOD];
        for (quarter, code) in mixed.chunks(PERIOD).zip(codes) {
            for (at, (byte, into)) in quarter.iter().zip(&mut stream).enumerate() {
                *into ^= byte ^ inversion(code, at);
            }
        }
        stream
    }

    /// Returns the payload without the keystream, and without the zeros that pad it.
    fn xored(&self, stream: &[u8; PERIOD]) -> Zeroizing<Vec<u8>> {
        let bytes = self.payload.iter().zip(stream.iter().cycle());
        let mut plain: Zeroizing<Vec<u8>> = Zeroizing::new(bytes.map(|(byte, key)| byte ^ key).collect());
        let text = plain.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        plain.truncate(text);
        plain
    }
}

/// Returns what a code does to the byte `at` of a quarter, which has four rows of six bytes.
fn inversion(code: u8, at: usize) -> u8 {
    let even = (at / 6).is_multiple_of(2);
    match (code, even) {
        (1, _) | (2, true) | (3, false) => 0xff,
        _ => 0,
    }
}

/// What version 2 uses of an agent's key: four codes of two bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldKey {
    codes: [u8; 4],
}

impl OldKey {
    /// Takes the codes from a key of 16 to 32 bytes. `None` if it has another length.
    pub fn of(key: &[u8]) -> Option<Self> {
        let code = |quarter: usize| key.get(quarter * 8).map_or(0, |byte| byte & 3);
        (SHORTEST_KEY..=LONGEST_KEY).contains(&key.len()).then(|| Self {
            codes: [code(0), code(1), code(2), code(3)],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::agent::StoreHeader;

    fn file(flags: u8, number: u32, payload: &[u8]) -> Vec<u8> {
        let mut snapshot = [0; SNAPSHOT];
        for (value, byte) in (1..).zip(&mut snapshot) {
            *byte = value;
        }
        let header = StoreHeader {
            flags,
            number,
            ..StoreHeader::of(*b"GYR5", VERSION, snapshot, [7; SALT])
        };
        [&header.to_bytes()[..], payload].concat()
    }

    #[test]
    fn there_are_four_keystreams_and_not_256() {
        let bytes = file(1, 24, &[0; 24]);
        let old = OldFile::parse(&bytes).unwrap();
        let all = old.decode_all();
        assert_eq!(all.len(), 4);
        for number in 0..=255 {
            let mut key = [0xfc; 32];
            for quarter in 0..4 {
                key[quarter * 8] |= number >> (2 * quarter) & 3;
            }
            let decoded = old.decode(&OldKey::of(&key).unwrap());
            assert!(all.contains(&decoded), "{number}");
        }
    }

    proptest::proptest! {
        /// Two keystreams differ in the whole first row of a block or in the whole last one. There, one of them gives
        /// bytes above 0x7f, and JSON begins and ends with ASCII.
        #[test]
        fn at_most_one_keystream_gives_json(text in "[ -~é¼ßÿa]{0,80}", codes in proptest::array::uniform4(0_u8..4)) {
            let json = serde_json::to_vec(&text).unwrap();
            let padded = [&json[..], &vec![0; json.len().next_multiple_of(PERIOD) - json.len()]].concat();
            let empty = file(0, 0, &padded);
            let payload = OldFile::parse(&empty).unwrap().decode_by(codes);
            let mut payload = payload.to_vec();
            payload.resize(padded.len(), 0);
            let bytes = file(0, 0, &payload);
            let mut all = OldFile::parse(&bytes).unwrap().decode_all();
            all.retain(|content| super::super::json::ensure_json(content).is_ok());
            proptest::prop_assert_eq!(all.len(), 1);
            proptest::prop_assert_eq!(&*all[0], &json);
        }
    }

    #[test]
    fn what_is_not_a_whole_file_of_version_2_is_told() {
        assert!(OldFile::parse(&file(0, 0, &[0; 48])).is_ok());
        assert!(OldFile::parse(&file(1, 48, &[0; 48])).is_ok());
        let mut other = file(1, 24, &[0; 24]);
        other[4] = 3;
        let mut reserved = file(1, 24, &[0; 24]);
        reserved[127] = 1;
        for (bytes, fault) in [
            (b"{}".to_vec(), NotOld::Header),
            (other, NotOld::Version(3)),
            (file(2, 24, &[0; 24]), NotOld::Fields),
            (reserved, NotOld::Fields),
            (file(1, 48, &[0; 24]), NotOld::Length { stated: 48, found: 24 }),
            (file(0, 0, &[0; 25]), NotOld::Block),
        ] {
            assert_eq!(OldFile::parse(&bytes).unwrap_err(), fault);
        }
    }

    #[test]
    fn a_key_has_16_to_32_bytes() {
        for (length, fits) in [(0, false), (15, false), (16, true), (32, true), (33, false)] {
            assert_eq!(OldKey::of(&vec![1; length]).is_some(), fits, "{length}");
        }
    }
}
