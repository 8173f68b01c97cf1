//! Completions for bash, zsh and fish, from the tables of options and subcommands.

use super::options::ROWS;
use crate::tools::TOOLS;

struct Opt {
    /// The name without its dashes.
    name: &'static str,
    /// The name of its value; empty for a flag.
    value: &'static str,
    /// The words that the value can be; empty if there is no list of them.
    words: &'static str,
    /// The first clause of the sentence for `--help`.
    help: &'static str,
}

/// A subcommand, or the server.
struct Command {
    /// The name; `*` for the server, which is the last.
    name: &'static str,
    help: &'static str,
    options: Vec<Opt>,
    /// The words that an operand can be; empty if it is a file or can't be completed.
    operands: &'static str,
}

/// Returns the completions for a shell; `None` if it is another one.
pub(crate) fn completions(shell: &str) -> Option<String> {
    let print = match shell {
        "bash" => bash,
        "zsh" => zsh,
        "fish" => fish,
        _ => return None,
    };
    let opt = |name, value, help: &'static str| {
        let end = help.find([';', ':', '(']).unwrap_or(help.len());
        let end = end.min(help.find(". ").unwrap_or(help.len()));
        Opt {
            name,
            value,
            words: if name == "sync" { "normal full" } else { "" },
            help: help[..end].trim_end(),
        }
    };
    let help = || opt("help", "", "print the options");
    let tools = TOOLS.iter().map(|tool| Command {
        name: tool.name(),
        help: tool.help,
        options: (tool.options.iter())
            .map(|name| match name.strip_suffix('=') {
                Some(name) => opt(name, "FILE", ""),
                None => opt(name, "", ""),
            })
            .chain([help()])
            .collect(),
        operands: match tool.name() {
            "completions" => "bash zsh fish",
            "explain" => "frames handshake",
            _ => "",
        },
    });
    let rows = ROWS.iter().map(|row| opt(row.name, row.value, row.help));
    let others = [opt("version", "", "print the version"), help()];
    let server = Command {
        name: "*",
        help: "",
        options: rows.chain(others).collect(),
        operands: "",
    };
    Some(print(&tools.chain([server]).collect::<Vec<_>>()))
}

/// Quotes text for zsh and fish.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn names(commands: &[Command]) -> String {
    let names = commands.iter().map(|command| command.name);
    let names: Vec<_> = names.filter(|name| *name != "*").collect();
    names.join(" ")
}

/// If there is no match, `-o default` completes files.
fn bash(commands: &[Command]) -> String {
    let mut cases = String::new();
    for Command {
        name,
        options,
        operands,
        ..
    } in commands
    {
        let options = options.iter().map(|option| format!(" --{}", option.name));
        let options: String = options.collect();
        cases += &format!("        {name}) words='{operands}{options}' ;;\n");
    }
    format!(
        "_parlor() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} words
    case ${{COMP_WORDS[1]}} in
{cases}    esac
    (( COMP_CWORD > 1 )) || words+=' {}'
    [[ ${{COMP_WORDS[COMP_CWORD - 1]}} != --sync ]] || words='normal full'
    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")
}}
complete -o default -F _parlor parlor
",
        names(commands)
    )
}

fn zsh(commands: &[Command]) -> String {
    // A colon ends a field, and a bracket the explanation.
    let escaped = |text: &str| text.replace(':', r"\:").replace(['[', ']'], "");
    let list = |words: &str| match words {
        "" => "_files".to_owned(),
        words => format!("({words})"),
    };
    let (mut cases, mut described) = (String::new(), String::new());
    for command in commands {
        let (name, is_tool) = (command.name, command.name != "*");
        cases += &format!("        {name}) ");
        if is_tool {
            cases += "shift words; (( CURRENT-- )); ";
            let line = format!("{name}:{}", escaped(command.help));
            described += &format!("            {}\n", quoted(&line));
        }
        cases += "_arguments";
        for Opt {
            name,
            value,
            words,
            help,
        } in &command.options
        {
            let equals = if value.is_empty() { "" } else { "=" };
            let help = format!("[{}]", escaped(help)).replace("[]", "");
            let value = match (*value, *words) {
                ("", _) => String::new(),
                ("FILE" | "DIR", _) => format!(":{value}:_files"),
                (value, "") => format!(":{}: ", escaped(value)),
                (value, words) => format!(":{value}:{}", list(words)),
            };
            let entry = format!("*--{name}{equals}{help}{value}");
            cases += &format!(" \\\n            {}", quoted(&entry));
        }
        if is_tool {
            let operands = list(command.operands);
            cases += &format!(" \\\n            '*:operand:{operands}'");
        }
        cases += " ;;\n";
    }
    format!(
        "#compdef parlor
_parlor() {{
    if (( CURRENT == 2 )); then
        local -a commands=(
{described}        )
        _describe command commands
    fi
    case $words[2] in
{cases}    esac
}}
compdef _parlor parlor
"
    )
}

fn fish(commands: &[Command]) -> String {
    let mut text = String::new();
    for Command {
        name,
        help,
        options,
        operands,
    } in commands
    {
        let condition = match *name {
            "*" => format!("not __fish_seen_subcommand_from {}", names(commands)),
            name => {
                let (first, help) = ("__fish_use_subcommand", quoted(help));
                text += &format!("complete -c parlor -n {first} -f -a {name} -d {help}\n");
                format!("__fish_seen_subcommand_from {name}")
            }
        };
        let complete = format!("complete -c parlor -n '{condition}'");
        for Opt {
            name,
            value,
            words,
            help,
        } in options
        {
            let value = match (*value, *words) {
                ("", _) => String::new(),
                ("FILE" | "DIR", _) => " -r -F".to_owned(),
                (_, "") => " -x".to_owned(),
                (_, words) => format!(" -x -a '{words}'"),
            };
            text += &format!("{complete} -l {name}{value} -d {}\n", quoted(help));
        }
        if !operands.is_empty() {
            text += &format!("{complete} -f -a '{operands}'\n");
        }
    }
    text
}
