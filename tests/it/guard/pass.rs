//! Innocent content that passes without a message.

use crate::common::noise;
use crate::guard::bytes;
use crate::guard::table::{Row, passes, row};

const COMMIT: &[&str] = &["pre-commit"];
const PUSH: &[&str] = &["pre-push"];

/// Names that only resemble protected ones.
const NAMES: [&str; 22] = [
    "index.html",
    "index",
    "src/index/mod.rs",
    "a.vec.md",
    "a.vector",
    "avec",
    "vec",
    "a.vecs/readme",
    "my_PACK_RUN/x",
    "_PACK_RUNS/x",
    "_PACK_RUN.md",
    "PACK_RUN/x",
    "PROOF_BUNDLE.json.md",
    "MY_PROOF_BUNDLE.json",
    "proof_bundle.jsonl",
    "format.json",
    "g3_information/format.json",
    "agents.md",
    "faiss",
    "age",
    "teenage",
    "key.pem.txt",
];

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAyJ8ZQm9vQmFyQmF6UXV4
-----END CERTIFICATE-----
";

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for name in NAMES {
        rows.push(row(format!("the name {name}"), passes(COMMIT), move |w| {
            w.stage(name, "x\n");
            w.commit()
        }));
    }
    // What it is, its name and its content.
    type Content = (&'static str, &'static str, fn() -> Vec<u8>);
    let contents: [Content; 33] = [
        ("text", "a.txt", || b"hello\n".to_vec()),
        ("nothing", "a.txt", Vec::new),
        ("noise", "a.bin", || noise(1, 100_000)),
        ("4 MiB", "a.bin", || noise(2, 4 << 20)),
        ("zeros", "a.bin", || vec![0; 1 << 20]),
        ("parquet", "a.parquet", bytes::parquet),
        ("an array", "a.npy", bytes::npy),
        ("arrays in an archive", "a.npz", || {
            bytes::zip(&[("x.npy", &bytes::npy())])
        }),
        ("text in gzip", "a.gz", || bytes::gzip(b"hello")),
        ("text in zstd", "a.zst", || bytes::zstd(b"hello")),
        ("text in zip", "a.zip", || bytes::zip(&[("a", b"hello"), ("b", b"")])),
        ("an empty zip", "a.zip", || bytes::zip(&[])),
        ("gzip cut short", "a.gz", || bytes::gzip(b"hello")[..14].to_vec()),
        ("gzip of nonsense", "a.gz", || {
            [&[0x1f, 0x8b, 8, 0][..], &noise(3, 300)].concat()
        }),
        ("zstd of nonsense", "a.zst", || {
            [&[0x28, 0xb5, 0x2f, 0xfd][..], &noise(4, 300)].concat()
        }),
        ("zip of nonsense", "a.zip", || {
            [&b"PK\x03\x04"[..], &noise(5, 300)].concat()
        }),
        ("a word that is a magic", "a.md", || {
            b"GGUF is a file format.\n".to_vec()
        }),
        ("another word that is a magic", "b.md", || {
            b"IxF2 is what faiss calls a flat index.\n".to_vec()
        }),
        ("a magic and nothing else", "a.bin", || b"IxFI".to_vec()),
        ("another magic and nothing else", "a.bin", || b"GGUF".to_vec()),
        ("JSON that looks like a header", "a.json", || {
            br#"{"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#.to_vec()
        }),
        ("a pickle without tensors", "a.pkl", || {
            b"\x80\x04]\x94(K\x01K\x02K\x03e.".to_vec()
        }),
        ("a mention of a key", "doc.md", || {
            b"A key begins with `-----BEGIN RSA PRIVATE KEY-----`, and ends likewise.\n".to_vec()
        }),
        ("a key's frame without a key", "doc.md", || {
            b"-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----\n".to_vec()
        }),
        ("a pattern that finds keys", "scan.py", || {
            b"KEY = re.compile(r'-----BEGIN (?:RSA |OPENSSH )?PRIVATE KEY-----')\n".to_vec()
        }),
        ("a mention of an identity", "doc.md", || {
            b"It starts with AGE-SECRET-KEY-1, and you keep it safe.\n".to_vec()
        }),
        ("a placeholder of an identity", "doc.md", || {
            format!("AGE-SECRET-KEY-1{}\n", "X".repeat(58)).into_bytes()
        }),
        ("an age recipient", "recipients.txt", || {
            b"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\n".to_vec()
        }),
        ("a certificate", "a.pem", || CERTIFICATE.into()),
        ("a public key", "a.pem", || {
            CERTIFICATE.replace("CERTIFICATE", "PUBLIC KEY").into()
        }),
        ("a PGP public key", "a.asc", || {
            CERTIFICATE.replace("CERTIFICATE", "PGP PUBLIC KEY BLOCK").into()
        }),
        ("a certificate request", "a.csr", || {
            CERTIFICATE.replace("CERTIFICATE", "CERTIFICATE REQUEST").into()
        }),
        ("a digest of a key", "SHA256SUMS", || {
            format!("{}  id_ed25519\n", "0f".repeat(32)).into()
        }),
    ];
    for (what, name, make) in contents {
        rows.push(row(format!("{what}, committed"), passes(COMMIT), move |w| {
            w.stage(name, make());
            w.commit()
        }));
    }
    let commits: [(&str, &str, &[&str], &[&str]); 24] = [
        ("an empty commit", "", &["commit", "--allow-empty", "-m", "x"], COMMIT),
        ("an amended message", "", &["commit", "--amend", "-m", "other"], COMMIT),
        ("commit -a", "put README.md", &["commit", "-am", "x"], COMMIT),
        (
            "a protected file that is not staged",
            "put a.vec; put b; git add b",
            &["commit", "-m", "x"],
            COMMIT,
        ),
        (
            "a protected file that is only to be added",
            "put a.vec; git add -N a.vec; put b; git add b",
            &["commit", "-m", "x", "b"],
            COMMIT,
        ),
        (
            "a protected file is deleted",
            "leak a.vec; git rm -q a.vec",
            &["commit", "-m", "x"],
            COMMIT,
        ),
        (
            "a protected file is not tracked any more",
            "leak a.vec; git rm -q --cached a.vec",
            &["commit", "-m", "x"],
            COMMIT,
        ),
        (
            "a protected file is renamed to an innocent name",
            "leak a.vec; git mv a.vec a.txt",
            &["commit", "-m", "x"],
            COMMIT,
        ),
        (
            "the last of run outputs is deleted",
            "leak _PACK_RUN/x; git rm -q --cached _PACK_RUN/x",
            &["commit", "-m", "x"],
            COMMIT,
        ),
        (
            "a link that leads to a protected file",
            "put a.vec; ln -s a.vec link; git add link",
            &["commit", "-m", "x"],
            COMMIT,
        ),
        (
            "a link that leads nowhere",
            "ln -s /nonexistent link; git add link",
            &["commit", "-m", "x"],
            COMMIT,
        ),
        (
            "a link to a directory of protected files",
            "put e/a.vec; ln -s e link; git add link",
            &["commit", "-m", "x"],
            COMMIT,
        ),
        (
            "a submodule",
            "git clone -q --bare . ../lib.git; git -c protocol.file.allow=always submodule add -q ../lib.git lib",
            &["commit", "-m", "x"],
            COMMIT,
        ),
        (
            "a submodule of a protected name",
            "git clone -q --bare . ../lib.git; git -c protocol.file.allow=always submodule add -q ../lib.git a.vec",
            &["commit", "-m", "x"],
            COMMIT,
        ),
        (
            "a clean merge",
            "git checkout -qb side; clean s; git checkout -q main; clean m",
            &["merge", "--no-edit", "side"],
            &["pre-merge-commit"],
        ),
        (
            "an octopus",
            "git checkout -qb one; clean o; git checkout -qb two main; clean t; git checkout -q main; clean m",
            &["merge", "--no-edit", "one", "two"],
            &["pre-merge-commit"],
        ),
        (
            "a merge with a branch that deletes a leak",
            "leak a.vec; git checkout -qb side; git rm -q a.vec; git commit -q -m gone; git checkout -q main
                git commit -q --no-verify --allow-empty -m m",
            &["merge", "--no-edit", "side"],
            &["pre-merge-commit"],
        ),
        (
            "a linked work tree",
            "git worktree add -q ../linked -b side; cd ../linked; put a; git add a",
            &["-C", "../linked", "commit", "-m", "x"],
            COMMIT,
        ),
        (
            "a subdirectory",
            "put sub/a; git add .",
            &["-C", "sub", "commit", "-m", "x"],
            COMMIT,
        ),
        (
            "an executable",
            "put run.sh; chmod +x run.sh; git add .",
            &["commit", "-m", "x"],
            COMMIT,
        ),
        (
            "names of all kinds",
            "put 'a b'; put ' x'; put 'q\"q'; put \"it's\"; put 'br\neak'; put -- -dash; git add -A .",
            &["commit", "-m", "x"],
            COMMIT,
        ),
        (
            "a sparse index",
            "clean in/x; clean out/x; git sparse-checkout set --sparse-index in; put in/y; git add .",
            &["commit", "-m", "x"],
            COMMIT,
        ),
        (
            "a thousand files",
            "mkdir d; for n in $(seq 1000); do echo $n >d/$n; done; git add .",
            &["commit", "-q", "-m", "x"],
            COMMIT,
        ),
        (
            "the first commit of all",
            "git init -q ../fresh; cd ../fresh; git pack init; put a; git add .",
            &["-C", "../fresh", "commit", "-m", "x"],
            COMMIT,
        ),
    ];
    for (name, script, act, ran) in commits {
        rows.push(row(name, passes(ran), move |w| {
            w.sh(script);
            w.act(act)
        }));
    }
    let pushes: [(&str, &str, &[&str], &[&str]); 24] = [
        ("a push", "clean a", &["push", "origin", "main"], PUSH),
        ("a push with nothing new", "", &["push", "origin", "main"], PUSH),
        (
            "a push --dry-run",
            "clean a",
            &["push", "--dry-run", "origin", "main"],
            PUSH,
        ),
        (
            "a push of a new branch",
            "git checkout -qb new; clean a",
            &["push", "-u", "origin", "new"],
            PUSH,
        ),
        (
            "a push of a new branch without commits of its own",
            "git branch new",
            &["push", "origin", "new"],
            PUSH,
        ),
        (
            "a push of three refs",
            "clean a; git branch b; git tag c",
            &["push", "origin", "main", "b", "c"],
            PUSH,
        ),
        (
            "an annotated tag",
            "git tag -a v1 -m v1",
            &["push", "origin", "v1"],
            PUSH,
        ),
        (
            "a tag of a tag",
            "git tag -a v1 -m v1; git tag -a v2 -m v2 v1",
            &["push", "origin", "v2"],
            PUSH,
        ),
        (
            "--follow-tags",
            "clean a; git tag -a v1 -m v1",
            &["push", "--follow-tags"],
            PUSH,
        ),
        (
            "--mirror",
            "clean a; git tag -a v1 -m v1",
            &["push", "--mirror", "../remote.git"],
            PUSH,
        ),
        (
            "a remote branch deleted",
            "git push -q origin main:old",
            &["push", "origin", ":old"],
            PUSH,
        ),
        (
            "--delete of a tag",
            "git tag t; git push -q origin t",
            &["push", "origin", "--delete", "t"],
            PUSH,
        ),
        (
            "a forced rewrite",
            "clean a; git push -q; git commit -q --amend -m other",
            &["push", "--force"],
            PUSH,
        ),
        (
            "the remote has the leak already",
            "leak a.vec; drop a.vec; git push -q --no-verify; clean b",
            &["push", "origin", "main"],
            PUSH,
        ),
        (
            "an old branch that the remote has",
            "leak a.vec; drop a.vec; git push -q --no-verify",
            &["push", "origin", "HEAD~1:refs/heads/old"],
            PUSH,
        ),
        (
            "a merge of what the remote has",
            "git checkout -qb side; leak a.vec; drop a.vec; git push -q --no-verify origin side
                git checkout -q main; clean m; git merge -q --no-edit side",
            &["push", "origin", "main"],
            PUSH,
        ),
        (
            "a deletion of a leak that the remote has",
            "leak a.vec; git push -q --no-verify; git rm -q a.vec; git commit -q -m gone",
            &["push", "origin", "main"],
            PUSH,
        ),
        (
            "a merge",
            "git checkout -qb side; clean s; git checkout -q main; clean m; git merge -q --no-edit side",
            &["push", "origin", "main"],
            PUSH,
        ),
        (
            "a merge of unrelated histories",
            "git checkout -q --orphan other; git rm -qrf .; clean o; git checkout -q main
                git merge -q --allow-unrelated-histories --no-edit other",
            &["push", "origin", "main"],
            PUSH,
        ),
        (
            "a fork by path",
            "clean a; git init -q --bare ../fork.git",
            &["push", "../fork.git", "main"],
            PUSH,
        ),
        (
            "an empty remote",
            "git init -q --bare ../empty.git",
            &["push", "../empty.git", "main"],
            PUSH,
        ),
        (
            "a submodule",
            "git clone -q --bare . ../lib.git; git -c protocol.file.allow=always submodule add -q ../lib.git lib
                git commit -q -m lib",
            &["push", "origin", "main"],
            PUSH,
        ),
        (
            "packed objects and refs",
            "clean a; clean b; git gc -q",
            &["push", "origin", "main"],
            PUSH,
        ),
        (
            "without .gitpack.toml",
            "git rm -q .gitpack.toml; git commit -q --no-verify -m gone; git push -q --no-verify; clean a",
            &["push", "origin", "main"],
            PUSH,
        ),
    ];
    for (name, script, act, ran) in pushes {
        rows.push(row(format!("pushed: {name}"), passes(ran), move |w| {
            w.sh(script);
            w.act(act)
        }));
    }
    rows.extend([
        row("pushed: three hundred commits", passes(PUSH), |w| {
            let mut stream = String::from("reset refs/heads/many\nfrom refs/heads/main^0\n\n");
            for n in 0..300 {
                stream += &format!(
                    "commit refs/heads/many\ncommitter C <c@example.org> {n} +0000\ndata 1\nx\n\
                     M 644 inline d{}/f{n}\ndata {}\n{n}\n",
                    n % 7,
                    n.to_string().len()
                );
            }
            let imported = w.deed("git", &["fast-import", "--quiet"]).stdin(&stream).go();
            assert_eq!(imported.done.code, 0, "{}", imported.done.stderr);
            w.act(&["push", "-q", "origin", "many"])
        }),
        row("without .gitpack.toml, committed", passes(COMMIT), |w| {
            w.sh("git init -q ../fresh; cd ../fresh; git pack install; put a; git add .");
            w.act(&["-C", "../fresh", "commit", "-m", "x"])
        }),
        row("an SSH public key", passes(COMMIT), |w| {
            if w.ssh_key(&["-t", "ed25519"]).is_none() {
                return w.skip("no ssh-keygen");
            }
            w.sh("cp ../ssh-key.pub .; git add ssh-key.pub");
            w.commit()
        }),
        row(
            "a key in the work tree that the index does not have",
            passes(COMMIT),
            |w| {
                w.stage("notes.txt", "no key here\n");
                w.write("notes.txt", w.identity());
                w.commit()
            },
        ),
        row("git add -p of the hunk without the key", passes(COMMIT), |w| {
            w.sh("for n in $(seq 20); do echo $n; done >notes.txt; git add notes.txt; git commit -q -m lines");
            let identity = w.identity();
            let key = identity.lines().last().unwrap();
            w.sh(&format!(
                "sed -i -e '2s/.*/changed/' -e '19s/.*/{key}/' notes.txt
                 printf 'y\\nn\\n' | git add -p >/dev/null; not sh -c 'git diff --cached | grep -q AGE-SECRET'"
            ));
            w.commit()
        }),
        row("protected content that is ignored", passes(COMMIT), |w| {
            w.sh("echo '*.bin' >.gitignore");
            w.write("logo.bin", bytes::faiss(4));
            w.sh("git add .");
            w.commit()
        }),
        row("20 MiB of text", passes(COMMIT), |w| {
            w.sh("yes 'nothing to see here' | head -c 20971520 >big.txt; git -c core.compression=1 add big.txt");
            w.commit()
        }),
        row("a bomb in gzip", passes(COMMIT), |w| {
            w.sh("head -c 100000000 /dev/zero | gzip -1 >zeros.gz; git add zeros.gz");
            w.commit()
        }),
        row("SHA-256, committed", passes(COMMIT), |w| {
            w.sh("put a; git add a");
            w.commit()
        })
        .sha256(),
        row("SHA-256, a branch deleted", passes(PUSH), |w| {
            w.sh("git push -q origin main:old");
            w.act(&["push", "origin", ":old"])
        })
        .sha256(),
        row("SHA-256, a new branch", passes(PUSH), |w| {
            w.sh("git checkout -qb new; clean a");
            w.push()
        })
        .sha256(),
    ]);
    rows
}
