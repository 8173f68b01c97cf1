//! `parlor test` against parlor, which passes every case, and against a server that accepts
//! everything.

use crate::harness::{PATIENCE, Server, check_tool, output, parlor, rows, run_tool};
use ::parlor::http::Head;
use ::parlor::progress::Progress;
use ::parlor::websocket::{CloseCode, CloseFrame, Opcode, accept, encode_message};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

#[test]
fn parlor_holds_the_cases() {
    let server = Server::start(&["--handshake-timeout", "1", "--rate", "0"]);
    // All of sections 9, 12 and 13 take a release build.
    let skip = "--skip 9.* --skip 12.* --skip 13.*";
    let some = "--case 9.1.2 --case 12.*.4 --case 13.*.4";
    for (path, cases) in [("/echo", skip), ("/echo", some), ("/chat", skip)] {
        let words = format!("test {cases} {}", server.url(path));
        check_tool(&words, b"", "0", "No case failed.\n");
    }
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn random_sequences_find_no_fault_in_parlor() {
    let server = Server::start(&["--rate", "0"]);
    for (path, count) in [("/echo", "--sequences 300"), ("/chat", "--fuzz 1")] {
        let words = format!("test {count} --seed 1 {}", server.url(path));
        check_tool(&words, b"", "0", " sequences with seed 1: 0 faults");
    }
}

#[test]
fn unsuitable_server_is_refused() {
    let server = Server::start(&[]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    // 192.0.2.0/24 is for documentation (RFC 5737).
    let table = "
        ws://192.0.2.1/echo                  | elsewhere                 | 2
        ws://no-such-host.invalid/           | can't find no-such-host   | 3
        http://127.0.0.1/                    | begins with ws://         | 2
        --case nothing ECHO                  | no case                   | 2
        --section 5.99 ECHO                  | no case                   | 2
        --seed 1 ECHO                        | --seed is not for cases   | 2
        --fuzz 1 --junit x ECHO              | --junit is not for random | 2
        --listen 127.0.0.1:0 --jobs 2        | --jobs is not for clients | 2
        --jobs 0 ECHO                        | --jobs needs a number     | 2
        --fail-on all ECHO                   | --fail-on needs           | 2
        --header X ECHO                      | is not a header           | 2
        --expect /nowhere ECHO               | can't read /nowhere       | 2
        --junit /dev/null/x ECHO             | can't write               | 2
                                             | address is missing        | 2
        --replay /nowhere ECHO               | replay /nowhere           | 2
        ws://127.0.0.1:1/                    | can't connect             | 3
        --timeout 1 ws://SILENT/             | does not answer           | 3
        --connect false ECHO                 | the command ended         | 3
        ws://SERVER/                         | 101                       | 3
        --listen nowhere                     | can't listen on nowhere   | 2
        --listen 127.0.0.1:0 -- /nowhere     | can't run /nowhere        | 2
        --listen 127.0.0.1:0 -- false        | did not connect           | 3";
    for [words, part, status] in rows(table) {
        let words = words.replace("ECHO", "ws://SERVER/echo");
        let words = words.replace("SERVER", &server.address.to_string());
        let words = words.replace("SILENT", &silent.local_addr().unwrap().to_string());
        let words = format!("test {words}");
        let text = check_tool(&words, b"", &status, &part);
        assert_eq!(text.lines().count(), 1, "{words}: {text}");
    }
    for name in ["client", "explain", "test"] {
        let (help, _) = run_tool(&format!("{name} --help"), b"");
        assert!(help.starts_with("Usage: parlor "), "{name}");
    }
}

#[test]
fn command_is_the_connection_with_headers_and_a_subprotocol() {
    let server = Server::start(&["--origin", "https://chat.example"]);
    let (host, port) = (server.address.ip(), server.address.port());
    let pipe = format!("exec 3<>/dev/tcp/{host}/{port}; cat <&3 & exec cat >&3");
    let command = format!("exec bash -c '{pipe}'");
    let url = "wss://chat.example/chat";
    let run = |more: &str| {
        let words = format!("{more} --case rsv* --skip rsv-all-empty {url}");
        let mut test = parlor();
        test.args(["test", "--connect", &command]);
        output(test.args(words.split(' ')))
    };
    let (status, text, _) = run("--origin https://chat.example --subprotocol chat");
    assert_eq!(status, Some(0), "{text}");
    assert_eq!(run("--header Origin:https://other.example").0, Some(3));
    let headers = "--header Host:other.example --header Origin:https://chat.example";
    assert_eq!(run(headers).0, Some(0));
}

/// Answers any handshake, any ping after any bytes, and any close frame. Closes on opcode 3.
fn careless(listener: &TcpListener) {
    for stream in listener.incoming().map_while(Result::ok) {
        thread::spawn(move || answer(stream));
    }
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let (mut came, mut buffer) = (Vec::new(), [0; 4096]);
    while !came.windows(4).any(|four| four == b"\r\n\r\n") {
        let length = stream.read(&mut buffer)?;
        came.extend_from_slice(&buffer[..length]);
        if length == 0 {
            return Ok(());
        }
    }
    let key = match Head::parse(&came, 8192) {
        Ok(Progress::Done { value, .. }) => value
            .values("sec-websocket-key")
            .next()
            .map(|key| String::from_utf8_lossy(key).into_owned()),
        _ => None,
    };
    let accept = accept(&key.unwrap_or_default());
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    write!(
        stream,
        "HTTP/1.1 101 x\r\n{upgrade}Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )?;
    loop {
        let length = stream.read(&mut buffer)?;
        let mut out = Vec::new();
        let ping = length.checked_sub(18).map(|at| &buffer[at..length]);
        match (ping, buffer[0] & 0x0F) {
            _ if length == 0 => return Ok(()),
            (_, 3) => return Ok(()),
            (Some([0x89, 0x8c, a, b, c, d, payload @ ..]), _) => {
                let key = [a, b, c, d].into_iter().cycle();
                let payload: Vec<u8> = payload
                    .iter()
                    .zip(key)
                    .map(|(byte, key)| byte ^ key)
                    .collect();
                encode_message(Opcode::Pong, &payload, &mut out);
            }
            (_, 8) => CloseFrame::new(CloseCode::NORMAL, "").encode(&mut out),
            _ => {}
        }
        stream.write_all(&out)?;
    }
}

#[test]
fn careless_server_fails_its_cases() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    thread::spawn(move || careless(&listener));
    let folder = std::env::temp_dir().join(format!("parlor-test-{}", std::process::id()));
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (expected, junit, autobahn) = (file("expected"), file("junit.xml"), file("autobahn"));
    // A case of each verdict, and Autobahn's 3.1.
    let test = |options: &str| {
        let cases = "--case rsv3 --case opcode-3 --case 3.1 --case 2.7";
        let words = format!("test {options} {cases} {url}");
        run_tool(&words, b"")
    };
    let (text, status) = test(&format!(
        "--write-expected {expected} --junit {junit} --autobahn {autobahn} --agent careless"
    ));
    assert_eq!(status, 1, "{text}");
    for part in [
        "violated  3.1 (interoperability)\n    demanded   a reserved bit",
        "    also       rsv3",
        "came back  answered the ping that followed: it goes on",
        "sent       29 bytes: 91 85 37 fa 21 3d 7f 9f 4d 51 58 89 8c",
        "other     opcode-3 (pedantic)",
        "4 cases in",
        "1 held, 2 violated, 1 other, 0 not applicable",
        "3 failed, 0 of them security.",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    let lines = read(&expected);
    assert!(
        lines.ends_with("\n3.1 violated\nrsv3 violated\nopcode-3 other\n"),
        "{lines}"
    );
    let xml = read(&junit);
    assert!(
        xml.contains("tests=\"4\" failures=\"3\" skipped=\"0\""),
        "{xml}"
    );
    let index: Value = serde_json::from_str(&read(&file("autobahn/index.json"))).unwrap();
    let verdict = &index["careless"]["3.1"];
    assert_eq!(
        [&verdict["behavior"], &verdict["behaviorClose"]],
        ["OK", "FAILED"]
    );
    assert_eq!(index["careless"]["2.7"]["behavior"], "OK");
    // With a baseline only changes fail, without one only severe results.
    assert_eq!(test(&format!("--expect {expected}")).1, 0);
    std::fs::write(&expected, "rsv3 violated\nopcode-3 other\n2.7 other\n").unwrap();
    let (text, status) = test(&format!("--expect {expected}"));
    assert!(status == 1 && text.contains("2 failed"), "{text}");
    let improved = "held      2.7 (interoperability)\n    expected   other\n";
    assert!(text.contains(improved), "{text}");
    assert_eq!(
        test(&format!("--expect {expected} --fail-on security")).1,
        0
    );
    assert_eq!(test("--fail-on security").1, 0);
    let (text, _) = test("--json");
    let json = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let json: Vec<Value> = json.collect();
    let opcode = json.iter().find(|case| case["name"] == "opcode-3").unwrap();
    assert_eq!((json.len(), &opcode["verdict"]), (5, &"other".into()));
    assert!(json[4]["summary"] == true, "{text}");
    assert!(json[4]["failed"] == 3, "{text}");
    // An invalid close frame that is answered like a valid one was accepted.
    let words = format!("test --json --case close-1005 {url}");
    check_tool(&words, b"", "1", "\"verdict\":\"violated\"");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn cases_are_listed_with_autobahns_numbers() {
    let (text, status) = run_tool("test --list --json --case autobahn", b"");
    assert_eq!((text.lines().count(), status), (517, 0));
    let words = "test --list --section 5.1 --skip mask-missing-*";
    let text = check_tool(words, b"", "0", "\nmask-missing ");
    assert!(!text.contains("mask-missing-ping"), "{text}");
}
