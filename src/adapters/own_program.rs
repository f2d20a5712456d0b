//! The hash of this program's file, remembered under the user's key as long as the file does not change.

use std::path::Path;

use crate::adapters::clone::Memory;
use crate::adapters::files::platform::change_print;
use crate::adapters::files::{self, Durability, write_own};
use crate::format::mac::LENGTH;
use crate::refusal::Result;

/// The purpose of the code of a remembered hash.
const PURPOSE: &str = "hash of the program";

/// The name of the file, beside the user's key.
const NAME: &str = "program";

/// The longest file that is read, in bytes.
const MAX: u64 = 4096;

/// Returns the hash of a program's file that `compute` returns, or the one that was remembered while the file is the same.
pub fn hash_of(program: &Path, memory: &Memory, compute: impl FnOnce() -> Result<String>) -> Result<String> {
    let before = look(program);
    if let Some(hash) = before.as_ref().and_then(|seen| remembered(memory, seen)) {
        return Ok(hash);
    }
    let hash = compute()?;
    // Of a file that changed meanwhile, nobody knows which content was hashed.
    if let Some(seen) = before.filter(|seen| look(program).as_ref() == Some(seen)) {
        remember(memory, seen, &hash);
    }
    Ok(hash)
}

/// Returns what shows every change of the file. `None` on systems that do not tell.
fn look(program: &Path) -> Option<Vec<u8>> {
    let numbers = change_print(&std::fs::metadata(program).ok()?)?;
    let mut seen: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    seen.extend(program.as_os_str().as_encoded_bytes());
    Some(seen)
}

fn remembered(memory: &Memory, seen: &[u8]) -> Option<String> {
    let key = memory.to_read(PURPOSE)?;
    let kept = files::read_optional(&memory.file()?.with_file_name(NAME), MAX).ok()??;
    let (code, hash) = kept.split_at_checked(LENGTH)?;
    let hash = std::str::from_utf8(hash).ok()?;
    key.proves(&[seen, hash.as_bytes()].concat(), code)
        .then(|| hash.to_owned())
}

/// Keeps the hash if the user has a key: a call that only looks, or is refused, makes none. Ignores errors: the hash is only
/// computed again.
fn remember(memory: &Memory, seen: Vec<u8>, hash: &str) {
    let (Some(key), Some(file)) = (memory.to_read(PURPOSE), memory.file()) else {
        return;
    };
    let code = key.of(&[&seen, hash.as_bytes()].concat());
    let kept = [&code[..], hash.as_bytes()].concat();
    drop(write_own(
        &file.with_file_name(NAME),
        &mut &kept[..],
        Durability::Disposable,
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_hash_is_computed_again_once_the_file_changed_or_somebody_else_wrote_it() {
        let temp = tempfile::tempdir().unwrap();
        let [program, other] = ["program", "other"].map(|name| temp.path().join(name));
        for path in [&program, &other] {
            std::fs::write(path, "one").unwrap();
        }
        let memory = || Memory::of(Some(temp.path()));
        let computed = std::cell::Cell::new(0);
        let ask = |program: &Path, memory: &Memory| {
            let compute = || {
                computed.set(computed.get() + 1);
                Ok(format!("hash {}", std::fs::read_to_string(program).unwrap()))
            };
            hash_of(program, memory, compute).unwrap()
        };
        assert_eq!((ask(&program, &memory()), computed.get()), ("hash one".into(), 1));
        assert!(!temp.path().join("git-pack").exists(), "it made a key");
        memory().to_write("anything").unwrap();
        assert_eq!((ask(&program, &memory()), computed.get()), ("hash one".into(), 2));
        assert_eq!((ask(&program, &memory()), computed.get()), ("hash one".into(), 2));
        assert_eq!((ask(&program, &Memory::none()), computed.get()), ("hash one".into(), 3));
        assert_eq!((ask(&other, &memory()), computed.get()), ("hash one".into(), 4));
        // A file of the same size in its place.
        std::fs::rename(&program, temp.path().join("before")).unwrap();
        std::fs::write(&program, "two").unwrap();
        assert_eq!((ask(&program, &memory()), computed.get()), ("hash two".into(), 5));
        let kept = temp.path().join("git-pack").join(NAME);
        let right = std::fs::read(&kept).unwrap();
        let forged = [vec![0; LENGTH], b"hash 666".to_vec()].concat();
        let longer = [right.clone(), b"x".to_vec()].concat();
        for bytes in [forged, longer, right[..LENGTH - 1].to_vec(), Vec::new()] {
            std::fs::write(&kept, bytes).unwrap();
            let before = computed.get();
            assert_eq!(
                (ask(&program, &memory()), computed.get()),
                ("hash two".into(), before + 1)
            );
        }
        // Another user's key.
        std::fs::write(memory().file().unwrap(), [7; LENGTH]).unwrap();
        let before = computed.get();
        assert_eq!(
            (ask(&program, &memory()), computed.get()),
            ("hash two".into(), before + 1)
        );
    }

    #[test]
    fn a_hash_that_cannot_be_computed_is_not_kept() {
        let temp = tempfile::tempdir().unwrap();
        let memory = Memory::of(Some(temp.path()));
        let missing = temp.path().join("missing");
        let failing = || files::read(&missing, 1).map(|_| String::new());
        assert!(hash_of(&missing, &memory, failing).is_err());
        assert!(!temp.path().join("git-pack").exists());
    }
}
