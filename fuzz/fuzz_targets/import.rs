#![no_main]
use parlor_fuzz as _;
#[path = "../checks/import.rs"]
mod import;
libfuzzer_sys::fuzz_target!(|data: &[u8]| import::check(data));
