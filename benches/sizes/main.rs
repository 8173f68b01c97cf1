//! Measures how the cost of one operation depends on the number of members, connections, channels
//! or messages. It must not grow.
//!
//! ```text
//! cargo bench --bench sizes                      all rows, as Markdown: half a minute
//! cargo bench --bench sizes -- --most 1000       sizes up to 1,000
//! ```
//!
//! Three effects are expected. An answer lists up to 500 names or channels, so it costs more until
//! there are that many. The cost of a message itself is shared by its deliveries, so with few
//! members each delivery costs more. Data that was not used for long comes from memory instead of
//! the processor's caches, which hold less than a large crowd: *the same again at once* shows how
//! much of a figure that is.
//!
//! The hub runs on in-memory sockets: the kernel's work for a socket is the same at every size, and
//! would hide the difference. Each figure is the median of many single turns, in microseconds
//! unless the row says otherwise.
//!
//! `load` measures the costs with a kernel, and `tests/allocations.rs` the memory of a member.

#[allow(dead_code)]
#[path = "../micro/timer.rs"]
mod timer;
#[allow(dead_code)]
#[path = "../micro/world.rs"]
mod world;

use parlor::hub::Driven;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;
use timer::{count, median, number};
use world::{World, in_one, join, leave, message};

/// The numbers of members, connections, channels or messages.
const SIZES: [usize; 6] = [10, 100, 1_000, 10_000, 50_000, 100_000];
/// The most members; other things have larger sizes.
const MEMBERS_MOST: usize = 50_000;
/// How often each operation runs, at least.
const TIMES: usize = 41;
/// The most channels of a connection.
const CHANNELS_OF_ONE: usize = 100;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let most = match &arguments[..] {
        [] => usize::MAX,
        [name, most]
            if name == "--most" && most.parse().is_ok_and(|most: usize| most >= SIZES[0]) =>
        {
            most.parse().unwrap_or(usize::MAX)
        }
        _ => {
            eprintln!("sizes: the only option is --most N, and N is 10 or more");
            return ExitCode::FAILURE;
        }
    };
    let sizes: Vec<usize> = SIZES.into_iter().filter(|size| *size <= most).collect();
    println!(
        "| microseconds of | over | {} |",
        sizes
            .iter()
            .map(|size| count(*size))
            .collect::<Vec<_>>()
            .join(" | ")
    );
    println!("|{}", " --- |".repeat(2 + sizes.len()));
    let members: Vec<usize> = sizes
        .iter()
        .copied()
        .filter(|size| *size <= MEMBERS_MOST)
        .collect();
    over_members(&members, sizes.len());
    over_connections(&members, sizes.len());
    over_channels(&sizes);
    over_history(&sizes);
    ExitCode::SUCCESS
}

/// Prints a row. The cells of sizes that were not measured stay empty.
fn row(what: &str, over: &str, figures: &[f64], columns: usize) {
    let cells: String = (0..columns)
        .map(|column| {
            format!(
                " {} |",
                figures
                    .get(column)
                    .map(|figure| number(*figure))
                    .unwrap_or_default()
            )
        })
        .collect();
    println!("| {what} | {over} |{cells}");
}

/// Prints rows from figures that are grouped by size.
fn rows<const N: usize>(names: [&str; N], over: &str, figures: &[[f64; N]], columns: usize) {
    for (number, name) in names.iter().enumerate() {
        row(
            name,
            over,
            &figures
                .iter()
                .map(|figures| figures[number])
                .collect::<Vec<_>>(),
            columns,
        );
    }
}

/// Returns how long the work takes, in microseconds.
fn micros(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_nanos() as f64 / 1e3
}

/// Returns the median of many runs; `work` returns its own time.
fn often(work: impl FnMut(usize) -> f64) -> f64 {
    median((0..TIMES).map(work).collect())
}

/// Returns the time of a turn with one frame from one member.
fn turn(world: &mut World, member: usize, frame: &mut [u8]) -> f64 {
    micros(|| {
        world.ask(member, frame);
        world.turn();
    })
}

/// Measures over members of one channel.
fn over_members(sizes: &[usize], columns: usize) {
    let figures: Vec<_> = sizes.iter().map(|&size| of_members(size)).collect();
    let names = [
        "a delivery, 1 message in a turn (ns)",
        "a delivery, 10 messages in a turn (ns)",
        "hello of a new member",
        "join of a new member",
        "leave",
        "the loss of a connection",
    ];
    rows(names, "members of one channel", &figures, columns);
}

fn of_members(size: usize) -> [f64; 6] {
    let mut world = World::new();
    world.enter(size, in_one);
    let mut said = message(
        "general",
        "what is said to all of us, in some sixty-four bytes of plain text",
    );
    let mut deliveries = |messages: usize| {
        let turn = often(|_| {
            micros(|| {
                (0..messages).for_each(|_| world.ask(0, &mut said));
                world.turn();
            })
        });
        1e3 * turn / (messages * size) as f64
    };
    let (one, ten) = (deliveries(1), deliveries(10));
    let (mut come, mut go) = (join("general"), leave("general"));
    let hello = often(|_| {
        micros(|| {
            world.hello();
            world.turn();
        })
    });
    let first = world.members.len() - TIMES;
    // Collected presence events are sent between the measurements, as in a real server, and not
    // counted: they are sent four times a second at most.
    let join = often(|number| turn(&mut world, first + number, &mut come));
    let leave = often(|number| turn(&mut world, first + number, &mut go));
    (0..TIMES).for_each(|number| world.ask(first + number, &mut come));
    world.rest();
    let loss = often(|_| {
        micros(|| {
            let last = world.members.pop().expect("a member is left");
            world.lose(last);
            world.turn();
        })
    });
    [one, ten, hello, join, leave, loss]
}

/// Measures over connections that have sent `hello` and are silent.
fn over_connections(sizes: &[usize], columns: usize) {
    let figures: Vec<_> = sizes.iter().map(|&size| of_connections(size)).collect();
    rows(
        [
            "a turn without traffic (ns)",
            "turns in ten silent minutes (number)",
        ],
        "connections",
        &figures,
        columns,
    );
}

fn of_connections(size: usize) -> [f64; 2] {
    let mut world = World::new();
    world.enter(size, in_one);
    let turn = often(|_| 1e3 * micros(|| black_box(&mut world).turn()));
    // The deadlines from their arrival pass before the measurement.
    world.pass(60_000);
    world.rest();
    let (silent, mut turns) = (world.now.mono.0 + 600_000, 0);
    while let Some(at) = world.hub.next_deadline().filter(|at| at.0 < silent) {
        let late = at.0.saturating_sub(world.now.mono.0).max(1);
        world.pass(late);
        world.turn();
        turns += 1;
    }
    [turn, f64::from(turns)]
}

/// Measures over channels: a hundred for each connection, each with one member.
fn over_channels(sizes: &[usize]) {
    let figures: Vec<_> = sizes.iter().map(|&size| of_channels(size)).collect();
    let names = [
        "hello of a new member",
        "join of an existing channel",
        "leave of it",
        "the same join again at once",
        "the same leave again at once",
        "join of a new channel",
        "leave of it, which removes it",
        "a message",
        "the same again at once",
    ];
    rows(names, "channels", &figures, sizes.len());
}

fn of_channels(size: usize) -> [f64; 9] {
    let mut world = World::new();
    for channel in 0..size {
        if channel % CHANNELS_OF_ONE == 0 {
            world.hello();
        }
        let last = world.members.len() - 1;
        world.ask(last, &mut join(&format!("c{channel:06}")));
        if channel % 10 == 9 {
            world.turn();
            world.pass(5);
        }
    }
    world.rest();
    let hello = often(|_| {
        micros(|| {
            world.hello();
            world.turn();
        })
    });
    world.rest();
    let member = world.members.len() - 1;
    // Spreads over all channels, in an order that differs from every stored one.
    let place = |number: usize| number.wrapping_mul(7_919) % size;
    let there = |number: usize| format!("c{:06}", place(number));
    let mut come_and_go = |name: &dyn Fn(usize) -> String| {
        let of_one = |number| {
            [
                join(&name(number)),
                leave(&name(number)),
                join(&name(number)),
                leave(&name(number)),
            ]
        };
        let all: Vec<_> = (0..TIMES)
            .map(|number| of_one(number).map(|mut frame| turn(&mut world, member, &mut frame)))
            .collect();
        [0, 1, 2, 3].map(|which| median(all.iter().map(|all| all[which]).collect()))
    };
    let [come, go, come_again, go_again] = come_and_go(&there);
    let [create, end, ..] = come_and_go(&|number| format!("new{number:04}"));
    world.rest();
    let say = |world: &mut World, number: usize| {
        turn(
            world,
            place(number) / CHANNELS_OF_ONE,
            &mut message(&there(number), "to one"),
        )
    };
    let twice: Vec<_> = (0..TIMES)
        .map(|number| [say(&mut world, number), say(&mut world, number)])
        .collect();
    let [said, said_again] =
        [0, 1].map(|which| median(twice.iter().map(|twice| twice[which]).collect()));
    [
        hello, come, go, come_again, go_again, create, end, said, said_again,
    ]
}

/// Measures over messages, which were sent to two members. A channel keeps its newest thousand in
/// memory, so there are more channels for more messages.
fn over_history(sizes: &[usize]) {
    let figures: Vec<_> = sizes.iter().map(|&size| of_history(size)).collect();
    rows(
        [
            "a message",
            "a page of 50 of its history",
            "join, with such a page",
        ],
        "messages in memory, at most 1,000 in a channel",
        &figures,
        sizes.len(),
    );
}

fn of_history(size: usize) -> [f64; 3] {
    let mut world = World::new();
    let channels = size.div_ceil(1_000);
    for channel in 0..channels {
        let name = format!("c{channel:03}");
        let (first, second) = (world.hello(), world.hello());
        world.ask(first, &mut join(&name));
        world.ask(second, &mut join(&name));
        world.turn();
        let mut said = message(
            &name,
            "what is remembered, in some sixty-four bytes of plain text, and no more",
        );
        for number in 0..size.min(1_000) {
            world.ask(first, &mut said);
            if number % 10 == 9 {
                world.turn();
                world.pass(1);
            }
        }
    }
    world.rest();
    let name = |number: usize| format!("c{:03}", number % channels);
    let said = often(|number| {
        turn(
            &mut world,
            2 * (number % channels),
            &mut message(&name(number), "one more"),
        )
    });
    let ask = |number: usize| {
        world::frame(&format!(
            r#"{{"type":"history","channel":"{}"}}"#,
            name(number)
        ))
    };
    let page = often(|number| turn(&mut world, 2 * (number % channels), &mut ask(number)));
    let member = world.hello();
    world.rest();
    let joined = often(|number| turn(&mut world, member, &mut join(&name(number))));
    [said, page, joined]
}
