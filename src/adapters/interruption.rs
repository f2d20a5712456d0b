//! What an interruption undoes: staged output is removed. Then the process dies by the signal.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::{emulate_default_handler, raise};

/// The staging directories of this process.
static BEGUN: Mutex<Vec<Begun>> = Mutex::new(Vec::new());

/// A staging directory.
struct Begun {
    directory: PathBuf,
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
}

/// What was and was not done when the process was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupted {
    /// Output was being made. Nothing of it is left.
    Staged,
    /// Content was being fetched. It is kept, and the same command goes on with it.
    Kept,
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
        directory: directory.to_owned(),
        made: made.to_vec(),
        stage: Stage::Made,
    });
}

/// Notes that a later process may go on in a staging directory, so that an interruption keeps it.
pub(super) fn keep(directory: &Path) {
    end(directory);
    begun().push(Begun {
        directory: directory.to_owned(),
        made: Vec::new(),
        stage: Stage::Fetched,
    });
}

/// Publishes what is staged in a directory. An interruption waits until that is done or has failed, so that it is told as it
/// is.
pub(super) fn complete<E>(directory: &Path, publish: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
    let mut begun = begun();
    publish()?;
    for one in begun.iter_mut().filter(|one| one.directory == directory) {
        one.stage = Stage::Complete;
        one.made.clear();
    }
    Ok(())
}

/// Notes that a staging directory is about to be removed.
pub(super) fn end(directory: &Path) {
    begun().retain(|one| one.directory != directory || one.stage == Stage::Complete);
}

/// Has an interruption (`SIGINT`, `SIGTERM`) undo what was begun and call `tell`. The process then dies by the signal, as a
/// shell expects.
///
/// A signal that the parent had ignored, as for a job in the background, stays ignored.
pub fn watch(tell: impl Fn(Interrupted) + Send + 'static) -> io::Result<()> {
    let wanted = [SIGINT, SIGTERM].into_iter().filter(|signal| !is_ignored(*signal));
    let mut signals = Signals::new(wanted.collect::<Vec<_>>())?;
    let work = move || {
        if let Some(signal) = signals.forever().next() {
            tell(undo());
            // It does not return, unless the signal cannot be raised.
            drop(emulate_default_handler(signal));
            std::process::exit(2);
        }
    };
    std::thread::Builder::new()
        .name("interruption".into())
        .spawn(work)
        .map(drop)
}

/// Interrupts this process, for a key that reached a prompt instead of making a signal.
pub fn interrupt() -> ! {
    drop(raise(SIGINT));
    // The thread that watches ends the process.
    std::thread::sleep(Duration::from_secs(5));
    std::process::exit(2);
}

/// Removes everything that is staged and not kept.
fn undo() -> Interrupted {
    let begun = begun();
    for one in begun.iter().filter(|one| one.stage != Stage::Fetched) {
        // Other threads still write there, so a directory may fill again while it is removed.
        for _ in 0..50 {
            match std::fs::remove_dir_all(&one.directory) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => std::thread::sleep(Duration::from_millis(2)),
                _ => break,
            }
        }
        one.made
            .iter()
            .rev()
            .for_each(|parent| drop(std::fs::remove_dir(parent)));
    }
    let has = |stage| begun.iter().any(|one| one.stage == stage);
    match (has(Stage::Made), has(Stage::Fetched), has(Stage::Complete)) {
        (true, _, _) => Interrupted::Staged,
        (false, true, _) => Interrupted::Kept,
        (false, false, true) => Interrupted::Published,
        (false, false, false) => Interrupted::Otherwise,
    }
}

/// Returns whether the process was started with this signal ignored. False on systems that do not tell.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
