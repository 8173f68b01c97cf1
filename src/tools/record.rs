//! `--record`: what a recording begins with, and the warning that it is on.
//!
//! Not here: the lines (`hub::record`), the file (`server::Recording`), playing it (`replay`).

use crate::cli::options::ServeOptions;
use crate::cli::serve::random;
use crate::history::Author;
use crate::hub::record::{Head, VERSION};
use crate::server::Recording;
use crate::text::Hex;
use crate::time::Now;
use std::io::{self, Write};
use std::path::Path;

/// Begins the file, and says so to whoever starts the server. Returns the seed of the session
/// tokens too.
pub(crate) fn begin(
    path: &Path,
    options: &ServeOptions,
    epoch: &str,
    author: Author,
    now: Now,
) -> Result<(Recording, [u8; 16]), String> {
    let seed = random::<16>()?;
    // Where it is and where it listens is nothing to a replay.
    let is_kept =
        |given: &&String| !given.starts_with("--record=") && !given.starts_with("--listen=");
    let head = Head {
        parlor_recording: VERSION,
        server: env!("CARGO_PKG_VERSION").to_owned(),
        seed: format!("{:x}", Hex(&seed)),
        epoch: epoch.to_owned(),
        newest_author: author.0,
        started: now.unix.0,
        options: options.given.iter().filter(is_kept).cloned().collect(),
    };
    let head = serde_json::to_string(&head).map_err(|error| error.to_string())?;
    let recording = Recording::begin(path, &head)
        .map_err(|error| format!("can't record to {}: {error}", path.display()))?;
    let warning = format!(
        "parlor: WARNING: all that people send to this server is recorded in {}, with the seed of their sessions: whoever has that file can \
         read it and be any of them",
        path.display()
    );
    let _ = writeln!(io::stderr(), "{}", warning.replace(char::is_control, " "));
    Ok((recording, seed))
}
