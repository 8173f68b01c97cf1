//! What is said back: status line, headers, body (RFC 9112 §4, RFC 9110 §15).
//!
//! The head is written into a buffer of the caller's; the body stays where it is, so that a file
//! that a thousand clients
//! ask for at once is one `Rc` and no copy.
//!
//! Not here: which response is due (`hub::routes`), and that a `HEAD` gets no body. The hub sends
//! none then; the head is the
//! same for both methods on purpose (RFC 9110 §9.3.2), with the length that `GET` would have told.

use crate::time::UnixMillis;
use std::borrow::Cow;
use std::rc::Rc;

/// A response without its connection-bound headers, which [`Response::encode_head`] adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Headers other than `Date`, `X-Content-Type-Options`, `Content-Length` and `Connection`.
    /// Values are written as they
    /// are, so nothing of a peer's belongs in them unchecked. A 101 brings its `Connection:
    /// Upgrade` along.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// What comes after the head, except in the answer to a `HEAD`.
    pub body: Body,
}

/// The bytes of a response, wherever they live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// None at all: 101, 304.
    None,
    /// A text that was made for this answer, or a fixed one.
    Text(Cow<'static, str>),
    /// A file that is compiled in.
    Static(&'static [u8]),
    /// A file that was read, shared by all who get it.
    Shared(Rc<Vec<u8>>),
}

impl Body {
    /// The bytes, to be sent or to be counted.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::None => &[],
            Self::Text(text) => text.as_bytes(),
            Self::Static(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Response {
    /// A response with a body of this media type.
    pub fn new(status: u16, media_type: &'static str, body: Body) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", Cow::Borrowed(media_type))],
            body,
        }
    }

    /// The first value of a header, whose name is compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_ref())
    }

    /// Appends status line and headers, with the empty line that ends them.
    ///
    /// `now` becomes `Date` (RFC 9110 §6.6.1). `keep_alive` says whether the connection goes on
    /// after this answer; it is
    /// always spelled out, since a client of HTTP/1.0 takes silence for a close and one of 1.1 for
    /// the opposite.
    ///
    /// ```
    /// use parlor::{http::{Body, Response}, time::UnixMillis};
    /// let mut out = Vec::new();
    /// Response::new(200, "text/plain", Body::Text("ok".into())).encode_head(UnixMillis(784_111_777_000), false, &mut out);
    /// assert_eq!(String::from_utf8(out).unwrap(), "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
    ///     X-Content-Type-Options: nosniff\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\n");
    /// ```
    pub fn encode_head(&self, now: UnixMillis, keep_alive: bool, out: &mut Vec<u8>) {
        let mut line = |parts: &[&str]| {
            parts
                .iter()
                .for_each(|part| out.extend_from_slice(part.as_bytes()));
            out.extend_from_slice(b"\r\n");
        };
        // The version is ours, not the request's (RFC 9110 §6.2): a client of 1.0 reads it just as
        // well.
        line(&[
            "HTTP/1.1 ",
            &self.status.to_string(),
            " ",
            reason(self.status),
        ]);
        line(&["Date: ", &imf_fixdate(now)]);
        line(&["X-Content-Type-Options: nosniff"]);
        for (name, value) in &self.headers {
            line(&[name, ": ", value]);
        }
        let switches = self.status == 101;
        // A length here would be the 200's that was not sent (RFC 9110 §8.6), or the new protocol's
        // first bytes.
        if !switches && self.status != 304 {
            line(&["Content-Length: ", &self.body.as_bytes().len().to_string()]);
        }
        if !switches {
            // `Upgrade` is a matter of this hop alone, which `Connection` has to say (RFC 9110
            // §7.8).
            let upgrade = if self.header("Upgrade").is_some() {
                ", Upgrade"
            } else {
                ""
            };
            line(&[
                "Connection: ",
                if keep_alive { "keep-alive" } else { "close" },
                upgrade,
            ]);
        }
        line(&[]);
    }
}

/// The reason phrase (RFC 9110 §15). No client looks at it, people with `curl -v` do; one that is
/// not listed is left empty,
/// which the grammar allows (RFC 9112 §4).
fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

/// The one form of a date that may be sent (RFC 9110 §5.6.7), always in GMT.
fn imf_fixdate(at: UnixMillis) -> String {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]; // 1970 began with a Thursday
    const MONTHS: [&str; 12] = [
        " Jan ", " Feb ", " Mar ", " Apr ", " May ", " Jun ", " Jul ", " Aug ", " Sep ", " Oct ",
        " Nov ", " Dec ",
    ];
    let seconds = at.0 / 1_000;
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (weekday, month) = (WEEKDAYS[(days % 7) as usize], MONTHS[month as usize]);
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    // Digit by digit: every answer has a date, and `format!` would be the dearest part of most.
    let digits =
        |number: u64| [number / 10 % 10, number % 10].map(|digit| char::from(b'0' + digit as u8));
    let mut date = String::with_capacity("Sun, 06 Nov 1994 08:49:37 GMT".len());
    date.push_str(weekday);
    for (before, number) in [
        (", ", day),
        (month, year / 100),
        ("", year),
        (" ", hour),
        (":", minute),
        (":", second),
    ] {
        date.push_str(before);
        date.extend(digits(number));
    }
    date.push_str(" GMT");
    date
}

/// Days since 1970-01-01 as year, month (0 is January) and day (1 is the first), in the Gregorian
/// calendar.
///
/// Counted from 1 March of year 0: the leap day is then the last of its year, and the lengths of
/// the months from March on
/// (31 30 31 30 31, twice, and 31) are those of a straight line, `(153 m + 2) / 5` days before
/// month `m`.
pub(crate) fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let days = days + 719_468;
    let (era, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    // Takes away the leap days that lie before: one in 4 years, none in 100, but one in 400.
    let year = (day - day / 1_460 + day / 36_524 - day / (DAYS_OF_400_YEARS - 1)) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let after_december = month >= 10;
    (
        era * 400 + year + u64::from(after_december),
        if after_december {
            month - 10
        } else {
            month + 2
        },
        day_of_month,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(response: &Response, keep_alive: bool) -> String {
        let mut out = Vec::new();
        response.encode_head(UnixMillis(0), keep_alive, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dates_are_imf_fixdates() {
        let table = [
            ("the beginning", 0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (
                "RFC 9110 §5.6.7",
                784_111_777_000,
                "Sun, 06 Nov 1994 08:49:37 GMT",
            ),
            (
                "milliseconds are cut off",
                784_111_777_999,
                "Sun, 06 Nov 1994 08:49:37 GMT",
            ),
            (
                "a leap day of a year that 400 divides",
                951_782_400_000,
                "Tue, 29 Feb 2000 00:00:00 GMT",
            ),
            (
                "the day after it",
                951_868_800_000,
                "Wed, 01 Mar 2000 00:00:00 GMT",
            ),
            (
                "the last second of a year",
                1_735_689_599_000,
                "Tue, 31 Dec 2024 23:59:59 GMT",
            ),
            (
                "a leap day of a common leap year",
                1_709_164_800_000,
                "Thu, 29 Feb 2024 00:00:00 GMT",
            ),
            (
                "a year without one that 100 divides",
                4_107_542_400_000,
                "Mon, 01 Mar 2100 00:00:00 GMT",
            ),
            (
                "past 32 bits of seconds",
                4_294_967_296_000,
                "Sun, 07 Feb 2106 06:28:16 GMT",
            ),
        ];
        for (name, at, expected) in table {
            assert_eq!(imf_fixdate(UnixMillis(at)), expected, "{name}");
        }
    }

    #[test]
    fn days_follow_one_another() {
        let mut expected = (1970, 0, 1);
        for days in 0..200_000 {
            assert_eq!(civil(days), expected);
            let (year, month, day) = expected;
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = [
                31,
                28 + u64::from(leap),
                31,
                30,
                31,
                30,
                31,
                31,
                30,
                31,
                30,
                31,
            ][month as usize];
            expected = match (month, day) {
                (11, 31) => (year + 1, 0, 1),
                (_, day) if day == length => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
        let _ = civil(u64::MAX / 86_400_000); // the last day that the type has: no overflow
    }

    #[test]
    fn lengths_and_connections() {
        let none = |status| Response {
            status,
            headers: Vec::new(),
            body: Body::None,
        };
        let page = Response::new(200, "text/css", Body::Shared(Rc::new(vec![0; 70_000])));
        let upgrade = Response {
            headers: vec![
                ("Upgrade", "websocket".into()),
                ("Connection", "Upgrade".into()),
            ],
            ..none(101)
        };
        let refused = Response {
            headers: vec![("Upgrade", "websocket".into())],
            ..none(426)
        };
        let table: &[(&str, Response, bool, Option<&str>, &str)] = &[
            ("a body is counted", page, true, Some("70000"), "keep-alive"),
            (
                "an empty body has a length too",
                none(404),
                false,
                Some("0"),
                "close",
            ),
            (
                "what is not modified has none",
                none(304),
                true,
                None,
                "keep-alive",
            ),
            (
                "a switch has none, and says what it brought along",
                upgrade,
                true,
                None,
                "Upgrade",
            ),
            (
                "an offered upgrade is of this hop",
                refused,
                false,
                Some("0"),
                "close, Upgrade",
            ),
        ];
        for (name, response, keep_alive, length, connection) in table {
            let head = head(response, *keep_alive);
            let all = |wanted: &str| {
                head.lines()
                    .filter_map(|line| line.strip_prefix(wanted)?.strip_prefix(": "))
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            assert_eq!(
                all("Content-Length"),
                Vec::from_iter(length.map(str::to_owned)),
                "{name}"
            );
            assert_eq!(all("Connection"), [*connection], "{name}");
            assert_eq!(all("X-Content-Type-Options"), ["nosniff"], "{name}");
            assert_eq!(all("Date"), ["Thu, 01 Jan 1970 00:00:00 GMT"], "{name}");
            assert!(
                head.ends_with("\r\n\r\n") && !head.trim_end().contains("\r\n\r\n"),
                "{name}"
            );
        }
    }
}
