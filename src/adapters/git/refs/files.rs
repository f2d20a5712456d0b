//! Refs that are kept in files, read and written by the library.

use gix::bstr::ByteSlice;
use gix::refs::transaction::{Change as Edit, LogChange, PreviousValue, RefEdit, RefLog};
use gix::refs::{FullName, Target};
use gix::revision::plumbing::Spec;

use super::{Change, HeadRef, Ref, RefFault, Unresolved, process};
use crate::adapters::git::{Repository, explain, from_gix, to_gix};
use crate::format::object_id::ObjectId;
use crate::format::reflog::Reflog;

/// Name of this format.
const FILES: &str = "files";

pub(super) fn below(repo: &gix::Repository, prefix: &str) -> Result<Vec<Ref>, RefFault> {
    let platform = repo.references().map_err(|e| fault(&e))?;
    let Ok(refs) = platform.prefixed(prefix) else {
        return Ok(Vec::new());
    };
    refs.map(|found| Ok(read(found.map_err(|e| RefFault::Library(explain(&e)))?)))
        .collect()
}

pub(super) fn named(repo: &gix::Repository, names: &[String]) -> Result<Vec<Ref>, RefFault> {
    let mut found = Vec::new();
    for name in names {
        if FullName::try_from(name.as_str()).is_ok() {
            found.extend(repo.try_find_reference(name.as_str()).map_err(|e| fault(&e))?.map(read));
        }
    }
    Ok(found)
}

fn read(mut found: gix::Reference<'_>) -> Ref {
    // To follow the ref changes its name.
    let name = found.name().as_bstr().to_owned();
    let target = found.target();
    let symbolic = target.try_name().map(|name| name.as_bstr().to_string());
    let id = match found.try_id() {
        Some(id) => Some(from_gix(&id)),
        None => found.follow_to_object().ok().map(|id| from_gix(&id)),
    };
    Ref { name, symbolic, id }
}

pub(super) fn head(repo: &gix::Repository) -> Result<HeadRef, RefFault> {
    let name = repo.head_name().ok().flatten();
    Ok(HeadRef {
        branch: name.map(|name| name.as_bstr().to_str_lossy().into_owned()),
        is_born: repo.head_id().is_ok(),
    })
}

/// Returns the id that a revision names. If the library does not find one, git is asked: it knows more kinds of names,
/// such as abbreviated ids in a repository with SHA-256.
pub(super) fn resolve(repo: &Repository, rev: &str) -> Result<ObjectId, Unresolved> {
    let local = repo.local();
    let error = match local.rev_parse(rev).map(|spec| spec.detach()) {
        Ok(Spec::Include(id)) => return Ok(from_gix(&id)),
        Ok(_) => return Err(Unresolved::Several),
        Err(error) => error,
    };
    match local.head() {
        Ok(_) if error.is_not_found() => {
            if let Some(id) = target_of(&local, rev) {
                return Err(Unresolved::Missing(from_gix(&id)));
            }
        }
        Ok(_) => {}
        Err(error) => return Err(Unresolved::Fault(fault(&error))),
    }
    match process::resolve(repo, FILES, rev) {
        // git could not be run, or refuses to read the repository.
        Err(Unresolved::Fault(_)) if error.is_not_found() => Err(Unresolved::NotFound),
        Err(Unresolved::Fault(_)) => Err(Unresolved::Said(explain(&error))),
        answer => answer,
    }
}

/// Returns the id that a reference resolves to, even if this clone does not have the object.
fn target_of(repo: &gix::Repository, rev: &str) -> Option<gix::ObjectId> {
    let mut reference = repo.find_reference(rev).ok()?;
    Some(reference.follow_to_object().ok()?.detach())
}

pub(super) fn change(repo: &gix::Repository, changes: &[Change]) -> Result<(), RefFault> {
    let edit = |change: &Change| RefEdit {
        change: match &change.id {
            Some(id) => Edit::Update {
                log: LogChange::default(),
                expected: PreviousValue::Any,
                new: Target::Object(to_gix(id)),
            },
            None => Edit::Delete {
                expected: PreviousValue::Any,
                log: RefLog::AndReference,
            },
        },
        name: FullName::try_from(change.name.as_str()).expect("only refs with valid names are changed"),
        deref: false,
    };
    // If the configuration requires a reflog for every ref, git needs an author for the entry.
    let author = gix::actor::SignatureRef {
        name: "git-pack".into(),
        email: "".into(),
        time: "0 +0000",
    };
    let edited = repo.edit_references_as(changes.iter().map(edit), Some(author));
    edited.map(drop).map_err(|e| fault(&e))
}

pub(super) fn reflog(repo: &gix::Repository, name: &str) -> Option<Reflog> {
    let reference = repo.find_reference(name).ok()?;
    let mut log = reference.log_iter();
    let last = log.rev().ok()??.next()?.ok()?;
    let mut first = log.all().ok()??;
    let first = first.next()?.ok()?;
    let before = first.previous_oid();
    Some(Reflog {
        before: (!before.is_null()).then(|| from_gix(&before)),
        first: first.message.to_str_lossy().into_owned(),
        now: from_gix(&last.new_oid),
        last: last.message.to_str_lossy().into_owned(),
    })
}

fn fault(error: &(dyn std::error::Error + 'static)) -> RefFault {
    RefFault::Library(explain(error))
}
