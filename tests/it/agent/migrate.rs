//! Migration from the old formats, which a script writes by the words of the contract: content is never lost, and a dry
//! run says what the real one does.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::owned::{AGENT, Store, new_key};
use crate::common::{Done, Repo, is_root, number};

const JSON: &[u8] = b"{\"a\": 1, \"a\": [1e999, \"\\u0000\"], \"pad\": \"xx\"} \n";
/// Its codes are 1, 2, 2 and 0, which give another keystream than the key of zeros.
const KEY: &str = "01000000000000000200000000000000020000000000000000000000000000ff";

/// Returns the path of a file of the agent, by its kind.
fn file(kind: &str) -> String {
    let directory = match kind {
        "format" => "g3_information",
        "curriculum" => "g4_information",
        _ => "g5_information",
    };
    format!("{AGENT}/{directory}/{kind}.json")
}

impl Store {
    /// Writes a file of version 2 of this kind.
    fn old_file(&self, kind: &str, content: &[u8], more: &[&str]) -> String {
        let path = format!("{}.enc", file(kind));
        self.old(&[&["file", kind, &path], more].concat(), content);
        path
    }

    /// Migrates after a dry run that must change nothing and say the same.
    fn migrate(&self, args: &[&str]) -> Done {
        let before = self.files();
        let args = [&["migrate", "s"], args].concat();
        let dry = self.to_own(&[&args[..], &["--dry-run"]].concat());
        assert!(self.files() == before, "a dry run changed something");
        let real = self.to_own(&args);
        assert_eq!(
            (dry.out(), dry.code),
            (real.out(), real.code),
            "{}{}",
            dry.stderr,
            real.stderr
        );
        real
    }

    /// Migrates, and demands that exactly one line says that a file is left, and why.
    fn left(&self, args: &[&str], path: &str, why: &str) {
        let before = self.files();
        let done = self.migrate(args);
        assert_eq!(
            done.out(),
            format!("{:<18} {path}   {why}\n", "left"),
            "{}",
            done.stderr
        );
        assert_eq!(done.code, 1);
        assert!(self.files() == before, "a file that was left has changed");
    }

    /// Demands that a second migration finds nothing to do.
    fn is_done(&self) {
        let done = self.migrate(&[]).ok();
        assert_eq!(
            (done.out().as_str(), done.stderr.as_str()),
            ("", "  nothing to migrate\n")
        );
    }
}

#[test]
fn old_plaintexts_become_private_files() {
    let store = Store::new();
    for kind in ["format", "curriculum", "session"] {
        store.write(&file(kind), JSON);
    }
    store.write(&format!("{AGENT}/g3_information/notes.txt"), "not private");
    store.write(&format!("{AGENT}/format.json"), "not in its directory");
    let done = store.migrate(&[]).ok();
    let lines: Vec<String> = ["format", "curriculum", "session"]
        .iter()
        .map(|kind| format!("encrypted          {0}.enc\nremoved plaintext  {0}\n", file(kind)))
        .collect();
    assert_eq!(done.out(), lines.concat());
    assert_eq!(done.stderr, "  3 encrypted for 1 recipient, 3 removed, 0 left\n");
    for (kind, magic) in [("format", b"GYR3"), ("curriculum", b"GYR4"), ("session", b"GYR5")] {
        let path = format!("{}.enc", file(kind));
        assert_eq!(store.open(&path), JSON);
        assert_eq!(
            store.read(&path)[..12],
            *[&magic[..], b"\x03\x00\x80\x00\x00\x00\x00\x00"].concat()
        );
        assert_eq!(
            fs::metadata(store.at(&path)).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    assert_eq!(store.files().len(), 5, "nothing else is left behind");
    store.is_done();
}

#[test]
fn every_key_and_every_form_of_version_2_is_read_without_the_key() {
    let store = Store::new();
    let forms: [&[&str]; 4] = [&[], &["--flags", "0"], &["--length"], &["--flags", "0", "--length"]];
    for codes in 0..64_u8 {
        // Different keys: the last code is 0 to 3 as well.
        let key: String = (0..4)
            .map(|at| format!("{:02x}{}", 0xa4 | codes >> (2 * (at % 3)) & 3, "5a".repeat(7)))
            .collect();
        let key = &key[..[32, 34, 48, 64][usize::from(codes) % 4]];
        let more = [&["--key", key], forms[usize::from(codes / 16)]].concat();
        let content = format!(
            "{{\"codes\": {codes}, \"text\": \"ä\"{}}}",
            " ".repeat(usize::from(codes) % 25)
        );
        let path = store.old_file("session", content.as_bytes(), &more);
        fs::set_permissions(store.at(&path), fs::Permissions::from_mode(0o644)).unwrap();
        let snapshot = store.read(&path)[12..108].to_vec();
        let done = store.to_own(&["migrate", "s"]).ok();
        assert_eq!(done.out(), format!("encrypted          {path}\n"), "{codes}");
        assert_eq!(store.open(&path), content.as_bytes(), "{codes}");
        assert_eq!(store.read(&path)[12..108], snapshot, "the snapshot is kept");
        assert_eq!(
            fs::metadata(store.at(&path)).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    store.is_done();
}

#[test]
fn only_the_keystream_of_a_given_key_counts() {
    let store = Store::new();
    let key = |name: &str, content: &[u8], mode| {
        store.write(name, content);
        fs::set_permissions(store.at(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    let bytes: Vec<u8> = (0..32)
        .map(|at| u8::from_str_radix(&KEY[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    key("raw", &bytes, 0o600);
    key("hex", format!("{KEY}\n").as_bytes(), 0o600);
    key("wrong", &[0; 32], 0o600);
    key("short", b"short", 0o600);
    key("open", &bytes, 0o644);
    for right in ["raw", "hex"] {
        let path = store.old_file("format", JSON, &["--key", KEY]);
        store.left(&["--key", "wrong"], &path, "no given key decodes it to JSON");
        store.migrate(&["--key", "wrong", "--key", right]).ok();
        assert_eq!(store.open(&path), JSON);
    }
    store.old_file("format", JSON, &["--key", KEY]);
    let before = store.files();
    for (bad, why) in [
        ("short", "a key has 16 to 32 bytes"),
        ("open", "chmod 600 "),
        ("missing", "the key file does not exist"),
        ("s", "directory"),
    ] {
        let done = store.to_own(&["migrate", "s", "--key", bad]);
        assert_eq!(done.code, 2, "{bad}");
        assert!(done.stderr.contains(why), "{bad}: {}", done.stderr);
    }
    assert!(store.files() == before);
}

#[test]
fn a_plaintext_and_an_encrypted_file_become_one_only_if_they_are_the_same() {
    let store = Store::new();
    let (plain, sealed) = (file("session"), format!("{}.enc", file("session")));
    let seal = |content: &[u8]| {
        store.write(&plain, content);
        store.to_own(&["seal", &plain, "--replace"]).ok();
    };
    // Version 3, as an interrupted migration leaves it.
    seal(JSON);
    let before = store.read(&sealed);
    let done = store.migrate(&[]).ok();
    assert_eq!(done.out(), format!("removed plaintext  {plain}\n"));
    assert_eq!(store.read(&sealed), before);
    // Version 3 with another content, for another key, and damaged.
    seal(JSON);
    store.write(&plain, b"2");
    store.left(
        &[],
        &plain,
        "the .enc file beside it holds something else; move one of the two away",
    );
    let other = new_key(&store.place, "other.txt");
    store.agent(&["seal", &plain, "--replace", "-r", &other]).ok();
    let why = "it cannot be compared with the encrypted file beside it: it is sealed for other keys (X25519)";
    store.left(&[], &plain, why);
    let done = store.migrate(&["-i", "other.txt"]).ok();
    assert_eq!(done.out(), format!("removed plaintext  {plain}\n"));
    seal(JSON);
    let mut damaged = store.read(&sealed);
    *damaged.last_mut().unwrap() ^= 1;
    store.write(&sealed, &damaged);
    let done = store.migrate(&[]);
    assert!(done.out().contains("cannot be compared"), "{}", done.out());
    assert_eq!(store.read(&plain), JSON);
    // Version 2.
    store.old_file("session", JSON, &[]);
    let done = store.migrate(&[]).ok();
    assert_eq!(
        done.out(),
        format!("encrypted          {sealed}\nremoved plaintext  {plain}\n")
    );
    assert_eq!(store.open(&sealed), JSON);
    store.old_file("session", JSON, &[]);
    store.write(&plain, b"{\"other\": 1}");
    let before = store.files();
    let done = store.migrate(&[]);
    let lines = format!(
        "{:<18} {sealed}   the plaintext beside it was left, for the reason above\n{:<18} {plain}   the .enc file beside it holds something else; move one of the two away\n",
        "left", "left"
    );
    assert_eq!((done.out(), done.code), (lines, 1));
    assert!(store.files() == before);
}

/// Makes a store with one file of each fault. Returns the lines that a migration must print.
fn with_faults(store: &Store) -> String {
    let (format, curriculum, session) = (file("format"), file("curriculum"), file("session"));
    let agent = |name: &str, path: &str| path.replace("abcdef1234567890", name);
    let mut lines = BTreeMap::new();
    let mut left =
        |path: String, why: &str| drop(lines.insert(path.clone(), format!("{:<18} {path}   {why}\n", "left")));
    store.write("outside/secret.json", JSON);
    store.write("outside/g5_information/session.json", JSON);
    // Each fault has an agent, which sorts by its name.
    let links = agent("a-links", &format);
    store.write(&agent("a-links", &curriculum), JSON);
    fs::create_dir_all(store.at(&links).parent().unwrap()).unwrap();
    symlink(store.at("outside/secret.json"), store.at(&links)).unwrap();
    left(links, "it is a symbolic link");
    let done = agent("a-links", &curriculum);
    let information = store.at(&agent("a-links", &session)).parent().unwrap().to_owned();
    symlink(store.at("outside/g5_information"), &information).unwrap();
    left(
        agent("a-links", &session).replace("/session.json", ""),
        "it is a symbolic link",
    );
    symlink(store.at("outside"), store.at("s/agents/00/out")).unwrap();
    left("s/agents/00/out".into(), "it is a symbolic link to a directory outside");
    symlink("a-links", store.at("s/agents/00/latest")).unwrap();
    let hard = agent("b-hard", &format);
    store.write(&hard, JSON);
    fs::hard_link(store.at(&hard), store.at("outside/hard")).unwrap();
    left(
        hard,
        "it has 2 names (hard links), and the others would keep the content",
    );
    let old = store.old_file("session", JSON, &[]);
    let hard = agent("b-hard", &old);
    fs::create_dir_all(store.at(&hard).parent().unwrap()).unwrap();
    fs::rename(store.at(&old), store.at(&hard)).unwrap();
    fs::hard_link(store.at(&hard), store.at("outside/hard-old")).unwrap();
    left(
        hard,
        "it has 2 names (hard links), and the others would keep the content",
    );
    let directory = agent("c-kinds", &format);
    fs::create_dir_all(store.at(&directory)).unwrap();
    left(directory, "it is a directory");
    let fifo = agent("c-kinds", &session);
    fs::create_dir_all(store.at(&fifo).parent().unwrap()).unwrap();
    store.place.run(store.place.path(), "mkfifo", &[&fifo]).ok();
    left(fifo, "it is a FIFO");
    for (at, bad) in [&b""[..], b"{", b"\xef\xbb\xbf{}", b"\"\xff\"", b"{}\0"]
        .iter()
        .enumerate()
    {
        let path = agent(&format!("d-json{at}"), &format);
        store.write(&path, bad);
        let why = match at {
            0 => "it is not JSON: EOF while parsing a value at line 1 column 0",
            1 => "it is not JSON: EOF while parsing an object at line 1 column 1",
            2 => "it is not JSON: it begins with a byte order mark",
            3 => "it is not JSON: it is not UTF-8",
            _ => "it is not JSON: trailing characters at line 1 column 3",
        };
        left(path, why);
    }
    let none = agent("e-old", &old);
    store.old_file("session", b"not JSON, but as long as it", &[]);
    fs::create_dir_all(store.at(&none).parent().unwrap()).unwrap();
    fs::rename(store.at(&old), store.at(&none)).unwrap();
    left(none.clone(), "no keystream gives JSON");
    for (at, (byte, change, why)) in [
        (0, b'g', "it is not a private file of an agent"),
        (3, b'3', "its name says session, and its header says format"),
        (4, 9, "it has version 9, and private files have version 3"),
        (
            5,
            2,
            "its header has unknown flags, or reserved bytes that are not zero",
        ),
        (8, 7, "its header states a payload of 7 bytes, and it has 48"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut bytes = store.read(&none);
        bytes[byte] = change;
        let path = agent(&format!("f-header{at}"), &old);
        store.write(&path, bytes);
        left(path, why);
    }
    lines.insert(
        done.clone(),
        format!("encrypted          {done}.enc\nremoved plaintext  {done}\n"),
    );
    let last = agent("z-good", &format);
    store.write(&last, JSON);
    lines.insert(
        last.clone(),
        format!("encrypted          {last}.enc\nremoved plaintext  {last}\n"),
    );
    lines.into_values().collect()
}

#[test]
fn what_cannot_be_migrated_is_left_alone_and_the_others_go_on() {
    let store = Store::new();
    let lines = with_faults(&store);
    let outside = fs::read(store.at("outside/secret.json")).unwrap();
    let done = store.migrate(&[]);
    assert_eq!((done.out(), done.code), (lines.clone(), 1), "{}", done.stderr);
    assert_eq!(fs::read(store.at("outside/secret.json")).unwrap(), outside);
    assert_eq!(store.read("outside/g5_information/session.json"), JSON);
    assert_eq!(store.open("s/agents/00/z-good/g3_information/format.json.enc"), JSON);
    // A second run leaves the same files, for the same reasons.
    let again = store.migrate(&[]);
    let left: String = lines
        .lines()
        .filter(|line| line.starts_with("left"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!((again.out(), again.code), (left, 1));
}

#[test]
fn directories_that_cannot_be_read_or_written_are_left() {
    let store = Store::new();
    let closed = "s/agents/00/closed/g3_information";
    let fixed = "s/agents/00/fixed/g3_information";
    let fixed_old = "s/agents/00/fixed/g5_information";
    store.write(&format!("{closed}/format.json"), JSON);
    store.write(&format!("{fixed}/format.json"), JSON);
    store.old_file("session", JSON, &[]);
    fs::create_dir_all(store.at(fixed_old)).unwrap();
    fs::rename(
        store.at(&format!("{}.enc", file("session"))),
        store.at(&format!("{fixed_old}/session.json.enc")),
    )
    .unwrap();
    store.write("s/agents/00/hidden/g3_information/format.json", JSON);
    store.write("s/agents/00/secret/g3_information/format.json", JSON);
    let bits = [
        (closed, 0o300),
        (fixed, 0o500),
        (fixed_old, 0o500),
        ("s/agents/00/hidden", 0),
        ("s/agents/00/secret/g3_information/format.json", 0),
    ];
    let run = |store: &Store, args: &[&str]| as_another_user(store, args);
    let set = |open: bool| {
        for (path, bits) in bits {
            let mode = if open { 0o700 } else { bits };
            fs::set_permissions(store.at(path), fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    give_away(&store);
    set(false);
    let recipient = store.recipient.clone();
    let args = ["agent", "migrate", "s", "-r", &recipient];
    let dry = run(&store, &[&args[..], &["--dry-run"]].concat());
    let real = run(&store, &args);
    assert_eq!((dry.out(), dry.code), (real.out(), real.code), "{}", real.stderr);
    assert_eq!(real.code, 1, "{}{}", real.out(), real.stderr);
    let said = real.out();
    let starts: Vec<String> = said
        .lines()
        .map(|line| line.split("   ").take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(said.lines().count(), 5, "{said}");
    for (path, why) in [
        (closed, "ermission denied"),
        ("fixed/g3_information/format.json", "ermission denied"),
        ("fixed/g5_information/session.json.enc", "ermission denied"),
        ("s/agents/00/hidden", "ermission denied"),
        ("secret/g3_information/format.json", "ermission denied"),
    ] {
        let line = said.lines().find(|line| line.contains(path));
        assert!(
            line.is_some_and(|line| line.starts_with("left ") && line.contains(why)),
            "{path}: {starts:?}"
        );
    }
    set(true);
    assert_eq!(store.read(&format!("{closed}/format.json")), JSON);
    assert_eq!(store.read(&format!("{fixed}/format.json")), JSON);
    run(&store, &args).ok();
    assert_eq!(run(&store, &args).out(), "");
}

/// Gives the place to another user, with the program, if the tests run as root: permissions do not bind root.
fn give_away(store: &Store) {
    if is_root() {
        store.place.copy_binary(&store.at("git-pack"));
        store
            .place
            .run(store.place.path(), "chown", &["-R", "65534:65534", "."])
            .ok();
    }
}

/// Runs git-pack as a user whom permissions bind.
fn as_another_user(store: &Store, args: &[&str]) -> Done {
    let binary = crate::common::GIT_PACK;
    match is_root() {
        false => store.place.run(store.place.path(), binary, args),
        true => {
            let drop = ["--reuid=65534", "--regid=65534", "--clear-groups", "./git-pack"];
            store
                .place
                .run(store.place.path(), "setpriv", &[&drop[..], args].concat())
        }
    }
}

#[test]
fn a_store_is_found_by_its_top_and_by_each_part() {
    for part in [
        "s",
        "s/agents",
        "s/agents/00",
        AGENT,
        &format!("{AGENT}/g3_information"),
        "copy",
    ] {
        let store = Store::new();
        let path = match part {
            "copy" => "copy/g3_information/format.json".to_owned(),
            _ => file("format"),
        };
        store.write(&path, JSON);
        let done = store.to_own(&["migrate", part]).ok();
        assert_eq!(
            done.out(),
            format!("encrypted          {path}.enc\nremoved plaintext  {path}\n"),
            "{part}"
        );
    }
    let store = Store::new();
    store.write("s/other/g3_information/format.json", JSON);
    store.write("s/file", JSON);
    let refused = |part: &str, why: &str| {
        let done = store.to_own(&["migrate", part]);
        assert_eq!((done.code, done.out().as_str()), (2, ""), "{part}");
        assert!(done.stderr.contains(why), "{part}: {}", done.stderr);
    };
    refused("s", "it is not the directory of a store, nor one below its agents");
    refused("s/file", "it is not the directory of a store");
    refused("missing", "no such file");
    fs::create_dir(store.at("outside")).unwrap();
    symlink("../outside", store.at("s/agents")).unwrap();
    refused("s", "s/agents is a link to ../outside");
    fs::remove_file(store.at("s/agents")).unwrap();
    fs::create_dir(store.at("s/agents")).unwrap();
    let done = store.agent(&["migrate", "s"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("no recipients are configured"), "{}", done.stderr);
}

#[test]
fn history_that_keeps_an_old_file_is_told() {
    let repo = Repo::set_up();
    repo.write("agents/00/a/g3_information/format.json", "{}");
    repo.write("agents/00/b/g3_information/format.json", "{}");
    repo.git(&["add", "-f", "agents/00/a"]);
    let done = repo.pack(&["agent", "migrate"]).ok();
    assert_eq!(done.out().lines().count(), 4);
    assert!(done.stderr.contains("git tracks 1 old file"), "{}", done.stderr);
    let opened = repo
        .pack(&["agent", "open", "agents/00/b/g3_information/format.json.enc"])
        .ok();
    assert_eq!(opened.stdout, b"{}");
    let done = repo.pack(&["agent", "migrate"]).ok();
    assert!(!done.stderr.contains("git tracks"), "{}", done.stderr);
}

/// Returns what each agent's files hold, wherever it stands: in plaintext, in version 3, or in both with the same content.
/// Files of version 2 count as they are.
fn contents(store: &Store) -> BTreeMap<String, Vec<u8>> {
    let mut found: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (path, bytes) in store.files() {
        let name = path.trim_end_matches(".enc").to_owned();
        let content = match bytes.starts_with(b"GYR") && bytes[4] == 3 {
            true => store.open(&path),
            false if bytes.starts_with(b"GYR") => b"old".to_vec(),
            false => bytes,
        };
        if let Some(other) = found.insert(name, content.clone()) {
            assert_eq!(other, content, "{path}: the two differ");
        }
    }
    found
}

/// The names of files that are not complete.
fn unfinished(store: &Store) -> Vec<String> {
    let names = store.files().into_iter().map(|(path, _)| path);
    names.filter(|path| path.contains("/.")).collect()
}

#[test]
fn a_migration_that_is_killed_at_any_moment_loses_nothing_and_can_be_run_again() {
    const AGENTS: usize = 4;
    let kills = number("GITPACK_KILLS", 52);
    let (mut inside, mut both) = (0, 0);
    let mut whole_time = Duration::from_millis(60);
    for kill in 0..kills {
        let store = Store::new();
        store.old(&["tree", "s", &AGENTS.to_string()], b"");
        let before = store.files();
        if kill == 0 {
            let started = Instant::now();
            store.to_own(&["migrate", "s"]).ok();
            whole_time = started.elapsed();
            continue;
        }
        let args = ["migrate", "s", "-r", &store.recipient];
        let (output, errors) = (Stdio::null(), Stdio::null());
        let mut child = store.command(&args).stdout(output).stderr(errors).spawn().unwrap();
        match kill % 3 {
            0 => std::thread::sleep(whole_time * (kill as u32 * 7 % 61) / 60),
            // Soon after one of the agents got its first new file.
            _ => {
                let plain = before.iter().filter(|(path, _)| path.ends_with("format.json"));
                let (path, _) = plain.clone().nth(kill as usize % AGENTS).unwrap();
                let sealed = store.at(&format!("{path}.enc"));
                while !sealed.exists() && child.try_wait().unwrap().is_none() {}
                std::thread::sleep(Duration::from_micros(kill * 137 % 2000));
            }
        }
        drop(child.kill());
        child.wait().unwrap();
        let after: Vec<_> = store
            .files()
            .into_iter()
            .filter(|(path, _)| !path.contains("/."))
            .collect();
        let names: Vec<&str> = after.iter().map(|(path, _)| path.as_str()).collect();
        inside += u64::from(after != before && names.iter().any(|name| name.ends_with("format.json")));
        for (path, bytes) in &before {
            let (plain, sealed) = (
                path.trim_end_matches(".enc"),
                format!("{}.enc", path.trim_end_matches(".enc")),
            );
            both += u64::from(names.contains(&plain) && names.contains(&sealed.as_str()));
            match path.ends_with(".enc") {
                true => assert!(names.contains(&path.as_str()), "{path} is gone"),
                false => match after.iter().find(|(name, _)| name == path) {
                    Some((_, now)) => assert_eq!(now, bytes),
                    None => assert_eq!(&store.open(&sealed), bytes, "{path}"),
                },
            }
        }
        store.migrate(&[]).ok();
        let found = contents(&store);
        assert_eq!(found.len(), 2 * AGENTS);
        assert!(found.values().all(|content| content.starts_with(b"{\"agent\"")));
        assert_eq!(store.files().len(), 2 * AGENTS, "{:?}", unfinished(&store));
        if kill % 10 == 1 {
            store.is_done();
        }
    }
    println!("{inside} of {kills} kills fell inside a migration, {both} pairs had both files");
    assert!(inside > kills / 4, "the kills missed the migration");
}

#[test]
fn what_a_killed_migration_left_is_removed() {
    let store = Store::new();
    store.old_file("session", JSON, &[]);
    let left = format!("{AGENT}/g5_information/.git-pack-session.json.enc");
    store.write(&left, "half");
    store.migrate(&[]).ok();
    assert!(!store.at(&left).exists());
    store.write(&left, "half");
    store.is_done();
    assert!(!store.at(&left).exists());
}

#[test]
fn several_migrations_at_once_do_no_harm() {
    let store = Store::new();
    store.old(&["tree", "s", "40"], b"");
    let args = ["migrate", "s", "-r", &store.recipient];
    let start = || {
        store
            .command(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let all: Vec<_> = (0..4).map(|_| start()).collect();
    let mut lines: Vec<String> = Vec::new();
    for child in all {
        let done = Done::from(child.wait_with_output().unwrap()).ok();
        lines.extend(done.out().lines().map(str::to_owned));
    }
    // Each file was changed by exactly one of them.
    lines.sort();
    let count = lines.len();
    lines.dedup();
    assert_eq!((count, lines.len()), (120, 120));
    let found = contents(&store);
    assert_eq!(found.len(), 80);
    assert!(found.values().all(|content| content.starts_with(b"{\"agent\"")));
    store.is_done();
}

#[test]
fn many_agents_are_migrated_in_one_go() {
    // 10,000 by hand: GITPACK_AGENTS=10000.
    let agents = number("GITPACK_AGENTS", 300);
    let store = Store::new();
    store.old(&["tree", "s", &agents.to_string()], b"");
    let started = Instant::now();
    let done = store.to_own(&["migrate", "s"]).ok();
    println!("{agents} agents in {:?}", started.elapsed());
    assert_eq!(done.out().lines().count() as u64, 3 * agents);
    let started = Instant::now();
    let again = store.to_own(&["migrate", "s"]).ok();
    println!("nothing to do in {:?}", started.elapsed());
    assert_eq!(again.out(), "");
    let some = store.files();
    assert_eq!(some.len() as u64, 2 * agents);
    for (path, _) in some.iter().step_by(some.len() / 10) {
        assert!(store.open(path).starts_with(b"{\"agent\""), "{path}");
    }
    assert!(Path::new(&store.at("s/agents")).is_dir());
}

#[test]
fn a_file_of_version_2_with_another_name_is_left_and_told() {
    let store = Store::new();
    let path = format!("{AGENT}/g3_information/profile.json.enc");
    store.old(&["file", "format", &path], b"{}");
    store.write(&format!("{AGENT}/g3_information/notes.txt"), "x");
    let done = store.to_own(&["migrate", "s"]);
    let expected = format!(
        "left               {path}   it has version 2, which anyone can read, and not the name of a private file\n"
    );
    assert_eq!((done.code, done.out()), (1, expected));
}
