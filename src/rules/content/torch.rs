//! Tensors in pickles, as `torch.save` and `pickle.dump` write them.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

/// How many bytes a reference to a tensor's class takes at most.
pub const REFERENCE: usize = 256;

/// The number with which `torch.save` began its files before they were zip archives, as protocol 2 and later pickle it.
const MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// Whether bytes that begin so are a file of `torch.save` from before it wrote zip archives.
pub fn is_legacy_archive(head: &[u8]) -> bool {
    match head {
        [0x80, 2 | 3, rest @ ..] => rest.starts_with(MAGIC),
        [0x80, 4 | 5, rest @ ..] => {
            // A frame of the length that follows may come first.
            let framed = rest.strip_prefix(&[0x95]).and_then(|frame| frame.get(8..));
            framed.unwrap_or(rest).starts_with(MAGIC)
        }
        _ => false,
    }
}

/// Whether bytes that begin so may be a pickle: of protocols 2 to 5, or of 0 or 1, which have no magic but begin with a
/// mark, an empty collection or a class.
pub fn may_be_pickle(head: &[u8]) -> bool {
    matches!(head, [0x80, 2..=5, ..] | [b'(' | b')' | b']' | b'}' | b'c', ..])
}

/// Whether `window`, a part of what may be a pickle, refers to a storage of torch or to a function that makes a tensor
/// from one, in a reference whose module begins within `judged`.
pub fn refers_to_tensor(window: &[u8], judged: Range<usize>) -> bool {
    static TORCH: LazyLock<Finder> = LazyLock::new(|| Finder::new("torch"));
    let searched = &window[judged.start..window.len().min(judged.end + 4)];
    TORCH.find_iter(searched).any(|at| {
        let at = judged.start + at;
        by_opcode(window, at) || by_stack(window, at).unwrap_or(false)
    })
}

/// `c module \n name \n`.
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

/// Two short strings, each kept for later or not, and the opcode that makes a class of them.
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
