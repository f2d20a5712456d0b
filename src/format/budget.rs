//! The default values of the bounds on what one command may read from a repository.
//!
//! Small objects can expand to a great deal: ten identical subtrees on each of ten levels take a thousand bytes and
//! name ten thousand million paths. So each bound has a base that holds for every push, and grows with the bytes that
//! were sent or are stored, so that no repository is refused for its size alone.

pub use crate::refusal::bound::Bound;

/// The fixed cost of compiling a configuration of any size, in bytes of [`Bound::ConfigBytes`].
pub const EACH_CONFIG: u64 = 16 << 10;

/// The value of a bound, and how it grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The amount that is always allowed.
    pub base: u64,
    /// The additional amount for each 1024 bytes that were sent or are stored.
    pub for_each_kib: u64,
}

impl Allowance {
    /// Returns the amount allowed if `bytes` were sent or are stored.
    pub fn with(self, bytes: u64) -> u64 {
        let more = u128::from(bytes) * u128::from(self.for_each_kib) / 1024;
        self.base.saturating_add(u64::try_from(more).unwrap_or(u64::MAX))
    }
}

impl Bound {
    /// Returns the allowance of a server for a push. It grows with the bytes sent.
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
            // The caller adds one second for each 128 KiB beyond the first MiB. An honest push needs a millisecond for
            // that much.
            Self::Seconds => {
                return Allowance {
                    base: 8,
                    for_each_kib: 0,
                };
            }
        };
        Allowance { base, for_each_kib }
    }

    /// Returns the allowance in a user's own clone. It grows with the bytes stored.
    pub fn in_a_clone(self) -> Allowance {
        let server = self.on_a_server();
        match self {
            Self::ObjectBytes => Allowance {
                base: MEMORY_IN_A_CLONE,
                for_each_kib: 0,
            },
            // Unbounded: the user can stop the command, and knows what else needs the memory.
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

/// Most bytes of memory for one object in a clone.
pub const MEMORY_IN_A_CLONE: u64 = 2 << 30;

/// Size of a push in bytes up to which it gets no more than the base time.
pub const SMALL: u64 = 1 << 20;

/// Bytes beyond [`SMALL`] for which a push gets one more second.
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
