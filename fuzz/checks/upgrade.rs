//! Opening handshakes, compared with the conditions of RFC 6455 §4.2.1 as a list of booleans.
//!
//! Input: a request made by `arbitrary` from valid and nearly valid words, in any case, in lists,
//! twice, in any order. The conditions use the chosen words, not the bytes. Asserted: the status is
//! 101 if all conditions hold, else that of the first condition that fails; tungstenite computes
//! the same accept key; `chat` is selected if it was offered.

use arbitrary::{Arbitrary, Unstructured};
use parlor::http::Head;
use parlor::progress::Progress;
use parlor::websocket::{Config, ServerHandshake};
use tungstenite::handshake::derive_accept_key;

#[derive(Arbitrary, Debug)]
struct Input {
    method: u8,
    http_1_0: u8,
    /// Which of the four valid lines come first, as a browser sends them: a set bit leaves one out.
    right_lines: u8,
}

#[derive(Arbitrary, Debug)]
struct Line {
    name: u8,
    flip_case: u16,
    values: Vec<Value>,
}

#[derive(Arbitrary, Debug)]
struct Value {
    word: u8,
    flip_case: u16,
    separator: u8,
    key: [u8; 4],
}

const NAMES: [&str; 7] = [
    "Upgrade",
    "Connection",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Protocol",
    "Origin",
    "Sec-WebSocket-Extensions",
];
const WORDS: [&str; 24] = [
    "websocket",
    "upgrade",
    "13",
    "dGhlIHNhbXBsZSBub25jZQ==",
    "chat",
    "keep-alive",
    "close",
    "h2c",
    "web socket",
    "websocket/13",
    "upgraded",
    "8",
    "013",
    "+13",
    "13.0",
    "AQIDBAUGBwgJCgsMDQ4PEC==",
    "dGhlIHNhbXBsZSBub25jZQ",
    "dGhlIHNhbXBsZSBub25jZQ=",
    "dGhlIHNhbXBsZSBub25jZQAA",
    "dGhlIHNhbXBsZSBub25j ZQ==",
    "superchat",
    "",
    "\"websocket\"",
    "permessage-deflate; client_max_window_bits",
];
const SEPARATORS: [&str; 6] = [", ", ",", " ,\t", ",,", ", ,", " "];
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

pub fn check(data: &[u8]) {
    let mut data = Unstructured::new(data);
    let Ok(input) = Input::arbitrary(&mut data) else {
        return;
    };
    let method =
        ["GET", "GET", "GET", "GET", "GET", "HEAD", "get", "POST"][usize::from(input.method % 8)];
    let is_1_1 = input.http_1_0 % 8 != 7;
    let lines = lines(&input, &mut data);
    let mut request = format!("{method} /chat HTTP/1.{}\r\nHost: a\r\n", u8::from(is_1_1));
    lines
        .iter()
        .for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
    request.push_str("\r\n");
    let Ok(Progress::Done { value: head, .. }) = Head::parse(request.as_bytes(), usize::MAX) else {
        panic!("{request:?}")
    };

    let values = |name: &str| {
        lines
            .iter()
            .filter(|line| line.0.eq_ignore_ascii_case(name))
            .map(|line| line.1.trim_matches([' ', '\t']))
            .collect::<Vec<_>>()
    };
    let lists = |name: &str, word: &str| {
        values(name)
            .iter()
            .flat_map(|value| value.split(','))
            .any(|element| element.trim_matches([' ', '\t']).eq_ignore_ascii_case(word))
    };
    let (versions, keys) = (values("Sec-WebSocket-Version"), values("Sec-WebSocket-Key"));
    let conditions = [
        (method == "GET", 405),                             // §4.2.1, 1
        (lists("Upgrade", "websocket"), 426),               // 3
        (lists("Connection", "upgrade"), 426),              // 4
        (is_1_1, 400),                                      // 1
        (versions.len() <= 1, 400),                         // §11.3.5: once
        (versions == ["13"], 426),                          // 6, §4.4
        (keys.len() == 1, 400),                             // §11.3.1: once
        (keys.first().is_some_and(|key| is_key(key)), 400), // 5
    ];
    let config = Config::default().subprotocols(["chat"]);
    match (
        ServerHandshake::from_head(&head, &config),
        conditions.iter().find(|(holds, _)| !holds),
    ) {
        (Ok(upgrade), None) => {
            let mut response = Vec::new();
            upgrade.response(&mut response);
            let response = String::from_utf8(response).expect("a response is ASCII");
            assert!(
                response.starts_with("HTTP/1.1 101 Switching Protocols\r\n")
                    && response.ends_with("\r\n\r\n")
            );
            assert!(response.contains(&format!(
                "\r\nSec-WebSocket-Accept: {}\r\n",
                derive_accept_key(keys[0].as_bytes())
            )));
            let offered = values("Sec-WebSocket-Protocol")
                .iter()
                .flat_map(|value| value.split(','))
                .any(|element| element.trim() == "chat");
            assert_eq!(
                response
                    .matches("\r\nSec-WebSocket-Protocol: chat\r\n")
                    .count(),
                usize::from(offered)
            );
            assert_eq!(
                response.matches("Sec-WebSocket-Protocol").count(),
                usize::from(offered),
                "§4.2.2: no header without a chosen subprotocol"
            );
        }
        (Err(refusal), Some((_, status))) => {
            assert_eq!(refusal.status, *status, "{request}");
            assert!(refusal.closes, "the client may speak another protocol now");
            assert_eq!(
                refusal.response().header("Sec-WebSocket-Version"),
                (*status == 426).then_some("13"),
                "§4.4"
            );
        }
        (answer, condition) => panic!("{answer:?}, and {condition:?}: {request}"),
    }
}

/// 16 bytes in base64 (§4.1, 7): 22 letters and `==`. The lowest four bits of the last letter are
/// unused.
fn is_key(key: &str) -> bool {
    let letters = key.strip_suffix("==").filter(|letters| letters.len() == 22);
    letters.is_some_and(|letters| {
        letters
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
    })
}

fn lines(input: &Input, data: &mut Unstructured<'_>) -> Vec<(String, String)> {
    let right = [
        ("Upgrade", "websocket"),
        ("Connection", "keep-alive, Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", KEY),
    ];
    let right = right
        .iter()
        .enumerate()
        .filter(|(index, _)| input.right_lines >> index & 1 == 0);
    let right = right.map(|(_, (name, value))| (String::from(*name), String::from(*value)));
    let mut lines: Vec<(String, String)> = right.collect();
    while lines.len() < 20
        && !data.is_empty()
        && let Ok(line) = Line::arbitrary(data)
    {
        let name = flipped(NAMES[usize::from(line.name) % NAMES.len()], line.flip_case);
        let mut value = String::new();
        for (index, word) in line.values.iter().take(8).enumerate() {
            if index > 0 {
                value.push_str(SEPARATORS[usize::from(word.separator) % SEPARATORS.len()]);
            }
            let mut text = WORDS
                .get(usize::from(word.word) % (WORDS.len() + 1))
                .copied()
                .map_or(String::new(), String::from);
            if word.word == 0xFF {
                // A key of other characters, some of which base64 doesn't have.
                text = format!(
                    "AAAA{}ZZZZZZZZZZZZZZ==",
                    word.key
                        .map(|byte| char::from(b'!' + byte % 93))
                        .iter()
                        .filter(|c| **c != ',')
                        .collect::<String>()
                );
            }
            // Keys keep their case: it is part of their value. All other words are tokens.
            value.push_str(&flipped(
                &text,
                if text.ends_with('=') {
                    0
                } else {
                    word.flip_case
                },
            ));
        }
        lines.push((name, value));
    }
    lines
}

fn flipped(text: &str, flip_case: u16) -> String {
    let flip = |(index, letter): (usize, char)| match flip_case >> (index % 16) & 1 {
        0 => letter,
        _ if letter.is_ascii_lowercase() => letter.to_ascii_uppercase(),
        _ => letter.to_ascii_lowercase(),
    };
    text.chars().enumerate().map(flip).collect()
}
