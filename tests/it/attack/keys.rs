//! Private keys in other encodings than a key file of their own.

use std::fs;

use crate::attack::layers::samples;
use crate::common::Repo;

/// Gain: the key in a Kubernetes Secret, or in a file that an editor saved as UTF-16, goes public.
#[test]
fn a_key_in_base64_or_in_letters_of_two_bytes_is_stopped() {
    let repo = Repo::set_up();
    let mut expected = Vec::new();
    for path in samples("private-key") {
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with("base64") || name.contains("no_mark") {
            let name = format!("deploy/{name}.txt");
            repo.write(&name, fs::read(&path).unwrap());
            expected.push(name);
        }
    }
    assert!(expected.len() > 10);
    repo.git(&["add", "-f", "deploy"]).ok();
    let done = repo.pack(&["scan", "-z"]);
    let found = done.out();
    let mut found: Vec<&str> = found.split_terminator('\0').collect();
    found.sort_unstable();
    expected.sort();
    assert_eq!((done.code, found), (1, expected.iter().map(String::as_str).collect()));
    let commit = repo.git(&["commit", "-q", "-m", "x"]);
    assert!(
        commit.code == 1 && commit.stderr.contains("private-key"),
        "{}",
        commit.stderr
    );
}

/// Gain: such a key goes public inside an archive that is wrapped twice.
#[test]
fn such_a_key_is_found_in_layers_too() {
    let repo = Repo::set_up();
    let secret = samples("private-key")
        .into_iter()
        .find(|path| path.ends_with("base64_secret.yaml"));
    repo.write("deploy/secret.yaml", fs::read(secret.unwrap()).unwrap());
    let script = "tar -cJf chart.bin deploy && rm -r deploy && gzip -c chart.bin >chart.dat && rm chart.bin";
    repo.place.run(&repo.root, "sh", &["-c", script]).ok();
    repo.git(&["add", "-f", "chart.dat"]).ok();
    let done = repo.pack(&["scan"]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(done.out().contains("in a gzip, then xz"), "{}", done.out());
}

/// Gain: a key that was pasted as a note stands in the manifest of a pack that anyone can read.
#[test]
fn a_key_as_a_note_is_neither_published_nor_repeated() {
    let repo = Repo::set_up();
    let mut notes = vec![fs::read_to_string(repo.identity()).unwrap()];
    for name in ["pem_ec", "openssh_ed25519", "putty_3", "jwk_okp", "base64_secret.yaml"] {
        let sample = samples("private-key").into_iter().find(|path| path.ends_with(name));
        notes.push(fs::read_to_string(sample.unwrap()).unwrap());
    }
    // Of a damaged key, most is still secret.
    notes.push(notes[0].trim_end().strip_suffix(|_| true).unwrap().to_owned());
    let ledger = repo.place.home().join(".epistemic/witness.jsonl");
    for note in &notes {
        for more in [&["-o", "../noted"][..], &["-n"]] {
            let done = repo.pack(&[&["seal", &format!("--note={note}")], more].concat());
            let value = done.refused("E_PLAINTEXT_LEAK");
            let message = value["refusal"]["message"].as_str().unwrap();
            assert!(message.starts_with("--note: "), "{message}");
            let told = format!("{value}{}", fs::read_to_string(&ledger).unwrap_or_default());
            for line in note.lines().filter(|line| line.len() >= 40 && !line.starts_with('#')) {
                assert!(!told.contains(line), "{told}");
            }
        }
    }
    assert!(!repo.place.path().join("noted").exists());
    let kept = fs::read_to_string(&ledger).unwrap();
    assert!(kept.contains("(a private key)"), "{kept}");
    repo.seal(&["--note", "about the PRIVATE KEY of age: none", "-o", "../noted"]);
}
