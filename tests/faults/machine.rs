//! A machine that fails on command: machine.c, compiled here and preloaded into the server.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::harness::Folder;

/// The library, compiled once by the C compiler that Rust links with.
fn library() -> &'static PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/machine.c");
        let library = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("machine-{}.so", std::process::id()));
        let compiled = Command::new("cc")
            .args([
                "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o",
            ])
            .arg(&library)
            .arg(source)
            .status();
        assert!(
            compiled.expect("there is a C compiler").success(),
            "{source} can't be compiled"
        );
        library
    })
}

/// The clock's place in the file: the last one of `struct orders`.
const CLOCK: u64 = 8;

/// The test's end of the orders.
pub(crate) struct Machine {
    pub(crate) orders: File,
    folder: Folder,
}

impl Machine {
    pub(crate) fn new(name: &str) -> Self {
        let folder = Folder::new(&format!("machine-{name}"));
        let orders = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(folder.0.join("orders"))
            .expect("a file for the orders");
        orders.set_len(4_096).expect("room for the orders");
        Self { orders, folder }
    }

    /// Has a program run on this machine.
    pub(crate) fn run<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("LD_PRELOAD", library())
            .env("MACHINE_ORDERS", self.folder.0.join("orders"))
    }

    /// Gives an order: one of the numbers of `struct orders`.
    pub(crate) fn set(&self, index: u64, value: i64) {
        self.orders
            .write_all_at(&value.to_ne_bytes(), index * 8)
            .expect("the orders can be written");
    }

    /// Puts the wall clock so many seconds ahead of the true one.
    pub(crate) fn set_clock(&self, seconds: i64) {
        self.set(CLOCK, seconds);
    }
}
