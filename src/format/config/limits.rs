//! Limits on the size of a configuration. A pusher writes it, and every path is matched against all of its globs.

use crate::format::config::raw::RawConfig;

/// Most globs of all kinds together.
const MAX_GLOBS: usize = 4096;

/// Most bytes of all globs together.
const MAX_GLOB_BYTES: usize = 128 << 10;

/// The longest glob, in bytes.
const MAX_GLOB: usize = 4096;

/// Most scopes, most recipients, and most buckets and anchors of one scope.
const MAX_ITEMS: usize = 4096;

/// Refuses a configuration that exceeds a limit. The error names what there is too much of.
pub(super) fn hold(raw: &RawConfig) -> Result<(), String> {
    let of_rules = raw.protect.iter().flat_map(|rule| {
        let rule = rule.get_ref();
        rule.paths.iter().chain(&rule.allow_in)
    });
    let of_scopes = raw.scope.values().flat_map(|scope| scope.globs());
    let attached = raw.pack.attach.iter().map(|glob| glob.get_ref());
    let remotes = raw.private_remotes.iter().map(|glob| glob.get_ref());
    let (mut count, mut bytes, mut longest) = (0, 0, 0);
    for glob in of_rules.chain(of_scopes).chain(attached).chain(remotes) {
        count += 1;
        bytes += glob.len();
        longest = longest.max(glob.len());
    }
    at_most("globs", MAX_GLOBS, count)?;
    at_most("bytes of globs", MAX_GLOB_BYTES, bytes)?;
    at_most("bytes in one glob", MAX_GLOB, longest)?;
    at_most("scopes", MAX_ITEMS, raw.scope.len())?;
    at_most("recipients", MAX_ITEMS, raw.seal.recipients.len())?;
    for scope in raw.scope.values() {
        at_most("buckets and anchors in one scope", MAX_ITEMS, scope.items())?;
    }
    Ok(())
}

fn at_most(what: &str, most: usize, found: usize) -> Result<(), String> {
    match found <= most {
        true => Ok(()),
        false => Err(format!(
            "expected at most {most} {what} in one configuration, found {found}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use crate::format::config::Config;

    #[test]
    fn a_configuration_that_holds_too_much_is_refused() {
        let rule = |paths: &str| format!("[[protect]]\nclass = \"c\"\npaths = [{paths}]\n");
        let long = format!("\"{}\"", "a".repeat(5000));
        let anchors = "\"a\",".repeat(5000);
        for (text, expected) in [
            (rule("\"a\",").repeat(5000), "4096 globs"),
            (rule(&"\"*a*\",".repeat(5000)), "4096 globs"),
            (
                rule(&format!("\"{}\",", "a".repeat(99)).repeat(2000)),
                "131072 bytes of globs",
            ),
            (rule(&long), "4096 bytes in one glob"),
            (
                format!("[scope.a]\nanchors = [{anchors}]\n"),
                "4096 buckets and anchors",
            ),
            (format!("[scope.a]\ninclude = [{anchors}]\n"), "4096 globs"),
            (
                format!("private_remotes = [{}]\n", "\"https://a.example/*\",".repeat(5000)),
                "4096 globs",
            ),
        ] {
            let error = Config::parse(format!("version = 1\n{text}").as_bytes()).unwrap_err();
            assert!(error.problem.contains(expected), "{expected}: {error}");
        }
    }

    #[test]
    fn what_nests_without_end_is_refused() {
        for text in ["a = [", "a = {b=", "a.", "[["] {
            let text = format!("version = 1\n{}", text.repeat(200_000));
            assert!(Config::parse(text.as_bytes()).is_err());
        }
        let text = format!(
            "version = 1\n{}",
            "[scope.a.limits]\nmax_entries = ".to_owned() + &"[".repeat(500_000)
        );
        assert!(Config::parse(text.as_bytes()).is_err());
    }
}
