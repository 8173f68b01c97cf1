//! The table of counters, gauges and histograms, and their text for Prometheus.
//!
//! The server has one thread, so they are plain fields. No label contains data of a peer, so the
//! table can't grow.

use std::fmt::{Display, Write};
use std::time::Duration;

/// Declares a struct with a field, a type, a name and a help text (the doc comment) per metric.
macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $field:ident: $type:ty = $name:literal,)+) => {
        /// All metrics of `/metrics`.
        #[derive(Clone, Debug, Default)]
        pub struct Metrics {
            $($(#[doc = $help])+ pub $field: $type,)+
        }

        impl Metrics {
            /// Returns the text that Prometheus reads.
            pub fn render(&self) -> String {
                let mut out = String::with_capacity(8 << 10);
                $(self.$field.render($name, concat!($($help),+).trim(), &mut out);)+
                out
            }
        }
    };
}

metrics! {
    /// WebSocket connections that are open.
    connections: u64 = "parlor_connections",
    /// Users online, including those in their resume window.
    users_online: u64 = "parlor_users_online",
    /// Channels that are listed.
    channels: u64 = "parlor_channels",
    /// Opening handshakes that were accepted.
    handshakes: u64 = "parlor_handshakes_total",
    /// Complete messages that were received.
    messages_received: u64 = "parlor_messages_received_total",
    /// Messages sent to a connection.
    messages_delivered: u64 = "parlor_messages_delivered_total",
    /// Bytes received from all sockets.
    bytes_received: u64 = "parlor_bytes_received_total",
    /// Bytes sent to all sockets.
    bytes_sent: u64 = "parlor_bytes_sent_total",
    /// Memory for incomplete messages and send queues, in bytes.
    buffered_bytes: u64 = "parlor_buffered_bytes",
    /// Commands that were rate-limited.
    rate_limited: u64 = "parlor_rate_limited_total",
    /// Wrong owner's keys that were sent.
    wrong_keys: u64 = "parlor_wrong_keys_total",
    /// Wrong passwords that were sent.
    wrong_passwords: u64 = "parlor_wrong_passwords_total",
    /// Messages that were edited.
    edits: u64 = "parlor_edits_total",
    /// Messages that were deleted, one by one.
    deletions: u64 = "parlor_deletions_total",
    /// Searches that were answered.
    searches: u64 = "parlor_searches_total",
    /// Refused requests and connections, by status.
    refused: ByStatus = "parlor_refused_total",
    /// Closed WebSocket connections, by close code.
    closed: ByCode = "parlor_closed_total",
    /// Duration of turns of the event loop.
    turn_seconds: Histogram = "parlor_turn_seconds",
    /// Duration of commits of the history.
    commit_seconds: Histogram = "parlor_commit_seconds",
}

/// Writes a metric in the text format of Prometheus.
trait Render {
    fn render(&self, name: &str, help: &str, out: &mut String);
}

/// A counter if the name ends in `_total`, otherwise a gauge.
impl Render for u64 {
    fn render(&self, name: &str, help: &str, out: &mut String) {
        let kind = match name.ends_with("_total") {
            true => "counter",
            false => "gauge",
        };
        header(name, kind, help, out);
        sample(name, *self, out);
    }
}

/// Counts of refusals, by status.
#[derive(Clone, Debug, Default)]
pub struct ByStatus([u64; STATUSES.len()]);

/// The status codes of refusals.
pub const STATUSES: [u16; 10] = [400, 403, 404, 405, 408, 426, 429, 431, 503, 505];

impl ByStatus {
    /// Counts one refusal. A status that is not in the table is not counted.
    pub fn count(&mut self, status: u16) {
        if let Some(row) = STATUSES.iter().position(|known| *known == status) {
            self.0[row] += 1;
        }
    }
}

impl Render for ByStatus {
    fn render(&self, name: &str, help: &str, out: &mut String) {
        header(name, "counter", help, out);
        for (status, count) in STATUSES.iter().zip(self.0) {
            sample(format_args!("{name}{{status=\"{status}\"}}"), count, out);
        }
    }
}

/// Counts of closed connections, by close code: 1000 to 1015 (RFC 6455 §7.4.1), and all others.
#[derive(Clone, Debug, Default)]
pub struct ByCode([u64; 17]);

impl ByCode {
    /// Counts one closed connection.
    pub fn count(&mut self, code: u16) {
        self.0[usize::from(code.wrapping_sub(1000)).min(16)] += 1;
    }
}

impl Render for ByCode {
    fn render(&self, name: &str, help: &str, out: &mut String) {
        header(name, "counter", help, out);
        for (code, count) in (1000..).zip(&self.0[..16]) {
            sample(format_args!("{name}{{code=\"{code}\"}}"), count, out);
        }
        sample(format_args!("{name}{{code=\"other\"}}"), self.0[16], out);
    }
}

/// A histogram of durations.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    buckets: [u64; BOUNDS_MICROS.len()],
    sum: Duration,
    count: u64,
}

/// Powers of four, because a turn takes microseconds unless it waits for a disk.
#[rustfmt::skip] // a list
const BOUNDS_MICROS: [u32; 10] =
    [16, 64, 256, 1_000, 4_000, 16_000, 64_000, 256_000, 1_000_000, 4_000_000];

impl Histogram {
    /// Counts one more duration.
    pub fn observe(&mut self, took: Duration) {
        self.count += 1;
        self.sum += took;
        let fits = |bound: &u32| took.as_micros() <= u128::from(*bound);
        if let Some(row) = BOUNDS_MICROS.iter().position(fits) {
            self.buckets[row] += 1;
        }
    }
}

impl Render for Histogram {
    fn render(&self, name: &str, help: &str, out: &mut String) {
        header(name, "histogram", help, out);
        let mut below = 0;
        for (bound, count) in BOUNDS_MICROS.iter().zip(self.buckets) {
            below += count;
            let bound = f64::from(*bound) / 1e6;
            sample(format_args!("{name}_bucket{{le=\"{bound}\"}}"), below, out);
        }
        sample(
            format_args!("{name}_bucket{{le=\"+Inf\"}}"),
            self.count,
            out,
        );
        sample(format_args!("{name}_sum"), self.sum.as_secs_f64(), out);
        sample(format_args!("{name}_count"), self.count, out);
    }
}

fn header(name: &str, kind: &str, help: &str, out: &mut String) {
    // Writing to a String can't fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn sample(name: impl Display, value: impl Display, out: &mut String) {
    let _ = writeln!(out, "{name} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histogram_buckets_are_cumulative() {
        let mut histogram = Histogram::default();
        for micros in [1, 16, 17, 2_000, 9_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let mut text = String::new();
        histogram.render("x", "Help.", &mut text);
        for expected in [
            "x_bucket{le=\"0.000016\"} 2\n",
            "x_bucket{le=\"0.000064\"} 3\n",
            "x_bucket{le=\"4\"} 4\n",
            "x_bucket{le=\"+Inf\"} 5\n",
            "x_count 5\n",
        ] {
            assert!(text.contains(expected), "{expected:?} in {text}");
        }
    }

    #[test]
    fn codes_and_statuses_outside_the_table() {
        let mut metrics = Metrics::default();
        for code in [999, 1000, 1015, 1016, 4999] {
            metrics.closed.count(code);
        }
        metrics.refused.count(505);
        metrics.refused.count(200);
        let text = metrics.render();
        for expected in [
            "\nparlor_closed_total{code=\"1000\"} 1\n",
            "{code=\"1015\"} 1\n",
            "{code=\"other\"} 3\n",
            "{status=\"505\"} 1\n",
        ] {
            assert!(text.contains(expected), "{expected:?} in {text}");
        }
    }

    #[test]
    fn every_line_has_the_text_format() {
        for line in Metrics::default().render().lines() {
            let comment = line.starts_with("# HELP parlor_") || line.starts_with("# TYPE parlor_");
            let sample = line.split_once(' ').is_some_and(|(name, value)| {
                name.starts_with("parlor_") && value.parse::<f64>().is_ok()
            });
            assert!(comment || sample, "{line}");
        }
    }
}
