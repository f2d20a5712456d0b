//! Writes down the tokens that texts are counted with, in the order of their ranks, each behind its length.

#![allow(clippy::print_stdout, reason = "this is how cargo is told")]

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    // The crate has them in the form of its automata, which is ten times as large, and which counting does not need.
    let vocabulary = &bpe_openai::o200k_base().bpe;
    let mut tokens = Vec::new();
    for rank in 0..vocabulary.num_tokens() {
        let token = vocabulary.token_bytes(u32::try_from(rank).expect("ranks are of 32 bits"));
        tokens.push(u8::try_from(token.len()).expect("the longest token has 128 bytes"));
        tokens.extend_from_slice(token);
    }
    let directory = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where a build script may write"));
    fs::write(directory.join("o200k_base.tokens"), tokens).expect("cargo gives a build script a directory to write to");
    println!("cargo::rerun-if-changed=build.rs");
}
