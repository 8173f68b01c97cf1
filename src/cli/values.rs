//! What the values of options mean.
//!
//! Not here: which options there are (`options`).

use super::options::ServeOptions;
use crate::history::Sync;
use crate::hub::{Network, Origin, Origins};
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A host that begins like a number or a bracket is meant to be an address; anything else is a
/// name, to be looked up when the
/// server starts.
pub(super) fn listen(options: &mut ServeOptions, value: &OsStr) -> Result<(), String> {
    let wrong = || {
        "must be an address and a port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080"
            .to_owned()
    };
    let text = value.to_str().ok_or_else(wrong)?;
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let letters = host
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    let is_name = letters && host.starts_with(|first: char| first.is_ascii_alphabetic());
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if text.parse::<SocketAddr>().is_err() && !(is_name && is_port) {
        return Err(wrong());
    }
    options.listen = text.to_owned();
    Ok(())
}

pub(super) fn www(options: &mut ServeOptions, value: &OsStr) -> Result<(), String> {
    if value.is_empty() {
        return Err("must be a folder".to_owned());
    }
    options.www = Some(value.into());
    Ok(())
}

pub(super) fn record(options: &mut ServeOptions, value: &OsStr) -> Result<(), String> {
    if value.is_empty() {
        return Err("must be a file".to_owned());
    }
    if cfg!(not(feature = "tools")) {
        return Err(
            "can't be used, since this parlor was built without the feature tools".to_owned(),
        );
    }
    options.record = Some(value.into());
    Ok(())
}

/// What a recording can't bring back is not recorded.
pub(super) fn check_record(options: &mut ServeOptions) -> Result<(), String> {
    match &options.record {
        Some(_) if !options.in_memory => Err("--record goes with --no-history only".to_owned()),
        Some(_) if options.www.is_some() => Err("--record does not go with --www".to_owned()),
        Some(_) => Ok(()),
        None => {
            options.given.clear();
            Ok(())
        }
    }
}

pub(super) fn history(options: &mut ServeOptions, value: &OsStr) -> Result<(), String> {
    if value.is_empty() {
        return Err("must be a file".to_owned());
    }
    if cfg!(not(feature = "history")) {
        return Err(
            "can't be used, since this parlor was built without the feature history".to_owned(),
        );
    }
    options.history.path = value.into();
    Ok(())
}

pub(super) fn sync(options: &mut ServeOptions, value: &OsStr) -> Result<(), String> {
    options.history.sync = match value.to_str() {
        Some("normal") => Sync::Normal,
        Some("full") => Sync::Full,
        _ => return Err("must be normal or full".to_owned()),
    };
    Ok(())
}

pub(super) fn origin(options: &mut ServeOptions, value: &OsStr) -> Result<(), String> {
    if value == "*" {
        options.origins = Origins::Any;
        return Ok(());
    }
    let origin = value.to_str().and_then(Origin::parse);
    let origin =
        origin.ok_or("must be an origin without a path, such as https://chat.example, or *")?;
    match &mut options.origins {
        Origins::Any => {}
        Origins::Listed(listed) => listed.push(origin),
        Origins::SameHost => options.origins = Origins::Listed(vec![origin]),
    }
    Ok(())
}

pub(super) fn trusted_proxy(options: &mut ServeOptions, value: &OsStr) -> Result<(), String> {
    let network = value.to_str().and_then(Network::parse);
    options
        .trusted_proxies
        .push(network.ok_or(
            "must be an address or a range of addresses, such as 127.0.0.1 or 10.0.0.0/8",
        )?);
    Ok(())
}

pub(super) fn whole<T: TryFrom<u64>>(
    target: &mut T,
    value: &OsStr,
    range: RangeInclusive<u64>,
) -> Result<(), String> {
    let digits = value
        .to_str()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits
        .and_then(|digits| digits.parse().ok())
        .filter(|number| range.contains(number));
    *target = number
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| {
            format!(
                "must be a whole number from {} to {}",
                range.start(),
                range.end()
            )
        })?;
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Zero {
    IsFine,
    IsWrong,
}

/// Some thirty years: far from every overflow, and longer than anybody waits.
const SECONDS: f64 = 1e9;

/// Seconds in plain decimal notation, rounded to milliseconds; what is not nothing is at least one.
pub(super) fn seconds(target: &mut Duration, value: &OsStr, zero: Zero) -> Result<(), String> {
    let plain = |text: &&str| {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        [whole, fraction]
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let number: Option<f64> = value
        .to_str()
        .filter(plain)
        .and_then(|text| text.parse().ok());
    let number =
        number.filter(|number| *number <= SECONDS && (*number > 0.0 || zero == Zero::IsFine));
    let number = number.ok_or_else(|| match zero {
        Zero::IsFine => format!("must be seconds from 0 to {SECONDS}, such as 10 or 0.5"),
        Zero::IsWrong => format!("must be seconds above 0 and up to {SECONDS}, such as 10 or 0.5"),
    })?;
    let millis = (number * 1_000.0).round();
    *target = Duration::from_millis(if number > 0.0 {
        millis.max(1.0) as u64
    } else {
        0
    });
    Ok(())
}
