//! `parlor test`: a conformance test for WebSocket servers and clients.

pub mod model;
