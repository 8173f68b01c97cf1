#![no_main]
use parlor_fuzz as _;
#[path = "../checks/differential.rs"]
mod differential;
libfuzzer_sys::fuzz_target!(|data: &[u8]| differential::check(data));
