//! Checks that no two files import each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proc_macro2::{TokenStream, TokenTree};
use syn::UseTree;
use syn::visit::{self, Visit};

use super::sources::{files, named, parse};

/// The path of a module from the root of the crate.
type Module = Vec<String>;

/// Returns every pair of files that import each other. A `mod.rs` and its children are exempt.
fn circles(files: &BTreeMap<String, String>) -> Vec<String> {
    let modules: BTreeSet<Module> = files.keys().filter_map(|path| module_of(path)).collect();
    let mut imports: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    for (path, text) in files {
        let Some(module) = module_of(path) else { continue };
        let imported = imports_of(&module, text, &modules);
        imports.insert(module, imported);
    }
    let mut found = Vec::new();
    for (module, imported) in &imports {
        for other in imported.iter().filter(|other| *other > module) {
            let is_mutual = imports.get(other).is_some_and(|back| back.contains(module));
            let is_child = other.len() == module.len() + 1 && other.starts_with(module);
            if is_mutual && !is_child {
                found.push(format!(
                    "{} and {} import each other",
                    module.join("::"),
                    other.join("::")
                ));
            }
        }
    }
    found
}

/// Returns the module of a file. `None` for the root files of the crate.
fn module_of(path: &str) -> Option<Module> {
    let path = path.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path);
    (!matches!(path, "lib" | "main")).then(|| path.split('/').map(str::to_owned).collect())
}

/// Returns the modules that a file names, each by the longest path that has a file.
fn imports_of(module: &Module, text: &str, modules: &BTreeSet<Module>) -> BTreeSet<Module> {
    let file = parse(text);
    let mut names = Names {
        module: module.clone(),
        aliases: HashMap::new(),
        paths: Vec::new(),
    };
    for uses in [true, false] {
        for item in &file.items {
            if matches!(item, syn::Item::Use(_)) == uses {
                names.visit_item(item);
            }
        }
    }
    let file_of = |path: &Vec<String>| {
        let lengths = (1..=path.len()).rev();
        lengths
            .map(|length| path[..length].to_vec())
            .find(|path| modules.contains(path))
    };
    let mut found: BTreeSet<Module> = names.paths.iter().filter_map(file_of).collect();
    found.remove(module);
    found
}

/// Collects the paths in a file, resolved from the root of the crate.
struct Names {
    module: Module,
    /// The imports of the file, by the names that they bring in.
    aliases: HashMap<String, Vec<String>>,
    paths: Vec<Vec<String>>,
}

impl Names {
    /// Adds a path as it is written, and returns it from the root of the crate.
    fn take(&mut self, segments: &[String]) -> Vec<String> {
        let ups = segments
            .iter()
            .take_while(|segment| *segment == "self" || *segment == "super");
        let (mut whole, rest) = match segments {
            [first, rest @ ..] if first == "crate" => (Vec::new(), rest),
            [first, ..] if first == "self" || first == "super" => {
                let up = ups.clone().filter(|segment| *segment == "super").count();
                let above = self.module.len().saturating_sub(up);
                (self.module[..above].to_vec(), &segments[ups.count()..])
            }
            [first, rest @ ..] if self.aliases.contains_key(first) => (self.aliases[first].clone(), rest),
            // A child module, or another crate, which has no file here.
            rest => (self.module.clone(), rest),
        };
        whole.extend_from_slice(rest);
        self.paths.push(whole.clone());
        whole
    }

    fn take_use(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.take_use(&with(&path.ident), &path.tree),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.take_use(before, tree)),
            UseTree::Glob(_) => drop(self.take(before)),
            UseTree::Name(name) if name.ident == "self" => self.bring_in(before.last().cloned(), before),
            UseTree::Name(name) => self.bring_in(Some(name.ident.to_string()), &with(&name.ident)),
            UseTree::Rename(rename) => self.bring_in(Some(rename.rename.to_string()), &with(&rename.ident)),
        }
    }

    fn bring_in(&mut self, name: Option<String>, segments: &[String]) {
        let whole = self.take(segments);
        self.aliases.extend(name.map(|name| (name, whole)));
    }

    /// Adds the paths in the arguments of a macro, which are not parsed.
    fn take_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 2;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(ident) if colons == 2 => path.push(ident.to_string()),
                other => {
                    self.end_of(&mut path);
                    match other {
                        TokenTree::Ident(ident) => path.push(ident.to_string()),
                        TokenTree::Group(group) => self.take_tokens(group.stream()),
                        _ => {}
                    }
                }
            }
            colons = if path.is_empty() { 2 } else { 0 };
        }
        self.end_of(&mut path);
    }

    fn end_of(&mut self, path: &mut Vec<String>) {
        if path.len() > 1 {
            self.take(path);
        }
        path.clear();
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if item.leading_colon.is_none() {
            self.take_use(&[], &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.take(&segments);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.take_tokens(call.tokens.clone());
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

#[test]
fn no_two_files_import_each_other() {
    let found = circles(&files());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_planted_circle_is_found() {
    for (there, back) in [
        ("use crate::b::B;", "use crate::a::A;"),
        ("use crate::b::{self, B};", "use crate::{a::A, c};"),
        ("use super::b;", "fn f() -> crate::a::A { todo!() }"),
        ("fn f(_: super::b::B) {}", "use super::{a};"),
        (
            "use crate::b as other; fn f() { other::g() }",
            "use crate::*; use crate::a::*;",
        ),
        (
            "fn f() { assert_eq!(crate::b::g(), 1) }",
            "fn f() { vec![x, (super::a::g(1))]; }",
        ),
        (
            "use crate::c; fn f() { crate::b::g() }",
            "impl crate::a::A for B { fn f() {} }",
        ),
    ] {
        let files = [("a.rs", there), ("b.rs", back), ("c.rs", "")];
        assert_eq!(circles(&named(files)), ["a and b import each other"], "{there} {back}");
    }
    let files = [
        ("x/mod.rs", "mod y; use y::z; fn f() { z::g() }"),
        ("x/y/mod.rs", "pub mod z;"),
        ("x/y/z.rs", "use crate::x::X;"),
    ];
    assert_eq!(circles(&named(files)), ["x and x::y::z import each other"]);
}

#[test]
fn other_imports_are_not_found() {
    for (there, back) in [
        ("use crate::b::B;", "// use crate::a::A;"),
        ("use crate::b::B;", "#[cfg(test)] mod tests { use crate::a::A; }"),
        ("use crate::b::B;", "fn f() -> &'static str { \"crate::a::A\" }"),
        ("use crate::b::B;", "use other::a::A; fn f(a: u8) { a.b() }"),
        ("use crate::b::B;", "pub(in crate::a) fn f() {}"),
        ("use ::b::B;", "use crate::a::A;"),
    ] {
        let files = [("a.rs", there), ("b.rs", back)];
        assert_eq!(circles(&named(files)), [] as [String; 0], "{there} {back}");
    }
    let files = [
        ("x/mod.rs", "mod y; use y::Y;"),
        ("x/y.rs", "use super::X;"),
        ("lib.rs", "use crate::x;"),
    ];
    assert_eq!(circles(&named(files)), [] as [String; 0]);
}
