//! The results for a person, for programs, and for the next run.

use super::cases::{Case, Severity};
use super::judge::{Verdict, autobahn};
use super::play::{End, Outcome};
use crate::cli::output::NAME_AND_VERSION;
use crate::text::Hex;
use crate::tools::dissect::{plural, shortened};
use crate::tools::terminal::{Style, Terminal};
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The bytes of each direction that are shown.
const SHOWN_BYTES: usize = 64;

pub(super) struct Played<'a> {
    pub(super) case: &'a Case,
    pub(super) outcome: Outcome,
    pub(super) verdict: Verdict,
    pub(super) severity: Severity,
    /// Whether it counts as a failure of the run.
    pub(super) is_failure: bool,
}

impl Played<'_> {
    /// Prints what was demanded, what came back, and the bytes.
    pub(super) fn print(&self, terminal: &mut Terminal<'_>) {
        let (case, outcome) = (self.case, &self.outcome);
        let word = format!("{:9}", self.verdict.word());
        let style = [Style::Faint, Style::Wrong][usize::from(self.is_failure)];
        let (word, name) = (
            terminal.paint(style, &word),
            terminal.paint(Style::Strong, &case.name),
        );
        terminal.line(&format!("{word} {name} ({})", self.severity.word()));
        terminal.line(&format!(
            "    demanded   {} ({})",
            case.demand, case.section
        ));
        terminal.line(&format!("    came back  {}", outcome.sentence()));
        for (word, log) in [("sent", &outcome.sent), ("received", &outcome.received)] {
            let bytes = match case.is_of_handshake() {
                true => log.start.escape_ascii().to_string(),
                false => shortened(&log.start, SHOWN_BYTES),
            };
            let total = plural(log.total as u64, "byte");
            terminal.line(&format!("    {word:10} {total}: {bytes}"));
        }
    }

    pub(super) fn json(&self) -> Value {
        let (case, outcome) = (self.case, &self.outcome);
        let (sent, received) = (&outcome.sent, &outcome.received);
        json!({
            "name": case.name, "autobahn": case.number(), "section": case.section,
            "severity": self.severity.word(), "demand": case.demand,
            "verdict": self.verdict.word(), "failed": self.is_failure, "came": outcome.sentence(),
            "sent": Hex(&sent.start).to_string(), "sent_bytes": sent.total,
            "received": Hex(&received.start).to_string(), "received_bytes": received.total,
            "seconds": outcome.time.as_secs_f64(),
        })
    }

    fn junit(&self) -> String {
        let (case, outcome) = (self.case, &self.outcome);
        let (word, came) = (self.verdict.word(), xml_text(&outcome.sentence()));
        let (name, class) = (xml_text(&case.name), xml_text(case.section));
        let (severity, demand) = (self.severity.word(), xml_text(case.demand));
        let (sent, received) = (Hex(&outcome.sent.start), Hex(&outcome.received.start));
        let body = match (self.is_failure, self.verdict) {
            (true, _) => format!(
                "<failure type=\"{severity}\" message=\"{word}: {came}\">{demand}\nsent: {sent}\n\
                 received: {received}</failure>"
            ),
            (false, Verdict::NotApplicable) => format!("<skipped message=\"{came}\"/>"),
            (false, _) => String::new(),
        };
        let time = outcome.time.as_secs_f64();
        format!(
            "<testcase classname=\"{class}\" name=\"{name}\" time=\"{time:.3}\">{body}</testcase>\n"
        )
    }
}

/// Prints the cases that failed, or all. The most severe ones come first, and those that failed
/// alike are printed once.
pub(super) fn print_cases(played: &[Played<'_>], is_all: bool, terminal: &mut Terminal<'_>) {
    let mut shown: Vec<_> = played
        .iter()
        .filter(|one| one.is_failure || is_all)
        .collect();
    shown.sort_by_key(|one| (Reverse(one.severity), one.case.demand));
    let is_alike = |one: &&Played<'_>, other: &&Played<'_>| {
        let what = |one: &Played<'_>| (one.case.demand, one.verdict, one.outcome.sentence());
        !is_all && what(one) == what(other)
    };
    for group in shown.chunk_by(is_alike) {
        group[0].print(terminal);
        if let [_, others @ ..] = group
            && !others.is_empty()
        {
            let names: Vec<_> = others.iter().map(|one| one.case.name.as_str()).collect();
            terminal.line(&format!("    also       {}", names.join(", ")));
        }
    }
}

pub(super) fn counts<'a>(played: impl Iterator<Item = &'a Played<'a>>) -> [usize; 4] {
    let mut counts = [0; 4];
    played.for_each(|played| counts[played.verdict as usize] += 1);
    counts
}

/// Prints how many cases of each section have each verdict, and the result of the whole run.
pub(super) fn print_summary(played: &[Played<'_>], summary: &Value, terminal: &mut Terminal<'_>) {
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
    let text = |field: &str| summary[field].as_str().unwrap_or_default();
    let server = match text("server") {
        "" => String::new(),
        server => format!(" ({server})"),
    };
    terminal.line(&format!(
        "{}{server}: {} in {:.1} s: {} held, {} violated, {} other, {} not applicable",
        text("url"),
        plural(played.len() as u64, "case"),
        summary["seconds"].as_f64().unwrap_or_default(),
        summary["held"],
        summary["violated"],
        summary["other"],
        summary["not_applicable"],
    ));
    let failed = &summary["failed"];
    let security = &summary["failed_by_severity"]["security"];
    let is_security = |one: &&Played<'_>| one.is_failure && one.severity == Severity::Security;
    let names = played
        .iter()
        .filter(is_security)
        .map(|one| one.case.name.as_str());
    let colon = if security == 0 { "" } else { ": " };
    let names = names.collect::<Vec<_>>().join(", ");
    terminal.line(&match failed == 0 {
        true => "No case failed.".to_owned(),
        false => format!("{failed} failed, {security} of them security{colon}{names}."),
    });
}

/// Returns the result of the whole run, the last object of `--json`.
pub(super) fn summary(played: &[Played<'_>], url: &str, server: &str, seconds: f64) -> Value {
    let [held, violated, other, not_applicable] = counts(played.iter());
    let failed = played.iter().filter(|played| played.is_failure);
    let by_severity = Severity::WORDS.map(|(severity, word)| {
        let count = failed
            .clone()
            .filter(|played| played.severity == severity)
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
    let name = xml_text(&format!("parlor test {url}"));
    let cases: String = played.iter().map(Played::junit).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"{name}\" \
         tests=\"{tests}\" failures=\"{failures}\" skipped=\"{skipped}\" time=\"{seconds:.3}\">\n\
         {cases}</testsuite>\n</testsuites>\n"
    )
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
pub(super) fn parse_baseline(text: &str) -> Result<BTreeMap<String, Verdict>, &str> {
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let parsed = lines.map(|line| {
        let (name, word) = line.split_once(' ').ok_or(line)?;
        let verdict = Verdict::ALL
            .into_iter()
            .find(|verdict| verdict.word() == word);
        verdict
            .map(|verdict| (name.to_owned(), verdict))
            .ok_or(line)
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
        let names = ["1.1.1", "rsv1", "12.1.1"].map(str::to_owned);
        assert_eq!(parsed, names.into_iter().zip(verdicts).collect());
        for wrong in ["rsv1", "rsv1 wrong", "rsv1  held"] {
            assert_eq!(parse_baseline(wrong), Err(wrong));
        }
    }
}
