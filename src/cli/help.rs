//! The text of `--help`, from the table of options.

use super::options::ROWS;
use super::output::NAME_AND_VERSION;

/// The widest line, in characters.
const WIDTH: usize = 80;
/// The column in which the sentences begin.
const COLUMN: usize = 31;

/// The paragraphs after the options. Lines that begin with spaces are examples.
pub(super) const CLOSING: &str = "\
Defaults are in brackets. --name value and --name=value mean the same. If an
option is given twice, the last one counts.

Each option has an environment variable: --max-message-bytes is
PARLOR_MAX_MESSAGE_BYTES. The option wins over the variable, and an empty
variable counts as unset. Flags are 1 or 0; options that can be given several
times are lists with commas. PARLOR_LOG sets the log level on standard error:
error, warn, info (the default) or debug.

Anyone who can reach the port can read and write. To let other computers in:
  parlor --listen 0.0.0.0:8080
Behind a proxy on this machine that does TLS for chat.example:
  parlor --origin https://chat.example --trusted-proxy 127.0.0.1
To work on the page:
  parlor --www www
";

/// Returns the text of `--help`.
pub fn help() -> String {
    let has_commands = cfg!(feature = "tools");
    let commands = if has_commands {
        "\n       parlor COMMAND ..."
    } else {
        ""
    };
    let mut text = format!(
        "{NAME_AND_VERSION}: a live chat in the browser, in one small binary.

Usage: parlor [OPTION]...{commands}

Starts the server and prints its address. Open it in two browser windows to chat
with yourself. Ctrl-C stops the server.
"
    );
    let mut group = "";
    for row in ROWS {
        if row.group != group {
            group = row.group;
            text += &format!("\n{group}:\n");
        }
        let default = format!(" [{}]", row.default()).replace(" []", "");
        entry(&row.usage(), &format!("{}{default}", row.help), &mut text);
    }
    text += "\nOthers:\n";
    entry("-h, --help", "print this text", &mut text);
    entry(
        "-V, --version",
        "print the version, the features of this build, and SQLite's version",
        &mut text,
    );
    #[cfg(feature = "tools")]
    {
        text += "\nCommands, each with its own --help:\n";
        for tool in crate::tools::TOOLS {
            entry(tool.usage, tool.help, &mut text);
        }
    }
    text + "\n" + CLOSING
}

/// Appends an option and its sentence beside it, wrapped.
fn entry(usage: &str, sentence: &str, text: &mut String) {
    let mut line = format!("  {usage:<width$}", width = COLUMN - 2);
    for word in sentence.split_whitespace() {
        if line.len() + word.len() >= WIDTH {
            *text += line.trim_end();
            text.push('\n');
            line = " ".repeat(COLUMN);
        }
        line += word;
        line.push(' ');
    }
    *text += line.trim_end();
    text.push('\n');
}
