//! Help, manual pages and completions: what they print works as it stands there.
//!
//! The shells and `man` are those of the machine. `GITPACK_SHELLS` says which there are, if not all of `bash zsh fish man`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::common::{Done, Place, Repo};

/// Returns whether the machine has a shell or `man`.
fn has(program: &str) -> bool {
    let named = std::env::var("GITPACK_SHELLS").unwrap_or_else(|_| "bash zsh fish man".into());
    named.split_whitespace().any(|name| name == program)
}

/// A repository with all that the examples name.
fn world() -> Repo {
    let repo = Repo::set_up();
    let run = |line: &str| {
        let line = format!("set -e; {line}");
        repo.place.run(&repo.root, "bash", &["-c", &line]).ok();
    };
    run("git init -q --bare ../origin.git; git remote add origin ../origin.git; git push -q origin main");
    run("mkdir -p ~/.ssh ~/.config/fish/conf.d; ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519");
    run("git pack recipients add \"$(cat ~/.ssh/id_ed25519.pub)\"");
    run("ssh-keygen -q -t ed25519 -N '' -f ../kim; mv ../kim.pub .; git pack recipients add \"$(cat kim.pub)\"");
    run("mkdir embeddings proofs data; echo s >embeddings/index.vec; echo '{}' >report.json; echo p >proofs/p.txt");
    run("git pack protect embeddings/index.vec; git add .; git commit -q -m files; git pack seal -o earlier");
    run("echo more >>README.md; git commit -q -a -m more; git tag v1.0; echo private >data/private.csv");
    run("git pack seal --attach data/private.csv -o run; git pack archive run -o run.tar.zst");
    run("git pack push run git:origin; openssl genpkey -algorithm ed25519 -out key.pem; chmod 600 key.pem");
    run(
        "echo '{\"buildDefinition\":{\"buildType\":\"https://example.org/b\",\"externalParameters\":{}},\
         \"runDetails\":{\"builder\":{\"id\":\"https://example.org/x\"}}}' >build.json",
    );
    run("head -c 72 /dev/zero >cycles.bin; git pack agent append 00 cycles.bin; mkdir earlier-store");
    run("cp -r agency earlier-store; echo '{}' >format.json; git pack agent seal format.json --kind format");
    run("mkdir -p agents/00/0000/g3_information; echo '{}' >agents/00/0000/g3_information/format.json");
    repo
}

/// Returns all examples in the help of a command and of those below it.
fn examples(command: &clap::Command, all: &mut Vec<String>) {
    let text = command
        .get_after_long_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.strip_prefix("      "));
    all.extend(lines.filter(|line| line.starts_with("git pack ")).map(str::to_owned));
    command.get_subcommands().for_each(|below| examples(below, all));
}

#[test]
fn every_example_works() {
    let repo = world();
    let mut all = Vec::new();
    examples(&gitpack::cli::command_tree(), &mut all);
    assert!(all.len() > 60, "{}", all.len());
    // No test reaches these places, and the tour has tests of its own.
    all.retain(|line| !line.contains("oci://") && !line.starts_with("git pack tour"));
    all.retain(|line| !line.contains("| man") || has("man"));
    for line in all {
        let directory = match line.contains("--server") {
            true => repo.place.path().join("origin.git"),
            false => repo.root.clone(),
        };
        let script = format!("set -o pipefail; {line}");
        let done = repo.place.run(&directory, "bash", &["-c", &script]);
        // A question may be answered with no, such as whether two packs are the same.
        let fine = (0..=1).contains(&done.code);
        assert!(fine, "{line}: {}\n{}\n{}", done.code, done.out(), done.stderr);
        drop(fs::remove_dir_all(repo.path("fetched")));
    }
}

#[test]
fn subjects_are_explained() {
    let place = Place::new();
    for (subject, told) in [
        ("rules", "[[protect]]"),
        ("places", "oci://HOST/REPOSITORY"),
        ("hooks", "git pack status --doctor"),
        ("ci", "git pack scan --range origin/main..HEAD"),
        ("configuration", "gitpack.remote"),
    ] {
        let page = place.pack_in(place.path(), &["help", subject]).ok().out();
        assert!(
            page.starts_with(&format!("git pack help {subject}: ")) && page.contains(told),
            "{page}"
        );
        let overview = place.pack_in(place.path(), &["help"]).ok().out();
        assert!(overview.contains(&format!("git pack help {subject} ")), "{overview}");
    }
    // The text of a code is that of the page.
    let row = include_str!("../../docs/refusals.md")
        .lines()
        .find(|line| line.starts_with("| `E_AUDIT` |"));
    let words = |text: &str| text.replace('`', "").split_whitespace().collect::<Vec<_>>().join(" ");
    let told = words(&place.pack_in(place.path(), &["help", "e_audit"]).ok().out());
    for cell in row.unwrap().trim_end_matches(" |").split(" | ").skip(1) {
        assert!(told.contains(&words(cell)), "{told}");
    }
    let unknown = place.pack_in(place.path(), &["help", "E_NOTHING"]);
    assert_eq!((unknown.code, unknown.out().as_str()), (2, ""));
    let refused = place.pack_in(place.path(), &["help", "seal", "--markdown"]);
    assert_eq!(refused.code, 2);
}

/// The commit that changes a setting also changes the page.
#[test]
fn the_reference_of_the_configuration_is_that_of_the_source() {
    let place = Place::new();
    let page = place
        .pack_in(place.path(), &["help", "configuration", "--markdown"])
        .ok()
        .out();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let kept = fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == page,
        "docs/configuration.md differs; write it anew: cargo run -- help configuration --markdown > docs/configuration.md"
    );
}

/// Returns the sources below `src/`, without tests and comments.
fn sources(directory: &Path, all: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, all);
        } else if let Some(path) = entry.to_str().filter(|path| path.ends_with(".rs")) {
            let text = fs::read_to_string(path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            all.push((path.to_owned(), code.collect::<Vec<_>>().join("\n")));
        }
    }
}

#[test]
fn every_setting_of_the_source_is_described() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md")).unwrap();
    let mut all = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    let mut keys = 0;
    for (path, code) in &all {
        for literal in code
            .split('"')
            .skip(1)
            .step_by(2)
            .filter(|text| text.starts_with("gitpack."))
        {
            let key = literal
                .split(|c: char| !c.is_alphanumeric() && c != '.')
                .next()
                .unwrap();
            keys += 1;
            let described = page.to_lowercase().contains(&format!("| `{}` |", key.to_lowercase()));
            assert!(described, "{path}: {key} is not in src/cli/commands/help/settings/");
        }
    }
    assert!(keys > 15, "{keys}");
    let environment = all.iter().find(|(path, _)| path.ends_with("cli/env.rs")).unwrap();
    let is_variable = |text: &&str| text.len() > 3 && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    let variables = environment.1.split('"').skip(1).step_by(2).filter(is_variable);
    for name in variables {
        let mut prefixes = (1..=name.len()).map(|end| format!("| `{}*` |", &name[..end]));
        let described = page.contains(&format!("| `{name}` |")) || prefixes.any(|prefix| page.contains(&prefix));
        assert!(
            described,
            "{name} is not in src/cli/commands/help/settings/environment.rs"
        );
    }
}

#[test]
fn manual_pages_are_installed_and_removed() {
    let place = Place::new();
    let run = |args: &[&str]| place.pack_in(place.path(), args);
    let data = place.home().join(".local/share/man");
    let told = run(&["man", "--install"]).ok().out();
    assert!(
        told.starts_with("wrote ") && told.contains(" pages to ~/.local/share/man\n"),
        "{told}"
    );
    for page in [
        "man1/git-pack.1",
        "man1/git-pack-agent-append.1",
        "man7/git-pack-rules.7",
    ] {
        let text = fs::read_to_string(data.join(page)).unwrap();
        assert!(text.contains(".SH NAME\n"), "{page}");
    }
    let hidden = ["git-pack-hook.1", "git-pack-driver.1", "git-pack-complete.1"];
    assert!(!hidden.iter().any(|page| data.join("man1").join(page).exists()));
    // A page of an earlier version goes, a page of another program stays.
    fs::copy(data.join("man1/git-pack.1"), data.join("man1/git-pack-former.1")).unwrap();
    fs::write(data.join("man1/git-pack-other.1"), "theirs").unwrap();
    run(&["man", "--install"]).ok();
    assert!(!data.join("man1/git-pack-former.1").exists());
    run(&["man", "--uninstall"]).ok();
    let left: Vec<_> = fs::read_dir(data.join("man1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["git-pack-other.1"]);
    // A directory without a page goes, too.
    assert!(!data.join("man7").exists());
    fs::remove_file(data.join("man1/git-pack-other.1")).unwrap();
    run(&["man", "--install"]).ok();
    run(&["man", "--uninstall"]).ok();
    assert!(!data.exists() && data.parent().unwrap().exists());
    // A directory that is named, as for a package.
    run(&["man", "--install", "root/usr/share/man"]).ok();
    assert!(place.path().join("root/usr/share/man/man7/git-pack-places.7").exists());
}

#[test]
fn a_file_of_another_program_is_not_replaced_by_a_manual_page() {
    let place = Place::new();
    let page = place.path().join("man/man1/git-pack-seal.1");
    fs::create_dir_all(page.parent().unwrap()).unwrap();
    fs::write(&page, "theirs").unwrap();
    let done = place.pack_in(place.path(), &["man", "--install", "man"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("git-pack did not write it"), "{}", done.stderr);
    assert_eq!(fs::read(&page).unwrap(), b"theirs");
    assert_eq!(fs::read_dir(place.path().join("man")).unwrap().count(), 1);
    // A link is not followed, even to a page of ours.
    fs::remove_file(&page).unwrap();
    place.pack_in(place.path(), &["man", "--install", "other"]).ok();
    symlink(place.path().join("other/man1/git-pack-seal.1"), &page).unwrap();
    assert_eq!(place.pack_in(place.path(), &["man", "--install", "man"]).code, 2);
}

#[test]
fn man_shows_every_page_without_a_warning() {
    if !has("man") {
        return;
    }
    let place = Place::new();
    place.pack_in(place.path(), &["man", "--install", "man"]).ok();
    let mut pages = Vec::new();
    for section in ["man/man1", "man/man7"] {
        let entries = fs::read_dir(place.path().join(section)).unwrap();
        pages.extend(entries.map(|entry| entry.unwrap().path().to_str().unwrap().to_owned()));
    }
    assert!(pages.len() > 45, "{}", pages.len());
    // One call formats all of them.
    let mut args = vec!["--warnings", "-E", "UTF-8", "-l"];
    args.extend(pages.iter().map(String::as_str));
    let mut man = place.command("man", place.path());
    let done = Done::from(
        man.args(args)
            .env("MANWIDTH", "100")
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap(),
    )
    .ok();
    assert_eq!(done.stderr, "");
    let shown = done.out();
    for told in [
        "git-pack-agent-append - ",
        "EXIT STATUS",
        "EXAMPLES",
        "SEE ALSO",
        "GLOBAL OPTIONS",
    ] {
        assert!(shown.contains(told), "{told}");
    }
    // git itself asks man for the page.
    let mut git = place.command("git", place.path());
    git.env("MANPATH", place.path().join("man")).env("MANPAGER", "cat");
    let page = Done::from(git.args(["pack", "--help"]).output().unwrap()).ok();
    // man stretches lines to its width.
    let words: Vec<String> = page.out().split_whitespace().map(str::to_owned).collect();
    assert!(
        words.join(" ").contains("git-pack - Publish a repository"),
        "{}",
        page.out()
    );
}

/// What a shell completes `line` to, one candidate a line.
fn completed(repo: &Repo, shell: &str, line: &str) -> Vec<String> {
    let place = &repo.place;
    let directory = place.path().join("completions");
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join(match shell {
        "zsh" => "_git-pack",
        "fish" => "git-pack.fish",
        _ => "git-pack",
    });
    fs::write(&file, place.pack_in(place.path(), &["completions", shell]).ok().stdout).unwrap();
    let file = file.to_str().unwrap();
    let script = match shell {
        // What readline does: the words, divided at colons and equals signs, and the function of the command.
        "bash" => format!(
            ". {file}; IFS=' ' read -ra COMP_WORDS <<<\"$1\"; [ \"${{1% }}\" = \"$1\" ] || COMP_WORDS+=('')\n\
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); compopt() {{ :; }}; __git_pack_main\n\
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        ),
        // What the completion of zsh sets and calls.
        "zsh" => format!(
            "_describe() {{ local -a all; all=(${{(P)4}}); print -rl -- \"${{(@)all%%:*}}\"; }}\n\
             _files() {{ print -rl -- *(N); }}\n\
             words=(${{=1}}); [[ $1 != *' ' ]] || words+=(''); CURRENT=$#words; source {file}"
        ),
        "fish" => format!("source {file}; complete -C \"$argv[1]\" | string split -f1 \\t; true"),
        other => panic!("{other}"),
    };
    let args = match shell {
        "fish" => vec!["-c", &script, line],
        _ => vec!["-c", &script, shell, line],
    };
    let done = place.run(&repo.root, shell, &args).ok();
    assert_eq!(done.stderr, "", "{shell}: {line}");
    done.out().lines().map(str::to_owned).collect()
}

#[test]
fn shells_complete_commands_flags_and_names() {
    let repo = Repo::set_up();
    repo.write(".gitpack.toml", "version = 1\n[scope.docs]\ninclude = [\"docs/\"]\n");
    repo.git(&["remote", "add", "origin", "../origin.git"]).ok();
    fs::create_dir_all(repo.path("_PACK_RUN/llm-pack-x")).unwrap();
    for shell in ["bash", "zsh", "fish"].into_iter().filter(|shell| has(shell)) {
        for (line, expected) in [
            ("git-pack ver", "verify"),
            ("git-pack agent ap", "append"),
            ("git-pack seal --opaq", "--opaque-names"),
            ("git-pack seal --scope ", "docs"),
            ("git-pack scan --remote o", "origin"),
            ("git-pack verify _PACK_RUN/ll", "_PACK_RUN/llm-pack-x"),
            ("git-pack verify READ", "README.md"),
            ("git-pack help rul", "rules"),
        ] {
            let all = completed(&repo, shell, line);
            assert!(
                all.iter().any(|one| one.trim_end_matches('/') == expected),
                "{shell}: {line}: {all:?}"
            );
        }
        assert!(
            !completed(&repo, shell, "git-pack ").iter().any(|one| one == "hook"),
            "{shell}"
        );
    }
    if has("fish") {
        assert_eq!(completed(&repo, "fish", "git -C . pack ver"), ["verify"]);
    }
}

#[test]
fn git_itself_completes_packs_in_bash() {
    let scripts = [
        "/usr/share/bash-completion/completions/git",
        "/etc/bash_completion.d/git-completion.bash",
    ];
    let Some(script) = scripts.iter().find(|script| Path::new(script).exists() && has("bash")) else {
        return;
    };
    let repo = Repo::set_up();
    repo.git(&["remote", "add", "origin", "../origin.git"]).ok();
    let ours = repo.place.path().join("git-pack.bash");
    fs::write(
        &ours,
        repo.place
            .pack_in(repo.place.path(), &["completions", "bash"])
            .ok()
            .stdout,
    )
    .unwrap();
    for (words, expected) in [
        ("git pack ver", "verify"),
        ("git -C . pack seal --opaq", "--opaque-names"),
        ("git pack scan --remote o", "origin"),
        // bash replaces only what follows the colon.
        ("git pack list git : o", "origin"),
    ] {
        let script = format!(
            ". {script}; . {}; compopt() {{ :; }}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             COMP_LINE='{words}' COMP_POINT=${{#COMP_LINE}}; __git_wrap__git_main; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            ours.display()
        );
        let done = repo.place.run(&repo.root, "bash", &["-c", &script]);
        assert_eq!(done.out().trim_end(), expected, "{words}: {}", done.stderr);
    }
}

#[test]
fn hostile_names_are_not_completed() {
    let repo = Repo::set_up();
    let mut toml = String::from("version = 1\n");
    toml.push_str("[scope.fine]\n");
    repo.write(".gitpack.toml", &toml);
    for name in ["$(touch owned)", "a;touch owned", "\u{1b}[2J", "`touch owned`", "a b"] {
        fs::create_dir_all(repo.path(&format!("_PACK_RUN/{name}"))).unwrap();
    }
    repo.git(&["update-ref", "refs/heads/$(touch${IFS}owned)", "HEAD"]).ok();
    let lines = |words: &[&str]| repo.pack(&[&["complete", "--"], words].concat()).ok().out();
    assert_eq!(lines(&["verify", ""]), ":files\n");
    assert!(!lines(&["state", ""]).contains('$'), "{}", lines(&["state", ""]));
    assert!(lines(&["state", ""]).contains("main\t"), "{}", lines(&["state", ""]));
    assert!(!repo.path("owned").exists());
}

#[test]
fn near_names_of_scopes_and_remotes_are_told() {
    let repo = Repo::set_up();
    repo.write(
        ".gitpack.toml",
        "version = 1\n[scope.docs]\ninclude = [\"docs/\"]\n[seal]\nrecipients = []\n",
    );
    repo.commit("scopes");
    repo.git(&["remote", "add", "origin", "../origin.git"]).ok();
    for (args, told) in [
        (&["state", "--scope", "dosc"][..], "did you mean docs?"),
        (&["scan", "--remote", "orgin"], "did you mean origin?"),
        (&["list", "git:orgin"], "did you mean origin?"),
    ] {
        let done = repo.pack(args);
        assert_eq!(done.code, 2, "{args:?}");
        assert!(done.stderr.contains(told), "{args:?}: {}", done.stderr);
    }
    let done = repo.pack(&["state", "--scope", "zzz"]);
    assert!(!done.stderr.contains("did you mean"), "{}", done.stderr);
}
