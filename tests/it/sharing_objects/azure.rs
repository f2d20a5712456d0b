//! Azure's Blob service: azurite of npm, an emulator that the tests start themselves.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::*;

/// The account of the tests. Its name is in the path of each URL, because a port of loopback has no name in front.
const ACCOUNT: &str = "packs";

/// A running emulator. Dropping it ends it.
struct Azurite {
    child: Child,
    url: String,
    log: PathBuf,
    key: String,
    python: PathBuf,
}

impl Azurite {
    /// Starts the emulator in a place. The script `tests/run` installs it.
    fn start(place: &Place) -> Self {
        let tools = std::env::var("GITPACK_SHARING").expect("GITPACK_SHARING names the tools: tests/run installs them");
        let program = Path::new(&tools).join("node_modules/.bin/azurite-blob");
        assert!(
            program.exists(),
            "{} is missing; tests/run installs it",
            program.display()
        );
        let key = BASE64_STANDARD.encode(noise(3, 64));
        let log = place.path().join("azurite.log");
        let child = place
            .command(&program, place.path())
            .args(["--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"])
            .args(["--blobHost", "127.0.0.1", "--blobPort", "0"])
            .env("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{key}"))
            .stdout(fs::File::create(&log).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self {
            child,
            url: String::new(),
            log,
            key,
            python: Path::new(&tools).join("bin/python"),
        };
        let began = Instant::now();
        while server.url.is_empty() {
            assert!(
                began.elapsed() < Duration::from_secs(120),
                "the emulator does not start"
            );
            std::thread::sleep(Duration::from_millis(50));
            let said = fs::read_to_string(&server.log).unwrap();
            let port = said.split_once("listens on http://127.0.0.1:").map(|(_, port)| port);
            // The line may be half written.
            if let Some((port, _)) = port.and_then(|port| port.split_once('\n')) {
                server.url = format!("http://127.0.0.1:{}/{ACCOUNT}", port.trim());
            }
        }
        server
    }

    /// Returns how many requests with this method came so far.
    fn count(&self, method: &str) -> usize {
        let log = fs::read_to_string(&self.log).unwrap();
        log.matches(&format!("\"{method} /{ACCOUNT}/bucket")).count()
    }

    /// Runs a line of Azure's own client, with the service as `s`.
    fn client(&self, place: &Place, line: &str) -> String {
        let program = format!(
            "from azure.storage.blob import *\nfrom datetime import *\n\
             s = BlobServiceClient(account_url='{}', credential='{}')\n{line}",
            self.url, self.key
        );
        let python = self.python.to_str().unwrap();
        place.run(place.path(), python, &["-c", &program]).ok().out()
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs git-pack with an account, and a credential in this variable.
fn run(repo: &Repo, server: &Azurite, credential: (&str, &str), args: &[&str]) -> Done {
    let mut command = repo.place.command(GIT_PACK, &repo.root);
    command
        .env("AZURE_STORAGE_ACCOUNT", ACCOUNT)
        .env("AZURE_STORAGE_ENDPOINT", &server.url)
        .env(credential.0, credential.1);
    Done::from(command.args(args).output().unwrap())
}

#[test]
fn packs_go_to_azure_and_come_back() {
    let repo = Repo::set_up();
    let server = Azurite::start(&repo.place);
    server.client(&repo.place, "s.create_container('bucket')");
    let mut all = files();
    // Two blocks, and a bit.
    all.push(("large.txt", text(9, (17 << 20) + 5)));
    let (id, pack) = sealed(&repo, "a", &all);
    let (url, pack_text) = ("az://bucket/team/packs", pack.to_str().unwrap());
    let key = ("AZURE_STORAGE_KEY", server.key.as_str());
    let sent = run(&repo, &server, key, &["push", pack_text, url]).ok();
    assert_eq!(sent.out(), format!("PUBLISHED {id}\n"));
    let listed = server.client(
        &repo.place,
        "print(*(b.name for b in s.get_container_client('bucket').list_blobs()), sep='\\n')",
    );
    assert!(
        listed.contains(&format!("team/packs/packs/{}/manifest.json\n", hex(&id))),
        "{listed}"
    );
    for (_, content) in &all {
        let hash = gitpack::format::digest::Digest::of(content).hex();
        assert!(listed.contains(&format!("team/packs/blobs/{hash}\n")), "{listed}");
    }

    // A second push sends nothing, and another pack only what it does not share.
    let before = server.count("PUT");
    run(&repo, &server, key, &["push", pack_text, url]).ok();
    assert_eq!(server.count("PUT"), before);
    all[0].1 = b"other\n".to_vec();
    let (second, other) = sealed(&repo, "b", &all);
    run(&repo, &server, key, &["push", other.to_str().unwrap(), url]).ok();
    let sent = server.count("PUT") - before;
    assert!((1..8).contains(&sent), "{sent}");

    // Whoever has a token for reading needs no key.
    let token = server.client(
        &repo.place,
        &format!(
            "print(generate_account_sas('{ACCOUNT}', '{}', ResourceTypes(service=True, container=True, object=True), \
             AccountSasPermissions(read=True, list=True), datetime.now(timezone.utc) + timedelta(hours=1)))",
            server.key
        ),
    );
    let token = ("AZURE_STORAGE_SAS_TOKEN", token.trim());
    let list = run(&repo, &server, token, &["list", url]).ok().out();
    assert!(list.contains(&id) && list.contains(&second), "{list}");
    run(&repo, &server, token, &["verify", &format!("{url}#{id}")]).ok();
    run(&repo, &server, token, &["pull", &id, "--from", url, "-o", "../back"]).ok();
    assert_eq!(bytes(&repo.place.path().join("back")), bytes(&pack));
    all[0].1 = b"a third\n".to_vec();
    let (_, third) = sealed(&repo, "c", &all);
    let refused = run(&repo, &server, token, &["push", third.to_str().unwrap(), url]);
    let signature = token.1.split("sig=").nth(1).unwrap().split('&').next().unwrap();
    assert!(!refused.stderr.contains(signature), "{}", refused.stderr);
    refused.refused("E_TRANSPORT");

    // A wrong key and a missing container.
    let wrong = BASE64_STANDARD.encode(noise(4, 64));
    let refused = run(&repo, &server, ("AZURE_STORAGE_KEY", &wrong), &["push", pack_text, url]);
    assert!(!refused.stderr.contains(&wrong), "{}", refused.stderr);
    refused.refused("E_TRANSPORT");
    let missing = run(&repo, &server, key, &["push", pack_text, "az://missing"]);
    assert!(!missing.stderr.contains(&server.key), "{}", missing.stderr);
    missing.refused("E_TRANSPORT");
}

#[test]
fn a_pack_at_azure_is_never_replaced_and_damage_is_found() {
    let repo = Repo::set_up();
    let server = Azurite::start(&repo.place);
    server.client(&repo.place, "s.create_container('bucket')");
    let all = files();
    let (id, pack) = sealed(&repo, "a", &all);
    let key = ("AZURE_STORAGE_KEY", server.key.as_str());
    let push = || run(&repo, &server, key, &["push", pack.to_str().unwrap(), "az://bucket"]);
    push().ok();
    let blob = format!("blobs/{}", gitpack::format::digest::Digest::of(&all[2].1).hex());
    let upload = |name: &str, body: &str| {
        let line = format!("s.get_blob_client('bucket', '{name}').upload_blob({body}, overwrite=True)");
        server.client(&repo.place, &line);
    };
    upload(&blob, "b'x' * 300000");
    run(
        &repo,
        &server,
        key,
        &["pull", &id, "--from", "az://bucket", "-o", "../back"],
    )
    .refused("E_BAD_PACK");
    assert!(!repo.place.path().join("back").exists());
    // One of another size is replaced by the next push.
    upload(&blob, "b'x'");
    push().ok();
    run(&repo, &server, key, &["verify", "az://bucket"]).ok();
    upload(&format!("packs/{}/manifest.json", hex(&id)), "b'{}'");
    push().refused("E_TRANSPORT");
}
