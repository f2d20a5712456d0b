//! Objects and packs made by hand and sent to a real server. No git client would send them.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use sha1::{Digest, Sha1};

use crate::common::{Done, Place};

/// The limits that the shell sets for the hook: processor seconds, and KiB of memory of its own. The hook's own bounds
/// are lower. Neither value grows on a busy machine.
const SECONDS: u32 = 10;
const MEMORY: u32 = 256 << 10;

/// An object id.
pub type Id = [u8; 20];

#[derive(Clone, Copy)]
pub enum Kind {
    Commit = 1,
    Tree = 2,
    Blob = 3,
    Tag = 4,
}

impl Kind {
    fn name(self) -> &'static str {
        ["", "commit", "tree", "blob", "tag"][self as usize]
    }
}

pub fn hex(id: &Id) -> String {
    id.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// A git pack that is being built.
#[derive(Default)]
pub struct Pack {
    entries: Vec<u8>,
    count: u32,
}

impl Pack {
    pub fn add(&mut self, kind: Kind, content: &[u8]) -> Id {
        self.entry(kind as u8, content.len() as u64, &[], content);
        id_of(kind, content)
    }

    pub fn blob(&mut self, content: &[u8]) -> Id {
        self.add(Kind::Blob, content)
    }

    /// Adds a blob of `length` zeros without holding it in memory.
    pub fn zeros(&mut self, length: u64) -> Id {
        let part = vec![0; 1 << 20];
        let mut hasher = Sha1::new();
        hasher.update(format!("blob {length}\0"));
        self.header(Kind::Blob as u8, length);
        let mut zlib = ZlibEncoder::new(&mut self.entries, Compression::best());
        let mut left = length as usize;
        while left > 0 {
            let n = left.min(part.len());
            hasher.update(&part[..n]);
            zlib.write_all(&part[..n]).unwrap();
            left -= n;
        }
        zlib.finish().unwrap();
        hasher.finalize().into()
    }

    /// Adds a tree of entries in the order given: mode, name, object.
    pub fn tree(&mut self, entries: &[(&str, &str, Id)]) -> Id {
        let mut content = Vec::new();
        for (mode, name, id) in entries {
            content.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            content.extend_from_slice(id);
        }
        self.add(Kind::Tree, &content)
    }

    pub fn commit(&mut self, tree: Id, parents: &[Id], message: &str) -> Id {
        let mut content = format!("tree {}\n", hex(&tree));
        for parent in parents {
            writeln!(content, "parent {}", hex(parent)).unwrap();
        }
        let who = "A <a@example.org> 1768473000 +0000";
        write!(content, "author {who}\ncommitter {who}\n\n{message}\n").unwrap();
        self.add(Kind::Commit, content.as_bytes())
    }

    pub fn tag(&mut self, kind: Kind, target: Id, name: &str) -> Id {
        let (target, kind) = (hex(&target), kind.name());
        let who = "A <a@example.org> 1768473000 +0000";
        let content = format!("object {target}\ntype {kind}\ntag {name}\ntagger {who}\n\n{name}\n");
        self.add(Kind::Tag, content.as_bytes())
    }

    /// Adds a delta: `instructions` that apply to the object `base`.
    pub fn delta(&mut self, base: Id, instructions: &[u8]) {
        self.entry(7, instructions.len() as u64, &base, instructions);
    }

    fn entry(&mut self, kind: u8, size: u64, base: &[u8], content: &[u8]) {
        self.header(kind, size);
        self.entries.extend_from_slice(base);
        let mut zlib = ZlibEncoder::new(&mut self.entries, Compression::best());
        zlib.write_all(content).unwrap();
        zlib.finish().unwrap();
    }

    fn header(&mut self, kind: u8, size: u64) {
        self.count += 1;
        let mut byte = kind << 4 | (size & 15) as u8;
        let mut rest = size >> 4;
        while rest > 0 {
            self.entries.push(byte | 128);
            byte = (rest & 127) as u8;
            rest >>= 7;
        }
        self.entries.push(byte);
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = [&b"PACK\0\0\0\x02"[..], &self.count.to_be_bytes(), &self.entries].concat();
        let sum = Sha1::digest(&bytes);
        bytes.extend_from_slice(&sum);
        bytes
    }
}

pub fn id_of(kind: Kind, content: &[u8]) -> Id {
    let mut hasher = Sha1::new();
    hasher.update(format!("{} {}\0", kind.name(), content.len()));
    hasher.update(content);
    hasher.finalize().into()
}

/// Encodes a number as delta headers do.
pub fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 127 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// Builds instructions that copy the first 65,536 bytes of a base of `base` bytes until the result has `size` bytes.
pub fn repeated(base: u64, size: u64) -> Vec<u8> {
    assert!(base >= 65536 && size.is_multiple_of(65536));
    let mut instructions = [varint(base), varint(size)].concat();
    // Copies from offset 0; an omitted size means 65,536.
    instructions.resize(instructions.len() + (size / 65536) as usize, 0x80);
    instructions
}

/// A bare repository with the guard, whose hook runs under the limits above.
pub struct Server {
    pub place: Place,
    pub root: PathBuf,
}

/// The results of the hook and of git.
pub struct Answer {
    /// The hook's exit status; none if git refused the push before it ran the hook.
    pub hook: Option<i32>,
    pub done: Done,
}

impl Server {
    pub fn new() -> Self {
        let place = Place::new();
        let root = place.path().join("server.git");
        place
            .run(
                place.path(),
                "git",
                &["init", "-q", "--bare", "-b", "main", "server.git"],
            )
            .ok();
        place.pack_in(&root, &["init", "--server"]).ok();
        let server = Self { place, root };
        fs::create_dir(server.temporary()).unwrap();
        server.configure("core.fsync", "none");
        server.configure("gc.auto", "0");
        let bounds = format!(
            "#!/bin/sh\nulimit -t {SECONDS}; ulimit -d {MEMORY}; ulimit -c 0\n\
             two=; taskset -c 0,1 true 2>/dev/null && two='taskset -c 0,1'\n\
             $two \"$0.own\" \"$@\"\ncode=$?; echo $code >>'{}'; exit $code\n",
            server.place.path().join("answer").display()
        );
        let script =
            "mv hooks/pre-receive hooks/pre-receive.own; printf %s \"$0\" >hooks/pre-receive; chmod +x hooks/*";
        server.place.run(&server.root, "sh", &["-c", script, &bounds]).ok();
        server
    }

    pub fn configure(&self, key: &str, value: &str) {
        self.place.run(&self.root, "git", &["config", key, value]).ok();
    }

    pub fn git(&self, args: &[&str]) -> Done {
        self.place.run(&self.root, "git", args)
    }

    /// Pushes a pack as a client would: through git's own receive-pack, quarantine and hook.
    pub fn push(&self, pack: &Pack, refs: &[(Option<Id>, Id, &str)]) -> Answer {
        let mut input = Vec::new();
        for (at, (old, new, name)) in refs.iter().enumerate() {
            let old = hex(&old.unwrap_or_default());
            let capabilities = if at == 0 { "\0report-status" } else { "" };
            let line = format!("{old} {} {name}{capabilities}\n", hex(new));
            input.extend_from_slice(format!("{:04x}{line}", line.len() + 4).as_bytes());
        }
        input.extend_from_slice(b"0000");
        input.extend_from_slice(&pack.bytes());
        self.answer("git", &["receive-pack", "."], &input)
    }

    /// Indexes a pack directly and gives the hook the ref lines. So the hook sees objects that git would not accept in
    /// a push.
    pub fn judge(&self, pack: &Pack, refs: &[(Option<Id>, Id, &str)]) -> Answer {
        let unpacked = self.feed("git", &["index-pack", "--stdin"], &pack.bytes());
        assert_eq!(unpacked.code, 0, "{}", unpacked.stderr);
        let mut lines = String::new();
        for (old, new, name) in refs {
            writeln!(lines, "{} {} {name}", hex(&old.unwrap_or_default()), hex(new)).unwrap();
        }
        self.answer("hooks/pre-receive", &[], lines.as_bytes())
    }

    fn answer(&self, program: &str, args: &[&str], input: &[u8]) -> Answer {
        let written = self.place.path().join("answer");
        drop(fs::remove_file(&written));
        let done = self.feed(program, args, input);
        let left: Vec<_> = fs::read_dir(self.temporary()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}: {}", done.stderr);
        let hook = fs::read_to_string(written)
            .ok()
            .map(|code| code.trim().parse().unwrap());
        Answer { hook, done }
    }

    /// The hook's temporary directory. The hook must leave it empty.
    fn temporary(&self) -> PathBuf {
        self.place.path().join("temporary")
    }

    fn feed(&self, program: &str, args: &[&str], input: &[u8]) -> Done {
        let file = self.place.path().join("input");
        fs::write(&file, input).unwrap();
        let program = match program.starts_with("hooks/") {
            true => self.root.join(program),
            false => Path::new(program).to_owned(),
        };
        let mut command = self.place.command(program, &self.root);
        command.args(args).stdin(Stdio::from(fs::File::open(file).unwrap()));
        command.env("TMPDIR", self.temporary());
        let output = command.output().unwrap();
        Done {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Answer {
    /// Asserts that the hook refused with these words.
    #[track_caller]
    pub fn refused(&self, words: &str) {
        let said = &self.done.stderr;
        assert_eq!(self.hook, Some(2), "{said}");
        assert!(said.contains(words), "{said}");
    }

    /// Asserts that the hook found a leak and named it.
    #[track_caller]
    pub fn blocked(&self, words: &str) {
        let said = &self.done.stderr;
        assert_eq!(self.hook, Some(1), "{said}");
        assert!(said.contains(words), "{said}");
    }

    #[track_caller]
    pub fn passed(&self) {
        assert_eq!(self.hook, Some(0), "{}", self.done.stderr);
    }

    /// Asserts that the hook came to any answer: no limit killed it.
    #[track_caller]
    pub fn answered(&self) {
        assert!(
            matches!(self.hook, Some(0..=2)),
            "{:?}: {}",
            self.hook,
            self.done.stderr
        );
    }

    /// Asserts that git or the hook refused the push.
    #[track_caller]
    pub fn kept_out(&self) {
        match self.hook {
            None => assert!(
                self.done.out().contains("ng ") || self.done.code != 0,
                "{}",
                self.done.out()
            ),
            Some(code) => assert!(matches!(code, 1 | 2), "{code}: {}", self.done.stderr),
        }
    }
}
