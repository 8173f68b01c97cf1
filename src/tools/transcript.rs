//! `parlor export --html CHANNEL`: a channel as one HTML file that needs nothing else, to be read
//! offline, on a phone, or to be printed. Days and times are UTC.

use super::tool::Failure;
use crate::chat::name::Name;
use crate::history::sqlite::{select_all, select_one};
use crate::history::{self, StoreError};
use crate::text::escape_markup;
use crate::time::civil;
use rusqlite::Connection;
use std::io::Write;

const HEAD: &str = r#"<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<style>:root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif; }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; } p { margin: .6rem 0; }
.text { display: block; white-space: pre-wrap; overflow-wrap: anywhere; }
h2 { margin-top: 2rem; font-size: 1rem; border-bottom: 1px solid; } small { opacity: .8; }
</style>
"#;

/// Messages of a channel in their order, a page at a time.
const PAGE: &str = "SELECT m.seq, m.at, kind = 5, sender, text, action,
        iif(owner, ' · owner', '') || iif(edited, ' · edited', ''),
        coalesce((SELECT group_concat(emoji || ' ' || n, ' ') FROM (SELECT emoji, count(*) AS n
        FROM reactions AS r WHERE r.place = m.place AND r.seq = m.seq GROUP BY emoji)), '')
    FROM messages AS m JOIN places AS p ON p.id = m.place
    WHERE m.place = ?1 AND m.seq > ?2 AND m.seq >= p.first AND kind IN (0, 5)
    ORDER BY m.seq LIMIT 1000";

/// The channel and the days of a transcript.
pub(super) struct Excerpt {
    channel: Name,
    /// The first and the last day, as `2026-11-29`; texts of this form sort by time.
    from: String,
    to: String,
}

impl Excerpt {
    /// Checks the values of `--html`, `--from` and `--to`.
    pub(super) fn parse(name: &str, from: Option<&str>, to: Option<&str>) -> Result<Self, Failure> {
        let channel = Name::of_channel(name);
        let day = |option, value: Option<&str>, default: &str| match value {
            Some(value) if !is_date(value) => Err(Failure::wrong(format!(
                "--{option} needs a date such as 2026-11-29"
            ))),
            value => Ok(value.unwrap_or(default).to_owned()),
        };
        Ok(Self {
            channel: channel.map_err(|error| Failure::wrong(error.message))?,
            from: day("from", from, "0000-00-00")?,
            to: day("to", to, "9999-99-99")?,
        })
    }

    /// Writes the channel's messages of these days in their present form.
    pub(super) fn write(
        &self,
        connection: &Connection,
        out: &mut impl Write,
    ) -> history::Result<()> {
        let name = &*self.channel.shown;
        let select = "SELECT id FROM places WHERE name = ?1 AND NOT removed";
        let place: Option<i64> = select_one(connection, select, [name], |row| row.get(0))?;
        let no_channel = || StoreError(format!("there is no channel #{name} in it"));
        let place = place.ok_or_else(no_channel)?;
        write!(out, "{HEAD}<title>#{name}</title>\n<h1>#{name}</h1>\n")?;
        type Row = (u64, u64, bool, String, String, bool, String, String);
        let (mut last_day, mut after) = (String::new(), 0);
        // In pages, so that the log of a running server can be emptied in between.
        loop {
            let rows = select_all(connection, PAGE, (place, after), |row| row.try_into())?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                let (seq, at, is_deleted, from, text, is_action, marks, reactions): Row = row;
                after = seq;
                let (day, time) = day_and_time(at);
                if day < self.from || day > self.to {
                    continue;
                }
                if day != last_day {
                    writeln!(out, "<h2>{day}</h2>")?;
                    last_day = day;
                }
                if is_deleted {
                    writeln!(out, "<p><small>{time} a deleted message</small>")?;
                    continue;
                }
                let (from, text) = (escape_markup(&from), escape_markup(&text));
                let italic = " style=\"font-style: italic\"";
                let style = if is_action { italic } else { "" };
                let reactions = match &*reactions {
                    "" => String::new(),
                    all => format!(" <small>{}</small>", escape_markup(all)),
                };
                writeln!(
                    out,
                    "<p id=\"{seq}\"><b><bdi>{from}</bdi></b> <small>{time}{marks}</small>\
                     <span class=\"text\" dir=\"auto\"{style}>{text}</span>{reactions}"
                )?;
            }
        }
    }
}

/// Returns whether a text has the form `2026-11-29`.
fn is_date(text: &str) -> bool {
    let is_right = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    text.len() == 10
        && text.bytes().enumerate().all(is_right)
        && ("01"..="12").contains(&&text[5..7])
        && ("01"..="31").contains(&&text[8..])
}

/// Formats milliseconds since 1970 as `2026-11-29` and `18:05`.
fn day_and_time(at: u64) -> (String, String) {
    let minutes = at / 60_000;
    let (year, month, day) = civil(minutes / 1_440);
    let day = format!("{year:04}-{:02}-{day:02}", month + 1);
    (day, format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60))
}
