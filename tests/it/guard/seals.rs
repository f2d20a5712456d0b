//! A file named like a seal must be one, and a Git LFS pointer to a protected file sends the plaintext to another
//! server.

use crate::guard::bytes;
use crate::guard::table::{
    At::{Commit, Push},
    Row, blocked, passes, row,
};
use crate::guard::world::World;

fn header_of(sealed: &[u8]) -> usize {
    let at = sealed.windows(4).position(|w| w == b"\n---").unwrap();
    at + 1 + sealed[at + 1..].iter().position(|byte| *byte == b'\n').unwrap() + 1
}

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    type Fake = (&'static str, fn(&World) -> Vec<u8>);
    let fakes: [Fake; 12] = [
        ("plaintext", |_| b"secret\n".to_vec()),
        ("an empty file", |_| Vec::new()),
        ("a protected format", |_| bytes::faiss(4)),
        ("the version line alone", |_| b"age-encryption.org/v1\n".to_vec()),
        ("the version line, then plaintext", |_| {
            b"age-encryption.org/v1\nsecret secret secret\n".to_vec()
        }),
        ("a header without stanzas", |_| {
            let mac = "A".repeat(43);
            let mut fake = format!("age-encryption.org/v1\n--- {mac}\n").into_bytes();
            fake.extend([7; 64]);
            fake
        }),
        ("a header without a payload", |w| {
            let sealed = w.age(&[], b"secret");
            sealed[..header_of(&sealed)].to_vec()
        }),
        ("a payload too short for its nonce and tag", |w| {
            let sealed = w.age(&[], b"secret");
            sealed[..header_of(&sealed) + 16 + 15].to_vec()
        }),
        ("a payload that ends inside a tag", |w| {
            let sealed = w.age(&[], &vec![7; 65536 + 100]);
            sealed[..header_of(&sealed) + 16 + 65536 + 16 + 9].to_vec()
        }),
        ("armor around plaintext", |_| {
            b"-----BEGIN AGE ENCRYPTED FILE-----\nc2VjcmV0IHNlY3JldCBzZWNyZXQ=\n-----END AGE ENCRYPTED FILE-----\n"
                .to_vec()
        }),
        ("armor that does not end", |w| {
            let sealed = w.age(&["-a"], b"secret");
            sealed[..sealed.len() - 40].to_vec()
        }),
        ("a real one with plaintext before it", |w| {
            [&b"secret\n"[..], &w.age(&[], b"secret")].concat()
        }),
    ];
    for (what, make) in fakes {
        rows.push(row(
            format!("a fake seal: {what}"),
            blocked(Commit, &["a.vec.age"]),
            move |w| {
                w.stage("a.vec.age", make(w));
                w.commit()
            },
        ));
    }
    rows.extend([
        row("a fake seal under any name", blocked(Commit, &["birthday.age"]), |w| {
            w.stage("birthday.age", "forty-two\n");
            w.commit()
        }),
        row("a fake seal in upper case", blocked(Commit, &["A.VEC.AGE"]), |w| {
            w.stage("A.VEC.AGE", "secret\n");
            w.commit()
        }),
        row("a fake seal, pushed", blocked(Push, &["a.vec.age"]), |w| {
            w.smuggle("a.vec.age", "secret\n");
            w.push()
        }),
        row(
            "a fake seal that the next commit mends",
            blocked(Push, &["a.vec.age"]),
            |w| {
                w.smuggle("a.vec.age", "secret\n");
                let sealed = w.age(&[], b"secret");
                w.stage("a.vec.age", sealed);
                w.sh("git commit -q -m mended");
                w.push()
            },
        ),
        row("a real seal under a protected name", passes(&["pre-commit"]), |w| {
            let sealed = w.age(&[], b"secret");
            w.stage("a.vec", sealed);
            w.commit()
        }),
        row(
            "an LFS pointer at a protected path",
            blocked(Commit, &["model.safetensors"]),
            |w| {
                w.stage("model.safetensors", bytes::lfs_pointer());
                w.commit()
            },
        ),
        row(
            "an LFS pointer at a protected path, pushed",
            blocked(Push, &["a.vec"]),
            |w| {
                w.smuggle("a.vec", bytes::lfs_pointer());
                w.push()
            },
        ),
        row("an LFS pointer by a clean filter", blocked(Commit, &["a.vec"]), |w| {
            w.write("../pointer", bytes::lfs_pointer());
            w.sh("echo '*.vec filter=lfs diff=lfs -text' >.gitattributes
                 git config filter.lfs.clean 'cat >/dev/null; cat ../pointer'; put a.vec; git add .");
            w.commit()
        }),
        row("an LFS pointer elsewhere", passes(&["pre-commit"]), |w| {
            w.stage("film.mp4", bytes::lfs_pointer());
            w.commit()
        }),
    ]);
    type Real = (&'static str, fn(&World) -> Vec<u8>);
    let real: [Real; 7] = [
        ("by age", |w| w.age(&[], b"secret")),
        ("armored", |w| w.age(&["-a"], b"secret")),
        ("armored, with CRLF", |w| {
            let armored = String::from_utf8(w.age(&["-a"], b"secret")).unwrap();
            armored.replace('\n', "\r\n").into_bytes()
        }),
        ("of nothing", |w| w.age(&[], b"")),
        ("of exactly one chunk", |w| w.age(&[], &vec![7; 65536])),
        ("of several chunks", |w| w.age(&[], &vec![7; 3 * 65536 + 1])),
        ("for many recipients", |w| {
            let recipients: Vec<u8> = w.sh("git pack recipients list").into_bytes();
            w.write("../recipients", [&recipients[..], b"\n"].concat().repeat(20));
            w.age(&["-R", "../recipients"], b"secret")
        }),
    ];
    for (what, make) in real {
        rows.push(row(format!("a real seal {what}"), passes(&["pre-commit"]), move |w| {
            w.stage("a.vec.age", make(w));
            w.commit()
        }));
    }
    rows.extend([
        row("a real seal for an SSH key", passes(&["pre-commit"]), |w| {
            if w.ssh_key(&["-t", "ed25519"]).is_none() {
                return w.skip("no ssh-keygen");
            }
            let sealed = w.age(&["-R", "../ssh-key.pub"], b"secret");
            w.stage("a.vec.age", sealed);
            w.commit()
        }),
        row("a real seal, pushed", passes(&["pre-push"]), |w| {
            let sealed = w.age(&[], b"secret");
            w.stage("a.vec.age", sealed);
            w.sh("git commit -q -m sealed");
            w.push()
        }),
        row("git pack protect, committed", passes(&["pre-commit"]), |w| {
            w.sh("put embeddings/a.vec; git add .; git pack protect embeddings/a.vec");
            w.sh("test -f embeddings/a.vec; git ls-files | grep -qx embeddings/a.vec.age
                 not git ls-files --error-unmatch embeddings/a.vec 2>/dev/null; git check-ignore -q embeddings/a.vec");
            w.commit()
        }),
        row("git pack protect of several, pushed", passes(&["pre-push"]), |w| {
            w.write("logo.bin", bytes::faiss(4));
            w.sh(
                "put a.vec; put 'b c.index'; git add .; git pack protect a.vec 'b c.index' logo.bin
                git commit -q -m x",
            );
            w.push()
        }),
        row(
            "git pack protect after a blocked commit",
            passes(&["pre-commit"]),
            |w| {
                w.sh("put sub/a.vec; git add .");
                assert_ne!(w.repo.git(&["commit", "-m", "x"]).code, 0);
                w.sh("cd sub; git pack protect a.vec");
                w.commit()
            },
        ),
        row("what protect made is opened by age", passes(&["pre-commit"]), |w| {
            w.sh("put a.vec; git pack protect a.vec");
            let program = std::env::var("GITPACK_AGE").unwrap_or_else(|_| "age".into());
            let identity = w.repo.identity();
            let args = ["-d", "-i", identity.to_str().unwrap(), "a.vec.age"];
            assert_eq!(w.repo.place.run(&w.repo.root, &program, &args).ok().out(), "secret\n");
            w.commit()
        }),
    ]);
    rows
}
