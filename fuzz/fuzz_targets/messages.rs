#![no_main]
use parlor_fuzz as _;
#[path = "../checks/messages.rs"]
mod messages;
libfuzzer_sys::fuzz_target!(|data: &[u8]| messages::check(data));
