//! Recognises pickles that hold tensors, as `torch.save` and `pickle.dump` write them, arrays of NumPy, as
//! `pickle.dump` and `joblib.dump` do, or what belongs to embeddings.

use std::io::Read;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::format::layers::Inflate;

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

/// Returns the start of a pickle that `joblib.dump` compressed as it does by default: by zlib, which has no magic that
/// would make it a layer.
pub fn unzlib(head: &[u8]) -> Option<Vec<u8>> {
    /// Most bytes to unpack.
    const UNPACKED: u64 = 256 * 1024;
    /// Most digits of a length, and the letter that Python 2 adds.
    const LENGTH: usize = 17;
    // Before version 0.10, the magic `ZF`, the length in hex and spaces came first.
    let zlib = match head.strip_prefix(b"ZF0x") {
        Some(length) => {
            let digits = length
                .iter()
                .take_while(|b| b.is_ascii_alphanumeric())
                .take(LENGTH)
                .count();
            length[digits..].trim_ascii_start()
        }
        None => head,
    };
    let [0x78, 0x01 | 0x5e | 0x9c | 0xda, deflated @ ..] = zlib else {
        return None;
    };
    let mut decoder = Inflate::raw(deflated);
    let mut start = [0; 2];
    decoder.read_exact(&mut start).ok()?;
    let mut pickle = start.to_vec();
    if !may_be_pickle(&start) {
        return None;
    }
    // An error is the end of what can be read.
    decoder.take(UNPACKED).read_to_end(&mut pickle).ok();
    Some(pickle)
}

/// Returns whether `window`, a part of a possible pickle, refers to a torch storage or to a function that makes a
/// tensor from one. The module name of the reference must begin within `judged`.
pub fn refers_to_tensor(window: &[u8], judged: Range<usize>) -> bool {
    static TORCH: LazyLock<Finder> = LazyLock::new(|| Finder::new("torch"));
    let searched = &window[judged.start..window.len().min(judged.end + 4)];
    TORCH
        .find_iter(searched)
        .any(|at| refers(window, judged.start + at, makes_tensor))
}

/// Returns whether `window`, a part of a possible pickle, refers to a function that makes a NumPy array, or to what
/// joblib puts in place of one. The word `numpy` in the module name, or the name of the
/// function, must begin within `judged`.
pub fn refers_to_array(window: &[u8], judged: Range<usize>) -> bool {
    static NUMPY: LazyLock<Finder> = LazyLock::new(|| Finder::new("numpy"));
    static NAME: LazyLock<Finder> = LazyLock::new(|| Finder::new("_reconstruct"));
    /// What may precede the word in the name of a module.
    const PACKAGES: [&[u8]; 3] = [b"", b"joblib.", b"sklearn.externals.joblib."];
    let mut modules = NUMPY.find_iter(&window[judged.start..window.len().min(judged.end + 4)]);
    let by_name = modules.any(|at| {
        let at = judged.start + at;
        PACKAGES
            .iter()
            .any(|package| window[..at].ends_with(package) && refers(window, at - package.len(), makes_array))
    });
    let mut names = NAME.find_iter(&window[judged.start..window.len().min(judged.end + 11)]);
    by_name || names.any(|at| by_recall(window, judged.start + at))
}

/// Returns whether `window`, a part of a possible pickle, refers to the documents of a LangChain index. The last part
/// of the module name must begin within `judged`.
pub fn refers_to_documents(window: &[u8], judged: Range<usize>) -> bool {
    static STORE: LazyLock<Finder> = LazyLock::new(|| Finder::new("docstore.in_memory"));
    /// What precedes it in the name of a module.
    const PACKAGES: [&[u8]; 2] = [b"langchain_community.", b"langchain."];
    let is_store = |module: &[u8], name: &[u8]| module.ends_with(b"docstore.in_memory") && name == b"InMemoryDocstore";
    STORE
        .find_iter(&window[judged.start..window.len().min(judged.end + 17)])
        .any(|at| {
            let at = judged.start + at;
            PACKAGES
                .iter()
                .any(|package| window[..at].ends_with(package) && refers(window, at - package.len(), is_store))
        })
}

/// Returns whether `window`, a part of a possible pickle, has the string `embedding` or `embeddings`, as the key to
/// arrays has. It must begin within `judged`.
pub fn names_embeddings(window: &[u8], judged: Range<usize>) -> bool {
    static KEY: LazyLock<Finder> = LazyLock::new(|| Finder::new("embedding"));
    KEY.find_iter(&window[judged.start..window.len().min(judged.end + 8)])
        .any(|at| {
            let at = judged.start + at;
            let plural = window.get(at + 9) == Some(&b's');
            let length = if plural { 10 } else { 9 };
            let before = &window[..at];
            let is_short = before.ends_with(&[SHORT_STRING, length]);
            let is_long = before.ends_with(&[b'X', length, 0, 0, 0]);
            let is_line = before.ends_with(b"V") && window.get(at + usize::from(length)) == Some(&b'\n');
            is_short || is_long || is_line
        })
}

/// A judgement on the names of a module and of a class or function in it.
type Makes = fn(&[u8], &[u8]) -> bool;

fn refers(window: &[u8], at: usize, makes: Makes) -> bool {
    by_opcode(window, at, makes) || by_stack(window, at, makes).unwrap_or(false)
}

/// Recognises the reference `c module \n name \n`.
fn by_opcode(window: &[u8], at: usize, makes: Makes) -> bool {
    let rest = &window[at..window.len().min(at + REFERENCE)];
    let mut lines = rest.splitn(3, |&b| b == b'\n');
    let (module, name, more) = (lines.next(), lines.next(), lines.next());
    let class = at > 0 && window[at - 1] == b'c';
    class && more.is_some() && module.zip(name).is_some_and(|(module, name)| makes(module, name))
}

const SHORT_STRING: u8 = 0x8c;
const KEEP: &[u8] = &[0x94];
const CLASS: u8 = 0x93;

/// Recognises a reference made of two short strings, each memoized or not, and the opcode that makes a class of them.
fn by_stack(window: &[u8], at: usize, makes: Makes) -> Option<bool> {
    let (module, rest) = string(window.get(at.checked_sub(2)?..)?)?;
    let (name, rest) = string(rest)?;
    Some(rest.first() == Some(&CLASS) && makes(module, name))
}

/// Recognises a reference to the function that makes a NumPy array, if an earlier reference named its module, as one
/// to a scalar does. The module is then only recalled.
fn by_recall(window: &[u8], at: usize) -> bool {
    const RECALL: u8 = b'h';
    const RECALL_LONG: u8 = b'j';
    let Some(start) = at.checked_sub(2) else { return false };
    let recalled = |opcode, length| start.checked_sub(length).is_some_and(|before| window[before] == opcode);
    let is_class =
        string(&window[start..]).is_some_and(|(name, rest)| name == b"_reconstruct" && rest.first() == Some(&CLASS));
    is_class && (recalled(RECALL, 2) || recalled(RECALL_LONG, 5))
}

fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let [SHORT_STRING, length, rest @ ..] = bytes else {
        return None;
    };
    let (string, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((string, rest.strip_prefix(KEEP).unwrap_or(rest)))
}

fn word(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .all(|&b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.')
}

fn makes_tensor(module: &[u8], name: &[u8]) -> bool {
    let module_is_torch = module == b"torch" || module.starts_with(b"torch.");
    let makes = name.starts_with(b"_rebuild_") || name.ends_with(b"Storage") || name == b"_load_from_bytes";
    module_is_torch && makes && word(module) && word(name)
}

fn makes_array(module: &[u8], name: &[u8]) -> bool {
    match name {
        b"_reconstruct" => matches!(module, b"numpy.core.multiarray" | b"numpy._core.multiarray"),
        b"_frombuffer" => matches!(module, b"numpy.core.numeric" | b"numpy._core.numeric"),
        b"_mareconstruct" => module == b"numpy.ma.core" || module == b"numpy.ma",
        b"NumpyArrayWrapper" | b"NDArrayWrapper" | b"ZNDArrayWrapper" => module.ends_with(b"joblib.numpy_pickle"),
        _ => false,
    }
}
