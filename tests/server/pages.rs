//! The pages: their headers, the files that they use, and the addresses for other devices.

use crate::harness::{Raw, Server, eventually};

/// The addresses in `src` and `href` attributes of a page.
fn references(html: &str) -> Vec<String> {
    let values = |attribute: &'static str| {
        let values = html.split(attribute).skip(1);
        values.filter_map(|rest| rest.split('"').next().map(str::to_owned))
    };
    let mut all: Vec<_> = values(" src=\"").chain(values(" href=\"")).collect();
    all.retain(|url| !url.starts_with('#') && url != "./");
    all.sort();
    all.dedup();
    all
}

fn ask(raw: &mut Raw, path: &str, headers: &str) {
    raw.send(format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"
    ));
}

#[test]
fn page_has_its_headers_and_is_not_sent_twice() {
    let server = Server::start(&[]);
    let page = server.get("/");
    let header = |name| page.header(name).expect(name).to_owned();
    assert_eq!(page.status, 200);
    assert!(header("content-type").starts_with("text/html"));
    assert!(header("content-security-policy").contains("script-src 'self'"));
    assert_eq!(header("cache-control"), "no-cache");
    assert_eq!(header("referrer-policy"), "no-referrer");
    let mut raw = server.raw();
    let known = format!("If-None-Match: {}\r\n", header("etag"));
    ask(&mut raw, "/", &known);
    assert_eq!(raw.response().status, 304);
    // The compressed page is another one. A server that can't compress has only the known one.
    ask(&mut raw, "/", &format!("Accept-Encoding: gzip\r\n{known}"));
    let answer = raw.response();
    let encoding = answer.header("content-encoding");
    let expected = if cfg!(feature = "deflate") {
        (200, Some("gzip"))
    } else {
        (304, None)
    };
    assert_eq!((answer.status, encoding), expected);
    // A 304 has no body: the next response follows.
    ask(&mut raw, "/healthz", "");
    assert_eq!(raw.response().text().trim_end(), "ok");
}

#[test]
fn everything_that_a_page_refers_to_is_served() {
    let server = Server::start(&[]);
    for path in ["/", "/wire", "/join"] {
        let urls = references(&server.get(path).text());
        assert!(urls.iter().any(|url| url.ends_with(".js")), "{path}");
        for url in urls {
            // An absolute address would not work behind a proxy that adds a path.
            assert!(!url.starts_with('/') && !url.contains("://"), "{url}");
            let file = server.get(&format!("/{url}"));
            let media = match url.rsplit('.').next() {
                Some("js") => "text/javascript",
                Some("css") => "text/css",
                Some("svg") => "image/svg+xml",
                Some("png") => "image/png",
                _ => "application/manifest+json",
            };
            let served = file.header("content-type").expect(&url);
            assert!(file.status == 200, "{url}: {served}");
            assert!(served.starts_with(media), "{url}: {served}");
            // A browser that returns requests the page only, and sometimes the manifest.
            let is_kept = file.header("cache-control").unwrap().contains("immutable");
            assert_eq!(is_kept, !url.ends_with(".webmanifest"), "{url}");
        }
    }
    assert_eq!(server.get("/wire/").status, 404);
}

#[test]
fn addresses_for_other_devices_are_served_and_logged() {
    if !cfg!(feature = "log-output") {
        return;
    }
    let told = |server: &Server| -> serde_json::Value {
        serde_json::from_str(&server.get("/join.json").text()).unwrap()
    };
    let server = Server::listening("0.0.0.0:0", &[]);
    for address in told(&server)["addresses"].as_array().unwrap() {
        let address = address.as_str().unwrap();
        let port = format!(":{}/", server.port());
        assert!(address.ends_with(&port), "{address}");
        assert!(!address.contains("0.0.0.0"), "{address}");
        let line = format!("others can join at {address}\n");
        eventually("it is logged", || server.logs().contains(&line));
    }
    let server = Server::start(&[]);
    let none = told(&server)["addresses"].as_array().map(Vec::len);
    assert_eq!(
        (none, server.logs().contains("others can join")),
        (Some(0), false)
    );
}
