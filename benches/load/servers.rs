//! The servers that are compared: how to start each on core 0, and what it has used.
//!
//! `scenarios` uses them.

use crate::floor::Shape;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A server to measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Floor,
    FloorBatched,
    /// parlor without a history, and without the limits that the load would exceed.
    Parlor,
    /// The same with its history in a file.
    ParlorHistory,
    /// The server that `benches/peers/NAME/run` starts.
    Peer(String),
}

pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
    folder: Option<PathBuf>,
}

/// Turns limits off or up, so that the load exceeds none.
const OPTIONS: &[&str] = &[
    "--rate",
    "0",
    "--max-connections",
    "100000",
    "--max-connections-per-ip",
    "0",
    "--max-channels",
    "100000",
    "--max-buffered-bytes",
    "4294967296",
    "--resume-window",
    "0",
    // The generator answers no pings, and on a slow machine its clients may take longer to connect
    // than a connection may be silent.
    "--ping-interval",
    "0",
];

impl Server {
    /// The name in the table.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Floor => "floor",
            Self::FloorBatched => "floor-batched",
            Self::Parlor => "parlor",
            Self::ParlorHistory => "parlor, history",
            Self::Peer(name) => name,
        }
    }

    /// Starts the server, and waits until it listens.
    pub(crate) fn start(&self, shape: Shape) -> io::Result<Running> {
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]);
        let mut folder = None;
        match self {
            Self::Floor | Self::FloorBatched => {
                let batched = *self == Self::FloorBatched;
                let shape = [
                    usize::from(batched),
                    usize::from(shape.echo),
                    shape.text,
                    shape.sent,
                ]
                .map(|number| number.to_string());
                command
                    .arg(std::env::current_exe()?)
                    .arg("--floor")
                    .args(shape);
            }
            Self::Parlor => {
                command
                    .arg(env!("CARGO_BIN_EXE_parlor"))
                    .args(["--listen", "127.0.0.1:0", "--no-history"])
                    .args(OPTIONS);
            }
            Self::ParlorHistory => {
                let made = std::env::temp_dir().join(format!("parlor-load-{}", std::process::id()));
                fs::create_dir_all(&made)?;
                command
                    .arg(env!("CARGO_BIN_EXE_parlor"))
                    .args(["--listen", "127.0.0.1:0"])
                    .args(OPTIONS);
                command.arg("--history").arg(made.join("load.db"));
                folder = Some(made);
            }
            Self::Peer(name) => {
                command.arg(
                    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                        .join("benches/peers")
                        .join(name)
                        .join("run"),
                );
            }
        }
        // Hides the warning about too few file descriptors for the options.
        command.env("RUST_LOG", "error");
        let mut child = command
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line
            .trim()
            .rsplit("//")
            .next()
            .and_then(|address| address.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            return Err(io::Error::other(format!(
                "{} printed no address to connect to: {line:?}",
                self.name()
            )));
        };
        Ok(Running {
            child,
            address,
            folder,
        })
    }
}

impl Running {
    /// The process id of the server: taskset(1) has replaced itself with it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the CPU time of all its threads, in nanoseconds.
    pub(crate) fn cpu(&self) -> io::Result<u64> {
        cpu_of(&self.id().to_string())
    }

    /// Returns the private memory in use, in bytes.
    pub(crate) fn memory(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let kilobytes =
            line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        Ok(kilobytes.ok_or_else(|| io::Error::other("no RssAnon"))? << 10)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(folder) = &self.folder {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Returns the CPU time of a process, in nanoseconds: the first number of `schedstat` (proc(5)),
/// which is exact and not in ticks.
pub(crate) fn cpu_of(process: &str) -> io::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let stat = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        sum += stat
            .split(' ')
            .next()
            .and_then(|time| time.parse::<u64>().ok())
            .unwrap_or(0);
    }
    Ok(sum)
}
