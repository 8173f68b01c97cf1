//! `kill -9` in the middle of load, again and again: nothing acknowledged is lost, nothing is there
//! twice.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::{Folder, Server, parlor};
use crate::survivor::{Survivors, compare};
use crate::{Dice, times};

/// The database as it lies there, looked at in a copy, as a backup after a crash would be: SQLite
/// finds nothing wrong with it.
pub(crate) fn assert_whole(database: &Path) {
    static COPIES: AtomicUsize = AtomicUsize::new(0);
    let folder = Folder::new(&format!("copy-{}", COPIES.fetch_add(1, Ordering::Relaxed)));
    let copy = folder.0.join("parlor.db");
    for ending in ["", "-wal"] {
        let of = |path: &Path| format!("{}{ending}", path.display());
        if Path::new(&of(database)).exists() {
            std::fs::copy(of(database), of(&copy)).expect("a copy of the database");
        }
    }
    let connection = rusqlite::Connection::open(&copy).expect("SQLite opens it");
    let found: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("SQLite reads it");
    assert_eq!(found, "ok");
    let rows: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .expect("a schema");
    assert!(rows > 0, "there is something in it");
}

/// A server with its history in a file, at an address that stays the same over its lives.
pub(crate) fn serve(
    mut command: Command,
    database: &Path,
    address: std::net::SocketAddr,
    more: &[&str],
) -> Server {
    command
        .args([
            "--listen",
            &address.to_string(),
            "--rate",
            "0",
            "--resume-window",
            "1",
            "--history",
        ])
        .arg(database)
        .args(more);
    Server::spawn(command)
}

#[test]
fn killed_in_the_middle_of_load() {
    let kills = times(10, 150);
    let folder = Folder::new("kill");
    let database = folder.0.join("parlor.db");
    let address = crate::process::free_address("127.0.0.84");
    let mut dice = Dice(11);
    let mut server = serve(parlor(), &database, address, &[]);
    let survivors = Survivors::begin(address);
    for _ in 0..kills {
        thread::sleep(Duration::from_millis(30 + dice.below(250) as u64));
        server.signal(Signal::KILL);
        server.wait();
        assert_whole(&database);
        server = serve(parlor(), &database, address, &[]);
    }
    let memories = survivors.end();
    let acknowledged = compare(&memories);
    let returns: usize = memories.iter().map(|one| one.returns).sum();
    println!(
        "result: {kills} kills, {acknowledged} messages acknowledged and there, {returns} returns"
    );
    assert!(
        acknowledged > kills && returns > kills * 3,
        "they were there when it died"
    );
}
