//! Files for `parlor import`, as `src/tools/lines.rs` reads them.
//!
//! Input: the file. Asserted, up to the first line that is refused: the accepted lines follow a
//! small model. The head comes first, then sessions in the order of their numbers, then places. The
//! messages of a place are numbered without a gap, up to its newest.

use parlor::tools::lines::{LINE_BYTES, Line, Lines};

/// The state that the next line must fit.
#[derive(Default)]
struct Model {
    lines: u64,
    session: Option<u64>,
    newest: Option<u64>,
    between: Option<[u64; 2]>,
    last: Option<u64>,
}

pub fn check(data: &[u8]) {
    let (mut lines, mut model) = (Lines::default(), Model::default());
    for text in data.split_inclusive(|&byte| byte == b'\n') {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        if text.len() > LINE_BYTES {
            return;
        }
        let Ok(line) = lines.read(text) else { return };
        model.take(&line);
    }
    assert_eq!(
        lines.end().is_ok(),
        model.lines > 0 && model.is_whole(),
        "{:?}",
        lines.end()
    );
}

impl Model {
    fn take(&mut self, line: &Line) {
        let is_head = matches!(line, Line::Parlor { .. });
        assert_eq!(is_head, self.lines == 0, "the head is the first line only");
        self.lines += 1;
        match line {
            Line::Parlor { .. } => {}
            Line::Session(session) => {
                assert!(self.newest.is_none() && session.author > self.session.unwrap_or(0));
                assert!(session.author < 1 << 53);
                self.session = Some(session.author);
            }
            Line::Channel { newest, .. } | Line::Conversation { newest, .. } => {
                assert!(self.is_whole() && *newest < 1 << 53);
                self.between = match line {
                    Line::Conversation { between, .. } => Some(*between),
                    _ => None,
                };
                assert!(self.between.is_none_or(|[one, other]| one <= other));
                (self.newest, self.last) = (Some(*newest), None);
            }
            Line::Message(message) => {
                let (seq, of) = (message.seq, message.change.and_then(|it| it.of()));
                assert!(seq == self.last.unwrap_or(seq - 1) + 1 && Some(seq) <= self.newest);
                assert_eq!(message.to.is_some(), self.between.is_some());
                assert!(
                    self.between
                        .is_none_or(|between| between.contains(&message.author))
                );
                assert!(message.change.is_some() || !message.text.trim().is_empty());
                assert!(of.is_none_or(|of| (1..seq).contains(&of)));
                self.last = Some(seq);
            }
        }
    }

    fn is_whole(&self) -> bool {
        self.last.is_none_or(|seq| Some(seq) == self.newest)
    }
}
