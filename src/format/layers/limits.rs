//! How much is unpacked, of one blob and of all that are judged together.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much of the layers of one blob is opened, so that a small file that unpacks to a huge one costs little.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The bytes that one member of an archive yields at most.
    pub member: u64,
    /// The bytes that decompression yields at most, all layers and members together.
    pub total: u64,
    /// How many members of archives are opened, all archives together.
    pub members: usize,
    /// The bytes that decoders keep to refer back to, all that work at a time together.
    pub windows: u64,
}

/// What unpacking may cost in one judgement, shared by all threads that work on it. One unit is about what it takes to
/// inflate a byte.
#[derive(Debug)]
pub struct UnpackBudget(AtomicU64);

impl UnpackBudget {
    /// Makes a budget of so many units.
    pub const fn of(units: u64) -> Self {
        Self(AtomicU64::new(units))
    }

    /// Returns how many units are left.
    pub fn left(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn spend(&self, units: u64) {
        let spent = |left: u64| Some(left.saturating_sub(units));
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spent).ok();
    }
}

/// What one member costs besides its bytes.
const MEMBER: u64 = 4096;

/// What is left of the bounds while one blob is examined.
pub struct Limits<'a> {
    member: u64,
    total: Cell<u64>,
    members: Cell<usize>,
    windows: Cell<u64>,
    budget: Option<&'a UnpackBudget>,
}

impl<'a> Limits<'a> {
    /// Begins with all that the bounds allow, and what is left of the budget.
    pub fn new(bounds: &Bounds, budget: Option<&'a UnpackBudget>) -> Self {
        Self {
            member: bounds.member,
            total: Cell::new(bounds.total),
            members: Cell::new(bounds.members),
            windows: Cell::new(bounds.windows),
            budget,
        }
    }

    /// Returns how many bytes one member may yield.
    pub(super) fn member(&self) -> u64 {
        self.member
    }

    /// Returns how many bytes may still be decompressed where one costs `price`.
    pub(super) fn room(&self, price: u64) -> u64 {
        let affordable = self.budget.map_or(u64::MAX, |budget| budget.left() / price.max(1));
        self.total.get().min(affordable)
    }

    /// Counts bytes that were decompressed.
    pub(super) fn spend(&self, bytes: u64, price: u64) {
        self.total.set(self.total.get().saturating_sub(bytes));
        self.pay(bytes.saturating_mul(price));
    }

    /// Pays for work that yields nothing.
    pub(super) fn pay(&self, units: u64) {
        if let Some(budget) = self.budget {
            budget.spend(units);
        }
    }

    /// Begins another member; returns whether there may be one.
    pub(super) fn begin_member(&self) -> bool {
        let left = self.members.get();
        self.members.set(left.saturating_sub(1));
        self.pay(MEMBER);
        left > 0 && self.budget.is_none_or(|budget| budget.left() > 0)
    }

    /// Returns how much memory a decoder may still have for its window.
    pub(super) fn window_left(&self) -> u64 {
        self.windows.get()
    }

    /// Takes memory for a window until the result is dropped; none if there is not as much.
    pub(super) fn window(&self, bytes: u64) -> Option<Window<'_>> {
        self.windows.set(self.windows.get().checked_sub(bytes)?);
        Some(Window {
            windows: &self.windows,
            bytes,
        })
    }
}

/// Memory that a decoder takes.
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
