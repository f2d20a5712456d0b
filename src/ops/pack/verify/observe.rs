//! Gathers all observations of a pack, in one pass over its members.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::adapters::pack_dir::{self, FoundInPack, MemberRead};
use crate::format::digest::Digest;
use crate::format::line_ends::{Conversions, LineEnds};
use crate::format::manifest::ManifestDocument;
use crate::format::object_id::ObjectId;
use crate::format::tokens;
use crate::format::tree_meta::{FULL, SPLIT};
use crate::ops::pack::source::Source;
use crate::ops::pack::verify::joined::join;
use crate::ops::pack::verify::look::{Looker, Seen};
use crate::refusal::unsupported::Unsupported;
use crate::refusal::{Refusal, Result};
use crate::rules::agent::genome::SeenPack;
use crate::rules::content::UnpackBudget;
use crate::rules::pack::documents::{PackDocuments, ReadDocument};
use crate::rules::pack::observed::{Fact, Facts, FactsInOrder, Observed};
use crate::rules::pack::places::{copied, in_directory};
use crate::rules::pack::plain::blobs_asked;

/// Observes a pack.
pub(super) fn observe(source: &Source<'_>, budget: &UnpackBudget) -> Result<Observed> {
    let mut observed = Observed::of(source.manifest()?);
    let has_texts = |path: &str| in_directory(path, FULL) || in_directory(path, SPLIT);
    if !tokens::IS_HERE && observed.manifest.members.iter().any(|member| has_texts(&member.path)) {
        return Err(Refusal::Unsupported(Unsupported::Tokens));
    }
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
                    size,
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
    observed.line_ends = line_ends(source, &observed.manifest, &facts)?;
    observed.facts = facts;
    observed.documents = PackDocuments::parse(documents);
    observed.plain.blobs = blobs(source, &observed)?;
    observed.texts.joined = join(source, &observed.texts, budget)?;
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

/// Reads the members of a pack on disk that do not have their declared hash once more. Returns those that would have it
/// with other line ends, and the line ends that they have.
fn line_ends(source: &Source<'_>, manifest: &ManifestDocument, facts: &Facts) -> Result<BTreeMap<String, LineEnds>> {
    let Some(root) = source.directory() else {
        return Ok(BTreeMap::new());
    };
    let members = manifest.members.iter();
    let mut in_order = FactsInOrder::of(facts);
    let others: BTreeMap<&str, Digest> = members
        .filter_map(|member| {
            let declared = member.bytes_hash.digest()?;
            let found = in_order.get(&member.path)?;
            let differs = matches!(found, Fact::Hashed { hash, .. } if *hash != declared);
            differs.then_some((member.path.as_str(), declared))
        })
        .collect();
    if others.is_empty() {
        return Ok(BTreeMap::new());
    }
    let paths = others.keys().map(|path| path.as_bytes()).collect();
    let read = pack_dir::observe(root, &paths, None, &|path, member, _| {
        let mut conversions = Conversions::default();
        let mut buffer = vec![0; 64 << 10];
        loop {
            match member.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => conversions.update(&buffer[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        let declared = others.get(path);
        Ok(declared.and_then(|declared| conversions.towards(declared)))
    })?;
    let found = read.into_iter().filter_map(|(path, found)| match found {
        FoundInPack::Read(MemberRead { seen: Some(ends), .. }) => {
            Some((String::from_utf8_lossy(&path).into_owned(), ends.other()))
        }
        _ => None,
    });
    Ok(found.collect())
}

/// Adds the observations of a member.
fn keep(observed: &mut Observed, documents: &mut BTreeMap<String, ReadDocument>, path: String, size: u64, seen: Seen) {
    match seen {
        Seen::Nothing => {}
        Seen::Document(read) => drop(documents.insert(path, *read)),
        Seen::Header(header) => drop(observed.headers.insert(path, *header)),
        Seen::Texts(texts) => drop(observed.texts.members.insert(path, *texts)),
        Seen::Plain {
            traits,
            conformity,
            is_text,
            genome,
        } => {
            if let Some(start_of_file) = genome {
                observed.typed.genomes.push(SeenPack {
                    path: path.clone(),
                    size,
                    start_of_file: start_of_file.into_vec(),
                });
            }
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
