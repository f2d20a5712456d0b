//! Archives: a pack in one file, as a tar archive in zstd frames. The same pack always makes the same bytes.

mod frames;
mod header;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use frames::{ArchiveFrames, UnreadArchive};
pub use header::MAX_PATH;
pub use read::{ArchiveReader, ArchivedMember};
pub use write::ArchiveWriter;

use crate::format::timestamp::Timestamp;

/// Bytes of content after which a frame ends. An entry lies in one frame.
const FRAME: u64 = 4 << 20;

/// Size of the blocks of a tar archive in bytes.
const BLOCK: usize = 512;

/// The size of the window of each frame, as a power of two.
const WINDOW_LOG: u32 = 21;

/// Bytes of content that every archive may have.
const ALWAYS_ALLOWED: u64 = 4 << 30;

/// How many times as large as the file its content may be, beyond [`ALWAYS_ALLOWED`].
const MAX_RATIO: u64 = 1000;

/// Largest time that a header holds, in seconds since the epoch.
const MAX_TIME: i64 = 0o77_777_777_777;

/// Returns how many bytes of content an archive of `file_bytes` bytes may have.
pub fn max_content(file_bytes: u64) -> u64 {
    file_bytes.saturating_mul(MAX_RATIO).max(ALWAYS_ALLOWED)
}

/// Returns the directory in an archive that holds the pack with this id.
fn directory_of(pack_id: &str) -> Option<String> {
    let hex = pack_id.strip_prefix("sha256:")?.get(..12)?;
    Some(format!("git-pack-{hex}"))
}

/// Returns the time in the headers of an archive. A time that a header cannot hold becomes the nearest one.
fn time_of(created: Timestamp) -> u64 {
    u64::try_from(created.seconds().clamp(0, MAX_TIME)).unwrap_or_default()
}

/// Returns the number of bytes that fill the last block of a content.
fn padding(size: u64) -> usize {
    (size.wrapping_neg() % BLOCK as u64) as usize
}
