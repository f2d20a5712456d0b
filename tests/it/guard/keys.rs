//! Private keys in files of any kind.

use crate::common;
use crate::guard::table::{
    At::{Commit, Push},
    Row, blocked, row,
};

pub fn rows() -> Vec<Row> {
    let notes = || blocked(Commit, &["notes.txt", "key"]);
    let mut rows = vec![
        row("an age identity", notes(), |w| {
            w.stage("notes.txt", w.identity());
            w.commit()
        }),
        row("nothing but the key of an age identity", notes(), |w| {
            let identity = w.identity();
            w.stage("notes.txt", identity.lines().last().unwrap());
            w.commit()
        }),
        row(
            "an age identity within source code",
            blocked(Commit, &["src/main.rs", "key"]),
            |w| {
                let identity = w.identity();
                let key = identity.lines().last().unwrap();
                w.stage("src/main.rs", format!("fn main() {{\n    let key = \"{key}\";\n}}\n"));
                w.commit()
            },
        ),
        row(
            "an age identity in an environment file",
            blocked(Commit, &[".env", "key"]),
            |w| {
                let identity = w.identity();
                let key = identity.lines().last().unwrap();
                w.stage(".env", format!("export AGE_KEY={key}\r\n"));
                w.commit()
            },
        ),
        row(
            "the identity file itself",
            blocked(Commit, &["identity.txt", "key"]),
            |w| {
                w.sh("cp ../home/.config/git-pack/identity.txt .; git add -f identity.txt");
                w.commit()
            },
        ),
        row("a key in the index that the work tree has no more", notes(), |w| {
            w.stage("notes.txt", w.identity());
            w.write("notes.txt", "harmless\n");
            w.commit()
        }),
        row("git add -p of the hunk with the key", notes(), |w| {
            lines_with_key_at(w, 2);
            w.sh("printf 'n\\ny\\n' | git add -p >/dev/null; git diff --cached | grep -q AGE-SECRET");
            w.commit()
        }),
        row("commit -p of the hunk with the key", notes(), |w| {
            lines_with_key_at(w, 1);
            w.deed("git", &["commit", "-p", "-m", "x"]).stdin("y\nn\n").go()
        }),
        row("apply --cached of a key", notes(), |w| {
            w.sh("clean notes.txt");
            w.write("notes.txt", w.identity());
            w.sh("git diff >../patch; git checkout -q notes.txt; git apply --cached ../patch");
            w.commit()
        }),
        row(
            "a key that a commit takes out again",
            blocked(Push, &["notes.txt", "key"]),
            |w| {
                w.smuggle("notes.txt", w.identity());
                w.smuggle("notes.txt", "no key here\n");
                w.push()
            },
        ),
        row("a key between megabytes", notes(), |w| {
            let text = "nothing to see here\n".repeat(60_000);
            w.stage("notes.txt", format!("{text}{}{text}", w.identity()));
            w.commit()
        }),
        row("20 MiB, a key at the end", blocked(Commit, &["log.txt", "key"]), |w| {
            let mut text = "nothing to see here\n".repeat(1 << 20);
            text.truncate(20 << 20);
            w.write("log.txt", text + "\n" + &w.identity());
            w.sh("git -c core.compression=1 add log.txt");
            w.commit()
        }),
        row("a key behind noise", blocked(Commit, &["image.png", "key"]), |w| {
            let mut image = common::noise(5, 70_000);
            image.extend(w.identity().as_bytes());
            w.stage("image.png", image);
            w.commit()
        }),
        row("a key in gzip", blocked(Commit, &["notes.gz", "key"]), |w| {
            w.write("notes", w.identity());
            w.sh("gzip notes; git add notes.gz");
            w.commit()
        }),
        row("a key in zip", blocked(Commit, &["backup.zip", "key"]), |w| {
            let identity = w.identity();
            let members: [(&str, &[u8]); 2] = [("a.txt", b"hello"), ("b/id", identity.as_bytes())];
            w.stage("backup.zip", crate::guard::bytes::zip(&members));
            w.commit()
        }),
        row(
            "a key under a directory that is released",
            blocked(Commit, &["tests/key.txt", "key"]),
            |w| {
                w.rules("[[protect]]\nclass = \"fixture\"\npaths = [\"tests/**\"]\npolicy = \"allowed\"\n");
                w.stage("tests/key.txt", w.identity());
                w.commit()
            },
        ),
        row("a key in UTF-16 on disk", notes(), |w| {
            w.sh("echo 'notes.txt text working-tree-encoding=UTF-16LE' >.gitattributes");
            let wide: Vec<u8> = w.identity().encode_utf16().flat_map(u16::to_le_bytes).collect();
            w.stage("notes.txt", wide);
            w.commit()
        }),
        row("a key in a name that is sealed", blocked(Commit, &["key.age"]), |w| {
            w.stage("key.age", w.identity());
            w.commit()
        }),
    ];
    let kinds: [(&str, &[&str]); 7] = [
        ("OpenSSH, Ed25519", &["-t", "ed25519"]),
        ("OpenSSH, ECDSA", &["-t", "ecdsa"]),
        ("OpenSSH, RSA", &["-t", "rsa", "-b", "1024"]),
        ("OpenSSH, with a passphrase", &["-t", "ed25519", "-N", "secret"]),
        ("PEM, RSA", &["-t", "rsa", "-b", "1024", "-m", "PEM"]),
        ("PEM, EC", &["-t", "ecdsa", "-m", "PEM"]),
        ("PEM, PKCS #8", &["-t", "rsa", "-b", "1024", "-m", "PKCS8"]),
    ];
    for (what, args) in kinds {
        rows.push(row(what, notes(), move |w| {
            let Some(key) = w.ssh_key(args) else {
                return w.skip("no ssh-keygen");
            };
            w.stage("notes.txt", key);
            w.commit()
        }));
    }
    // One key, embedded as people embed keys in other files.
    type Setting = (&'static str, &'static str, fn(&str) -> String);
    let settings: [Setting; 7] = [
        ("with CRLF", "id", |key| key.replace('\n', "\r\n")),
        ("without a last newline", "id", |key| key.trim_end().into()),
        ("after other text", "README", |key| {
            format!("This opens everything:\n\n{key}\nDo not tell.\n")
        }),
        ("in a YAML block", "secret.yaml", |key| {
            let lines: String = key.lines().map(|line| format!("    {line}\n")).collect();
            format!("stringData:\n  id_ed25519: |\n{lines}type: Opaque\n")
        }),
        ("in a JSON string", "account.json", |key| {
            format!(
                "{{\"type\":\"account\",\"private_key\":\"{}\"}}\n",
                key.replace('\n', "\\n")
            )
        }),
        ("in a raw string of source code", "src/key.rs", |key| {
            format!("const KEY: &str = r\"{key}\";\n")
        }),
        ("in concatenated strings", "key.py", |key| {
            let lines: String = key.lines().map(|line| format!("    \"{line}\\n\"\n")).collect();
            format!("KEY = (\n{lines})\n")
        }),
    ];
    for (what, path, set) in settings {
        rows.push(row(
            format!("a key {what}"),
            blocked(Commit, &[path, "key"]),
            move |w| {
                let Some(key) = w.ssh_key(&["-t", "ed25519"]) else {
                    return w.skip("no ssh-keygen");
                };
                w.stage(path, set(&String::from_utf8(key).unwrap()));
                w.commit()
            },
        ));
    }
    rows.push(row("PEM by openssl", notes(), |w| {
        let args = ["genpkey", "-algorithm", "ed25519", "-out", "notes.txt"];
        let made = w.repo.place.command("openssl", &w.repo.root).args(args).output();
        if !made.is_ok_and(|output| output.status.success()) {
            return w.skip("no openssl");
        }
        w.sh("git add notes.txt");
        w.commit()
    }));
    rows
}

/// Commits twenty lines, then changes two distant ones on disk. The first or the second change adds a key.
fn lines_with_key_at(w: &crate::guard::world::World, change: usize) {
    let mut lines: Vec<String> = (1..=20).map(|n| format!("line {n}")).collect();
    w.write("notes.txt", lines.join("\n") + "\n");
    w.sh("git add notes.txt; git commit -q -m lines");
    let identity = w.identity();
    let key = identity.lines().last().unwrap();
    lines[1] = if change == 1 { key.into() } else { "changed".into() };
    lines[18] = if change == 2 { key.into() } else { "changed".into() };
    w.write("notes.txt", lines.join("\n") + "\n");
}
