//! permessage-deflate (RFC 7692): the standard's examples, what is agreed on, what is refused, and
//! what is sent.

use crate::handshakes::{CONNECTION, KEY, UPGRADE, VERSION, judge};
use crate::pieces::{LIMIT, Random, events, frame, in_pieces_with};
use parlor::time::UnixMillis;
use parlor::websocket::{
    Deflate, DeflateParameters, Event, Opcode, Received, Scratch, Violation, WebSocket,
    encode_message,
};

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const PING: u8 = 9;

/// What a server makes of frames as a client sends them, given as first bytes and payloads.
fn seen(frames: &[(u8, &[u8])]) -> Vec<String> {
    let bytes: Vec<u8> = frames
        .iter()
        .flat_map(|(first_byte, payload)| frame(*first_byte, payload))
        .collect();
    in_pieces_with(Some(DeflateParameters::default()), &bytes)
}

/// What a server makes of one compressed text.
fn text(payload: &[u8]) -> Vec<String> {
    seen(&[(FIN | RSV1 | TEXT, payload)])
}

const HELLO: &[&str] = &["Text(\"Hello\")"];

#[test]
fn section_7_2_3_1_a_message_compressed_using_one_block() {
    assert_eq!(text(b"\xf2\x48\xcd\xc9\xc9\x07\x00"), HELLO);
    assert_eq!(
        seen(&[(RSV1 | TEXT, b"\xf2\x48\xcd"), (FIN, b"\xc9\xc9\x07\x00")]),
        HELLO,
        "in two fragments"
    );
    // The frames as they are printed, which a client gets.
    for printed in [
        &b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"[..],
        b"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00",
    ] {
        let mut client =
            WebSocket::client(LIMIT, || [0; 4]).with_deflate(Some(DeflateParameters::default()));
        let mut scratch = Scratch::default();
        let received = client.receive(&mut printed.to_vec(), &mut scratch, &mut Vec::new())
            == Ok(Received::Event {
                event: Event::Text("Hello"),
                used: printed.len(),
            });
        assert!(received, "{printed:x?}");
    }
}

#[test]
fn section_7_2_3_2_sharing_the_window_is_ruled_out() {
    let first = (FIN | RSV1 | TEXT, &b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..]);
    assert_eq!(
        seen(&[first, first]),
        [HELLO, HELLO].concat(),
        "without context takeover both are alike"
    );
    let refers_back = (FIN | RSV1 | TEXT, &b"\xf2\x00\x11\x00\x00"[..]);
    assert_eq!(
        seen(&[first, refers_back]),
        [HELLO, &["InvalidDeflate"]].concat(),
        "the first message is forgotten"
    );
}

#[test]
fn section_7_2_3_3_a_block_with_no_compression() {
    assert_eq!(text(b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), HELLO);
}

#[test]
fn section_7_2_3_4_a_block_with_bfinal() {
    assert_eq!(text(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), HELLO);
}

#[test]
fn section_7_2_3_5_two_blocks_in_one_message() {
    assert_eq!(
        text(b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"),
        HELLO
    );
}

#[test]
fn section_7_2_3_6_an_empty_fragment() {
    assert_eq!(text(b"\x00"), ["Text(\"\")"]);
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff";
    assert_eq!(
        seen(&[(RSV1 | TEXT, hello), (FIN, b"\x00")]),
        HELLO,
        "as the end of a message"
    );
}

#[test]
#[rustfmt::skip]
fn offers() {
    let plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    let narrow = |bits: u8| format!("{plain}; server_max_window_bits={bits}");
    let (narrow_8, narrow_10, narrow_15) = (narrow(8), narrow(10), narrow(15));
    let with = |parameters: &str| format!("permessage-deflate; {parameters}");
    let yes = Some(plain);
    let table: &[(&str, &[&str], Option<&str>)] = &[
        ("nothing asked for", &["permessage-deflate"], yes),
        ("as Chromium and Firefox ask", &["permessage-deflate; client_max_window_bits"], yes),
        ("no context takeover on either side",
            &[&with("server_no_context_takeover; client_no_context_takeover")], yes),
        ("a client's own window", &[&with("client_max_window_bits=9")], yes),
        ("a window for us", &[&with("server_max_window_bits=10")], Some(&narrow_10)),
        ("the smallest", &[&with("server_max_window_bits=8")], Some(&narrow_8)),
        ("a whole one, which is answered too",
            &[&with("server_max_window_bits=15")], Some(&narrow_15)),
        ("quoted", &[&with("server_max_window_bits=\"10\"")], Some(&narrow_10)),
        ("quoted and escaped", &[&with("server_max_window_bits=\"\\1\\0\"")], Some(&narrow_10)),
        (
            "white space",
            &[" permessage-deflate\t;\tserver_max_window_bits = 10 ; client_max_window_bits "],
            Some(&narrow_10),
        ),
        ("empty elements", &[", ,permessage-deflate,"], yes),
        ("others before and behind", &["x-y; z=\"a\", permessage-deflate, permessage-bzip2"], yes),
        (
            "the first that will do",
            &[&with(
                "x, permessage-deflate; server_max_window_bits=8, permessage-deflate",
            )],
            Some(&narrow_8),
        ),
        ("in a second header", &["permessage-deflate; x=1", "permessage-deflate"], yes),
        (
            "behind a broken header",
            &[
                "permessage-deflate,;",
                "permessage-deflate; server_max_window_bits=10",
            ],
            Some(&narrow_10),
        ),
        ("no header at all", &[], None),
        ("an empty one", &[""], None),
        ("another name", &["permessage-deflate2"], None),
        ("the prefix that browsers once had", &["x-webkit-deflate-frame"], None),
        ("an unknown parameter", &[&with("server_max_window")], None),
        ("takeover with a value", &[&with("server_no_context_takeover=1")], None),
        ("and on the other side", &[&with("client_no_context_takeover=\"true\"")], None),
        ("takeover twice",
            &[&with("client_no_context_takeover; client_no_context_takeover")], None),
        ("a window twice", &[&with("server_max_window_bits=10; server_max_window_bits=10")], None),
        ("the client's twice", &[&with("client_max_window_bits; client_max_window_bits=10")], None),
        ("our window without a value", &[&with("server_max_window_bits")], None),
        ("a window of 7", &[&with("server_max_window_bits=7")], None),
        ("of 16", &[&with("client_max_window_bits=16")], None),
        ("of 0", &[&with("server_max_window_bits=0")], None),
        ("of 09", &[&with("server_max_window_bits=09")], None),
        ("of 010", &[&with("client_max_window_bits=010")], None),
        ("of +9", &[&with("client_max_window_bits=+9")], None),
        ("of 100", &[&with("client_max_window_bits=100")], None),
        ("of 10.0", &[&with("server_max_window_bits=10.0")], None),
        ("no value behind the sign", &[&with("server_max_window_bits=")], None),
        ("an empty quotation", &[&with("server_max_window_bits=\"\"")], None),
        ("a quotation that is no token", &[&with("server_max_window_bits=\"1 0\"")], None),
        ("a quotation without an end", &[&with("server_max_window_bits=\"10")], None),
        ("an escape at the end", &[&with("server_max_window_bits=\"10\\")], None),
        ("a comma in quotes is no new offer", &["x; y=\",permessage-deflate,\""], None),
        ("an empty parameter", &["permessage-deflate;"], None),
        ("two words", &["permessage-deflate server_no_context_takeover"], None),
        ("a good offer in a broken header", &["permessage-deflate, x; =1"], None),
        ("bytes that are no text", &["permessage-deflate; \u{e4}"], None),
    ];
    for (name, values, expected) in table {
        let extensions: String = values
            .iter()
            .map(|value| format!("Sec-WebSocket-Extensions: {value}\r\n"))
            .collect();
        let headers = [UPGRADE, CONNECTION, KEY, VERSION, &extensions].concat();
        let upgrade = judge("GET /chat HTTP/1.1", &headers)
            .unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        let mut response = Vec::new();
        upgrade.response(UnixMillis(0), &mut response);
        let response = String::from_utf8(response).expect("ASCII");
        let answer = response
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
        assert_eq!(answer, *expected, "{name}");
        assert_eq!(upgrade.deflate().is_some(), expected.is_some(), "{name}");
    }
}

#[test]
#[rustfmt::skip]
fn messages() {
    let hello = &b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..];
    let longest = [&[0x00, 0x21, 0x01, 0xDE, 0xFE][..], &[b'x'; 0x121], b"\x00"].concat();
    let exact = [&b"\x02"[..], &zeros(LIMIT)[..]].concat();
    let zeros = format!("Binary({:?})", [0; LIMIT]);
    type Frames<'a> = Vec<(u8, &'a [u8])>;
    let table: &[(&str, Frames<'_>, &[&str])] = &[
        (
            "plain messages between",
            vec![
                (FIN | TEXT, b"a"),
                (FIN | RSV1 | TEXT, hello),
                (FIN | TEXT, b"b"),
            ],
            &["Text(\"a\")", HELLO[0], "Text(\"b\")"],
        ),
        ("binary", vec![(FIN | RSV1 | BINARY, hello)], &["Binary([72, 101, 108, 108, 111])"]),
        (
            "a ping between fragments",
            vec![
                (RSV1 | TEXT, b"\xf2"),
                (FIN | PING, b"p"),
                (FIN, &hello[1..]),
            ],
            &["Ping([112])", HELLO[0]],
        ),
        ("empty fragments", vec![(RSV1 | TEXT, b""), (0, hello), (0, b""), (FIN, b"")], HELLO),
        ("a plain message in fragments", vec![(TEXT, b"a"), (FIN, b"b")], &["Text(\"ab\")"]),
        (
            "a block with BFINAL, and another",
            vec![(
                FIN | RSV1 | TEXT,
                b"\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00",
            )],
            &["Text(\"HelloHello\")"],
        ),
        ("nothing but a block with BFINAL",
            vec![(FIN | RSV1 | TEXT, b"\x03\x00\x00")], &["Text(\"\")"]),
        ("inflated as long as it may be", vec![(FIN | RSV1 | BINARY, &exact[1..])], &[&zeros]),
        ("compressed nearly as long as it may be",
            vec![(FIN | RSV1 | TEXT, &longest)], &[&format!("Text({:?})", "x".repeat(0x121))]),
    ];
    for (name, frames, expected) in table {
        assert_eq!(seen(frames), *expected, "{name}");
    }
}

/// So many zeros, as a run of DEFLATE by a compressor.
fn zeros(count: usize) -> Vec<u8> {
    flushed(&vec![0; count])
}

fn flushed(payload: &[u8]) -> Vec<u8> {
    let mut compressor = zlib_rs::Deflate::new(6, false, 15);
    let mut out = vec![0; payload.len() + 100];
    compressor
        .compress(payload, &mut out, zlib_rs::DeflateFlush::SyncFlush)
        .expect("room enough");
    out.truncate(compressor.total_out() as usize - 4);
    out
}

#[test]
#[rustfmt::skip]
fn what_is_refused() {
    let (one_too_many, bomb) = (zeros(LIMIT + 1), zeros(200_000));
    let long = [0; LIMIT + 1];
    let hello = &b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..];
    let cut_character = flushed(b"a\xE2\x82");
    type Row<'a> = (&'a str, &'a [(u8, &'a [u8])], Violation);
    let table: &[Row<'_>] = &[
        ("RSV1 in a continuation",
            &[(RSV1 | TEXT, hello), (FIN | RSV1, b"")], Violation::ReservedBits),
        ("RSV1 in a ping", &[(FIN | RSV1 | PING, b"")], Violation::ReservedBits),
        ("RSV1 in a close frame", &[(FIN | RSV1 | 8, b"")], Violation::ReservedBits),
        ("RSV2 beside it", &[(FIN | RSV1 | 0x20 | TEXT, hello)], Violation::ReservedBits),
        ("a message in a message",
            &[(RSV1 | TEXT, hello), (FIN | RSV1 | TEXT, hello)], Violation::UnfinishedMessage),
        ("no block at all", &[(FIN | RSV1 | TEXT, b"")], Violation::InvalidDeflate),
        ("a block type that there is not",
            &[(FIN | RSV1 | TEXT, b"\x06")], Violation::InvalidDeflate),
        ("lengths that contradict each other",
            &[(FIN | RSV1 | TEXT, b"\x00\x05\x00\xfa\xfeHello\x00")], Violation::InvalidDeflate),
        ("a message that breaks off",
            &[(FIN | RSV1 | TEXT, &hello[..3])], Violation::InvalidDeflate),
        ("one byte before its end", &[(FIN | RSV1 | TEXT, &hello[..6])], Violation::InvalidDeflate),
        ("a stored block that breaks off",
            &[(FIN | RSV1 | BINARY, b"\x00\x20\x00\xdf\xffHello")], Violation::InvalidDeflate),
        ("BFINAL without the byte behind it",
            &[(FIN | RSV1 | TEXT, b"\xf3\x48\xcd\xc9\xc9\x07\x00")], Violation::InvalidDeflate),
        ("nonsense behind BFINAL",
            &[(FIN | RSV1 | TEXT, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x07")], Violation::InvalidDeflate),
        ("the four bytes that should be left out, alone",
            &[(FIN | RSV1 | TEXT, b"\x00\x00\xff\xff")], Violation::InvalidDeflate),
        ("a reference to before the message",
            &[(FIN | RSV1 | TEXT, b"\xf2\x00\x11\x00\x00")], Violation::InvalidDeflate),
        ("text that is not UTF-8",
            &[(FIN | RSV1 | TEXT, b"\x00\x01\x00\xfe\xff\xff\x00")], Violation::InvalidUtf8),
        ("half a character", &[(FIN | RSV1 | TEXT, &cut_character)], Violation::InvalidUtf8),
        ("compressed, one byte too many",
            &[(FIN | RSV1 | BINARY, &long)], Violation::MessageTooBig),
        ("in fragments", &[(RSV1 | BINARY, &long[..LIMIT]), (0, b"x")], Violation::MessageTooBig),
        ("inflated, one byte too many",
            &[(FIN | RSV1 | BINARY, &one_too_many)], Violation::MessageTooBig),
        ("a bomb", &[(FIN | RSV1 | TEXT, &bomb)], Violation::MessageTooBig),
        ("a bomb in fragments",
            &[(RSV1 | BINARY, &bomb[..50]), (FIN, &bomb[50..])], Violation::MessageTooBig),
    ];
    for (name, frames, violation) in table {
        assert_eq!(seen(frames), [format!("{violation:?}")], "{name}");
    }
}

#[test]
fn nothing_is_held_for_a_message_that_has_ended() {
    let mut websocket = WebSocket::server(1 << 20).with_deflate(Some(DeflateParameters::default()));
    let (mut scratch, mut replies) = (Scratch::default(), Vec::new());
    let mut first = frame(RSV1 | BINARY, &zeros(100_000)[..60]);
    assert_eq!(
        websocket.receive(&mut first, &mut scratch, &mut replies),
        Ok(Received::Nothing)
    );
    assert!(
        websocket.in_progress() && websocket.held_bytes() < 60 + 200,
        "what came, and not what it inflates to"
    );
    let mut last = frame(FIN, &zeros(100_000)[60..]);
    let used = last.len();
    let whole = websocket.receive(&mut last, &mut scratch, &mut replies)
        == Ok(Received::Event {
            event: Event::Binary(&[0; 100_000]),
            used,
        });
    assert!(whole && !websocket.in_progress());
    assert_eq!(
        websocket.receive(&mut [], &mut scratch, &mut replies),
        Ok(Received::Nothing)
    );
    assert_eq!(websocket.held_bytes(), 0);
}

/// A message as it might be said, of about so many bytes.
fn sentence(random: &mut Random, length: usize) -> String {
    const WORDS: [&str; 8] = [
        "Grüße ", "an ", "alle ", "hier ", "€ ", "𝄞 ", "the ", "room ",
    ];
    let mut sentence = String::new();
    while sentence.len() < length {
        sentence.push_str(WORDS[random.below(WORDS.len())]);
    }
    sentence
}

#[test]
fn compressed_messages_in_random_fragments_and_pieces() {
    for seed in 1..=1_000 {
        let mut random = Random(seed);
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for _ in 0..1 + random.below(5) {
            let length = random.below(LIMIT - 10);
            let text = sentence(&mut random, length);
            expected.push(format!("Text({text:?})"));
            let (rsv1, payload) = if random.below(4) == 0 {
                (0, text.into_bytes())
            } else {
                (RSV1, flushed(text.as_bytes()))
            };
            let (mut rest, mut first_byte) = (&payload[..], rsv1 | TEXT);
            while random.below(3) > 0 {
                let (fragment, behind) = rest.split_at(random.below(rest.len() + 1));
                bytes.extend(frame(first_byte, fragment));
                (rest, first_byte) = (behind, 0);
            }
            bytes.extend(frame(FIN | first_byte, rest));
        }
        let deflate = Some(DeflateParameters::default());
        let whole = events(deflate, &bytes, |_| bytes.len());
        assert_eq!(whole, expected, "seed {seed}");
        // And with a byte that is wrong, wherever it is: the same verdict in all pieces.
        let broken = random.below(bytes.len());
        for flip in [0, 1 << random.below(8)] {
            bytes[broken] ^= flip;
            let whole = events(deflate, &bytes, |_| bytes.len());
            for _ in 0..4 {
                assert_eq!(
                    events(deflate, &bytes, |_| 1 + random.below(60)),
                    whole,
                    "seed {seed}"
                );
            }
        }
    }
}

/// What was agreed on after this offer.
fn agreed(offer: &str) -> DeflateParameters {
    let headers = [
        UPGRADE,
        CONNECTION,
        KEY,
        VERSION,
        &format!("Sec-WebSocket-Extensions: {offer}\r\n"),
    ]
    .concat();
    judge("GET /chat HTTP/1.1", &headers)
        .expect("a good handshake")
        .deflate()
        .expect("a good offer")
}

#[test]
fn what_is_sent_compressed_is_read_as_it_was() {
    let mut deflate = Deflate::default();
    let (mut scratch, mut random) = (Scratch::default(), Random(7));
    for length in [256, 257, 300, 1_000, 5_000, 65_536, 200_000] {
        let text = sentence(&mut random, length);
        let mut out = b"before".to_vec();
        assert!(
            deflate.compress(
                Opcode::Text,
                text.as_bytes(),
                DeflateParameters::default(),
                &mut out
            ),
            "{length} bytes"
        );
        assert!(
            out.starts_with(b"before\xC1") && out.len() < 6 + 10 + text.len(),
            "{length} bytes, one frame"
        );
        let mut client =
            WebSocket::client(1 << 20, || [0; 4]).with_deflate(Some(DeflateParameters::default()));
        let used = out.len() - 6;
        let received = client.receive(&mut out[6..], &mut scratch, &mut Vec::new())
            == Ok(Received::Event {
                event: Event::Text(&text),
                used,
            });
        assert!(received, "{length} bytes");
    }
}

#[test]
fn each_message_is_compressed_as_if_it_were_the_first() {
    let mut deflate = Deflate::default();
    let text = sentence(&mut Random(3), 1_000);
    let mut once = |out: &mut Vec<u8>| {
        assert!(deflate.compress(
            Opcode::Text,
            text.as_bytes(),
            DeflateParameters::default(),
            out
        ))
    };
    let (mut first, mut both) = (Vec::new(), Vec::new());
    once(&mut first);
    once(&mut both);
    once(&mut both);
    assert_eq!(both, first.repeat(2));
}

/// A flush that had no room left the compressor confused, and some hundred messages later the
/// server panicked.
#[test]
fn a_thousand_messages_that_cannot_become_shorter() {
    let (mut random, mut deflate, mut out) = (Random(7), Deflate::default(), Vec::new());
    for length in [300, 1_000, 5_000, 65_536] {
        for _ in 0..1_000_000 / length {
            let noise: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
            assert!(
                !deflate.compress(
                    Opcode::Binary,
                    &noise,
                    DeflateParameters::default(),
                    &mut out
                ) && out.is_empty()
            );
        }
    }
}

#[test]
#[rustfmt::skip]
fn what_is_not_sent_compressed() {
    let mut random = Random(11);
    let noise: Vec<u8> = (0..5_000).map(|_| random.below(256) as u8).collect();
    let full = DeflateParameters::default();
    let (narrow, whole) = (
        agreed("permessage-deflate; server_max_window_bits=10"),
        agreed("permessage-deflate; server_max_window_bits=15"),
    );
    assert!(full.has_full_window() && whole.has_full_window() && !narrow.has_full_window());
    let table: &[(&str, Opcode, &[u8], DeflateParameters, bool)] = &[
        ("a short message", Opcode::Text, &[b'a'; 255], full, false),
        ("one byte more", Opcode::Text, &[b'a'; 256], full, true),
        ("noise, which would become longer", Opcode::Binary, &noise, full, false),
        ("a control frame, however long", Opcode::Ping, &[b'a'; 1_000], full, false),
        ("no longer than the window", Opcode::Text, &[b'a'; 1 << 10], narrow, true),
        ("longer than the window", Opcode::Text, &[b'a'; (1 << 10) + 1], narrow, false),
        ("a whole window holds for any length", Opcode::Text, &[b'a'; 1 << 17], whole, true),
        (
            "the smallest window",
            Opcode::Text,
            &[b'a'; 256],
            agreed("permessage-deflate; server_max_window_bits=8"),
            true,
        ),
        (
            "one byte beyond it",
            Opcode::Text,
            &[b'a'; 257],
            agreed("permessage-deflate; server_max_window_bits=8"),
            false,
        ),
    ];
    let mut deflate = Deflate::default();
    for (name, opcode, payload, parameters, expected) in table {
        let mut out = Vec::new();
        encode_message(Opcode::Text, b"before", &mut out);
        let before = out.clone();
        assert_eq!(
            deflate.compress(*opcode, payload, *parameters, &mut out),
            *expected,
            "{name}"
        );
        assert_eq!(out == before, !expected, "{name}: and nothing is appended");
    }
}
