//! `git pack report`: a page about a pack or a commit, for people. What a pack says is never markup, and the page of an invalid
//! pack says so.

mod browser;
mod hostile;

use std::fs;
use std::path::Path;

use crate::common::packs::copy_tree;
use crate::common::{Place, Repo, snapshot, write};

const CREATED: [&str; 2] = ["--created", "2026-01-15T10:30:00Z"];

/// Reports, and returns the page. The exit status is `code`.
#[track_caller]
fn page(place: &Place, directory: &Path, args: &[&str], code: i32) -> String {
    let output = place.path().join("page.html");
    drop(fs::remove_file(&output));
    let done = place.pack_in(
        directory,
        &[&["report"], args, &["-o", output.to_str().unwrap()]].concat(),
    );
    assert_eq!(done.code, code, "{}\n{}", done.out(), done.stderr);
    let outcome = if code == 0 {
        "REPORTED sha256:"
    } else {
        "INVALID sha256:"
    };
    assert!(done.out().starts_with(outcome), "{}", done.out());
    fs::read_to_string(output).unwrap()
}

/// The elements and attributes that pages have.
const ELEMENTS: &str = " !DOCTYPE html head meta title style body a header h1 h2 h3 p strong span nav ul ol li main section div \
                        table caption thead tbody tr th td dl dt dd code bdi svg rect text figure figcaption pre footer ";
const ATTRIBUTES: &str = " html lang data-page charset http-equiv content name id class href tabindex role aria-label \
                          aria-labelledby aria-hidden scope width height x y viewBox ";

/// Asserts that a page is one document that has no other markup than ours, and hides nothing.
#[track_caller]
fn assert_sound(page: &str) {
    assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\"") && page.ends_with("</body>\n</html>\n"));
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    let hidden = |c: &char| *c != '\n' && gitpack::refusal::shown::is_hidden(*c);
    assert_eq!(page.chars().find(hidden), None);
    for tag in page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
        // Between quotes stand the values of attributes.
        let outside: String = tag.split('"').step_by(2).collect();
        assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
        let mut words = outside.split_ascii_whitespace();
        let element = words.next().unwrap_or_default();
        let element = element.trim_start_matches('/');
        assert!(ELEMENTS.contains(&format!(" {element} ")), "<{tag}>");
        for attribute in words {
            let attribute = attribute.trim_end_matches('=');
            assert!(ATTRIBUTES.contains(&format!(" {attribute} ")), "<{tag}>");
        }
    }
    // Each id is there once, and each reference leads to one.
    let values = |key: &'static str| page.split(key).skip(1).map(|rest| rest.split('"').next().unwrap());
    let ids: Vec<&str> = values(" id=\"").collect();
    for id in &ids {
        assert_eq!(ids.iter().filter(|other| *other == id).count(), 1, "{id}");
    }
    for reference in values(" href=\"") {
        assert!(
            ids.contains(&reference.trim_start_matches('#')) && reference.starts_with('#'),
            "{reference}"
        );
    }
    for reference in values(" aria-labelledby=\"") {
        assert!(ids.contains(&reference), "{reference}");
    }
}

/// A repository with a sealed file, its pack, and the signature and attestation of the pack.
fn vouched() -> (Repo, String) {
    let repo = Repo::set_up();
    repo.write("docs/guide.md", "# Guide\n".repeat(300));
    repo.commit("guide");
    repo.write("secret.vec", "protected\n".repeat(50));
    let (_, pack) = repo.seal(&["--attach", "secret.vec", "--note", "a <note>"]);
    let place = &repo.place;
    let key = ["-q", "-t", "ed25519", "-N", "", "-C", "ann", "-f", "ann"];
    place.run(place.path(), "ssh-keygen", &key).ok();
    let public = fs::read_to_string(place.path().join("ann.pub")).unwrap();
    write(&place.path().join("allowed"), format!("ann@example.org {public}"));
    let pack = pack.to_str().unwrap().trim_end_matches('/').to_owned();
    repo.pack(&["sign", &pack, "--key", "../ann"]).ok();
    let key = ["genpkey", "-algorithm", "ed25519", "-out", "attest.pem"];
    place.run(place.path(), "openssl", &key).ok();
    let key = ["pkey", "-in", "attest.pem", "-pubout", "-out", "attest.pub"];
    place.run(place.path(), "openssl", &key).ok();
    place.run(place.path(), "chmod", &["600", "attest.pem"]).ok();
    repo.pack(&["attest", &pack, "--key", "../attest.pem"]).ok();
    (repo, pack)
}

#[test]
fn a_page_shows_what_a_pack_is_and_who_vouches_for_it() {
    let (repo, pack) = vouched();
    let page = |args: &[&str]| page(&repo.place, &repo.root, &[&[pack.as_str()], args].concat(), 0);
    let plain = page(&[]);
    assert_sound(&plain);
    let state = repo.pack(&["state"]).ok().out();
    for part in [
        "<strong>OK</strong>",
        state.trim(),
        &repo.rev("HEAD"),
        "1 file is sealed, for 1 recipient.",
        "<bdi>a &lt;note&gt;</bdi>",
        "valid; whose key it is was not checked",
        "not checked: no key was given that made it",
        "<bdi><code>repo/docs/guide.md</code></bdi>",
        "git pack verify PACK --rev ",
    ] {
        assert!(plain.contains(part), "{part}");
    }
    assert!(!plain.contains("protected\n"));
    let checked = page(&["--allowed-signers", "../allowed", "--attestation-key", "../attest.pub"]);
    assert_sound(&checked);
    for part in ["signed by ann@example.org", "valid, by a key that was given"] {
        assert!(checked.contains(part), "{part}");
    }
    // What the machine has configured changes nothing.
    repo.git(&["config", "gpg.ssh.allowedSignersFile", "../allowed"]).ok();
    assert_eq!(page(&[]), plain);
}

#[test]
fn one_pack_has_one_page() {
    let (repo, pack) = vouched();
    let place = &repo.place;
    let first = page(place, &repo.root, &[&pack], 0);
    let elsewhere = place.path().join("elsewhere");
    for ending in ["", ".attestations"] {
        copy_tree(
            Path::new(&format!("{pack}{ending}")),
            &elsewhere.join(format!("copy{ending}")),
        );
    }
    assert_eq!(page(place, &elsewhere, &["copy"], 0), first);
    place.pack_in(&elsewhere, &["archive", "copy", "-o", "a.tar.zst"]).ok();
    assert_eq!(page(place, &elsewhere, &["a.tar.zst"], 0), first);
}

#[test]
fn the_page_of_an_invalid_pack_says_so() {
    let (repo, pack) = vouched();
    let pack = Path::new(&pack);
    write(&pack.join("repo/README.md"), "changed\n");
    write(&pack.join("stray"), "x");
    let page = page(&repo.place, &repo.root, &[pack.to_str().unwrap()], 1);
    assert_sound(&page);
    for part in [
        "<strong>INVALID</strong>",
        "Do not rely on this pack",
        "HASH_MISMATCH",
        "EXTRA_MEMBER",
        ">failed<",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<strong>OK</strong>"));
    // A demanded signer who did not sign is a finding too.
    let demanded = [
        "report",
        "--allowed-signers",
        "../allowed",
        "--signed-by",
        "bob",
        "-o",
        "../x.html",
    ];
    let done = repo.pack(&[&demanded[..], &[pack.to_str().unwrap()]].concat());
    assert_eq!(done.code, 1);
    assert!(
        fs::read_to_string(repo.place.path().join("x.html"))
            .unwrap()
            .contains("SIGNATURE_MISSING")
    );
}

#[test]
fn the_commands_of_a_page_work_as_they_stand_there() {
    let (repo, pack) = vouched();
    let place = &repo.place;
    copy_tree(Path::new(&pack), &repo.path("PACK"));
    copy_tree(
        Path::new(&format!("{pack}.attestations")),
        &repo.path("PACK.attestations"),
    );
    copy_tree(Path::new(&pack), &repo.path("OLDER"));
    let commands = |page: &str| -> Vec<String> {
        let commands = page.split("<pre><code>").skip(1);
        let text = commands.map(|rest| rest.split("</code>").next().unwrap().to_owned());
        text.map(|text| text.replace("&quot;", "\"").replace("&gt;", ">").replace("&amp;", "&"))
            .collect()
    };
    let shell = |command: &str| place.run(&repo.root, "sh", &["-c", command]);
    let of_pack = commands(&page(place, &repo.root, &[&pack, "--against", "OLDER"], 0));
    assert_eq!(of_pack.len(), 8, "{of_pack:?}");
    for command in &of_pack {
        let file = match command {
            command if command.contains("--allowed-signers") => "../allowed",
            command if command.contains("--attestation-key") => "../attest.pub",
            _ => "../home/.config/git-pack/identity.txt",
        };
        if command.contains("jq ") && shell("command -v jq").code != 0 {
            eprintln!("jq is not installed");
            continue;
        }
        let done = shell(&command.replace("FILE", file)).ok();
        if command.contains("pack_id") {
            let id = document(&repo.path("PACK/manifest.json"));
            assert_eq!(format!("sha256:{}", &done.out()[..64]), id, "{command}");
        }
    }
    // What is there already would be in the way of the last command, which seals.
    fs::remove_dir_all(repo.path("_PACK_RUN")).unwrap();
    let of_commit = commands(&page(place, &repo.root, &["--rev", "HEAD"], 0));
    assert_eq!(of_commit.len(), 4, "{of_commit:?}");
    for command in &of_commit {
        shell(command).ok();
    }
}

fn document(manifest: &Path) -> String {
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    manifest["pack_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_page_shows_what_changed_since_another_pack() {
    let place = Place::new();
    for (pack, a, extra) in [("old", "1", "gone"), ("new", "2", "<added>")] {
        drop(fs::remove_dir_all(place.path().join("files")));
        write(&place.path().join("files/a"), a);
        write(&place.path().join("files/same"), "same");
        write(&place.path().join("files").join(extra), "x");
        place
            .pack_in(place.path(), &[&["seal", "files", "-o", pack], &CREATED[..]].concat())
            .ok();
    }
    let page = page(&place, place.path(), &["new", "--against", "old"], 0);
    assert_sound(&page);
    assert!(page.contains("The packs differ. 1 added, 1 removed, 1 changed, 1 unchanged."));
    for part in ["files/&lt;added&gt;", "files/gone", "the older pack was not verified"] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn a_page_about_a_commit_shows_what_a_pack_would_seal() {
    let repo = Repo::set_up();
    repo.write("src/main.rs", "fn main() {}\n");
    repo.write("vectors/a.vec", "protected\n".repeat(9));
    repo.git(&["add", "-A"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "with a leak"]).ok();
    let shown = page(&repo.place, &repo.root, &["--rev", "HEAD"], 0);
    assert_sound(&shown);
    let state = repo.pack(&["state"]).ok().out();
    for part in [
        state.trim(),
        &repo.rev("HEAD"),
        &repo.rev("HEAD^{tree}"),
        "A public pack of this commit seals 1 of its 5 files.",
        "vector, never in plaintext",
        "would be sealed",
        "1 in the configuration of the commit",
    ] {
        assert!(shown.contains(part), "{part}");
    }
    assert!(!shown.contains("protected\n"));
    // The branch and the work tree do not matter.
    let id = repo.rev("HEAD");
    repo.write("src/main.rs", "changed\n");
    repo.git(&["commit", "-q", "--no-verify", "-am", "another"]).ok();
    assert_eq!(page(&repo.place, &repo.root, &["--rev", &id], 0), shown);
}

#[test]
fn a_page_replaces_only_a_page() {
    let place = Place::new();
    write(&place.path().join("files/a"), "a");
    let root = place.path();
    place
        .pack_in(root, &[&["seal", "files", "-o", "pack"], &CREATED[..]].concat())
        .ok();
    let report = |args: &[&str]| place.pack_in(root, &[&["report", "pack", "-o"], args].concat());
    report(&["page.html"]).ok();
    let first = fs::read(root.join("page.html")).unwrap();
    let refused = report(&["page.html"]).refused("E_IO");
    assert!(
        refused["refusal"]["next_command"]
            .as_str()
            .unwrap()
            .contains("--replace")
    );
    report(&["page.html", "--replace"]).ok();
    assert_eq!(fs::read(root.join("page.html")).unwrap(), first);
    write(&root.join("mine.html"), "<!DOCTYPE html>\n<html lang=\"en\">mine");
    std::os::unix::fs::symlink("mine.html", root.join("link.html")).unwrap();
    std::os::unix::fs::symlink("page.html", root.join("to-page.html")).unwrap();
    let before = snapshot(root);
    for args in [
        &["mine.html", "--replace"][..],
        &["mine.html"],
        &["link.html", "--replace"],
        &["to-page.html", "--replace"],
        &["files", "--replace"],
    ] {
        report(args).refused("E_IO");
    }
    report(&["pack/page.html"]).refused("E_USAGE");
    report(&["absent/page.html"]).refused("E_IO");
    place
        .pack_in(root, &["report", "absent", "-o", "x.html"])
        .refused("E_BAD_PACK");
    place.pack_in(root, &["report", "-o", "x.html"]).refused("E_USAGE");
    place
        .pack_in(root, &["report", "pack", "--rev", "HEAD", "-o", "x.html"])
        .refused("E_USAGE");
    place
        .pack_in(root, &["report", "--rev", "HEAD", "-o", "x.html"])
        .refused("E_NOT_A_REPOSITORY");
    assert!(snapshot(root) == before);
}

#[test]
fn nothing_is_said_twice_or_of_what_is_not_there() {
    let repo = Repo::set_up();
    let (_, pack) = repo.seal(&[]);
    for args in [&[pack.to_str().unwrap()][..], &["--rev", "HEAD"]] {
        let page = page(&repo.place, &repo.root, args, 0);
        assert!(page.contains("State digest") && !page.contains("Canon version"));
        assert!(
            page.contains("<dt>Scope</dt><dd><bdi><code>repo</code></bdi></dd>"),
            "{page}"
        );
    }
}

#[test]
fn a_tracked_twin_is_not_in_the_clear() {
    let repo = Repo::set_up();
    repo.write("secret.vec", "protected\n".repeat(50));
    repo.pack(&["protect", "secret.vec"]).ok();
    repo.write("fake.age", "age-encryption.org/v1\n-> X25519 x\nnot sealed\n");
    repo.git(&["add", "."]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "twins"]).ok();
    repo.seal(&["--plaintext", "fake.age", "-o", "../pack"]);
    let page = page(&repo.place, &repo.root, &["../pack"], 0);
    assert_sound(&page);
    assert!(page.contains("1 file was sealed before, and is in the pack as the age file that it was."));
    assert!(!page.contains("No file is sealed."));
    let content_of = |path: &str| {
        let members = page.split("id=\"member-rows\"").nth(1).unwrap();
        let row = members
            .split("<tr>")
            .find(|row| row.contains(&format!("<code>{path}</code>")))
            .unwrap();
        ["in the clear", "sealed"]
            .into_iter()
            .find(|words| row.contains(&format!("<td>{words}</td>")))
    };
    assert_eq!(content_of("repo/secret.vec.age"), Some("sealed"));
    assert_eq!(content_of("repo/fake.age"), Some("in the clear"));
    assert_eq!(content_of("repo/README.md"), Some("in the clear"));
}
