//! Arguments and environment in, exit status out.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    parlor::cli::run(std::env::args_os().skip(1), |name| std::env::var_os(name))
}
