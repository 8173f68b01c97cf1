//! The results for a person, for programs, and for the next run.

use super::cases::{Case, Severity};
use super::judge::{Verdict, autobahn};
use super::play::{End, Outcome};
use crate::cli::output::NAME_AND_VERSION;
use crate::text::Hex;
use crate::tools::dissect::plural;
use crate::tools::terminal::{Style, Terminal};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The bytes of each direction that are shown.
const SHOWN_BYTES: usize = 64;

/// A case that was played.
pub(super) struct Played<'a> {
    pub(super) case: &'a Case,
    pub(super) outcome: Outcome,
    pub(super) verdict: Verdict,
    /// Whether it counts as a failure of the run.
    pub(super) is_failure: bool,
}

impl Played<'_> {
    /// Prints what was demanded, what came back, and the bytes.
    pub(super) fn print(&self, terminal: &mut Terminal<'_>) {
        let Self {
            case,
            outcome,
            verdict,
            ..
        } = self;
        let style = if self.is_failure {
            Style::Wrong
        } else {
            Style::Faint
        };
        let word = terminal.paint(style, &format!("{:9}", verdict.word()));
        let name = terminal.paint(Style::Strong, &case.name);
        terminal.line(&format!("{word} {name} ({})", case.severity.word()));
        terminal.line(&format!(
            "    demanded   {} ({})",
            case.demand, case.section
        ));
        terminal.line(&format!("    came back  {}", outcome.sentence()));
        for (word, log) in [("sent", &outcome.sent), ("received", &outcome.received)] {
            let shown = &log.start[..log.start.len().min(SHOWN_BYTES)];
            let more = if log.total > shown.len() { " …" } else { "" };
            let total = plural(log.total as u64, "byte");
            terminal.line(&format!("    {word:10} {total}: {}{more}", Hex(shown)));
        }
    }

    /// Returns the object of `--json`.
    pub(super) fn json(&self) -> Value {
        let Self {
            case,
            outcome,
            verdict,
            is_failure,
        } = self;
        json!({
            "name": case.name, "autobahn": case.number(), "section": case.section,
            "severity": case.severity.word(), "demand": case.demand, "verdict": verdict.word(),
            "failed": is_failure, "came": outcome.sentence(),
            "sent": Hex(&outcome.sent.start).to_string(), "sent_bytes": outcome.sent.total,
            "received": Hex(&outcome.received.start).to_string(),
            "received_bytes": outcome.received.total, "seconds": outcome.time.as_secs_f64(),
        })
    }
}

/// Returns the number of cases with each verdict.
pub(super) fn counts<'a>(played: impl Iterator<Item = &'a Played<'a>>) -> [usize; 4] {
    let mut counts = [0; 4];
    played.for_each(|played| counts[played.verdict as usize] += 1);
    counts
}

/// Prints how many cases of each section have each verdict.
pub(super) fn print_sections(played: &[Played<'_>], terminal: &mut Terminal<'_>) {
    let mut sections: Vec<&str> = Vec::new();
    for played in played {
        if !sections.contains(&played.case.section) {
            sections.push(played.case.section);
        }
    }
    sections.sort_unstable();
    let words = Verdict::ALL.map(Verdict::word);
    let line =
        |section: &str, [a, b, c, d]: [String; 4]| format!("{section:24}{a:>9}{b:>9}{c:>9}{d:>9}");
    terminal.styled(Style::Strong, &line("section", words.map(str::to_owned)));
    for section in sections {
        let of_section = played
            .iter()
            .filter(|played| played.case.section == section);
        terminal.line(&line(
            section,
            counts(of_section).map(|count| count.to_string()),
        ));
    }
}

/// Returns the result of the whole run, the last object of `--json`.
pub(super) fn summary(played: &[Played<'_>], url: &str, server: &str, seconds: f64) -> Value {
    let [held, violated, other, not_applicable] = counts(played.iter());
    let failed = played.iter().filter(|played| played.is_failure);
    let by_severity = Severity::WORDS.map(|(severity, word)| {
        let count = failed
            .clone()
            .filter(|played| played.case.severity == severity)
            .count();
        (word.to_owned(), json!(count))
    });
    json!({
        "summary": true, "url": url, "server": server, "version": NAME_AND_VERSION,
        "seconds": seconds, "cases": played.len(), "held": held, "violated": violated,
        "other": other, "not_applicable": not_applicable, "failed": failed.count(),
        "failed_by_severity": Value::Object(by_severity.into_iter().collect()),
    })
}

/// Returns the results as JUnit XML, which GitHub and GitLab read.
pub(super) fn junit(played: &[Played<'_>], url: &str, seconds: f64) -> String {
    let (tests, skipped) = (
        played.len(),
        counts(played.iter())[Verdict::NotApplicable as usize],
    );
    let failures = played.iter().filter(|played| played.is_failure).count();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"{}\" \
         tests=\"{tests}\" failures=\"{failures}\" skipped=\"{skipped}\" time=\"{seconds:.3}\">\n",
        xml_text(&format!("parlor test {url}"))
    );
    for Played {
        case,
        outcome,
        verdict,
        is_failure,
    } in played
    {
        let (name, class, time) = (xml_text(&case.name), xml_text(case.section), outcome.time);
        let (word, came) = (verdict.word(), xml_text(&outcome.sentence()));
        let body = match (is_failure, verdict) {
            (true, _) => format!(
                "<failure type=\"{}\" message=\"{word}: {came}\">{}\nsent: {}\nreceived: {}</failure>",
                case.severity.word(),
                xml_text(case.demand),
                Hex(&outcome.sent.start),
                Hex(&outcome.received.start),
            ),
            (false, Verdict::NotApplicable) => format!("<skipped message=\"{came}\"/>"),
            (false, _) => String::new(),
        };
        let _ = writeln!(
            xml,
            "<testcase classname=\"{class}\" name=\"{name}\" time=\"{:.3}\">{body}</testcase>",
            time.as_secs_f64()
        );
    }
    xml + "</testsuite>\n</testsuites>\n"
}

/// Escapes text for XML 1.0, which has no control characters.
fn xml_text(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            control if control.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Returns the `index.json` of an Autobahn report, with the cases that are Autobahn's.
pub(super) fn index(played: &[Played<'_>], agent: &str) -> Value {
    let mut cases = serde_json::Map::new();
    for Played { case, outcome, .. } in played {
        let Some(number) = case.number() else {
            continue;
        };
        let (behavior, behavior_close) = autobahn(case, outcome);
        let code = match outcome.closing_end() {
            End::Close(code, _) => *code,
            _ => None,
        };
        let result = json!({
            "behavior": behavior, "behaviorClose": behavior_close, "remoteCloseCode": code,
            "duration": outcome.time.as_millis() as u64, "reportfile": null,
        });
        cases.insert(number.to_owned(), result);
    }
    json!({ agent: cases })
}

/// Returns the file of `--write-expected`: a line for each case that did not hold.
pub(super) fn baseline(played: &[Played<'_>]) -> String {
    let mut text =
        "# Written by parlor test --write-expected: the cases that do not hold.\n".to_owned();
    for played in played
        .iter()
        .filter(|played| played.verdict != Verdict::Held)
    {
        text += &format!("{} {}\n", played.case.name, played.verdict.word());
    }
    text
}

/// Parses the file of `--expect`. An error is the wrong line.
pub(super) fn parse_baseline(text: &str) -> Result<BTreeMap<&str, Verdict>, &str> {
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let parsed = lines.map(|line| {
        let (name, word) = line.split_once(' ').ok_or(line)?;
        let verdict = Verdict::ALL
            .into_iter()
            .find(|verdict| verdict.word() == word);
        verdict.map(|verdict| (name, verdict)).ok_or(line)
    });
    parsed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_has_no_markup_and_no_control_characters_of_a_server() {
        assert_eq!(
            xml_text("<a b=\"c\">&\x1b\n"),
            "&lt;a b=&quot;c&quot;&gt;&amp;\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn baseline_is_lines_of_a_name_and_a_verdict() {
        let parsed = parse_baseline("# x\n\n1.1.1 violated\nrsv1 other\n12.1.1 n/a\n").unwrap();
        let verdicts = [Verdict::Violated, Verdict::Other, Verdict::NotApplicable];
        let names = ["1.1.1", "rsv1", "12.1.1"];
        assert_eq!(parsed, names.into_iter().zip(verdicts).collect());
        for wrong in ["rsv1", "rsv1 wrong", "rsv1  held"] {
            assert_eq!(parse_baseline(wrong), Err(wrong));
        }
    }
}
