//! Two ends of the library talk to each other: handshakes, messages, and compression with context
//! takeover.

#[cfg(feature = "deflate")]
use parlor::random::Random;
#[cfg(feature = "deflate")]
use parlor::websocket::Compression;
use parlor::websocket::{
    ClientHandshake, CloseCode, CloseFrame, Config, Event, Progress, Scratch, SendError,
    ServerHandshake, WebSocket,
};

/// Does both sides of a handshake. Returns the server's and the client's end, and the value of
/// `Sec-WebSocket-Extensions` in the response.
#[cfg(feature = "deflate")]
fn ends(server: &Config, client: &Config) -> (WebSocket, WebSocket, Option<String>) {
    let client = ClientHandshake::new("a", "/", [7; 16], client).unwrap();
    let mut request = Vec::new();
    client.request(&mut request);
    let parsed = ServerHandshake::parse(&request, server).unwrap();
    let Progress::Done { value, used } = parsed else {
        panic!("more is needed")
    };
    assert_eq!(used, request.len());
    let mut response = Vec::new();
    value.response(&mut response);
    let accepted = match client.parse(&response).unwrap() {
        Progress::Done { value, used } if used == response.len() => value,
        other => panic!("{other:?}"),
    };
    assert_eq!(accepted.subprotocol, value.accepted.subprotocol);
    // The same with another HTTP library.
    let pairs = |headers: Vec<(&str, String)>| -> Vec<(String, String)> {
        let pair = |(name, value): (&str, String)| (name.to_owned(), value);
        headers.into_iter().map(pair).collect()
    };
    let (asked, answered) = (pairs(client.headers()), pairs(value.headers()));
    fn bytes(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &[u8])> {
        pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
    }
    let again = ServerHandshake::new("GET", bytes(&asked), server).unwrap();
    assert_eq!(pairs(again.headers()), answered);
    let checked = client.check(101, bytes(&answered)).unwrap();
    assert_eq!(checked.deflate, accepted.deflate);
    let refused = client.check(403, bytes(&answered)).unwrap_err();
    assert_eq!(refused.status, Some(403));
    let masking_key = || [1, 2, 3, 4];
    let mut answered = answered.into_iter();
    let answer = answered.find(|(name, _)| name == "Sec-WebSocket-Extensions");
    let (server, client) = (value.accepted.server(), accepted.client(masking_key));
    (server, client, answer.map(|(_, value)| value))
}

/// Passes one message on, and returns what arrived.
#[cfg(feature = "deflate")]
fn pass(bytes: &mut [u8], to: &mut WebSocket) -> String {
    let (mut scratch, mut out, length) = (Scratch::default(), Vec::new(), bytes.len());
    let (text, used) = match to.receive(bytes, &mut scratch, &mut out) {
        Ok(Progress::Done {
            value: Event::Text(text),
            used,
        }) => (text.to_owned(), used),
        other => panic!("{other:?}"),
    };
    assert_eq!(used, length);
    text
}

#[test]
fn subprotocol_and_further_headers_are_negotiated() {
    let server = Config::default().subprotocols(["a", "b"]);
    let server = server.header("Set-Cookie", "id=1").unwrap();
    let client = Config::default().subprotocols(["c", "b", "a"]);
    let client = client.header("Authorization", "Bearer x").unwrap();
    let handshake = ClientHandshake::new("a", "/", [7; 16], &client).unwrap();
    let headers = handshake.headers();
    assert!(headers.contains(&("Authorization", "Bearer x".to_owned())));
    let headers = headers.iter();
    let pairs = headers.map(|(name, value)| (*name, value.as_bytes()));
    let answer = ServerHandshake::new("GET", pairs, &server).unwrap();
    let chosen = answer.accepted.subprotocol.as_deref();
    assert_eq!(chosen, Some("b"), "the client's order");
    let cookie = ("Set-Cookie", "id=1".to_owned());
    assert!(answer.headers().contains(&cookie));
}

#[test]
fn nothing_is_sent_after_the_close_frame() {
    let (mut server, mut out) = (WebSocket::server(100), Vec::new());
    let sent = server.send(Event::Ping(&[0; 126]), &mut out);
    assert_eq!(sent, Err(SendError::LongControlFrame));
    server.close(CloseFrame::new(CloseCode::NORMAL, ""), &mut out);
    assert_eq!(server.send("late", &mut out), Err(SendError::Closed));
    assert_eq!(out, b"\x88\x02\x03\xE8");
}

#[test]
fn pings_are_answered_unless_told_otherwise() {
    for (answering, answer) in [(true, &b"\x8a\x01p"[..]), (false, b"")] {
        let mut server = WebSocket::server(100).answering_pings(answering);
        let (mut bytes, mut out) = (Vec::new(), Vec::new());
        let mut client = WebSocket::client(100, || [0; 4]);
        client.send(Event::Ping(b"p"), &mut bytes).unwrap();
        let mut scratch = Scratch::default();
        let received = server.receive(&mut bytes, &mut scratch, &mut out);
        let (value, used) = (Event::Ping(b"p"), 7);
        assert_eq!(received, Ok(Progress::Done { value, used }));
        assert_eq!(out, answer);
    }
}

/// The values must be `Send` for `tokio::spawn`.
#[test]
fn every_value_can_be_sent_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<WebSocket>();
    is_send::<Scratch>();
    is_send::<ServerHandshake>();
    is_send::<ClientHandshake>();
    is_send::<parlor::blocking::Connection<std::net::TcpStream>>();
    is_send::<parlor::blocking::Error>();
}

#[test]
#[cfg(feature = "deflate")]
fn compression_is_what_both_ends_allow() {
    use Compression::{ContextTakeover, EachMessage, Off};
    let no = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    let table = [
        (Off, ContextTakeover, None),
        (ContextTakeover, Off, None),
        (EachMessage, ContextTakeover, Some(no)),
        (ContextTakeover, EachMessage, Some(no)),
        (ContextTakeover, ContextTakeover, Some("permessage-deflate")),
    ];
    for (server, client, expected) in table {
        let config = |compression| Config::default().compression(compression);
        let (.., answer) = ends(&config(server), &config(client));
        assert_eq!(answer.as_deref(), expected, "{server:?} {client:?}");
    }
}

#[test]
#[cfg(feature = "deflate")]
fn answers_that_were_not_offered_are_refused() {
    let config = Config::default().compression(Compression::ContextTakeover);
    let handshake = ClientHandshake::new("a", "/", *b"the sample nonce", &config).unwrap();
    // The parameters of the answer, and whether they are allowed.
    let table = [
        ("", true),
        ("; client_max_window_bits=9", true),
        (
            "; server_max_window_bits=9; client_no_context_takeover",
            true,
        ),
        ("; client_max_window_bits", false),
        ("; server_max_window_bits=16", false),
        ("; x", false),
        (", permessage-deflate", false),
    ];
    for (parameters, is_allowed) in table {
        let extensions = &*format!("permessage-deflate{parameters}");
        let headers = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            ("Sec-WebSocket-Extensions", extensions),
        ];
        let pairs = headers.map(|(name, value)| (name, value.as_bytes()));
        let checked = handshake.check(101, pairs);
        assert_eq!(checked.is_ok(), is_allowed, "{extensions}");
    }
}

/// Messages of every length, in both directions, with references to earlier ones.
#[test]
#[cfg(feature = "deflate")]
fn messages_refer_to_earlier_ones_with_context_takeover() {
    let config = Config::default().compression(Compression::ContextTakeover);
    let (mut server, mut client, _) = ends(&config, &config);
    let mut random = Random::new(3);
    let (mut sent, mut on_the_wire) = (0, 0);
    for round in 0..400 {
        let length = [5, 40, 200, 3_000, 70_000][random.below(100).min(99) / 24 % 5];
        let mut text = format!("{{\"round\":{round},\"user\":\"Ada\",\"text\":\"");
        while text.len() < length {
            text += random.pick(&["Grüße ", "an ", "alle ", "€ ", "x"]);
        }
        let (from, to) = match random.below(2) {
            0 => (&mut server, &mut client),
            _ => (&mut client, &mut server),
        };
        let mut bytes = Vec::new();
        from.send(text.as_str(), &mut bytes).unwrap();
        (sent, on_the_wire) = (sent + text.len(), on_the_wire + bytes.len());
        assert_eq!(pass(&mut bytes, to), text, "round {round}");
    }
    assert!(on_the_wire * 3 < sent, "{sent} bytes became {on_the_wire}");
    // Random text does not shrink, and must not damage the window.
    let letter = |_| char::from(33 + random.below(90) as u8);
    let noise: String = (0..5_000).map(letter).collect();
    for text in [&noise, "again and again and again and again", &noise] {
        let mut bytes = Vec::new();
        client.send(text, &mut bytes).unwrap();
        assert_eq!(pass(&mut bytes, &mut server), text);
    }
}

#[test]
#[cfg(feature = "deflate")]
fn windows_that_a_peer_asks_for_are_kept() {
    for bits in 8..=15 {
        let offer = format!("permessage-deflate; server_max_window_bits={bits}");
        let config = Config::default().compression(Compression::ContextTakeover);
        let headers = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Extensions", &offer),
        ];
        let pairs = headers.map(|(name, value)| (name, value.as_bytes()));
        let handshake = ServerHandshake::new("GET", pairs, &config).unwrap();
        let mut server = handshake.accepted.server();
        // An inflater with exactly this window, and 9 at least.
        let mut inflater = zlib_rs::Inflate::new(false, bits.max(9));
        let mut random = Random::new(u64::from(bits));
        for _ in 0..50 {
            let text =
                random.text(&["one ", "two ", "three ", "four "], 2_000) + "end of the message";
            let mut bytes = Vec::new();
            server.send(text.as_str(), &mut bytes).unwrap();
            if bytes[0] & 0x40 == 0 {
                continue;
            }
            let header = if bytes[1] < 126 { 2 } else { 4 };
            let compressed = [&bytes[header..], &[0, 0, 0xFF, 0xFF]].concat();
            let (mut inflated, before) = (vec![0; text.len() + 1], inflater.total_out());
            let flush = zlib_rs::InflateFlush::SyncFlush;
            inflater
                .decompress(&compressed, &mut inflated, flush)
                .expect("it fits into the window");
            inflated.truncate((inflater.total_out() - before) as usize);
            assert!(inflated == text.as_bytes(), "{bits} bits");
        }
    }
}
