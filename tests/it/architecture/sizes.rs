//! Checks that files and functions are short. Run with `--nocapture`, it prints the longest functions.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::sources::{files, is_for_tests, parse};

/// Most lines of a file.
const FILE: usize = 500;

/// Most lines of a function, from its name to its end, unless it is one flat `match`.
const FUNCTION: usize = 80;

/// Most parameters of a function, including `self`.
const PARAMETERS: usize = 6;

/// A function is one flat `match` if a `match` takes at least this percentage of its lines.
const MATCH: usize = 80;

/// Most lines of an arm of such a `match`.
const ARM: usize = 20;

/// The size of a function.
struct Measured {
    name: String,
    lines: usize,
    parameters: usize,
    is_flat: bool,
}

/// Collects the sizes of functions.
#[derive(Default)]
struct Measure(Vec<Measured>);

impl Measure {
    fn take(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let lines = block.span().end().line - signature.span().start().line + 1;
        self.0.push(Measured {
            name: signature.ident.to_string(),
            lines,
            parameters: signature.inputs.len(),
            is_flat: block.stmts.iter().any(|statement| is_flat(statement, lines)),
        });
    }
}

impl<'ast> Visit<'ast> for Measure {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_for_tests(&item.attrs) {
            self.take(&item.sig, &item.block);
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.take(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.take(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

/// Returns whether a statement is a `match` with short arms that takes most of the `of` lines of its function.
fn is_flat(statement: &syn::Stmt, of: usize) -> bool {
    let mut expression = match statement {
        syn::Stmt::Expr(expression, _) => expression,
        syn::Stmt::Local(syn::Local { init: Some(init), .. }) => &*init.expr,
        _ => return false,
    };
    // Look into calls such as `Ok(match …)`.
    loop {
        expression = match expression {
            syn::Expr::Call(call) if call.args.len() == 1 => &call.args[0],
            syn::Expr::Try(tried) => &tried.expr,
            syn::Expr::Match(found) => {
                let arms_are_short = found.arms.iter().all(|arm| lines(arm.span()) <= ARM);
                return arms_are_short && lines(found.span()) * 100 >= of * MATCH;
            }
            _ => return false,
        };
    }
}

fn lines(span: Span) -> usize {
    span.end().line - span.start().line + 1
}

fn measured(text: &str) -> Vec<Measured> {
    let mut measure = Measure::default();
    measure.visit_file(&parse(text));
    measure.0
}

/// Returns the file and the functions in it that are too large.
fn too_large(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let length = text.lines().count();
    if length > FILE {
        found.push(format!("{path}: {length} lines"));
    }
    for function in measured(text) {
        let name = function.name;
        if function.lines > FUNCTION && !function.is_flat {
            found.push(format!("{path}: {name} has {} lines", function.lines));
        }
        if function.parameters > PARAMETERS {
            found.push(format!("{path}: {name} has {} parameters", function.parameters));
        }
    }
    found
}

#[test]
fn files_and_functions_are_short() {
    let files = files();
    let mut longest: Vec<(usize, String)> = Vec::new();
    for (path, text) in &files {
        longest.extend(measured(text).into_iter().map(|function| {
            let flat = if function.is_flat { ", one match" } else { "" };
            let line = format!("{path}: {} ({} parameters{flat})", function.name, function.parameters);
            (function.lines, line)
        }));
    }
    longest.sort_unstable_by(|a, b| b.cmp(a));
    for (lines, function) in longest.iter().take(40) {
        println!("{lines:4} {function}");
    }
    let found: Vec<String> = files.iter().flat_map(|(path, text)| too_large(path, text)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_planted_length_is_found() {
    let statements = |count: usize| "    f();\n".repeat(count);
    let arms = |count: usize| "        1 => 2,\n".repeat(count);
    let long = statements(FUNCTION);
    for text in [
        "// line\n".repeat(FILE + 1),
        format!("fn f() {{\n{long}}}"),
        format!("impl X {{ fn f() {{\n{long}}} }}"),
        format!("trait X {{ fn f() {{\n{long}}} }}"),
        format!("mod x {{ fn f() {{\n{long}}} }}"),
        // Not flat: an arm is long, or most of it is something else.
        format!("fn f() {{\n    match x {{\n        1 => {{\n{long}        }}\n    }}\n}}"),
        format!("fn f() {{\n    match x {{\n{}    }}\n{}}}", arms(60), statements(20)),
        "fn f(a: A, b: B, c: C, d: D, e: E, f: F, g: G) {}".to_owned(),
        "impl X { fn f(&self, a: A, b: B, c: C, d: D, e: E, f: F) {} }".to_owned(),
    ] {
        assert_eq!(too_large("x.rs", &text).len(), 1, "{text}");
    }
}

#[test]
fn shorter_ones_are_not_found() {
    let statements = |count: usize| "    f();\n".repeat(count);
    let arms = "        1 => 2,\n".repeat(200);
    for text in [
        "// line\n".repeat(FILE),
        format!("fn f() {{\n{}}}", statements(FUNCTION - 2)),
        format!("fn f() {{\n    match x {{\n{arms}    }}\n}}"),
        format!("fn f() {{\n    g();\n    Ok(match x {{\n{arms}    }})\n}}"),
        format!("fn f() {{\n    let x = match x {{\n{arms}    }};\n    g(x)\n}}"),
        format!("#[cfg(test)]\nmod tests {{ fn f() {{\n{}}} }}", statements(FUNCTION)),
        "fn f(a: A, b: B, c: C, d: D, e: E, f: F) {}".to_owned(),
    ] {
        assert_eq!(too_large("x.rs", &text), [] as [String; 0], "{text}");
    }
}
