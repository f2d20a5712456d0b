# What there is to run, a line each. `just RECIPE`; every line can be typed without just as well.

# Lists the recipes.
default:
    @just --list

# Builds the program.
build:
    cargo build --release --locked

# Runs all tests, or those whose names contain a word.
test *filter:
    tests/run {{ filter }}

# Runs some tests in parallel processes; needs cargo-nextest.
quick *arguments:
    cargo nextest run --locked {{ arguments }}

# Runs the lints as the gate does.
lint:
    cargo clippy --locked --all-targets -- -D warnings

# Formats the sources.
fmt:
    cargo fmt

# Builds the documentation of the library.
doc:
    cargo doc --locked --no-deps

# Runs an example: `just example state_of_a_commit HEAD`.
example name *arguments:
    cargo run --quiet --locked --example {{ name }} -- {{ arguments }}

# Runs everything that must pass before a change lands.
gate:
    .ci/run

# Holds licences, sources and duplicates of dependencies to deny.toml; needs cargo-deny.
deny:
    cargo deny --locked check licenses bans sources

# Brings the database of advisories and holds the dependencies to it; needs cargo-deny.
advisories:
    cargo deny --locked check advisories

# Measures against what a user would run instead; needs hyperfine.
bench repository:
    benches/compare {{ repository }}

# Measures how time and memory grow with the work: `just scale --tenth files`.
scale *arguments:
    benches/scale {{ arguments }}

# Counts the instructions of hot functions; needs valgrind.
counts *arguments:
    benches/counts {{ arguments }}

# Fuzzes one target of fuzz/fuzz_targets/; needs cargo-fuzz and a nightly compiler.
fuzz target seconds="60":
    cargo +nightly fuzz run {{ target }} -- -max_total_time={{ seconds }}
