//! Names that are near to a mistyped one.

/// How near a name must be, from 0 to 1.
const NEAR: f64 = 0.6;

/// Returns the name among `known` that is nearest to `typed`, if one is near.
pub fn similar<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = known
        .into_iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(typed, name), name));
    let near = near.filter(|(nearness, _)| *nearness > NEAR);
    near.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found() {
        let known = ["origin", "upstream", "docs"];
        assert_eq!(similar("orgin", known), Some("origin"));
        assert_eq!(similar("dosc", known), Some("docs"));
        assert_eq!(similar("xyz", known), None);
        // A word that shares only letters is not near.
        assert_eq!(similar("scope", ["completions", "store"]), None);
        assert_eq!(similar("stauts", ["audit", "state", "status"]), Some("status"));
        assert_eq!(similar("origin", []), None);
    }
}
