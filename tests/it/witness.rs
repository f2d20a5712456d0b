//! The witness ledger, and the commands that only look: diff, inspect and list.

use std::fs;
use std::path::PathBuf;

use crate::common;
use crate::common::{Place, Repo};

fn ledger(place: &Place) -> PathBuf {
    place.home().join(".epistemic/witness.jsonl")
}

#[test]
fn what_was_done_is_recorded_unless_it_was_asked_not_to() {
    let repo = Repo::set_up();
    let printed = repo.pack(&["seal", "--note", "n"]).ok().stdout;
    let text = String::from_utf8(printed.clone()).unwrap();
    let id = text
        .lines()
        .next()
        .unwrap()
        .strip_prefix("PACK_CREATED ")
        .unwrap()
        .to_owned();
    let pack = repo.root.join(text.lines().nth(1).unwrap());
    repo.pack(&["verify", pack.to_str().unwrap()]).ok();
    repo.pack(&["verify", "absent"]);
    repo.pack(&["--no-witness", "verify", "absent"]);
    repo.pack(&["verify", "absent", "--no-witness"]);
    repo.pack(&["state"]).ok();
    let out = repo.pack(&["witness", "query"]).ok().out();
    let rows: Vec<Vec<&str>> = out.lines().map(|line| line.split(' ').skip(1).collect()).collect();
    assert_eq!(
        rows,
        [
            vec!["seal", "PACK_CREATED", &id],
            vec!["verify", "OK", &id],
            vec!["verify", "REFUSAL", "-"]
        ]
    );
    assert_eq!(repo.pack(&["witness", "count"]).ok().out(), "3 witness record(s)\n");
    assert_eq!(
        repo.pack(&["witness", "count", "--outcome", "REFUSAL"]).ok().out(),
        "1 witness record(s)\n"
    );
    assert_eq!(
        repo.pack(&["witness", "count", "--tool", "rvl", "--json"]).ok().out(),
        "{\"count\":0}\n"
    );
    assert_eq!(
        repo.pack(&["witness", "query", "--since", "2999-01-01T00:00:00Z"]).code,
        1
    );
    repo.pack(&["witness", "query", "--since", "soon", "--json"])
        .refused("E_USAGE");
    let last: serde_json::Value =
        serde_json::from_slice(&repo.pack(&["witness", "last", "--json"]).ok().stdout).unwrap();
    assert_eq!((&last["command"], &last["exit_code"]), (&"verify".into(), &2.into()));
    let first = fs::read_to_string(ledger(&repo.place)).unwrap();
    let first: serde_json::Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    assert_eq!(first["params"]["note"], "n");
    assert_eq!(first["output_hash"], gitpack::format::witness::Blake3::of(&printed));
    let binary = fs::read(common::GIT_PACK).unwrap();
    assert_eq!(first["binary_hash"], gitpack::format::witness::Blake3::of(&binary));
    let manifest = fs::read(pack.join("manifest.json")).unwrap();
    let input = gitpack::format::digest::Digest::of(&manifest).to_string();
    assert_eq!(
        repo.pack(&["witness", "count", "--input-hash", &input]).ok().out(),
        "1 witness record(s)\n"
    );
    assert!(repo.pack(&["witness", "verify"]).ok().out().contains("OK, 3 record(s)"));
}

#[test]
fn a_changed_ledger_is_named_at_its_first_break() {
    let repo = Repo::set_up();
    for _ in 0..3 {
        repo.pack(&["verify", "absent"]);
    }
    let path = ledger(&repo.place);
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let cases = [
        (
            whole.replacen("\"exit_code\":2", "\"exit_code\":0", 1),
            "line 1: its id",
        ),
        (format!("{}\n{}\n", lines[0], lines[2]), "line 2: it does not follow"),
        (
            format!("{}\n{}\n{}\n", lines[1], lines[0], lines[2]),
            "line 1: it does not follow",
        ),
        (
            format!("{}\ninserted\n{}\n", lines[0], lines[1]),
            "line 3: it does not follow",
        ),
    ];
    for (text, expected) in cases {
        fs::write(&path, text).unwrap();
        let done = repo.pack(&["witness", "verify"]);
        assert_eq!(done.code, 1);
        assert!(done.out().contains(expected), "{expected}: {}", done.out());
    }
    // Lines of other tools are ignored; malformed lines are skipped with one warning.
    fs::write(
        &path,
        format!("{{\"tool\":\"rvl\"}}\nnot json\n{}\n", "x".repeat(10_000)),
    )
    .unwrap();
    let others = fs::read(&path).unwrap();
    repo.pack(&["verify", "absent"]);
    repo.pack(&["verify", "absent"]);
    assert_eq!(&fs::read(&path).unwrap()[..others.len()], others);
    repo.pack(&["witness", "verify"]).ok();
    let done = repo.pack(&["witness", "count"]).ok();
    assert_eq!(
        (done.out().as_str(), done.stderr.lines().count()),
        ("2 witness record(s)\n", 1)
    );
}

#[test]
fn a_ledger_that_cannot_be_written_changes_no_answer() {
    let repo = Repo::set_up();
    let (_, pack) = repo.seal(&[]);
    let output = repo
        .place
        .command(common::GIT_PACK, &repo.root)
        .args(["verify", pack.to_str().unwrap()])
        .env("EPISTEMIC_WITNESS", "/dev/null/ledger")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("witness append warning: "));
}

#[test]
fn forty_at_once_append_forty_whole_lines() {
    let place = Place::new();
    let path = ledger(&place);
    common::write(&path, "{\"tool\":\"other\",\"n\":1}\nno json at all\n");
    let others = fs::read(&path).unwrap();
    let children: Vec<_> = (0..40)
        .map(|_| {
            let mut command = place.command(common::GIT_PACK, place.path());
            command
                .args(["verify", "absent"])
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null());
            command.spawn().unwrap()
        })
        .collect();
    for mut child in children {
        child.wait().unwrap();
    }
    let bytes = fs::read(&path).unwrap();
    assert_eq!(&bytes[..others.len()], others);
    assert_eq!(bytes.iter().filter(|b| **b == b'\n').count(), 42);
    assert!(
        place
            .pack_in(place.path(), &["witness", "verify"])
            .ok()
            .out()
            .contains("OK, 40 record(s)")
    );
}

#[test]
fn packs_are_compared_by_their_manifests() {
    let place = Place::new();
    let root = place.path();
    common::write(
        &root.join("1/rvl.json"),
        "{\"version\":\"rvl.v0\",\"outcome\":\"NO_REAL_CHANGE\"}",
    );
    common::write(&root.join("1/same"), "x");
    common::write(&root.join("1/gone"), "x");
    common::write(
        &root.join("2/rvl.json"),
        "{\"version\":\"rvl.v0\",\"outcome\":\"REAL_CHANGE\"}",
    );
    common::write(&root.join("2/same"), "x");
    common::write(&root.join("2/new"), "x");
    for n in ["1", "2"] {
        place
            .pack_in(
                &root.join(n),
                &[
                    "seal",
                    "--output",
                    "../p",
                    "rvl.json",
                    "same",
                    if n == "1" { "gone" } else { "new" },
                ],
            )
            .ok();
        fs::rename(root.join("p"), root.join(format!("p{n}"))).unwrap();
    }
    let done = place.pack_in(root, &["diff", "p1", "p2"]);
    assert_eq!(done.code, 1);
    let out = done.out();
    assert!(out.starts_with("pack diff: CHANGES\n"), "{out}");
    for line in [
        "added     new",
        "removed   gone",
        "changed   rvl.json   rvl: NO_REAL_CHANGE -> REAL_CHANGE",
    ] {
        assert!(out.contains(line), "{out}");
    }
    // `diff` reads only the manifests, so a member may be missing.
    fs::remove_file(root.join("p2/rvl.json")).unwrap();
    assert_eq!(place.pack_in(root, &["diff", "p1", "p2", "--json"]).code, 1);
    assert!(
        place
            .pack_in(root, &["diff", "p1", "p1"])
            .ok()
            .out()
            .starts_with("pack diff: NO_CHANGES\n")
    );
    place
        .pack_in(root, &["diff", "p1", "1", "--json"])
        .refused("E_BAD_PACK");
}

#[test]
fn a_pack_is_shown_with_sizes_and_seals() {
    let repo = Repo::set_up();
    repo.write("s.vec", "secret");
    let (id, pack) = repo.seal(&["--attach", "s.vec", "--note", "a\u{1b}[31mnote"]);
    let out = repo.pack(&["inspect", pack.to_str().unwrap()]).ok().out();
    assert!(
        out.contains(&id)
            && out
                .lines()
                .any(|l| l.contains("sealed/s.vec.age") && l.contains(" sealed "))
            && out.contains("repo/README.md"),
        "{out}"
    );
    assert!(!out.contains('\u{1b}'));
    fs::remove_file(pack.join("repo/README.md")).unwrap();
    assert!(
        repo.pack(&["inspect", pack.to_str().unwrap()])
            .ok()
            .out()
            .contains("missing")
    );
}

#[test]
fn packs_of_a_directory_are_listed() {
    let repo = Repo::set_up();
    let output = |args: &[&str]| repo.pack(args).ok().out();
    assert_eq!(output(&["list"]), "", "a repository without packs");
    let sealed = output(&["seal"]);
    let pack_id = sealed.split_whitespace().nth(1).unwrap();
    output(&[
        "seal",
        "--created",
        "2031-01-01T00:00:00Z",
        "-o",
        "_PACK_RUN/z\u{1b}[31m",
    ]);
    fs::create_dir_all(repo.path("_PACK_RUN/open")).unwrap();
    std::os::unix::fs::symlink("/", repo.path("_PACK_RUN/link")).unwrap();
    let out = output(&["list"]);
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 2, "{out}");
    assert!(
        lines[0].contains("2031-01-01T00:00:00Z") && !out.contains('\u{1b}'),
        "{out}"
    );
    assert!(
        lines[1].contains(&repo.rev("HEAD")[..12]) && lines[1].contains(&pack_id[..19]),
        "{out}"
    );
    assert_eq!(output(&["list", "_PACK_RUN"]), out);
    // What stands first can be given to the other commands.
    let name = lines[1].split_whitespace().next().unwrap();
    assert!(name.starts_with("_PACK_RUN/"), "{out}");
    output(&["verify", name]);
    assert_eq!(output(&["list", name]).split_whitespace().next(), Some(name));
    fs::create_dir(repo.path("sub")).unwrap();
    let below = repo.place.pack_in(&repo.path("sub"), &["list"]).ok().out();
    let name = below.lines().nth(1).unwrap().split_whitespace().next().unwrap();
    repo.place.pack_in(&repo.path("sub"), &["verify", name]).ok();

    // A pack that cannot be read does not hide the others, and does not pass for one that was listed.
    let broken = repo.path("_PACK_RUN/broken");
    fs::create_dir(&broken).unwrap();
    fs::write(broken.join("manifest.json"), "{").unwrap();
    let refused = repo.pack(&["list"]);
    assert_eq!(refused.out(), out);
    assert!(
        refused.code == 2 && refused.stderr.contains("_PACK_RUN/broken"),
        "{}",
        refused.stderr
    );
    let absent = repo.pack(&["list", "no/such"]);
    assert!(
        absent.code == 2 && absent.stderr.contains("no/such"),
        "{}",
        absent.stderr
    );
}

/// These ids are promises: equal input, time and release give them on every machine. A new release has new ids.
#[test]
fn golden_ids() {
    let place = Place::new();
    let root = place.path();
    common::write(
        &root.join("nov.lock.json"),
        "{\"version\":\"lock.v0\",\"rows\":[1,2]}\n",
    );
    common::write(
        &root.join("reports/rvl.json"),
        "{\"version\":\"rvl.v0\",\"outcome\":\"REAL_CHANGE\"}\n",
    );
    common::write(&root.join("reports/ü.txt"), "naïve\n");
    let output = place
        .command(common::GIT_PACK, root)
        .args(["seal", "reports", "nov.lock.json", "--note", "Nov→Dec"])
        .env("SOURCE_DATE_EPOCH", "1768473000")
        .output()
        .unwrap();
    let evidence = String::from_utf8_lossy(&output.stdout)
        .lines()
        .next()
        .unwrap()
        .to_owned();

    let repo = Repo::empty();
    repo.write("README.md", "golden\n");
    repo.write("src/a b.rs", "fn main() {}\n");
    std::os::unix::fs::symlink("README.md", repo.path("link")).unwrap();
    repo.commit("golden");
    assert_eq!(
        repo.rev("HEAD"),
        "dbcd17621924d137a5d6f2e667a160a9a5aa1713",
        "the fixture itself changed"
    );
    let tree = repo.seal(&[]).0;
    assert_eq!(
        (evidence.as_str(), tree.as_str()),
        (
            "PACK_CREATED sha256:d8e6af656d94c384aa375b979dc2a731ad86c217c51780864c8208884469c283",
            "sha256:66f94b731ed1ed739d26552ed9b4fe1ccc97e086a6cad992ae8071fa24c4bf77"
        )
    );
}

#[test]
fn a_ledger_that_is_no_file_is_refused_and_not_waited_for() {
    let place = Place::new();
    place.run(place.path(), "mkfifo", &["fifo"]).ok();
    for path in ["fifo", "/dev/zero", "home"] {
        for command in ["query", "last", "count", "verify"] {
            let mut run = place.command(common::GIT_PACK, place.path());
            let output = run
                .args(["witness", command])
                .env("EPISTEMIC_WITNESS", path)
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(2), "{command} {path}");
        }
    }
}

#[test]
fn passwords_do_not_reach_the_ledger() {
    let place = Place::new();
    place.pack_in(place.path(), &["verify", "https://u:SECRET@h.invalid/x"]);
    place.pack_in(place.path(), &["seal", "https://u:SECRET@h.invalid/x"]);
    let text = fs::read_to_string(ledger(&place)).unwrap();
    assert!(text.contains("h.invalid/x") && !text.contains("SECRET"), "{text}");
}

#[test]
fn a_damaged_last_line_is_mentioned() {
    let repo = Repo::set_up();
    repo.pack(&["verify", "absent"]);
    repo.pack(&["verify", "absent"]);
    let path = ledger(&repo.place);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.trim_end().trim_end_matches('}')).unwrap();
    let done = repo.pack(&["witness", "verify"]).ok();
    assert!(done.stderr.contains("1 malformed line"), "{}", done.stderr);
}
