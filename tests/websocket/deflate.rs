//! permessage-deflate (RFC 7692): the standard's examples, the negotiation, what is refused, and
//! what is sent.

use crate::handshakes::{answer, judge};
use crate::pieces::{BINARY, FIN, Frames, LIMIT, PING, TEXT, bytes, events, frame, in_pieces};
use parlor::random::Random;
use parlor::websocket::{
    Deflate, DeflateParameters, Event, Opcode, Progress, Scratch, Violation, WebSocket,
};

const RSV1: u8 = 0x40;

fn negotiated() -> Option<DeflateParameters> {
    Some(DeflateParameters::default())
}

/// Compresses a payload as a sender does, without the last four bytes.
fn flushed(payload: &[u8]) -> Vec<u8> {
    let mut compressor = zlib_rs::Deflate::new(6, false, 15);
    let mut out = vec![0; payload.len() + 100];
    let flush = zlib_rs::DeflateFlush::SyncFlush;
    let compressed = compressor.compress(payload, &mut out, flush);
    compressed.expect("the buffer is large enough");
    out.truncate(compressor.total_out() as usize - 4);
    out
}

const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

#[test]
#[rustfmt::skip]
fn compressed_messages_are_inflated() {
    const COMPRESSED: u8 = FIN | RSV1 | TEXT;
    let hello = "Text(\"Hello\")";
    let longest = [&[0x00, 0x21, 0x01, 0xDE, 0xFE][..], &[b'x'; 0x121], b"\x00"].concat();
    let longest_text = format!("Text({:?})", "x".repeat(0x121));
    let (zeros, zeros_event) = (flushed(&[0; LIMIT]), format!("Binary({:?})", [0; LIMIT]));
    let table: &[(&str, Frames<'_>, &[&str])] = &[
        ("§7.2.3.1, one block", &[(COMPRESSED, HELLO)], &[hello]),
        ("§7.2.3.1, fragments", &[(RSV1 | TEXT, &HELLO[..3]), (FIN, &HELLO[3..])], &[hello]),
        ("§7.2.3.2, the same again", &[(COMPRESSED, HELLO), (COMPRESSED, HELLO)], &[hello, hello]),
        ("§7.2.3.2, a reference to the last message",
            &[(COMPRESSED, HELLO), (COMPRESSED, b"\xf2\x00\x11\x00\x00")],
            &[hello, "InvalidDeflate"]),
        ("§7.2.3.3, a stored block", &[(COMPRESSED, b"\x00\x05\x00\xfa\xffHello\x00")], &[hello]),
        ("§7.2.3.4, BFINAL", &[(COMPRESSED, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00")], &[hello]),
        ("§7.2.3.5, two blocks",
            &[(COMPRESSED, b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00")], &[hello]),
        ("§7.2.3.6, an empty message", &[(COMPRESSED, b"\x00")], &["Text(\"\")"]),
        ("§7.2.3.6, an empty last fragment",
            &[(RSV1 | TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff"), (FIN, b"\x00")],
            &[hello]),
        ("plain messages around it", &[(FIN | TEXT, b"a"), (COMPRESSED, HELLO), (FIN | TEXT, b"b")],
            &["Text(\"a\")", hello, "Text(\"b\")"]),
        ("binary", &[(FIN | RSV1 | BINARY, HELLO)], &["Binary([72, 101, 108, 108, 111])"]),
        ("a ping between fragments",
            &[(RSV1 | TEXT, &HELLO[..1]), (FIN | PING, b"p"), (FIN, &HELLO[1..])],
            &["Ping([112])", hello]),
        ("empty fragments", &[(RSV1 | TEXT, b""), (0, HELLO), (0, b""), (FIN, b"")], &[hello]),
        ("a plain message in fragments", &[(TEXT, b"a"), (FIN, b"b")], &["Text(\"ab\")"]),
        ("a block after BFINAL",
            &[(COMPRESSED, b"\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00")],
            &["Text(\"HelloHello\")"]),
        ("only BFINAL", &[(COMPRESSED, b"\x03\x00\x00")], &["Text(\"\")"]),
        ("the longest inflated", &[(FIN | RSV1 | BINARY, &zeros)], &[&zeros_event]),
        ("nearly the longest compressed", &[(COMPRESSED, &longest)], &[&longest_text]),
    ];
    for (name, frames, expected) in table {
        assert_eq!(in_pieces(negotiated(), &bytes(frames)), *expected, "{name}");
    }
    // The frames of §7.2.3.1 as printed there, from a server.
    for printed in [&b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"[..],
        b"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00"] {
        let client = WebSocket::client(LIMIT, || [0; 4]).with_deflate(negotiated());
        assert_eq!(events(client, printed, || 100), [hello]);
    }
}

#[test]
#[rustfmt::skip]
fn violations_of_compressed_messages() {
    use Violation::*;
    let (one_too_many, bomb) = (flushed(&[0; LIMIT + 1]), flushed(&[0; 200_000]));
    let (long, hello) = ([0; LIMIT + 1], HELLO);
    let cut_character = flushed(b"a\xE2\x82");
    let table: &[(&str, Frames<'_>, Violation)] = &[
        ("RSV1 in a continuation",
            &[(RSV1 | TEXT, hello), (FIN | RSV1, b"")], ReservedBits),
        ("RSV1 in a ping", &[(FIN | RSV1 | PING, b"")], ReservedBits),
        ("RSV1 in a close frame", &[(FIN | RSV1 | 8, b"")], ReservedBits),
        ("RSV2 beside it", &[(FIN | RSV1 | 0x20 | TEXT, hello)], ReservedBits),
        ("a message in a message",
            &[(RSV1 | TEXT, hello), (FIN | RSV1 | TEXT, hello)], UnfinishedMessage),
        ("no block at all", &[(FIN | RSV1 | TEXT, b"")], InvalidDeflate),
        ("a block type that does not exist",
            &[(FIN | RSV1 | TEXT, b"\x06")], InvalidDeflate),
        ("lengths that contradict each other",
            &[(FIN | RSV1 | TEXT, b"\x00\x05\x00\xfa\xfeHello\x00")], InvalidDeflate),
        ("a message that breaks off",
            &[(FIN | RSV1 | TEXT, &hello[..3])], InvalidDeflate),
        ("one byte before its end", &[(FIN | RSV1 | TEXT, &hello[..6])], InvalidDeflate),
        ("a stored block that breaks off",
            &[(FIN | RSV1 | BINARY, b"\x00\x20\x00\xdf\xffHello")], InvalidDeflate),
        ("BFINAL without the byte behind it",
            &[(FIN | RSV1 | TEXT, b"\xf3\x48\xcd\xc9\xc9\x07\x00")], InvalidDeflate),
        ("nonsense behind BFINAL",
            &[(FIN | RSV1 | TEXT, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x07")], InvalidDeflate),
        ("the four bytes that should be left out, alone",
            &[(FIN | RSV1 | TEXT, b"\x00\x00\xff\xff")], InvalidDeflate),
        ("a reference to before the message",
            &[(FIN | RSV1 | TEXT, b"\xf2\x00\x11\x00\x00")], InvalidDeflate),
        ("text that is not UTF-8",
            &[(FIN | RSV1 | TEXT, b"\x00\x01\x00\xfe\xff\xff\x00")], InvalidUtf8),
        ("half a character", &[(FIN | RSV1 | TEXT, &cut_character)], InvalidUtf8),
        ("compressed, one byte too many",
            &[(FIN | RSV1 | BINARY, &long)], MessageTooBig),
        ("in fragments", &[(RSV1 | BINARY, &long[..LIMIT]), (0, b"x")], MessageTooBig),
        ("inflated, one byte too many",
            &[(FIN | RSV1 | BINARY, &one_too_many)], MessageTooBig),
        ("a bomb", &[(FIN | RSV1 | TEXT, &bomb)], MessageTooBig),
        ("a bomb in fragments",
            &[(RSV1 | BINARY, &bomb[..50]), (FIN, &bomb[50..])], MessageTooBig),
    ];
    for (name, frames, violation) in table {
        assert_eq!(in_pieces(negotiated(), &bytes(frames)), [format!("{violation:?}")], "{name}");
    }
}

#[test]
#[rustfmt::skip]
fn first_acceptable_offer_is_answered() {
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
        ("white space",
            &[" permessage-deflate\t;\tserver_max_window_bits = 10 "], Some(&narrow_10)),
        ("empty elements", &[", ,permessage-deflate,"], yes),
        ("others before and behind", &["x-y; z=\"a\", permessage-deflate, permessage-bzip2"], yes),
        ("the first that will do",
            &[&with("x, permessage-deflate; server_max_window_bits=8, permessage-deflate")],
            Some(&narrow_8)),
        ("in a second header", &["permessage-deflate; x=1", "permessage-deflate"], yes),
        ("behind a broken header",
            &["permessage-deflate,;", "permessage-deflate; server_max_window_bits=10"],
            Some(&narrow_10)),
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
        let line = |value: &&str| format!("Sec-WebSocket-Extensions: {value}");
        let lines: Vec<String> = values.iter().map(line).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let upgrade = judge("GET /chat HTTP/1.1", "", &lines).expect(name);
        assert_eq!(answer(&upgrade, "Sec-WebSocket-Extensions").as_deref(), *expected, "{name}");
        assert_eq!(upgrade.accepted.deflate.is_some(), expected.is_some(), "{name}");
    }
}

#[test]
fn memory_of_a_compressed_message_is_freed() {
    let mut websocket = WebSocket::server(1 << 20).with_deflate(negotiated());
    let (mut scratch, mut out) = (Scratch::default(), Vec::new());
    let compressed = flushed(&[0; 100_000]);
    let mut first = frame(RSV1 | BINARY, &compressed[..60]);
    let received = websocket.receive(&mut first, &mut scratch, &mut out);
    assert_eq!(received, Ok(Progress::NeedMore));
    assert!(websocket.in_progress() && websocket.held_bytes() < 300);
    let mut last = frame(FIN, &compressed[60..]);
    let used = last.len();
    let event = Event::Binary(&[0; 100_000]);
    let received = websocket.receive(&mut last, &mut scratch, &mut out);
    assert!(received == Ok(Progress::Done { value: event, used }) && !websocket.in_progress());
    let received = websocket.receive(&mut [], &mut scratch, &mut out);
    assert_eq!(received, Ok(Progress::NeedMore));
    assert_eq!(websocket.held_bytes(), 0);
}

/// Returns text of at least this many bytes.
fn sentence(random: &mut Random, length: usize) -> String {
    const WORDS: [&str; 7] = ["Grüße ", "an ", "alle ", "€ ", "𝄞 ", "the ", "room "];
    let mut sentence = String::new();
    while sentence.len() < length {
        sentence.push_str(random.pick(&WORDS));
    }
    sentence
}

#[test]
fn random_fragments_give_the_same_events_in_random_pieces() {
    let server = || WebSocket::server(LIMIT).with_deflate(negotiated());
    for seed in 1..=1_000 {
        let mut random = Random::new(seed);
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for _ in 0..1 + random.below(5) {
            let length = random.below(LIMIT - 10);
            let text = sentence(&mut random, length);
            expected.push(format!("Text({text:?})"));
            let (mut first_byte, payload) = match random.below(4) {
                0 => (TEXT, text.into_bytes()),
                _ => (RSV1 | TEXT, flushed(text.as_bytes())),
            };
            let mut rest = &payload[..];
            while random.below(3) > 0 {
                let (fragment, next) = rest.split_at(random.below(rest.len() + 1));
                bytes.extend(frame(first_byte, fragment));
                (rest, first_byte) = (next, 0);
            }
            bytes.extend(frame(FIN | first_byte, rest));
        }
        let whole = events(server(), &bytes, || bytes.len());
        assert_eq!(whole, expected, "seed {seed}");
        // With one wrong bit, the result is also the same in all pieces.
        let broken = random.below(bytes.len());
        for flip in [0, 1 << random.below(8)] {
            bytes[broken] ^= flip;
            let whole = events(server(), &bytes, || bytes.len());
            for _ in 0..4 {
                let pieces = events(server(), &bytes, || 1 + random.below(60));
                assert_eq!(pieces, whole, "seed {seed}");
            }
        }
    }
}

#[test]
fn compressed_messages_are_read_by_a_client() {
    let (mut deflate, mut random) = (Deflate::default(), Random::new(7));
    for length in [256, 257, 300, 1_000, 5_000, 65_536, 200_000] {
        let text = sentence(&mut random, length);
        let mut compress = |out: &mut Vec<u8>| {
            let (bytes, parameters) = (text.as_bytes(), DeflateParameters::default());
            assert!(deflate.compress(Opcode::Text, bytes, parameters, out));
        };
        let (mut first, mut both) = (Vec::new(), Vec::new());
        compress(&mut first);
        compress(&mut both);
        compress(&mut both);
        assert_eq!(both, first.repeat(2), "no message depends on the last one");
        assert!(first.starts_with(b"\xC1") && first.len() < 10 + text.len());
        let client = WebSocket::client(1 << 20, || [0; 4]).with_deflate(negotiated());
        let events = events(client, &first, || first.len());
        assert_eq!(events, [format!("Text({text:?})")]);
    }
}

/// After a flush without enough room the compressor panicked some hundred messages later.
#[test]
fn compressor_survives_messages_that_do_not_shrink() {
    let (mut random, mut deflate, mut out) = (Random::new(7), Deflate::default(), Vec::new());
    for length in [300, 1_000, 5_000, 65_536] {
        for _ in 0..1_000_000 / length {
            let noise: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
            let parameters = DeflateParameters::default();
            assert!(!deflate.compress(Opcode::Binary, &noise, parameters, &mut out));
            assert!(out.is_empty());
        }
    }
}

#[test]
#[rustfmt::skip]
fn short_long_and_random_messages_are_not_compressed() {
    let mut random = Random::new(11);
    let noise: Vec<u8> = (0..5_000).map(|_| random.below(256) as u8).collect();
    let of_offer = |bits: u8| {
        let line = format!("permessage-deflate; server_max_window_bits={bits}");
        let line = format!("Sec-WebSocket-Extensions: {line}");
        let upgrade = judge("GET /chat HTTP/1.1", "", &[&line]).expect("a good handshake");
        upgrade.accepted.deflate.expect("a good offer")
    };
    let full = DeflateParameters::default();
    let (narrow, whole, smallest) = (of_offer(10), of_offer(15), of_offer(8));
    assert!([full, whole].map(DeflateParameters::compressible_bytes) == [usize::MAX; 2]);
    let table: &[(&str, Opcode, &[u8], DeflateParameters, bool)] = &[
        ("a short message", Opcode::Text, &[b'a'; 255], full, false),
        ("one byte more", Opcode::Text, &[b'a'; 256], full, true),
        ("noise, which would grow", Opcode::Binary, &noise, full, false),
        ("a control frame", Opcode::Ping, &[b'a'; 1_000], full, false),
        ("as long as the window", Opcode::Text, &[b'a'; 1 << 10], narrow, true),
        ("longer than the window", Opcode::Text, &[b'a'; (1 << 10) + 1], narrow, false),
        ("any length for the full window", Opcode::Text, &[b'a'; 1 << 17], whole, true),
        ("as long as the smallest window", Opcode::Text, &[b'a'; 256], smallest, true),
        ("longer than the smallest window", Opcode::Text, &[b'a'; 257], smallest, false),
    ];
    let mut deflate = Deflate::default();
    for (name, opcode, payload, parameters, expected) in table {
        let mut out = b"before".to_vec();
        assert_eq!(deflate.compress(*opcode, payload, *parameters, &mut out), *expected, "{name}");
        assert_eq!(out == b"before", !expected, "{name}");
    }
}
