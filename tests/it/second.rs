//! A second implementation, `examples/verify.py`, which follows the documentation alone: it answers the test vectors as
//! git-pack does, and names those that it answers otherwise.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::common::{Done, Place};

/// Number of tokens in the table of the program, as their ranks.
const TOKENS: usize = 199_998;

fn in_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs the second implementation.
fn second(place: &Place, args: &[&str]) -> Done {
    let program = in_project("examples/verify.py");
    let mut call = vec![program.to_str().unwrap()];
    call.extend(args);
    place.run(place.path(), "python3", &call)
}

/// Writes the vocabulary as its makers publish it: a token in base64 and its rank on each line.
fn write_vocabulary(file: &Path) {
    let packed = fs::File::open(in_project("src/format/tokens/o200k_base.zst")).unwrap();
    let table = zstd::decode_all(packed).unwrap();
    let (lengths, mut bytes) = table.split_at(TOKENS);
    let mut lines = String::new();
    for (rank, length) in lengths.iter().enumerate() {
        let (token, rest) = bytes.split_at(usize::from(*length));
        writeln!(lines, "{} {rank}", STANDARD.encode(token)).unwrap();
        bytes = rest;
    }
    fs::write(file, lines).unwrap();
}

#[test]
fn it_answers_every_vector_as_expected() {
    let place = Place::new();
    let vocabulary = place.path().join("o200k_base");
    write_vocabulary(&vocabulary);
    let vectors = in_project("fixtures/vectors");
    let count = fs::read_dir(&vectors).unwrap().count();
    let args = [
        "--vectors",
        vectors.to_str().unwrap(),
        "--ranks",
        vocabulary.to_str().unwrap(),
    ];
    let run = second(&place, &args);
    assert_eq!(run.out(), format!("{count} of {count} vectors agree\n"));
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[test]
fn it_names_a_vector_that_it_answers_otherwise() {
    let place = Place::new();
    let vector = place.path().join("vectors/changed");
    let pack = vector.join("pack");
    fs::create_dir_all(&pack).unwrap();
    fs::copy(
        in_project("fixtures/vectors/id_wrong/pack/manifest.json"),
        pack.join("manifest.json"),
    )
    .unwrap();
    fs::write(vector.join("expect"), "# Nothing is wrong.\nOK\n").unwrap();
    let run = second(&place, &["--vectors", place.path().join("vectors").to_str().unwrap()]);
    assert_eq!(run.code, 1);
    assert!(
        run.out().starts_with("changed\n  expected  OK\n  found     INVALID | "),
        "{}",
        run.out()
    );
    assert!(run.out().ends_with("0 of 1 vectors agree\n"), "{}", run.out());
}

#[test]
fn its_exit_status_is_that_of_git_pack() {
    let place = Place::new();
    for (vector, status) in [("ok_every_part", 0), ("members_changed", 1), ("manifest_missing", 2)] {
        let pack = in_project("fixtures/vectors").join(vector).join("pack");
        let run = second(&place, &[pack.to_str().unwrap()]);
        assert_eq!(run.code, status, "{vector}: {}", run.out());
    }
}
