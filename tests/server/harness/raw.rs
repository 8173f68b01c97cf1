//! A TCP connection to the server, byte by byte, and HTTP responses on it.
//!
//! What every response must have is looked at here, once for all tests. Not here: frames (`wire`).

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::PATIENCE;

/// A connection, with what came and was not looked at yet.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    pub(crate) buffer: Vec<u8>,
}

/// What came instead of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nothing {
    Ended,
    Reset,
    Silence,
}

impl Raw {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream
            .write_all(bytes.as_ref())
            .expect("the server takes what is sent");
    }

    /// Each byte in a packet of its own.
    pub(crate) fn send_slowly(&mut self, bytes: impl AsRef<[u8]>) {
        for (n, byte) in bytes.as_ref().iter().enumerate() {
            self.send([*byte]);
            if n % 8 == 0 {
                thread::sleep(Duration::from_micros(200));
            }
        }
    }

    /// Says that nothing more will be sent, and reads on.
    pub(crate) fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).expect("a half close");
    }

    /// Reads once.
    pub(crate) fn fill(&mut self) -> Result<(), Nothing> {
        let mut chunk = [0; 64 << 10];
        match self.read(&mut chunk) {
            Ok(0) => Err(Nothing::Ended),
            Ok(n) => {
                self.buffer.extend_from_slice(&chunk[..n]);
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(Nothing::Silence)
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Err(Nothing::Reset),
            Err(error) => panic!("reading fails: {error}"),
        }
    }

    /// A read with a timeout is interrupted where the process is stopped for a while and goes on
    /// (signal(7)), whoever did that.
    fn read(&mut self, chunk: &mut [u8]) -> std::io::Result<usize> {
        loop {
            match self.stream.read(chunk) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }

    /// All that comes until the server ends the connection, cleanly.
    pub(crate) fn until_the_end(&mut self) -> Vec<u8> {
        loop {
            match self.fill() {
                Ok(()) => {}
                Err(Nothing::Ended) => return std::mem::take(&mut self.buffer),
                Err(other) => panic!(
                    "{other:?} instead of the end, after {:?}",
                    String::from_utf8_lossy(&self.buffer)
                ),
            }
        }
    }

    /// The server has nothing more to say and has ended its side.
    pub(crate) fn assert_ended(&mut self, name: &str) {
        let rest = self.until_the_end();
        assert!(
            rest.is_empty(),
            "{name}: more came: {:?}",
            String::from_utf8_lossy(&rest)
        );
    }

    /// Nothing comes for so long, and the connection stays.
    pub(crate) fn assert_silent(&mut self, time: Duration, name: &str) {
        assert!(
            self.buffer.is_empty(),
            "{name}: {:?}",
            String::from_utf8_lossy(&self.buffer)
        );
        self.stream.set_read_timeout(Some(time)).expect("a timeout");
        let came = self.fill();
        self.stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a timeout");
        assert_eq!(
            came,
            Err(Nothing::Silence),
            "{name}: {:?}",
            String::from_utf8_lossy(&self.buffer)
        );
    }

    /// The response to a `GET`.
    pub(crate) fn response(&mut self) -> Response {
        let mut response = self.response_head();
        if response.status == 101 || response.status == 304 {
            return response;
        }
        let length: usize = response
            .header("content-length")
            .expect("a length")
            .parse()
            .expect("a number");
        while self.buffer.len() < length {
            if let Err(nothing) = self.fill() {
                panic!("{nothing:?} within the body of {}", response.head);
            }
        }
        response.body = self.buffer.drain(..length).collect();
        response
    }

    /// The response to a `HEAD`, or the head of another one.
    pub(crate) fn response_head(&mut self) -> Response {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if let Err(nothing) = self.fill() {
                panic!(
                    "{nothing:?} instead of a response; so far: {:?}",
                    String::from_utf8_lossy(&self.buffer)
                );
            }
        };
        Response::parse(
            String::from_utf8(self.buffer.drain(..end).collect()).expect("a head in ASCII"),
        )
    }
}

/// One response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    headers: Vec<(String, String)>,
}

impl Response {
    fn parse(head: String) -> Self {
        let mut lines = head.strip_suffix("\r\n\r\n").expect("an end").split("\r\n");
        let first = lines.next().expect("a first line");
        let status = first
            .strip_prefix("HTTP/1.1 ")
            .unwrap_or_else(|| panic!("{first:?} is no status line"));
        assert!(
            status.as_bytes().get(3) == Some(&b' '),
            "{first:?}: a space follows the status"
        );
        let status = status[..3].parse().expect("a status");
        let headers: Vec<(String, String)> = lines
            .map(|line| {
                line.split_once(": ")
                    .unwrap_or_else(|| panic!("{line:?} is no header line"))
            })
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let response = Self {
            status,
            body: Vec::new(),
            headers,
            head,
        };
        assert_eq!(
            response.header("x-content-type-options"),
            Some("nosniff"),
            "{}",
            response.head
        );
        assert_is_now(
            response
                .header("date")
                .unwrap_or_else(|| panic!("no Date in {}", response.head)),
        );
        response
    }

    /// A header's value, once at most.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self
            .headers
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.as_str());
        let value = values.next();
        assert_eq!(values.next(), None, "{name} comes twice in {}", self.head);
        value
    }

    /// Whether a list header has this token, in any case.
    pub(crate) fn has_token(&self, name: &str, token: &str) -> bool {
        self.header(name).is_some_and(|value| {
            value
                .split(',')
                .any(|item| item.trim().eq_ignore_ascii_case(token))
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("a body in UTF-8")
    }

    /// A refusal: `text/plain`, one sentence, and nothing of what was planted in the request.
    pub(crate) fn assert_refusal(&self, name: &str, statuses: &[u16]) {
        assert!(
            statuses.contains(&self.status),
            "{name}: {statuses:?} expected: {}{}",
            self.head,
            self.text()
        );
        let media = self.header("content-type").unwrap_or_default();
        assert!(media.starts_with("text/plain"), "{name}: {media}");
        let text = self.text();
        assert!(
            text.trim_end().contains(' ') && !text.trim_end().contains('\n'),
            "{name}: {text:?} is no sentence"
        );
        let whole = format!("{}{text}", self.head).to_lowercase();
        assert!(
            !whole.contains("xyzzy"),
            "{name}: something of the request is in {whole}"
        );
    }
}

/// `Date` in the form of RFC 9110 §5.6.7, and the clock's.
fn assert_is_now(date: &str) {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let number = |from: usize, to: usize| {
        date.get(from..to)
            .and_then(|digits| digits.parse::<i64>().ok())
    };
    let fields = || {
        let month = MONTHS
            .iter()
            .position(|month| date.get(8..11) == Some(month))? as i64
            + 1;
        let shape =
            date.len() == 29 && date.get(3..5) == Some(", ") && date.get(25..) == Some(" GMT");
        let (day, year) = (number(5, 7)?, number(12, 16)?);
        let seconds = number(17, 19)? * 3600 + number(20, 22)? * 60 + number(23, 25)?;
        // Days since 1970 of a date, by the calendar's cycle of 400 years that begin in March.
        let (shifted, from_march) = (if month > 2 { year } else { year - 1 }, (month + 9) % 12);
        let (era, of_era) = (shifted / 400, shifted % 400);
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100
            + (from_march * 153 + 2) / 5
            + day
            - 1
            - 719_468;
        shape.then_some((days, seconds))
    };
    let Some((days, seconds)) = fields() else {
        panic!("Date: {date}")
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs() as i64;
    assert!(
        (now - days * 86_400 - seconds).abs() < 10,
        "Date: {date} is not now ({now})"
    );
    assert_eq!(
        date.get(..3),
        Some(DAYS[(days % 7) as usize]),
        "Date: {date}"
    );
}
