#![no_main]
use parlor_fuzz as _;
#[path = "../checks/name.rs"]
mod name;
libfuzzer_sys::fuzz_target!(|data: &[u8]| name::check(data));
