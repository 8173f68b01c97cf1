#![no_main]
use parlor_fuzz as _;
#[path = "../checks/connection.rs"]
mod connection;
libfuzzer_sys::fuzz_target!(|data: &[u8]| connection::check(data));
