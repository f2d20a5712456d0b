//! Reads the tables of a flatbuffer at the start of a content.

use super::sample::Sample;

/// A flatbuffer that begins at `start` and of which nothing lies at `end` or beyond.
pub struct Flatbuffer<'a> {
    pub sample: &'a Sample<'a>,
    pub start: usize,
    pub end: usize,
}

impl Flatbuffer<'_> {
    /// Returns the place of the table to which the offset at `at` leads.
    pub fn table(&self, at: usize) -> Option<usize> {
        let table = at.checked_add(usize::try_from(self.sample.u32(at)?).ok()?)?;
        (table < self.end).then_some(table)
    }

    /// Returns the place of a field of a table, if the table has it.
    pub fn field(&self, table: usize, index: usize) -> Option<usize> {
        let virtual_table = i64::try_from(table).ok()? - i64::from(self.sample.i32(table)?);
        let virtual_table = usize::try_from(virtual_table)
            .ok()
            .filter(|at| (self.start..self.end).contains(at))?;
        let fields = usize::from(self.sample.u16(virtual_table)?);
        let slot = 4 + 2 * index;
        if fields < slot + 2 {
            return None;
        }
        let offset = usize::from(self.sample.u16(virtual_table + slot)?);
        (offset != 0).then_some(table + offset)
    }
}
