//! The test vectors of `fixtures/vectors`: packs with one fault each, and exactly the findings expected.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::Place;
#[cfg(unix)]
use gitpack::format::path_bytes::fits_windows;
use serde_json::Value;

/// A smaller number of vectors means that some were lost or not found.
const AT_LEAST: usize = 750;

/// How many vectors are answered at a time.
const WORKERS: usize = 4;

/// The pack of a vector that is an archive.
const ARCHIVE: &str = "pack.tar.zst";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The names of the vectors, sorted.
fn names() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(fixtures().join("vectors"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Reads an `expect` file: the outcome, then the findings.
fn expectation(text: &str) -> Result<Vec<String>, String> {
    let lines: Vec<String> = text
        .lines()
        .skip_while(|line| line.starts_with("# "))
        .map(str::to_owned)
        .collect();
    let outcome = lines.first().map_or("", String::as_str);
    let told = lines.iter().skip(1);
    let notices = told.clone().filter(|line| line.starts_with("NOTICE ")).count();
    let findings = told.clone().filter(|line| line.contains(' ')).count() - notices;
    let whole = notices + findings + 1 == lines.len();
    let sound = match outcome {
        "OK" => whole && findings == 0,
        "INVALID" => whole && findings > 0,
        _ => outcome.starts_with("REFUSAL E_") && lines.len() == 1,
    };
    match sound && text.ends_with('\n') {
        true => Ok(lines),
        false => Err(format!("this is no expectation: {text:?}")),
    }
}

/// Puts a report into the words of an `expect` file. Repeated findings count once.
fn answer(report: &Value) -> Vec<String> {
    let outcome = report["outcome"].as_str().unwrap();
    let mut lines = vec![match report["refusal"]["code"].as_str() {
        Some(code) => format!("{outcome} {code}"),
        None => outcome.to_owned(),
    }];
    for finding in report["invalid"].as_array().unwrap() {
        lines.push(format!("{} {}", finding["code"].as_str().unwrap(), path_of(finding)));
    }
    for notice in report["notices"].as_array().into_iter().flatten() {
        lines.push(format!(
            "NOTICE {} {}",
            notice["code"].as_str().unwrap(),
            path_of(notice)
        ));
    }
    lines.dedup();
    lines
}

/// Returns the path of a finding as the report quotes it.
fn path_of(finding: &Value) -> String {
    let Some(path) = finding.get("path") else {
        return "-".into();
    };
    let quoted = path.to_string();
    match &quoted[1..quoted.len() - 1] {
        "" => quoted,
        inner => inner.to_owned(),
    }
}

/// Returns the call that answers a vector.
fn call(vector: &Path) -> Vec<String> {
    let part = |name: &str| vector.join(name).to_str().unwrap().to_owned();
    let is_there = |name: &str| vector.join(name).exists();
    // A record of each call would hash the program each time.
    let mut call = vec!["--no-witness".to_owned()];
    match (is_there("store"), is_there(ARCHIVE)) {
        (true, _) => call.extend(["agent".into(), "verify".into(), part("store")]),
        (false, true) => call.extend(["verify".into(), part(ARCHIVE)]),
        (false, false) => call.extend(["verify".into(), part("pack")]),
    }
    if is_there("earlier") {
        call.extend(["--against".into(), part("earlier")]);
    }
    call
}

/// Returns how the answer of `git pack verify` differs from the expectation of a vector.
fn difference(place: &Place, name: &str) -> Result<(), String> {
    let vector = fixtures().join("vectors").join(name);
    let text = fs::read_to_string(vector.join("expect")).map_err(|e| format!("{name}/expect: {e}"))?;
    let expected = expectation(&text).map_err(|why| format!("{name}/expect: {why}"))?;
    let status = match expected[0].as_str() {
        "OK" => 0,
        "INVALID" => 1,
        _ => 2,
    };
    let call = call(&vector);
    let call: Vec<&str> = call.iter().map(String::as_str).collect();
    let machine = place.pack_in(place.path(), &[&call[..], &["--json"]].concat());
    let human = place.pack_in(place.path(), &call);
    let found = serde_json::from_slice(&machine.stdout)
        .map(|report| answer(&report))
        .map_err(|e| format!("{name}: no report: {e}\n{}", machine.stderr))?;
    if found != expected {
        let (expected, found) = (expected.join("\n    "), found.join("\n    "));
        return Err(format!("{name}:\n  expected\n    {expected}\n  found\n    {found}"));
    }
    if (machine.code, human.code) != (status, status) {
        return Err(format!(
            "{name}: expected exit status {status}, found {} with --json and {} without",
            machine.code, human.code
        ));
    }
    Ok(())
}

#[test]
fn every_vector_is_answered_as_expected() {
    let place = &Place::new();
    let names = names();
    assert!(names.len() >= AT_LEAST, "only {} vectors", names.len());
    let differing: Vec<String> = std::thread::scope(|scope| {
        let parts = names.chunks(names.len().div_ceil(WORKERS));
        let judge = |part: &[String]| -> Vec<String> {
            let faults = part.iter().filter_map(|name| difference(place, name).err());
            faults.collect()
        };
        let workers: Vec<_> = parts.map(|part| scope.spawn(move || judge(part))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(
        differing.is_empty(),
        "{} of {} vectors:\n{}",
        differing.len(),
        names.len(),
        differing.join("\n")
    );
}

#[test]
#[cfg(unix)]
fn hosted_ci_leaves_out_what_windows_does_not_take() {
    let fits = |place: &str| {
        samples(&fixtures().join(place), "")
            .iter()
            .all(|path| fits_windows(path))
    };
    let strange: Vec<String> = names()
        .into_iter()
        .map(|name| format!("vectors/{name}"))
        .filter(|place| !fits(place))
        .collect();
    assert!(!strange.is_empty());
    let workflow = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows/ci.yml");
    let workflow = fs::read_to_string(workflow).unwrap();
    let left_out: Vec<&str> = workflow
        .lines()
        .filter_map(|line| line.trim().strip_prefix("!/fixtures/")?.strip_suffix('/'))
        .collect();
    assert_eq!(left_out, strange);
    assert!(["artifacts", "content", "oci", "sarif"].into_iter().all(fits));
}

/// Two vectors had names that differ by case alone. macOS and Windows check out one of such names, and the pack then lacks a member.
#[test]
fn no_two_names_are_one_where_case_does_not_count() {
    let mut spellings: BTreeMap<String, String> = BTreeMap::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for place in ["docs", "examples", "fixtures", "src", "tests"] {
        for path in samples(&root.join(place), &format!("{place}/")) {
            for (end, _) in path.match_indices('/').chain([(path.len(), "")]) {
                let spelled = &path[..end];
                let folded = spelled.to_uppercase().to_lowercase();
                let first = spellings.entry(folded).or_insert_with(|| spelled.to_owned());
                assert_eq!(first, spelled);
            }
        }
    }
    assert!(spellings.len() > AT_LEAST);
}

#[test]
#[cfg(unix)]
fn the_tables_have_one_row_for_every_vector_and_sample() {
    let readme = fs::read_to_string(fixtures().join("README.md")).unwrap();
    let mut rows: Vec<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    rows.sort_unstable();
    let mut names = names();
    names.extend(samples(&fixtures().join("content"), ""));
    let missing: Vec<_> = names.iter().filter(|name| !rows.contains(&name.as_str())).collect();
    let stale: Vec<_> = rows
        .iter()
        .filter(|row| !names.iter().any(|name| name == *row))
        .collect();
    let twice: Vec<_> = rows
        .windows(2)
        .filter(|pair| pair[0] == pair[1])
        .map(|pair| pair[0])
        .collect();
    assert!(
        missing.is_empty() && stale.is_empty() && twice.is_empty(),
        "in fixtures/README.md are missing {missing:?}, stale {stale:?}, twice {twice:?}"
    );
}

/// Lists the content samples by their paths.
fn samples(directory: &Path, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().into_string().unwrap());
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(samples(&entry.path(), &format!("{name}/"))),
            false => found.push(name),
        }
    }
    found
}

#[test]
fn what_is_no_expectation_is_refused() {
    for text in [
        "",
        "# x\n",
        "OK",
        "OK\nx y\n",
        "INVALID\n",
        "INVALID\nx\n",
        "REFUSAL\n",
        "YES\n",
        "REFUSAL E_IO\nx y\n",
    ] {
        assert!(expectation(text).is_err(), "{text:?}");
    }
    let text = "# x\n# y\nINVALID\nHASH_MISMATCH a b\n";
    assert_eq!(expectation(text).unwrap(), ["INVALID", "HASH_MISMATCH a b"]);
}
