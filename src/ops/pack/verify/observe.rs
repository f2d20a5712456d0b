//! Gathers all observations of a pack, in one pass over its members.

use std::collections::{BTreeMap, BTreeSet};

use crate::adapters::pack_dir::{FoundInPack, MemberRead};
use crate::format::object_id::ObjectId;
use crate::ops::pack::verify::Source;
use crate::ops::pack::verify::look::{Looker, Seen};
use crate::refusal::Result;
use crate::rules::content::UnpackBudget;
use crate::rules::pack::documents::PackDocuments;
use crate::rules::pack::observed::{Fact, Facts, Observed};
use crate::rules::pack::places::copied;
use crate::rules::pack::plain::blobs_asked;

/// Observes a pack.
pub(super) fn observe(source: &Source<'_>, budget: &UnpackBudget) -> Result<Observed> {
    let mut observed = Observed::of(source.manifest()?);
    let found = members(source, &observed, budget)?;
    observed.plain.members.reserve_exact(found.len());
    let mut documents = BTreeMap::new();
    let facts = found.into_iter().map(|(path, found)| {
        let fact = match found {
            FoundInPack::Read(read) => {
                let MemberRead { hash, size, seen } = read;
                keep(
                    &mut observed,
                    &mut documents,
                    String::from_utf8_lossy(&path).into_owned(),
                    seen,
                );
                Fact::Hashed { hash, size }
            }
            FoundInPack::Undeclared => Fact::Undeclared,
            FoundInPack::NotRegular(kind) => Fact::NotRegular(kind),
            FoundInPack::EmptyDirectory => Fact::EmptyDirectory,
            FoundInPack::Unreadable(why) => Fact::Unreadable(why),
            FoundInPack::UnreadableDirectory(why) => Fact::UnreadableDirectory(why),
        };
        (path, fact)
    });
    let facts: Facts = facts.collect();
    observed.facts = facts;
    observed.documents = PackDocuments::parse(documents);
    observed.plain.blobs = blobs(source, &observed)?;
    Ok(observed)
}

/// Reads and examines the members.
fn members(
    source: &Source<'_>,
    observed: &Observed,
    budget: &UnpackBudget,
) -> Result<Vec<(Vec<u8>, FoundInPack<Seen>)>> {
    let members = observed.manifest.members.iter();
    let declared: BTreeSet<&[u8]> = members.map(|member| member.path.as_bytes()).collect();
    let looker = Looker::of(observed, budget);
    source.observe(&declared, &|path, member, size| looker.look(path, member, size))
}

/// Adds the observations of a member.
fn keep(observed: &mut Observed, documents: &mut BTreeMap<String, Option<Vec<u8>>>, path: String, seen: Seen) {
    match seen {
        Seen::Nothing => {}
        Seen::Document(bytes) => drop(documents.insert(path, bytes)),
        Seen::Header(header) => drop(observed.headers.insert(path, *header)),
        Seen::Texts(texts) => drop(observed.texts.members.insert(path, *texts)),
        Seen::Plain {
            traits,
            conformity,
            is_text,
        } => {
            if let (Some(is_text), Some(entry)) = (is_text, copied(&path)) {
                observed.texts.copies.insert(entry.to_owned(), is_text);
            }
            if let Some(conformity) = conformity {
                observed.typed.add(&path, *conformity);
            }
            observed.plain.members.push((path, traits));
        }
    }
}

/// Returns the blob ids that the rules ask for.
fn blobs(source: &Source<'_>, observed: &Observed) -> Result<BTreeMap<String, ObjectId>> {
    let mut blobs = BTreeMap::new();
    if let Some(asked) = blobs_asked(observed) {
        for path in asked.paths {
            if let Some(blob) = source.blob_of(&path, &asked.like)? {
                blobs.insert(path, blob);
            }
        }
    }
    Ok(blobs)
}
