//! Names under which the guard still recognises a protected file.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::guard::table::{
    At::{Commit, Push},
    Row, blocked, passes, row,
};

/// What is special about the name, the name, and how a message shows it.
const NAMES: [(&str, &[u8], &str); 30] = [
    ("upper case", b"A.VEC", "A.VEC"),
    ("mixed case", b"Data/Model.SafeTensors", "Data/Model.SafeTensors"),
    ("lower case", b"x/proof_bundle.json", "x/proof_bundle.json"),
    ("deep down", b"a/b/c/d/e/f/g/h/i.index", "a/b/c/d/e/f/g/h/i.index"),
    ("nothing but the extension", b".vec", ".vec"),
    ("hidden", b".cache/.a.vec", ".cache/.a.vec"),
    ("two extensions", b"a.txt.vec", "a.txt.vec"),
    ("sealed in name, not last", b"a.age.vec", "a.age.vec"),
    (
        "non-ASCII",
        "d\u{e4}ten/\u{65e5}\u{672c}.vec".as_bytes(),
        "d\u{e4}ten/\u{65e5}\u{672c}.vec",
    ),
    ("not UTF-8", b"caf\xe9.vec", "\"caf\\351.vec\""),
    (
        "an override of the writing direction",
        "a\u{202e}b.vec".as_bytes(),
        "b.vec",
    ),
    ("newline", b"line\nbreak.vec", "\"line\\nbreak.vec\""),
    ("carriage return", b"over\rwritten.vec", "\"over\\rwritten.vec\""),
    ("tab", b"a\tb.vec", "\"a\\tb.vec\""),
    ("escape sequence", b"\x1b[2Ka.vec", "[2Ka.vec"),
    ("leading dash", b"-rf.vec", "-rf.vec"),
    ("leading colon", b":(exclude)a.vec", ":(exclude)a.vec"),
    ("double quote", b"a\"b.vec", "b.vec"),
    ("single quote", b"it's.vec", "it's.vec"),
    ("backslash", b"a\\b.vec", "b.vec"),
    ("space", b"my file.vec", "my file.vec"),
    ("space at the end of a directory", b"dir /a.vec", "dir /a.vec"),
    ("dollar and backquote", b"$HOME`id`.vec", "$HOME`id`.vec"),
    ("a pattern", b"*[a-z]?{b,c}.vec", "*[a-z]?{b,c}.vec"),
    ("a directory of protected name", b"a.vec/b.hnsw", "a.vec/b.hnsw"),
    ("run outputs deep down", b"a/b/_PACK_RUN/c", "a/b/_PACK_RUN/c"),
    ("run outputs in lower case", b"_pack_run/c.txt", "_pack_run/c.txt"),
    ("run outputs as a file", b"a/_Pack_Run", "a/_Pack_Run"),
    (
        "a session of an agent",
        b"agents/00/ab/g5_information/session.json",
        "agents/00/ab/g5_information/session.json",
    ),
    ("gguf", b"models/llama.Q4.gguf", "models/llama.Q4.gguf"),
];

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (what, name, shown) in NAMES {
        rows.push(row(format!("{what}, committed"), blocked(Commit, &[shown]), move |w| {
            w.repo.write_bytes(name, b"secret");
            w.sh("git add -f -- .");
            w.commit()
        }));
    }
    for (what, name, shown) in NAMES.iter().step_by(3).copied() {
        rows.push(row(
            format!("{what}, deleted again and pushed"),
            blocked(Push, &[shown, "deleted again"]),
            move |w| {
                w.repo.write_bytes(name, b"secret");
                w.sh("git add -f -- .; git commit -q --no-verify -m leak");
                std::fs::remove_file(w.repo.root.join(OsStr::from_bytes(name))).unwrap();
                w.sh("git add -A; git commit -q -m gone");
                w.push()
            },
        ));
    }
    // Documentation has directories of such names. A file in one of them is judged by its own name and content.
    rows.push(row("below a directory of such a name", passes(&["pre-commit"]), |w| {
        w.stage("search.index/part.js", "loaded(0)");
        w.commit()
    }));
    let long = format!("{}/{}.vec", "d".repeat(200), "n".repeat(200));
    rows.push(row(
        "a name of four hundred bytes",
        blocked(Commit, &[&long]),
        move |w| {
            w.stage(&long, "secret");
            w.commit()
        },
    ));
    rows
}
