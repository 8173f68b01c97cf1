//! **The** table of counters, gauges and histograms, and their Prometheus text.
//!
//! Plain fields, counted with `+= 1` where it happens: there is one thread. No label comes from a
//! peer, so nobody outside
//! can make the table grow.

use std::fmt::Write;
use std::time::Duration;

/// Everything that `/metrics` tells.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Open WebSocket connections.
    pub connections: u64,
    /// Users online, in their resume window too.
    pub users_online: u64,
    /// Channels that are listed.
    pub channels: u64,
    /// Opening handshakes that were accepted.
    pub handshakes: u64,
    /// Requests and connections that were refused, by status.
    pub refused: ByStatus,
    /// WebSocket connections that ended, by close code.
    pub closed: ByCode,
    /// Messages that came in whole, on `/chat` and `/echo`.
    pub messages_received: u64,
    /// Messages that were handed to a connection.
    pub messages_delivered: u64,
    /// Bytes that sockets gave.
    pub bytes_received: u64,
    /// Bytes that sockets took.
    pub bytes_sent: u64,
    /// Bytes held now for all connections together: unfinished messages and send queues.
    pub buffered_bytes: u64,
    /// Commands that were over the rate.
    pub rate_limited: u64,
    /// How long a turn took, from the end of the wait to the next.
    pub turn_seconds: Histogram,
    /// How long the commit of a turn took; turns without a message are not counted.
    pub commit_seconds: Histogram,
}

/// Counts of refusals, by status.
#[derive(Clone, Debug, Default)]
pub struct ByStatus([u64; STATUSES.len()]);

const STATUSES: [u16; 10] = [400, 403, 404, 405, 408, 426, 429, 431, 503, 505];

impl ByStatus {
    /// Counts one; a status that is not in the table of refusals is not counted.
    pub fn count(&mut self, status: u16) {
        if let Some(row) = STATUSES.iter().position(|known| *known == status) {
            self.0[row] += 1;
        }
    }
}

/// Counts of closes, by close code: 1000 to 1015 (RFC 6455 §7.4.1), and one row for all others.
#[derive(Clone, Debug, Default)]
pub struct ByCode([u64; 17]);

impl ByCode {
    /// Counts one.
    pub fn count(&mut self, code: u16) {
        self.0[usize::from(code)
            .checked_sub(1000)
            .filter(|row| *row < 16)
            .unwrap_or(16)] += 1;
    }
}

/// How many took how long. The bounds are powers of four from 16 µs to 4 s: a turn is either among
/// microseconds or a matter
/// of a disk.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    buckets: [u64; BOUNDS_MICROS.len()],
    sum: Duration,
    count: u64,
}

const BOUNDS_MICROS: [u32; 10] = [
    16, 64, 256, 1_000, 4_000, 16_000, 64_000, 256_000, 1_000_000, 4_000_000,
];

impl Histogram {
    /// Counts one that took so long.
    pub fn observe(&mut self, took: Duration) {
        self.count += 1;
        self.sum += took;
        if let Some(bucket) = BOUNDS_MICROS
            .iter()
            .position(|bound| took.as_micros() <= u128::from(*bound))
        {
            self.buckets[bucket] += 1;
        }
    }

    fn render(&self, name: &str, help: &str, out: &mut String) {
        header(name, "histogram", help, out);
        let mut below = 0;
        for (bound, count) in BOUNDS_MICROS.iter().zip(self.buckets) {
            below += count;
            line(
                out,
                format_args!(
                    "{name}_bucket{{le=\"{}\"}} {below}",
                    f64::from(*bound) / 1e6
                ),
            );
        }
        line(
            out,
            format_args!("{name}_bucket{{le=\"+Inf\"}} {}", self.count),
        );
        line(out, format_args!("{name}_sum {}", self.sum.as_secs_f64()));
        line(out, format_args!("{name}_count {}", self.count));
    }
}

impl Metrics {
    /// The media type of [`Metrics::render`]'s text.
    pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// The text that Prometheus reads.
    ///
    /// ```
    /// let mut metrics = parlor::metrics::Metrics::default();
    /// metrics.closed.count(1001);
    /// assert!(metrics.render().contains("\nparlor_closed_total{code=\"1001\"} 1\n"));
    /// ```
    pub fn render(&self) -> String {
        let mut out = String::with_capacity(8 << 10);
        let plain: [(&str, &str, &str, u64); 10] = [
            (
                "parlor_connections",
                "gauge",
                "Open WebSocket connections.",
                self.connections,
            ),
            (
                "parlor_users_online",
                "gauge",
                "Users online, in their resume window too.",
                self.users_online,
            ),
            (
                "parlor_channels",
                "gauge",
                "Channels that are listed.",
                self.channels,
            ),
            (
                "parlor_handshakes_total",
                "counter",
                "Opening handshakes that were accepted.",
                self.handshakes,
            ),
            (
                "parlor_messages_received_total",
                "counter",
                "Messages that came in whole.",
                self.messages_received,
            ),
            (
                "parlor_messages_delivered_total",
                "counter",
                "Messages that were handed to a connection.",
                self.messages_delivered,
            ),
            (
                "parlor_bytes_received_total",
                "counter",
                "Bytes that sockets gave.",
                self.bytes_received,
            ),
            (
                "parlor_bytes_sent_total",
                "counter",
                "Bytes that sockets took.",
                self.bytes_sent,
            ),
            (
                "parlor_buffered_bytes",
                "gauge",
                "Bytes of unfinished messages and send queues.",
                self.buffered_bytes,
            ),
            (
                "parlor_rate_limited_total",
                "counter",
                "Commands that were over the rate.",
                self.rate_limited,
            ),
        ];
        for (name, kind, help, value) in plain {
            header(name, kind, help, &mut out);
            line(&mut out, format_args!("{name} {value}"));
        }
        header(
            "parlor_refused_total",
            "counter",
            "Refused requests and connections.",
            &mut out,
        );
        for (status, count) in STATUSES.iter().zip(self.refused.0) {
            line(
                &mut out,
                format_args!("parlor_refused_total{{status=\"{status}\"}} {count}"),
            );
        }
        header(
            "parlor_closed_total",
            "counter",
            "WebSocket connections that ended.",
            &mut out,
        );
        for (code, count) in (1000..).zip(&self.closed.0[..16]) {
            line(
                &mut out,
                format_args!("parlor_closed_total{{code=\"{code}\"}} {count}"),
            );
        }
        line(
            &mut out,
            format_args!(
                "parlor_closed_total{{code=\"other\"}} {}",
                self.closed.0[16]
            ),
        );
        self.turn_seconds.render(
            "parlor_turn_seconds",
            "How long turns of the loop took.",
            &mut out,
        );
        self.commit_seconds.render(
            "parlor_commit_seconds",
            "How long commits of the history took.",
            &mut out,
        );
        out
    }
}

fn header(name: &str, kind: &str, help: &str, out: &mut String) {
    line(out, format_args!("# HELP {name} {help}"));
    line(out, format_args!("# TYPE {name} {kind}"));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a String can't fail.
    let _ = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_the_last_has_all() {
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
    fn codes_and_statuses_beyond_the_table() {
        let mut metrics = Metrics::default();
        for code in [999, 1000, 1015, 1016, 4999] {
            metrics.closed.count(code);
        }
        metrics.refused.count(505);
        metrics.refused.count(200);
        let text = metrics.render();
        for expected in [
            "{code=\"1000\"} 1\n",
            "{code=\"1015\"} 1\n",
            "{code=\"other\"} 3\n",
            "{status=\"505\"} 1\n",
        ] {
            assert!(text.contains(expected), "{expected:?} in {text}");
        }
    }

    #[test]
    fn every_line_is_of_the_text_format() {
        for line in Metrics::default().render().lines() {
            let comment = line.starts_with("# HELP parlor_") || line.starts_with("# TYPE parlor_");
            let sample = line.split_once(' ').is_some_and(|(name, value)| {
                name.starts_with("parlor_") && value.parse::<f64>().is_ok()
            });
            assert!(comment || sample, "{line}");
        }
    }
}
