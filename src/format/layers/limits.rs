//! Limits on unpacking: for one blob, and for all blobs of one judgement.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// Limits on unpacking the layers of one blob, so that a small file that unpacks to a huge one costs little.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most bytes read of one member of an archive.
    pub member: u64,
    /// Most bytes of decompressed output, over all layers and members.
    pub total: u64,
    /// Most members opened, over all archives.
    pub members: usize,
    /// Most bytes of memory for the windows of all decoders that work at the same time.
    pub windows: u64,
}

/// The cost that unpacking may have in one judgement, shared by all of its threads. One unit is about the cost of
/// inflating a byte.
///
/// It bounds many small bombs, each of which is within the limits of one blob.
#[derive(Debug)]
pub struct UnpackBudget(AtomicU64);

impl UnpackBudget {
    /// Returns a budget of `units` units.
    pub const fn of(units: u64) -> Self {
        Self(AtomicU64::new(units))
    }

    /// Returns the number of units left.
    pub fn left(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn spend(&self, units: u64) {
        let spent = |left: u64| Some(left.saturating_sub(units));
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spent).ok();
    }
}

/// Cost of a member besides its bytes, in units.
const MEMBER: u64 = 4096;

/// The limits left while one blob is examined.
pub struct LayerLimits<'a> {
    member: u64,
    total: Cell<u64>,
    members: Cell<usize>,
    windows: Cell<u64>,
    budget: Option<&'a UnpackBudget>,
}

impl<'a> LayerLimits<'a> {
    /// Starts with the full bounds and the rest of the shared budget.
    pub fn new(bounds: &Bounds, budget: Option<&'a UnpackBudget>) -> Self {
        Self {
            member: bounds.member,
            total: Cell::new(bounds.total),
            members: Cell::new(bounds.members),
            windows: Cell::new(bounds.windows),
            budget,
        }
    }

    /// Returns the most bytes to read of one member.
    pub(super) fn member(&self) -> u64 {
        self.member
    }

    /// Returns the number of bytes that may still be decompressed if each costs `price` units.
    pub(super) fn room(&self, price: u64) -> u64 {
        let affordable = self.budget.map_or(u64::MAX, |budget| budget.left() / price.max(1));
        self.total.get().min(affordable)
    }

    /// Counts decompressed bytes.
    pub(super) fn spend(&self, bytes: u64, price: u64) {
        self.total.set(self.total.get().saturating_sub(bytes));
        self.pay(bytes.saturating_mul(price));
    }

    /// Pays for work that yields no output.
    pub(super) fn pay(&self, units: u64) {
        if let Some(budget) = self.budget {
            budget.spend(units);
        }
    }

    /// Counts another member. Returns whether it may be opened.
    pub(super) fn begin_member(&self) -> bool {
        let left = self.members.get();
        self.members.set(left.saturating_sub(1));
        self.pay(MEMBER);
        left > 0 && self.budget.is_none_or(|budget| budget.left() > 0)
    }

    /// Returns the bytes of memory left for windows.
    pub(super) fn window_left(&self) -> u64 {
        self.windows.get()
    }

    /// Reserves memory for a window until the result is dropped. `None` if not enough is left.
    pub(super) fn window(&self, bytes: u64) -> Option<Window<'_>> {
        self.windows.set(self.windows.get().checked_sub(bytes)?);
        Some(Window {
            windows: &self.windows,
            bytes,
        })
    }
}

/// Memory reserved for a decoder.
#[must_use = "the memory counts as free again when this is dropped"]
pub struct Window<'l> {
    windows: &'l Cell<u64>,
    bytes: u64,
}

impl Drop for Window<'_> {
    fn drop(&mut self) {
        self.windows.set(self.windows.get() + self.bytes);
    }
}
