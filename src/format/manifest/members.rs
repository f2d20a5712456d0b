//! The members that a manifest declares, read one by one.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use crate::format::digest::Digest;
use crate::format::manifest::fields::{Departure, Malformed, null_departure, optional_text, shape, text};
use crate::format::manifest::{MAX_HELD, MemberType};

/// A member as a manifest declares it, before any check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The path as written. [`MemberPath::parse`](crate::format::member_path::MemberPath::parse) decides whether it is
    /// safe.
    pub path: String,
    /// The hash as written.
    pub bytes_hash: DeclaredRef,
    /// The type as written.
    pub kind: Cow<'static, str>,
    /// The artifact version as written.
    pub artifact_version: Option<String>,
}

impl Declared {
    /// Returns how many bytes of memory the member takes.
    fn held(&self) -> u64 {
        let hash = match &self.bytes_hash {
            DeclaredRef::Digest(_) => 0,
            DeclaredRef::Other(text) => text.len(),
        };
        let kind = match &self.kind {
            Cow::Borrowed(_) => 0,
            Cow::Owned(kind) => kind.len(),
        };
        let version = self.artifact_version.as_ref().map_or(0, String::len);
        (size_of::<Self>() + self.path.len() + hash + kind + version) as u64
    }
}

/// A declared content ref, which may be malformed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeclaredRef {
    /// A valid content ref.
    Digest(Digest),
    /// Any other text.
    Other(String),
}

impl DeclaredRef {
    fn of(text: &str) -> Self {
        Digest::parse_ref(text).map_or_else(|| Self::Other(text.to_owned()), Self::Digest)
    }

    /// Returns the digest. `None` if the ref is malformed.
    pub fn digest(&self) -> Option<Digest> {
        match self {
            Self::Digest(digest) => Some(*digest),
            Self::Other(_) => None,
        }
    }
}

impl fmt::Display for DeclaredRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => digest.fmt(f),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// Most violations listed for one manifest. A short manifest could have very many.
const MAX_VIOLATIONS: usize = 1000;

/// Collects the members of a manifest one by one.
#[derive(Default)]
pub(super) struct MemberList {
    pub(super) members: Vec<Declared>,
    pub(super) violations: Vec<(String, String)>,
    /// The first departure.
    pub(super) departure: Option<Departure>,
    /// The fault at which collecting stopped.
    pub(super) malformed: Option<Malformed>,
    seen: usize,
    /// Bytes of memory that the members take.
    held: u64,
}

impl MemberList {
    pub(super) fn read(&mut self, item: Value) {
        if self.malformed.is_none()
            && let Err(why) = self.add(item)
        {
            self.malformed = Some(why);
        }
        self.seen += 1;
    }

    fn add(&mut self, item: Value) -> Result<(), Malformed> {
        let Value::Object(mut item) = item else {
            return Err(shape(&format!("members[{}] is not an object", self.seen)));
        };
        let path = text("path", item.remove("path"))?;
        let bytes_hash = text("bytes_hash", item.remove("bytes_hash"))?;
        let kind = text("type", item.remove("type"))?;
        let artifact_version = item.remove("artifact_version");
        if let Some(departure) = null_departure(&path, artifact_version.as_ref()) {
            self.departure.get_or_insert(departure);
        }
        let artifact_version = optional_text("artifact_version", artifact_version)?;
        for key in item.keys() {
            self.violate(&path, || format!("unknown field {key:?}"));
        }
        self.push(&path, &bytes_hash, &kind, artifact_version)
    }

    /// Adds a member, and judges its values. Refuses one for which there is no memory left.
    pub(super) fn push(
        &mut self,
        path: &str,
        bytes_hash: &str,
        kind: &str,
        artifact_version: Option<String>,
    ) -> Result<(), Malformed> {
        let bytes_hash = DeclaredRef::of(bytes_hash);
        if let DeclaredRef::Other(text) = &bytes_hash {
            self.violate(path, || format!("bytes_hash is not a content ref: {text:?}"));
        }
        let known = MemberType::parse(kind).map(MemberType::as_str);
        if known.is_none() {
            self.violate(path, || format!("unknown type {kind:?}"));
        }
        if self.members.last().is_some_and(|last| last.path.as_str() > path) {
            self.violate(path, || "members are not sorted bytewise by path".into());
        }
        let member = Declared {
            path: path.to_owned(),
            bytes_hash,
            kind: known.map_or_else(|| Cow::Owned(kind.to_owned()), Cow::Borrowed),
            artifact_version,
        };
        self.held += member.held();
        if self.held > MAX_HELD {
            return Err(shape(&format!("its members take more than {MAX_HELD} bytes of memory")));
        }
        self.members.push(member);
        Ok(())
    }

    fn violate(&mut self, path: &str, what: impl FnOnce() -> String) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push((path.to_owned(), what()));
        }
    }
}
