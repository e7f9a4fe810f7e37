//! The program `sparring`; `sparring --help` lists its commands.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    sparring_cli::main()
}
