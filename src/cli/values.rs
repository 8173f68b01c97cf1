//! Parsers for the values of options. An error says what the value must be.

use crate::history::Sync;
use crate::hub::{Network, Origin};
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// About thirty years: far from every overflow.
const SECONDS_MAX: f64 = 1e9;

/// Parses `ADDR:PORT`. An address that begins with a letter is a host name, resolved at the start.
pub(super) fn listen(value: &OsStr) -> Result<String, String> {
    let is_address = |text: &&str| {
        let (host, port) = text.rsplit_once(':').unwrap_or_default();
        let is_letter = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let is_name = host.starts_with(|c: char| c.is_ascii_alphabetic());
        let has_name = is_name && host.chars().all(is_letter);
        let has_port = digits(port) && port.parse::<u16>().is_ok();
        text.parse::<SocketAddr>().is_ok() || (has_name && has_port)
    };
    let text = value.to_str().filter(is_address).map(str::to_owned);
    text.ok_or("must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080".to_owned())
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
    match value.to_str() {
        Some("normal") => Ok(Sync::Normal),
        Some("full") => Ok(Sync::Full),
        _ => Err("must be normal or full".to_owned()),
    }
}

/// Parses an origin, which has no path.
pub(super) fn origin(value: &OsStr) -> Result<Origin, String> {
    let origin = value.to_str().and_then(Origin::parse);
    origin.ok_or("must be an origin without a path, such as https://chat.example, or *".to_owned())
}

/// Parses an IP address or a range of addresses.
pub(super) fn network(value: &OsStr) -> Result<Network, String> {
    let network = value.to_str().and_then(Network::parse);
    network.ok_or("must be an address or a range, such as 127.0.0.1 or 10.0.0.0/8".to_owned())
}

/// Parses a whole number in plain digits.
pub(super) fn number(value: &OsStr, range: &RangeInclusive<u64>) -> Result<u64, String> {
    let text = value.to_str().filter(|text| digits(text));
    let number = text.and_then(|text| text.parse().ok());
    let (from, to) = (range.start(), range.end());
    let wrong = || format!("must be a whole number from {from} to {to}");
    number
        .filter(|number| range.contains(number))
        .ok_or_else(wrong)
}

/// Whether an option can be zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Zero {
    Allowed,
    Wrong,
}

/// Parses seconds in plain decimal notation, rounded to milliseconds but never down to zero.
pub(super) fn seconds(value: &OsStr, zero: Zero) -> Result<Duration, String> {
    let is_plain = |text: &&str| {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        digits(whole) && digits(fraction)
    };
    let text = value.to_str().filter(is_plain);
    let from = if zero == Zero::Allowed {
        "from 0"
    } else {
        "above 0 and up"
    };
    match text.and_then(|text| text.parse().ok()) {
        Some(0.0) if zero == Zero::Allowed => Ok(Duration::ZERO),
        Some(seconds) if seconds > 0.0 && seconds <= SECONDS_MAX => {
            let millis = (seconds * 1_000.0_f64).round().max(1.0);
            Ok(Duration::from_millis(millis as u64))
        }
        _ => Err(format!(
            "must be seconds {from} to {SECONDS_MAX}, such as 10 or 0.5"
        )),
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
