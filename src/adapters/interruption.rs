//! What an interruption undoes: staged output and temporary files are removed, and a terminal echoes again. Then the process dies
//! by the signal.

use std::io;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use crate::adapters::files::platform::interrupt;
use crate::adapters::files::platform::{TerminalSettings, on_interruption};

/// The staging directories and the temporary files of this process.
static BEGUN: Mutex<Vec<Begun>> = Mutex::new(Vec::new());

/// The terminal at which a secret is asked for, and how it was before.
static ASKING: Mutex<Option<TerminalSettings>> = Mutex::new(None);

/// Whether a command is under way that changes one file after the other.
static GOES_ON: AtomicBool = AtomicBool::new(false);

/// A staging directory, or a temporary file or directory.
struct Begun {
    path: PathBuf,
    /// The parents that were made for it, outermost first.
    made: Vec<PathBuf>,
    stage: Stage,
}

/// How far an output is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It is being made.
    Made,
    /// It is being fetched, and a later process can go on.
    Fetched,
    /// It is complete and in its place.
    Complete,
    /// It is no output, and is removed in any case.
    Temporary,
}

/// What was and was not done when the process was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupted {
    /// Output was being made. Nothing of it is left.
    Staged,
    /// Content was being fetched. It is kept, and the same command goes on with it.
    Kept,
    /// Some files may be done. The same command goes on with the others.
    Between,
    /// An output was complete.
    Published,
    /// No output was being made.
    Otherwise,
}

fn begun() -> MutexGuard<'static, Vec<Begun>> {
    BEGUN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes a staging directory, which an interruption removes.
pub(super) fn stage(directory: &Path, made: &[PathBuf]) {
    begun().push(Begun {
        path: directory.to_owned(),
        made: made.to_vec(),
        stage: Stage::Made,
    });
}

/// Notes that a later process may go on in a staging directory, so that an interruption keeps it.
pub(super) fn keep(directory: &Path) {
    end(directory);
    begun().push(Begun {
        path: directory.to_owned(),
        made: Vec::new(),
        stage: Stage::Fetched,
    });
}

/// Publishes what is staged in a directory. An interruption waits until that is done or has failed, so that it is told as it
/// is.
pub(super) fn complete<E>(directory: &Path, publish: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
    let mut begun = begun();
    publish()?;
    for one in begun.iter_mut().filter(|one| one.path == directory) {
        one.stage = Stage::Complete;
        one.made.clear();
    }
    Ok(())
}

/// A temporary file or directory, which an interruption removes. It is removed when dropped.
#[derive(Debug)]
pub(super) struct Temporary<T> {
    made: T,
    // Dropped after what was made.
    noted: Noted,
}

/// What keeps a temporary file or directory on the list of an interruption.
#[derive(Debug)]
pub(super) struct Noted(PathBuf);

impl<T> Temporary<T> {
    /// Returns what was made, to be given another name, and what keeps it on the list meanwhile.
    pub(super) fn into_parts(self) -> (T, Noted) {
        (self.made, self.noted)
    }
}

impl<T> Deref for Temporary<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.made
    }
}

impl<T> DerefMut for Temporary<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.made
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        end(&self.0);
    }
}

/// Makes a temporary file or directory. An interruption waits until it is noted.
pub(super) fn temporary<T: AsRef<Path>>(make: impl FnOnce() -> io::Result<T>) -> io::Result<Temporary<T>> {
    let mut begun = begun();
    let made = make()?;
    let path = std::path::absolute(made.as_ref())?;
    begun.push(Begun {
        path: path.clone(),
        made: Vec::new(),
        stage: Stage::Temporary,
    });
    Ok(Temporary {
        made,
        noted: Noted(path),
    })
}

/// Does what the same command completes if an interruption ends it half-way.
pub fn between_files<T>(work: impl FnOnce() -> T) -> T {
    GOES_ON.store(true, Ordering::SeqCst);
    let done = work();
    GOES_ON.store(false, Ordering::SeqCst);
    done
}

/// Asks for a secret at the terminal. An interruption meanwhile makes the terminal echo again, if it did before.
pub fn while_asking<T>(ask: impl FnOnce() -> T) -> T {
    let asking = || ASKING.lock().unwrap_or_else(PoisonError::into_inner);
    *asking() = TerminalSettings::now();
    let answer = ask();
    *asking() = None;
    answer
}

/// Notes that a staging directory is about to be removed.
pub(super) fn end(directory: &Path) {
    begun().retain(|one| one.path != directory || one.stage == Stage::Complete);
}

/// Has an interruption undo what was begun and call `tell`, before the process dies by the signal.
pub fn watch(tell: impl Fn(Interrupted) + Send + 'static) -> io::Result<()> {
    on_interruption(move || tell(undo()))
}

/// Removes everything that is staged or temporary and not kept. Nothing can be begun afterwards: whoever tries waits until the
/// process ends.
fn undo() -> Interrupted {
    if let Some(before) = &*ASKING.lock().unwrap_or_else(PoisonError::into_inner) {
        before.restore();
    }
    let begun = std::mem::ManuallyDrop::new(begun());
    remove(&begun);
    if GOES_ON.load(Ordering::SeqCst) {
        return Interrupted::Between;
    }
    let has = |stage| begun.iter().any(|one| one.stage == stage);
    match (has(Stage::Made), has(Stage::Fetched), has(Stage::Complete)) {
        (true, _, _) => Interrupted::Staged,
        (false, true, _) => Interrupted::Kept,
        (false, false, true) => Interrupted::Published,
        (false, false, false) => Interrupted::Otherwise,
    }
}

/// Removes what was begun, except for what a later process can use.
fn remove(begun: &[Begun]) {
    for one in begun.iter().filter(|one| one.stage != Stage::Fetched) {
        // Other threads still write there, so a directory may fill again while it is removed.
        for _ in 0..50 {
            let removed = match one.path.is_dir() {
                true => std::fs::remove_dir_all(&one.path),
                false => std::fs::remove_file(&one.path),
            };
            match removed {
                Err(e) if e.kind() != io::ErrorKind::NotFound => std::thread::sleep(Duration::from_millis(2)),
                _ => break,
            }
        }
        one.made
            .iter()
            .rev()
            .for_each(|parent| drop(std::fs::remove_dir(parent)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_temporary_is_known_to_an_interruption_until_it_is_gone() {
        let place = tempfile::tempdir().unwrap();
        let known = |path: &Path| begun().iter().any(|one| one.path == path);
        let file = temporary(|| tempfile::NamedTempFile::new_in(&place)).unwrap();
        let path = file.path().to_owned();
        assert!(known(&path));
        drop(file);
        assert!(!known(&path) && !path.exists());
        let (file, noted) = temporary(|| tempfile::NamedTempFile::new_in(&place))
            .unwrap()
            .into_parts();
        let path = file.path().to_owned();
        file.persist(place.path().join("whole")).unwrap();
        assert!(known(&path));
        drop(noted);
        assert!(!known(&path) && place.path().join("whole").exists());
        // What could not be made is not waited for.
        temporary(|| tempfile::NamedTempFile::new_in(place.path().join("absent"))).unwrap_err();
    }

    #[test]
    fn an_interruption_removes_all_but_what_can_be_used() {
        let place = tempfile::tempdir().unwrap();
        let of = |name: &str, stage| Begun {
            path: place.path().join(name),
            made: Vec::new(),
            stage,
        };
        let begun = [
            of("file", Stage::Temporary),
            of("directory", Stage::Temporary),
            of("staged", Stage::Made),
            of("fetched", Stage::Fetched),
            of("absent", Stage::Temporary),
        ];
        for directory in ["directory", "staged", "fetched"] {
            std::fs::create_dir(place.path().join(directory)).unwrap();
            std::fs::write(place.path().join(directory).join("x"), "x").unwrap();
        }
        std::fs::write(place.path().join("file"), "x").unwrap();
        remove(&begun);
        let left = std::fs::read_dir(&place)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        assert_eq!(left.collect::<Vec<_>>(), ["fetched"]);
    }
}
