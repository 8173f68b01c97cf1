//! Times the encoding and decoding of messages in memory, by parlor and by other libraries, beside
//! `memcpy`.
//!
//! `cargo run --release --manifest-path benches/codec/Cargo.toml` measures all rows; a word after
//! it selects the rows that contain it: `-- decode 1MiB`. Each figure is the best of several
//! rounds, in which the libraries take turns.

mod peers;

use peers::{Peer, Row};
use std::hint::black_box;
use std::time::{Duration, Instant};

const SIZES: [(&str, usize); 4] = [
    ("16B", 16),
    ("256B", 256),
    ("16KiB", 16 << 10),
    ("1MiB", 1 << 20),
];
const ROUNDS: usize = 60;
const EACH: Duration = Duration::from_millis(1);

fn main() {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let names: Vec<_> = peers::NAMES.to_vec();
    println!("| row | memcpy | {} |", names.join(" | "));
    println!("| --- |{}", " ---: |".repeat(names.len() + 1));
    for deflate in [false, true] {
        for (size_name, size) in SIZES {
            for is_text in [true, false] {
                for is_masked in [true, false] {
                    for decodes in [false, true] {
                        let row = Row {
                            size,
                            is_text,
                            is_masked,
                            deflate,
                        };
                        let way = if decodes { "decode" } else { "encode" };
                        let kind = if is_text { "text" } else { "binary" };
                        let masked = if is_masked { "masked" } else { "unmasked" };
                        let plain = if deflate { ", deflate" } else { "" };
                        let name = format!("{way} {size_name} {kind} {masked}{plain}");
                        if words.iter().all(|word| name.contains(word.as_str())) {
                            measure(&name, &row, decodes);
                        }
                    }
                }
            }
        }
    }
}

/// Prints the nanoseconds of a message for each library.
fn measure(name: &str, row: &Row, decodes: bool) {
    let payload = row.payload().into_bytes();
    let mut copy = vec![0; payload.len()];
    let mut memcpy = || {
        copy.copy_from_slice(black_box(&payload));
        black_box(&copy);
    };
    let mut peers = peers::all(row);
    let mut best = vec![f64::INFINITY; peers.len() + 1];
    let mut calls: Vec<u32> = Vec::new();
    calls.push(calls_of(&mut memcpy));
    for peer in &mut peers {
        calls.push(
            peer.as_mut()
                .map_or(0, |peer| calls_of(&mut || step(peer.as_mut(), decodes))),
        );
    }
    for _ in 0..ROUNDS {
        best[0] = best[0].min(nanos(calls[0], &mut memcpy));
        for (index, peer) in peers.iter_mut().enumerate() {
            if let Some(peer) = peer {
                let time = nanos(calls[index + 1], &mut || step(peer.as_mut(), decodes));
                best[index + 1] = best[index + 1].min(time);
            }
        }
    }
    let shown = best.iter().map(|nanos| match nanos {
        nanos if nanos.is_infinite() => "–".to_owned(),
        nanos if *nanos < 100.0 => format!("{nanos:.1}"),
        nanos => format!("{nanos:.0}"),
    });
    println!("| {name} | {} |", shown.collect::<Vec<_>>().join(" | "));
}

fn step(peer: &mut dyn Peer, decodes: bool) {
    match decodes {
        true => peer.decode(),
        false => peer.encode(),
    }
}

/// Returns how many calls fill the time of a round.
fn calls_of(work: &mut dyn FnMut()) -> u32 {
    let mut calls = 1;
    while nanos(calls, work) * f64::from(calls) < EACH.as_nanos() as f64 && calls < 1 << 22 {
        calls *= 2;
    }
    calls
}

fn nanos(calls: u32, work: &mut dyn FnMut()) -> f64 {
    let began = Instant::now();
    (0..calls).for_each(|_| work());
    began.elapsed().as_nanos() as f64 / f64::from(calls)
}
