//! The file of `--record`: what the hub is told is written down before it is told.
//!
//! Lines are gathered and written once a turn, before the hub works on them: if it fails on them,
//! they are in the file. Each
//! write goes to the system's memory, which costs a turn less than a commit; what it costs where
//! the disk is slow is the system's
//! affair. A disk that is full ends the recording, not the server.
//!
//! Not here: how a call looks as a line (`hub::record`).

use crate::hub::record::{Call, Wrote};
use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::rc::Rc;

/// What sockets took since this was looked at last. Sockets and the recording share it.
pub(super) type Taken = Rc<Cell<Vec<Wrote>>>;

/// A recording under way.
pub struct Recording {
    file: File,
    lines: String,
    taken: Taken,
}

/// A recording, or none.
#[derive(Default)]
pub(super) struct Recorder(Option<Recording>);

impl Recording {
    /// Begins a file with its head, readable for its owner alone. What stood there is gone.
    pub fn begin(path: &Path, head: &str) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        // Where there was one, it may have been for everybody.
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        file.write_all(format!("{head}\n").as_bytes())?;
        Ok(Self {
            file,
            lines: String::new(),
            taken: Taken::default(),
        })
    }

    /// So many bytes of lines keep their room for the next turn.
    const KEPT_BYTES: usize = 256 << 10;

    fn flush(&mut self) -> io::Result<()> {
        let done = self.file.write_all(self.lines.as_bytes());
        self.lines.clear();
        self.lines.shrink_to(Self::KEPT_BYTES);
        done
    }
}

impl Recorder {
    pub(super) fn new(recording: Option<Recording>) -> Self {
        Self(recording)
    }

    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// What a new socket tells of its writes by.
    pub(super) fn taken(&self) -> Option<Taken> {
        self.0.as_ref().map(|recording| Rc::clone(&recording.taken))
    }

    /// The hub is about to be told this.
    pub(super) fn call(&mut self, call: &Call<'_>) {
        if let Some(recording) = &mut self.0 {
            call.write(&mut recording.lines);
        }
    }

    /// The hub is about to end a turn with this: the file has all of it before.
    pub(super) fn last_call(&mut self, call: &Call<'_>) {
        self.call(call);
        self.flush();
    }

    /// The hub did: what its sockets took is known now.
    pub(super) fn done(&mut self) {
        if let Some(recording) = &mut self.0 {
            let taken = recording.taken.take();
            for wrote in &taken {
                Call::Wrote(*wrote).write(&mut recording.lines);
            }
        }
    }

    /// Writes what was gathered.
    pub(super) fn flush(&mut self) {
        if let Some(Err(error)) = self.0.as_mut().map(Recording::flush) {
            log::error!("the recording ends here, and the server goes on: {error}");
            self.0 = None;
        }
    }
}

/// A socket's write came to this.
pub(super) fn note(taken: &Taken, result: &io::Result<usize>) {
    let mut all = taken.take();
    all.push(match result {
        Ok(count) => Wrote::Bytes(*count),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Wrote::Wait,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Wrote::Again,
        Err(_) => Wrote::Failed,
    });
    taken.set(all);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_ends_the_recording_alone() {
        let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else {
            return;
        };
        let mut recorder = Recorder::new(Some(Recording {
            file: full,
            lines: String::new(),
            taken: Taken::default(),
        }));
        recorder.call(&Call::TakeResumed);
        assert!(recorder.taken().is_some());
        recorder.flush();
        assert!(recorder.taken().is_none());
        recorder.call(&Call::TakeResumed);
        recorder.flush();
    }
}
