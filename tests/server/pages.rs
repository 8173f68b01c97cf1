//! The chat page: its headers, and that a browser need not fetch it twice.

use crate::harness::{Response, Server};

fn get_if(server: &Server, method: &str, tags: &str) -> Response {
    let mut raw = server.raw();
    raw.send(format!(
        "{method} / HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {tags}\r\n\r\n"
    ));
    if method == "HEAD" {
        raw.response_head()
    } else {
        raw.response()
    }
}

#[test]
fn the_page_has_its_headers() {
    let server = Server::start(&[]);
    let page = server.get("/");
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-type")
            .is_some_and(|media| media.starts_with("text/html")),
        "{}",
        page.head
    );
    assert!(page.text().to_lowercase().starts_with("<!doctype html>"));
    let policy = page
        .header("content-security-policy")
        .expect("a content security policy");
    assert!(
        policy.contains("-src '") && !policy.contains("unsafe-"),
        "{policy}"
    );
    for name in ["cache-control", "referrer-policy", "etag"] {
        assert!(
            page.header(name).is_some_and(|value| !value.is_empty()),
            "{name} in {}",
            page.head
        );
    }
}

/// Whatever the page refers to is there, with the media type that a browser insists on (`nosniff`).
#[test]
fn what_the_page_refers_to_is_served() {
    let server = Server::start(&[]);
    let page = server.get("/").text();
    for attribute in ["src=\"", "href=\""] {
        for rest in page.split(attribute).skip(1) {
            let url = rest.split('"').next().expect("a value");
            if url.starts_with('#') || url.is_empty() || url.contains("://") {
                continue;
            }
            assert!(
                !url.starts_with('/'),
                "{url} is not relative: it would not work behind a proxy's path"
            );
            let file = server.get(&format!("/{}", url.trim_start_matches("./")));
            assert_eq!(file.status, 200, "{url}");
            let media = file.header("content-type").expect("a type");
            let expected = match url.rsplit('.').next() {
                Some("js" | "mjs") => "text/javascript",
                Some("css") => "text/css",
                Some("svg") => "image/svg+xml",
                _ => "",
            };
            assert!(media.starts_with(expected), "{url}: {media}");
        }
    }
}

#[test]
fn a_page_that_is_known_is_not_sent_again() {
    let server = Server::start(&[]);
    let page = server.get("/");
    let tag = page.header("etag").expect("an ETag").to_owned();
    let bare = tag.trim_start_matches("W/");
    assert!(
        bare.len() > 2 && bare.starts_with('"') && bare.ends_with('"'),
        "{tag}"
    );
    for (name, tags) in [
        ("the tag", tag.clone()),
        ("the tag, weak", format!("W/{bare}")),
        ("a list", format!("\"other\", {bare}")),
        (
            "a list without spaces",
            format!("\"other\",{bare},\"third\""),
        ),
        ("a comma within another tag", format!("\"a,b\", {bare}")),
        ("any", "*".to_owned()),
    ] {
        for method in ["GET", "HEAD"] {
            let response = get_if(&server, method, &tags);
            assert_eq!(response.status, 304, "{method}: {name}");
            assert_eq!(
                response.header("etag"),
                Some(tag.as_str()),
                "{method}: {name}"
            );
        }
    }
    for (name, tags) in [
        ("another", "\"other\"".to_owned()),
        ("without quotes", bare.trim_matches('"').to_owned()),
    ] {
        let response = get_if(&server, "GET", &tags);
        assert_eq!(
            (response.status, &response.body),
            (200, &page.body),
            "{name}"
        );
    }
    // No body stands behind a 304: the next answer follows.
    let mut raw = server.raw();
    raw.send(format!("GET / HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {tag}\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert_eq!(raw.response().status, 304);
    assert_eq!(raw.response().text().trim_end(), "ok");
}

#[test]
fn the_wire_view_has_an_address_of_its_own() {
    let server = Server::start(&[]);
    let [short, long] = ["/wire", "/wire.html"].map(|path| server.get(path));
    assert_eq!((short.status, short.text()), (200, long.text()));
    assert!(
        short
            .header("content-security-policy")
            .is_some_and(|policy| !policy.contains("unsafe"))
    );
    assert_eq!(server.get("/wire/").status, 404);
}

#[test]
fn others_are_told_where_it_is() {
    let server = Server::start(&["--listen", "0.0.0.0:0"]);
    let join = server.get("/join");
    assert!(join.status == 200 && join.text().contains("invite.js"));
    let told: serde_json::Value = serde_json::from_str(&server.get("/join.json").text()).unwrap();
    for address in told["addresses"].as_array().unwrap() {
        let address = address.as_str().unwrap();
        assert!(
            address.ends_with(&format!(":{}/", server.port())) && !address.contains("0.0.0.0"),
            "{address}"
        );
        crate::harness::eventually("it is printed too", || {
            server
                .logs()
                .contains(&format!("others can join at {address}\n"))
        });
    }
    // For this machine alone there is nothing to tell.
    let server = Server::start(&[]);
    let told: serde_json::Value = serde_json::from_str(&server.get("/join.json").text()).unwrap();
    assert_eq!(
        (
            told["addresses"].as_array().map(Vec::len),
            server.logs().contains("others can join")
        ),
        (Some(0), false)
    );
}
