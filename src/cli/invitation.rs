//! What a class needs to come in: the addresses at which others reach the server, on standard error
//! and on the page `/join`, and
//! the first of them as a QR code where that was built in (feature `qr`).
//!
//! Not here: which addresses those are (`addresses`), the page (`www/invite.html`).

use super::addresses::of_others;
use crate::http::Body;
use crate::http::pages::{Page, Pages, etag};
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::rc::Rc;

/// The pages, and with them `/join.json`: `{"addresses":[…],"code":[rows of 0 and 1]}`.
pub(super) struct WithInvitation {
    pages: Box<dyn Pages>,
    json: Rc<Vec<u8>>,
}

impl WithInvitation {
    pub(super) fn new(pages: Box<dyn Pages>, listen: SocketAddr) -> Self {
        let addresses = urls(listen);
        let code: Vec<String> = addresses.first().map(|url| code(url)).unwrap_or_default();
        let json = serde_json::json!({ "addresses": addresses, "code": code })
            .to_string()
            .into_bytes();
        Self {
            pages,
            json: Rc::new(json),
        }
    }
}

impl Pages for WithInvitation {
    fn page(&mut self, path: &str) -> Option<Page> {
        if path != "/join.json" {
            return self.pages.page(path);
        }
        Some(Page {
            media_type: "application/json",
            etag: etag(&self.json),
            bytes: Body::Shared(Rc::clone(&self.json)),
        })
    }
}

fn urls(listen: SocketAddr) -> Vec<String> {
    of_others(listen)
        .iter()
        .map(|address| format!("http://{address}/"))
        .collect()
}

/// Tells whoever starts it, and on a terminal shows the code.
pub(super) fn announce(listen: SocketAddr) {
    let urls = urls(listen);
    let mut text: String = urls
        .iter()
        .map(|url| format!("others reach it at {url}\n"))
        .collect();
    if let Some(first) = urls.first().filter(|_| io::stderr().is_terminal()) {
        text += &drawn(&code(first));
    }
    let _ = io::stderr().write_all(text.as_bytes());
}

/// A QR code, a row of `0` and `1` (dark) for each of its rows; none where it was not built in.
#[cfg(feature = "qr")]
fn code(text: &str) -> Vec<String> {
    let Ok(code) = qrcodegen::QrCode::encode_text(text, qrcodegen::QrCodeEcc::Medium) else {
        return Vec::new();
    };
    let row = |y| {
        (0..code.size())
            .map(|x| if code.get_module(x, y) { '1' } else { '0' })
            .collect()
    };
    (0..code.size()).map(row).collect()
}

#[cfg(not(feature = "qr"))]
fn code(_: &str) -> Vec<String> {
    Vec::new()
}

/// Two rows to a line, light on dark as terminals are, with the border of four that readers need.
fn drawn(code: &[String]) -> String {
    const BORDER: usize = 4;
    let Some(width) = code.first().map(|row| row.len() + 2 * BORDER) else {
        return String::new();
    };
    let is_dark = |x: usize, y: usize| {
        let row = y.checked_sub(BORDER).and_then(|y| code.get(y));
        row.zip(x.checked_sub(BORDER))
            .is_some_and(|(row, x)| row.as_bytes().get(x) == Some(&b'1'))
    };
    let mut text = String::new();
    for y in (0..code.len() + 2 * BORDER).step_by(2) {
        text.extend(
            (0..width).map(|x| match (is_dark(x, y), is_dark(x, y + 1)) {
                (true, true) => ' ',
                (true, false) => '▄',
                (false, true) => '▀',
                (false, false) => '█',
            }),
        );
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_drawn_light_on_dark() {
        assert_eq!(drawn(&[]), "");
        let text = drawn(&["10".to_owned(), "01".to_owned()]);
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "██████████",
                "██████████",
                "████▄▀████",
                "██████████",
                "██████████"
            ]
        );
    }

    #[cfg(feature = "qr")]
    #[test]
    fn a_code_has_its_three_corners() {
        let code = code("http://192.0.2.1:8080/");
        assert_eq!(code.len(), 25, "version 2");
        assert!(
            code[0].starts_with("1111111")
                && code[0].ends_with("1111111")
                && code[24].starts_with("1111111"),
            "{code:?}"
        );
    }
}
