//! The binary: hands the process's arguments to the library and returns its exit status.

fn main() -> std::process::ExitCode {
    gitpack::run()
}
