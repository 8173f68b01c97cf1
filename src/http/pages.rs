//! The files of `www/`: names, media types, and the responses that carry them (RFC 9110 §8.3,
//! §8.8.3, §13.1.2).
//!
//! They are compiled in by `build.rs`, which also joins the page's modules to one file. With
//! `--www` they come from a folder instead (`server::Folder`), by the same rules for names.
//!
//! `/BUILD/app/main.js` is `/app/main.js` of this build and no other: it can be cached for ever.
//! The HTML files refer to such addresses, so a returning browser asks for the HTML file alone.

use super::gzip::{Gzip, accepts_gzip};
use super::request::Head;
use super::response::{Body, Response};
use crate::text::{Hex, hex_digit};
use sha1::{Digest, Sha1};

/// One file, ready to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The value of `Content-Type`.
    pub media_type: &'static str,
    /// The value of `ETag`: a strong tag with its quotes, without a comma. See [`etag`].
    pub etag: String,
    /// The content of the file.
    pub bytes: Body,
    /// Whether the path has only ever this content.
    pub is_immutable: bool,
}

/// Where pages come from: the program itself, or a folder.
pub trait Pages {
    /// Returns the page of a path as the request target spells it: percent-encoded, beginning with
    /// a slash. `/` is `index.html`.
    fn page(&mut self, path: &str) -> Option<Page>;
}

/// Every file of `www/` by its name; a script that an HTML file names with all its imports.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/www.rs"));

/// The build of the page: a hash of all its files, in 16 hex digits.
pub const BUILD: &str = env!("PARLOR_BUILD");

/// The pages that are compiled in, with their names.
#[derive(Clone, Debug)]
pub struct BuiltIn(Vec<(&'static str, Page)>);

impl Default for BuiltIn {
    fn default() -> Self {
        let page = |(name, bytes): &(&'static str, &'static [u8])| Page {
            media_type: media_type(name),
            etag: etag(bytes),
            bytes: Body::Static(bytes),
            is_immutable: false,
        };
        Self(FILES.iter().map(|file| (file.0, page(file))).collect())
    }
}

impl Pages for BuiltIn {
    fn page(&mut self, path: &str) -> Option<Page> {
        let wanted = file_name(path)?;
        let of_build = wanted.strip_prefix(concat!(env!("PARLOR_BUILD"), "/"));
        let name = of_build.unwrap_or(&wanted);
        let (_, page) = self.0.iter().find(|(other, _)| *other == name)?;
        // Addresses in an HTML file are relative to the chat's own folder.
        let is_misplaced = of_build.is_some() && name.ends_with(".html");
        (!is_misplaced).then(|| Page {
            is_immutable: of_build.is_some(),
            ..page.clone()
        })
    }
}

/// Returns the name of the file that a path means, with `/` between its parts.
///
/// Each part is percent-decoded once, after the split. Refused are empty and hidden parts (`.` and
/// `..` among them), slashes, backslashes, control characters, invalid escapes and invalid UTF-8.
/// Symbolic links are left to the caller.
pub fn file_name(path: &str) -> Option<String> {
    let path = path.strip_prefix('/')?;
    if path.is_empty() {
        return Some("index.html".to_owned());
    }
    let parts = path.split('/').map(|part| {
        let part = percent_decoded(part)?;
        let is_harmless = |letter: char| letter != '/' && letter != '\\' && !letter.is_control();
        let is_name = !part.is_empty() && !part.starts_with('.') && part.chars().all(is_harmless);
        is_name.then_some(part)
    });
    Some(parts.collect::<Option<Vec<_>>>()?.join("/"))
}

/// Decodes percent-encoding (RFC 3986 §2.1) that gives UTF-8.
fn percent_decoded(part: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(part.len());
    let mut bytes = part.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

/// Returns the media type for the extension of a file name. Files of unknown types are bytes, which
/// a browser saves.
pub fn media_type(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "mp3" => "audio/mpeg",
        "ogg" => "audio/ogg",
        _ => "application/octet-stream",
    }
}

/// Returns an entity tag made of the bytes alone: 16 digits of SHA-1, the same after a restart.
pub fn etag(bytes: &[u8]) -> String {
    format!("\"{:x}\"", Hex(&Sha1::digest(bytes)[..8]))
}

/// A page may load what this server serves and connect to it (`connect-src 'self'` includes `ws:`,
/// CSP 3 §6.7.2.8), and nothing else: injected markup would be dead text.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Returns the response that carries a page, or a 304 for a client that has it already.
pub fn respond(mut page: Page, head: &Head<'_>, gzip: &mut Gzip) -> Response {
    let can_shrink = gzip.can_shrink(page.media_type, &page.bytes);
    let is_gzipped =
        can_shrink && accepts_gzip(head) && gzip.shrink(&mut page.etag, &mut page.bytes);
    let mut response = match is_known(&page.etag, head) {
        true => Response::empty(304),
        false => Response::new(200, page.media_type, page.bytes),
    };
    if is_gzipped && response.status == 200 {
        response = response.with("Content-Encoding", "gzip");
    }
    if can_shrink {
        response = response.with("Vary", "Accept-Encoding");
    }
    response = match page.is_immutable {
        true => response
            .with("Cache-Control", "public, max-age=31536000, immutable")
            // The service worker is in `app/`, and serves the folder of the chat itself.
            .with("Service-Worker-Allowed", "../../"),
        // Kept, but validated each time (RFC 9111 §5.2.2.4): a reload shows the new version.
        false => response.with("Cache-Control", "no-cache"),
    };
    response
        .with("ETag", page.etag)
        .with("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        .with("Referrer-Policy", "no-referrer")
}

/// Evaluates `If-None-Match` (RFC 9110 §13.1.2): `*`, or tags that are compared weakly (§8.8.3.2).
fn is_known(etag: &str, head: &Head<'_>) -> bool {
    head.tokens("if-none-match")
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::head;

    #[test]
    fn files_are_served_with_their_type_and_tag() {
        let mut pages = BuiltIn::default();
        for (name, bytes) in FILES {
            let page = pages.page(&format!("/{name}")).expect(name);
            let served = (page.bytes.as_bytes(), page.etag);
            assert_eq!(served, (*bytes, etag(bytes)), "{name}");
            assert_ne!(page.media_type, "application/octet-stream", "{name}");
        }
        assert_eq!(pages.page("/"), pages.page("/index.html"));
        assert_eq!(pages.page("/nothing.html"), None);
    }

    #[test]
    fn files_of_the_build_never_change_and_pages_refer_to_them() {
        let mut pages = BuiltIn::default();
        for (name, bytes) in FILES {
            let page = pages.page(&format!("/{BUILD}/{name}"));
            let found = page.map(|page| (page.is_immutable, page.bytes.as_bytes().to_vec()));
            let expected = (!name.ends_with(".html")).then(|| (true, bytes.to_vec()));
            assert_eq!(found, expected, "{name}");
        }
        assert_eq!(pages.page("/0123456789abcdef/app/main.js"), None);
        let index = pages.page("/").unwrap();
        let html = str::from_utf8(index.bytes.as_bytes()).unwrap();
        let count = |before: &str, after: &str| html.matches(&format!("{before}{after}")).count();
        for (attribute, is_of_build) in [
            ("src=\"|app/main.js\"", true),
            ("data-de=\"|texts/de.js\"", true),
            ("href=\"|styles/chat.css\"", true),
            ("href=\"|manifest.webmanifest\"", false),
            ("href=\"|./\"", false),
        ] {
            let (before, after) = attribute.split_once('|').unwrap();
            let of_build = count(&format!("{before}{BUILD}/"), after);
            let plain = count(before, after);
            let found = (of_build > 0, plain > 0);
            assert_eq!(found, (is_of_build, !is_of_build), "{attribute}");
        }
    }

    #[test]
    fn bundle_has_all_modules_that_the_page_starts_with() {
        let text = |path: &str| {
            let page = BuiltIn::default().page(path).expect(path);
            String::from_utf8(page.bytes.as_bytes().to_vec()).unwrap()
        };
        for path in ["/app/main.js", "/wire/page.js"] {
            let bundle = text(path);
            let words = ["import ", "export "];
            let is_statement = |line: &&str| words.iter().any(|word| line.starts_with(word));
            let statements: Vec<_> = bundle.lines().filter(is_statement).collect();
            assert_eq!(statements, Vec::<&str>::new(), "{path}");
            assert!(bundle.contains("\n$modules[\"views/dom.js\"] = "), "{path}");
        }
        // A module that is imported later is bundled with what only it imports.
        let later = text("/app/later.js");
        assert!(!later.contains("\nimport "));
        assert!(later.ends_with("export const { later } = $modules[\"app/later.js\"];\n"));
        for (module, is_here) in [("wire/wire-view.js", true), ("views/dom.js", false)] {
            let module = format!("\n$modules[\"{module}\"] = ");
            assert_eq!(later.contains(&module), is_here, "{module}");
            assert_ne!(text("/app/main.js").contains(&module), is_here, "{module}");
        }
        assert!(text("/views/feed.js").contains("\nimport { content } from './message-row.js';"));
    }

    #[test]
    #[rustfmt::skip]
    fn names_stay_within_the_folder() {
        let table: &[(&str, &str, Option<&str>)] = &[
            ("the root", "/", Some("index.html")),
            ("a file", "/main.js", Some("main.js")),
            ("a file in a folder", "/a/b.css", Some("a/b.css")),
            ("an escaped letter", "/%6dain.js", Some("main.js")),
            ("an escaped letter of two bytes", "/%C3%A4.txt", Some("ä.txt")),
            ("decoded once, not twice", "/%252e%252e/x", Some("%2e%2e/x")),
            ("dots within a name", "/a..b", Some("a..b")),
            ("no slash", "main.js", None),
            ("the folder above", "/../x", None),
            ("the folder above, escaped", "/%2e%2E/x", None),
            ("the folder above, half escaped", "/a/.%2e/x", None),
            ("the folder itself", "/./x", None),
            ("a hidden file", "/.git", None),
            ("a hidden folder", "/a/.git/config", None),
            ("an absolute path", "//etc/passwd", None),
            ("an empty part", "/a//b", None),
            ("a folder", "/a/", None),
            ("an escaped slash", "/a%2fb", None),
            ("an escaped slash and the folder above", "/a%2f..%2fb", None),
            ("a backslash", "/a\\b", None),
            ("an escaped backslash", "/..%5cx", None),
            ("NUL", "/index.html%00.png", None),
            ("a line feed", "/a%0ab", None),
            ("DEL", "/a%7f", None),
            ("a control character of two bytes", "/a%c2%85", None),
            ("half an escape", "/a%2", None),
            ("an escape that is none", "/a%+1b", None),
            ("half a letter", "/a%C3", None),
            ("an overlong dot", "/%c0%ae%c0%ae/x", None),
        ];
        for (name, path, expected) in table {
            assert_eq!(file_name(path).as_deref(), *expected, "{name}");
        }
    }

    #[test]
    #[rustfmt::skip]
    fn known_page_is_not_sent_again() {
        let table: &[(&str, &str, u16)] = &[
            ("nothing is known", "", 200),
            ("the same tag", "If-None-Match: \"0123\"\r\n", 304),
            ("compared weakly", "If-None-Match: W/\"0123\"\r\n", 304),
            ("in a list", "If-None-Match: \"a,b\", W/\"x\" ,\"0123\"\r\n", 304),
            ("in the second header", "if-none-match: \"a\"\r\nIF-NONE-MATCH: \"0123\"\r\n", 304),
            ("any", "If-None-Match: *\r\n", 304),
            ("another", "If-None-Match: \"0124\"\r\n", 200),
            ("without quotes", "If-None-Match: 0123\r\n", 200),
            ("a part of another", "If-None-Match: \"0123,\"\r\n", 200),
            ("a weak mark in lower case is none", "If-None-Match: w/\"0123\"\r\n", 200),
        ];
        for (name, lines, status) in table {
            let bytes = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
            let head = head(&bytes);
            let page = Page {
                media_type: "text/css",
                etag: "\"0123\"".to_owned(),
                bytes: Body::Static(b"x"),
                is_immutable: false,
            };
            let response = respond(page, &head, &mut Gzip::default());
            assert_eq!(response.status, *status, "{name}");
            assert_eq!(response.body.as_bytes().is_empty(), *status == 304, "{name}");
            let headers = ["ETag", "Cache-Control"].map(|name| response.header(name));
            assert_eq!(headers, [Some("\"0123\""), Some("no-cache")], "{name}");
        }
    }

    #[test]
    fn tags_are_sixteen_digits_of_sha_1() {
        assert_eq!(etag(b"abc"), "\"a9993e364706816a\""); // FIPS 180-2 A.1
    }

    #[test]
    fn the_policy_has_nothing_unsafe() {
        for part in ["unsafe", "*", "  "] {
            assert!(!CONTENT_SECURITY_POLICY.contains(part), "{part:?}");
        }
    }
}
