//! Checks the rules of docs/architecture.md by reading the sources. This file checks the layers, and that each dependency has
//! one door.

mod circles;
mod flags;
mod map;
mod names;
mod sizes;
mod sources;

/// Each layer, and the layers that it may import.
const LAYERS: [(&str, &[&str]); 6] = [
    ("refusal", &[]),
    ("format", &["refusal"]),
    ("rules", &["refusal", "format"]),
    ("adapters", &["refusal", "format"]),
    ("ops", &["refusal", "format", "rules", "adapters"]),
    ("cli", &["refusal", "format", "rules", "ops"]),
];

/// Names, and the only places below `src/` that may use them. A place that ends with `/` is a directory.
const DOORS: &[(&[&str], &[&str])] = &[
    (&["gix::"], &["adapters/git/"]),
    (&["age::", "age_core::", "ring::"], &["adapters/cipher/"]),
    (
        &["ed25519_dalek::", "p256::", "pkcs8::", "ssh_key::"],
        &["adapters/attesting/"],
    ),
    (
        &["base64::"],
        &[
            "adapters/cipher/",
            "adapters/network/",
            "format/dsse.rs",
            "format/fabric.rs",
            "format/sshsig.rs",
            "rules/content/pem.rs",
            "cli/commands/report/page.rs",
        ],
    ),
    (&["maud::"], &["cli/commands/report/"]),
    (&["struson::"], &["format/fabric.rs"]),
    (&["ssh_encoding::"], &["format/sshsig.rs"]),
    (&["aho_corasick::"], &["rules/content/encoded.rs"]),
    (&["bech32::"], &["rules/content/keys.rs"]),
    (
        &["memchr::"],
        &[
            "rules/content/",
            "format/layers/",
            "format/state_lines.rs",
            "adapters/git/raw_tree.rs",
        ],
    ),
    (
        &["object_store::", "tokio::", "http_body::"],
        &["adapters/place/objects/"],
    ),
    (&["serde_sarif::"], &["cli/commands/scan/sarif.rs"]),
    (&["unicode_width::"], &["cli/output/table.rs"]),
    (&["flate2::"], &["format/layers/inflate.rs"]),
    (&["ruzstd::"], &["format/layers/zstd.rs"]),
    // The layers have modules of these names.
    (&["tar::"], &["format/archive/", "format/layers/"]),
    (
        &["zstd::"],
        &["format/archive/", "format/layers/", "format/tokens/ranks.rs"],
    ),
    (&["lzma_rust2::"], &["format/layers/xz.rs"]),
    (&["bzip2::"], &["format/layers/bzip.rs"]),
    (&["globset::"], &["rules/globs.rs"]),
    (&["clap::"], &["cli/commands/", "cli/mod.rs"]),
    (&["anyhow::"], &["cli/exit.rs", "cli/mod.rs", "cli/output/mod.rs"]),
    (&["anstream::", "anstyle::"], &["cli/"]),
    (&["sha2::"], &["format/digest.rs"]),
    (&["hmac::"], &["format/digest.rs"]),
    (&["roff::"], &["cli/commands/help/manual.rs"]),
    (&["strsim::"], &["rules/similar.rs"]),
    (&["rpassword::"], &["cli/ask.rs"]),
    (&["sha1::"], &["format/object_id.rs"]),
    (&["blake3::"], &["format/witness.rs", "format/mac.rs"]),
    (&["fastcdc::"], &["format/chunks.rs"]),
    (&["highway::"], &["format/mac.rs"]),
    (&["saphyr_parser::"], &["format/foreign.rs"]),
    (
        &["unicode_normalization::"],
        &["ops/pack/seal/collect.rs", "cli/output/words.rs"],
    ),
    (&["serde_json_canonicalizer::"], &["format/canonical_json/"]),
    (&["toml::"], &["format/config/", "format/foreign.rs"]),
    (&["toml_edit::"], &["format/config/edit.rs"]),
    (&["bytesize::"], &["format/config/scope.rs", "cli/output/words.rs"]),
    (&["regex_automata::"], &["format/tokens/words.rs"]),
    (&["rustc_hash::"], &["format/tokens/ranks.rs"]),
    (&["chardetng::", "encoding_rs::"], &["format/encoding.rs"]),
    (&["jiff::"], &["format/timestamp.rs"]),
    (&["gix_validate::"], &["format/member_path.rs"]),
    (&["tempfile::"], &["adapters/"]),
    (&["rustix::", "signal_hook::"], &["adapters/files/platform/unix/"]),
    (
        &["ctrlc::", "dunce::", "gix_sec::", "winapi_util::"],
        &["adapters/files/platform/windows/"],
    ),
    (
        &["std::os::", "os::unix", "os::fd"],
        &["adapters/files/platform/", "format/path_bytes.rs"],
    ),
    (&["getrandom::"], &["adapters/random.rs"]),
    (&["walkdir::"], &["adapters/files/walk.rs"]),
    (&["std::fs", "fs::rename"], &["adapters/"]),
    (
        &["std::process::Command", "process::{Command"],
        &[
            "adapters/git/",
            "adapters/manual_program.rs",
            "adapters/network/docker.rs",
            "adapters/program.rs",
            "adapters/ssh_keygen.rs",
            "adapters/throwaway.rs",
        ],
    ),
    (&["ureq::"], &["adapters/network/"]),
    (&["url::"], &["adapters/network/", "adapters/place/"]),
    (&["http_auth::"], &["adapters/place/registry/auth.rs"]),
    (&["shlex::"], &["format/aws_profile.rs"]),
    (&["oci_spec::"], &["format/oci/"]),
    (&["indicatif::"], &["cli/progress.rs"]),
    (&["std::env", "env::var"], &["cli/env.rs"]),
    (
        &["SystemTime", "Instant::now"],
        &["cli/env.rs", "adapters/files/platform/windows/process.rs"],
    ),
    (&["io::stdout", "io::stderr", "io::stdin", "println!"], &["cli/"]),
];

/// Those of the names that tests in `src/` may not use elsewhere either: a port has to compile the tests too.
const NOT_IN_TESTS: &[&str] = &["rustix::", "signal_hook::", "std::os::", "os::unix", "os::fd"];

/// Returns the violations in the file at `path`, which is relative to `src/`.
fn violations(path: &str, text: &str) -> Vec<String> {
    let (code, whole) = (code_of(without_tests(text)), code_of(text));
    let mut found = Vec::new();
    if let Some((layer, allowed)) = LAYERS.iter().find(|(layer, _)| path.starts_with(&format!("{layer}/"))) {
        for (other, _) in LAYERS.iter().filter(|(other, _)| other != layer) {
            if imports(&code, other) && !allowed.contains(other) {
                found.push(format!("{path}: {layer} may not import {other}"));
            }
        }
    }
    for (needles, places) in DOORS.iter().copied() {
        for needle in needles {
            let allowed = places
                .iter()
                .any(|place| path == *place || (place.ends_with('/') && path.starts_with(place)));
            let code = match NOT_IN_TESTS.contains(needle) {
                true => &whole,
                false => &code,
            };
            if names(code, needle) && !allowed {
                found.push(format!("{path}: {needle} belongs to {}", places.join(", ")));
            }
        }
    }
    found
}

/// Returns the source without test modules, which may use nearly everything.
fn without_tests(text: &str) -> &str {
    // A test module in the file ends the code. One that is declared here and lies in a file of its own does not.
    let tests = text.match_indices("#[cfg(test)]").map(|(at, _)| at);
    let mut inline = tests.filter(|at| text[*at..].lines().nth(1).is_some_and(|item| !item.ends_with(';')));
    inline.next().map_or(text, |at| &text[..at])
}

/// Returns the source without comments and string contents.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => {
                for c in chars.by_ref() {
                    if c == '\n' {
                        break;
                    }
                }
                code.push('\n');
            }
            // A raw string, which has no escapes. Every other `r` belongs to a word.
            'r' => {
                code.push('r');
                let hashes = chars.clone().take_while(|c| *c == '#').count();
                if chars.clone().nth(hashes) == Some('"') {
                    let end = format!("\"{}", "#".repeat(hashes));
                    let mut seen = String::new();
                    for c in chars.by_ref().skip(hashes + 1) {
                        seen.push(c);
                        if seen.ends_with(&end) {
                            break;
                        }
                    }
                    code.push_str("\"\"");
                }
            }
            '"' => {
                while let Some(c) = chars.next() {
                    match c {
                        '\\' => drop(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
                code.push_str("\"\"");
            }
            '\'' => {
                // A character literal, or a lifetime, which has no closing quote.
                code.push('\'');
                let mut ahead = chars.clone();
                let first = ahead.next();
                if first == Some('\\') || ahead.next() == Some('\'') {
                    if chars.next() == Some('\\') {
                        chars.next();
                    }
                    for c in chars.by_ref() {
                        if c == '\'' {
                            break;
                        }
                    }
                }
            }
            c => code.push(c),
        }
    }
    code
}

/// Returns whether `code` imports a layer: by `crate::layer`, by a braced `use crate::{layer…}`, or by `super`.
fn imports(code: &str, layer: &str) -> bool {
    let flat: String = code.split_whitespace().collect::<Vec<_>>().join(" ");
    let named = |prefix: &str| names(code, &format!("{prefix}{layer}::")) || names(code, &format!("{prefix}{layer};"));
    let braced = flat.split("crate::{").skip(1).any(|list| {
        let list = list.split(';').next().unwrap_or(list);
        names(list, &format!("{layer}::")) || names(list, &format!("{layer},")) || names(list, &format!("{layer}}}"))
    });
    named("crate::") || named("super::super::") || named("gitpack::") || braced
}

/// Returns whether `needle` occurs in `code` at the beginning of a word.
fn names(code: &str, needle: &str) -> bool {
    code.match_indices(needle).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

#[test]
fn layers_and_doors_hold() {
    let mut found = Vec::new();
    for (path, text) in sources::files() {
        found.extend(violations(&path, &text));
        let first = text.lines().next().unwrap_or("");
        if !first.starts_with("//! ") {
            found.push(format!("{path}: its first line does not say what it is for"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn planted_violations_are_found() {
    for (path, text) in [
        ("refusal/x.rs", "use crate::format::digest::Digest;"),
        ("format/x.rs", "use crate::rules::scan;"),
        ("format/x.rs", "use crate::{digest, adapters};"),
        (
            "format/x.rs",
            "use crate::{\n    format::digest,\n    ops::Context,\n};",
        ),
        ("rules/x.rs", "fn f() { crate::adapters::files::read(p, 1); }"),
        ("rules/x.rs", "use super::super::adapters::files;"),
        ("cli/x.rs", "use crate::adapters::git::Repository;"),
        ("adapters/x.rs", "use crate::rules::protect;"),
        ("adapters/x.rs", "use crate::ops::Context;"),
        ("ops/x.rs", "use crate::cli::Style;"),
        ("ops/x.rs", "let r = gix::open(p);"),
        ("adapters/git.rs", "use gix::bstr;"),
        ("rules/x.rs", "std::fs::read(p)"),
        ("ops/x.rs", "use std::fs;"),
        ("ops/x.rs", "let x = std::env::var(\"A\");"),
        ("ops/x.rs", "use std::time::SystemTime;"),
        ("adapters/x.rs", "let x = age::Decryptor::new(r);"),
        ("rules/protect.rs", "use globset::Glob;"),
        ("ops/x.rs", "println!(\"x\");"),
        ("ops/x.rs", "let q = '\"'; use clap::Parser; let r = '\"';"),
        ("adapters/x.rs", "use std::process::{Command, Stdio};"),
        ("ops/x.rs", "#[cfg(test)]\nmod tests;\n\nuse std::fs;"),
        ("ops/x.rs", "let q = r#\"a \" b\"#; use clap::Parser;"),
        ("adapters/files/x.rs", "use rustix::fs::OFlags;"),
        ("adapters/interruption.rs", "use signal_hook::consts::SIGINT;"),
        ("rules/x.rs", "use std::os::unix::ffi::OsStrExt;"),
        ("adapters/x.rs", "use std::{fs, os::unix::fs::symlink};"),
        ("adapters/x.rs", "use std::{fs, os::fd::AsRawFd};"),
        (
            "format/x.rs",
            "fn f() {}\n#[cfg(test)]\nmod tests { use std::os::unix::fs::symlink; }",
        ),
    ] {
        assert!(!violations(path, text).is_empty(), "{path}: {text}");
    }
}

#[test]
fn what_is_allowed_is_not_found() {
    for (path, text) in [
        (
            "rules/x.rs",
            "use crate::format::digest::Digest; // not crate::adapters::files",
        ),
        ("ops/x.rs", "use crate::{adapters::files, rules::scan};"),
        (
            "cli/x.rs",
            "use crate::ops::Context; let s = \"crate::adapters::x std::fs\";",
        ),
        ("adapters/git/x.rs", "use gix::bstr; use std::fs;"),
        ("ops/x.rs", "let image = page::render(); fn f<'a>(x: &'a str) {}"),
        (
            "adapters/files/platform/unix/x.rs",
            "use std::os::fd::AsRawFd;\nuse rustix::fs::openat;",
        ),
        ("ops/x.rs", "let q = r#\"a \" b\"#; let s = \"use clap::Parser\";"),
        ("format/path_bytes.rs", "use std::os::unix::ffi::OsStrExt;"),
        (
            "ops/x.rs",
            "use crate::adapters::files::platform::symlink; // std::os::unix",
        ),
        (
            "format/x.rs",
            "fn f() {}\n#[cfg(test)]\nmod tests { use crate::adapters::x; }",
        ),
    ] {
        assert_eq!(violations(path, text), [] as [String; 0], "{path}: {text}");
    }
}
