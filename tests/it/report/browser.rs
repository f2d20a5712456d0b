//! Pages in a real browser, where `GITPACK_CHROMIUM` names one.

#![allow(clippy::print_stderr, reason = "a test that tries nothing must say so")]

use std::path::Path;
use std::process::Stdio;

use super::vouched;
use crate::common::{Place, write};

/// Returns the document that the browser makes of a page, with its scripts run. `None` if there is no browser.
fn rendered(place: &Place, page: &Path) -> Option<String> {
    let Some(chromium) = std::env::var_os("GITPACK_CHROMIUM").filter(|name| !name.is_empty()) else {
        eprintln!("GITPACK_CHROMIUM names no browser");
        return None;
    };
    let mut command = place.command(chromium, place.path());
    command
        .args([
            "--headless",
            "--disable-gpu",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", place.path().join("browser").display()))
        .arg(format!("file://{}", page.display()))
        .stderr(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    Some(String::from_utf8(output.stdout).unwrap())
}

/// A browser that runs what the page forbids changes the document.
#[test]
fn a_browser_shows_a_page_with_its_styles_and_runs_nothing() {
    let (repo, pack) = vouched();
    repo.pack(&["report", &pack, "-o", "../page.html"]).ok();
    let path = repo.place.path().join("page.html");
    let page = std::fs::read_to_string(&path).unwrap();
    let Some(document) = rendered(&repo.place, &path) else {
        return;
    };
    // The parser of the browser found the elements that were written, and added none.
    for tag in ["<tr", "<td", "<th", "<svg", "<rect", "<code", "<bdi", "<section", "<h2"] {
        let count = |text: &str| text.matches(&format!("{tag} ")).count() + text.matches(&format!("{tag}>")).count();
        assert_eq!(count(&document), count(&page), "{tag}");
    }
    // A script that gets into a page does not run, and the same one runs without the policy.
    let script = "<script>document.body.id = 'ran'</script></body>";
    let policy = page.find("<meta http-equiv").unwrap();
    let end = policy + page[policy..].find('>').unwrap() + 1;
    let without = format!("{}{}", &page[..policy], &page[end..]);
    for (page, runs) in [(page.as_str(), false), (without.as_str(), true)] {
        write(&path, page.replace("</body>", script));
        let document = rendered(&repo.place, &path).unwrap();
        assert_eq!(document.contains("<body id=\"ran\">"), runs);
    }
}
