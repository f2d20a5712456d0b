//! Migrates the private files of one directory.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{MigratedFile, Migration, MigrationDeed};
use crate::adapters::agent_store::look::look_at_file;
use crate::adapters::agent_store::private::{
    DirectoryLock, MAX_FILE, ProvenFile, Unopenable, WholeFile, clean_beside, listed, opened,
};
use crate::adapters::agent_store::salt::random_salt;
use crate::adapters::files::{Over, ensure_writable};
use crate::format::agent::json::ensure_json;
use crate::format::agent::old::{self, OldFile};
use crate::format::agent::private::{MAX_CONTENT, PrivateHeader, PrivateKind, header_of};
use crate::ops::agent::private::ensure_named;
use crate::refusal::agent::AgentFault;
use crate::refusal::private_file::{LeftReason, PrivateFault};
use crate::refusal::{Refusal, Result};
use crate::rules::agent::migration::{Comparison, Encryption, PairVerdict, PlainSide, SealedSide, judge_pair};

/// The kind of something that is not a regular file.
type Unusual = Option<&'static str>;

/// A plaintext and the encrypted file beside it, as they were read.
struct Pair {
    kind: PrivateKind,
    plain: PathBuf,
    sealed: PathBuf,
    read_plain: Option<WholeFile>,
    read_sealed: Option<WholeFile>,
}

/// Migrates the files in a directory. Returns those that were changed or left.
pub(super) fn migrate(migration: &Migration, directory: &Path) -> Vec<MigratedFile> {
    in_directory(migration, directory).unwrap_or_else(|refused| vec![MigratedFile::left(directory, reason(&refused))])
}

fn in_directory(migration: &Migration, directory: &Path) -> Result<Vec<MigratedFile>> {
    // Two migrations of one directory wait for each other. The second one finds nothing to do.
    let lock = match migration.dry_run {
        true => None,
        false => Some(DirectoryLock::wait(directory)?),
    };
    let listed = listed(directory)?;
    let mut done = Vec::new();
    for kind in PrivateKind::ALL {
        let names = [kind.plain_name().to_owned(), kind.sealed_name()];
        let [plain_kind, sealed_kind] = [&names[0], &names[1]].map(|name| listed.get(OsStr::new(name)).copied());
        let [plain, sealed] = names.map(|name| directory.join(name));
        if let Some(lock) = &lock {
            clean_beside(&sealed, lock);
        }
        let mut pair = Pair {
            kind,
            plain,
            sealed,
            read_plain: None,
            read_sealed: None,
        };
        let verdict = pair.judged(migration, plain_kind, sealed_kind);
        let acts = verdict.encrypt.is_some() || verdict.removes_plain;
        let verdict = match ensure_writable(directory) {
            Err(refused) if acts => verdict.but_unwritable(&reason(&refused)),
            _ => verdict,
        };
        pair.carry_out(migration, verdict, lock.as_ref(), &mut done);
    }
    done.extend(misnamed(directory, &listed));
    Ok(done)
}

/// Returns the files of version 2 whose names are not those of private files. Nothing else would tell that anyone can read
/// them.
fn misnamed(directory: &Path, listed: &BTreeMap<OsString, Unusual>) -> Vec<MigratedFile> {
    let is_other = |name: &OsStr| {
        let name = name.to_str().unwrap_or_default();
        PrivateKind::of_plain_name(name).is_none() && PrivateKind::of_sealed_name(name).is_none()
    };
    let is_old = |path: &Path| {
        let seen = look_at_file(path, String::new()).ok();
        let header = seen.and_then(|seen| header_of(&seen.start_of_file));
        header.is_some_and(|(_, header)| header.version == old::VERSION)
    };
    let others = listed
        .iter()
        .filter(|(name, unusual)| unusual.is_none() && is_other(name));
    let paths = others.map(|(name, _)| directory.join(name)).filter(|path| is_old(path));
    paths
        .map(|path| MigratedFile::left(&path, LeftReason::Misnamed))
        .collect()
}

impl Pair {
    fn judged(&mut self, migration: &Migration, plain: Option<Unusual>, sealed: Option<Unusual>) -> PairVerdict {
        let plain = match plain {
            None => PlainSide::Absent,
            Some(unusual) => self.plain_side(unusual).unwrap_or_else(PlainSide::Unfit),
        };
        let sealed = match sealed {
            None => SealedSide::Absent,
            Some(unusual) => self
                .sealed_side(migration, unusual, &plain)
                .unwrap_or_else(SealedSide::Unfit),
        };
        judge_pair(plain, sealed)
    }

    fn plain_side(&mut self, unusual: Unusual) -> Result<PlainSide, LeftReason> {
        let file = read(&self.plain, unusual, MAX_CONTENT)?;
        ensure_one_name(&file)?;
        ensure_json(&file.bytes).map_err(|fault| LeftReason::Fault(PrivateFault::Json(fault)))?;
        let content = file.bytes.clone();
        self.read_plain = Some(file);
        Ok(PlainSide::Json(content))
    }

    fn sealed_side(
        &mut self,
        migration: &Migration,
        unusual: Unusual,
        plain: &PlainSide,
    ) -> Result<SealedSide, LeftReason> {
        let file = read(&self.sealed, unusual, MAX_FILE)?;
        let side = match PrivateHeader::parse(&file.bytes) {
            Ok(header) => {
                ensure_named(&self.sealed, header.kind).map_err(LeftReason::Fault)?;
                SealedSide::New(match plain {
                    PlainSide::Json(content) => compared(&file.bytes, content, migration),
                    _ => Comparison::Unneeded,
                })
            }
            Err(PrivateFault::OldVersion) => self.old_side(&file, migration)?,
            Err(fault) => return Err(LeftReason::Fault(fault)),
        };
        self.read_sealed = Some(file);
        Ok(side)
    }

    fn old_side(&self, file: &WholeFile, migration: &Migration) -> Result<SealedSide, LeftReason> {
        ensure_one_name(file)?;
        let old = OldFile::parse(&file.bytes).map_err(|why| LeftReason::Said(why.to_string()))?;
        ensure_named(&self.sealed, old.kind).map_err(LeftReason::Fault)?;
        let mut decoded = match migration.keys.is_empty() {
            true => old.decode_all(),
            false => migration.keys.iter().map(|key| old.decode(key)).collect(),
        };
        decoded.retain(|content| ensure_json(content).is_ok());
        let mut contents: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        for content in decoded {
            if !contents.contains(&content) {
                contents.push(content);
            }
        }
        Ok(SealedSide::Old {
            snapshot: old.snapshot,
            contents,
            by_key: !migration.keys.is_empty(),
        })
    }

    /// Does what the verdict says, and lists what was done. In a dry run, only lists it.
    fn carry_out(
        &self,
        migration: &Migration,
        verdict: PairVerdict,
        lock: Option<&DirectoryLock>,
        done: &mut Vec<MigratedFile>,
    ) {
        let mut add = |path: &Path, deed| {
            done.push(MigratedFile {
                path: path.to_owned(),
                deed,
            });
        };
        if let Some(encrypt) = &verdict.encrypt {
            let written = lock.map_or(Ok(()), |lock| self.encrypt(migration, encrypt, lock));
            match written {
                Ok(()) => add(&self.sealed, MigrationDeed::Encrypted),
                Err(refused) => {
                    let left = verdict.but_unwritable(&reason(&refused));
                    let sealed = left.sealed_left.map(|why| (&self.sealed, why));
                    let plain = left.plain_left.map(|why| (&self.plain, why));
                    for (path, why) in sealed.into_iter().chain(plain) {
                        add(path, MigrationDeed::Left(why));
                    }
                    return;
                }
            }
        }
        if let Some(why) = verdict.sealed_left {
            add(&self.sealed, MigrationDeed::Left(why));
        }
        if verdict.removes_plain {
            let removed = lock.map_or(Ok(()), |_| self.remove_plain());
            add(
                &self.plain,
                match removed {
                    Ok(()) => MigrationDeed::Removed,
                    Err(refused) => MigrationDeed::Left(reason(&refused)),
                },
            );
        }
        if let Some(why) = verdict.plain_left {
            add(&self.plain, MigrationDeed::Left(why));
        }
    }

    fn encrypt(&self, migration: &Migration, encrypt: &Encryption, lock: &DirectoryLock) -> Result<()> {
        let header = PrivateHeader::new(self.kind, encrypt.snapshot, random_salt()?);
        let sealed = ProvenFile::write(
            &self.sealed,
            &header,
            &encrypt.content,
            &migration.recipients,
            &migration.unattended,
        )?;
        match &self.read_sealed {
            Some(read) if encrypt.replaces => {
                read.ensure_same()?;
                sealed.place(Over::Anything, lock)
            }
            _ => sealed.place(Over::Nothing, lock),
        }
    }

    fn remove_plain(&self) -> Result<()> {
        self.read_plain.as_ref().map_or(Ok(()), WholeFile::remove)
    }
}

fn read(path: &Path, unusual: Unusual, max: u64) -> Result<WholeFile, LeftReason> {
    if let Some(kind) = unusual {
        return Err(LeftReason::NotRegular(kind));
    }
    WholeFile::read(path, max).map_err(|refused| reason(&refused))
}

/// Refuses a readable file with a second name: removing this one would only look as if the content were gone.
fn ensure_one_name(file: &WholeFile) -> Result<(), LeftReason> {
    match file.names {
        1 => Ok(()),
        names => Err(LeftReason::HardLinks { names }),
    }
}

fn compared(bytes: &[u8], content: &[u8], migration: &Migration) -> Comparison {
    match opened(bytes, &migration.identities) {
        Ok((_, found)) if found.as_slice() == content => Comparison::Same,
        Ok(_) => Comparison::Different,
        Err(Unopenable::Fault(fault)) => Comparison::NotOpened {
            said: fault.to_string(),
        },
        Err(Unopenable::Cipher(why)) => Comparison::NotOpened { said: why.to_string() },
    }
}

/// Says in short why a file was left: the line names the file already.
fn reason(refused: &Refusal) -> LeftReason {
    match refused {
        Refusal::Agent {
            fault: AgentFault::Private(fault),
            ..
        } => LeftReason::Fault(fault.clone()),
        Refusal::NotRegular { kind, .. } => LeftReason::NotRegular(kind),
        other => LeftReason::Said(other.to_string()),
    }
}
