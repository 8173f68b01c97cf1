#![no_main]
use parlor_fuzz as _;
#[path = "../checks/upgrade.rs"]
mod upgrade;
libfuzzer_sys::fuzz_target!(|data: &[u8]| upgrade::check(data));
