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
