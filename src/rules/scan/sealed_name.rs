//! Names that claim that a file is sealed.

use crate::format::agent::private::{PrivateKind, SUFFIX};

/// Suffix of the name of an age file.
const AGE: &[u8] = b".age";

/// What the name of a file claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedName {
    /// That it is an age file: `*.age`.
    Age,
    /// That it is a sealed private file of an agent.
    Private(PrivateKind),
}

impl SealedName {
    /// Returns what a path claims, without regard to case. `None` if it does not claim that the file is sealed.
    pub fn of(path: &[u8]) -> Option<Self> {
        let path = path.to_ascii_lowercase();
        if path.ends_with(AGE) {
            return Some(Self::Age);
        }
        let mut segments = path.rsplit(|byte| *byte == b'/');
        let (name, directory) = (segments.next()?, segments.next()?);
        let plain = std::str::from_utf8(name.strip_suffix(SUFFIX.as_bytes())?).ok()?;
        let kind = PrivateKind::of_plain_name(plain)?;
        let is_private = directory == kind.directory().as_bytes() && segments.any(|segment| segment == b"agents");
        is_private.then_some(Self::Private(kind))
    }

    /// Returns the glob of such names.
    pub fn glob(self) -> String {
        match self {
            Self::Age => "**/*.age".into(),
            Self::Private(kind) => format!("**/agents/**/{}/{}{SUFFIX}", kind.directory(), kind.plain_name()),
        }
    }

    /// Returns what is wrong with such a file that does not even begin like a sealed one.
    pub fn fault(self) -> &'static str {
        match self {
            Self::Age => "it is not an age file",
            Self::Private(_) => "it is not a sealed private file",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_sealed_files_are_known_in_any_case() {
        for path in ["x.age", "a/b.VEC.AGE", ".age"] {
            assert_eq!(SealedName::of(path.as_bytes()), Some(SealedName::Age), "{path}");
        }
        for kind in PrivateKind::ALL {
            let file = format!("{}/{}.enc", kind.directory(), kind.plain_name());
            for path in [
                format!("agents/{file}"),
                format!("w/agents/00/u/{file}"),
                format!("w/Agents/00/u/{}", file.to_uppercase()),
            ] {
                assert_eq!(
                    SealedName::of(path.as_bytes()),
                    Some(SealedName::Private(kind)),
                    "{path}"
                );
            }
        }
    }

    #[test]
    fn other_names_claim_nothing() {
        for path in [
            "",
            "age",
            "x.age.txt",
            "agents/u/secrets.json.enc",
            "agents/u/format.json.enc",
            "agents/u/g3_information/session.json.enc",
            "agents/u/g3_information/format.json",
            "agents/u/g3_information/x/format.json.enc",
            "g3_information/format.json.enc",
            "myagents/u/g3_information/format.json.enc",
        ] {
            assert_eq!(SealedName::of(path.as_bytes()), None, "{path}");
        }
    }
}
