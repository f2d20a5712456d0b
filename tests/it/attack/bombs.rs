//! Small pushes that expand to a huge amount of work. The hook must answer or refuse each within its bounds.

use std::fmt::Write as _;
use std::io::Write as _;

use crate::attack::forge::{Id, Kind, Pack, Server, hex, id_of, repeated};
use crate::common;

const MAIN: &str = "refs/heads/main";

/// The end of the message for any bound. Which bound is reached first, time or a count, depends on the machine.
const TOO_MUCH: &str = "that are allowed here";

/// Adds trees of `levels` levels. Each level holds the one below under ten names.
fn nested(pack: &mut Pack, levels: usize, name: &str) -> Id {
    let blob = pack.blob(b"x\n");
    let names: Vec<String> = (0..10).map(|n| format!("{name}{n}")).collect();
    let mut below = blob;
    for level in 0..levels {
        let mode = if level == 0 { "100644" } else { "40000" };
        let entries: Vec<_> = names.iter().map(|name| (mode, name.as_str(), below)).collect();
        below = pack.tree(&entries);
    }
    below
}

/// Gain: a push of 1 KB keeps the server busy for hours and takes all its memory.
#[test]
fn trees_of_identical_trees() {
    for levels in [7, 8, 12] {
        let server = Server::new();
        let mut pack = Pack::default();
        let tree = nested(&mut pack, levels, "d");
        let commit = pack.commit(tree, &[], "bomb");
        server.push(&pack, &[(None, commit, MAIN)]).refused(TOO_MUCH);
    }
}

/// Gain: the same with a history so long that the guard judges it by another method.
#[test]
fn trees_of_identical_trees_in_a_long_history() {
    let server = Server::new();
    let mut pack = Pack::default();
    let tree = nested(&mut pack, 8, "d");
    let mut tip = pack.commit(tree, &[], "bomb");
    for n in 0..600 {
        tip = pack.commit(tree, &[tip], &n.to_string());
    }
    server.push(&pack, &[(None, tip, MAIN)]).refused(TOO_MUCH);
}

/// Gain: the number of paths stays moderate, but their length fills the memory.
#[test]
fn names_that_are_very_long() {
    let server = Server::new();
    let mut pack = Pack::default();
    let tree = nested(&mut pack, 5, &"n".repeat(4000));
    let commit = pack.commit(tree, &[], "bomb");
    server.push(&pack, &[(None, commit, MAIN)]).refused(TOO_MUCH);
}

/// No gain: a repository with many files passes, and an operator can raise the bounds.
#[test]
fn what_is_large_but_not_too_large_passes() {
    let server = Server::new();
    let mut pack = Pack::default();
    let tree = nested(&mut pack, 4, "d");
    let commit = pack.commit(tree, &[], "many");
    server.configure("gitpack.maxEntries", "5000");
    let answer = server.push(&pack, &[(None, commit, MAIN)]);
    answer.refused("5000 tree entries");
    assert!(answer.done.stderr.contains("git config gitpack.maxEntries 50000"));
    server.configure("gitpack.maxEntries", "1m");
    server.push(&pack, &[(None, commit, MAIN)]).passed();
}

/// Gain: a deep tree overflows the stack, or its paths take memory that grows with the square of the depth.
#[test]
fn a_tree_of_a_hundred_thousand_levels() {
    let server = Server::new();
    let mut pack = Pack::default();
    let mut tree = nested(&mut pack, 1, "d");
    for _ in 0..100_000 {
        tree = pack.tree(&[("40000", "d", tree)]);
    }
    let commit = pack.commit(tree, &[], "deep");
    server.push(&pack, &[(None, commit, MAIN)]).kept_out();
    server
        .judge(&pack, &[(None, commit, MAIN)])
        .refused("levels of trees or tags");
}

/// Gain: chains of tags cost memory and time, because they are followed again for each ref.
#[test]
fn tags_of_tags() {
    let server = Server::new();
    let mut pack = Pack::default();
    let tree = nested(&mut pack, 1, "d");
    let commit = pack.commit(tree, &[], "tagged");
    let mut chain = vec![pack.tag(Kind::Commit, commit, "t")];
    for n in 0..10_000 {
        chain.push(pack.tag(Kind::Tag, chain[n], "t"));
    }
    let names: Vec<String> = (0..1500).map(|n| format!("refs/tags/t{n}")).collect();
    let refs: Vec<_> = names
        .iter()
        .zip(&chain)
        .map(|(name, tag)| (None, *tag, name.as_str()))
        .collect();
    server.judge(&pack, &refs).passed();
    let last = chain[chain.len() - 1];
    server
        .judge(&pack, &[(None, last, "refs/tags/t")])
        .refused("levels of trees or tags");
}

/// Gain: one commit costs ten thousand comparisons of its tree.
#[test]
fn a_commit_with_ten_thousand_parents() {
    let server = Server::new();
    let mut pack = Pack::default();
    let empty = pack.tree(&[]);
    let parents: Vec<Id> = (0..10_000).map(|n| pack.commit(empty, &[], &n.to_string())).collect();
    let tree = nested(&mut pack, 3, "d");
    let tip = pack.commit(tree, &parents, "octopus");
    server.push(&pack, &[(None, tip, MAIN)]).answered();
    // All parents exist and have different trees, so the one commit is compared with each of them.
    let server = Server::new();
    let mut pack = Pack::default();
    let blob = pack.blob(b"x\n");
    let names: Vec<String> = (0..200).map(|n| format!("f{n}")).collect();
    let parents: Vec<Id> = (0..10_000)
        .map(|n| {
            let mut entries: Vec<_> = names.iter().map(|name| ("100644", name.as_str(), blob)).collect();
            let own = format!("g{n}");
            entries.push(("100644", own.as_str(), blob));
            let tree = pack.tree(&entries);
            pack.commit(tree, &[], "p")
        })
        .collect();
    let tree = nested(&mut pack, 3, "d");
    let tip = pack.commit(tree, &parents, "octopus");
    server.judge(&pack, &[(None, tip, MAIN)]).answered();
}

/// Gain: a file takes 700 MB of memory, because it is read before its size is checked.
#[test]
fn documents_that_inflate() {
    for (directory, name, answer) in [
        (None, ".gitpack.toml", "at most 1048576 bytes, found 734003200"),
        (Some("d"), "manifest.json", ""),
    ] {
        let server = Server::new();
        let mut pack = Pack::default();
        let zeros = pack.zeros(700 << 20);
        let mut tree = pack.tree(&[("100644", name, zeros)]);
        if let Some(directory) = directory {
            tree = pack.tree(&[("40000", directory, tree)]);
        }
        let commit = pack.commit(tree, &[], "zeros");
        let pushed = server.push(&pack, &[(None, commit, MAIN)]);
        match answer {
            "" => pushed.answered(),
            words => pushed.refused(words),
        }
    }
}

/// Gain: the server inflates zeros for hours.
#[test]
fn blobs_that_inflate() {
    let server = Server::new();
    // Keeps the pack as it was sent. Unpacked blobs would be larger, and a larger push is allowed more time.
    server.configure("receive.unpackLimit", "1");
    let mut pack = Pack::default();
    let zeros: Vec<Id> = (1..=3).map(|n| pack.zeros((600 << 20) + n)).collect();
    let entries: Vec<_> = ["a", "b", "c"].into_iter().zip(zeros).collect();
    let entries: Vec<_> = entries.iter().map(|(name, id)| ("100644", *name, *id)).collect();
    let tree = pack.tree(&entries);
    let commit = pack.commit(tree, &[], "zeros");
    server.push(&pack, &[(None, commit, MAIN)]).refused(TOO_MUCH);
}

/// Gain: a delta of a few bytes expands in memory, either to the pushed object or to one in the chain below it.
#[test]
fn deltas_that_grow() {
    let base = vec![b'a'; 65536];
    let size = 160 << 20;
    let large = vec![b'a'; size];
    let large_id = id_of(Kind::Blob, &large);
    drop(large);
    for (small_too, unpacked) in [(false, false), (true, false), (false, true), (true, true)] {
        let server = Server::new();
        if !unpacked {
            server.configure("receive.unpackLimit", "1");
        }
        let mut pack = Pack::default();
        let base_id = pack.blob(&base);
        pack.delta(base_id, &repeated(base.len() as u64, size as u64));
        let mut id = large_id;
        if small_too {
            pack.delta(large_id, &repeated(size as u64, 65536 * 2));
            id = id_of(Kind::Blob, &vec![b'a'; 65536 * 2]);
        }
        let tree = pack.tree(&[("100644", "a", id)]);
        let commit = pack.commit(tree, &[], "delta");
        let answer = server.push(&pack, &[(None, commit, MAIN)]);
        if unpacked {
            // Git unpacked the object and stored it whole, so the hook reads it as a stream.
            answer.answered();
            continue;
        }
        answer.refused("memory for one object");
        assert!(
            answer.done.stderr.contains("gitpack.maxObjectBytes"),
            "{}",
            answer.done.stderr
        );
    }
    // The same for a tree.
    let entry = [&b"100644 a\0"[..], &[7; 20], &b"100644 b\0"[..], &[7; 20]].concat();
    let mut content = entry.repeat(65536 / entry.len() + 1);
    content.truncate(content.len() / 29 * 29);
    let server = Server::new();
    let mut pack = Pack::default();
    let base_id = pack.add(Kind::Tree, &content);
    pack.delta(base_id, &repeated(content.len() as u64, size as u64));
    let grown: Vec<u8> = content[..65536].repeat(size / 65536);
    let tree = id_of(Kind::Tree, &grown);
    let commit = pack.commit(tree, &[], "delta");
    server
        .judge(&pack, &[(None, commit, MAIN)])
        .refused("memory for one object");
}

/// Gain: a chain of deltas costs time that grows with the square of its length.
#[test]
fn chains_of_thousands_of_deltas() {
    let server = Server::new();
    let mut pack = Pack::default();
    let mut content = vec![b'a'; 70_000];
    let mut id = pack.blob(&content);
    let mut ids = vec![id];
    for n in 0..3000_u32 {
        // Copies 65,536 bytes, then inserts four new ones.
        let length = content.len() as u64;
        let mut next = content[..65536].to_vec();
        next.extend_from_slice(&n.to_be_bytes());
        let mut instructions = [
            crate::attack::forge::varint(length),
            crate::attack::forge::varint(next.len() as u64),
        ]
        .concat();
        instructions.push(0x80);
        instructions.push(4);
        instructions.extend_from_slice(&n.to_be_bytes());
        pack.delta(id, &instructions);
        content = next;
        id = id_of(Kind::Blob, &content);
        ids.push(id);
    }
    let names: Vec<String> = (0..ids.len()).map(|n| format!("f{n:05}")).collect();
    // An order of reading that defeats caches.
    let entries: Vec<_> = names
        .iter()
        .zip(&ids)
        .map(|(name, id)| ("100644", name.as_str(), *id))
        .collect();
    let tree = pack.tree(&entries);
    let commit = pack.commit(tree, &[], "chain");
    server.push(&pack, &[(None, commit, MAIN)]).answered();
}

/// Gain: a loose object is larger than its header says.
#[test]
fn loose_objects_that_lie() {
    let tree = nested(&mut Pack::default(), 1, "d");
    for header in ["tree 30\0", "tree 99999999999\0", "tree 18446744073709551615\0"] {
        let mut file = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        file.write_all(header.as_bytes()).unwrap();
        for _ in 0..300 {
            file.write_all(&vec![0; 1 << 20]).unwrap();
        }
        let server = Server::new();
        let mut pack = Pack::default();
        let commit = pack.commit(tree, &[], "loose");
        let name = hex(&tree);
        let path = server.root.join("objects").join(&name[..2]).join(&name[2..]);
        common::write(&path, file.finish().unwrap());
        let answer = server.judge(&pack, &[(None, commit, MAIN)]);
        assert_eq!(answer.hook, Some(2), "{header:?}: {}", answer.done.stderr);
    }
}

fn with_configuration(text: &str, files: usize) -> (Pack, Id) {
    let mut pack = Pack::default();
    let config = pack.blob(text.as_bytes());
    let blob = pack.blob(b"x\n");
    let name = "a".repeat(60);
    let names: Vec<String> = (0..files).map(|n| format!("{name}{n:06}")).collect();
    let mut entries = vec![("100644", ".gitpack.toml", config)];
    entries.extend(names.iter().map(|name| ("100644", name.as_str(), blob)));
    let tree = pack.tree(&entries);
    let commit = pack.commit(tree, &[], "rules");
    (pack, commit)
}

/// Gain: a configuration that nests deeply, or has too many entries, costs time and memory.
#[test]
fn configurations_that_explode() {
    let rule = "[[protect]]\nclass = \"c\"\npaths = [\"a\"]\n";
    let allow = format!("[[allow]]\nblob = \"{}\"\nreason = \"x\"\n", "1".repeat(40));
    for text in [
        format!("version = 1\na = {}", "[".repeat(1_000_000)),
        format!("version = 1\na = {}", "{a=".repeat(300_000)),
        format!("version = 1\n{}", "a.".repeat(500_000)),
        format!("version = 1\n[{}a]\n", "a.".repeat(500_000)),
        format!("version = 1\n{}", rule.repeat(25_000)),
        format!("version = 1\n[scope.a]\nanchors = [{}]\n", "\"a\",".repeat(200_000)),
        (0..20_000).fold("version = 1\n".to_owned(), |mut text, n| {
            writeln!(text, "[scope.s{n}]").unwrap();
            text
        }),
    ] {
        let server = Server::new();
        let (pack, commit) = with_configuration(&text, 1);
        server.push(&pack, &[(None, commit, MAIN)]).refused(".gitpack.toml");
    }
    let server = Server::new();
    let (pack, commit) = with_configuration(&format!("version = 1\n{}", allow.repeat(9000)), 1);
    server.push(&pack, &[(None, commit, MAIN)]).answered();
}

/// Gain: matching one path against the globs takes seconds.
#[test]
fn globs_that_explode() {
    let alternatives = "{a,b}".repeat(800);
    let nested = format!("{}a{}", "{a,".repeat(600), "}".repeat(600));
    let stars = "**/".repeat(1300) + "a";
    let classes = "[a-z]*".repeat(600);
    let many: Vec<String> = (0..4000).map(|n| format!("*a*a?????????a*{n}")).collect();
    let all: Vec<String> = (0..4000).map(|n| format!("**/*{}*", "a".repeat(1 + n % 9))).collect();
    for globs in [vec![alternatives], vec![nested], vec![stars], vec![classes], many, all] {
        let globs: Vec<String> = globs.iter().map(|glob| format!("{glob:?}")).collect();
        let text = format!(
            "version = 1\n[[protect]]\nclass = \"c\"\npaths = [{}]\npolicy = \"internal\"\n",
            globs.join(",")
        );
        let server = Server::new();
        let (pack, commit) = with_configuration(&text, 10_000);
        server.push(&pack, &[(None, commit, MAIN)]).answered();
    }
}

/// Gain: the configuration is compiled again for each of thousands of refs.
#[test]
fn floods_of_refs() {
    let server = Server::new();
    let mut pack = Pack::default();
    let tree = nested(&mut pack, 1, "d");
    let commit = pack.commit(tree, &[], "one");
    let names: Vec<String> = (0..10_000).map(|n| format!("refs/heads/b{n}")).collect();
    let refs: Vec<_> = names.iter().map(|name| (None, commit, name.as_str())).collect();
    server.judge(&pack, &refs).passed();
    let mut pack = Pack::default();
    let tips: Vec<Id> = (0..3000)
        .map(|n| {
            let config = pack.blob(format!("version = 1\n# {n}\n").as_bytes());
            let tree = pack.tree(&[("100644", ".gitpack.toml", config)]);
            pack.commit(tree, &[], "own rules")
        })
        .collect();
    let refs: Vec<_> = names
        .iter()
        .zip(&tips)
        .map(|(name, tip)| (None, *tip, name.as_str()))
        .collect();
    server.judge(&pack, &refs).refused(TOO_MUCH);
}

/// Gain: the list of findings takes memory without a limit.
#[test]
fn leaks_without_number() {
    let server = Server::new();
    let mut pack = Pack::default();
    let tree = nested(&mut pack, 5, "d");
    let top = pack.tree(&[("40000", "_PACK_RUN", tree)]);
    let commit = pack.commit(top, &[], "leaks");
    server.push(&pack, &[(None, commit, MAIN)]).blocked("100000 leaks");
}

/// Gain: a tracked pack takes memory with documents that inflate or nest.
#[test]
fn packs_that_explode() {
    let nested_json = format!("{{\"version\":\"pack.v0\",\"a\":{}", "[".repeat(1_000_000));
    let wide_json = format!(
        "{{\"version\":\"pack.v0\",\"members\":[{}]}}",
        vec!["{}"; 300_000].join(",")
    );
    for manifest in [nested_json, wide_json] {
        let server = Server::new();
        let mut pack = Pack::default();
        let manifest = pack.blob(manifest.as_bytes());
        let tree = pack.tree(&[("100644", "manifest.json", manifest)]);
        let top = pack.tree(&[("40000", "evidence", tree)]);
        let commit = pack.commit(top, &[], "pack");
        let answer = server.push(&pack, &[(None, commit, MAIN)]);
        answer.blocked("PACK_INVALID");
    }
}
