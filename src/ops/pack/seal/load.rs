//! Tells which artifacts are so large that threads share the work on one of them.

use crate::adapters::workers;
use crate::ops::pack::seal::plan::ArtifactSource;

/// The smallest of these artifacts, in bytes.
const LARGE: u64 = if cfg!(test) { 1 << 20 } else { 8 << 20 };

/// What the threads have to do.
pub(super) struct Load {
    threads: u64,
    artifacts: u64,
    /// Size of all artifacts that are files.
    bytes: u64,
}

impl Load {
    /// Sums up the artifacts.
    pub(super) fn of(sources: impl Iterator<Item = ArtifactSize>) -> Self {
        let (mut artifacts, mut bytes) = (0, 0_u64);
        for size in sources {
            artifacts += 1;
            bytes = bytes.saturating_add(size.0.unwrap_or_default());
        }
        Self {
            threads: workers::threads() as u64,
            artifacts,
            bytes,
        }
    }

    /// Returns whether the other threads would have nothing left to do while one works on this artifact alone.
    pub(super) fn is_outlasted_by(&self, known: ArtifactSize, size: u64) -> bool {
        let is_left = match known.0 {
            Some(size) => size.saturating_mul(self.threads) > self.bytes,
            None => self.artifacts < self.threads,
        };
        size >= LARGE && is_left
    }
}

/// The size of an artifact in bytes. `None` for a blob, which is not looked up only for this.
#[derive(Clone, Copy)]
pub(super) struct ArtifactSize(Option<u64>);

impl ArtifactSize {
    pub(super) fn of(source: &ArtifactSource) -> Self {
        Self(match source {
            ArtifactSource::File(_, stamp) => Some(stamp.size()),
            ArtifactSource::Bytes(bytes) => Some(bytes.len() as u64),
            ArtifactSource::Blob(_) => None,
        })
    }
}
