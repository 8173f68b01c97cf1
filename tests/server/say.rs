//! `parlor say`: each line arrives once, even if the connection breaks.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::json;

use crate::harness::{
    Folder, Person, Server, assert_private, check_tool, eventually, rows, run_tool,
};

/// Reads the texts of the channel `builds`.
fn texts(person: &mut Person) -> Vec<String> {
    let mut texts = Vec::new();
    loop {
        let after = texts.len();
        let page = person
            .ask(json!({"type": "history", "channel": "builds", "after": after, "limit": 200}));
        let messages = page["messages"].as_array().unwrap().iter();
        texts.extend(messages.map(|it| it["text"].as_str().unwrap().to_owned()));
        if page["more"] == false {
            return texts;
        }
    }
}

#[test]
fn lines_become_messages_of_one_user() {
    let server = Server::with("--max-text-chars 30");
    let folder = Folder::new("say");
    let path = folder.0.join("session");
    let (url, file) = (server.url("/chat"), path.to_str().unwrap());
    let mut bob = server.enter("Bob");
    bob.join("builds");
    let long = "x".repeat(31);
    for (input, status) in [
        ("one\r\n\n/quit \u{1b}[31m\n", 0),
        (&format!("{long}\nlast"), 1),
    ] {
        let words = format!("say {url} builds --name ci --session {file}");
        let (text, ended) = run_tool(&words, input.as_bytes());
        assert_eq!(ended, status, "{text}");
        assert_eq!(text.contains("line 1 was refused"), status == 1, "{text}");
    }
    assert_eq!(texts(&mut bob), ["one", "/quit [31m", "last"]);
    let authors = [0, 1, 2].map(|_| bob.take("message")["author"].clone());
    assert_eq!(authors[0], authors[2], "the same session");
    assert_private(&path);
    eventually("the user is offline", || bob.online() == 1);
}

#[test]
fn failed_start_says_why() {
    let server = Server::start(&[]);
    let _taken = server.enter("say");
    let table = "
        ws://127.0.0.1:1/ a | can't connect              | 1
        URL a               | is taken                   | 1
        URL - --name x      | the server refuses         | 1
        URL                 | the channel is missing     | 2
                            | an address is missing      | 2
        URL a --shout       | shout                      | 2";
    for [words, part, status] in rows(table) {
        let words = format!("say {}", words.replace("URL", &server.url("/chat")));
        check_tool(&words, b"x\n", &status, &part);
    }
}

/// Starts a proxy, and returns its address. It ends each of the first three connections before
/// their first `ack`.
fn cutting_proxy(server: &Server) -> String {
    let (listener, to) = (TcpListener::bind("127.0.0.1:0").unwrap(), server.address);
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (n, client) in listener.incoming().enumerate() {
            let (client, behind) = (client.unwrap(), TcpStream::connect(to).unwrap());
            let (mut from, mut into) = (client.try_clone().unwrap(), behind.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut from, &mut into));
            let (mut buffer, mut client, mut behind) = ([0; 4096], client, behind);
            while let Ok(length @ 1..) = behind.read(&mut buffer) {
                let has_ack = String::from_utf8_lossy(&buffer[..length]).contains("\"ack\"");
                if n < 3 && has_ack || client.write_all(&buffer[..length]).is_err() {
                    break;
                }
            }
            let _ = client.shutdown(std::net::Shutdown::Both);
            let _ = behind.shutdown(std::net::Shutdown::Both);
        }
    });
    format!("ws://{address}/chat")
}

#[test]
fn line_whose_ack_was_lost_is_stored_once() {
    let server = Server::start(&["--rate", "0"]);
    let words = format!("say {} builds", cutting_proxy(&server));
    let text = check_tool(&words, b"one\ntwo", "0", "");
    assert_eq!(text.matches("connecting again").count(), 3, "{text}");
    assert_eq!(texts(&mut server.enter("Reader")), ["one", "two"]);
}
