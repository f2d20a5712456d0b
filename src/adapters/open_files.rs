//! The files that another process of the user has open.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns whether a process has a file below one of the directories open for writing. `None` if that cannot be seen, as on
/// systems other than Linux.
pub fn writes_below(process: u32, directories: &[PathBuf]) -> Option<bool> {
    let of_process = Path::new("/proc").join(process.to_string());
    for open in fs::read_dir(of_process.join("fd")).ok()? {
        let open = open.ok()?;
        // The process may have closed it meanwhile.
        let Ok(target) = fs::read_link(open.path()) else {
            continue;
        };
        if directories.iter().any(|directory| target.starts_with(directory))
            && is_writable(&of_process.join("fdinfo").join(open.file_name()))
        {
            return Some(true);
        }
    }
    Some(false)
}

/// Returns whether the flags in `fdinfo` (proc_pid_fdinfo(5)) allow writing. What cannot be read counts as writable.
fn is_writable(fdinfo: &Path) -> bool {
    let text = fs::read_to_string(fdinfo).unwrap_or_default();
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok());
    // The access mode: 0 is read-only.
    flags.is_none_or(|flags| flags & 0o3 != 0)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_is_open_for_writing_counts() {
        let temp = tempfile::tempdir().unwrap();
        let place = fs::canonicalize(temp.path()).unwrap();
        let this = std::process::id();
        let below = |directory: &Path| writes_below(this, &[directory.to_owned()]);
        assert_eq!(below(&place), Some(false));
        let file = fs::File::create(place.join("x")).unwrap();
        assert_eq!(below(&place), Some(true));
        assert_eq!(below(&place.join("y")), Some(false));
        drop(file);
        let _file = fs::File::open(place.join("x")).unwrap();
        assert_eq!(below(&place), Some(false));
        assert_eq!(writes_below(u32::MAX, &[place]), None);
    }
}
