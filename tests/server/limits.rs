//! Limits and deadlines by the real binary. The rules are in tests/hub; floods, slow readers and
//! slow senders in tests/faults.

use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Folder, Raw, Server, eventually};

#[test]
fn connections_over_the_limit_are_refused() {
    for (options, most, status) in [
        ("--max-connections 3", 3, 503),
        ("--max-connections-per-ip 2", 2, 429),
    ] {
        let server = Server::with(options);
        let mut open: Vec<_> = (0..most).map(|_| server.open("/echo")).collect();
        for _ in 0..2 {
            let mut raw = server.raw();
            raw.response().assert_refusal("one more", &[status]);
            raw.assert_ended("one more");
        }
        open[0].text("still");
        assert_eq!(open[0].message("the others stay").1, b"still");
        drop(open.pop());
        eventually("there is room again", || {
            let mut raw = server.raw();
            raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
            raw.response().status == 200
        });
    }
}

/// Sixty browsers with six connections each open the page, and enter the chat.
#[test]
fn class_behind_one_address_enters_at_once() {
    let server = Server::start(&[]);
    let ask = |raw: &mut Raw, path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
        raw.send(request);
    };
    let html = server.get("/").text();
    let urls = html.split("=\"").filter_map(|rest| rest.split('"').next());
    let files: Vec<_> = urls
        .filter(|url| url.contains("/app/") || url.contains("/styles/") || url.ends_with(".svg"))
        .collect();
    assert!(files.len() >= 5, "{files:?}");
    let began = Instant::now();
    let connect = |_| Vec::from_iter((0..6).map(|_| server.raw()));
    let mut browsers: Vec<_> = (0..60).map(connect).collect();
    for browser in &mut browsers {
        ask(&mut browser[0], "/");
    }
    for browser in &mut browsers {
        assert_eq!(browser[0].response().status, 200);
        for (index, file) in files.iter().enumerate() {
            ask(&mut browser[index % 6], &format!("/{file}"));
        }
    }
    for browser in &mut browsers {
        for (index, file) in files.iter().enumerate() {
            assert_eq!(browser[index % 6].response().status, 200, "{file}");
        }
    }
    let enter = |n| server.enter(&format!("pupil{n}"));
    let _people: Vec<_> = (0..60).map(enter).collect();
    let took = began.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn response_without_progress_is_given_up() {
    let folder = Folder::new("www-slow");
    std::fs::write(folder.0.join("index.html"), "x").unwrap();
    let large = std::fs::File::create(folder.0.join("large.bin")).unwrap();
    large.set_len(16 << 20).unwrap();
    let www = folder.0.to_str().unwrap();
    let server = Server::start(&["--handshake-timeout", "1", "--www", www]);
    let get = "GET /large.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    // One client reads nothing for two seconds, the other a little all the time.
    let (mut idle, mut slow) = (server.raw(), server.raw());
    idle.send(get);
    slow.send(get);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        slow.fill().unwrap();
        thread::sleep(Duration::from_millis(10));
    }
    assert!(slow.until_the_end().len() > 16 << 20);
    while idle.fill().is_ok() {}
    assert!(idle.buffer.len() < 16 << 20);
}
