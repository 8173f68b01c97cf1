//! The files of `www/`: names, media types, and how they are served (RFC 9110 §8.3, §8.8.3,
//! §13.1.2).
//!
//! They are compiled in by one table, written by hand: it is short, a test holds it against the
//! folder, and the reader sees
//! what the binary has in it. Where files come from a folder instead (`--www`), `server::folder`
//! brings them; the rules for
//! names are these here, so that no spelling leads out of a folder.
//!
//! Not here: the paths that are not files (`hub::routes`), reading a folder (`server::folder`).

use super::head::Head;
use super::response::{Body, Response};
use crate::text::{Hex, hex_digit};
use sha1::{Digest, Sha1};
use std::borrow::Cow;

/// One file, ready to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What `Content-Type` says.
    pub media_type: &'static str,
    /// What `ETag` says, a strong one with its quotes and without a comma; see [`etag`].
    pub etag: String,
    /// The whole file.
    pub bytes: Body,
}

/// Where pages come from: the binary itself, or a folder.
pub trait Pages {
    /// The page of a path, as it stood in the request target: percent-encoded, beginning with a
    /// slash. `/` is `index.html`.
    fn page(&mut self, path: &str) -> Option<Page>;
}

/// Every file of `www/`.
const FILES: &[(&str, &[u8])] = &[
    (
        "texts/address.js",
        include_bytes!("../../www/texts/address.js"),
    ),
    ("app/chat.js", include_bytes!("../../www/app/chat.js")),
    ("app/invite.js", include_bytes!("../../www/app/invite.js")),
    ("app/main.js", include_bytes!("../../www/app/main.js")),
    (
        "app/read-markers.js",
        include_bytes!("../../www/app/read-markers.js"),
    ),
    ("app/sender.js", include_bytes!("../../www/app/sender.js")),
    (
        "connection/backoff.js",
        include_bytes!("../../www/connection/backoff.js"),
    ),
    (
        "connection/connection.js",
        include_bytes!("../../www/connection/connection.js"),
    ),
    (
        "connection/protocol.js",
        include_bytes!("../../www/connection/protocol.js"),
    ),
    (
        "icon-maskable.svg",
        include_bytes!("../../www/icon-maskable.svg"),
    ),
    (
        "icon-unread.svg",
        include_bytes!("../../www/icon-unread.svg"),
    ),
    ("icon.svg", include_bytes!("../../www/icon.svg")),
    ("index.html", include_bytes!("../../www/index.html")),
    ("invite.html", include_bytes!("../../www/invite.html")),
    (
        "manifest.webmanifest",
        include_bytes!("../../www/manifest.webmanifest"),
    ),
    (
        "store/drafts.js",
        include_bytes!("../../www/store/drafts.js"),
    ),
    (
        "store/offline-store.js",
        include_bytes!("../../www/store/offline-store.js"),
    ),
    (
        "store/outbox.js",
        include_bytes!("../../www/store/outbox.js"),
    ),
    ("store/room.js", include_bytes!("../../www/store/room.js")),
    ("store/state.js", include_bytes!("../../www/store/state.js")),
    (
        "store/storage.js",
        include_bytes!("../../www/store/storage.js"),
    ),
    (
        "styles/chat.css",
        include_bytes!("../../www/styles/chat.css"),
    ),
    (
        "styles/invite.css",
        include_bytes!("../../www/styles/invite.css"),
    ),
    (
        "styles/wire.css",
        include_bytes!("../../www/styles/wire.css"),
    ),
    (
        "styles/writing.css",
        include_bytes!("../../www/styles/writing.css"),
    ),
    (
        "texts/alternative-name.js",
        include_bytes!("../../www/texts/alternative-name.js"),
    ),
    (
        "texts/collation.js",
        include_bytes!("../../www/texts/collation.js"),
    ),
    (
        "texts/commands.js",
        include_bytes!("../../www/texts/commands.js"),
    ),
    (
        "texts/complete.js",
        include_bytes!("../../www/texts/complete.js"),
    ),
    ("texts/emoji.js", include_bytes!("../../www/texts/emoji.js")),
    (
        "texts/limits.js",
        include_bytes!("../../www/texts/limits.js"),
    ),
    (
        "texts/markup.js",
        include_bytes!("../../www/texts/markup.js"),
    ),
    (
        "texts/mention.js",
        include_bytes!("../../www/texts/mention.js"),
    ),
    ("texts/words.js", include_bytes!("../../www/texts/words.js")),
    (
        "views/avatar.js",
        include_bytes!("../../www/views/avatar.js"),
    ),
    (
        "views/composer.js",
        include_bytes!("../../www/views/composer.js"),
    ),
    (
        "views/connection-banner.js",
        include_bytes!("../../www/views/connection-banner.js"),
    ),
    (
        "views/dialogs.js",
        include_bytes!("../../www/views/dialogs.js"),
    ),
    ("views/dom.js", include_bytes!("../../www/views/dom.js")),
    (
        "views/feed-rows.js",
        include_bytes!("../../www/views/feed-rows.js"),
    ),
    ("views/feed.js", include_bytes!("../../www/views/feed.js")),
    ("views/keys.js", include_bytes!("../../www/views/keys.js")),
    (
        "views/member-list.js",
        include_bytes!("../../www/views/member-list.js"),
    ),
    (
        "views/message-range.js",
        include_bytes!("../../www/views/message-range.js"),
    ),
    (
        "views/message-row.js",
        include_bytes!("../../www/views/message-row.js"),
    ),
    (
        "views/notify.js",
        include_bytes!("../../www/views/notify.js"),
    ),
    (
        "views/quick-switcher.js",
        include_bytes!("../../www/views/quick-switcher.js"),
    ),
    (
        "views/rich-text.js",
        include_bytes!("../../www/views/rich-text.js"),
    ),
    (
        "views/room-header.js",
        include_bytes!("../../www/views/room-header.js"),
    ),
    (
        "views/sidebar.js",
        include_bytes!("../../www/views/sidebar.js"),
    ),
    (
        "views/sign-in.js",
        include_bytes!("../../www/views/sign-in.js"),
    ),
    (
        "views/suggestions.js",
        include_bytes!("../../www/views/suggestions.js"),
    ),
    (
        "views/sync-status.js",
        include_bytes!("../../www/views/sync-status.js"),
    ),
    ("views/theme.js", include_bytes!("../../www/views/theme.js")),
    ("wire.html", include_bytes!("../../www/wire.html")),
    (
        "wire/frame-builder.js",
        include_bytes!("../../www/wire/frame-builder.js"),
    ),
    ("wire/frames.js", include_bytes!("../../www/wire/frames.js")),
    ("wire/page.js", include_bytes!("../../www/wire/page.js")),
    ("wire/panel.js", include_bytes!("../../www/wire/panel.js")),
    (
        "wire/wire-view.js",
        include_bytes!("../../www/wire/wire-view.js"),
    ),
];

/// The pages that are compiled in.
pub struct BuiltIn {
    /// In the order of [`FILES`]. Computed at the start: the files don't change while the server
    /// runs.
    etags: Vec<String>,
}

impl BuiltIn {
    /// Makes them ready to be served.
    pub fn new() -> Self {
        Self {
            etags: FILES.iter().map(|(_, bytes)| etag(bytes)).collect(),
        }
    }
}

impl Default for BuiltIn {
    fn default() -> Self {
        Self::new()
    }
}

impl Pages for BuiltIn {
    fn page(&mut self, path: &str) -> Option<Page> {
        let wanted = file_name(path)?;
        let (&(name, bytes), etag) = FILES
            .iter()
            .zip(&self.etags)
            .find(|((name, _), _)| *name == wanted)?;
        Some(Page {
            media_type: media_type(name),
            etag: etag.clone(),
            bytes: Body::Static(bytes),
        })
    }
}

/// Which file below a folder a path means, with `/` between its parts, or `None` where it can mean
/// none.
///
/// Each part is percent-decoded once, after the split, so that `%2F` makes no part of its own.
/// Refused are empty parts,
/// hidden ones (a leading dot, and with it `.` and `..`), slashes, backslashes, control characters,
/// NUL among them, escapes
/// that are none and what is not UTF-8. Symbolic links are for whoever opens the file to mind.
///
/// ```
/// use parlor::http::pages::file_name;
/// assert_eq!(file_name("/"), Some("index.html".to_owned()));
/// assert_eq!(file_name("/a%20b/c.js"), Some("a b/c.js".to_owned()));
/// assert_eq!(file_name("/%2e%2e/etc/passwd"), None);
/// ```
pub fn file_name(path: &str) -> Option<String> {
    let path = path.strip_prefix('/')?;
    if path.is_empty() {
        return Some("index.html".to_owned());
    }
    let parts = path.split('/').map(|part| {
        let part = percent_decoded(part)?;
        let harmless = |letter: char| letter != '/' && letter != '\\' && !letter.is_control();
        (!part.is_empty() && !part.starts_with('.') && part.chars().all(harmless)).then_some(part)
    });
    Some(parts.collect::<Option<Vec<_>>>()?.join("/"))
}

/// RFC 3986 §2.1, and UTF-8 behind it.
fn percent_decoded(part: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, behind @ ..] = rest {
        let (byte, behind) = match (first, behind) {
            (b'%', [high, low, behind @ ..]) => (hex_digit(*high)? << 4 | hex_digit(*low)?, behind),
            (b'%', _) => return None,
            (first, behind) => (*first, behind),
        };
        decoded.push(byte);
        rest = behind;
    }
    String::from_utf8(decoded).ok()
}

/// The media type of a file, told by what stands behind the last dot of its name. Unknown ones are
/// bytes, which a browser
/// saves and, by `nosniff`, never takes for something else.
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

/// An entity tag made of the bytes alone: the same file has the same one on every machine and after
/// every restart.
/// 16 hex digits of SHA-1, in quotes; nothing has to be kept secret or be proof against forgery
/// here.
pub fn etag(bytes: &[u8]) -> String {
    format!("\"{:x}\"", Hex(&Sha1::digest(bytes)[..8]))
}

/// What a page of ours may do: load what we serve, talk to us, and nothing else. No `unsafe-*`, no
/// inline script or style,
/// no frame around it, so markup that slipped in somewhere would be dead text.
///
/// `connect-src 'self'` covers `ws:` and `wss:` to the page's own host and port (CSP 3 §6.7.2.8):
/// in Firefox, in Chromium
/// since 70 (2018), in Safari since 16 (2022). An older Safari would need `ws: wss:`, which means
/// *any* host, and so the
/// way out for whatever a script could steal; naming our host instead fails behind a proxy that has
/// another name for it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The answer that carries a page, or a 304 for a client that has it already. For `GET` and `HEAD`
/// alike.
pub fn respond(page: Page, head: &Head<'_>) -> Response {
    let mut response = if is_known(&page.etag, head) {
        Response {
            status: 304,
            headers: Vec::new(),
            body: Body::None,
        }
    } else {
        Response::new(200, page.media_type, page.bytes)
    };
    response.headers.extend([
        ("ETag", Cow::Owned(page.etag)),
        // To be kept, and asked for anew each time: a new binary's page shows at the next reload
        // (RFC 9111 §5.2.2.4).
        ("Cache-Control", Cow::Borrowed("no-cache")),
        (
            "Content-Security-Policy",
            Cow::Borrowed(CONTENT_SECURITY_POLICY),
        ),
        ("Referrer-Policy", Cow::Borrowed("no-referrer")),
    ]);
    response
}

/// `If-None-Match` (RFC 9110 §13.1.2): `*`, or a list of tags that are compared weakly (§8.8.3.2).
///
/// Tags may have commas in their quotes, and the list is cut at every comma. No piece of such a tag
/// has both quotes, so
/// none is taken for ours.
fn is_known(etag: &str, head: &Head<'_>) -> bool {
    head.tokens("if-none-match")
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Progress;

    #[test]
    fn the_table_is_the_folder() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/www");
        let mut found = Vec::new();
        let mut folders = vec![String::new()];
        while let Some(below) = folders.pop() {
            for entry in std::fs::read_dir(format!("{folder}/{below}")).unwrap() {
                let entry = entry.unwrap();
                let name = format!("{below}{}", entry.file_name().into_string().unwrap());
                match entry.file_type().unwrap().is_dir() {
                    true => folders.push(name + "/"),
                    false => found.push(name),
                }
            }
        }
        let mut table: Vec<_> = FILES.iter().map(|(name, _)| name.to_string()).collect();
        found.sort();
        table.sort();
        assert_eq!(found, table);
        let mut pages = BuiltIn::new();
        for (name, bytes) in FILES {
            let page = pages.page(&format!("/{name}")).expect(name);
            assert_eq!(
                (page.bytes.as_bytes(), page.etag),
                (*bytes, etag(bytes)),
                "{name}"
            );
            assert_ne!(page.media_type, "application/octet-stream", "{name}");
        }
        assert_eq!(pages.page("/"), pages.page("/index.html"));
        assert_eq!(pages.page("/nothing.html"), None);
    }

    #[test]
    fn names_stay_within_the_folder() {
        let table: &[(&str, &str, Option<&str>)] = &[
            ("the root", "/", Some("index.html")),
            ("a file", "/main.js", Some("main.js")),
            ("a file in a folder", "/a/b.css", Some("a/b.css")),
            ("an escaped letter", "/%6dain.js", Some("main.js")),
            (
                "an escaped letter of two bytes",
                "/%C3%A4.txt",
                Some("ä.txt"),
            ),
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
    fn a_page_that_is_known_is_not_sent_again() {
        let table: &[(&str, &str, u16)] = &[
            ("nothing is known", "", 200),
            ("the same tag", "If-None-Match: \"0123\"\r\n", 304),
            ("compared weakly", "If-None-Match: W/\"0123\"\r\n", 304),
            (
                "in a list",
                "If-None-Match: \"a,b\", W/\"x\" ,\"0123\"\r\n",
                304,
            ),
            (
                "in the second header",
                "if-none-match: \"a\"\r\nIF-NONE-MATCH: \"0123\"\r\n",
                304,
            ),
            ("any", "If-None-Match: *\r\n", 304),
            ("another", "If-None-Match: \"0124\"\r\n", 200),
            ("without quotes", "If-None-Match: 0123\r\n", 200),
            ("a part of another", "If-None-Match: \"0123,\"\r\n", 200),
            (
                "a weak mark in lower case is none",
                "If-None-Match: w/\"0123\"\r\n",
                200,
            ),
        ];
        for (name, lines, status) in table {
            let bytes = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
            let Ok(Progress::Done { value: head, .. }) = Head::parse(bytes.as_bytes(), 8192) else {
                panic!("{name}")
            };
            let page = Page {
                media_type: "text/css",
                etag: "\"0123\"".to_owned(),
                bytes: Body::Static(b"x"),
            };
            let response = respond(page, &head);
            assert_eq!(response.status, *status, "{name}");
            assert_eq!(
                response.body.as_bytes().is_empty(),
                *status == 304,
                "{name}"
            );
            assert_eq!(
                (response.header("ETag"), response.header("Cache-Control")),
                (Some("\"0123\""), Some("no-cache")),
                "{name}"
            );
        }
    }

    #[test]
    fn tags_are_sixteen_digits_of_sha_1() {
        assert_eq!(etag(b"abc"), "\"a9993e364706816a\""); // FIPS 180-2 A.1
    }

    #[test]
    fn the_policy_has_nothing_unsafe() {
        assert!(
            !CONTENT_SECURITY_POLICY.contains("unsafe") && !CONTENT_SECURITY_POLICY.contains('*')
        );
        assert!(
            !CONTENT_SECURITY_POLICY.contains("  "),
            "a continued line leaves one space"
        );
    }
}
