//! Measures how long a search takes, and how long deliveries take during a search.
//!
//! ```text
//! cargo bench --bench search    100,000 messages of one channel: half a minute
//! ```
//!
//! The history is made by `parlor import`, in a folder that is removed afterwards. No message
//! contains the searched text, so each search reads every message.

#[allow(dead_code)]
#[path = "../micro/timer.rs"]
mod timer;

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use timer::{count, median, number};
use tungstenite::{Message, WebSocket};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const MESSAGES: usize = 100_000;
const RUNS: usize = 21;
/// Messages whose delivery is measured, and the time between two of them.
const DELIVERIES: usize = 2_000;
const PAUSE: Duration = Duration::from_millis(3);

fn main() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("parlor-search-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let done = measured(&folder);
    let _ = fs::remove_dir_all(&folder);
    done
}

fn measured(folder: &Path) -> Result<()> {
    let scripts = [
        (
            "ASCII",
            "what was said in this channel, number {} of many messages",
        ),
        (
            "Cyrillic",
            "что было сказано в этом канале, номер {} из многих сообщений",
        ),
    ];
    println!(
        "| texts | search of {}: median ms | slowest |",
        count(MESSAGES)
    );
    println!("| --- | --- | --- |");
    for (name, text) in scripts {
        let history = folder.join(name);
        import(folder, &history, text)?;
        let mut server = Server::start(&history)?;
        let mut client = server.client("searcher")?;
        let millis = (0..RUNS)
            .map(|_| search(&mut client))
            .collect::<Result<Vec<_>>>()?;
        let slowest = millis.iter().copied().fold(0.0, f64::max);
        println!(
            "| {name} | {} | {} |",
            number(median(millis)),
            number(slowest)
        );
        if name == "ASCII" {
            deliveries(&mut server)?;
        }
    }
    Ok(())
}

/// Prints how long the delivery of a message takes, without a search and during one.
fn deliveries(server: &mut Server) -> Result<()> {
    for is_searching in [false, true] {
        let ends = AtomicBool::new(false);
        let mut searcher = server.client("other")?;
        let (mut sender, mut reader) = (server.client("sender")?, server.client("reader")?);
        let mut micros = Vec::new();
        std::thread::scope(|scope| -> Result<()> {
            scope.spawn(|| {
                while is_searching && !ends.load(Ordering::Relaxed) {
                    if search(&mut searcher).is_err() {
                        break;
                    }
                }
            });
            for n in 0..DELIVERIES {
                std::thread::sleep(PAUSE);
                let began = Instant::now();
                let text = format!(r#"{{"type":"message","channel":"general","text":"m{n}"}}"#);
                sender.send(Message::text(text))?;
                wait_for(&mut reader, &format!("\"m{n}\""))?;
                micros.push(began.elapsed().as_nanos() as f64 / 1e3);
            }
            ends.store(true, Ordering::Relaxed);
            Ok(())
        })?;
        micros.sort_by(f64::total_cmp);
        let at = |share: f64| number(micros[(share * (micros.len() - 1) as f64) as usize]);
        let name = if is_searching {
            "beside searches"
        } else {
            "without a search"
        };
        eprintln!("deliveries {name}: p50 {} µs, p99 {} µs", at(0.5), at(0.99));
    }
    Ok(())
}

/// Returns the duration of one search, in milliseconds.
fn search(client: &mut WebSocket<TcpStream>) -> Result<f64> {
    let began = Instant::now();
    let text = r#"{"type":"search","text":"nowhere to be found","channel":"general"}"#;
    client.send(Message::text(text))?;
    wait_for(client, r#""type":"found""#)?;
    Ok(began.elapsed().as_nanos() as f64 / 1e6)
}

fn wait_for(client: &mut WebSocket<TcpStream>, part: &str) -> Result<()> {
    loop {
        let message = client.read()?;
        let text = message.to_text()?;
        if text.contains(r#""type":"error""#) {
            return Err(text.into());
        }
        if text.contains(part) {
            return Ok(());
        }
    }
}

struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(history: &Path) -> Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_parlor"))
            .args(["--listen", "127.0.0.1:0", "--rate", "0", "--history"])
            .arg(history)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line.split("http://").nth(1).ok_or("no listening line")?;
        let address = address
            .split(['/', ' ', '\n'])
            .next()
            .unwrap_or_default()
            .to_owned();
        Ok(Self { child, address })
    }

    fn client(&self, name: &str) -> Result<WebSocket<TcpStream>> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        let url = format!("ws://{}/chat", self.address);
        let (mut client, _) = tungstenite::client(url, stream)?;
        let port = client.get_ref().local_addr()?.port();
        client.send(Message::text(format!("/nick {name}{port}")))?;
        client.send(Message::text("/join general"))?;
        wait_for(&mut client, r#""type":"joined""#)?;
        Ok(client)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn import(folder: &Path, history: &Path, text: &str) -> Result<()> {
    let file = folder.join("lines");
    let mut lines = BufWriter::new(fs::File::create(&file)?);
    writeln!(lines, r#"{{"type":"parlor","version":1}}"#)?;
    writeln!(
        lines,
        r#"{{"type":"channel","name":"general","newest":{MESSAGES}}}"#
    )?;
    for seq in 1..=MESSAGES {
        let text = text.replace("{}", &seq.to_string());
        let from = r#""author":1,"from":"member""#;
        writeln!(
            lines,
            r#"{{"type":"message","seq":{seq},"at":{seq},{from},"text":"{text}"}}"#
        )?;
    }
    lines.flush()?;
    let mut import = Command::new(env!("CARGO_BIN_EXE_parlor"));
    let done = import
        .arg("import")
        .arg("--history")
        .arg(history)
        .arg(&file)
        .status()?;
    fs::remove_file(&file)?;
    done.success()
        .then_some(())
        .ok_or_else(|| "parlor import failed".into())
}
