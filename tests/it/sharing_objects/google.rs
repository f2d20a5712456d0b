//! Google Cloud Storage: a server of the tests' own that speaks what a client of its XML interface asks for. The emulators
//! that can be installed do not: they lack conditional writes, uploads in parts, or lists over that interface.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::*;
use crate::common::server::{Asked, Reply, Server};

/// What a bucket holds. Each object has a generation, the number of the write that made it.
#[derive(Default)]
struct Bucket {
    objects: BTreeMap<String, (Vec<u8>, u64)>,
    uploads: BTreeMap<u64, BTreeMap<u32, Vec<u8>>>,
    writes: u64,
}

/// The server of one bucket, `bucket`.
#[derive(Clone, Default)]
struct Google(Arc<Mutex<Bucket>>);

impl Google {
    /// Starts a server that takes requests whose credential `knows` knows.
    fn start(&self, knows: fn(&str) -> bool) -> Server {
        let google = self.clone();
        Server::start(move |asked| match knows(asked.header("authorization")) {
            true => google.answer(asked),
            false => Reply::new(401),
        })
    }

    fn answer(&self, asked: &Asked) -> Reply {
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let query: BTreeMap<String, String> = query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (name.to_owned(), decoded(value)))
            .collect();
        let mut bucket = self.0.lock().unwrap();
        match decoded(path).strip_prefix("/bucket") {
            Some("") if asked.method == "GET" => bucket.list(&query),
            Some(key) => bucket.object(asked, key.trim_start_matches('/'), &query),
            None => Reply::new(404),
        }
    }
}

impl Bucket {
    fn object(&mut self, asked: &Asked, key: &str, query: &BTreeMap<String, String>) -> Reply {
        let upload = query.get("uploadId").map(|id| id.parse::<u64>().unwrap());
        match (asked.method.as_str(), upload) {
            ("HEAD" | "GET", None) => match self.objects.get(key) {
                Some((content, generation)) => Reply::part(asked, content)
                    .with("ETag", format!("\"{generation}\""))
                    .with("Last-Modified", "Thu, 15 Jan 2026 10:30:00 GMT")
                    .with("x-goog-generation", generation.to_string()),
                None => Reply::new(404),
            },
            ("PUT", None) => match asked.header("x-goog-if-generation-match") {
                "0" if self.objects.contains_key(key) => Reply::new(412),
                "0" | "" => self.write(key, asked.body.clone()),
                _ => Reply::new(400),
            },
            ("POST", None) if query.contains_key("uploads") => {
                let id = self.uploads.len() as u64 + 1;
                self.uploads.insert(id, BTreeMap::new());
                let body = format!(
                    "<InitiateMultipartUploadResult><Bucket>bucket</Bucket><Key>{key}</Key><UploadId>{id}</UploadId>\
                     </InitiateMultipartUploadResult>"
                );
                Reply::new(200).body(body)
            }
            ("PUT", Some(id)) => {
                let number = query["partNumber"].parse().unwrap();
                let parts = self.uploads.get_mut(&id).unwrap();
                parts.insert(number, asked.body.clone());
                Reply::new(200).with("ETag", format!("\"part-{number}\""))
            }
            ("POST", Some(id)) => {
                let named = String::from_utf8(asked.body.clone()).unwrap();
                let parts = self.uploads.remove(&id).unwrap();
                if (1..=parts.len()).any(|n| !named.contains(&format!("part-{n}"))) {
                    return Reply::new(400);
                }
                let whole = parts.into_values().flatten().collect();
                let body = "<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>";
                self.write(key, whole).body(body)
            }
            ("DELETE", Some(id)) => {
                self.uploads.remove(&id);
                Reply::new(204)
            }
            _ => Reply::new(400),
        }
    }

    fn write(&mut self, key: &str, content: Vec<u8>) -> Reply {
        self.writes += 1;
        self.objects.insert(key.to_owned(), (content, self.writes));
        Reply::new(200)
            .with("ETag", format!("\"{}\"", self.writes))
            .with("x-goog-generation", self.writes.to_string())
    }

    /// Lists the directories below a prefix, one in each answer.
    fn list(&self, query: &BTreeMap<String, String>) -> Reply {
        let prefix = &query["prefix"];
        let mut below: Vec<String> = self
            .objects
            .keys()
            .filter_map(|key| key.strip_prefix(prefix.as_str())?.split_once('/'))
            .map(|(name, _)| format!("{prefix}{name}/"))
            .collect();
        below.dedup();
        let at: usize = query
            .get("continuation-token")
            .map_or(0, |token| token.parse().unwrap());
        let mut body = String::from("<ListBucketResult><Name>bucket</Name>");
        if let Some(name) = below.get(at) {
            write!(body, "<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>").unwrap();
        }
        if at + 1 < below.len() {
            write!(body, "<NextContinuationToken>{}</NextContinuationToken>", at + 1).unwrap();
        }
        Reply::new(200).body(body + "</ListBucketResult>")
    }
}

/// Returns a part of a URL without its escapes.
fn decoded(text: &str) -> String {
    let (mut bytes, mut left) = (Vec::new(), text.as_bytes());
    while let [first, rest @ ..] = left {
        left = rest;
        match (first, rest) {
            (b'%', [high, low, rest @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                left = rest;
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Returns whether a credential is a token that the service account of the tests signed.
fn is_signed(header: &str) -> bool {
    let parts: Vec<&str> = header.trim_start_matches("Bearer ").split('.').collect();
    let [_, claims, signature] = parts[..] else {
        return false;
    };
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap_or_default();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap_or_default();
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    claims["iss"] == "packs@example.org" && signature.len() == 256
}

#[test]
fn packs_go_to_google_and_come_back() {
    let repo = Repo::set_up();
    let google = Google::default();
    let server = google.start(is_signed);
    // The key of a service account, in the file that the tools of Google write.
    let key = repo.place.path().join("key");
    let made = [
        "-q",
        "-t",
        "rsa",
        "-b",
        "2048",
        "-m",
        "PKCS8",
        "-N",
        "",
        "-f",
        key.to_str().unwrap(),
    ];
    repo.place.run(repo.place.path(), "ssh-keygen", &made).ok();
    let secret = fs::read_to_string(&key).unwrap();
    let account = serde_json::json!({
        "type": "service_account", "private_key": secret, "private_key_id": "1", "client_email": "packs@example.org",
    });
    write(&repo.place.path().join("account.json"), account.to_string());
    let run = |args: &[&str]| {
        let mut command = repo.place.command(GIT_PACK, &repo.root);
        command
            .env("GOOGLE_APPLICATION_CREDENTIALS", repo.place.path().join("account.json"))
            .env("GOOGLE_BASE_URL", server.url());
        Done::from(command.args(args).output().unwrap())
    };
    let mut all = files();
    // Two parts, and a bit.
    all.push(("large.txt", text(9, (17 << 20) + 5)));
    let (id, pack) = sealed(&repo, "a", &all);
    let url = "gs://bucket/team/packs";
    let sent = run(&["push", pack.to_str().unwrap(), url]).ok();
    assert_eq!(sent.out(), format!("PUBLISHED {id}\n"));
    {
        let bucket = google.0.lock().unwrap();
        assert!(bucket.uploads.is_empty());
        for (_, content) in &all {
            let hash = gitpack::format::digest::Digest::of(content).hex();
            let stored = bucket.objects.get(&format!("team/packs/blobs/{hash}"));
            assert!(stored.is_some_and(|(stored, _)| stored == content));
        }
        assert!(
            bucket
                .objects
                .contains_key(&format!("team/packs/packs/{}/manifest.json", hex(&id)))
        );
    }
    run(&["pull", &id, "--from", url, "-o", "../back"]).ok();
    assert_eq!(bytes(&repo.place.path().join("back")), bytes(&pack));
    run(&["verify", url]).ok();

    // A second push sends nothing. The list comes in several pages.
    let before = (server.count("PUT"), server.count("POST"));
    run(&["push", pack.to_str().unwrap(), url]).ok();
    assert_eq!((server.count("PUT"), server.count("POST")), before);
    all[0].1 = b"other\n".to_vec();
    let (second, other) = sealed(&repo, "b", &all);
    run(&["push", other.to_str().unwrap(), url]).ok();
    assert_eq!(server.count("POST"), before.1);
    let list = run(&["list", url]).ok().out();
    assert!(list.contains(&id) && list.contains(&second), "{list}");

    // A pack is never replaced.
    let manifest = format!("team/packs/packs/{}/manifest.json", hex(&id));
    google.0.lock().unwrap().write(&manifest, b"{}".to_vec());
    run(&["push", pack.to_str().unwrap(), url]).refused("E_TRANSPORT");
    assert_eq!(google.0.lock().unwrap().objects[&manifest].0, b"{}");
}
