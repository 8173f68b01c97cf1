//! The addresses at which others reach the server: in the log, on the page `/join`, and the first
//! one as a QR code (feature `qr`).

use crate::http::Body;
use crate::http::pages::{Page, Pages, etag};
use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::rc::Rc;

/// The addresses of one server as URLs, the likeliest first; none if only this machine reaches it.
pub(super) struct Invitation {
    urls: Vec<String>,
    /// The rows of the QR code, in `0` and `1` (dark); none without the feature `qr`.
    code: Vec<String>,
    /// The address of the page that shows this; empty if only a proxy knows it.
    page: String,
}

impl Invitation {
    /// Makes the invitation of a server that listens at these addresses.
    pub(super) fn new(listen: &[SocketAddr]) -> Self {
        let addresses: Vec<_> = listen.iter().flat_map(|at| reachable(*at)).collect();
        let urls: Vec<_> = addresses.iter().map(|at| format!("http://{at}/")).collect();
        let page = addresses.first().or(listen.first());
        let page = page
            .map(|at| format!("http://{at}/join"))
            .unwrap_or_default();
        let code = urls.first().map(|url| code(url)).unwrap_or_default();
        Self { urls, code, page }
    }

    /// Logs the addresses, and draws the code if standard error is a terminal.
    pub(super) fn announce(&self) {
        let page = &self.page;
        for url in &self.urls {
            log::info!("others can join at {url}");
        }
        match self.urls.is_empty() {
            true if page.is_empty() => log::info!("only a proxy can reach the chat"),
            true => {
                log::info!("only this computer can reach the chat; to let others in, see {page}")
            }
            false => log::info!("{page} shows this to them"),
        }
        if io::stderr().is_terminal() {
            let _ = io::stderr().write_all(drawn(&self.code).as_bytes());
        }
    }

    /// Adds `/join.json` to the pages: `{"addresses":[…],"code":[…]}`.
    pub(super) fn add_to(&self, pages: Box<dyn Pages>) -> Box<dyn Pages> {
        let json = serde_json::json!({ "addresses": self.urls, "code": self.code });
        let json = Rc::new(json.to_string().into_bytes());
        Box::new(WithInvitation { pages, json })
    }
}

struct WithInvitation {
    pages: Box<dyn Pages>,
    json: Rc<Vec<u8>>,
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
            is_immutable: false,
        })
    }
}

/// Returns the addresses at which a server that listens there is reached from other machines.
fn reachable(listen: SocketAddr) -> Vec<SocketAddr> {
    let mut addresses = vec![listen.ip()];
    if listen.ip().is_unspecified() {
        addresses = outgoing("0.0.0.0:0", "192.0.2.1:9").into_iter().collect();
        // A network without a way to the Internet has no outgoing address, and a machine may be in
        // several networks. Only Linux has this file.
        let trie = std::fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
        addresses.extend(local_addresses(&trie));
        if listen.is_ipv6() {
            addresses.extend(outgoing("[::]:0", "[2001:db8::1]:9"));
        }
    }
    let mut unique: Vec<SocketAddr> = Vec::new();
    for ip in addresses.into_iter().filter(|ip| !is_local(ip)) {
        let address = SocketAddr::new(ip, listen.port());
        if !unique.contains(&address) {
            unique.push(address);
        }
    }
    unique
}

/// Whether other machines can't use this address, or only together with an interface's name.
fn is_local(ip: &IpAddr) -> bool {
    let is_link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    ip.is_loopback() || ip.is_unspecified() || is_link_local
}

/// Returns the own address of the route to `to`, an address for documentation (RFC 5737, RFC 3849):
/// connecting a UDP socket sends nothing.
fn outgoing(from: &str, to: &str) -> Option<IpAddr> {
    let socket = UdpSocket::bind(from).ok()?;
    socket.connect(to).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Parses `/proc/net/fib_trie`, where each own address is on the line before `/32 host LOCAL`.
fn local_addresses(fib_trie: &str) -> Vec<IpAddr> {
    let lines: Vec<_> = fib_trie.lines().map(str::trim).collect();
    let own = lines.windows(2).filter(|pair| pair[1] == "/32 host LOCAL");
    let address = |pair: &[&str]| pair[0].strip_prefix("|-- ")?.parse::<Ipv4Addr>().ok();
    own.filter_map(address).map(IpAddr::V4).collect()
}

#[cfg(feature = "qr")]
fn code(text: &str) -> Vec<String> {
    use qrcodegen::{QrCode, QrCodeEcc};
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Medium) else {
        return Vec::new();
    };
    let module = |x, y| char::from(b'0' + u8::from(code.get_module(x, y)));
    let row = |y| (0..code.size()).map(|x| module(x, y)).collect();
    (0..code.size()).map(row).collect()
}

#[cfg(not(feature = "qr"))]
fn code(_: &str) -> Vec<String> {
    Vec::new()
}

/// Draws a QR code, two rows to a line, light on dark as terminals are, with the border of four
/// modules that readers need.
fn drawn(code: &[String]) -> String {
    if code.is_empty() {
        return String::new();
    }
    let blank = "0".repeat(code.len() + 8);
    let mut rows = vec![blank.clone(); 4];
    rows.extend(code.iter().map(|row| format!("0000{row}0000")));
    rows.extend(vec![blank; 5]);
    let mut text = String::new();
    for pair in rows.chunks_exact(2) {
        let modules = pair[0].chars().zip(pair[1].chars());
        text.extend(modules.map(|pair| match pair {
            ('1', '1') => ' ',
            ('1', _) => '▄',
            (_, '1') => '▀',
            _ => '█',
        }));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_are_found_in_the_routing_table() {
        let trie = "Main:
  +-- 0.0.0.0/0 3 0 5
     +-- 192.0.2.0/24 2 0 2
        |-- 192.0.2.0
           /24 link UNICAST
        |-- 192.0.2.7
           /32 host LOCAL
        |-- 127.0.0.1
           /32 host LOCAL
";
        let found = local_addresses(trie);
        let found: Vec<_> = found.iter().map(IpAddr::to_string).collect();
        assert_eq!(found, ["192.0.2.7", "127.0.0.1"]);
    }

    #[test]
    fn only_addresses_for_others_are_announced() {
        let of = |listen: &str| reachable(listen.parse().expect("an address"));
        assert_eq!(of("127.0.0.1:80"), []);
        assert_eq!(of("[::1]:80"), []);
        assert_eq!(
            of("192.0.2.9:80"),
            ["192.0.2.9:80".parse().expect("an address")]
        );
        let any = of("0.0.0.0:80");
        let is_good = |at: &SocketAddr| at.port() == 80 && at.is_ipv4() && !is_local(&at.ip());
        assert!(any.iter().all(is_good), "{any:?}");
    }

    #[test]
    fn qr_code_is_drawn_light_on_dark() {
        assert_eq!(drawn(&[]), "");
        let text = drawn(&["10".to_owned(), "01".to_owned()]);
        let (border, code) = ("██████████", "████▄▀████");
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [border, border, code, border, border]
        );
    }

    #[cfg(feature = "qr")]
    #[test]
    fn qr_code_has_three_corners() {
        let code = code("http://192.0.2.1:8080/");
        assert_eq!(code.len(), 25, "version 2");
        let corner = "1111111";
        assert!(code[0].starts_with(corner), "{code:?}");
        assert!(code[0].ends_with(corner), "{code:?}");
        assert!(code[24].starts_with(corner), "{code:?}");
    }
}
