//! The members that a manifest declares, read one by one.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::format::digest::Digest;
use crate::format::manifest::fields::{Departure, Malformed, null_departure, optional_text, shape, text};
use crate::format::manifest::{MAX_HELD, MemberType};
use crate::format::name_list::NameList;

/// A member as a manifest declares it, before any check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared<'a> {
    /// The path as written. [`MemberPath::parse`](crate::format::member_path::MemberPath::parse) decides whether it is
    /// safe.
    pub path: &'a str,
    /// The hash as written.
    pub bytes_hash: DeclaredRef<'a>,
    /// The type as written.
    pub kind: &'a str,
    /// The artifact version as written.
    pub artifact_version: Option<&'a str>,
}

/// A declared content ref, which may be malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeclaredRef<'a> {
    /// A valid content ref.
    Digest(Digest),
    /// Any other text.
    Other(&'a str),
}

impl DeclaredRef<'_> {
    /// Returns the digest. `None` if the ref is malformed.
    pub fn digest(&self) -> Option<Digest> {
        match self {
            Self::Digest(digest) => Some(*digest),
            Self::Other(_) => None,
        }
    }
}

impl fmt::Display for DeclaredRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => digest.fmt(f),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// The members that a manifest declares, in its order. A pack may have very many, so most of them take only their path, their
/// hash and their type.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct DeclaredMembers {
    paths: NameList,
    hashes: Vec<Digest>,
    kinds: Vec<MemberType>,
    /// What some members have besides, by their places.
    odd: BTreeMap<usize, Odd>,
    /// Whether a path is not greater than the one before.
    is_disordered: bool,
}

/// What only some members have.
#[derive(Debug, Default, PartialEq, Eq)]
struct Odd {
    /// The hash as written, if it is not a content ref.
    bytes_hash: Option<Box<str>>,
    /// The type as written, if it is not a known one.
    kind: Option<Box<str>>,
    artifact_version: Option<Box<str>>,
}

impl Odd {
    fn texts(&self) -> [&Option<Box<str>>; 3] {
        [&self.bytes_hash, &self.kind, &self.artifact_version]
    }
}

impl DeclaredMembers {
    /// Returns the number of members.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Returns whether the list is empty.
    #[cfg(feature = "internals")]
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Returns a member by its place.
    pub fn get(&self, at: usize) -> Declared<'_> {
        let odd = self.odd.get(&at);
        let written = |text: fn(&Odd) -> &Option<Box<str>>| odd.and_then(|odd| text(odd).as_deref());
        Declared {
            path: self.paths.text(at),
            bytes_hash: match written(|odd| &odd.bytes_hash) {
                Some(text) => DeclaredRef::Other(text),
                None => DeclaredRef::Digest(self.hashes[at]),
            },
            kind: written(|odd| &odd.kind).unwrap_or(self.kinds[at].as_str()),
            artifact_version: written(|odd| &odd.artifact_version),
        }
    }

    /// Returns the declared digest of a member. `None` if its ref is malformed.
    pub fn digest(&self, at: usize) -> Option<Digest> {
        let is_malformed = !self.odd.is_empty() && self.odd.get(&at).is_some_and(|odd| odd.bytes_hash.is_some());
        (!is_malformed).then(|| self.hashes[at])
    }

    /// Returns all members, in the order of the manifest.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Declared<'_>> + Clone {
        (0..self.len()).map(|at| self.get(at))
    }

    /// Keeps the members whose path `keep` accepts.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        let mut kept = Self::default();
        for member in self.iter().filter(|member| keep(member.path)) {
            kept.push(member);
        }
        *self = kept;
    }

    /// Adds a member. Returns how many bytes of memory it takes.
    fn push(&mut self, member: Declared<'_>) -> u64 {
        let last = self.paths.last();
        self.is_disordered |= last.is_some_and(|last| last >= member.path.as_bytes());
        let known = MemberType::parse(member.kind);
        let odd = Odd {
            bytes_hash: match member.bytes_hash {
                DeclaredRef::Digest(_) => None,
                DeclaredRef::Other(text) => Some(text.into()),
            },
            kind: known.is_none().then(|| member.kind.into()),
            artifact_version: member.artifact_version.map(Box::from),
        };
        let mut held = (member.path.len() + size_of::<(usize, Digest, MemberType)>()) as u64;
        if odd != Odd::default() {
            let texts = odd.texts().into_iter().flatten().map(|text| text.len());
            held += (size_of::<(usize, Odd)>() * 3 / 2 + texts.sum::<usize>()) as u64;
            self.odd.insert(self.len(), odd);
        }
        self.paths.push(member.path.as_bytes());
        self.hashes
            .push(member.bytes_hash.digest().unwrap_or(Digest::from_bytes([0; 32])));
        self.kinds.push(known.unwrap_or(MemberType::Other));
        held
    }
}

/// Finds the members of a manifest by their paths, whatever their order in it.
pub struct MemberIndex<'a> {
    members: &'a DeclaredMembers,
    /// Their places in the order of their paths. `None` if the manifest has them in this order, none twice.
    order: Option<Vec<usize>>,
}

impl<'a> MemberIndex<'a> {
    /// Indexes the members of a manifest.
    pub fn of(members: &'a DeclaredMembers) -> Self {
        Self {
            members,
            order: members.is_disordered.then(|| members.paths.order()),
        }
    }

    /// Returns whether a member has this path.
    pub fn has(&self, path: &[u8]) -> bool {
        let paths = &self.members.paths;
        match &self.order {
            None => paths.search(path).is_ok(),
            Some(order) => order.binary_search_by(|at| paths.get(*at).cmp(path)).is_ok(),
        }
    }

    /// Returns whether the manifest names each path once, in their order.
    pub fn is_sorted(&self) -> bool {
        self.order.is_none()
    }

    /// Returns the paths, sorted and without duplicates.
    pub fn paths(&self) -> impl Iterator<Item = &'a str> {
        let members = self.members;
        let place = |at: usize| self.order.as_ref().map_or(at, |order| order[at]);
        let repeats = move |at: usize| at > 0 && members.paths.get(place(at)) == members.paths.get(place(at - 1));
        let places = (0..members.len()).filter(move |at| !repeats(*at));
        places.map(move |at| members.paths.text(place(at)))
    }
}

/// Most violations listed for one manifest. A short manifest could have very many.
const MAX_VIOLATIONS: usize = 1000;

/// Collects the members of a manifest one by one.
#[derive(Default)]
pub(super) struct MemberList {
    pub(super) members: DeclaredMembers,
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
        self.push(&path, &bytes_hash, &kind, artifact_version.as_deref())
    }

    /// Adds a member, and judges its values. Refuses one for which there is no memory left.
    pub(super) fn push(
        &mut self,
        path: &str,
        bytes_hash: &str,
        kind: &str,
        artifact_version: Option<&str>,
    ) -> Result<(), Malformed> {
        let bytes_hash = Digest::parse_ref(bytes_hash).map_or(DeclaredRef::Other(bytes_hash), DeclaredRef::Digest);
        if let DeclaredRef::Other(text) = bytes_hash {
            self.violate(path, || format!("bytes_hash is not a content ref: {text:?}"));
        }
        if MemberType::parse(kind).is_none() {
            self.violate(path, || format!("unknown type {kind:?}"));
        }
        if self.members.paths.last().is_some_and(|last| last > path.as_bytes()) {
            self.violate(path, || "members are not sorted bytewise by path".into());
        }
        let held = self.members.push(Declared {
            path,
            bytes_hash,
            kind,
            artifact_version,
        });
        self.held += held;
        match self.held > MAX_HELD {
            true => Err(shape(&format!("its members take more than {MAX_HELD} bytes of memory"))),
            false => Ok(()),
        }
    }

    fn violate(&mut self, path: &str, what: impl FnOnce() -> String) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push((path.to_owned(), what()));
        }
    }
}
