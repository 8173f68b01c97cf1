//! The texts and requests of a run, and the frames around them.
//!
//! `generator` decides which client sends which message, and when.

use parlor::websocket::{Opcode, encode_masked_message, encode_message};

/// Begins a text. The sender's number follows in five digits, so that the sender recognizes its own
/// message.
pub(crate) const MARK: u8 = b'@';

/// A floor's answer to `hello`: about as long as parlor's.
pub(crate) const WELCOME: &str = concat!(
    r#"{"type":"welcome","name":"m00001","author":1,"#,
    r#""session":"1-0123456789abcdef0123456789abcdef","#,
    r#""channels":[{"name":"general","members":1,"seq":1}],"#,
    r#""users":["m00000","m00001","m00002","m00003","m00004","m00005","m00006","m00007","m00008","#,
    r#""m00009"],"online":10,"directs":[],"limits":{"text":4000,"message_bytes":65536},"#,
    r#""epoch":"0123456789abcdef0123456789abcdef","time":1700000000000,"server":"floor"}"#,
);
/// A floor's answer to `join`.
pub(crate) const JOINED: &str = concat!(
    r#"{"type":"joined","channel":"general","seq":1,"first":1,"members":["m00001"],"count":1,"#,
    r#""history":[],"more":false}"#,
);

/// Returns a text of this length in bytes that names its sender.
pub(crate) fn text(sender: usize, bytes: usize) -> String {
    format!("@{sender:05} {:x<1$}", "", bytes.saturating_sub(7))
}

/// The event that a floor sends: as long as parlor's.
pub(crate) fn ready_event(bytes: usize) -> String {
    let text = text(0, bytes);
    let fields = format!(r#""from":"m00000","author":100,"text":"{text}","seq":10000"#);
    format!(r#"{{"type":"message","channel":"general",{fields},"at":1700000000000}}"#)
}

/// Encodes a request of the chat, or a message to echo, as a client's frame.
pub(crate) fn client_frame(text: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    encode_masked_message(
        Opcode::Text,
        text.as_bytes(),
        [0x1b, 0x2c, 0x3d, 0x4e],
        &mut frame,
    );
    frame
}

/// Encodes a payload as a server's frame.
pub(crate) fn server_frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    encode_message(Opcode::Text, payload, &mut frame);
    frame
}

/// Encodes `hello` with a unique name.
pub(crate) fn hello(number: usize) -> Vec<u8> {
    client_frame(&format!(r#"{{"type":"hello","name":"m{number:05}"}}"#))
}

/// Encodes `join` for the channel of all members.
pub(crate) fn join() -> Vec<u8> {
    client_frame(r#"{"type":"join","channel":"general"}"#)
}

/// Encodes `message` with a text of this length.
pub(crate) fn message(sender: usize, bytes: usize) -> Vec<u8> {
    client_frame(&format!(
        r#"{{"type":"message","channel":"general","text":"{}"}}"#,
        text(sender, bytes)
    ))
}

/// Returns the request of the opening handshake.
pub(crate) fn head(path: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    .into()
}

/// Returns the response of the opening handshake.
pub(crate) fn head_of_answer() -> Vec<u8> {
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        .to_vec()
}
