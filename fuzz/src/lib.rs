//! What every fuzz target is linked with: an allocator that gives out so much and no more.
//!
//! libFuzzer's own `-malloc_limit_mb` needs hooks that only a sanitizer has, and without one it is
//! silently without effect.
//! Here an input that makes the code ask for more ends the process, which libFuzzer reports as a
//! finding.

use cap::Cap;
use std::alloc::System;

/// For everything that is allocated at a time, in bytes.
const LIMIT: usize = 64 << 20;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, LIMIT);
