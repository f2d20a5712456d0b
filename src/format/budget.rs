//! What one look at a repository may cost: the closed set of bounds, their keys in git's configuration, and their values.
//!
//! Small objects can stand for a great deal: ten identical subtrees on each of ten levels are a thousand bytes and ten
//! thousand million paths. Each bound has a base, which no small push may exceed, and grows with the bytes that were sent
//! or are stored, so that no large repository is refused for its size.

pub use crate::refusal::bound::Bound;

/// What compiling a configuration costs, whatever its size is, in bytes of [`Bound::ConfigBytes`].
pub const EACH_CONFIG: u64 = 16 << 10;

/// How a bound grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// What is allowed to anybody.
    pub base: u64,
    /// What is allowed besides for each 1024 bytes that were sent or are stored.
    pub for_each_kib: u64,
}

impl Allowance {
    /// Returns what is allowed where `bytes` were sent or are stored.
    pub fn with(self, bytes: u64) -> u64 {
        let more = u128::from(bytes) * u128::from(self.for_each_kib) / 1024;
        self.base.saturating_add(u64::try_from(more).unwrap_or(u64::MAX))
    }
}

impl Bound {
    /// Returns what a server allows a push, which grows with the bytes that were sent.
    pub fn on_a_server(self) -> Allowance {
        let (base, for_each_kib) = match self {
            Self::Entries => (2_500_000, 32),
            Self::PathBytes => (256 << 20, 4 << 10),
            Self::Depth => (2048, 0),
            Self::TreeBytes => (512 << 20, 1000 << 10),
            Self::ObjectBytes => (64 << 20, 8 << 10),
            Self::BlobBytes => (1 << 30, 200 << 10),
            Self::ConfigBytes => (16 << 20, 64),
            Self::Refs => (1_000_000, 0),
            Self::Memory => (192 << 20, 32 << 10),
            // One more for each 128 KiB beyond the first MiB, which take a millisecond if they are what they seem to be.
            Self::Seconds => {
                return Allowance {
                    base: 8,
                    for_each_kib: 0,
                };
            }
        };
        Allowance { base, for_each_kib }
    }

    /// Returns what a clone allows itself, which grows with the bytes that it stores.
    pub fn in_a_clone(self) -> Allowance {
        let server = self.on_a_server();
        match self {
            Self::ObjectBytes => Allowance {
                base: MEMORY_IN_A_CLONE,
                for_each_kib: 0,
            },
            // Whoever waits may stop it, and knows what else needs the memory.
            Self::Seconds | Self::Memory => Allowance {
                base: u64::MAX,
                for_each_kib: 0,
            },
            _ => Allowance {
                base: server.base,
                for_each_kib: server.for_each_kib.saturating_mul(10),
            },
        }
    }
}

/// The memory that one object may take in a clone.
pub const MEMORY_IN_A_CLONE: u64 = 2 << 30;

/// A push of no more bytes than this earns no more time.
pub const SMALL: u64 = 1 << 20;

/// Bytes beyond them that earn a push one second more.
pub const SECOND_FOR_EACH: u64 = 128 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_grows_and_never_overflows() {
        let entries = Bound::Entries.on_a_server();
        assert_eq!(entries.with(0), 2_500_000);
        assert_eq!(entries.with(1 << 30), 2_500_000 + (32 << 20));
        let trees = Bound::TreeBytes.in_a_clone();
        assert_eq!(trees.with(u64::MAX), u64::MAX);
        assert!(Bound::ALL.iter().all(|bound| bound.key().starts_with("gitpack.max")));
    }
}
