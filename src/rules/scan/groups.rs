//! Groups leaks by directory, so that a person reads a screen, and not a line for each of 300 files.

use std::collections::BTreeMap;

/// The most groups that fit on a screen.
const MOST: usize = 24;

/// Groups items by the directory of their path and by their kind, sorted by both.
///
/// If these are too many groups, directories deeper than some depth count as the one above them, at the smallest loss.
pub fn by_directory<'a, T, K: Ord>(
    items: &'a [T],
    path: impl Fn(&'a T) -> &'a [u8],
    kind: impl Fn(&'a T) -> K,
) -> BTreeMap<(&'a [u8], K), Vec<&'a T>> {
    let grouped = |depth: usize| {
        let mut groups: BTreeMap<(&'a [u8], K), Vec<&'a T>> = BTreeMap::new();
        for item in items {
            let directory = directory(path(item), depth);
            groups.entry((directory, kind(item))).or_default().push(item);
        }
        groups
    };
    let deepest = items.iter().map(|item| slashes(path(item))).max().unwrap_or(0);
    let whole = grouped(deepest);
    if whole.len() <= MOST {
        return whole;
    }
    // The fewer levels count, the fewer groups there are.
    let (mut fits, mut exceeds) = (0, deepest);
    while exceeds - fits > 1 {
        let middle = fits.midpoint(exceeds);
        match grouped(middle).len() <= MOST {
            true => fits = middle,
            false => exceeds = middle,
        }
    }
    grouped(fits)
}

fn slashes(path: &[u8]) -> usize {
    path.iter().filter(|byte| **byte == b'/').count()
}

/// Returns the directory of a path with its slash, of at most `depth` levels. Empty at the top.
fn directory(path: &[u8], depth: usize) -> &[u8] {
    let mut ends = path
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'/')
        .map(|(at, _)| at + 1);
    match depth {
        0 => b"",
        depth => ends.by_ref().take(depth).last().map_or(b"", |end| &path[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(paths: &[String]) -> Vec<(String, usize)> {
        let groups = by_directory(paths, |path| path.as_bytes(), |path| path.ends_with('x'));
        let named = groups.iter().map(|((directory, _), paths)| (directory, paths.len()));
        named
            .map(|(directory, n)| (String::from_utf8(directory.to_vec()).unwrap(), n))
            .collect()
    }

    #[test]
    fn items_of_one_directory_and_kind_are_one_group() {
        let paths = ["a/1", "a/2", "a/x", "b/c/1", "top", "a/b/1"].map(str::to_owned);
        let expected = [("", 1), ("a/", 2), ("a/", 1), ("a/b/", 1), ("b/c/", 1)];
        assert_eq!(groups(&paths), expected.map(|(directory, n)| (directory.to_owned(), n)));
    }

    #[test]
    fn too_many_directories_count_as_the_one_above() {
        let deep: Vec<String> = (0..300).map(|n| format!("data/{}/{n}/v", n % 3)).collect();
        assert_eq!(groups(&deep), [0, 1, 2].map(|n| (format!("data/{n}/"), 100)));
        let flat: Vec<String> = (0..300).map(|n| format!("{n}/v")).collect();
        assert_eq!(groups(&flat), [(String::new(), 300)]);
        let few: Vec<String> = (0..MOST).map(|n| format!("{n}/v")).collect();
        assert_eq!(groups(&few).len(), MOST);
        assert_eq!(groups(&[]), []);
    }
}
