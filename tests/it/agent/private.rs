//! Private files: only a key holder reads them, and every changed byte is noticed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::owned::{AGENT, Store, fed, new_key};
use crate::common::{Repo, age};

const JSON: &[u8] = b"{\"a\": 1, \"a\": [1e999, \"\\u0000\"]} \n";

fn mode(store: &Store, path: &str) -> u32 {
    fs::metadata(store.at(path)).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_private_file_comes_back_byte_for_byte() {
    let store = Store::new();
    let file = format!("{AGENT}/g5_information/session.json");
    store.write(&file, JSON);
    let done = store.to_own(&["seal", &file]).ok();
    assert_eq!(done.out(), format!("encrypted  {file}.enc\n"));
    assert!(
        done.stderr
            .contains(&format!("note {file} is still there in plaintext")),
        "{}",
        done.stderr
    );
    let sealed = store.read(&format!("{file}.enc"));
    assert_eq!(sealed[..12], *b"GYR5\x03\x00\x80\x00\x00\x00\x00\x00");
    assert_eq!(sealed[12..108], [0; 96]);
    assert_eq!(sealed[120..128], [0; 8]);
    assert!(!sealed.windows(5).any(|part| part == b"1e999"));
    let opened = store.agent(&["open", &format!("{file}.enc")]).ok();
    assert_eq!((opened.stdout.as_slice(), opened.stderr.as_str()), (JSON, ""));
    let done = store.agent(&["open", &format!("{file}.enc"), "-o", "out.json"]).ok();
    assert_eq!(done.out(), "opened     out.json\n");
    assert_eq!(store.read("out.json"), JSON);
    assert_eq!(mode(&store, "out.json"), 0o600);
    let again = store.agent(&["open", &format!("{file}.enc"), "-o", "out.json"]);
    assert_eq!(again.code, 2);
    assert!(!again.stderr.contains("--replace"), "{}", again.stderr);
}

#[test]
fn the_real_age_opens_what_follows_the_header() {
    let store = Store::new();
    store.write("format.json", JSON);
    store.to_own(&["seal", "format.json"]).ok();
    let key = store.at("home/.config/git-pack/identity.txt");
    let script = format!("tail -c +129 format.json.enc | {} -d -i '{}'", age(), key.display());
    let plain = store.place.run(store.place.path(), "sh", &["-c", &script]).ok().stdout;
    let header = &store.read("format.json.enc")[..128];
    fs::write(store.at("header"), header).unwrap();
    let hash = store.place.run(store.place.path(), "sha256sum", &["header"]).ok().out();
    let line = format!("sha256:{}\n", &hash[..64]);
    assert_eq!(plain, [line.as_bytes(), JSON].concat());
}

#[test]
fn every_flipped_byte_and_every_cut_is_an_error() {
    let store = Store::new();
    store.write("format.json", b"{}");
    store.to_own(&["seal", "format.json"]).ok();
    let sealed = store.read("format.json.enc");
    let refused = |bytes: &[u8], what: &str| {
        fs::write(store.at("format.json.enc"), bytes).unwrap();
        let done = store.agent(&["open", "format.json.enc"]);
        assert_eq!((done.code, done.stdout.len()), (2, 0), "{what}: {}", done.stderr);
        done.stderr
    };
    for at in 0..sealed.len() {
        let mut bytes = sealed.clone();
        bytes[at] ^= 1 << (at % 8);
        let said = refused(&bytes, &format!("byte {at}"));
        if (12..120).contains(&at) {
            assert!(said.contains("its header belongs to another file"), "byte {at}: {said}");
        }
    }
    for length in (0..sealed.len()).step_by(7).chain([127, 128, sealed.len() - 1]) {
        refused(&sealed[..length], &format!("cut to {length}"));
    }
    for more in [&b"\0"[..], b"\n", &sealed] {
        refused(&[&sealed, more].concat(), "appended bytes");
    }
    fs::write(store.at("format.json.enc"), &sealed).unwrap();
    assert_eq!(store.open("format.json.enc"), b"{}");
}

#[test]
fn a_header_is_only_good_for_its_own_file() {
    let store = Store::new();
    for content in ["1", "2"] {
        store.write("session.json", content);
        let out = format!("{content}.enc");
        store.to_own(&["seal", "session.json", "-o", &out]).ok();
    }
    let [one, two] = ["1.enc", "2.enc"].map(|path| store.read(path));
    assert_ne!(one[108..120], two[108..120], "the salts differ");
    store.write("swapped.enc", [&one[..128], &two[128..]].concat());
    let done = store.agent(&["open", "swapped.enc"]);
    assert_eq!((done.code, done.stdout.len()), (2, 0));
    assert!(
        done.stderr.contains("swapped.enc: its header belongs to another file"),
        "{}",
        done.stderr
    );
}

#[test]
fn other_forms_of_a_private_file_are_refused() {
    let store = Store::new();
    store.write("session.json", b"{}");
    store.to_own(&["seal", "session.json"]).ok();
    let sealed = store.read("session.json.enc");
    let refused = |path: &str, why: &str| {
        let done = store.agent(&["open", path]);
        assert_eq!((done.code, done.stdout.len()), (2, 0), "{path}");
        assert!(done.stderr.contains(why), "{path}: {}", done.stderr);
    };
    store.write("format.json.enc", &sealed);
    refused("format.json.enc", "its name says format, and its header says session");
    store.write("armoured.enc", &sealed[..128]);
    let script = format!("printf 'x' | {} -a -r {} >>armoured.enc", age(), store.recipient);
    store.place.run(store.place.path(), "sh", &["-c", &script]).ok();
    refused("armoured.enc", "a binary age file does not follow its header");
    // Anyone can encrypt to the recipient, but not with the line that binds the header.
    store.write("unbound.enc", &sealed[..128]);
    let script = format!("printf '{{}}' | {} -r {} >>unbound.enc", age(), store.recipient);
    store.place.run(store.place.path(), "sh", &["-c", &script]).ok();
    refused("unbound.enc", "its header belongs to another file");
    store.old(&["file", "session", "old.enc"], b"{}");
    refused(
        "old.enc",
        "it has version 2, so anyone can read its content\n  try        git pack agent migrate",
    );
    store.write("short.enc", &sealed[..20]);
    refused("short.enc", "it has 20 bytes, and its header alone has 128");
    refused("session.json", "it is not a private file of an agent");
    symlink("session.json.enc", store.at("link.enc")).unwrap();
    refused("link.enc", "symbolic link");
}

#[test]
fn only_a_key_holder_reads_a_private_file() {
    let store = Store::new();
    store.write("session.json", JSON);
    store.to_own(&["seal", "session.json"]).ok();
    new_key(&store.place, "other.txt");
    let done = store.agent(&["open", "session.json.enc", "-i", "other.txt"]);
    assert_eq!((done.code, done.stdout.len()), (2, 0));
    assert!(
        done.stderr
            .starts_with("git-pack: no identity here opens session.json.enc\n"),
        "{}",
        done.stderr
    );
    fs::remove_file(store.at("home/.config/git-pack/identity.txt")).unwrap();
    let done = store.agent(&["open", "session.json.enc"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("the file does not exist"), "{}", done.stderr);
}

#[test]
fn any_json_round_trips_and_nothing_else_is_encrypted() {
    let store = Store::new();
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        "-?(0|[1-9][0-9]{0,60})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,5})?",
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        "\"(\\\\u[0-9a-fA-F]{4}){1,4}\"",
    ];
    let json = leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|all| format!("[{}]", all.join(" ,\n"))),
            prop::collection::vec(("[a-c]", inner), 0..6).prop_map(|all| {
                let fields: Vec<String> = all.iter().map(|(key, value)| format!("\"{key}\"\t: {value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    });
    let mut runner = TestRunner::new(Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    });
    let sealed = |content: &[u8]| {
        let args = [
            "seal",
            "-",
            "--kind",
            "session",
            "-o",
            "x.enc",
            "--replace",
            "-r",
            &store.recipient,
        ];
        fed(store.command(&args), content)
    };
    let run = runner.run(&json, |text| {
        sealed(text.as_bytes()).ok();
        prop_assert_eq!(store.open("x.enc"), text.as_bytes());
        Ok(())
    });
    run.unwrap();
    let deep = [vec![b'['; 300_000], vec![b']'; 300_000]].concat();
    sealed(&deep).ok();
    assert_eq!(store.open("x.enc"), deep);
    for bad in [
        &b""[..],
        b"{}\0",
        b"\xef\xbb\xbf{}",
        b"\"\xff\"",
        b"{} {}",
        b"{'a':1}",
        b"\"\0\"",
    ] {
        let done = sealed(bad);
        assert_eq!(done.code, 2, "{bad:?}");
        assert!(
            done.stderr.starts_with("git-pack: -: it is not JSON: "),
            "{}",
            done.stderr
        );
        assert_eq!(store.open("x.enc"), deep, "the file that was there stays");
    }
}

#[test]
fn the_kind_comes_from_the_name_then_from_the_directory() {
    let store = Store::new();
    for (path, kind, magic) in [
        ("format.json", None, "GYR3"),
        ("curriculum.json", None, "GYR4"),
        ("session.json", None, "GYR5"),
        ("d/g4_information/math.json", None, "GYR4"),
        ("other.json", Some("format"), "GYR3"),
    ] {
        store.write(path, b"{}");
        let args: Vec<&str> = ["seal", path]
            .into_iter()
            .chain(kind.into_iter().flat_map(|kind| ["--kind", kind]))
            .collect();
        store.to_own(&args).ok();
        assert_eq!(store.read(&format!("{path}.enc"))[..4], *magic.as_bytes(), "{path}");
    }
    let refused = |args: &[&str], why: &str| {
        let done = store.to_own(args);
        assert_eq!(done.code, 2, "{args:?}");
        assert!(done.stderr.contains(why), "{args:?}: {}", done.stderr);
    };
    store.write("unknown.json", b"{}");
    refused(&["seal", "unknown.json"], "--kind format, curriculum or session");
    refused(
        &["seal", "format.json", "--kind", "session", "-o", "n.enc"],
        "says format, and you asked for session",
    );
    refused(
        &["seal", "format.json", "-o", "d/session.json.enc"],
        "its name says session, and its header says format",
    );
    refused(&["seal", "-", "-o", "n.enc"], "--kind");
    refused(&["seal", "-", "--kind", "format"], "--output");
    assert!(!store.at("n.enc").exists());
}

#[test]
fn a_private_file_is_private_whatever_the_umask_is() {
    let store = Store::new();
    store.write("format.json", b"{}");
    for umask in ["0", "0277"] {
        drop(fs::remove_file(store.at("format.json.enc")));
        for replace in ["", "--replace"] {
            let args = format!(
                "umask {umask}; exec git-pack agent seal format.json {replace} -r {}",
                store.recipient
            );
            store.place.run(store.place.path(), "sh", &["-c", &args]).ok();
            assert_eq!(mode(&store, "format.json.enc"), 0o600, "{umask} {replace}");
            fs::set_permissions(store.at("format.json.enc"), fs::Permissions::from_mode(0o666)).unwrap();
        }
        let opened = "umask 0; exec git-pack agent open format.json.enc -o out";
        store.place.run(store.place.path(), "sh", &["-c", opened]).ok();
        assert_eq!(mode(&store, "out"), 0o600);
        fs::remove_file(store.at("out")).unwrap();
    }
}

#[test]
fn seal_replaces_only_a_private_file_and_only_if_asked() {
    let store = Store::new();
    store.write("format.json", b"{}");
    store.to_own(&["seal", "format.json"]).ok();
    let before = store.read("format.json.enc");
    let done = store.to_own(&["seal", "format.json"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("--replace"), "{}", done.stderr);
    assert_eq!(store.read("format.json.enc"), before);
    store.to_own(&["seal", "format.json", "--replace"]).ok();
    assert_ne!(store.read("format.json.enc"), before);
    // A plaintext or a file of version 2 may be the only copy.
    store.old(&["file", "format", "old.enc"], b"{\"only\": 1}");
    store.write("notes", b"only");
    symlink("notes", store.at("link")).unwrap();
    for output in ["old.enc", "notes", "link", "s"] {
        let before = fs::read(store.at(output)).ok();
        let done = store.to_own(&["seal", "format.json", "--replace", "-o", output]);
        assert_eq!(done.code, 2, "{output}");
        assert_eq!(fs::read(store.at(output)).ok(), before, "{output}");
    }
    let names = fs::read_dir(store.place.path()).unwrap();
    let hidden = |name: String| name.starts_with('.');
    assert!(
        !names
            .flatten()
            .any(|entry| hidden(entry.file_name().into_string().unwrap()))
    );
}

#[test]
fn recipients_come_from_flags_or_from_the_repository_of_the_file() {
    let store = Store::new();
    store.write("format.json", b"{}");
    let done = store.agent(&["seal", "format.json"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("no recipients are configured"), "{}", done.stderr);
    assert!(!store.at("format.json.enc").exists());
    store.write("keys", format!("# mine\n{}\n", store.recipient));
    store.agent(&["seal", "format.json", "-R", "keys"]).ok();
    assert_eq!(store.open("format.json.enc"), b"{}");

    let repo = Repo::set_up();
    repo.write("agents/00/a/g3_information/format.json", "{}");
    let file = "repo/agents/00/a/g3_information/format.json";
    repo.place.pack_in(repo.place.path(), &["agent", "seal", file]).ok();
    let opened = repo
        .pack(&["agent", "open", "agents/00/a/g3_information/format.json.enc"])
        .ok();
    assert_eq!(opened.stdout, b"{}");
    // An opened file must not be where git could track it, and nothing goes through a link out of the work tree.
    let sealed = "agents/00/a/g3_information/format.json.enc";
    let done = repo.pack(&["agent", "open", sealed, "-o", "plain.json"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("git could track"), "{}", done.stderr);
    repo.write(".gitignore", "_PACK_RUN/\nplain.json\n");
    repo.pack(&["agent", "open", sealed, "-o", "plain.json"]).ok();
    symlink("..", repo.root.join("out")).unwrap();
    let done = repo.pack(&["agent", "seal", "plain.json", "--kind", "format", "-o", "out/x.enc"]);
    assert_eq!(done.code, 2);
    assert!(!repo.place.path().join("x.enc").exists());
    let done = repo.pack(&["agent", "seal", "plain.json", "--kind", "format", "-o", ".git/x.enc"]);
    assert_eq!(done.code, 2);
}

#[test]
fn a_file_that_is_too_large_is_refused_before_it_is_read() {
    let store = Store::new();
    let file = fs::File::create(store.at("format.json")).unwrap();
    file.set_len((256 << 20) + 1).unwrap();
    let done = store.to_own(&["seal", "format.json"]);
    assert_eq!(done.code, 2);
    assert!(
        done.stderr.contains("it has more than 268435456 bytes"),
        "{}",
        done.stderr
    );
    fs::rename(store.at("format.json"), store.at("format.json.enc")).unwrap();
    file.set_len(300 << 20).unwrap();
    assert_eq!(store.agent(&["open", "format.json.enc"]).code, 2);
}

#[test]
fn a_file_outside_of_any_repository_is_sealed_for_those_of_the_repository_here() {
    let repo = Repo::set_up();
    repo.write("../outside/x.json", "{}");
    let done = repo
        .pack(&["agent", "seal", "../outside/x.json", "--kind", "session"])
        .ok();
    assert!(done.stderr.contains("still"), "{}", done.stderr);
    let opened = repo.pack(&["agent", "open", "../outside/x.json.enc"]).ok();
    assert_eq!(opened.stdout, b"{}");
    // Outside of any repository, no recipients are known.
    let place = repo.place.path().join("outside");
    let done = repo
        .place
        .pack_in(&place, &["agent", "seal", "x.json", "--kind", "session", "--replace"]);
    assert_eq!(done.code, 2, "{}", done.stderr);
}

#[test]
fn the_guard_says_how_to_encrypt_a_private_file() {
    let repo = Repo::set_up();
    repo.write("agents/00/x/g5_information/session.json", "{\"a\":1}");
    repo.write("x.vec", "protected");
    repo.git(&["add", "-f", "agents", "x.vec"]).ok();
    let done = repo.git(&["commit", "-m", "plaintext"]);
    assert_ne!(done.code, 0);
    assert!(done.stderr.contains("encrypt in place"), "{}", done.stderr);
    assert!(done.stderr.contains("git pack agent migrate"), "{}", done.stderr);
    assert!(done.stderr.contains("git pack protect x.vec\n"), "{}", done.stderr);
}
