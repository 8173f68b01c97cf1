//! Heads one after another on one connection: what came too early or not whole is gathered (RFC
//! 9112 §9.3, §9.3.2).
//!
//! A head that lies whole in what was just read, as nearly every one does, is borrowed from there
//! and nothing is copied.
//! Else its bytes are kept here until its end comes. What stands behind the end is never touched:
//! it is the next request
//! (pipelining), or, after an upgrade, the first frame of the new protocol.
//!
//! What is kept is at most `--max-header-bytes`, since the scan refuses anything longer before it
//! is kept.
//!
//! Not here: when the next head may be taken (one answer is under way at a time:
//! `hub::connection`), deadlines, bodies (there
//! are none: `head` refuses them).

use super::head::Head;
use super::refusal::Refusal;
use super::scan::Scan;
use crate::progress::Progress;

/// The requests of one connection. Between two of them it holds no buffer.
#[derive(Debug, Default)]
pub struct Requests {
    scan: Scan,
    /// The beginning of an unfinished head, or a gathered one that was handed out and ends with the
    /// next call.
    kept: Vec<u8>,
}

impl Requests {
    /// Takes the next bytes of the connection, up to the end of one head.
    ///
    /// `used` counts bytes of *this* input; what stands behind them is to be given again, or to
    /// whatever follows an
    /// upgrade. With `NeedMore` all of the input is taken. A gathered head is let go by the next
    /// call, which may be one
    /// with empty input. After a refusal, which always closes, nothing more on this connection is
    /// to be read as a request.
    ///
    /// ```
    /// use parlor::{http::Requests, progress::Progress};
    /// let mut requests = Requests::default();
    /// assert_eq!(requests.receive(b"GET / HTTP/1.1\r\nHo", 8192), Ok(Progress::NeedMore));
    /// assert_eq!(requests.held_bytes(), 18);
    /// let Ok(Progress::Done { value: head, used: 9 }) = requests.receive(b"st: a\r\n\r\nGET /next", 8192) else { panic!() };
    /// assert_eq!(head.host(), "a");
    /// assert_eq!(requests.held_bytes(), 0);
    /// ```
    pub fn receive<'a>(
        &'a mut self,
        input: &'a [u8],
        max_head_bytes: usize,
    ) -> Result<Progress<Head<'a>>, Refusal> {
        if self.scan.seen_bytes() == 0 {
            self.kept = Vec::new();
        }
        let Progress::Done { used, .. } = self.scan.feed(input, max_head_bytes)? else {
            self.kept.extend_from_slice(input);
            return Ok(Progress::NeedMore);
        };
        self.scan = Scan::default();
        let rest_of_head = &input[..used];
        let bytes = if self.kept.is_empty() {
            rest_of_head
        } else {
            self.kept.extend_from_slice(rest_of_head);
            &self.kept
        };
        Ok(Progress::Done {
            value: Head::of(bytes)?,
            used,
        })
    }

    /// Bytes of an unfinished head. 0: the connection is between two requests.
    pub fn held_bytes(&self) -> usize {
        self.scan.seen_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn a_whole_head_is_borrowed_and_nothing_is_kept() {
        let mut requests = Requests::default();
        let Ok(Progress::Done { value, used }) = requests.receive(HEAD, 8192) else {
            panic!()
        };
        assert_eq!(used, HEAD.len());
        assert!(
            HEAD.as_ptr_range().contains(&value.path().as_ptr()),
            "the path lies in the input"
        );
        assert_eq!((requests.held_bytes(), requests.kept.capacity()), (0, 0));
    }

    #[test]
    fn pipelined_heads_come_out_one_by_one_however_they_are_cut() {
        let stream = [HEAD, b"HEAD /b HTTP/1.0\r\n\r\n", HEAD, b"GET /c"].concat();
        for piece_length in 1..=stream.len() {
            let mut requests = Requests::default();
            let mut seen = Vec::new();
            for mut piece in stream.chunks(piece_length) {
                while let Progress::Done { value, used } = requests.receive(piece, 8192).unwrap() {
                    seen.push((value.method().to_owned(), value.path().to_owned()));
                    piece = &piece[used..];
                }
            }
            let expected = [("GET", "/a"), ("HEAD", "/b"), ("GET", "/a")]
                .map(|(method, path)| (method.to_owned(), path.to_owned()));
            assert_eq!(seen, expected, "in pieces of {piece_length}");
            assert_eq!(requests.held_bytes(), b"GET /c".len());
        }
    }

    #[test]
    fn a_gathered_head_is_let_go_by_the_next_call() {
        let mut requests = Requests::default();
        assert_eq!(requests.receive(&HEAD[..10], 8192), Ok(Progress::NeedMore));
        let Ok(Progress::Done { used, .. }) = requests.receive(&HEAD[10..], 8192) else {
            panic!()
        };
        assert_eq!(used, HEAD.len() - 10);
        assert_eq!(requests.receive(b"", 8192), Ok(Progress::NeedMore));
        assert_eq!(requests.kept.capacity(), 0);
    }

    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Requests>() <= 48, "{}", size_of::<Requests>());
    }
}
