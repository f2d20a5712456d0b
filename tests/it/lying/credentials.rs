//! A credential reaches only the host that it is for, and is never seen.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{DEADLINE, PASSWORD, World, fabric, holds_secret, oci, program, read, registry, within};
use crate::common::Done;
use crate::common::server::{Asked, Reply, Server};

const USER: &str = "user";

/// `user:` and the password in Base64.
fn basic() -> String {
    format!("Basic {}", "dXNlcjpvcGVuLXNlc2FtZS00NzEx")
}

/// Keeps this login for a host as Docker does.
fn log_in(world: &World, configuration: serde_json::Value) {
    let path = world.place.home().join(".docker/config.json");
    super::write(&path, configuration.to_string());
}

fn password(server: &Server) -> serde_json::Value {
    json!({ "auths": { format!("127.0.0.1:{}", server.port): { "auth": &basic()[6..] } } })
}

fn challenge(kind: &str) -> Reply {
    Reply::new(401).with("WWW-Authenticate", kind)
}

#[track_caller]
fn unauthorized(world: &World, done: Done, case: &str) {
    world.kept_secret(&done);
    world.refused(done, &["E_TRANSPORT"], case);
}

#[test]
fn a_password_opens_a_registry_that_asks_for_one() {
    let (_, server) =
        registry(|asked, _| (asked.header("authorization") != basic()).then(|| challenge("Basic realm=\"r\"")));
    let world = World::new();
    unauthorized(&world, world.push(&oci(&server)), "no login");
    log_in(&world, password(&server));
    let done = world.push(&oci(&server)).ok();
    world.kept_secret(&done);
    world.arrived(world.pull(&oci(&server)));
    let wrong = json!({ "auths": { format!("127.0.0.1:{}", server.port): { "username": USER, "password": "wrong" } } });
    log_in(&world, wrong);
    let done = world.pull(&oci(&server));
    assert!(!done.stderr.contains("wrong"), "{}", done.stderr);
    unauthorized(&world, done, "a wrong password");
}

/// A registry that takes tokens of a realm.
fn with_tokens(realm: Option<String>) -> Server {
    let (_, server) = registry(move |asked, _| {
        let own = format!("http://{}/token", asked.header("host"));
        if asked.path.starts_with("/token") {
            return Some(match (asked.method.as_str(), asked.header("authorization")) {
                ("GET", given) if given == basic() => Reply::new(200).body("{\"token\":\"t0ken\"}"),
                ("POST", "") if String::from_utf8_lossy(&asked.body).contains("refresh_token=open-sesame-4711") => {
                    Reply::new(200).body("{\"access_token\":\"t0ken\"}")
                }
                _ => Reply::new(401),
            });
        }
        let realm = realm.clone().unwrap_or(own);
        let asks = format!("Bearer realm=\"{realm}\",service=\"s\",scope=\"repository:other:delete\"");
        (asked.header("authorization") != "Bearer t0ken").then(|| challenge(&asks))
    });
    server
}

#[test]
fn a_token_is_had_from_the_registry_itself() {
    let server = with_tokens(None);
    let world = World::new();
    log_in(&world, password(&server));
    let done = world.push(&oci(&server)).ok();
    world.kept_secret(&done);
    assert!(!done.stderr.contains("t0ken"));
    // Only what is needed is asked for, whatever the challenge says.
    let asked = server.asked();
    let scopes: Vec<&Asked> = asked.iter().filter(|asked| asked.path.starts_with("/token")).collect();
    assert!(
        scopes
            .iter()
            .all(|asked| asked.path.contains("scope=repository%3Ar%3Apull")),
        "{scopes:?}"
    );
    let identity = json!({ "auths": { format!("127.0.0.1:{}", server.port): { "identitytoken": PASSWORD } } });
    log_in(&world, identity);
    let done = world.pull(&oci(&server));
    world.kept_secret(&done);
    world.arrived(done);
}

#[test]
fn a_password_does_not_go_to_a_token_server_elsewhere() {
    let thief = Server::start(|_| Reply::new(200).body("{\"token\":\"t0ken\"}"));
    let server = with_tokens(Some(format!("{}/token", thief.url())));
    let world = World::new();
    log_in(&world, password(&server));
    let refused = |what: &str, hint: &str| {
        let done = world.pull(&oci(&server));
        world.kept_secret(&done);
        let said = world.refused(done, &["E_TRANSPORT"], what);
        assert!(said.contains(hint), "{said}");
    };
    // The refusal suggests no flag, because no flag sends a password over plain HTTP.
    refused("plain HTTP", "over HTTPS only");
    assert_eq!(thief.asked().len(), 0);
}

#[test]
fn a_redirect_elsewhere_gets_no_credential() {
    let blobs = Arc::new(std::sync::Mutex::new(
        std::collections::BTreeMap::<String, Vec<u8>>::new(),
    ));
    let own = Arc::clone(&blobs);
    let elsewhere = Server::start(move |asked| match own.lock().unwrap().get(&asked.path) {
        Some(blob) => Reply::part(asked, blob),
        None => Reply::new(404),
    });
    let target = elsewhere.url();
    let (held, server) = registry(move |asked, _| {
        if asked.header("authorization") != basic() {
            return Some(challenge("Basic realm=\"r\""));
        }
        let is_blob = asked.method == "GET" && asked.path.contains("/blobs/sha256:");
        is_blob.then(|| Reply::new(307).with("Location", format!("{target}{}", asked.path)))
    });
    let world = World::new();
    log_in(&world, password(&server));
    world.push(&oci(&server)).ok();
    for (digest, blob) in &held.0.lock().unwrap().blobs {
        blobs
            .lock()
            .unwrap()
            .insert(format!("/v2/r/blobs/{digest}"), blob.clone());
    }
    world.arrived(world.pull(&oci(&server)));
    let asked = elsewhere.asked();
    assert!(asked.len() >= 3);
    assert!(
        asked.iter().all(|asked| !asked.headers.contains_key("authorization")),
        "{asked:?}"
    );
}

#[test]
fn a_host_that_a_registry_leads_to_cannot_ask_for_its_password() {
    for kind in ["Basic realm=\"r\"", "Bearer realm=\"/token\",service=\"s\""] {
        let thief = Server::start(move |asked| match asked.path.starts_with("/token") {
            true => Reply::new(200).body("{\"token\":\"t0ken\"}"),
            false => challenge(kind),
        });
        let target = thief.url();
        let (_, server) = registry(move |asked, _| {
            if asked.header("authorization") != basic() {
                return Some(challenge("Basic realm=\"r\""));
            }
            let place = format!("{target}{}", asked.path);
            match asked.method.as_str() {
                "GET" => Some(Reply::new(307).with("Location", place)),
                "POST" => Some(Reply::new(202).with("Location", place)),
                _ => None,
            }
        });
        let world = World::new();
        log_in(&world, password(&server));
        unauthorized(&world, world.pull(&oci(&server)), "a redirect");
        unauthorized(&world, world.push(&oci(&server)), "an upload");
        let asked = thief.asked();
        assert!(!asked.is_empty());
        let secret = |asked: &Asked| asked.headers.contains_key("authorization") || asked.path.starts_with("/token");
        assert!(!asked.iter().any(secret), "{asked:?}");
    }
}

#[test]
fn a_helper_of_docker_is_asked_through_its_input() {
    let (_, server) =
        registry(|asked, _| (asked.header("authorization") != basic()).then(|| challenge("Basic realm=\"r\"")));
    let world = World::new();
    let seen = world.place.path().join("test-seen");
    let answer = |text: &str| {
        let seen = seen.display();
        let script = format!("#!/bin/sh\n{{ echo \"$@\"; cat; env; }} >>'{seen}'\n{text}\n");
        program(&world.place, "docker-credential-x", &script);
    };
    log_in(
        &world,
        json!({ "credHelpers": { format!("127.0.0.1:{}", server.port): "x" } }),
    );
    answer(&format!("echo '{{\"Username\":\"{USER}\",\"Secret\":\"{PASSWORD}\"}}'"));
    let done = world.push(&oci(&server)).ok();
    world.kept_secret(&done);
    let text = read(&seen);
    assert!(text.starts_with("get\n127.0.0.1:") && !holds_secret(&text), "{text}");
    for (case, script) in [
        ("garbage", format!("echo 'garbage {PASSWORD}'")),
        ("an error", format!("echo {PASSWORD} >&2; exit 1")),
        ("too much", format!("yes {PASSWORD} | head -c 10000000")),
        (
            "no login",
            "echo credentials not found in native keychain; exit 1".to_owned(),
        ),
        ("nothing", "exit 0".to_owned()),
    ] {
        answer(&script);
        unauthorized(&world, world.pull(&oci(&server)), case);
    }
}

#[test]
fn a_login_for_a_fabric_comes_from_git() {
    let (_, server) =
        fabric(|asked, _| (asked.header("authorization") != basic()).then(|| challenge("Basic realm=\"f\"")));
    let world = World::new();
    let seen = world.place.path().join("test-seen");
    let configuration = world.place.path().join("test-gitconfig");
    let helper = |password: &str| {
        let shown = seen.display();
        let script = format!(
            "#!/bin/sh\n{{ echo \"$@\"; cat; echo; env; }} >>'{shown}'\n[ \"$1\" = get ] && echo username={USER} && echo password={password}\nexit 0\n"
        );
        program(&world.place, "git-credential-x", &script);
    };
    let run = |args: &[&str]| {
        let mut command = world.command(args);
        command.env("GIT_CONFIG_GLOBAL", &configuration);
        within(command, DEADLINE)
    };
    let url = server.url();
    unauthorized(&world, run(&["push", "p", &url]), "no login");
    super::write(&configuration, "[credential]\n\thelper = x\n");
    helper("wrong");
    unauthorized(&world, run(&["push", "p", &url]), "a wrong password");
    assert!(read(&seen).contains("erase\n"));
    std::fs::remove_file(&seen).unwrap();
    helper(PASSWORD);
    let done = run(&["push", "p", &url]).ok();
    world.kept_secret(&done);
    let text = read(&seen);
    assert!(
        text.starts_with("get\n") && text.contains(&format!("host=127.0.0.1:{}", server.port)),
        "{text}"
    );
    assert!(text.contains("store\n"), "{text}");
    // git tells the password again when it was right: through standard input alone.
    let elsewhere = text.replace(&format!("password={PASSWORD}\n"), "");
    assert!(!holds_secret(&elsewhere), "{elsewhere}");
    world.arrived(run(&["pull", &world.id, "--from", &url, "-o", "q"]));
}

#[test]
fn a_clone_does_not_name_the_program_that_knows_logins() {
    let (_, server) = fabric(|_, _| Some(challenge("Basic realm=\"f\"")));
    let repo = crate::common::Repo::set_up();
    let mark = repo.place.path().join("mark");
    let helper = format!("!touch '{}'", mark.display());
    repo.git(&["config", "credential.helper", &helper]).ok();
    let (_, pack) = repo.seal(&[]);
    let mut command = repo.place.command(crate::common::GIT_PACK, &repo.root);
    command.arg("push").arg(&pack).arg(server.url());
    within(command, Duration::from_secs(60)).refused("E_TRANSPORT");
    assert!(!mark.exists());
}
