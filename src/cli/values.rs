//! Parsers for the values of options. An error says what the value must be.

use crate::history::Sync;
use crate::http::is_token;
use crate::hub::{Network, Origin};
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// About thirty years: far from every overflow.
const SECONDS_MAX: f64 = 1e9;

fn parse<T>(
    value: &OsStr,
    parse: impl FnOnce(&str) -> Option<T>,
    expected: &str,
) -> Result<T, String> {
    let parsed = value.to_str().and_then(parse);
    parsed.ok_or_else(|| format!("must be {expected}"))
}

/// Parses `ADDR:PORT` or `unix:PATH`. An address that begins with a letter is a host name, resolved
/// at the start.
pub(super) fn listen(value: &OsStr) -> Result<String, String> {
    let address = |text: &str| {
        if let Some(path) = text.strip_prefix("unix:") {
            return path.starts_with('/').then(|| text.to_owned());
        }
        let (host, port) = text.rsplit_once(':').unwrap_or_default();
        let is_letter = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let is_name = host.starts_with(|c: char| c.is_ascii_alphabetic());
        let has_name = is_name && host.chars().all(is_letter);
        let has_port = digits(port) && port.parse::<u16>().is_ok();
        let is_address = text.parse::<SocketAddr>().is_ok() || (has_name && has_port);
        is_address.then(|| text.to_owned())
    };
    let expected = "an address and a port, such as 127.0.0.1:8080 or [::1]:8080, or a socket, \
                    such as unix:/run/parlor.sock";
    parse(value, address, expected)
}

/// Parses a path, which `what` names.
pub(super) fn path(value: &OsStr, what: &str) -> Result<PathBuf, String> {
    match value.is_empty() {
        true => Err(format!("must be a {what}")),
        false => Ok(value.into()),
    }
}

/// Parses the mode of `--sync`.
pub(super) fn sync(value: &OsStr) -> Result<Sync, String> {
    let mode = |text: &str| match text {
        "normal" => Some(Sync::Normal),
        "full" => Some(Sync::Full),
        _ => None,
    };
    parse(value, mode, "normal or full")
}

/// Parses an origin, which has no path.
pub(super) fn origin(value: &OsStr) -> Result<Origin, String> {
    let expected = if value.is_ascii() {
        "an origin without a path, such as https://chat.example, or *"
    } else {
        "an origin with its host as browsers send it, such as https://xn--bcher-kva.example"
    };
    parse(value, Origin::parse, expected)
}

/// Parses an IP address or a range of addresses.
pub(super) fn network(value: &OsStr) -> Result<Network, String> {
    let expected = "an address or a range, such as 127.0.0.1 or 10.0.0.0/8";
    parse(value, Network::parse, expected)
}

/// Parses the name of a header.
pub(super) fn header(value: &OsStr) -> Result<String, String> {
    let name = |text: &str| is_token(text).then(|| text.to_owned());
    parse(value, name, "the name of a header, such as Remote-User")
}

/// Parses a whole number in plain digits.
pub(super) fn number(value: &OsStr, range: &RangeInclusive<u64>) -> Result<u64, String> {
    let number = |text: &str| {
        text.parse()
            .ok()
            .filter(|it| digits(text) && range.contains(it))
    };
    let (from, to) = (range.start(), range.end());
    parse(
        value,
        number,
        &format!("a whole number from {from} to {to}"),
    )
}

/// Parses seconds in plain decimal notation, rounded to milliseconds but never down to zero.
pub(super) fn seconds(value: &OsStr, may_be_zero: bool) -> Result<Duration, String> {
    let seconds = |text: &str| {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_plain = digits(whole) && digits(fraction);
        let seconds = text.parse::<f64>().ok().filter(|_| is_plain)?;
        if seconds == 0.0 {
            return may_be_zero.then_some(Duration::ZERO);
        }
        let millis = (seconds * 1_000.0_f64).round().max(1.0);
        (seconds <= SECONDS_MAX).then(|| Duration::from_millis(millis as u64))
    };
    let from = if may_be_zero {
        "from 0"
    } else {
        "above 0 and up"
    };
    let expected = format!("seconds {from} to {SECONDS_MAX}, such as 10 or 0.5");
    parse(value, seconds, &expected)
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
