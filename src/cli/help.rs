//! The text of `--help`, from the table of options.
//!
//! Not here: the options and their sentences (`options`).

use super::NAME_AND_VERSION;
use super::options::ROWS;

/// The width that `--help` keeps to.
const WIDTH: usize = 80;
/// Where its sentences begin.
const COLUMN: usize = 31;

/// The text of `--help`.
pub fn help() -> String {
    let mut text = format!(
        "{NAME_AND_VERSION}: a live chat in the browser on one small binary.\n\nUsage: parlor [OPTION]...\n       parlor COMMAND ...\n\n\
         Starts the server and prints its address. Open that in two browser windows, and\nthey talk. Ctrl-C stops it.\n"
    );
    let mut group = "";
    for row in ROWS {
        if row.group != group {
            group = row.group;
            text += &format!("\n{group}:\n");
        }
        let default = if row.default.is_empty() {
            String::new()
        } else {
            format!(" [{}]", row.default)
        };
        entry(&row.usage(), &format!("{}{default}", row.help), &mut text);
    }
    text += "\nOthers:\n";
    entry("-h, --help", "this text", &mut text);
    entry("-V, --version", "the version", &mut text);
    #[cfg(feature = "tools")]
    {
        text += "\nCommands, each with a --help of its own:\n";
        for tool in crate::tools::TOOLS {
            entry(tool.usage, tool.help, &mut text);
        }
    }
    text + "
What stands in brackets is the default. --name value and --name=value mean the
same, and the last one counts.

Each option has an environment variable: --max-message-bytes is
PARLOR_MAX_MESSAGE_BYTES. The option wins over the variable, and an empty
variable is as none. A flag's is 1 or 0, and that of an option that can be given
several times is a list with commas. PARLOR_LOG says what is logged to standard
error: error, warn, info (the default) or debug.

Whoever reaches the port can read and write. To let others in than this machine:
  parlor --listen 0.0.0.0:8080
Behind a proxy on this machine that speaks TLS for chat.example:
  parlor --origin https://chat.example --trusted-proxy 127.0.0.1
To work on the page:
  parlor --www www
"
}

/// An option and its sentence beside it, wrapped.
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
