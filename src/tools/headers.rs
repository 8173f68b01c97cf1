//! What each header of an opening handshake is for, in one sentence with its section, for `explain
//! handshake` and the wire view.
//!
//! Not here: what is demanded of them (`handshake`, `client`).

/// Name, section, what it is for. Both directions; in the order of RFC 6455 §4.
pub const HEADERS: &[(&str, &str, &str)] = &[
    (
        "Host",
        "RFC 9112 §3.2",
        "which of the sites of this server is meant",
    ),
    (
        "Upgrade",
        "RFC 9110 §7.8",
        "the protocol to go on in: websocket",
    ),
    (
        "Connection",
        "RFC 9110 §7.6.1",
        "says that Upgrade is meant for the next hop, so that a proxy that does not know it drops it",
    ),
    (
        "Sec-WebSocket-Key",
        "RFC 6455 §4.1, 7",
        "16 bytes by chance, in base64; the answer proves to have read them",
    ),
    (
        "Sec-WebSocket-Version",
        "RFC 6455 §4.1, 9",
        "the version of the protocol: 13 is the only one that was published",
    ),
    (
        "Sec-WebSocket-Accept",
        "RFC 6455 §4.2.2, 5.4",
        "made of the key: only who speaks WebSocket gives this answer",
    ),
    (
        "Sec-WebSocket-Protocol",
        "RFC 6455 §1.9",
        "the languages to be spoken inside of messages: a client offers, the server picks one or none",
    ),
    (
        "Sec-WebSocket-Extensions",
        "RFC 6455 §9",
        "changes to the frames themselves, such as compression (RFC 7692): offered, then picked",
    ),
    (
        "Origin",
        "RFC 6455 §10.2",
        "the page that asks, which a browser puts there: a server can refuse pages of others",
    ),
    (
        "Cookie",
        "RFC 6265 §5.4",
        "a browser sends it along, whichever page asks: that is why Origin has to be looked at",
    ),
    (
        "User-Agent",
        "RFC 9110 §10.1.5",
        "which program asks; WebSocket makes nothing of it",
    ),
    (
        "Server",
        "RFC 9110 §10.2.4",
        "which program answers; WebSocket makes nothing of it",
    ),
    (
        "Date",
        "RFC 9110 §6.6.1",
        "when it was answered; WebSocket makes nothing of it",
    ),
    ("Pragma", "RFC 9111 §5.4", "asks old caches not to answer"),
    (
        "Cache-Control",
        "RFC 9111 §5.2",
        "asks caches not to answer",
    ),
    (
        "Accept-Encoding",
        "RFC 9110 §12.5.3",
        "about bodies of HTTP, and there is none; frames are compressed by an extension",
    ),
    (
        "Accept-Language",
        "RFC 9110 §12.5.4",
        "the languages of the person; WebSocket makes nothing of it",
    ),
    (
        "Content-Length",
        "RFC 9112 §6",
        "the length of a body, which a handshake has not got",
    ),
    (
        "Transfer-Encoding",
        "RFC 9112 §6",
        "the form of a body, which a handshake has not got",
    ),
    (
        "X-Content-Type-Options",
        "the Fetch standard, §3.6",
        "tells browsers not to guess; WebSocket makes nothing of it",
    ),
];

/// Section and purpose of a header, whose name has no case; none for a header that has nothing to
/// do with WebSocket.
///
/// ```
/// assert_eq!(parlor::tools::headers::purpose("upgrade").map(|(section, _)| section), Some("RFC 9110 §7.8"));
/// assert_eq!(parlor::tools::headers::purpose("X-Anything"), None);
/// ```
pub fn purpose(name: &str) -> Option<(&'static str, &'static str)> {
    let row = HEADERS
        .iter()
        .find(|(known, ..)| known.eq_ignore_ascii_case(name))?;
    Some((row.1, row.2))
}
