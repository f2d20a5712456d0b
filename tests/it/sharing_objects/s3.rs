//! An S3 server, which the tests start themselves.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::*;

/// The secret that must not appear anywhere.
const SECRET: &str = "wJalrXUtnFEMIexampleK7MDENGbPxRfiCYkey";
const TOKEN: &str = "FwoGZXIvYXdzEXAMPLEtokenTOKENtoken";

/// A running server. Dropping it ends it.
struct Server {
    child: Child,
    url: String,
    log: PathBuf,
    python: PathBuf,
}

impl Server {
    /// Starts moto in a place. The script `tests/run` installs it.
    fn start(place: &Place) -> Self {
        let named = std::env::var_os("GITPACK_MOTO").map(PathBuf::from);
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/sharing/bin/moto_server");
        let program = named.unwrap_or(tools);
        assert!(
            program.exists(),
            "{} is missing; tests/run installs it",
            program.display()
        );
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = place.path().join("server.log");
        let mut command = place.command(&program, place.path());
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let child = command
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(120), "the server does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
            log,
            python: program.with_file_name("python"),
        }
    }

    /// Returns how many requests with this method came so far.
    fn count(&self, method: &str) -> usize {
        let log = fs::read_to_string(&self.log).unwrap();
        log.matches(&format!("{method} /bucket/")).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs git-pack with credentials in its environment.
fn run(repo: &Repo, endpoint: &str, args: &[&str]) -> Done {
    let mut command = repo.place.command(GIT_PACK, &repo.root);
    command
        .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_SESSION_TOKEN", TOKEN)
        .env("AWS_ENDPOINT_URL", endpoint);
    Done::from(command.args(args).output().unwrap())
}

/// Runs a line of boto3, with the client as `s3`.
fn boto(repo: &Repo, server: &Server, line: &str) -> String {
    let program = format!(
        "import boto3\ns3 = boto3.client('s3', endpoint_url='{}', region_name='us-east-1', aws_access_key_id='a', \
         aws_secret_access_key='b')\n{line}",
        server.url
    );
    repo.place
        .run(&repo.root, server.python.to_str().unwrap(), &["-c", &program])
        .ok()
        .out()
}

const LIST: &str = "print(*(o['Key'] for p in s3.get_paginator('list_objects_v2').paginate(Bucket='bucket') \
                    for o in p.get('Contents', [])), sep='\\n')";

#[test]
fn packs_go_to_s3_and_come_back() {
    let repo = Repo::set_up();
    let server = Server::start(&repo.place);
    boto(&repo, &server, "s3.create_bucket(Bucket='bucket')");
    let mut all = files();
    // Two parts, and a bit.
    all.push(("large.txt", text(9, (17 << 20) + 5)));
    let (id, pack) = sealed(&repo, "a", &all);
    let url = "s3://bucket/team/packs";
    let push = |pack: &Path| run(&repo, &server.url, &["push", pack.to_str().unwrap(), url]);
    let sent = push(&pack).ok();
    assert_eq!(sent.out(), format!("PUBLISHED {id}\n"));
    let listed = boto(&repo, &server, LIST);
    assert!(
        listed.contains(&format!("team/packs/packs/{}/manifest.json\n", hex(&id))),
        "{listed}"
    );
    for (_, content) in &all {
        let hash = gitpack::format::digest::Digest::of(content).hex();
        assert!(listed.contains(&format!("team/packs/blobs/{hash}\n")), "{listed}");
    }
    let back = run(&repo, &server.url, &["pull", &id, "--from", url, "-o", "../back"]).ok();
    assert_eq!(bytes(&repo.place.path().join("back")), bytes(&pack), "{}", back.stderr);
    run(&repo, &server.url, &["verify", url]).ok();

    // A second push sends nothing.
    let before = (server.count("PUT"), server.count("POST"));
    push(&pack).ok();
    assert_eq!((server.count("PUT"), server.count("POST")), before);
    // What is attached later is all that is sent then, and comes along.
    let beside = |pack: &Path| pack.with_file_name(format!("{}.attestations", pack.file_name().unwrap().display()));
    let key = repo.place.path().join("key");
    let args = ["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()];
    repo.place.run(repo.place.path(), "ssh-keygen", &args).ok();
    let args = ["sign", pack.to_str().unwrap(), "--key", key.to_str().unwrap()];
    repo.pack(&args).ok();
    let signed = fs::read(beside(&pack).join(format!("{}.sig", hex(&id)))).unwrap();
    for sent in ["1 sent", "0 sent"] {
        let done = push(&pack).ok();
        assert!(
            done.stderr.contains(&format!("1 file attached, {sent}")),
            "{}",
            done.stderr
        );
    }
    assert_eq!((server.count("PUT"), server.count("POST")), (before.0 + 1, before.1));
    let hash = gitpack::format::digest::Digest::of(&signed).hex();
    let key = format!("team/packs/packs/{}/attestations/{hash}.sig\n", hex(&id));
    assert!(boto(&repo, &server, LIST).contains(&key));
    run(&repo, &server.url, &["pull", &id, "--from", url, "-o", "../signed"]).ok();
    let pulled = beside(&repo.place.path().join("signed"));
    assert_eq!(fs::read(pulled.join(format!("{}.sig", hex(&id)))).unwrap(), signed);
    let before = (server.count("PUT"), server.count("POST"));
    // Another pack sends what it does not share: one file and what describes it. None of it is large.
    all[0].1 = b"other\n".to_vec();
    let (second, other) = sealed(&repo, "b", &all);
    push(&other).ok();
    assert_eq!(server.count("POST"), before.1);
    let both = boto(&repo, &server, LIST);
    assert!(both.contains(hex(&second)), "{both}");

    // What is wrong at the place is found.
    let blob = format!(
        "team/packs/blobs/{}",
        gitpack::format::digest::Digest::of(&all[2].1).hex()
    );
    for body in ["b''", "b'x'", "b'x' * 300000", "b'x' * 300001"] {
        boto(
            &repo,
            &server,
            &format!("s3.put_object(Bucket='bucket', Key='{blob}', Body={body})"),
        );
        let verified = run(&repo, &server.url, &["verify", &format!("{url}#{id}")]);
        assert_eq!(verified.code, 1, "{body}: {}{}", verified.out(), verified.stderr);
        run(&repo, &server.url, &["pull", &id, "--from", url, "-o", "../again"]).refused("E_BAD_PACK");
        assert!(!repo.place.path().join("again").exists());
    }
    // The next push of a pack that has it replaces one of another size.
    push(&pack).ok();
    run(&repo, &server.url, &["verify", &format!("{url}#{id}")]).ok();
    // A pack is never replaced.
    let key = format!("team/packs/packs/{}/manifest.json", hex(&id));
    boto(
        &repo,
        &server,
        &format!("s3.put_object(Bucket='bucket', Key='{key}', Body=b'{{}}')"),
    );
    push(&pack).refused("E_TRANSPORT");
    let body = boto(
        &repo,
        &server,
        &format!("print(s3.get_object(Bucket='bucket', Key='{key}')['Body'].read())"),
    );
    assert_eq!(body.trim(), "b'{}'");
}

#[test]
fn sixteen_pushes_to_s3_at_once_are_all_there() {
    let repo = Repo::set_up();
    let server = Server::start(&repo.place);
    boto(&repo, &server, "s3.create_bucket(Bucket='bucket')");
    let packs: Vec<_> = (0..16)
        .map(|at| {
            let mut all = files();
            all[0].1 = format!("notes {}\n", at / 2).into_bytes();
            sealed(&repo, &format!("p{at}"), &all)
        })
        .collect();
    std::thread::scope(|scope| {
        for (_, pack) in &packs {
            let (repo, server) = (&repo, &server);
            scope.spawn(move || run(repo, &server.url, &["push", pack.to_str().unwrap(), "s3://bucket"]).ok());
        }
    });
    for (id, _) in &packs {
        run(&repo, &server.url, &["verify", &format!("s3://bucket#{id}")]).ok();
    }
}

#[test]
fn the_shared_files_of_aws_are_read_and_no_secret_is_shown() {
    let repo = Repo::set_up();
    let server = Server::start(&repo.place);
    boto(&repo, &server, "s3.create_bucket(Bucket='bucket')");
    let (id, pack) = sealed(&repo, "a", &files());
    let aws = repo.place.home().join(".aws");
    write(
        &aws.join("config"),
        format!("[profile ci]\nregion = eu-west-1\nendpoint_url = {}\n", server.url),
    );
    write(
        &aws.join("credentials"),
        format!("[ci]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = {SECRET}\n"),
    );
    let push = |profile: &str, bucket: &str| {
        let mut command = repo.place.command(GIT_PACK, &repo.root);
        command
            .env("AWS_PROFILE", profile)
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command.args(["push", pack.to_str().unwrap(), bucket]);
        Done::from(command.output().unwrap())
    };
    assert_eq!(push("ci", "s3://bucket").ok().out(), format!("PUBLISHED {id}\n"));
    // The server has no such bucket.
    let missing = push("ci", "s3://missing");
    let shown = [missing.out(), missing.stderr.clone()].concat();
    assert!(!shown.contains(SECRET), "{shown}");
    missing.refused("E_TRANSPORT");
    push("nobody", "s3://bucket").refused("E_TRANSPORT");
    write(&aws.join("credentials"), format!("[ci]\n{SECRET}\n"));
    let refused = push("ci", "s3://bucket");
    assert!(refused.stderr.contains("line 2"), "{}", refused.stderr);
    assert!(!refused.stderr.contains(SECRET), "{}", refused.stderr);
}

/// Answers every request with the same text, and returns what it was asked.
fn liar(answer: &'static str) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = vec![0; 64 << 10];
            let n = stream.read(&mut request).unwrap_or_default();
            let text = String::from_utf8_lossy(&request[..n]).into_owned();
            // The server repeats what it was sent, as a hostile one would.
            let sent = text
                .lines()
                .find_map(|line| line.strip_prefix("authorization: "))
                .unwrap_or_default()
                .to_owned();
            let body = format!("<Error><Code>Denied</Code><Message>{sent}</Message></Error>");
            let whole = answer
                .replace("{body}", &body)
                .replace("{length}", &body.len().to_string());
            drop(stream.write_all(whole.as_bytes()));
            if tell.send(text).is_err() {
                return;
            }
        }
    });
    (url, asked)
}

#[test]
fn a_hostile_endpoint_gets_no_redirect_followed_and_no_secret_shown() {
    let repo = Repo::set_up();
    let (_, pack) = sealed(&repo, "a", &files());
    for (answer, says) in [
        (
            "HTTP/1.1 307 Elsewhere\r\nlocation: http://169.254.169.254/x?X-Amz-Signature=abcdef\r\ncontent-length: 0\r\n\
             connection: close\r\n\r\n",
            "redirect",
        ),
        (
            "HTTP/1.1 302 Elsewhere\r\nlocation: file:///etc/passwd\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "redirect",
        ),
        (
            "HTTP/1.1 400 Bad\r\ncontent-type: application/xml\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}",
            "status 400",
        ),
        (
            "HTTP/1.1 206 Partial\r\ncontent-range: bytes 0-9/99999999999999\r\nlast-modified: Thu, 15 Jan 2026 10:30:00 GMT\r\n\
             content-length: 10\r\nconnection: close\r\n\r\n0123456789",
            "",
        ),
    ] {
        let (url, asked) = liar(answer);
        let began = Instant::now();
        let done = run(&repo, &url, &["push", pack.to_str().unwrap(), "s3://bucket"]);
        assert!(began.elapsed() < Duration::from_secs(60));
        let witness = fs::read_to_string(repo.place.home().join(".epistemic/witness.jsonl")).unwrap_or_default();
        let shown = [done.out(), done.stderr.clone(), witness].concat();
        assert!(shown.contains(says), "{shown}");
        for secret in [SECRET, TOKEN, "Signature", "abcdef"] {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
        done.refused("E_TRANSPORT");
        // The secret itself never travels.
        assert!(asked.try_iter().all(|request| !request.contains(SECRET)));
    }
    // Plain HTTP to another machine needs to be allowed.
    let done = run(
        &repo,
        "http://192.0.2.1:9",
        &["push", pack.to_str().unwrap(), "s3://bucket"],
    );
    assert!(done.stderr.contains("not encrypted"), "{}", done.stderr);
}

/// Stands in front of a server. Answers every third connection with 503 or 429, and cuts others when 64 KiB came back.
fn flaky(server: &Server) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let behind = server.url.strip_prefix("http://").unwrap().to_owned();
    std::thread::spawn(move || {
        for (at, stream) in listener.incoming().enumerate() {
            let (Ok(mut client), Ok(mut server)) = (stream, TcpStream::connect(&behind)) else {
                return;
            };
            std::thread::spawn(move || {
                let mut buffer = [0; 16 << 10];
                if at % 3 == 0 {
                    let status = if at % 2 == 0 {
                        "503 Busy"
                    } else {
                        "429 Slow\r\nretry-after: 1"
                    };
                    drop(client.read(&mut buffer));
                    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                    drop(client.write_all(answer.as_bytes()));
                    return;
                }
                let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || drop(std::io::copy(&mut from, &mut to)));
                let mut left = 64 << 10;
                while left > 0 {
                    let most = buffer.len().min(left);
                    let Ok(n @ 1..) = server.read(&mut buffer[..most]) else {
                        break;
                    };
                    if client.write_all(&buffer[..n]).is_err() {
                        break;
                    }
                    left -= n;
                }
                drop(client.shutdown(std::net::Shutdown::Both));
                drop(server.shutdown(std::net::Shutdown::Both));
            });
        }
    });
    url
}

#[test]
fn a_flaky_server_gets_and_gives_whole_packs() {
    let repo = Repo::set_up();
    let server = Server::start(&repo.place);
    boto(&repo, &server, "s3.create_bucket(Bucket='bucket')");
    let (id, pack) = sealed(&repo, "a", &files());
    let url = flaky(&server);
    run(&repo, &url, &["push", pack.to_str().unwrap(), "s3://bucket"]).ok();
    run(&repo, &url, &["pull", &id, "--from", "s3://bucket", "-o", "../back"]).ok();
    assert_eq!(bytes(&repo.place.path().join("back")), bytes(&pack));
}
