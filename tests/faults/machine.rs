//! System calls that fail on command: machine.c, compiled here and preloaded into the server.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use rustix::io::Errno;

use crate::harness::Folder;

/// The library, compiled once by the C compiler that Rust links with.
fn library() -> &'static PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/machine.c");
        let name = format!("machine-{}.so", std::process::id());
        let library = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut compiler = Command::new("cc");
        compiler.args("-O1 -Wall -Wextra -Werror -shared -fPIC -o".split(' '));
        let compiled = compiler.arg(&library).arg(source).status();
        assert!(compiled.expect("a C compiler is installed").success());
        library
    })
}

/// The calls that can fail, by the index of their orders in the file.
#[derive(Clone, Copy)]
pub(crate) enum Call {
    Write = 0,
    Sync = 4,
}

/// The file of orders, by which the test makes calls fail.
pub(crate) struct Machine {
    orders: File,
    folder: Folder,
}

impl Machine {
    pub(crate) fn new(name: &str) -> Self {
        let folder = Folder::new(&format!("machine-{name}"));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        let orders = options.open(folder.0.join("orders")).expect("a file");
        orders.set_len(4_096).expect("room for the orders");
        Self { orders, folder }
    }

    /// Makes a program use these system calls.
    pub(crate) fn run(&self, mut command: Command) -> Command {
        command.env("LD_PRELOAD", library());
        command.env("MACHINE_ORDERS", self.folder.0.join("orders"));
        command
    }

    fn set(&self, index: u64, value: i64) {
        let bytes = value.to_ne_bytes();
        self.orders.write_all_at(&bytes, index * 8).expect("orders");
    }

    /// Returns the number of calls so far.
    pub(crate) fn calls(&self, call: Call) -> i64 {
        let mut bytes = [0; 8];
        let read = self.orders.read_exact_at(&mut bytes, call as u64 * 8);
        read.expect("orders");
        i64::from_ne_bytes(bytes)
    }

    /// Makes calls fail: `count` of them, from the n-th from now on.
    pub(crate) fn fail(&self, call: Call, n: i64, count: i64, error: Errno) {
        let at = call as u64;
        self.set(at + 3, error.raw_os_error().into());
        self.set(at + 2, count);
        self.set(at + 1, self.calls(call) + n);
    }

    /// Lets all calls of this kind succeed again.
    pub(crate) fn clear_fault(&self, call: Call) {
        self.set(call as u64 + 1, 0);
    }
}
