//! Connections through a command, such as `openssl s_client -quiet -connect …`: its standard input
//! and output are the stream, so that TLS needs no code here.

use super::address::Address;
use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The command of a connection, if it has one. It is stopped with this value.
#[derive(Default)]
pub(super) struct Tunnel(Option<Child>);

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(stop);
    }
}

/// Connects to an address, or through a command of the shell.
pub(super) fn connect(
    address: &Address,
    command: Option<&str>,
    within: Duration,
) -> Result<(TcpStream, Tunnel), String> {
    let Some(command) = command else {
        return Ok((address.connect(within)?, Tunnel::default()));
    };
    let failed = |error: io::Error| format!("can't run the command: {error}");
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    let input = theirs.try_clone().map_err(failed)?;
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).process_group(0);
    shell
        .stdin(OwnedFd::from(input))
        .stdout(OwnedFd::from(theirs))
        .stderr(Stdio::null());
    let child = shell.spawn().map_err(failed)?;
    // Sockets of all kinds are read and written alike.
    let stream = TcpStream::from(OwnedFd::from(ours));
    stream.set_read_timeout(Some(within)).map_err(failed)?;
    Ok((stream, Tunnel(Some(child))))
}

/// Ends a command that leads a process group of its own.
pub(super) fn stop(child: &mut Child) {
    if let Some(group) = rustix::process::Pid::from_raw(child.id().cast_signed()) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
    }
    let _ = child.kill();
    let _ = child.wait();
}
