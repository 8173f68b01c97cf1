//! The manual page, from the same tables and texts as `--help` (groff_man(7)).

use super::help::CLOSING;
use super::options::ROWS;
use crate::tools::TOOLS;

/// Returns the source of the manual page.
pub(crate) fn manual() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut page = format!(
        ".TH PARLOR 1 \"\" \"parlor {version}\" \"User Commands\"
.SH NAME
parlor \\- a live chat in the browser, in one small binary
.SH SYNOPSIS
.B parlor
.RI [ OPTION ]...
.br
.B parlor
.IR \"COMMAND\" \" ...\"
.SH DESCRIPTION
Starts the server and prints its address. Open it in two browser windows to chat with yourself.
SIGINT (Ctrl\\-C), SIGTERM or SIGHUP stops the server; a second signal ends it at once.
.SH OPTIONS
"
    );
    let mut group = "";
    for row in ROWS {
        if row.group != group {
            group = row.group;
            page += &format!(".SS {}\n", escaped(group));
        }
        let default = format!(" [{}]", row.default()).replace(" []", "");
        let (name, value) = (escaped(row.name), escaped(row.value));
        page += &format!(".TP\n\\fB\\-\\-{name}\\fR \\fI{value}\\fR\n");
        page += &format!("{}{}\n", escaped(row.help), escaped(&default));
    }
    page += ".SS Others\n.TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nprint the options\n";
    page += ".TP\n\\fB\\-V\\fR, \\fB\\-\\-version\\fR\n";
    page += "print the version, the features of this build, and SQLite's version\n.PP\n";
    page += &format!(".nf\n{}.fi\n", escaped(CLOSING));
    page += ".SH COMMANDS\n";
    for tool in TOOLS {
        let name = tool.name();
        page += &format!(".SS parlor {name}\n.nf\n{}\n.fi\n", escaped(tool.manual));
    }
    page + "\
.SH EXIT STATUS
0 after a signal stopped the server; 1 if the start failed; 2 for a wrong option or value.
.SH FILES
.TP
.I parlor.db
the history, in the folder where parlor was started
"
}

/// Escapes text, and turns blank lines into paragraphs. A line that begins with spaces stays a line
/// of its own.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let text = text.replace("\n.", "\n\\&.").replace("\n'", "\n\\&'");
    text.replace("\n\n", "\n.PP\n")
}
