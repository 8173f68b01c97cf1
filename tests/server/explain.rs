//! `parlor explain`: bytes in; sentences, sections and an exit status out.

use crate::harness::{Folder, check_tool, rows};
use serde_json::Value;

/// Input | hex and options | exit status | parts of the output.
const FRAMES: &str = "\
a masked text            | 818537fa213d7f9f4d5158 | 0 | FIN, 37 fa 21 3d, 48 65, \"Hello\", 1 frame
hex in several words     | 81 05 48:65:6c 0x6c 0x6f   | 0 | \"Hello\", Frames of a server
a ping within a text     | 0103 48656c 8900 8002 6c6f | 0 | a fragment, a ping, \"Hello\"
a letter in two frames   | 0101 c3 8001 a4            | 0 | \"ä\"
a letter cut by the end  | 8101 c3                    | 1 | RFC 6455 8.1, 1007
reserved bits            | b105                       | 1 | RFC 6455 5.2, reserved bit, 1002
a second invalid frame   | 8900 89fe                  | 1 | Frame 2 breaks a rule: RFC 6455 5.5, 125
frames of both ends      | 8900 898000000000          | 1 | RFC 6455 5.1, must not mask
frames of the wrong end  | 8100 --from client         | 1 | RFC 6455 5.1, must mask
close code 1005          | 880203ed                   | 1 | 1005, RFC 6455 7.4
close code 1001          | 880203e9                   | 0 | 1001, going away
a text after a close     | 8800 810161                | 1 | RFC 6455 5.5.1
a ping after a close     | 8800 8900                  | 0 | is ignored
half a frame             | 8105 48                    | 0 | 4 bytes missing, more bytes may follow
half a header            | 817e01                     | 0 | more of the header
half a message           | 010161                     | 0 | has not ended
an escape sequence       | 81041b5b324a               | 0 | \"\\u{1b}[2J\"
compression              | c107 f248cdc9c90700        | 1 | RFC 6455 5.2, reserved bit
no hex                   | 81 xx                      | 2 | hexadecimal";

#[track_caller]
fn check(words: &str, input: &[u8], status: &str, parts: &str) -> String {
    check_tool(&format!("explain {words}"), input, status, parts)
}

#[test]
fn frames_are_explained_to_the_first_broken_rule() {
    for [_, hex, status, parts] in rows(FRAMES) {
        let text = check(&format!("frames --hex {hex}"), b"", &status, &parts);
        assert!(!text.contains('\x1b'), "no colours in a pipe");
    }
    let (status, part) = match cfg!(feature = "deflate") {
        true => ("0", "\"Hello\""),
        false => ("2", "the feature deflate"),
    };
    let compressed = "frames --deflate --hex c107f248cdc9c90700";
    check(compressed, b"", status, part);
}

#[test]
fn input_is_a_file_or_standard_input() {
    let folder = Folder::new("explain");
    let file = folder.0.join("frames");
    let name = file.to_str().unwrap();
    for (bytes, parts) in [
        (&b"\x81\x02hi"[..], "\"hi\""),
        (b"81 02\n68 69\n", "\"hi\", digits were read"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        for operand in [name, "-", ""] {
            check(&format!("frames {operand}"), bytes, "0", parts);
        }
    }
    let table = "
        frames /nothing             | can't read
        frames                      | nothing in standard input
        frames --from me --hex 8100 | --from must be
        frames --nonsense           | nonsense
        poetry --hex 8100           | poetry
                                    | explain what
        handshake --hex 8100        | no options";
    for [words, part] in rows(table) {
        let text = check(&words, b"", "2", &part);
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn json_is_one_object_a_frame() {
    let explain = |hex, status| -> Vec<Value> {
        let text = check(&format!("frames --json --hex {hex}"), b"", status, "");
        let lines = text.lines().map(serde_json::from_str);
        lines.map(|line| line.expect("JSON")).collect()
    };
    let lines = explain("8183000000006869c3 8985000000002e2e2e2e2e 8000", "1");
    assert_eq!(lines.len(), 1, "nothing is read after a broken rule");
    assert_eq!(lines[0]["broken"]["section"], "RFC 6455 8.1");
    assert_eq!(lines[0]["broken"]["code"], 1007);
    let lines = explain("81826162636409 0b 8980 00000000", "0");
    assert!(lines[0]["outcome"] == "message" && lines[0]["text"] == "hi");
    assert!(lines[1]["opcode"] == "ping" && lines[1]["at"] == 8);
    let fields = lines[0]["fields"].as_array().unwrap().iter();
    let names: Vec<_> = fields.filter_map(|field| field["name"].as_str()).collect();
    let expected = "FIN,RSV1,RSV2,RSV3,opcode,MASK,payload length,masking key,payload";
    assert_eq!(names.join(","), expected);
}

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\n\
    Upgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";
const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";

/// Input | replaced in request and response | by | exit status | parts of the output.
const HANDSHAKES: &str = "\
the standard's example | GET | GET | 0 | 258EAFA5-E914-47DA-95CA-C5AB0DC85B11, \
    b37a4f2cc0624f1690f64606cf385945b2bec4ea, s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
a page of another host | GET | GET | 0 | answer 101, refuses with 403, --origin
no Upgrade | Upgrade: websocket | A: b | 1 | Upgrade: websocket, §4.2.1, 3, 426
no Connection | Connection: | C: | 1 | §4.2.1, 4
no key | Sec-WebSocket-Key | K | 1 | no Sec-WebSocket-Key, §4.2.1, 5, 400
a key of 15 bytes | jZQ== | j | 1 | 16 bytes, §4.2.1, 5
version 8 | Version: 13 | Version: 8 | 1 | §4.2.1, 6, 426
a POST | GET | POST | 1 | §4.2.1, 1, 405
HTTP/1.0 | chat HTTP/1.1 | chat HTTP/1.0 | 1 | §4.2.1, 1
no Host | Host | H | 1 | Host, 400
not ASCII | superchat | \u{e9}x | 0 | \\xc3\\xa9
another accept value | s3pP | s3pQ | 1 | doesn't match
a subprotocol of its own | Protocol: chat, superchat | Protocol: x | 1 | not offered
a refusal | 101 Switching | 403 No | 1 | 101
no HTTP | GET /chat HTTP/1.1 | hello | 1 | wrong";

#[test]
fn handshakes_are_explained_header_by_header() {
    let explain = |input: &str, status: &str, parts: &str| {
        let text = check("handshake", input.as_bytes(), status, parts);
        assert_eq!(text.contains("wrong  "), status == "1", "{text}");
    };
    let both = format!("{REQUEST}{RESPONSE}");
    for [_, from, to, status, parts] in rows(HANDSHAKES) {
        explain(&both.replace(&from, &to), &status, &parts);
    }
    let lines = both.lines().enumerate();
    let curl = lines.map(|(n, line)| format!("{} {line}\n", if n < 9 { '>' } else { '<' }));
    let curl = curl.collect::<String>();
    let accept = "CR LF, s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    explain(&format!("* Trying\n{curl}"), "0", accept);
    explain(both.replace('\r', "").trim(), "0", accept);
    explain(REQUEST, "0", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    explain(REQUEST.trim_end(), "1", "empty line");
    explain(both.trim_end(), "1", "the response has no end");
    explain(RESPONSE, "2", "needs its request before it");
    let faults = REQUEST.replace("Version: 13", "Version: 8");
    let faults = faults.replace("websocket", "cobweb");
    explain(&faults, "1", "§4.2.1, 3, §4.2.1, 6");
}
