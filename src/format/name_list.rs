//! Many names in one piece of memory, which takes less of it than a string for each.

/// A list of names. Each takes its bytes and one number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameList {
    bytes: Vec<u8>,
    /// Where each name ends.
    ends: Vec<usize>,
}

impl NameList {
    /// Adds a name at the end.
    pub fn push(&mut self, name: &[u8]) {
        self.bytes.extend_from_slice(name);
        self.ends.push(self.bytes.len());
    }

    /// Returns the number of names.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether there is no name.
    #[cfg(feature = "internals")]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns a name by its place in the list.
    pub fn get(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[at]]
    }

    /// Returns a name by its place in a list of texts.
    pub fn text(&self, at: usize) -> &str {
        std::str::from_utf8(self.get(at)).expect("only texts were added")
    }

    /// Returns the last name.
    pub fn last(&self) -> Option<&[u8]> {
        self.len().checked_sub(1).map(|at| self.get(at))
    }

    /// Returns all names in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        (0..self.len()).map(|at| self.get(at))
    }

    /// Returns the place of a name in a sorted list, or else the place where it would have to be.
    pub fn search(&self, name: &[u8]) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle).cmp(name) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// Returns the place of a name in a sorted list. This is fast for names that mostly come in order: `next` is the place
    /// behind the one that was found last.
    pub fn search_from(&self, name: &[u8], next: &mut usize) -> Option<usize> {
        if *next >= self.len() || self.get(*next) != name {
            match self.search(name) {
                Ok(at) => *next = at,
                Err(at) => {
                    *next = at;
                    return None;
                }
            }
        }
        *next += 1;
        Some(*next - 1)
    }

    /// Returns the places of the names in bytewise order. Equal names keep their order.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by(|a, b| self.get(*a).cmp(self.get(*b)));
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_order_and_out_of_order() {
        let mut list = NameList::default();
        for name in ["b", "", "a/x", "c"] {
            list.push(name.as_bytes());
        }
        assert_eq!(list.order(), [1, 2, 0, 3]);
        let mut sorted = NameList::default();
        for at in list.order() {
            sorted.push(list.get(at));
        }
        assert_eq!(sorted.iter().collect::<Vec<_>>(), [&b""[..], b"a/x", b"b", b"c"]);
        assert_eq!(
            (sorted.text(1), sorted.last(), sorted.len()),
            ("a/x", Some(&b"c"[..]), 4)
        );
        assert_eq!((sorted.search(b"b"), sorted.search(b"bb")), (Ok(2), Err(3)));
        let mut next = 0;
        let places =
            ["", "a/x", "c", "b", "d", "", "aa", "b"].map(|name| sorted.search_from(name.as_bytes(), &mut next));
        assert_eq!(
            places,
            [Some(0), Some(1), Some(3), Some(2), None, Some(0), None, Some(2)]
        );
        assert_eq!(NameList::default().search_from(b"a", &mut 0), None);
    }
}
