//! Checks that no text below `cli/` names a flag or a command of git-pack.
//!
//! Lower layers return facts. The command line knows which flag or command belongs to them.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::visit::{self, Visit};

use super::sources::{files, is_for_tests, named, parse};

/// String literals that may name a flag or a command.
struct Exemption {
    /// The file, below `src/`.
    path: &'static str,
    /// The whole literals.
    literals: &'static [&'static str],
    /// Why they may.
    reason: &'static str,
}

const EXEMPTIONS: &[Exemption] = &[
    Exemption {
        path: "adapters/git/attributes.rs",
        literals: &["--stdin"],
        reason: "an argument of git check-attr",
    },
    Exemption {
        path: "adapters/git/canary.rs",
        literals: &[
            "--stdin",
            "--add",
            "--cacheinfo",
            "--skip-worktree",
            "--to-stdin=",
            "--ignore-missing",
        ],
        reason: "arguments of git hash-object, git update-index and git hook run",
    },
    Exemption {
        path: "adapters/git/drivers.rs",
        literals: &[
            "--local",
            "--null",
            "--name-only",
            "--get-regexp",
            "--replace-all",
            "--remove-section",
            "--type=bool",
            "--get",
        ],
        reason: "arguments of git config",
    },
    Exemption {
        path: "adapters/git/excludes.rs",
        literals: &["--null", "--type", "--get"],
        reason: "arguments of git config",
    },
    Exemption {
        path: "adapters/git/exposure.rs",
        literals: &["--all", "--branches", "--tags", "--not", "--remotes", "--full-history"],
        reason: "arguments of git rev-list",
    },
    Exemption {
        path: "adapters/git/hooks_dir.rs",
        literals: &[
            "--get",
            "--show-scope",
            "--git-path",
            "--local",
            "--null",
            "--get-regexp",
            "--type=bool",
            "--remove-section",
            "--version",
        ],
        reason: "arguments of git config, git rev-parse and git itself",
    },
    Exemption {
        path: "adapters/git/index_update.rs",
        literals: &[
            "--index-info",
            "--no-ext-diff",
            "--quiet",
            "--porcelain=v1",
            "--untracked-files=no",
            "--no-renames",
            "--no-filters",
            "--work-tree",
        ],
        reason: "arguments of git update-index, git diff, git status, git hash-object and git itself",
    },
    Exemption {
        path: "adapters/git/merge_text.rs",
        literals: &["--stdout", "--quiet", "--marker-size={}"],
        reason: "arguments of git merge-file",
    },
    Exemption {
        path: "adapters/git/mod.rs",
        literals: &["--git-dir", "--config-env=hook."],
        reason: "an argument of git itself",
    },
    Exemption {
        path: "adapters/git/ownership.rs",
        literals: &["--git-dir"],
        reason: "an argument of git rev-parse",
    },
    Exemption {
        path: "adapters/git/refs/process.rs",
        literals: &[
            "--format=%(refname)%00%(symref)%00%(objectname)",
            "--stdin",
            "--quiet",
            "--no-recurse",
            "--verify",
            "--end-of-options",
            "--no-pager",
            "--walk-reflogs",
            "--no-show-signature",
            "--no-patch",
            "--no-decorate",
            "--no-notes",
            "--no-mailmap",
            "--no-color",
            "--encoding=UTF-8",
            "--format=%gD%x00%H%x00%gs",
        ],
        reason: "arguments of git for-each-ref, symbolic-ref, rev-parse, update-ref and log",
    },
    Exemption {
        path: "adapters/git/remote_refs.rs",
        literals: &[
            "--refs",
            "--quiet",
            "--progress",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-prune",
            "--refmap=",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--no-filter",
            "--porcelain",
            "--no-follow-tags",
            "--recurse-submodules=no",
            "--atomic",
        ],
        reason: "arguments of git ls-remote, fetch and push",
    },
    Exemption {
        path: "adapters/git/ssh_settings.rs",
        literals: &["--null", "--show-scope", "--type=path", "--get-regexp"],
        reason: "arguments of git config",
    },
    Exemption {
        path: "adapters/git/settled.rs",
        literals: &["--resolve-undo"],
        reason: "an argument of git ls-files",
    },
    Exemption {
        path: "format/sealed.rs",
        literals: &["--attach"],
        reason: "the rule that SEALED_ARTIFACTS.json names for what this flag attached: data of a pack",
    },
    Exemption {
        path: "format/lite.rs",
        literals: &[
            "\n`PACK_MANIFEST.json` names every entry by path, ref and size; `git pack restore` rebuilds them from these.",
        ],
        reason: "LITE/INDEX.md, whose bytes are those of a pack",
    },
    Exemption {
        path: "rules/managers.rs",
        literals: &[
            "--config=",
            "--hook-dir=",
            "--hook-type=",
            "--script-version=",
            "--skip-on-missing-config",
        ],
        reason: "options of pre-commit and prek in the hooks that they write",
    },
];

/// Collects the string literals of a file, without documentation and code for tests.
#[derive(Default)]
struct Literals(Vec<String>);

impl Literals {
    fn take(&mut self, literal: &syn::Lit) {
        match literal {
            syn::Lit::Str(text) => self.0.push(text.value()),
            syn::Lit::ByteStr(text) => self.0.push(String::from_utf8_lossy(&text.value()).into_owned()),
            syn::Lit::CStr(text) => self.0.push(text.value().to_string_lossy().into_owned()),
            _ => {}
        }
    }

    /// Adds the literals in the arguments of a macro, which are not parsed.
    fn take_tokens(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                // An attribute, such as a documentation comment.
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    tokens.next_if(
                        |next| matches!(next, TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket),
                    );
                }
                TokenTree::Group(group) => self.take_tokens(group.stream()),
                TokenTree::Literal(literal) => self.take(&syn::Lit::new(literal)),
                TokenTree::Punct(_) | TokenTree::Ident(_) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Literals {
    fn visit_lit(&mut self, literal: &'ast syn::Lit) {
        self.take(literal);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.take_tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }
}

/// Returns the literals below `cli/` that name a flag or a command, and the exemptions that no literal needs.
fn flags(files: &BTreeMap<String, String>, exemptions: &[Exemption]) -> Vec<String> {
    let mut found = Vec::new();
    let mut unused: Vec<(&Exemption, &str)> = exemptions
        .iter()
        .flat_map(|exemption| exemption.literals.iter().map(move |literal| (exemption, *literal)))
        .collect();
    // A file `tests.rs` is a module for tests.
    let below_cli = |path: &str| !path.starts_with("cli/") && !path.ends_with("/tests.rs");
    for (path, text) in files.iter().filter(|(path, _)| below_cli(path)) {
        let mut literals = Literals::default();
        literals.visit_file(&parse(text));
        for literal in literals.0.iter().filter(|literal| names_flag(literal)) {
            unused.retain(|(exemption, exempt)| exemption.path != path || exempt != literal);
            let mut exempt = exemptions.iter().filter(|exemption| exemption.path == path);
            if !exempt.any(|exemption| exemption.literals.contains(&literal.as_str())) {
                found.push(format!("{path}: {literal:?} names a flag or a command"));
            }
        }
    }
    found.extend(unused.iter().map(|(exemption, literal)| {
        let Exemption { path, reason, .. } = exemption;
        format!("{path}: {literal:?} is exempt ({reason}), but does not occur")
    }));
    found
}

/// Returns whether a text names a flag such as `--force` or a command such as `git pack seal`.
fn names_flag(text: &str) -> bool {
    let begins_word = |at: usize| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
    };
    let named = |needle: &str| {
        text.match_indices(needle).any(|(at, _)| {
            let behind = text[at + needle.len()..].chars().next();
            begins_word(at) && behind.is_some_and(|c| c.is_ascii_lowercase() || c == '{')
        })
    };
    named("--") || named("git pack ")
}

#[test]
fn no_text_below_the_command_line_names_a_flag() {
    let found = flags(&files(), EXEMPTIONS);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// An exemption of planted code.
const GIT: Exemption = Exemption {
    path: "adapters/git/x.rs",
    literals: &["--all"],
    reason: "an argument of git",
};

#[test]
fn a_planted_flag_is_found() {
    for text in [
        r#"const FLAG: &str = "--force";"#,
        r#"fn f() { g("use --passphrase-file") }"#,
        r#"fn f() -> String { format!("{fault}: use --passphrase-file") }"#,
        r#"fn f() -> String { format!("{}", h(&["(--force)"])) }"#,
        r#"fn f() -> String { format!("--{flag}") }"#,
        r##"fn f() { g(r#"say "--force""#) }"##,
        r#"fn f() { g(b"--force=yes") }"#,
        r#"fn f() { g(c"--force") }"#,
        r#"fn f(x: &str) -> bool { matches!(x, "--force") }"#,
        r#"fn f(x: &str) { match x { "--force" => {} _ => {} } }"#,
        r#"impl X { const Y: &[&str] = &["x\n--force"]; }"#,
        r#"macro_rules! m { () => { "--force" } }"#,
        r#"fn f() { g("seal it again: git pack seal") }"#,
        r#"fn f() { g("`git pack seal` seals it") }"#,
        r#"#[cfg(test)] mod tests { } fn f() { g("--force") }"#,
    ] {
        for path in ["refusal/x.rs", "adapters/git/x.rs", "ops/pack/seal/mod.rs"] {
            assert_eq!(flags(&named([(path, text)]), &[]).len(), 1, "{path}: {text}");
        }
    }
    for (path, text) in [
        // Another file, another literal, a sentence around it, and no literal at all.
        ("ops/x.rs", r#"const A: [&str; 1] = ["--all"];"#),
        ("adapters/git/x.rs", r#"const A: [&str; 2] = ["--all", "--force"];"#),
        ("adapters/git/x.rs", r#"const A: [&str; 2] = ["--all", "use --all"];"#),
        ("adapters/git/x.rs", "const A: [&str; 0] = [];"),
    ] {
        assert!(!flags(&named([(path, text)]), &[GIT]).is_empty(), "{path}: {text}");
    }
}

#[test]
fn other_texts_are_not_found() {
    for (path, text) in [
        ("cli/x.rs", r#"const FLAG: &str = "--force";"#),
        ("rules/x/tests.rs", r#"const FLAG: &str = "--force";"#),
        ("ops/x.rs", "// --force\n/* --force */ fn f() {}"),
        (
            "ops/x.rs",
            "//! What `--force` does.\n\n/// See `git pack seal`.\nfn f() {}",
        ),
        (
            "ops/x.rs",
            "macro_rules! m { () => { #[doc = \"--force\"] fn f() {} } }",
        ),
        ("ops/x.rs", "macro_rules! m { () => {\n/// --force\nfn f() {}\n} }"),
        (
            "ops/x.rs",
            r#"#[cfg(test)] mod tests { const FLAG: &str = "--force"; }"#,
        ),
        ("ops/x.rs", r#"#[cfg(test)] fn f() { g("--force") }"#),
        ("ops/x.rs", r#"impl X { #[cfg(test)] fn f() { g("--force") } }"#),
        (
            "ops/x.rs",
            r#"fn f() { g("-----BEGIN A KEY-----", "|---|---:|", "a--b", "--", "-- x") }"#,
        ),
        (
            "ops/x.rs",
            r##"fn f() { g("# git-pack guard", "git packs", "legit pack seal") }"##,
        ),
        ("ops/x.rs", "fn f(mut x: u8) -> i8 { x - -y }"),
    ] {
        assert_eq!(flags(&named([(path, text)]), &[]), [] as [String; 0], "{path}: {text}");
    }
    let files = named([(
        "adapters/git/x.rs",
        r#"fn f() { git(&["rev-list", "--all", "--all"]) }"#,
    )]);
    assert_eq!(flags(&files, &[GIT]), [] as [String; 0]);
}
