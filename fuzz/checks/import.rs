//! Files for `parlor import` (`src/history/lines.rs`), and what it reads out of them.
//!
//! Input: the file. Asserted, up to the first line that is refused:
//! - what is accepted, encoded again, is read as the same; so it is a fixed point, and never longer
//!   than it was: the memory of
//!   a line bounds that of what it says;
//! - a small model says that what was accepted fits together: the head first, then sessions by
//!   their numbers, then places, each
//!   with numbers that go up by one to its newest and with times that do not go back.

use parlor::history::{LINE_BYTES, Line, Lines, Place};

/// As far as the model is: what the next line has to fit to.
#[derive(Default)]
struct Model {
    lines: u64,
    session: Option<u64>,
    newest: Option<u64>,
    last: Option<(u64, u64)>,
}

pub fn check(data: &[u8]) {
    let (mut lines, mut again, mut model) = (Lines::default(), Lines::default(), Model::default());
    for text in data.split_inclusive(|&byte| byte == b'\n') {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        if text.len() > LINE_BYTES {
            return;
        }
        let Ok(line) = lines.read(text) else { return };
        let mut written = Vec::new();
        line.encode(&mut written);
        assert!(
            written.pop() == Some(b'\n') && !written.contains(&b'\n'),
            "one line"
        );
        assert!(
            written.len() <= text.len(),
            "{} from {}",
            written.escape_ascii(),
            text.escape_ascii()
        );
        assert_eq!(
            again.read(&written).as_ref(),
            Ok(&line),
            "{}",
            written.escape_ascii()
        );
        model.take(&line);
    }
    assert_eq!(lines.end(), again.end());
    assert_eq!(
        lines.end().is_ok(),
        model.lines > 0 && model.is_whole(),
        "{:?}",
        lines.end()
    );
}

impl Model {
    fn take(&mut self, line: &Line) {
        assert_eq!(
            matches!(line, Line::Head),
            self.lines == 0,
            "the head is the first line, and no other"
        );
        self.lines += 1;
        match line {
            Line::Head => {}
            Line::Session(row) => {
                assert!(
                    self.newest.is_none()
                        && row.author.0 > self.session.unwrap_or(0)
                        && row.author.0 < 1 << 53
                );
                self.session = Some(row.author.0);
            }
            Line::Place(place, newest) => {
                assert!(self.is_whole() && newest.0 < 1 << 53);
                if let Place::Conversation(one, other) = place {
                    assert!(one <= other);
                }
                (self.newest, self.last) = (Some(newest.0), None);
            }
            Line::Message(record) => {
                let (seq, at) = self.last.unwrap_or((record.seq.0 - 1, 0));
                assert!(
                    record.seq.0 == seq + 1
                        && Some(record.seq.0) <= self.newest
                        && record.at.0 >= at
                );
                assert_eq!(
                    record.what.to.is_some(),
                    matches!(record.what.place, Place::Conversation(..))
                );
                assert!(!record.what.text.trim().is_empty());
                self.last = Some((record.seq.0, record.at.0));
            }
        }
    }

    fn is_whole(&self) -> bool {
        self.last.is_none_or(|(seq, _)| Some(seq) == self.newest)
    }
}
