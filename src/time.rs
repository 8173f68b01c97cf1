//! Clocks. The event loop reads both once a turn, and passes the times on as [`Now`].
//!
//! Deadlines use the monotonic clock, which never jumps; times for people (`at`, `Date`) come from
//! the wall clock. They have two types, so that they can't be confused.

use std::time::Duration;

/// Milliseconds of a day.
pub(crate) const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// Milliseconds since the server started, on the monotonic clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

/// Milliseconds since 1970-01-01 00:00 UTC, on the wall clock, which may jump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct UnixMillis(pub u64);

/// Both clocks, read together at the beginning of a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The time of the monotonic clock.
    pub mono: Millis,
    /// The time of the wall clock.
    pub unix: UnixMillis,
}

impl Millis {
    /// Returns the moment `wait` later, saturating.
    pub fn after(self, wait: Duration) -> Self {
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// Returns the time since `earlier`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Converts days since 1970-01-01 to year, month (0 is January) and day (1 is the first), in the
/// Gregorian calendar.
///
/// Years begin on 1 March here, so that the leap day is the last of its year, and month `m` begins
/// `(153 m + 2) / 5` days after that.
pub(crate) fn civil(days: u64) -> (u64, usize, u64) {
    let days = days + 719_468; // since 1 March of the year 0
    let (era, day) = (days / 146_097, days % 146_097); // eras of 400 years
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year + u64::from(month >= 10);
    (year, (month as usize + 2) % 12, day_of_month)
}

/// Formats a date in the form of RFC 9110 §5.6.7, always in GMT.
pub(crate) fn imf_fixdate(at: UnixMillis) -> String {
    // 1970 began on a Thursday.
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let seconds = at.0 / 1_000;
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (weekday, month) = (WEEKDAYS[days as usize % 7], &MONTHS[3 * month..][..3]);
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// A jump of the wall clock against the monotonic one that is longer than this is doubted.
const JUMP: i64 = 60 * 60 * 1_000;
/// A doubted jump is believed after the clocks have agreed on it for this time.
const DOUBT: Duration = Duration::from_millis(DAY_MILLIS);
/// 2020-01-01: no server of ours runs earlier, so an earlier wall clock is never believed.
const EARLIEST: UnixMillis = UnixMillis(1_577_836_800_000);

/// A clock to judge ages by: what is deleted, or forgotten, for being old.
///
/// It follows the wall clock as long as that agrees with the monotonic clock. When the wall clock
/// jumps by more than an hour, this clock keeps the old time until the jump has lasted a day. So a
/// clock that is wrong for some hours deletes nothing.
#[derive(Clone, Debug, Default)]
pub struct TrustedClock {
    believed: UnixMillis,
    /// The monotonic time at which `believed` was right; `None` before the first observation.
    at: Option<Millis>,
    /// A jump that is not believed yet: how many milliseconds the wall clock is ahead of the
    /// believed time, and since when.
    doubted: Option<(i64, Millis)>,
}

/// A change in what a [`TrustedClock`] thinks of the wall clock, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockChange {
    /// The wall clock jumped by this many milliseconds and is not believed for now.
    Doubted(i64),
    /// The jump lasted a day: the believed time moved by this many milliseconds.
    Believed(i64),
    /// The wall clock is back where it was expected.
    Cleared,
}

impl TrustedClock {
    /// Continues from a time that was believed before a restart. Time without a server counts
    /// like a jump: more than an hour of it is believed after a day.
    pub fn continuing(believed: UnixMillis) -> Self {
        let clock = Self::default();
        Self { believed, ..clock }
    }

    /// Takes a reading of both clocks. Returns a change of opinion about the wall clock, if any.
    pub fn observe(&mut self, now: Now) -> Option<ClockChange> {
        if self.believed == UnixMillis(0) {
            self.believed = now.unix.max(EARLIEST);
        }
        let elapsed = now.mono.since(self.at.unwrap_or(now.mono));
        self.believed.0 += elapsed.as_millis() as u64;
        self.at = Some(now.mono);
        let wall = now.unix.0.min(1 << 62);
        let ahead = wall.cast_signed() - self.believed.0.cast_signed();
        if ahead.abs() <= JUMP {
            self.believed = now.unix;
            return self.doubted.take().map(|_| ClockChange::Cleared);
        }
        match self.doubted {
            Some((doubted, since)) if (doubted - ahead).abs() <= JUMP => {
                if now.mono.since(since) < DOUBT || now.unix < EARLIEST {
                    return None;
                }
                self.believed = now.unix;
                self.doubted = None;
                Some(ClockChange::Believed(ahead))
            }
            _ => {
                self.doubted = Some((ahead, now.mono));
                Some(ClockChange::Doubted(ahead))
            }
        }
    }

    /// Returns the time that ages are judged by.
    pub fn believed(&self) -> UnixMillis {
        self.believed
    }

    /// Returns whether the wall clock agreed with the believed time at the last observation.
    pub fn agrees(&self) -> bool {
        self.doubted.is_none()
    }

    /// Returns the time to store with something whose age will be judged: the later one of the
    /// believed time and the wall clock. Too late a time is harmless; too early a time deletes it.
    pub fn stamp(&self, wall: UnixMillis) -> UnixMillis {
        self.believed.max(wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: u64 = 1_700_000_000_000;
    const DAY: u64 = 24 * 60 * 60 * 1_000;

    /// Parses a sum of milliseconds, hours (`h`) and days (`d`).
    fn millis(text: &str) -> i64 {
        let day = DAY as i64;
        let term = |term: &str| match (term.strip_suffix('d'), term.strip_suffix('h')) {
            (Some(days), _) => days.parse::<i64>().unwrap() * day,
            (_, Some(hours)) => hours.parse::<i64>().unwrap() * day / 24,
            _ => term.parse().unwrap(),
        };
        text.split('+').map(term).sum()
    }

    /// Plays readings of both clocks, as `monotonic:wall`, and returns the believed times. Walls
    /// and believed times are counted from [`BEGIN`].
    fn play(mut clock: TrustedClock, readings: &str) -> Vec<i64> {
        let read = |reading: &str| {
            let (mono, wall) = reading.split_once(':').unwrap();
            let unix = UnixMillis(BEGIN.saturating_add_signed(millis(wall)));
            let mono = Millis(millis(mono) as u64);
            clock.observe(Now { mono, unix });
            clock.believed().0 as i64 - BEGIN as i64
        };
        readings.split(' ').map(read).collect()
    }

    /// What happens, the readings, and the believed times.
    const JUMPS: &str = "
        a steady clock                  | 0:0 1h:1h 9d:9d                       | 0 1h 9d
        a small correction              | 0:0 10:1800000 20:-900000             | 0 1800000 -900000
        40 days ahead for a moment      | 0:0 10:40d 20:20                      | 0 10 20
        back for a moment               | 0:0 10:-40d 20:20                     | 0 10 20
        1970 for a year                 | 0:0 10:-21900d 365d:-21900d           | 0 10 365d
        40 days ahead for two days      | 0:0 10:40d 1d+9:41d 1d+10:41d+10      | 0 10 1d+9 41d+10
        a believed jump is taken back   | 0:0 10:9d 2d:11d 3d:3d 4d:4d          | 0 10 11d 12d 4d
        another jump every few hours    | 0:0 10:5d 1h:9d 20h:5d 25h:9d         | 0 10 1h 20h 25h
        a wall clock at the end of time | 0:0 10:9223368636854775807            | 0 10";
    const RESTARTS: &str = "
        ten minutes later               | 0:600000                              | 600000
        a week later                    | 0:7d 1d:8d                            | 0 8d
        40 days ahead, then right       | 0:40d 9:9                             | 0 9
        1970, then right                | 0:-1700000000000 9:9                  | 0 9";

    #[test]
    fn trusted_clock_doubts_jumps_for_a_day() {
        let after_a_restart = || TrustedClock::continuing(UnixMillis(BEGIN));
        let clocks: [(&str, &dyn Fn() -> TrustedClock); 2] = [
            (JUMPS, &TrustedClock::default),
            (RESTARTS, &after_a_restart),
        ];
        for (table, clock) in clocks {
            for [name, readings, expected] in crate::testing::rows(table) {
                let expected: Vec<_> = expected.split(' ').map(millis).collect();
                assert_eq!(play(clock(), &readings), expected, "{name}");
            }
        }
    }

    #[test]
    fn trusted_clock_reports_each_change_once() {
        let mut clock = TrustedClock::default();
        let ahead = 2 * DAY as i64;
        let table = [
            (0, 0, None),
            (1, 2 * DAY + 1, Some(ClockChange::Doubted(ahead))),
            (2, 2 * DAY + 2, None),
            (3, 3, Some(ClockChange::Cleared)),
            (4, 2 * DAY + 4, Some(ClockChange::Doubted(ahead))),
            (DAY + 4, 3 * DAY + 4, Some(ClockChange::Believed(ahead))),
            (DAY + 5, 3 * DAY + 5, None),
        ];
        for (mono, wall, expected) in table {
            let (mono, unix) = (Millis(mono), UnixMillis(BEGIN + wall));
            assert_eq!(clock.observe(Now { mono, unix }), expected);
        }
        assert!(clock.agrees());
    }

    #[test]
    fn trusted_clock_stamps_the_later_time() {
        let clock = TrustedClock::continuing(UnixMillis(BEGIN));
        for wall in [0, BEGIN - DAY, BEGIN, BEGIN + DAY] {
            let stamp = clock.stamp(UnixMillis(wall));
            assert_eq!(stamp, UnixMillis(wall.max(BEGIN)));
        }
    }

    #[test]
    #[rustfmt::skip]
    fn dates_are_imf_fixdates() {
        let table = [
            ("the beginning", 0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            ("the example of RFC 9110 §5.6.7", 784_111_777_999, "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("a leap day of a leap century", 951_782_400_000, "Tue, 29 Feb 2000 00:00:00 GMT"),
            ("the day after it", 951_868_800_000, "Wed, 01 Mar 2000 00:00:00 GMT"),
            ("the end of a year", 1_735_689_599_000, "Tue, 31 Dec 2024 23:59:59 GMT"),
            ("a leap day", 1_709_164_800_000, "Thu, 29 Feb 2024 00:00:00 GMT"),
            ("a century without one", 4_107_542_400_000, "Mon, 01 Mar 2100 00:00:00 GMT"),
            ("more than 32 bits", 4_294_967_296_000, "Sun, 07 Feb 2106 06:28:16 GMT"),
        ];
        for (name, at, expected) in table {
            assert_eq!(imf_fixdate(UnixMillis(at)), expected, "{name}");
        }
        imf_fixdate(UnixMillis(u64::MAX)); // no overflow
    }

    #[test]
    fn days_follow_one_another() {
        let is_leap = |year| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let mut days = 0..;
        for year in 1970..2500 {
            let february = 28 + u64::from(is_leap(year));
            let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            for (month, length) in lengths.into_iter().enumerate() {
                for day in 1..=length {
                    assert_eq!(civil(days.next().unwrap()), (year, month, day));
                }
            }
        }
    }
}
