#![no_main]
use parlor_fuzz as _;
#[path = "../checks/command.rs"]
mod command;
libfuzzer_sys::fuzz_target!(|data: &[u8]| command::check(data));
