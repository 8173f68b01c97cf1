//! The results for a person, for programs, and for the next run.

use super::cases::{Case, Severity};
use super::judge::{Verdict, autobahn};
use super::play::Outcome;
use super::session::End;
use crate::cli::output::NAME_AND_VERSION;
use crate::text::{Hex, escape_markup};
use crate::tools::dissect::{plural, shortened};
use crate::tools::terminal::{Style, Terminal};
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The bytes of each direction that are shown.
const SHOWN_BYTES: usize = 64;

/// The cases that were played, and against what.
pub(super) struct Report<'a> {
    pub(super) played: Vec<Played<'a>>,
    pub(super) url: String,
    /// The name of the server or client in the report of Autobahn.
    pub(super) agent: String,
    /// The `Server` header of its responses.
    pub(super) server: String,
    pub(super) seconds: f64,
}

pub(super) struct Played<'a> {
    pub(super) case: &'a Case,
    pub(super) outcome: Outcome,
    pub(super) verdict: Verdict,
    /// The verdict of the file of `--expect`.
    pub(super) expected: Option<Verdict>,
    pub(super) severity: Severity,
    /// Whether it counts as a failure of the run.
    pub(super) is_failure: bool,
}

impl Played<'_> {
    /// Prints what was demanded, what came back, and the bytes.
    fn print(&self, terminal: &mut Terminal<'_>) {
        let (case, outcome) = (self.case, &self.outcome);
        let style = if self.is_failure {
            Style::Wrong
        } else {
            Style::Faint
        };
        let word = terminal.paint(style, &format!("{:9}", self.verdict.word()));
        let name = terminal.paint(Style::Strong, &case.name);
        terminal.line(&format!("{word} {name} ({})", self.severity.word()));
        let mut line = |word, text: &str| terminal.line(&format!("    {word:10} {text}"));
        if let Some(expected) = self.expected.filter(|_| self.is_failure) {
            line("expected", expected.word());
        }
        line("demanded", &format!("{} ({})", case.demand, case.section));
        line("came back", &outcome.sentence());
        for (word, log) in [("sent", &outcome.sent), ("received", &outcome.received)] {
            let bytes = match case.is_of_handshake() {
                true => log.start.escape_ascii().to_string(),
                false => shortened(&log.start, SHOWN_BYTES),
            };
            line(
                word,
                &format!("{}: {bytes}", plural(log.total as u64, "byte")),
            );
        }
    }

    fn json(&self) -> Value {
        let (case, outcome) = (self.case, &self.outcome);
        let (sent, received) = (&outcome.sent, &outcome.received);
        json!({
            "name": case.name, "autobahn": case.number(), "section": case.section,
            "severity": self.severity.word(), "demand": case.demand,
            "verdict": self.verdict.word(), "expected": self.expected.map(Verdict::word),
            "failed": self.is_failure, "came": outcome.sentence(),
            "sent": Hex(&sent.start).to_string(), "sent_bytes": sent.total,
            "received": Hex(&received.start).to_string(), "received_bytes": received.total,
            "seconds": outcome.time.as_secs_f64(),
        })
    }

    fn junit(&self) -> String {
        let (case, outcome) = (self.case, &self.outcome);
        let expected = self.expected.map(|it| format!(" instead of {}", it.word()));
        let word = self.verdict.word().to_owned() + &expected.unwrap_or_default();
        let came = xml_text(&outcome.sentence());
        let (name, class) = (xml_text(&case.name), xml_text(&case.section));
        let (severity, demand) = (self.severity.word(), xml_text(&case.demand));
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

impl<'a> Report<'a> {
    pub(super) fn failed(&self) -> impl Iterator<Item = &Played<'a>> + Clone {
        self.played.iter().filter(|one| one.is_failure)
    }

    /// Returns how many cases have each verdict.
    fn counts(&self) -> [usize; 4] {
        let count = |it| self.played.iter().filter(|one| one.verdict == it).count();
        Verdict::WORDS.map(|(verdict, _)| count(verdict))
    }

    /// Prints the cases that failed, or all. The most severe ones come first, and those that failed
    /// alike are printed once.
    fn print_cases(&self, is_all: bool, terminal: &mut Terminal<'_>) {
        let shown = self.played.iter().filter(|one| one.is_failure || is_all);
        let mut shown: Vec<_> = shown.collect();
        shown.sort_by_key(|one| (Reverse(one.severity), &*one.case.demand));
        let what = |it: &Played<'_>| (it.verdict, it.expected, it.outcome.sentence());
        let is_alike = |one: &&Played<'_>, other: &&Played<'_>| {
            !is_all && one.case.demand == other.case.demand && what(one) == what(other)
        };
        for group in shown.chunk_by(is_alike) {
            group[0].print(terminal);
            let others: Vec<_> = group[1..].iter().map(|one| &*one.case.name).collect();
            if !others.is_empty() {
                terminal.line(&format!("    also       {}", others.join(", ")));
            }
        }
    }

    /// Prints cases, how many of each section have each verdict, and the result of the whole run.
    pub(super) fn print(&self, is_all: bool, terminal: &mut Terminal<'_>) {
        self.print_cases(is_all, terminal);
        let mut sections = BTreeMap::<_, [usize; 4]>::new();
        for one in &self.played {
            sections.entry(&*one.case.section).or_default()[one.verdict as usize] += 1;
        }
        let line = |section: &str, [a, b, c, d]: [String; 4]| {
            format!("{section:24}{a:>9}{b:>9}{c:>9}{d:>9}")
        };
        let words = Verdict::WORDS.map(|(_, word)| word.to_owned());
        terminal.styled(Style::Strong, &line("section", words));
        for (section, counts) in sections {
            terminal.line(&line(section, counts.map(|count| count.to_string())));
        }
        let (url, seconds) = (&self.url, self.seconds);
        let server = match &*self.server {
            "" => String::new(),
            server => format!(" ({server})"),
        };
        let cases = plural(self.played.len() as u64, "case");
        let [held, violated, other, not_applicable] = self.counts();
        terminal.line(&format!(
            "{url}{server}: {cases} in {seconds:.1} s: {held} held, {violated} violated, \
             {other} other, {not_applicable} not applicable"
        ));
        let security = self
            .failed()
            .filter(|one| one.severity == Severity::Security);
        let security: Vec<_> = security.map(|one| &*one.case.name).collect();
        let (count, names) = (security.len(), security.join(", "));
        let colon = if security.is_empty() { "" } else { ": " };
        terminal.line(&match self.failed().count() {
            0 => "No case failed.".to_owned(),
            failed => format!("{failed} failed, {count} of them security{colon}{names}."),
        });
    }

    /// Prints one object a line for each case, and one for the whole run.
    pub(super) fn print_json(&self, terminal: &mut Terminal<'_>) {
        self.played
            .iter()
            .for_each(|one| terminal.line(&one.json().to_string()));
        let [held, violated, other, not_applicable] = self.counts();
        let by_severity = Severity::WORDS.map(|(severity, word)| {
            let count = self.failed().filter(|one| one.severity == severity).count();
            (word.to_owned(), json!(count))
        });
        let summary = json!({
            "summary": true, "url": self.url, "server": self.server, "version": NAME_AND_VERSION,
            "seconds": self.seconds, "cases": self.played.len(), "held": held,
            "violated": violated, "other": other, "not_applicable": not_applicable,
            "failed": self.failed().count(),
            "failed_by_severity": Value::Object(by_severity.into_iter().collect()),
        });
        terminal.line(&summary.to_string());
    }

    /// Returns the results as JUnit XML, which GitHub and GitLab read.
    pub(super) fn junit(&self) -> String {
        let (tests, failures) = (self.played.len(), self.failed().count());
        let [.., skipped] = self.counts();
        let (name, seconds) = (xml_text(&format!("parlor test {}", self.url)), self.seconds);
        let cases: String = self.played.iter().map(Played::junit).collect();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"{name}\" \
             tests=\"{tests}\" failures=\"{failures}\" skipped=\"{skipped}\" \
             time=\"{seconds:.3}\">\n{cases}</testsuite>\n</testsuites>\n"
        )
    }

    /// Returns the `index.json` of an Autobahn report, with the cases that are Autobahn's.
    pub(super) fn autobahn(&self) -> String {
        let numbered = self
            .played
            .iter()
            .filter_map(|one| Some((one.case.number()?, one)));
        let cases = numbered.map(|(number, Played { case, outcome, .. })| {
            let (behavior, behavior_close) = autobahn(case, outcome);
            let code = match outcome.closing_end() {
                End::Close(code, _) => *code,
                _ => None,
            };
            let result = json!({
                "behavior": behavior, "behaviorClose": behavior_close, "remoteCloseCode": code,
                "duration": outcome.time.as_millis() as u64, "reportfile": null,
            });
            (number.to_owned(), result)
        });
        let cases = Value::Object(cases.collect());
        format!("{:#}\n", json!({ &self.agent: cases }))
    }

    /// Returns the file of `--write-expected`: a line for each case that did not hold.
    pub(super) fn baseline(&self) -> String {
        let others = self
            .played
            .iter()
            .filter(|one| one.verdict != Verdict::Held);
        let lines = others.map(|one| format!("{} {}\n", one.case.name, one.verdict.word()));
        let head = "# Written by parlor test --write-expected: the cases that do not hold.\n";
        head.to_owned() + &lines.collect::<String>()
    }
}

/// Escapes text for XML 1.0, which has no control characters.
fn xml_text(text: &str) -> String {
    escape_markup(text).replace(char::is_control, "\u{fffd}")
}

/// Parses the file of `--expect`. An error is the wrong line.
pub(super) fn parse_baseline(text: &str) -> Result<BTreeMap<String, Verdict>, &str> {
    let parse = |line: &str| {
        let (name, word) = line.split_once(' ')?;
        let (verdict, _) = Verdict::WORDS.into_iter().find(|it| it.1 == word)?;
        Some((name.to_owned(), verdict))
    };
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| parse(line).ok_or(line)).collect()
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
