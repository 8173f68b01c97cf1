#![no_main]
use parlor_fuzz as _;
#[path = "../checks/head.rs"]
mod head;
libfuzzer_sys::fuzz_target!(|data: &[u8]| head::check(data));
