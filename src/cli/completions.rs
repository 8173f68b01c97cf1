//! Completions for bash, zsh and fish, from the tables of options and subcommands.

use super::options::ROWS;
use crate::tools::TOOLS;

/// A word of the command line that can be completed.
struct Opt {
    /// The name without its dashes.
    name: &'static str,
    /// The name of its value; empty for a flag.
    value: &'static str,
    help: &'static str,
}

/// The options of the server (with an empty name), or of a subcommand.
struct Command {
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
    let opt = |name, value, help| Opt { name, value, help };
    let rows = ROWS.iter().map(|row| opt(row.name, row.value, row.help));
    let mut commands = vec![Command {
        name: "",
        help: "",
        options: rows
            .chain([opt("version", "", "print the version")])
            .collect(),
        operands: "",
    }];
    commands.extend(TOOLS.iter().map(|tool| {
        Command {
            name: tool.name(),
            help: tool.help,
            options: tool
                .options
                .iter()
                .map(|name| match name.strip_suffix('=') {
                    Some(name) => opt(name, "FILE", ""),
                    None => opt(name, "", ""),
                })
                .collect(),
            operands: match tool.name() {
                "completions" => "bash zsh fish",
                "explain" => "frames handshake",
                _ => "",
            },
        }
    }));
    for command in &mut commands {
        command.options.push(opt("help", "", "print the options"));
    }
    Some(print(&commands))
}

impl Opt {
    /// Returns the first clause of the sentence.
    fn clause(&self) -> &str {
        let end = self.help.find([';', ':', '(']).unwrap_or(self.help.len());
        let end = end.min(self.help.find(". ").unwrap_or(self.help.len()));
        self.help[..end].trim_end()
    }

    fn is_path(&self) -> bool {
        matches!(self.value, "FILE" | "DIR")
    }

    /// Returns the words that the value can be; empty if there is no list of them.
    fn words(&self) -> &'static str {
        if self.name == "sync" {
            "normal full"
        } else {
            ""
        }
    }
}

/// Quotes text for zsh and fish.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn names(commands: &[Command]) -> String {
    let names: Vec<_> = commands[1..].iter().map(|command| command.name).collect();
    names.join(" ")
}

/// If there is no match, `-o default` completes files.
fn bash(commands: &[Command]) -> String {
    let mut cases = String::new();
    for command in commands {
        let options = command.options.iter();
        let options: String = options
            .map(|option| format!(" --{}", option.name))
            .collect();
        let pattern = if command.name.is_empty() {
            "*"
        } else {
            command.name
        };
        cases.insert_str(
            0,
            &format!(
                "        {pattern}) words='{}{options}' ;;\n",
                command.operands
            ),
        );
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
    let list = |words: &str| {
        if words.is_empty() {
            "_files".to_owned()
        } else {
            format!("({words})")
        }
    };
    let (mut cases, mut described) = (String::new(), String::new());
    for command in commands {
        let mut case = match command.name {
            "" => "        *) _arguments".to_owned(),
            name => {
                let line = format!("{name}:{}", escaped(command.help));
                described += &format!("            {}\n", quoted(&line));
                format!("        {name}) shift words; (( CURRENT-- )); _arguments")
            }
        };
        for option in &command.options {
            let equals = if option.value.is_empty() { "" } else { "=" };
            let mut entry = format!("*--{}{equals}", option.name);
            if !option.help.is_empty() {
                entry += &format!("[{}]", escaped(option.clause()));
            }
            if !option.value.is_empty() {
                let is_any = !option.is_path() && option.words().is_empty();
                let action = if is_any {
                    " ".to_owned()
                } else {
                    list(option.words())
                };
                entry += &format!(":{}:{action}", escaped(option.value));
            }
            case += &format!(" \\\n            {}", quoted(&entry));
        }
        if !command.name.is_empty() {
            case += &format!(" \\\n            '*:operand:{}'", list(command.operands));
        }
        cases.insert_str(0, &format!("{case} ;;\n"));
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
    let all = names(commands);
    let mut text = String::new();
    for command in commands {
        let condition = match command.name {
            "" => format!("not __fish_seen_subcommand_from {all}"),
            name => {
                let (first, help) = ("__fish_use_subcommand", quoted(command.help));
                text += &format!("complete -c parlor -n {first} -f -a {name} -d {help}\n");
                format!("__fish_seen_subcommand_from {name}")
            }
        };
        for option in &command.options {
            let value = match (option.value, option.words()) {
                ("", _) => String::new(),
                (_, "") if option.is_path() => " -r -F".to_owned(),
                (_, "") => " -x".to_owned(),
                (_, words) => format!(" -x -a '{words}'"),
            };
            let (name, help) = (option.name, quoted(option.clause()));
            text += &format!("complete -c parlor -n '{condition}' -l {name}{value} -d {help}\n");
        }
        if !command.operands.is_empty() {
            text += &format!(
                "complete -c parlor -n '{condition}' -f -a '{}'\n",
                command.operands
            );
        }
    }
    text
}
