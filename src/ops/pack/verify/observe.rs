//! Gathers all observations of a pack, in one pass over its members.

use std::collections::BTreeMap;
use std::io;

use crate::adapters::pack_dir::{self, FoundInPack, MemberRead};
use crate::format::digest::Digest;
use crate::format::line_ends::{Conversions, LineEnds};
use crate::format::manifest::{ManifestDocument, MemberIndex};
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
use crate::rules::pack::observed::{
    Fact, Facts, FactsInOrder, Headers, Observed, PlainMembers, TextMembers, TypedMembers,
};
use crate::rules::pack::places::{copied, in_directory};
use crate::rules::pack::plain::blobs_asked;

/// Observes a pack.
pub(super) fn observe(source: &Source<'_>, budget: &UnpackBudget) -> Result<Observed> {
    let mut observed = Observed::of(source.manifest()?);
    let has_texts = |path: &str| in_directory(path, FULL) || in_directory(path, SPLIT);
    if !tokens::IS_HERE && observed.manifest.members.iter().any(|member| has_texts(member.path)) {
        return Err(Refusal::Unsupported(Unsupported::Tokens));
    }
    let mut seen = SeenMembers::default();
    members(source, &observed, budget, &mut seen)?;
    let SeenMembers {
        facts,
        documents,
        headers,
        plain,
        texts,
        typed,
    } = seen;
    (observed.headers, observed.plain, observed.texts, observed.typed) = (headers, plain, texts, typed);
    observed.line_ends = line_ends(source, &observed.manifest, &facts)?;
    observed.facts = facts;
    observed.documents = PackDocuments::parse(documents);
    observed.plain.blobs = blobs(source, &observed)?;
    observed.texts.joined = join(source, &observed.texts, budget)?;
    Ok(observed)
}

/// What was seen so far of the members and of everything beside them.
#[derive(Default)]
struct SeenMembers {
    facts: Facts,
    documents: BTreeMap<String, ReadDocument>,
    headers: Headers,
    plain: PlainMembers,
    texts: TextMembers,
    typed: TypedMembers,
}

/// Reads and examines the members.
fn members(source: &Source<'_>, observed: &Observed, budget: &UnpackBudget, seen: &mut SeenMembers) -> Result<()> {
    let declared = MemberIndex::of(&observed.manifest.members);
    let looker = Looker::of(observed, budget);
    source.observe(
        &|path| declared.has(path),
        &|path, member, size| looker.look(path, member, size),
        &mut |path, found| seen.add(path, found),
    )
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
            let found = in_order.get(member.path)?;
            let differs = matches!(found, Fact::Hashed { hash, .. } if *hash != declared);
            differs.then_some((member.path, declared))
        })
        .collect();
    if others.is_empty() {
        return Ok(BTreeMap::new());
    }
    let differs = |path: &[u8]| std::str::from_utf8(path).is_ok_and(|path| others.contains_key(path));
    let convert = |path: &str, member: &mut dyn io::Read, _: u64| {
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
    };
    let mut ends_of = BTreeMap::new();
    pack_dir::observe(root, &differs, None, &convert, &mut |path, found| {
        if let FoundInPack::Read(MemberRead { seen: Some(ends), .. }) = found {
            ends_of.insert(String::from_utf8_lossy(path).into_owned(), ends.other());
        }
    })?;
    Ok(ends_of)
}

impl SeenMembers {
    /// Adds what was found at a path.
    fn add(&mut self, path: &[u8], found: FoundInPack<Seen>) {
        let mut is_plain = false;
        let fact = match found {
            FoundInPack::Read(read) => {
                let MemberRead { hash, size, seen } = read;
                is_plain = matches!(seen, Seen::Plain { .. });
                self.keep(path, size, seen);
                Fact::Hashed { hash, size }
            }
            FoundInPack::Undeclared => Fact::Undeclared,
            FoundInPack::NotRegular(kind) => Fact::NotRegular(kind),
            FoundInPack::EmptyDirectory => Fact::EmptyDirectory,
            FoundInPack::Unreadable(why) => Fact::Unreadable(why.into()),
            FoundInPack::UnreadableDirectory(why) => Fact::UnreadableDirectory(why.into()),
        };
        self.facts.add(path, fact);
        self.plain.examined.push(is_plain);
    }

    /// Adds the observations of a member.
    fn keep(&mut self, path: &[u8], size: u64, seen: Seen) {
        let path = String::from_utf8_lossy(path);
        match seen {
            Seen::Nothing => {}
            Seen::Document(read) => drop(self.documents.insert(path.into_owned(), *read)),
            Seen::Header(header) => drop(self.headers.insert(path.into_owned(), *header)),
            Seen::Texts(texts) => drop(self.texts.members.insert(path.into_owned(), *texts)),
            Seen::Plain {
                traits,
                conformity,
                is_text,
                genome,
            } => {
                if let Some(start_of_file) = genome {
                    self.typed.genomes.push(SeenPack {
                        path: path.clone().into_owned(),
                        size,
                        start_of_file: start_of_file.into_vec(),
                    });
                }
                if let (Some(is_text), Some(entry)) = (is_text, copied(&path)) {
                    self.texts.copies.insert(entry.to_owned(), is_text);
                }
                if let Some(conformity) = conformity {
                    self.typed.add(&path, *conformity);
                }
                if let Some(traits) = traits {
                    self.plain.traits.insert(path.into_owned(), traits);
                }
            }
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
