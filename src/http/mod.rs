//! HTTP/1.1 as far as a chat needs it: heads of requests come in, pages and refusals go out (RFC
//! 9112, RFC 9110).
//!
//! Reading order:
//! 1. [`requests`]: the bytes of a connection become heads, one after another.
//! 2. `scan`: where a head ends, and the first byte that can't be right.
//! 3. [`head`]: what the fields of a whole head mean: target, `Host`, lengths, `Connection`.
//! 4. [`authority`]: a host and its port, as `Host`, an absolute target and `Origin` spell them.
//! 5. [`refusal`], [`response`]: what is said back.
//! 6. [`response_head`]: the same from the other end, for a client.
//! 7. [`pages`]: the files of `www/`.
//!
//! There are no bodies of requests at all: whoever announces one is refused and the connection
//! closed. So nothing here can
//! disagree with a proxy about where a request ends, which is what request smuggling lives on.
//!
//! Not here: which path is answered by what (`hub::routes`), the opening handshake
//! (`websocket::handshake`), sockets and time.

pub mod authority;
pub mod head;
pub mod pages;
pub mod refusal;
pub mod requests;
pub mod response;
pub mod response_head;
mod scan;

pub use authority::Authority;
pub use head::Head;
pub use refusal::Refusal;
pub use requests::Requests;
#[cfg(feature = "log-output")]
pub(crate) use response::civil;
pub use response::{Body, Response};
pub use response_head::ResponseHead;
