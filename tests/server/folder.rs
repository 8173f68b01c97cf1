//! `--www DIR` on the real binary. The rules for names and links are tested in
//! `src/http/pages.rs` and `src/server/folder.rs`.

use crate::harness::{Folder, Server};
use std::fs;
use std::os::unix::fs::symlink;

#[test]
fn folder_is_served_and_nothing_outside_it() {
    let folder = Folder::new("www");
    let www = folder.0.join("www");
    fs::create_dir_all(www.join("sub")).unwrap();
    fs::write(folder.0.join("secret.txt"), "secret").unwrap();
    fs::write(www.join("index.html"), "mine").unwrap();
    fs::write(www.join("sub/page.txt"), "within").unwrap();
    symlink(folder.0.join("secret.txt"), www.join("link.txt")).unwrap();
    let server = Server::start(&["--www", www.to_str().unwrap()]);
    for (path, media, text) in [
        ("/", "text/html", "mine"),
        ("/sub/page.txt", "text/plain", "within"),
    ] {
        let file = server.get(path);
        assert_eq!((file.status, file.text().as_str()), (200, text), "{path}");
        assert!(file.header("content-type").unwrap().starts_with(media));
        assert!(file.header("content-security-policy").is_some(), "{path}");
    }
    for (name, path) in [
        ("a missing file", "/xyzzy"),
        ("the folder above", "/%2e%2e/secret.txt"),
        ("a link to the outside", "/link.txt"),
    ] {
        server.get(path).assert_refusal(name, &[400, 404]);
    }
}

#[test]
fn changed_file_is_served_at_the_next_request() {
    let folder = Folder::new("www-changes");
    let index = folder.0.join("index.html");
    fs::write(&index, "one").unwrap();
    let server = Server::start(&["--www", folder.0.to_str().unwrap()]);
    let first = server.get("/");
    fs::write(&index, "second").unwrap();
    let tag = first.header("etag").unwrap();
    let second = server.request(format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {tag}\r\n\r\n"
    ));
    assert_eq!((second.status, second.text().as_str()), (200, "second"));
    fs::remove_file(&index).unwrap();
    server.get("/").assert_refusal("a removed file", &[404]);
    assert_eq!(server.get("/healthz").status, 200);
}

/// 100 connections that don't read held 16 MiB each before (a gigabyte and a half).
#[test]
fn large_file_is_in_memory_once() {
    let folder = Folder::new("www-large");
    let large = fs::File::create(folder.0.join("large.bin")).unwrap();
    large.set_len(16 << 20).unwrap();
    let server = Server::start(&["--www", folder.0.to_str().unwrap()]);
    let readers: Vec<_> = (0..99)
        .map(|_| {
            let mut raw = server.raw();
            raw.send("GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n");
            raw
        })
        .collect();
    assert_eq!(server.get("/healthz").status, 200);
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let peak = status.split("VmHWM:").nth(1).unwrap().trim_start();
    let kib: u64 = peak.split(' ').next().unwrap().parse().unwrap();
    assert!(kib < 200 << 10, "{kib} KiB");
    drop(readers);
}
