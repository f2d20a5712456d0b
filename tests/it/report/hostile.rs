//! Packs and commits that try to get markup, commands or hidden text into a page, or to make it long.

use std::fs;

use serde_json::{Value, json};

use super::{assert_sound, page};
use crate::common::{Place, Repo, write};

/// Names that would do something in HTML, in an attribute, in SVG, in a terminal, or to the direction of text.
const NAMES: &[&str] = &[
    "<script>alert(1)<\\script>",
    "\"><img src=x onerror=alert(1)>",
    "' onload='alert(1)",
    "</title></style><b>",
    "<!--",
    "]]>",
    "&lt;&#60;&amp",
    "javascript:alert(1)",
    "\u{202e}gpj.exe",
    "a\u{2066}b\u{200b}c",
    "line\nbreak\r\t",
    "\u{1b}[31mred\u{7}",
    "\u{5d0}\u{5d1}\u{5d2}",
    "{{7*7}}${7*7}",
];

fn sealed_files(place: &Place) {
    for name in NAMES {
        write(&place.path().join("files").join(name.replace('/', "_")), name);
    }
    place
        .pack_in(place.path(), &["seal", "files", "-o", "pack", "--note", NAMES[0]])
        .ok();
}

#[test]
fn hostile_names_are_never_markup() {
    let place = Place::new();
    sealed_files(&place);
    let shown = page(&place, place.path(), &["pack"], 0);
    assert_sound(&shown);
    assert!(shown.contains("&lt;script&gt;alert(1)"));
    assert!(shown.contains("\\342\\200\\256gpj.exe"));
    // As findings, too.
    for name in NAMES {
        write(
            &place.path().join("pack").join(format!("x{}", name.replace('/', "_"))),
            "stray",
        );
    }
    assert_sound(&page(&place, place.path(), &["pack"], 1));
}

#[test]
fn hostile_files_of_a_commit_are_never_markup() {
    let repo = Repo::set_up();
    for name in NAMES {
        let name = name.replace('/', "_");
        repo.write(&format!("d/{name}"), &name);
        repo.write(&format!("d/{name}.vec"), "protected");
    }
    repo.write_bytes(b"d/\xff<i>", b"not UTF-8");
    repo.git(&["add", "-A"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "hostile"]).ok();
    let shown = page(&repo.place, &repo.root, &["--rev", "HEAD"], 0);
    assert_sound(&shown);
    assert!(shown.contains("\\377&lt;i&gt;"));
}

/// Every text of a manifest is foreign.
#[test]
fn what_a_manifest_and_a_document_say_is_never_markup() {
    let place = Place::new();
    sealed_files(&place);
    for (key, value) in [
        ("pack_id", json!("\"><script>")),
        ("created", json!("<script>\u{202e}")),
        ("tool_version", json!("<script>".repeat(100_000))),
        ("note", json!("<script>\u{1b}".repeat(100_000))),
    ] {
        let path = place.path().join("pack/manifest.json");
        let original = fs::read(&path).unwrap();
        let mut manifest: Value = serde_json::from_slice(&original).unwrap();
        manifest[key] = value;
        manifest["members"][0]["type"] = json!("</td><script>");
        manifest["members"][0]["artifact_version"] = json!("<script>");
        manifest["members"][1]["bytes_hash"] = json!("<script>");
        fs::write(&path, serde_json::to_vec(&manifest).unwrap()).unwrap();
        let output = place.path().join("hostile.html");
        let done = place.pack_in(place.path(), &["report", "pack", "-o", "hostile.html"]);
        assert_eq!(done.code, 1, "{key}: {}", done.stderr);
        let shown = fs::read_to_string(&output).unwrap();
        assert_sound(&shown);
        fs::remove_file(&output).unwrap();
        fs::write(&path, original).unwrap();
    }
}

#[test]
fn a_page_stays_short_however_many_and_long_the_members_are() {
    let place = Place::new();
    write(&place.path().join("files/a"), "a");
    place.pack_in(place.path(), &["seal", "files", "-o", "pack"]).ok();
    let path = place.path().join("pack/manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let hash = manifest["members"][0]["bytes_hash"].clone();
    let members = (0..20_000).map(|n| {
        let path = format!("{n}/{}", "\"&\u{202e}".repeat(60));
        json!({"path": path, "bytes_hash": hash, "type": format!("\"&<{n}{}", "\"".repeat(300))})
    });
    manifest["members"] = members.collect();
    manifest["member_count"] = json!(20_000);
    fs::write(&path, serde_json::to_vec(&manifest).unwrap()).unwrap();
    let shown = page(&place, place.path(), &["pack"], 1);
    assert_sound(&shown);
    assert!(shown.contains("The 1000 largest of 20000 members"));
}
