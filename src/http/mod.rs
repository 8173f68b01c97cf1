//! HTTP/1.1 as far as a chat needs it (RFC 9112, RFC 9110): request heads come in, pages and errors
//! go out. Like [`websocket`](crate::websocket) it is sans-I/O.
//!
//! Reading order:
//! 1. [`request`]: the bytes of a connection become heads, one after another.
//! 2. [`fields`]: the header lines of a head, split by `httparse`.
//! 3. [`authority`]: a host and its port, as in `Host`, an absolute target and `Origin`.
//! 4. [`response`]: responses, and the refusals that a request can get.
//! 5. `pages`: the files of `www/`, and `gzip`, which compresses them.
//!
//! No request has a body: one that announces a body is refused, and the connection is closed. So
//! this server and a proxy can't disagree about where a request ends (request smuggling).

pub mod authority;
pub mod fields;
#[cfg(feature = "server")]
pub mod gzip;
#[cfg(feature = "server")]
pub mod pages;
pub mod request;
pub mod response;

#[doc(inline)]
pub use self::{
    authority::Authority,
    fields::{Fields, ResponseHead},
    request::{Head, Requests},
    response::{Body, Refusal, Response},
};
pub(crate) use fields::is_token;
