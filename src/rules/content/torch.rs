//! Recognises tensors in pickles, as `torch.save` and `pickle.dump` write them.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

/// Most bytes of a reference to a tensor's class.
pub const REFERENCE: usize = 256;

/// The magic number at the start of files that `torch.save` wrote before it wrote zip archives, as pickled by protocol
/// 2 and later.
const MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// Returns whether bytes with this start are a file that `torch.save` wrote before it wrote zip archives.
pub fn is_legacy_archive(head: &[u8]) -> bool {
    match head {
        [0x80, 2 | 3, rest @ ..] => rest.starts_with(MAGIC),
        [0x80, 4 | 5, rest @ ..] => {
            // A frame opcode and its length may come first.
            let framed = rest.strip_prefix(&[0x95]).and_then(|frame| frame.get(8..));
            framed.unwrap_or(rest).starts_with(MAGIC)
        }
        _ => false,
    }
}

/// Returns whether bytes with this start may be a pickle: of protocols 2 to 5, or of 0 or 1, which have no magic but
/// begin with a mark, an empty collection or a class.
pub fn may_be_pickle(head: &[u8]) -> bool {
    matches!(head, [0x80, 2..=5, ..] | [b'(' | b')' | b']' | b'}' | b'c', ..])
}

/// Returns whether `window`, a part of a possible pickle, refers to a torch storage or to a function that makes a
/// tensor from one. The module name of the reference must begin within `judged`.
pub fn refers_to_tensor(window: &[u8], judged: Range<usize>) -> bool {
    static TORCH: LazyLock<Finder> = LazyLock::new(|| Finder::new("torch"));
    let searched = &window[judged.start..window.len().min(judged.end + 4)];
    TORCH.find_iter(searched).any(|at| {
        let at = judged.start + at;
        by_opcode(window, at) || by_stack(window, at).unwrap_or(false)
    })
}

/// Recognises the reference `c module \n name \n`.
fn by_opcode(window: &[u8], at: usize) -> bool {
    let rest = &window[at..window.len().min(at + REFERENCE)];
    let mut lines = rest.splitn(3, |&b| b == b'\n');
    let (module, name, more) = (lines.next(), lines.next(), lines.next());
    let class = at > 0 && window[at - 1] == b'c';
    class
        && more.is_some()
        && module
            .zip(name)
            .is_some_and(|(module, name)| makes_tensor(module, name))
}

/// Recognises a reference made of two short strings, each memoized or not, and the opcode that makes a class of them.
fn by_stack(window: &[u8], at: usize) -> Option<bool> {
    const SHORT_STRING: u8 = 0x8c;
    const KEEP: &[u8] = &[0x94];
    const CLASS: u8 = 0x93;
    fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
        let [SHORT_STRING, length, rest @ ..] = bytes else {
            return None;
        };
        let (string, rest) = rest.split_at_checked(usize::from(*length))?;
        Some((string, rest.strip_prefix(KEEP).unwrap_or(rest)))
    }
    let (module, rest) = string(window.get(at.checked_sub(2)?..)?)?;
    let (name, rest) = string(rest)?;
    Some(rest.first() == Some(&CLASS) && makes_tensor(module, name))
}

fn makes_tensor(module: &[u8], name: &[u8]) -> bool {
    let module_is_torch = module == b"torch" || module.starts_with(b"torch.");
    let word = |bytes: &[u8]| {
        bytes
            .iter()
            .all(|&b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.')
    };
    let makes = name.starts_with(b"_rebuild_") || name.ends_with(b"Storage") || name == b"_load_from_bytes";
    module_is_torch && makes && word(module) && word(name)
}
