//! An allocator with a limit, linked into every fuzz target.
//!
//! libFuzzer's own `-malloc_limit_mb` needs the hooks of a sanitizer, and has no effect without
//! one. With this allocator, an input that makes the code allocate more than the limit aborts the
//! process, which libFuzzer reports as a finding.

use cap::Cap;
use std::alloc::System;

/// The most bytes that may be allocated at the same time.
const LIMIT: usize = 64 << 20;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, LIMIT);
