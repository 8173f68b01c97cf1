//! How many connections, and how large a text.
//!
//! Not here: how often (`rates`), how long (`timeouts`), how much is held (`pressure`), message
//! sizes (`violations`).

use serde_json::json;

use crate::harness::{Person, Server, eventually};

#[test]
fn more_connections_than_may_be_are_told_so() {
    let server = Server::start(&["--max-connections", "3"]);
    let mut ada = server.enter("Ada");
    let idle = server.raw();
    let mut echo = server.open("/echo");
    for _ in 0..3 {
        let mut raw = server.raw();
        raw.response()
            .assert_refusal("one more, which has said nothing", &[503]);
        raw.assert_ended("one more");
    }
    let mut raw = server.raw();
    raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    raw.response()
        .assert_refusal("one more, which says something", &[503]);
    ada.join("general");
    echo.text("still");
    assert_eq!(echo.message("the others go on").1, b"still");
    drop(idle);
    eventually("there is room again", || {
        let mut raw = server.raw();
        raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        raw.response().status == 200
    });
}

#[test]
fn more_connections_of_one_address_are_told_so() {
    let server = Server::start(&["--max-connections-per-ip", "2"]);
    let _ada = server.enter("Ada");
    let second = server.raw();
    let mut raw = server.raw();
    raw.response().assert_refusal("one more", &[429]);
    raw.assert_ended("one more");
    drop(second);
    eventually("there is room again", || {
        let mut raw = server.raw();
        raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        raw.response().status == 200
    });
}

#[test]
fn a_hundred_connections_of_one_address_by_default() {
    let server = Server::start(&[]);
    let open: Vec<_> = (0..100).map(|_| server.open("/echo")).collect();
    server.raw().response().assert_refusal("the 101st", &[429]);
    drop(open);
    let server = Server::start(&["--max-connections-per-ip=0"]);
    let open: Vec<_> = (0..120).map(|_| server.open("/echo")).collect();
    assert_eq!(
        server.metric("parlor_connections"),
        open.len() as f64,
        "0: no limit"
    );
}

/// Who connects, says hello and vanishes, again and again, fills no memory: twice as many users as
/// connections.
#[test]
fn users_in_the_resume_window_are_limited() {
    let server = Server::start(&["--max-connections", "3", "--resume-window", "60"]);
    let mut refused = 0;
    for n in 0..12 {
        let mut raw = server.raw();
        raw.send(crate::harness::Wire::handshake("/chat"));
        let response = raw.response();
        if response.status == 503 {
            refused += 1;
            continue;
        }
        let mut person = crate::harness::Wire { raw };
        person.text(&format!("/nick p{n}"));
        person.message("welcome");
    }
    assert!((4..=10).contains(&refused), "{refused} of 12 were refused");
    assert!(server.metric("parlor_users_online") <= 7.0);
}

#[test]
fn texts_of_as_many_characters_as_may_be() {
    let server = Server::start(&["--max-text-chars", "10", "--rate", "0"]);
    let mut ada = server.enter("Ada");
    ada.join("general");
    for text in ["x".repeat(10), "😀".repeat(10)] {
        ada.say("general", &text);
        assert_eq!(ada.take("message")["text"], text);
        ada.whisper("Ada", &text);
        let longer = format!("{text}y");
        assert_eq!(
            ada.refused(json!({"type": "message", "channel": "general", "text": longer})),
            "too_long"
        );
        assert_eq!(
            ada.refused(json!({"type": "direct", "to": "Ada", "text": longer})),
            "too_long"
        );
        assert_eq!(ada.refused_line(&longer), "too_long");
    }
    assert_eq!(
        ada.refused(json!({"type": "message", "channel": "general", "text": " ".repeat(11)})),
        "empty"
    );
}

#[test]
fn a_long_line_or_name_harms_nothing() {
    let server = Server::start(&["--rate", "0"]);
    let mut ada = server.enter("Ada");
    let long = "x".repeat(60_000);
    for line in [
        format!("/nick {long}"),
        format!("/join {long}"),
        format!("/msg {long} hi"),
        format!("/{long}"),
        format!("/who {long}"),
    ] {
        ada.line(&line);
        let error = ada.take("error");
        assert!(error["message"].as_str().unwrap().len() < 1000, "{error}");
    }
    assert_eq!(ada.refused_line(&long), "not_in_channel");
    let mut nested = Person::guest(&server);
    let deep = format!("{{\"type\":\"channels\",\"x\":{}", "[".repeat(60_000));
    assert_eq!(nested.refused_line(&deep), "bad_json");
}
