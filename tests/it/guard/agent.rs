//! Private files of agents: only those of version 3 pass, whose age file is whole. All others count as plaintext.

use sha2::{Digest, Sha256};

use crate::common::packs::declared_paths;
use crate::common::{Repo, noise};
use crate::guard::bytes;
use crate::guard::table::{
    At::{Commit, Push, Receive},
    Row, blocked, passes, row,
};
use crate::guard::world::World;

/// Where the sealed format of an agent belongs.
const SEALED: &str = "agents/00/u/g3_information/format.json.enc";

/// The header of the format of an agent, version 3.
fn header() -> Vec<u8> {
    let mut header = b"GYR3\x03\x00\x80\x00\x00\x00\x00\x00".to_vec();
    header.extend([9; 96]);
    header.extend([7; 12]);
    header.extend([0; 8]);
    header
}

/// A private file of version 3, whose age file the `age` command makes.
fn sealed(w: &World, json: &[u8]) -> Vec<u8> {
    let header = header();
    let hash: String = Sha256::digest(&header).iter().map(|b| format!("{b:02x}")).collect();
    let plain = [format!("sha256:{hash}\n").as_bytes(), json].concat();
    [header, w.age(&[], &plain)].concat()
}

/// More than the guard holds in memory.
fn large() -> Vec<u8> {
    let mut json = b"{\"a\":\"".to_vec();
    json.resize(5 << 20, b'x');
    json.extend(b"\"}");
    json
}

/// Where the payload begins behind the header of age: a nonce, and chunks.
fn payload_of(bytes: &[u8]) -> usize {
    let mac = bytes.windows(5).position(|w| w == b"\n--- ").unwrap() + 1;
    mac + bytes[mac..].iter().position(|byte| *byte == b'\n').unwrap() + 1
}

fn patched(mut bytes: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
    bytes[at] = byte;
    bytes
}

type Make = fn(&World) -> Vec<u8>;

/// What is like a sealed file, and how to make it.
const BROKEN: [(&str, Make); 7] = [
    ("cut inside the header of age", |w| sealed(w, b"{}")[..180].to_vec()),
    ("cut behind the header of age", |w| {
        let bytes = sealed(w, b"{}");
        bytes[..payload_of(&bytes) + 20].to_vec()
    }),
    ("sealed to nobody", |_| {
        let age = format!("age-encryption.org/v1\n--- {}\n", "A".repeat(43));
        [header(), age.into_bytes(), vec![7; 64]].concat()
    }),
    ("with plaintext behind a made-up header of age", |_| {
        let age = "age-encryption.org/v1\n-> X25519 a\nb\n--- c\n{\"a\":1}";
        [header(), age.into()].concat()
    }),
    ("with plaintext behind a real header of age", |w| {
        let bytes = sealed(w, b"{}");
        let json = format!("{{\"steps\":{:?}}}", [1; 64]);
        [&bytes[..payload_of(&bytes) + 16], json.as_bytes()].concat()
    }),
    ("large and cut inside a tag", |w| {
        let bytes = sealed(w, &large());
        // Whole chunks of 64 KiB and 16 bytes follow the header of age and a nonce.
        bytes[..payload_of(&bytes) + 16 + 70 * (65536 + 16) + 9].to_vec()
    }),
    ("large and with plaintext behind a made-up header of age", |_| {
        let age = b"age-encryption.org/v1\n-> X25519 a\nb\n--- c\n";
        [header(), age.to_vec(), large()].concat()
    }),
];

/// What is not even like a sealed file.
const PLAIN: [(&str, Make); 6] = [
    ("of version 2", |_| bytes::sample("agent-private/session_2")),
    ("of version 2, called 3", |_| {
        patched(bytes::sample("agent-private/session_2"), 4, 3)
    }),
    ("of version 3 with plaintext", |_| [&header()[..], b"{}"].concat()),
    ("of version 3 with a flag", |w| patched(sealed(w, b"{}"), 5, 1)),
    ("of version 3 with a number", |w| patched(sealed(w, b"{}"), 8, 1)),
    ("of version 3, large, with reserved bytes", |w| {
        patched(sealed(w, &large()), 127, 1)
    }),
];

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (what, make) in BROKEN.into_iter().chain(PLAIN) {
        let by_content = &["assets/logo.bin", "agent-private"];
        rows.push(row(
            format!("a private file {what}, by another name"),
            blocked(Commit, by_content),
            move |w| {
                w.stage("assets/logo.bin", make(w));
                w.commit()
            },
        ));
    }
    for (what, make) in BROKEN {
        let by_name = &[SEALED, "a damaged age file"];
        rows.push(row(
            format!("a private file {what}, by the name of a sealed one"),
            blocked(Commit, by_name),
            move |w| {
                w.stage(SEALED, make(w));
                w.commit()
            },
        ));
    }
    for (what, make) in PLAIN {
        rows.push(row(
            format!("a private file {what}, by the name of a sealed one"),
            blocked(Commit, &[SEALED, "agent-private"]),
            move |w| {
                w.stage(SEALED, make(w));
                w.commit()
            },
        ));
    }
    rows.extend(plaintext());
    rows.extend(whole());
    rows
}

fn plaintext() -> Vec<Row> {
    let curriculum = "agents/00/u/g4_information/curriculum.json";
    let logo = || vec!["logo.bin", "agent", "agent-private"];
    vec![
        row(
            "a curriculum in the clear",
            blocked(Commit, &[curriculum, "agent"]),
            move |w| {
                w.stage(curriculum, "{}");
                w.commit()
            },
        ),
        row(
            "JSON by the name of a sealed file",
            blocked(Commit, &[SEALED, "named like a sealed file"]),
            |w| {
                w.stage(SEALED, "{}");
                w.commit()
            },
        ),
        row("a private file of version 2, pushed", blocked(Push, &logo()), |w| {
            w.smuggle("logo.bin", bytes::sample("agent-private/curriculum_2"));
            w.push()
        }),
        row(
            "a private file of version 2, deleted again, at a server",
            blocked(Receive, &logo()),
            |w| {
                w.server();
                w.smuggle("logo.bin", bytes::sample("agent-private/format_2"));
                w.sh("drop logo.bin");
                w.act(&["push", "--no-verify", "origin", "main"])
            },
        ),
        row("a broken private file at a server", blocked(Receive, &[SEALED]), |w| {
            w.server();
            w.smuggle(SEALED, &sealed(w, b"{}")[..180]);
            w.act(&["push", "--no-verify", "origin", "main"])
        }),
        row(
            "a private file of version 2 in Git LFS",
            blocked(Commit, &["logo.bin", "agent"]),
            |w| {
                let object = bytes::sample("agent-private/format_2");
                let oid: String = Sha256::digest(&object).iter().map(|b| format!("{b:02x}")).collect();
                let size = object.len();
                w.write(&format!(".git/lfs/objects/{}/{}/{oid}", &oid[..2], &oid[2..4]), &object);
                let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n");
                w.stage("logo.bin", pointer);
                w.commit()
            },
        ),
    ]
}

fn whole() -> Vec<Row> {
    let mut rows = Vec::new();
    for path in [SEALED, "agents/00/u/g3_information/format.json", "logo.bin"] {
        rows.push(row(
            format!("a sealed private file at {path}"),
            passes(&["pre-commit"]),
            move |w| {
                w.stage(path, sealed(w, b"{}"));
                w.commit()
            },
        ));
    }
    rows.extend([
        row("a large sealed private file", passes(&["pre-commit"]), |w| {
            w.stage(SEALED, sealed(w, &large()));
            w.commit()
        }),
        row(
            "a sealed private file, pushed to a server",
            passes(&["pre-push", "pre-receive"]),
            |w| {
                w.server();
                w.stage(SEALED, sealed(w, b"{}"));
                w.sh("git commit -q -m sealed");
                w.push()
            },
        ),
    ]);
    rows
}

/// A pack of the tree seals private files that are not sealed, whatever their names are, and copies those that are.
#[test]
fn a_tree_pack_seals_private_files_that_are_not_sealed() {
    let repo = Repo::set_up();
    let old = bytes::sample("agent-private/session_2");
    let whole = bytes::sample("age/agent_format_3");
    let session = "agents/00/u/g5_information/session.json.enc";
    let curriculum = "agents/00/u/g4_information/curriculum.json";
    for (path, content) in [
        ("logo.bin", &old[..]),
        (session, &old[..]),
        (curriculum, b"{\"lessons\":[]}"),
        (SEALED, &whole[..]),
    ] {
        repo.write(path, content);
    }
    repo.git(&["add", "-f", "."]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "x"]).ok();
    let (_, pack) = repo.seal(&["--replace", "-o", "../pack"]);
    let mut declared = declared_paths(&pack);
    declared.sort();
    assert_eq!(declared, [curriculum, session, "logo.bin"]);
    assert_eq!(std::fs::read(pack.join("repo").join(SEALED)).unwrap(), whole);
    repo.pack(&["verify", "../pack"]).ok();
}

/// A private plaintext that the guard has seen is found by another name, too.
#[test]
fn a_copy_of_a_private_plaintext_is_found_by_another_name() {
    let repo = Repo::set_up();
    let json = format!("{{\"steps\":{:?}}}", noise(17, 400));
    for plain in ["g3_information/format.json", "g4_information/curriculum.json"] {
        let plain = format!("agents/00/u/{plain}");
        let json = format!("{{\"is\":{plain:?},{}", &json[1..]);
        repo.write("notes.txt", &json);
        repo.git(&["add", "notes.txt"]).ok();
        assert_eq!(repo.pack(&["scan"]).code, 0);
        repo.write(&plain, &json);
        repo.git(&["add", "-f", "--", &plain]).ok();
        assert_eq!(repo.git(&["commit", "-q", "-m", "x"]).code, 1);
        repo.git(&["rm", "-q", "--cached", "--", &plain]).ok();
        let done = repo.pack(&["scan"]);
        assert_eq!(done.code, 1, "{}", done.out());
        assert!(done.out().contains(&format!("100 % of {plain}")), "{}", done.out());
    }
}
