//! `parlor completions` and `parlor man`: texts about parlor for other programs.

use super::tool::{Failure, Tool};
use crate::cli::completions::completions;
use crate::cli::manual::manual;

pub(super) const COMPLETIONS: Tool = Tool {
    usage: "completions SHELL",
    help: "print the completions for bash, zsh or fish",
    manual: "\
Usage: parlor completions bash|zsh|fish

Prints what the shell needs to complete parlor's options and commands.
  parlor completions bash > /usr/share/bash-completion/completions/parlor
  parlor completions zsh > /usr/share/zsh/vendor-completions/_parlor
  parlor completions fish > /usr/share/fish/vendor_completions.d/parlor.fish
In one running shell: eval \"$(parlor completions bash)\"",
    options: &[],
    operands: 1,
    run: |given, terminal| {
        let shell = given.operand("the shell").map_err(Failure::Wrong)?;
        let text = shell.to_str().and_then(completions);
        let text = text.ok_or_else(|| Failure::wrong("the shell must be bash, zsh or fish"))?;
        terminal.line(text.trim_end());
        Ok(true)
    },
};

pub(super) const MAN: Tool = Tool {
    usage: "man",
    help: "print the manual page",
    manual: "\
Usage: parlor man

Prints the manual page, for man(1).
  parlor man > /usr/share/man/man1/parlor.1
  parlor man | man -l -",
    options: &[],
    operands: 0,
    run: |_, terminal| {
        terminal.line(manual().trim_end());
        Ok(true)
    },
};
