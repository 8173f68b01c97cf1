//! Pages compressed for the clients that accept it: `Accept-Encoding` and `Content-Encoding`
//! (RFC 9110 §8.4, §12.5.3), gzip (RFC 1952).
//!
//! A file is compressed when it is first asked for, and kept for all later requests. Compressed
//! bytes are another representation of the file, so they have an entity tag of their own (§8.8.3).
//! Without the feature `deflate` nothing is compressed.

use super::request::Head;
use super::response::Body;
use crate::limits::{GZIP_BYTES, GZIP_FILE_BYTES};
use std::collections::HashMap;
use std::rc::Rc;

/// Returns whether a client accepts gzip: it is named, or `*` is, and not with the quality 0.
pub fn accepts_gzip(head: &Head<'_>) -> bool {
    let accepted = |wanted: &str| {
        head.tokens("accept-encoding").find_map(|element| {
            let (coding, weight) = element.split_once(';').unwrap_or((element, ""));
            let weight = weight.trim_start().get(2..).unwrap_or("1");
            let is_zero = weight.trim_end().parse() == Ok(0.0);
            (coding.trim_end().eq_ignore_ascii_case(wanted)).then_some(!is_zero)
        })
    };
    accepted("gzip").or_else(|| accepted("*")).unwrap_or(false)
}

/// Compresses pages, and keeps the compressed files.
#[derive(Debug, Default)]
pub struct Gzip {
    /// By the tag of the file.
    kept: HashMap<String, Rc<Vec<u8>>>,
}

impl Gzip {
    /// A shorter file fits into one packet with its response head.
    const FILE_BYTES_MIN: usize = 512;

    /// Returns whether a file is worth compressing: text of some length.
    pub fn can_shrink(&self, media_type: &str, bytes: &Body) -> bool {
        let is_text = [
            "text/",
            "application/json",
            "application/manifest",
            "image/svg",
        ];
        is_text.iter().any(|kind| media_type.starts_with(kind))
            && (Self::FILE_BYTES_MIN..=GZIP_FILE_BYTES).contains(&bytes.as_bytes().len())
    }

    /// Replaces the bytes of a file by their compressed form, and its tag. Returns whether it did.
    pub fn shrink(&mut self, etag: &mut String, bytes: &mut Body) -> bool {
        if !self.kept.contains_key(etag) {
            let Some(compressed) = compress(bytes.as_bytes()) else {
                return false;
            };
            let kept_bytes: usize = self.kept.values().map(|bytes| bytes.len()).sum();
            // Files of a folder may change again and again.
            if kept_bytes + compressed.len() > GZIP_BYTES {
                self.kept.clear();
            }
            self.kept.insert(etag.clone(), Rc::new(compressed));
        }
        *bytes = Body::Shared(Rc::clone(&self.kept[etag]));
        etag.insert_str(etag.len() - 1, "-gzip");
        true
    }
}

#[cfg(feature = "deflate")]
fn compress(bytes: &[u8]) -> Option<Vec<u8>> {
    use zlib_rs::{DeflateConfig, ReturnCode, compress_bound, compress_slice};
    /// The best compression: 10 ms for the whole page, once.
    const LEVEL: i32 = 9;
    /// 15 is the largest window; 16 more ask for gzip's header and trailer.
    const WINDOW_BITS: i32 = 16 + 15;
    /// How much longer the header and trailer of gzip are than those of zlib, which
    /// `compress_bound` includes.
    const HEADER_BYTES_MORE: usize = 12;
    let config = DeflateConfig {
        window_bits: WINDOW_BITS,
        ..DeflateConfig::new(LEVEL)
    };
    let mut compressed = vec![0; compress_bound(bytes.len()) + HEADER_BYTES_MORE];
    let (written, code) = compress_slice(&mut compressed, bytes, config);
    let length = written.len();
    compressed.truncate(length);
    compressed.shrink_to_fit();
    (code == ReturnCode::Ok && length < bytes.len()).then_some(compressed)
}

#[cfg(not(feature = "deflate"))]
fn compress(_: &[u8]) -> Option<Vec<u8>> {
    None
}

#[cfg(feature = "deflate")]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Response;
    use crate::http::pages::{Page, respond};
    use crate::testing::{head, rows};

    fn page(media_type: &'static str, text: &str) -> Page {
        Page {
            media_type,
            etag: "\"0123\"".to_owned(),
            bytes: Body::Shared(Rc::new(text.as_bytes().to_vec())),
            is_immutable: false,
        }
    }

    /// Returns the response to a request with these headers.
    fn response(gzip: &mut Gzip, page: Page, headers: &str) -> Response {
        let headers = headers.replace("GZIP ", "Accept-Encoding: gzip\r\n");
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n");
        let head = head(&request);
        respond(page, &head, gzip)
    }

    #[test]
    fn page_is_compressed_for_clients_that_accept_it() {
        // What it is, the headers, the status, the tag, and whether the body is compressed.
        const TABLE: &str = "
            a browser               | Accept-Encoding: gzip, deflate, br | 200 | 0123-gzip | yes
            in capital letters      | accept-encoding: GZIP;q=0.5        | 200 | 0123-gzip | yes
            anything                | Accept-Encoding: *                 | 200 | 0123-gzip | yes
            no header               |                                    | 200 | 0123      | no
            others                  | Accept-Encoding: br, identity      | 200 | 0123      | no
            refused                 | Accept-Encoding: gzip;q=0          | 200 | 0123      | no
            refused with a space    | Accept-Encoding: gzip; q=0.000, *  | 200 | 0123      | no
            everything refused      | Accept-Encoding: *;q=0             | 200 | 0123      | no
            known                   | GZIP If-None-Match: \"0123-gzip\"  | 304 | 0123-gzip | no
            known as it is          | If-None-Match: \"0123\"            | 304 | 0123      | no
            known in the other form | GZIP If-None-Match: \"0123\"       | 200 | 0123-gzip | yes";
        let text = "parlor ".repeat(1_000);
        let mut gzip = Gzip::default();
        for [name, headers, status, tag, is_gzipped] in rows(TABLE) {
            let response = response(&mut gzip, page("text/css", &text), &headers);
            assert_eq!(response.status.to_string(), status, "{name}");
            let tag = format!("\"{tag}\"");
            assert_eq!(response.header("ETag"), Some(&*tag), "{name}");
            assert_eq!(response.header("Vary"), Some("Accept-Encoding"), "{name}");
            let encoding = response.header("Content-Encoding");
            assert_eq!(encoding, (is_gzipped == "yes").then_some("gzip"), "{name}");
            if is_gzipped == "yes" {
                let mut inflated = vec![0; text.len()];
                let config = zlib_rs::InflateConfig { window_bits: 31 };
                let body = response.body.as_bytes();
                let (inflated, _) = zlib_rs::decompress_slice(&mut inflated, body, config);
                assert!(body.len() < 100 && inflated == text.as_bytes(), "{name}");
            }
        }
        assert_eq!(gzip.kept.len(), 1, "compressed once");
    }

    #[test]
    fn pictures_and_short_or_huge_files_stay_as_they_are() {
        for (media_type, length) in [
            ("image/png", 10_000),
            ("text/css", Gzip::FILE_BYTES_MIN - 1),
            ("text/css", GZIP_FILE_BYTES + 1),
        ] {
            let page = page(media_type, &"x".repeat(length));
            let response = response(&mut Gzip::default(), page, "Accept-Encoding: gzip");
            let headers = ["Content-Encoding", "Vary"].map(|name| response.header(name));
            let found = (headers, response.body.as_bytes().len());
            assert_eq!(found, ([None; 2], length));
        }
    }

    #[test]
    fn kept_files_have_a_limit() {
        let mut gzip = Gzip::default();
        let large = Rc::new(vec![0; GZIP_BYTES]);
        gzip.kept.insert("\"large\"".to_owned(), large);
        let mut page = page("text/css", &"x".repeat(1_000));
        assert!(gzip.shrink(&mut page.etag, &mut page.bytes));
        assert_eq!(Vec::from_iter(gzip.kept.keys()), ["\"0123\""]);
    }
}
