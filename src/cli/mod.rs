//! The command line: options in, exit status out.
//!
//! Standard output gets one line, once the server accepts connections. Everything else goes to
//! standard error. The exit status is 0 for success, 1 if the start failed or a tool found a broken
//! rule, 2 for a wrong option or value, and 3 for a server that `parlor test` can't reach. A start
//! that fails prints one line.

pub(crate) mod args;
#[cfg(feature = "tools")]
pub(crate) mod completions;
mod help;
mod invitation;
mod keys;
#[cfg(feature = "log-output")]
mod log;
#[cfg(feature = "tools")]
pub(crate) mod manual;
pub mod options;
pub(crate) mod output;
pub(crate) mod serve;
mod values;

pub use help::help;

use options::Asked;
use output::{FAILED, NAME_AND_VERSION, WRONG, fail, print, print_if_ready};
use std::ffi::OsString;
use std::process::ExitCode;

/// Does what the arguments (without the program's name) and the environment ask for.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> ExitCode {
    let mut arguments = arguments.into_iter().peekable();
    let command = arguments.peek().and_then(|first| first.to_str());
    #[cfg(feature = "tools")]
    if let Some(tool) = crate::tools::TOOLS
        .iter()
        .find(|tool| Some(tool.name()) == command)
    {
        return tool.run(arguments.skip(1), &variable);
    }
    #[cfg(not(feature = "tools"))]
    if let Some(word) = command.filter(|word| !word.starts_with('-')) {
        let error = format!("{word} needs a parlor that was built with the feature tools");
        return fail(WRONG, &error);
    }
    match options::parse(arguments, &variable) {
        Err(error) => return fail(WRONG, &format!("{error}; see parlor --help")),
        Ok(Asked::Help) => print(&help()),
        Ok(Asked::Version) => print(&version()),
        Ok(Asked::Serve(options)) => {
            #[cfg(feature = "log-output")]
            log::start(&variable);
            if let Err(error) = serve::serve(&options, &variable, print_if_ready) {
                return fail(FAILED, &error);
            }
        }
    }
    ExitCode::SUCCESS
}

/// Returns the text of `--version`: the version, the features of this build, and SQLite's version.
fn version() -> String {
    let features = [
        ("deflate", cfg!(feature = "deflate")),
        ("history", cfg!(feature = "history")),
        ("log-output", cfg!(feature = "log-output")),
        ("qr", cfg!(feature = "qr")),
        ("simd", cfg!(feature = "simd")),
        ("systemd", cfg!(feature = "systemd")),
        ("tools", cfg!(feature = "tools")),
        ("unicode", cfg!(feature = "unicode")),
    ];
    let built = features.iter().filter(|(_, is_built)| *is_built);
    let names: Vec<_> = built.map(|(name, _)| *name).collect();
    #[cfg(feature = "history")]
    let sqlite = format!("SQLite {}\n", crate::history::sqlite::version());
    #[cfg(not(feature = "history"))]
    let sqlite = "";
    format!(
        "{NAME_AND_VERSION}\nfeatures: {}\n{sqlite}",
        names.join(", ")
    )
}
