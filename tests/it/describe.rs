//! The self-description of git-pack, compared with its behaviour: operator manifest, schemas, refusals.

use std::collections::BTreeSet;
use std::fs;

use crate::common::{Place, Repo, snapshot};
use gitpack::refusal::code::Code;
use gitpack::rules::scan::LeakCode;
use serde_json::{Value, json};

fn document(args: &[&str]) -> Value {
    let place = Place::new();
    serde_json::from_slice(&place.pack_in(place.path(), args).ok().stdout).unwrap()
}

fn words(value: &Value) -> BTreeSet<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .map(|v| v.as_str().unwrap().to_owned())
        .collect()
}

fn flags(command: &clap::Command) -> BTreeSet<String> {
    let own = command
        .get_arguments()
        .filter(|a| !a.is_positional() && !a.is_global_set() && a.get_id() != "help");
    own.map(|a| match a.get_long() {
        Some(long) => format!("--{long}"),
        None => format!("-{}", a.get_short().unwrap()),
    })
    .collect()
}

#[test]
fn help_is_the_help_of_a_command() {
    let place = Place::new();
    let run = |args: &[&str]| place.pack_in(place.path(), args);
    for (help, flag) in [
        (&["help"][..], &["--help"][..]),
        (&["help", "scan"], &["scan", "--help"]),
        (&["help", "recipients", "add"], &["recipients", "add", "--help"]),
    ] {
        let (help, flag) = (run(help).ok(), run(flag).ok());
        assert_eq!(help.out(), flag.out());
        assert!(help.out().contains("Usage: git pack"), "{}", help.out());
    }
    for (words, told) in [
        (&["nonsense"][..], "nonsense"),
        (&["vrify"], "did you mean verify?"),
        (&["agent", "apend"], "did you mean append?"),
        (&["seal", "more"], "\"seal more\""),
        (&["ruels"], "did you mean rules?"),
    ] {
        let unknown = run(&[&["help"], words].concat());
        assert_eq!((unknown.code, unknown.out().as_str()), (2, ""));
        assert!(unknown.stderr.contains(told), "{}", unknown.stderr);
    }
    // It says nothing that a program needs.
    assert!(!run(&["--describe"]).ok().out().contains("\"help\""));
}

#[test]
fn the_operator_manifest_is_the_command_tree() {
    let operator = document(&["--describe"]);
    assert_eq!(
        (&operator["name"], &operator["schema_version"]),
        (&json!("pack"), &json!("operator.v0"))
    );
    let tree = gitpack::cli::command_tree();
    let visible = |command: &clap::Command| -> BTreeSet<String> {
        command
            .get_subcommands()
            .filter(|c| !c.is_hide_set())
            .map(|c| c.get_name().to_owned())
            .collect()
    };
    let listed: Vec<&Value> = operator["subcommands"].as_array().unwrap().iter().collect();
    let names: BTreeSet<String> = listed.iter().map(|c| c["name"].as_str().unwrap().to_owned()).collect();
    let mut named = visible(&tree);
    // Only people need it.
    named.remove("help");
    assert_eq!(names, named);
    for entry in listed {
        let command = tree.find_subcommand(entry["name"].as_str().unwrap()).unwrap();
        assert_eq!(words(&entry["flags"]), flags(command), "{}", entry["name"]);
        let below = entry["subcommands"].as_array().into_iter().flatten();
        let mut names = BTreeSet::new();
        for entry in below {
            let name = entry["name"].as_str().unwrap();
            names.insert(name.to_owned());
            let below = command.find_subcommand(name).unwrap();
            assert_eq!(words(&entry["flags"]), flags(below), "{name}");
        }
        assert_eq!(names, visible(command), "{}", entry["name"]);
    }
    let codes: BTreeSet<String> = Code::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    assert_eq!(words(&operator["refusals"]), codes);
}

#[test]
fn every_refusal_is_documented_and_nothing_else() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/refusals.md")).unwrap();
    let documented: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|code| code.starts_with("E_"))
        .collect();
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(documented, codes);
}

#[test]
fn every_finding_of_the_guard_is_documented_and_nothing_else() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guard.md")).unwrap();
    let section = text.split("\n## Findings\n").nth(1).unwrap();
    let table = section.trim_start().lines().take_while(|line| line.starts_with('|'));
    let documented: BTreeSet<&str> = table
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    // What is said about packs and about the rules themselves is not about one file, so it is not a leak.
    let others = ["PACK_INVALID", "POLICY_WEAKENED"];
    let codes: BTreeSet<&str> = LeakCode::ALL.iter().map(|code| code.as_str()).chain(others).collect();
    assert_eq!(documented, codes);
}

#[test]
fn describing_comes_before_anything_that_could_be_wrong() {
    let place = Place::new();
    for args in [
        &["--describe"][..],
        &["seal", "absent", "--describe"],
        &["nonsense", "--schema"],
        &["verify", "--schema", "--bogus"],
    ] {
        let done = place.pack_in(place.path(), args).ok();
        assert!(serde_json::from_slice::<Value>(&done.stdout).is_ok(), "{args:?}");
    }
    assert_eq!(
        place.pack_in(place.path(), &["--version"]).ok().out(),
        format!("pack {}\n", env!("CARGO_PKG_VERSION"))
    );
}

/// Asserts that `bytes` are one document of the schema `name`.
fn assert_valid(name: &str, bytes: &[u8]) {
    let schema = document(&["--schema"]);
    let schema = json!({"$schema": schema["$schema"], "$ref": format!("#/$defs/{name}"), "$defs": schema["$defs"]});
    let validator = jsonschema::validator_for(&schema).unwrap();
    let value: Value = serde_json::from_slice(bytes).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&value)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:?}\n{value}");
}

#[test]
fn what_is_printed_and_written_follows_the_schemas() {
    let repo = Repo::set_up();
    repo.write("s.vec", "secret");
    let (_, pack) = repo.seal(&["--attach", "s.vec", "--note", "n"]);
    let (_, plain) = repo.seal(&["README.md", "-o", "../plain"]);
    let (pack_text, plain_text) = (pack.to_str().unwrap(), plain.to_str().unwrap());
    assert_valid("pack.v0", &fs::read(pack.join("manifest.json")).unwrap());
    assert_valid("pack.sealed.v0", &fs::read(pack.join("SEALED_ARTIFACTS.json")).unwrap());
    let print = |args: &[&str]| repo.pack(args).stdout;
    for args in [&["state", "--json"][..], &["state", "--json", "--mode", "public"]] {
        assert_valid("pack.state.v0", &print(args));
    }
    assert_valid("pack.verify.v0", &print(&["verify", "--json", pack_text]));
    assert_valid(
        "pack.verify.v0",
        &print(&["verify", "--json", pack_text, "--rev", "HEAD"]),
    );
    assert_valid("pack.verify.v0", &print(&["verify", "--json", "absent"]));
    assert_valid("pack.diff.v0", &print(&["diff", "--json", pack_text, plain_text]));
    assert_valid("pack.diff.v0", &print(&["diff", "--json", pack_text, pack_text]));
    repo.write("../unreadable/manifest.json", "{");
    assert_valid("pack.list.v0", &print(&["list", "--json", ".."]));
    for args in [&["status", "--json"][..], &["status", "--json", "--doctor"]] {
        assert_valid("pack.repository.v0", &print(args));
    }
    let vector = |name: &str| format!("{}/fixtures/vectors/{name}/store", env!("CARGO_MANIFEST_DIR"));
    for name in ["agent_ok", "agent_name", "agent_against_differs"] {
        assert_valid(
            "pack.agent.verify.v0",
            &print(&["agent", "verify", "--json", &vector(name)]),
        );
    }
    repo.write("cycles", [7; 72]);
    for input in ["cycles", "/dev/null"] {
        let args = ["agent", "append", "00", input, "--pack-size", "152", "--json"];
        assert_valid("pack.agent.append.v0", &print(&args));
    }
    repo.write("agents/00/0000/g3_information/format.json", "{}");
    assert_valid("pack.agent.info.v0", &print(&["agent", "info", "--json"]));
    for path in [pack_text, plain_text] {
        assert_valid("pack.inspect.v0", &print(&["inspect", "--json", path]));
    }
    let key = ["genpkey", "-algorithm", "ed25519", "-out", "../key.pem"];
    repo.place.run(&repo.root, "openssl", &key).ok();
    repo.place.run(&repo.root, "chmod", &["600", "../key.pem"]).ok();
    repo.pack(&["attest", plain_text, "--key", "../key.pem"]).ok();
    let beside = plain.with_file_name("plain.attestations");
    let attestation = fs::read_dir(&beside).unwrap().next().unwrap().unwrap().path();
    let broken = attestation.to_str().unwrap().replace(".1.intoto", ".2.intoto");
    fs::write(broken, "{}").unwrap();
    assert_valid("pack.inspect.v0", &print(&["inspect", "--json", plain_text]));
    assert_valid("pack.verify.v0", &print(&["verify", "--json", plain_text]));
    let (_, lite) = repo.seal(&["-o", "../lite", "--emit", "lite", "--attach", "s.vec"]);
    let read = |member: &str| fs::read(lite.join(member)).unwrap();
    assert_valid("P2.0", &read("LITE/PACK_MANIFEST.json"));
    assert_valid("pack.run_refs.v0", &read("LITE/RUN_REFS.json"));
    let refs: Value = serde_json::from_slice(&read("LITE/RUN_REFS.json")).unwrap();
    for (name, schema) in [
        ("task_spec_ref", "pack.task_spec.v0"),
        ("output_hashes_ref", "pack.output_hashes.v0"),
        ("status_ref", "pack.status.v0"),
    ] {
        let hash = refs[name].as_str().unwrap().strip_prefix("sha256:").unwrap();
        let stored = format!(".git/gitpack/cas/{}/{}", &hash[..2], &hash[2..]);
        assert_valid(schema, &fs::read(repo.path(&stored)).unwrap());
    }
    for args in [
        &["audit", "--json"][..],
        &["audit", "--json", "--run", "last", "--deep"],
    ] {
        assert_valid("pack.audit.v0", &print(args));
    }
    let roots = ".git/gitpack/runs";
    for run in fs::read_dir(repo.path(roots))
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        drop(fs::remove_file(run.join("RUN_ROOTS.json")));
    }
    assert_valid("pack.audit.v0", &print(&["audit", "--json"]));
    for args in [
        &["seal", "absent"][..],
        &["seal", "--bogus"],
        &["diff", "--json", "absent", "absent"],
        &["recipients", "add", "x"],
    ] {
        assert_valid("refusal", &print(args));
    }
    fs::write(pack.join("repo/README.md"), "changed").unwrap();
    fs::write(pack.join("extra"), "").unwrap();
    assert_valid("pack.verify.v0", &print(&["verify", "--json", pack_text]));
    let ledger = fs::read_to_string(repo.place.home().join(".epistemic/witness.jsonl")).unwrap();
    assert!(ledger.lines().count() > 8);
    for line in ledger.lines() {
        assert_valid("witness.v0", line.as_bytes());
    }
}

/// What each command prints with `--json`, and the schema of that.
const REPORTS: [(&str, &str); 15] = [
    ("agent append", "pack.agent.append.v0"),
    ("agent info", "pack.agent.info.v0"),
    ("agent verify", "pack.agent.verify.v0"),
    ("audit", "pack.audit.v0"),
    ("diff", "pack.diff.v0"),
    ("inspect", "pack.inspect.v0"),
    ("list", "pack.list.v0"),
    ("scan", "pack.scan.v0"),
    ("state", "pack.state.v0"),
    ("status", "pack.repository.v0"),
    ("verify", "pack.verify.v0"),
    ("witness count", "witness.count"),
    ("witness last", "witness.last"),
    ("witness query", "witness.query"),
    ("witness verify", "witness.verify"),
];

/// The schemas of what is written: documents of packs and of runs, lines of the ledger, and refusals.
const WRITTEN: [&str; 14] = [
    "FILE_INDEX",
    "P2.0",
    "REPO_STATE",
    "pack.info.v0",
    "pack.output_hashes.v0",
    "pack.protected.v0",
    "pack.provenance.v0",
    "pack.run_refs.v0",
    "pack.sealed.v0",
    "pack.status.v0",
    "pack.task_spec.v0",
    "pack.v0",
    "refusal",
    "witness.v0",
];

fn has_json(command: &Value) -> bool {
    words(&command["flags"]).contains("--json")
}

#[test]
fn each_report_and_each_document_of_a_pack_has_its_schema_and_no_schema_is_left_over() {
    // A command that learns --json must be in the table.
    let mut printing = BTreeSet::new();
    for command in document(&["--describe"])["subcommands"].as_array().unwrap() {
        let name = command["name"].as_str().unwrap();
        if has_json(command) {
            printing.insert(name.to_owned());
        }
        let below = command["subcommands"].as_array().into_iter().flatten();
        let below = below.filter(|below| has_json(below));
        printing.extend(below.map(|below| format!("{name} {}", below["name"].as_str().unwrap())));
    }
    assert_eq!(printing, BTreeSet::from(REPORTS.map(|(command, _)| command.to_owned())));
    let schema = document(&["--schema"]);
    let defined: BTreeSet<&str> = schema["$defs"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let used = REPORTS.iter().map(|(_, name)| *name).chain(WRITTEN);
    assert_eq!(defined, used.collect());

    let repo = Repo::set_up();
    repo.write("s.vec", "secret");
    repo.write("run.sh", "true\n");
    fs::set_permissions(repo.path("run.sh"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    repo.commit_only("run.sh");
    repo.write(
        ".gitpack.toml",
        fs::read_to_string(repo.path(".gitpack.toml")).unwrap().replace(
            "[seal]",
            "[[protect]]\nclass = \"d\"\npaths = [\"*.d\"]\nformats = [\"arrow\"]\npolicy = \"internal\"\nallow_in = [\"x/**\"]\n\
             [[allow]]\nblob = \"3b18e512dba79e4c8300dd08aeb37f8e728b8dad\"\nreason = \"r\"\n[seal]",
        ),
    );
    repo.commit_only(".gitpack.toml");
    for more in [
        &[
            "--emit",
            "repo,full,split,lite",
            "--max-tokens",
            "2000",
            "--exclude",
            "none",
        ][..],
        &["--attach", "s.vec"],
    ] {
        let (_, pack) = repo.seal(&[&["-o", "../pack", "--replace"], more].concat());
        for (path, _, bytes) in snapshot(&pack) {
            let name = path.to_str().unwrap();
            let is_document = name.ends_with(".json") && !name.starts_with("repo/");
            let Some(value) = is_document.then(|| serde_json::from_slice::<Value>(&bytes).unwrap()) else {
                continue;
            };
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let kind = value["version"].as_str().or(value["schema_version"].as_str());
            let kind = kind.filter(|kind| defined.contains(kind)).unwrap_or(&stem);
            assert!(defined.contains(kind), "{name} has no schema");
            assert_valid(kind, &bytes);
        }
    }
    let query = ["witness", "query", "--json"];
    for args in [
        &query[..],
        &[&query[..], &["--outcome", "NONE"]].concat(),
        &["witness", "last", "--json"],
        &["witness", "count", "--json"],
        &["witness", "verify", "--json"],
    ] {
        let schema = format!("witness.{}", args[1]);
        assert_valid(&schema, &repo.pack(args).shown().stdout);
    }
    let ledger = repo.place.home().join(".epistemic/witness.jsonl");
    let text = fs::read_to_string(&ledger).unwrap();
    fs::write(&ledger, text.replacen("PACK_CREATED", "PACK_FORGED", 1)).unwrap();
    let broken = repo.pack(&["witness", "verify", "--json"]);
    assert_eq!(broken.code, 1);
    assert_valid("witness.verify", &broken.stdout);
    let fresh = Place::new();
    assert_valid(
        "witness.last",
        &fresh.pack_in(fresh.path(), &["witness", "last", "--json"]).stdout,
    );
}

#[test]
fn a_wrong_document_does_not_pass_for_a_right_one() {
    let wrong = std::panic::catch_unwind(|| assert_valid("pack.v0", b"{\"version\":\"pack.v0\"}"));
    assert!(wrong.is_err());
}
