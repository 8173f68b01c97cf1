//! The purpose of each header of an opening handshake, for `explain handshake` and the wire view.

/// Name, section and purpose, in both directions.
const HEADERS: &str = "\
Host | RFC 9112 §3.2 | which of the server's sites is meant
Upgrade | RFC 9110 §7.8 | the protocol to switch to: websocket
Connection | RFC 9110 §7.6.1 | says that Upgrade is meant for the next hop: a proxy that \
    doesn't know it drops it
Sec-WebSocket-Key | RFC 6455 §4.1, 7 | 16 random bytes in base64; the server's reply proves \
    that it read them
Sec-WebSocket-Version | RFC 6455 §4.1, 9 | the version of the protocol: 13 is the only published one
Sec-WebSocket-Accept | RFC 6455 §4.2.2, 5.4 | derived from the key: only a WebSocket server \
    would reply with this
Sec-WebSocket-Protocol | RFC 6455 §1.9 | application protocols for the messages: the client \
    offers some, the server picks one or none
Sec-WebSocket-Extensions | RFC 6455 §9 | changes to the frames, such as compression (RFC 7692): \
    the client offers some, the server picks
Origin | RFC 6455 §10.2 | the origin of the page, set by the browser: a server can refuse pages \
    of other sites
Cookie | RFC 6265 §5.4 | sent by a browser for any page, which is why a server must check Origin
User-Agent | RFC 9110 §10.1.5 | the client's program; not used by WebSocket
Server | RFC 9110 §10.2.4 | the server's program; not used by WebSocket
Date | RFC 9110 §6.6.1 | the time of the response; not used by WebSocket
Pragma | RFC 9111 §5.4 | asks (older) caches not to reply from their copy
Cache-Control | RFC 9111 §5.2 | asks caches not to reply from their copy
Accept-Encoding | RFC 9110 §12.5.3 | applies to HTTP bodies, and this response has none; \
    WebSocket compresses frames with an extension
Accept-Language | RFC 9110 §12.5.4 | the languages that the user prefers; not used by WebSocket
Content-Length | RFC 9112 §6 | the length of the body; a handshake has none
Transfer-Encoding | RFC 9112 §6 | the encoding of the body; a handshake has none
X-Content-Type-Options | the Fetch standard, §3.6 | tells browsers not to guess the type; not \
    used by WebSocket";

/// Returns the section and the purpose of a header; `None` if it is not related to WebSocket.
///
/// ```
/// use parlor::tools::headers::purpose;
/// assert_eq!(purpose("upgrade").map(|(section, _)| section), Some("RFC 9110 §7.8"));
/// assert_eq!(purpose("X-Anything"), None);
/// ```
pub fn purpose(name: &str) -> Option<(&'static str, &'static str)> {
    HEADERS.lines().find_map(|line| {
        let (known, rest) = line.split_once(" | ")?;
        known
            .eq_ignore_ascii_case(name)
            .then(|| rest.split_once(" | "))?
    })
}
