//! Recognises embeddings in JSON, as LlamaIndex, LangChain and others write them.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

/// Most bytes behind a key by which embeddings are recognised.
pub const REACH: usize = 16 * 1024;

/// Fewest numbers of an embedding, unless what is around it tells that it is one.
const NUMBERS: usize = 64;

/// Returns whether bytes with this start may be JSON that holds anything but one text or number: an object or a list
/// behind white space or a byte order mark. UTF-16 counts, of which only the mark is looked at.
pub fn may_be_json(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    matches!(text, [b'{' | b'[', ..]) || head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff")
}

/// Returns whether `window`, a part of possible JSON, has embeddings under a key. The key must begin within `judged`.
pub fn are_there(window: &[u8], judged: Range<usize>) -> bool {
    static EMBEDDING: LazyLock<Finder> = LazyLock::new(|| Finder::new("\"embedding"));
    static VECTOR: LazyLock<Finder> = LazyLock::new(|| Finder::new("\"vector\""));
    let end = |finder: &Finder| window.len().min(judged.end + finder.needle().len() - 1);
    let mut embeddings = EMBEDDING.find_iter(&window[judged.start..end(&EMBEDDING)]);
    let mut vectors = VECTOR.find_iter(&window[judged.start..end(&VECTOR)]);
    let rest = |at: usize| &window[at..window.len().min(at + REACH)];
    embeddings.any(|at| under_embedding(rest(judged.start + at + 10)) == Some(true))
        || vectors.any(|at| {
            let at = judged.start + at;
            is_langchain(&window[..at], rest(at + 8)) == Some(true)
        })
}

/// Judges what follows `"embedding`: the vectors of LlamaIndex by ids, or a vector or a list of them, long enough to be
/// an embedding.
fn under_embedding(rest: &[u8]) -> Option<bool> {
    if let Some(rest) = rest.strip_prefix(b"_dict\"") {
        let rest = after(after(rest, b":")?, b"{")?;
        let rest = after(rest, b"\"")?;
        let id = memchr::memchr(b'"', rest)?;
        return Some(count(after(after(&rest[id + 1..], b":")?, b"[")?).0 > 0);
    }
    let rest = after(rest.strip_prefix(b"s").unwrap_or(rest).strip_prefix(b"\"")?, b":")?;
    let rest = after(rest, b"[")?;
    let rest = after(rest, b"[").unwrap_or(rest);
    Some(count(rest).0 >= NUMBERS)
}

/// Judges a `"vector"` by what is around it, as LangChain writes it: an `"id"` before it, then numbers, and a `"text"`.
fn is_langchain(before: &[u8], rest: &[u8]) -> Option<bool> {
    /// Most bytes of an id, with its key.
    const ID: usize = 256;
    let before = &before[before.len().saturating_sub(ID)..];
    let before = before.trim_ascii_end().strip_suffix(b",")?;
    let at = Finder::new("\"id\"").find_iter(before).last()?;
    let id = after(&before[at + 4..], b":")?.trim_ascii_start();
    let is_id =
        id == b"null" || id.len() > 2 && id.starts_with(b"\"") && memchr::memchr(b'"', &id[1..]) == Some(id.len() - 2);
    let (numbers, rest) = count(after(after(rest, b":")?, b"[")?);
    let has_text = || after(after(rest?, b",")?, b"\"text\"");
    Some(is_id && numbers > 0 && (numbers >= NUMBERS || has_text().is_some()))
}

/// Returns what follows `token`, if the bytes begin with white space and it.
fn after<'a>(bytes: &'a [u8], token: &[u8]) -> Option<&'a [u8]> {
    bytes.trim_ascii_start().strip_prefix(token)
}

/// Returns how many numbers a list begins with, up to [`NUMBERS`], and what follows the list if it ends with them.
/// Returns 0 if more than one in eight of them is whole, since an embedding has fractions.
fn count(list: &[u8]) -> (usize, Option<&[u8]>) {
    let mut rest = list;
    let mut fractions = 0;
    let mut numbers = 0;
    let mut is_closed = false;
    while numbers < NUMBERS && !is_closed {
        let number = rest.trim_ascii_start();
        let length = number.iter().take_while(|b| is_digit_or_sign(**b)).count();
        let (number, after) = number.split_at(length);
        let Some((end @ (b',' | b']'), after)) = after.trim_ascii_start().split_first() else {
            break;
        };
        if !number.iter().any(u8::is_ascii_digit) {
            break;
        }
        numbers += 1;
        fractions += usize::from(number.iter().any(|b| matches!(b, b'.' | b'e' | b'E')));
        rest = after;
        is_closed = *end == b']';
    }
    let is_fractional = 8 * (numbers - fractions) <= numbers;
    (if is_fractional { numbers } else { 0 }, is_closed.then_some(rest))
}

fn is_digit_or_sign(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E')
}
