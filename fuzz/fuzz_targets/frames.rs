#![no_main]
use parlor_fuzz as _;
#[path = "../checks/frames.rs"]
mod frames;
libfuzzer_sys::fuzz_target!(|data: &[u8]| frames::check(data));
