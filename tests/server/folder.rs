//! `--www DIR`: the regular files of a folder, and by no spelling or link anything else.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::harness::{Folder, Server};

#[test]
fn a_folder_is_served_and_nothing_outside_it() {
    let folder = Folder::new("www");
    let (outside, www) = (folder.0.join("secret.txt"), folder.0.join("www"));
    fs::create_dir_all(www.join("sub")).unwrap();
    fs::create_dir_all(www.join(".hidden")).unwrap();
    for (path, text) in [
        (outside.clone(), "secret"),
        (www.join("index.html"), "<!doctype html>mine"),
        (www.join("main.js"), "1"),
        (www.join("style.css"), "a{}"),
        (www.join("sub/page.txt"), "within"),
        (www.join(".env"), "secret"),
        (www.join(".hidden/file"), "secret"),
        (www.join("not for you"), "spaced"),
    ] {
        fs::write(path, text).unwrap();
    }
    symlink(&outside, www.join("link.txt")).unwrap();
    symlink(&folder.0, www.join("up")).unwrap();
    symlink("/", www.join("root")).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(www.join("pipe"))
            .status()
            .unwrap()
            .success()
    );
    File::create(www.join("large.bin"))
        .unwrap()
        .set_len((16 << 20) + 1)
        .unwrap();
    File::create(www.join("fits.bin"))
        .unwrap()
        .set_len(16 << 20)
        .unwrap();
    let server = Server::start(&["--www", www.to_str().unwrap()]);

    for (path, media, text) in [
        ("/", "text/html", "<!doctype html>mine"),
        ("/index.html", "text/html", "<!doctype html>mine"),
        ("/main.js", "text/javascript", "1"),
        ("/style.css", "text/css", "a{}"),
        ("/sub/page.txt", "text/plain", "within"),
    ] {
        let file = server.get(path);
        assert_eq!((file.status, file.text().as_str()), (200, text), "{path}");
        assert!(
            file.header("content-type").unwrap().starts_with(media),
            "{path}: {}",
            file.head
        );
        assert!(
            file.header("content-security-policy").is_some(),
            "{path}: a policy here too"
        );
    }
    assert_eq!(
        server.get("/fits.bin").body.len(),
        16 << 20,
        "16 MiB are served"
    );
    for (name, path) in [
        ("what is not there", "/xyzzy"),
        ("the folder above", "/../secret.txt"),
        ("the folder above, from below", "/sub/../../secret.txt"),
        ("percent-encoded dots", "/%2e%2e/secret.txt"),
        ("percent-encoded dots and slash", "/%2E%2E%2Fsecret.txt"),
        ("encoded twice", "/%252e%252e/secret.txt"),
        ("backslashes", "/..\\secret.txt"),
        ("encoded backslashes", "/..%5csecret.txt"),
        ("an absolute path", "//etc/passwd"),
        ("an absolute path, encoded", "/%2fetc/passwd"),
        ("a NUL", "/index.html%00.txt"),
        ("a hidden file", "/.env"),
        ("a hidden file, encoded", "/%2eenv"),
        ("a hidden folder", "/.hidden/file"),
        ("a link to outside", "/link.txt"),
        ("a link to the folder above", "/up/secret.txt"),
        ("a link to the root", "/root/etc/passwd"),
        ("a FIFO, without waiting for its writer", "/pipe"),
        ("a folder", "/sub"),
        ("a folder with a slash", "/sub/"),
        ("a file as a folder", "/index.html/"),
        ("a dot", "/./.env"),
        ("a file of more than 16 MiB", "/large.bin"),
    ] {
        server.get(path).assert_refusal(name, &[400, 404]);
    }
}

#[test]
fn a_file_that_changes_is_served_anew() {
    let folder = Folder::new("www-changes");
    let index = folder.0.join("index.html");
    fs::write(&index, "one").unwrap();
    let server = Server::start(&["--www", folder.0.to_str().unwrap()]);
    let first = server.get("/");
    fs::write(&index, "second").unwrap();
    let mut raw = server.raw();
    raw.send(format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {}\r\n\r\n",
        first.header("etag").unwrap()
    ));
    let second = raw.response();
    assert_eq!((second.status, second.text().as_str()), (200, "second"));
    assert_ne!(first.header("etag"), second.header("etag"));
    fs::remove_file(&index).unwrap();
    server
        .get("/")
        .assert_refusal("a file that is gone", &[404]);
    assert_eq!(server.get("/healthz").status, 200, "what is no file stays");
}
