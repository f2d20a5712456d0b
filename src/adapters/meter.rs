//! How far the work of this process is: counted where it is done, and shown by whoever looks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

static IS_ACTIVE: AtomicBool = AtomicBool::new(false);
static PHASES: AtomicU64 = AtomicU64::new(0);
static DONE: AtomicU64 = AtomicU64::new(0);
static TOTAL: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
static FILES: AtomicU64 = AtomicU64::new(0);
static SIZE: AtomicU64 = AtomicU64::new(0);

/// How far the work is at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Number of the phase, counted from 1.
    pub phase: u64,
    /// How many items of the phase are done.
    pub done: u64,
    /// How many items the phase has.
    pub total: u64,
    /// How many bytes were read or written in the phase.
    pub bytes: u64,
    /// How many files were opened in the phase.
    pub files: u64,
    /// The size of these files in bytes.
    pub size: u64,
}

/// A phase of the work. A phase within another one counts nothing.
pub(super) struct Phase {
    counts: bool,
}

impl Phase {
    /// Begins a phase of so many items.
    pub(super) fn of(items: usize) -> Self {
        let counts = items > 0 && !IS_ACTIVE.swap(true, Relaxed);
        if counts {
            DONE.store(0, Relaxed);
            BYTES.store(0, Relaxed);
            FILES.store(0, Relaxed);
            SIZE.store(0, Relaxed);
            TOTAL.store(items as u64, Relaxed);
            PHASES.fetch_add(1, Relaxed);
        }
        Self { counts }
    }

    /// Counts items that are done.
    pub(super) fn advance(&self, items: usize) {
        if self.counts {
            DONE.fetch_add(items as u64, Relaxed);
        }
    }
}

impl Drop for Phase {
    fn drop(&mut self) {
        if self.counts {
            IS_ACTIVE.store(false, Relaxed);
        }
    }
}

/// Counts bytes that were read or written.
pub(super) fn passed(bytes: usize) {
    BYTES.fetch_add(bytes as u64, Relaxed);
}

/// Counts a file that was opened.
pub(super) fn opened(size: u64) {
    FILES.fetch_add(1, Relaxed);
    SIZE.fetch_add(size, Relaxed);
}

/// Returns how far the work is. `None` between two phases.
pub fn reading() -> Option<Reading> {
    IS_ACTIVE.load(Relaxed).then(|| Reading {
        phase: PHASES.load(Relaxed),
        done: DONE.load(Relaxed),
        total: TOTAL.load(Relaxed),
        bytes: BYTES.load(Relaxed),
        files: FILES.load(Relaxed),
        size: SIZE.load(Relaxed),
    })
}
