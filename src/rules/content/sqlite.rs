//! Recognises the SQLite databases of vector stores by the records of their tables.
//!
//! The schema lists each table as `table`, its name twice, a page number and the statement that made it, all without a
//! gap. So the records are found wherever they lie, also in the write-ahead log, and a text about such a table is not
//! one.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

/// Most bytes of a record by which it is recognised.
pub const REACH: usize = 512;

/// Most bytes of a page number in a record.
const PAGE: usize = 4;

/// Returns whether bytes with this start are an SQLite database or its write-ahead log.
pub fn may_be(head: &[u8]) -> bool {
    head.starts_with(b"SQLite format 3\0") || matches!(head, [0x37, 0x7f, 0x06, 0x82 | 0x83, ..])
}

/// Returns whether `window` has the record of a table of a vector store. The record must begin within `judged`.
pub fn has_vectors(window: &[u8], judged: Range<usize>) -> bool {
    static TABLE: LazyLock<Finder> = LazyLock::new(|| Finder::new("table"));
    TABLE
        .find_iter(&window[judged.start..window.len().min(judged.end + 4)])
        .map(|at| judged.start + at + 5)
        .any(|at| has_vectors_at(&window[at..window.len().min(at + REACH)]))
}

/// Tables by name, with a column of each, as the statement that makes the table has it.
const TABLES: [(&str, &str); 4] = [
    // Chroma.
    ("embeddings_queue", "vector BLOB"),
    // Qdrant, as its client keeps it without a server.
    ("points", "point BLOB"),
    // Milvus Lite before 3.0.
    ("collection_meta", "meta_type VARCHAR"),
    // An index of libSQL.
    ("libsql_vector_meta_shadow", "metadata BLOB"),
];

/// Returns whether the record of a table of a vector store goes on with `record`.
fn has_vectors_at(record: &[u8]) -> bool {
    let is_named = TABLES.iter().any(|(name, column)| {
        let name = name.as_bytes();
        let rest = record.strip_prefix(name).and_then(|rest| rest.strip_prefix(name));
        rest.is_some_and(|rest| {
            let page = Finder::new("CREATE TABLE").find(&rest[..rest.len().min(PAGE + 12)]);
            page.is_some() && Finder::new(column).find(rest).is_some()
        })
    });
    is_named || is_virtual(record)
}

/// Returns whether this is the record of a virtual table of sqlite-vec or sqlite-vss, which has no page number.
fn is_virtual(record: &[u8]) -> bool {
    static CREATE: LazyLock<Finder> = LazyLock::new(|| Finder::new("CREATE VIRTUAL TABLE"));
    let Some(length) = CREATE.find(record) else {
        return false;
    };
    let (names, statement) = record.split_at(length);
    // Old databases store the missing page as a zero.
    let names = names.strip_suffix(b"\0").unwrap_or(names);
    let (first, second) = names.split_at(length / 2);
    let mut words = statement
        .split(|b| b.is_ascii_whitespace() || *b == b'(')
        .filter(|word| !word.is_empty())
        .skip_while(|word| !word.eq_ignore_ascii_case(b"using"));
    let module = words.nth(1).unwrap_or_default();
    !first.is_empty()
        && first == second
        && [&b"vec0"[..], b"vss0"]
            .iter()
            .any(|name| module.eq_ignore_ascii_case(name))
}
