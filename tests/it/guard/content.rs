//! Protected content under names that no rule protects.

use crate::guard::bytes;
use crate::guard::table::{
    At::{Commit, Push},
    Row, blocked, row,
};

type Make = fn() -> Vec<u8>;

/// The format, a function that makes a sample, and the words of the message about it.
const FORMATS: [(&str, Make, &[&str]); 12] = [
    ("faiss, flat", || bytes::faiss(4), &["vector", "faiss"]),
    ("faiss, inner product", bytes::faiss_inner_product, &["vector", "faiss"]),
    ("faiss, with ids", bytes::faiss_id_map, &["vector", "faiss"]),
    ("faiss, inverted file", bytes::faiss_ivf, &["vector", "faiss"]),
    ("hnswlib", bytes::hnsw, &["vector", "hnsw"]),
    ("safetensors", bytes::safetensors, &["weights", "safetensors"]),
    ("gguf", bytes::gguf, &["weights", "gguf"]),
    ("torch", bytes::torch, &["weights", "pickle"]),
    (
        "Qdrant",
        || bytes::sample("vector-database/qdrant"),
        &["vector", "vector-database"],
    ),
    (
        "LlamaIndex",
        || bytes::sample("embeddings/llama_index"),
        &["vector", "embeddings"],
    ),
    (
        "private file of an agent",
        || bytes::sample("agent-private/format_2"),
        &["agent", "agent-private"],
    ),
    ("ONNX", || bytes::sample("onnx/weights"), &["weights", "onnx"]),
];

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (what, make, words) in FORMATS {
        let names = [&["assets/logo.bin"], words].concat();
        rows.push(row(what, blocked(Commit, &names), move |w| {
            w.stage("assets/logo.bin", make());
            w.commit()
        }));
        rows.push(row(format!("{what}, in gzip"), blocked(Commit, &names), move |w| {
            w.stage("assets/logo.bin", bytes::gzip(&make()));
            w.commit()
        }));
        rows.push(row(format!("{what}, in zstd"), blocked(Commit, &names), move |w| {
            w.stage("assets/logo.bin", bytes::zstd(&make()));
            w.commit()
        }));
        rows.push(row(format!("{what}, in zip"), blocked(Commit, &names), move |w| {
            let members: [(&str, &[u8]); 3] = [("a.txt", b"hello"), ("b/logo.bin", &make()), ("c.txt", b"")];
            w.stage("assets/logo.bin", bytes::zip(&members));
            w.commit()
        }));
    }
    let logo = || blocked(Commit, &["logo.bin", "faiss"]);
    rows.extend([
        row(
            "compressed by gzip itself",
            blocked(Commit, &["index.tgz", "faiss"]),
            |w| {
                w.write("index", bytes::faiss(400));
                w.sh("gzip -9 index; mv index.gz index.tgz; git add index.tgz");
                w.commit()
            },
        ),
        row(
            "compressed by gzip itself, with a name in the header",
            blocked(Commit, &["i.gz", "faiss"]),
            |w| {
                w.write("i", bytes::faiss(400));
                w.sh("gzip -N i; git add i.gz");
                w.commit()
            },
        ),
        row("two gzip members", blocked(Commit, &["i.gz", "faiss"]), |w| {
            let index = bytes::faiss(400);
            let (head, tail) = index.split_at(20);
            w.stage("i.gz", [bytes::gzip(head), bytes::gzip(tail)].concat());
            w.commit()
        }),
        row("deflated in a zip", blocked(Commit, &["i.zip", "faiss"]), |w| {
            let index = bytes::faiss(400);
            w.write("../i", &index);
            w.sh("gzip -n <../i >../i.gz");
            let gzipped = std::fs::read(w.beside("i.gz")).unwrap();
            w.stage("i.zip", bytes::zip_deflated("i", &index, &gzipped));
            w.commit()
        }),
        row("a bare name", blocked(Commit, &["data", "faiss"]), |w| {
            w.stage("data", bytes::faiss(4));
            w.commit()
        }),
        row("named as text", blocked(Commit, &["notes.txt", "faiss"]), |w| {
            w.sh("echo '*.txt text' >.gitattributes");
            w.stage("notes.txt", bytes::faiss_inner_product());
            w.commit()
        }),
        row("git mv of a protected file to an innocent name", logo(), |w| {
            w.smuggle("a.index", bytes::faiss(4));
            w.sh("git mv a.index logo.bin");
            w.commit()
        }),
        row(
            "an innocent file is overwritten",
            blocked(Commit, &["README.md", "faiss"]),
            |w| {
                w.write("README.md", bytes::faiss(4));
                w.act(&["commit", "-am", "x"])
            },
        ),
        row("commit <path>", blocked(Commit, &["README.md", "faiss"]), |w| {
            w.write("README.md", bytes::faiss(4));
            w.act(&["commit", "-m", "x", "README.md"])
        }),
        row("staged, then harmless on disk", logo(), |w| {
            w.stage("logo.bin", bytes::faiss(4));
            w.write("logo.bin", "harmless");
            w.commit()
        }),
        row("staged, then deleted on disk", logo(), |w| {
            w.stage("logo.bin", bytes::faiss(4));
            w.sh("rm logo.bin");
            w.commit()
        }),
        row("a clean filter makes it", logo(), |w| {
            w.write("../index", bytes::faiss(4));
            w.sh("echo '*.bin filter=x' >.gitattributes; git config filter.x.clean 'cat >/dev/null; cat ../index'");
            w.stage("logo.bin", "harmless");
            w.commit()
        }),
        row("amend", logo(), |w| {
            w.stage("logo.bin", bytes::faiss(4));
            w.act(&["commit", "--amend", "--no-edit"])
        }),
        row("a merge", logo(), |w| {
            w.sh("git checkout -qb side");
            w.smuggle("logo.bin", bytes::faiss(4));
            w.sh("git checkout -q main; clean m");
            w.act(&["merge", "--no-edit", "side"])
        }),
        row("plumbing", blocked(Push, &["logo.bin", "faiss"]), |w| {
            w.write("../index", bytes::faiss(4));
            let id = w.sh(
                "id=$(git hash-object -w ../index); tree=$(printf '100644 blob %s\\tlogo.bin\\n' $id | git mktree)
                 git commit-tree -p HEAD -m x $tree",
            );
            w.act(&["push", "origin", &format!("{id}:refs/heads/new")])
        }),
        row(
            "in history, then deleted",
            blocked(Push, &["logo.bin", "faiss", "deleted again"]),
            |w| {
                w.smuggle("logo.bin", bytes::faiss(4));
                w.sh("drop logo.bin; clean b");
                w.push()
            },
        ),
        row(
            "in history, overwritten by something harmless",
            blocked(Push, &["logo.bin", "faiss"]),
            |w| {
                w.smuggle("logo.bin", bytes::faiss(4));
                w.smuggle("logo.bin", "harmless");
                w.push()
            },
        ),
        row(
            "in an evil merge that the next commit drops",
            blocked(Push, &["logo.bin", "faiss"]),
            |w| {
                w.sh("git checkout -qb side; clean s; git checkout -q main; clean m; git merge -q --no-commit side");
                w.smuggle("logo.bin", bytes::faiss(4));
                w.sh("drop logo.bin");
                w.push()
            },
        ),
        row("only in a tag", blocked(Push, &["logo.bin", "faiss"]), |w| {
            w.sh("git checkout -q --detach");
            w.smuggle("logo.bin", bytes::faiss(4));
            w.sh("git tag -a t -m t; git checkout -q main");
            w.act(&["push", "origin", "t"])
        }),
        row("in a pack, as a delta", blocked(Push, &["b.bin", "faiss"]), |w| {
            let index = bytes::faiss(4000);
            let base = [b"harmless", &index[..]].concat();
            w.smuggle("a.bin", base);
            w.smuggle("b.bin", index);
            w.sh("git gc -q --aggressive");
            w.push()
        }),
        row(
            "20 MiB, told by its start",
            blocked(Commit, &["big.bin", "faiss"]),
            |w| {
                w.write("big.bin", bytes::faiss(20 << 15));
                w.sh("git -c core.compression=1 add big.bin");
                w.commit()
            },
        ),
        row(
            "streamed by git for its size",
            blocked(Commit, &["big.bin", "faiss"]),
            |w| {
                w.sh("git config core.bigFileThreshold 64k");
                w.stage("big.bin", bytes::faiss(20 << 9));
                w.commit()
            },
        ),
    ]);
    rows
}
