//! The header that every file of the agent store begins with: 128 bytes, little-endian.

/// Length of the header in bytes.
pub const HEADER: usize = 128;
/// Length of the snapshot in bytes.
pub const SNAPSHOT: usize = 96;
/// Length of the salt in bytes.
pub const SALT: usize = 12;
/// Length of the reserved bytes at the end of the header.
pub const RESERVED: usize = 8;

/// The fields of a header, as they stand in the file. Nothing is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreHeader {
    /// What the file is. At byte 0.
    pub magic: [u8; 4],
    /// Version of the format. At byte 4.
    pub version: u8,
    /// Flags. At byte 5.
    pub flags: u8,
    /// Length of the header in bytes. At byte 6.
    pub header_size: u16,
    /// Of a pack, the number of its first cycle. At byte 8.
    pub number: u32,
    /// A snapshot of the agent's gene. At byte 12.
    pub snapshot: [u8; SNAPSHOT],
    /// Random bytes. At byte 108.
    pub salt: [u8; SALT],
    /// Zeros. At byte 120.
    pub reserved: [u8; RESERVED],
}

impl StoreHeader {
    /// Returns a header with this magic and version, whose other fields have their usual values: no flags, the length of
    /// this header, zeros.
    pub fn of(magic: [u8; 4], version: u8, snapshot: [u8; SNAPSHOT], salt: [u8; SALT]) -> Self {
        Self {
            magic,
            version,
            flags: 0,
            header_size: HEADER as u16,
            number: 0,
            snapshot,
            salt,
            reserved: [0; RESERVED],
        }
    }

    /// Takes the fields from their bytes.
    pub fn from_bytes(bytes: &[u8; HEADER]) -> Self {
        Self {
            magic: field(bytes, 0),
            version: bytes[4],
            flags: bytes[5],
            header_size: u16::from_le_bytes(field(bytes, 6)),
            number: u32::from_le_bytes(field(bytes, 8)),
            snapshot: field(bytes, 12),
            salt: field(bytes, 108),
            reserved: field(bytes, 120),
        }
    }

    /// Returns the bytes of the fields.
    pub fn to_bytes(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..4].copy_from_slice(&self.magic);
        bytes[4] = self.version;
        bytes[5] = self.flags;
        bytes[6..8].copy_from_slice(&self.header_size.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.number.to_le_bytes());
        bytes[12..108].copy_from_slice(&self.snapshot);
        bytes[108..120].copy_from_slice(&self.salt);
        bytes[120..].copy_from_slice(&self.reserved);
        bytes
    }
}

fn field<const N: usize>(bytes: &[u8; HEADER], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_fields_cover_every_byte(start in any::<[u8; 32]>(), middle in any::<[u8; 32]>()) {
            let mut bytes = [0; HEADER];
            for (at, part) in [start, middle, start, middle].iter().enumerate() {
                bytes[at * 32..][..32].copy_from_slice(part);
            }
            prop_assert_eq!(StoreHeader::from_bytes(&bytes).to_bytes(), bytes);
        }
    }
}
