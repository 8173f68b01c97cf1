//! `parlor export --html CHANNEL`: a channel as one HTML file that needs nothing else, to be read
//! offline, on a phone, or to be printed. Days and times are UTC.

use super::tool::Failure;
use crate::chat::name::Name;
use crate::history::{self, StoreError};
use crate::time::civil;
use rusqlite::{Connection, OptionalExtension};
use std::io::Write;

const HEAD: &str = r#"<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<style>:root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif; }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; } p { margin: .6rem 0; }
.text { display: block; white-space: pre-wrap; overflow-wrap: anywhere; }
h2 { margin-top: 2rem; font-size: 1rem; border-bottom: 1px solid; } small { opacity: .8; }
</style>
"#;

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
        let place = connection.query_row(select, [name], |row| row.get(0));
        let no_channel = || StoreError(format!("there is no channel #{name} in it"));
        let place: i64 = place.optional()?.ok_or_else(no_channel)?;
        write!(out, "{HEAD}<title>#{name}</title>\n<h1>#{name}</h1>\n")?;
        // In pages, so that the log of a running server can be emptied in between.
        let mut select = connection.prepare(
            "SELECT m.seq, m.at, sender, text, action, owner, kind, edited,
                (SELECT group_concat(emoji || ' ' || n, ' ') FROM (SELECT emoji, count(*) AS n
                FROM reactions AS r WHERE r.place = m.place AND r.seq = m.seq GROUP BY emoji))
            FROM messages AS m JOIN places AS p ON p.id = m.place
            WHERE m.place = ?1 AND m.seq > ?2 AND m.seq >= p.first ORDER BY m.seq LIMIT 1000",
        )?;
        let (mut last_day, mut after) = (String::new(), 0_u64);
        loop {
            let (mut rows, mut count) = (select.query((place, after))?, 0);
            while let Some(row) = rows.next()? {
                (after, count) = (row.get(0)?, count + 1);
                let (day, time) = day_and_time(row.get(1)?);
                let kind: i64 = row.get(6)?;
                let is_shown = matches!(kind, 0 | 5) && self.from <= day && day <= self.to;
                if !is_shown {
                    continue;
                }
                if day != last_day {
                    writeln!(out, "<h2>{day}</h2>")?;
                    last_day = day;
                }
                if kind == 5 {
                    writeln!(out, "<p><small>{time} a deleted message</small>")?;
                    continue;
                }
                let (from, text): (String, String) = (row.get(2)?, row.get(3)?);
                let mut marks = time;
                for (column, mark) in [(5, " · owner"), (7, " · edited")] {
                    let is_set: Option<i64> = row.get(column)?;
                    marks += is_set.filter(|value| *value != 0).map_or("", |_| mark);
                }
                let reactions: Option<String> = row.get(8)?;
                let reactions = reactions.map(|all| format!(" <small>{}</small>", escape(&all)));
                let style = if row.get(4)? {
                    " style=\"font-style: italic\""
                } else {
                    ""
                };
                writeln!(
                    out,
                    "<p id=\"{after}\"><b><bdi>{}</bdi></b> <small>{marks}</small>\
                     <span class=\"text\" dir=\"auto\"{style}>{}</span>{}",
                    escape(&from),
                    escape(&text),
                    reactions.unwrap_or_default()
                )?;
            }
            if count == 0 {
                return Ok(());
            }
        }
    }
}

/// Returns whether a text has the form `2026-11-29`.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-').zip([(4, 9999), (2, 12), (2, 31)]);
    let is_part = |(part, (length, most)): (&str, (usize, u32))| {
        let is_number = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number
            && part
                .parse()
                .is_ok_and(|number| (1..=most).contains(&number))
    };
    text.len() == 10 && parts.all(is_part)
}

/// Formats milliseconds since 1970 as `2026-11-29` and `18:05`.
fn day_and_time(at: u64) -> (String, String) {
    let minutes = at / 60_000;
    let (year, month, day) = civil(minutes / 1_440);
    let day = format!("{year:04}-{:02}-{day:02}", month + 1);
    (day, format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
