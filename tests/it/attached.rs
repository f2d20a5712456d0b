//! Signatures and attestations travel along with packs. Whose they are does not count here.

mod archives;
mod beside;
mod git;
mod lying;
mod objects;
mod registry;
mod tracked;

use std::fs;
use std::path::{Path, PathBuf};

use gitpack::format::digest::Digest;
use gitpack::format::dsse::{Envelope, EnvelopeSignature, IN_TOTO};
use gitpack::format::statement::Statement;
use serde_json::Value;

use crate::common::{Done, Place, noise, write};

/// A pack `pack` in a directory, and files to attach to it.
pub struct Signed {
    pub place: Place,
    pub id: String,
}

impl Signed {
    pub fn new() -> Self {
        let place = Place::new();
        write(&place.path().join("a.txt"), "a\n");
        write(&place.path().join("big.bin"), noise(3, 200_000));
        let args = [
            "seal",
            "a.txt",
            "big.bin",
            "--created",
            "2026-01-15T10:30:00Z",
            "-o",
            "pack",
        ];
        let done = place.pack_in(place.path(), &args).ok();
        let id = done.out().lines().next().unwrap().replace("PACK_CREATED ", "");
        Self { place, id }
    }

    /// A pack with two signatures and an attestation.
    pub fn with_three() -> Self {
        let signed = Self::new();
        signed.attach("pack", ".sig", "one");
        signed.attach("pack", ".2.sig", "two");
        signed.attach("pack", ".1.intoto.jsonl", "one");
        signed
    }

    pub fn hex(&self) -> &str {
        self.id.strip_prefix("sha256:").unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Writes an attached file of a signer beside a pack.
    pub fn attach(&self, pack: &str, ending: &str, signer: &str) {
        let directory = self.path(&format!("{pack}.attestations"));
        write(
            &directory.join(format!("{}{ending}", self.hex())),
            self.made(ending, signer),
        );
    }

    /// Returns what a signer attaches to the pack. It is the same each time.
    pub fn made(&self, ending: &str, signer: &str) -> Vec<u8> {
        match ending.ends_with(".sig") {
            true => self.signature(signer),
            false => self.attestation(signer),
        }
    }

    fn signature(&self, signer: &str) -> Vec<u8> {
        let key = self.path("keys").join(signer.replace(' ', "-"));
        if !key.exists() {
            fs::create_dir_all(self.path("keys")).unwrap();
            let args = ["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()];
            self.place.run(self.place.path(), "ssh-keygen", &args).ok();
        }
        let mut sign = self.place.command("ssh-keygen", self.place.path());
        sign.args(["-q", "-Y", "sign", "-n", "git-pack", "-f"]).arg(key);
        let manifest = fs::File::open(self.path("pack/manifest.json")).unwrap();
        Done::from(sign.stdin(manifest).output().unwrap()).ok().stdout
    }

    /// A statement about the pack, whose signature is not one of any key.
    fn attestation(&self, signer: &str) -> Vec<u8> {
        let id = Digest::parse_ref(&self.id).unwrap();
        let payload = Statement::write([("pack", id)], "https://example.org/reviewed", &serde_json::Map::new());
        let envelope = Envelope {
            payload_type: IN_TOTO.into(),
            payload,
            signatures: vec![EnvelopeSignature {
                key_id: Some(signer.into()),
                bytes: signer.as_bytes().to_vec(),
            }],
        };
        envelope.to_line()
    }

    pub fn run(&self, args: &[&str]) -> Done {
        self.place.pack_in(self.place.path(), args)
    }

    /// Pulls the pack from a place, and returns what came along.
    #[track_caller]
    pub fn pulled(&self, from: &str, output: &str) -> Vec<(String, Vec<u8>)> {
        self.run(&["pull", &self.id, "--from", from, "-o", output]).ok();
        self.run(&["verify", output]).ok();
        self.beside(output)
    }

    /// Returns the files that are attached to a pack: the ends of their names, and their contents.
    #[track_caller]
    pub fn beside(&self, pack: &str) -> Vec<(String, Vec<u8>)> {
        let directory = self.path(&format!("{pack}.attestations"));
        let files = names(&directory).into_iter().map(|name| {
            let end = name.strip_prefix(self.hex()).unwrap().to_owned();
            (end, fs::read(directory.join(name)).unwrap())
        });
        files.collect()
    }

    /// Asserts that a place sends the three files of [`with_three`](Self::with_three).
    #[track_caller]
    pub fn three_come_from(&self, from: &str, output: &str) {
        assert_eq!(contents(&self.pulled(from, output)), contents(&self.beside("pack")));
    }

    /// Returns how many signatures and attestations `list` shows of the only pack at a place.
    #[track_caller]
    pub fn listed(&self, holder: &str) -> (Value, Value) {
        let done = self.run(&["list", holder, "--json"]).ok();
        let list: Value = serde_json::from_slice(&done.stdout).unwrap();
        let [pack] = list["packs"].as_array().unwrap().as_slice() else {
            panic!("{list}")
        };
        assert_eq!(pack["pack_id"], self.id);
        (pack["signatures"].clone(), pack["attestations"].clone())
    }
}

/// The kinds and contents of attached files, whatever their numbers are.
pub fn contents(files: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
    let kind = |end: &str| if end.ends_with(".sig") { "sig" } else { "intoto" };
    let mut contents: Vec<_> = files.iter().map(|(end, bytes)| (kind(end), &bytes[..])).collect();
    contents.sort_unstable();
    contents
}

/// Returns the names in a directory, sorted. A missing directory counts as empty.
pub fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
