//! Tests of the registry's verdicts on paths, contents and blobs.

use super::*;
use crate::format::canonical_json::parse_strict_into;
use crate::format::protected::Origin;

fn config(text: &str) -> Config {
    Config::parse(format!("version = 1\n{text}").as_bytes()).unwrap()
}

fn judge(configs: &[&Config], path: &str) -> Option<(String, Policy)> {
    let verdict = Registry::of(configs).unwrap().judge(path.as_bytes())?;
    Some((verdict.class, verdict.policy))
}

#[test]
fn the_built_in_rules_hold_without_a_configuration() {
    for (path, class) in [
        ("embeddings/index.vec", "vector"),
        ("A/B.VEC", "vector"),
        ("x.index", "index"),
        ("search.index/x.index", "index"),
        ("_PACK_RUN/a/b/c", "pack-run"),
        ("p/PROOF_BUNDLE.json", "proof"),
        ("m.safetensors", "weights"),
        ("_PACK_RUN/x", "pack-run"),
        ("a/_pack_run/b", "pack-run"),
        ("_PACK_RUN", "pack-run"),
        ("agents/00/ab/g3_information/format.json", "agent"),
        ("agents/00/ab/g4_information/curriculum.json", "agent"),
        ("agents/00/ab/g5_information/session.json", "agent"),
        ("chroma/97deeff3/data_level0.bin", "vector"),
        ("chroma/97deeff3/index_metadata.pickle", "vector"),
        ("c/0/segments/1/vector_storage/vectors/chunk_0.mmap", "vector"),
        ("c/0/segments/1/vector_storage-title/matrix.dat", "vector"),
        (
            "milvus.db/collections/c/partitions/_default/data/data_000001_000005.parquet",
            "vector",
        ),
        ("doc_embeddings.npy", "vector"),
        ("saved/variables/variables.data-00000-of-00001", "weights"),
        ("m/external.onnx.data", "weights"),
        ("m/openvino_model.bin", "weights"),
    ] {
        assert_eq!(judge(&[], path), Some((class.into(), Policy::Never)), "{path}");
    }
    for path in [
        "a.vec.age",
        "index.html",
        "index",
        "my_PACK_RUN/x",
        "format.json",
        "agents/00/ab/g4_information/curriculum.json.enc",
        "agents/00/ab/g4_information/curriculum/a.json",
        "src/vector_storage/mod.rs",
        "header.bin",
        "notes.ann",
        "x.data-1-of-2",
        "db/collections/a/partitions/b",
        // Directories that are named like a file of a rule.
        "doc/search.index/name/06e4.js",
        "a.vec/notes.txt",
        "x.faiss/readme",
        "PROOF_BUNDLE.json/x",
        "m.gguf/LICENSE",
        "c/data_level0.bin/x",
        "c/vector_storage/a.mmap/x",
        "saved_model.pb/x",
        "agents/a/g3_information/format.json/x",
    ] {
        assert_eq!(judge(&[], path), None, "{path}");
    }
}

#[test]
fn a_glob_of_a_configuration_reaches_below_directories() {
    let own = config("[[protect]]\nclass = \"mine\"\npaths = [\"**/*.index\"]\n");
    assert_eq!(judge(&[&own], "x.index/a.js"), Some(("mine".into(), Policy::Never)));
    let release = config("[[protect]]\nclass = \"mine\"\npaths = [\"**/*.index\"]\npolicy = \"allowed\"\n");
    assert_eq!(judge(&[&release], "x.index/a.vec"), None);
}

#[test]
fn rules_can_be_read_as_earlier_versions_read_them() {
    let own = config("[[protect]]\nclass = \"mine\"\npaths = [\"*.index/open\"]\npolicy = \"allowed\"\n");
    let registry = Registry::of(&[&own]).unwrap();
    let before = registry.as_before();
    assert_eq!(registry.judge(b"x.index/a.js"), None);
    assert_eq!(
        before.judge(b"x.index/a.js").unwrap().cause,
        Cause::Glob("**/*.index".into())
    );
    assert_eq!(before.judge(b"x.index/open"), None);
    assert_eq!(before.to_document(), registry.to_document());
}

#[test]
fn a_configuration_widens_refines_and_releases_but_never_run_outputs() {
    let config = config(
        r#"
        [[protect]]
        class = "ledger"
        paths = ["*.ledger"]
        policy = "internal"
        [[protect]]
        class = "vector"
        paths = ["*.vec"]
        allow_in = ["tests/fixtures/**"]
        [[protect]]
        class = "all"
        paths = ["public/**", "_PACK_RUN/**"]
        policy = "allowed"
        "#,
    );
    let configs = [&config];
    assert_eq!(judge(&configs, "a.ledger"), Some(("ledger".into(), Policy::Internal)));
    assert_eq!(judge(&configs, "a.vec"), Some(("vector".into(), Policy::Never)));
    assert_eq!(judge(&configs, "tests/fixtures/a.vec"), None);
    assert_eq!(judge(&configs, "public/a.vec"), None);
    assert_eq!(judge(&configs, "_PACK_RUN/a"), Some(("pack-run".into(), Policy::Never)));
    assert_eq!(
        judge(&configs, "public/_PACK_RUN/a"),
        Some(("pack-run".into(), Policy::Never))
    );
}

#[test]
fn the_strictest_of_several_configurations_holds() {
    let weak = config("[[protect]]\nclass = \"v\"\npaths = [\"*.vec\"]\npolicy = \"allowed\"\n");
    let none = Config::default();
    assert_eq!(judge(&[&weak], "a.vec"), None);
    assert_eq!(judge(&[&weak, &none], "a.vec"), Some(("vector".into(), Policy::Never)));
    assert_eq!(judge(&[&none, &weak], "a.vec"), Some(("vector".into(), Policy::Never)));
}

fn judge_content(config: &Config, path: &str, formats: &[Format], blob: u8) -> Option<(String, Policy)> {
    let file = FileFacts {
        path: path.as_bytes(),
        formats,
        blob: ObjectId::from_bytes(&[blob; 20]),
    };
    let verdict = Registry::of(&[config]).unwrap().judge_file(&file)?;
    Some((verdict.class, verdict.policy))
}

#[test]
fn content_is_judged_where_names_say_nothing() {
    let none = Config::default();
    let vector = Some(("vector".to_owned(), Policy::Never));
    assert_eq!(judge_content(&none, "logo.png", &[Format::Faiss], 1), vector);
    assert_eq!(judge_content(&none, "t.parquet", &[Format::Parquet], 1), None);
    let config = config(
        r#"
        [[protect]]
        class = "dataset"
        formats = ["parquet"]
        policy = "internal"
        [[protect]]
        class = "sample"
        paths = ["samples/**"]
        formats = ["faiss"]
        policy = "allowed"
        [[protect]]
        class = "public"
        paths = ["public/**"]
        policy = "allowed"
        [[allow]]
        blob = "0707070707070707070707070707070707070707"
        reason = "a test key"
        "#,
    );
    let dataset = Some(("dataset".to_owned(), Policy::Internal));
    assert_eq!(judge_content(&config, "t", &[Format::Parquet], 1), dataset);
    // A releasing rule with both paths and formats needs both to match.
    assert_eq!(judge_content(&config, "samples/x", &[Format::Faiss], 1), None);
    assert_eq!(judge_content(&config, "x", &[Format::Faiss], 1), vector);
    assert!(judge_content(&config, "samples/x.gguf", &[Format::Gguf], 1).is_some());
    // A key is released only by an exception for its blob, a run output never.
    let key = Some(("key".to_owned(), Policy::Never));
    assert_eq!(judge_content(&config, "public/k", &[Format::PrivateKey], 1), key);
    assert_eq!(judge_content(&config, "k", &[Format::PrivateKey], 7), None);
    assert!(judge_content(&config, "_PACK_RUN/k", &[], 7).is_some());
}

#[test]
fn a_path_forbids_by_itself_where_no_content_can_release_it() {
    let forbids = |text: &str, path: &str| Registry::of(&[&config(text)]).unwrap().forbids_path(path.as_bytes());
    assert!(forbids("", "a.vec") && forbids("", "_PACK_RUN/a") && !forbids("", "a.txt"));
    let rule = |more: &str| format!("[[protect]]\nclass = \"c\"\nformats = [\"faiss\"]\n{more}\n");
    assert!(forbids(&rule(""), "a.vec"));
    assert!(!forbids(&rule("policy = \"internal\""), "a.vec"));
    assert!(!forbids(&rule("allow_in = [\"t/**\"]"), "a.vec"));
    let paths = "[[protect]]\nclass = \"c\"\npaths = [\"*.x\"]\npolicy = \"internal\"\n";
    assert!(!forbids(paths, "a.x") && forbids(paths, "a.vec"));
}

#[test]
fn a_registry_reads_back_from_its_document() {
    let config = config("[[protect]]\nclass = \"l\"\npaths = [\"*.l\"]\nallow_in = [\"t/**\"]\n");
    let registry = Registry::of(&[&config, &Config::default()]).unwrap();
    let bytes = registry.to_document();
    let again = Registry::of_document(parse_strict_into(&bytes).unwrap()).unwrap();
    assert_eq!(again.to_document(), bytes);
    assert!(again.judge(b"a.l").is_some());
}

#[test]
fn a_bad_glob_is_named_with_its_line() {
    let config = config("[[protect]]\nclass = \"l\"\npaths = [\"a[\"]\n");
    let error = Registry::of(&[&config]).err().unwrap();
    assert_eq!(error.line, Some(2));
    assert!(error.problem.contains("a["), "{error}");
}

#[test]
fn a_registry_begins_with_the_built_in_rules_of_today_or_of_an_earlier_version() {
    let own = config("[[protect]]\nclass = \"ledger\"\npaths = [\"*.ledger\"]\n");
    let registry = Registry::of(&[&own]).unwrap();
    let rules: Vec<Rule> = registry.rules().next().unwrap().to_vec();
    let begins = |rules: &[Rule]| built_in::begin_with_built_in(rules);
    let without = |from: usize, to: usize| [&rules[..from], &rules[to..]].concat();
    assert!(registry.has_built_in_rules());
    assert!(begins(&rules) && begins(&rules[..9]) && begins(&rules[..7]));
    assert!(begins(&without(7, 10)) && begins(&without(9, 10)));
    for (from, to) in [(0, 1), (6, 10), (7, 8), (7, 9), (8, 9), (8, 10), (0, 10)] {
        assert!(!begins(&without(from, to)), "{from} {to}");
    }
    let mut claims = without(7, 10);
    claims[7].origin = Origin::BuiltIn;
    assert!(!begins(&claims));
}
