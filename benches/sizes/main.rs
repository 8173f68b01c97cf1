//! What grows with what, and what must not: the cost of one thing, over how many there are of
//! another.
//!
//! ```text
//! cargo bench --bench sizes                      all of it, as Markdown: half a minute
//! cargo bench --bench sizes -- --most 1000       no more than so many of anything
//! ```
//!
//! What is asked for in a row is what must not grow. What may: a list of names or channels in an
//! answer has up to 500 rows, so an answer with one costs more until there are so many; the cost of
//! a message itself is shared by its deliveries, so few cost more each; and where something is
//! touched that was not touched for long, it comes from memory and not from the processor's caches,
//! which hold less than a large crowd: *the same again at once* shows how much of a figure that is.
//!
//! On the hub, with sockets of memory: what the kernel does for each socket is the same at every
//! size, and would hide what is looked for. Each figure is the median of many single turns, in
//! microseconds where nothing else is said.
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

/// So many members, connections, channels, messages.
const SIZES: [usize; 6] = [10, 100, 1_000, 10_000, 50_000, 100_000];
/// There are this many members at most, and of other things more.
const MEMBERS_MOST: usize = 50_000;
/// So often each thing is done, at least.
const TIMES: usize = 41;
/// A connection is in this many channels at most.
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
            eprintln!("sizes: there is --most N, and N is 10 or more");
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

/// A row; sizes that were not tried stay empty.
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

/// Rows of figures that come size by size: what is first for every size becomes the first row.
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

/// Microseconds that something takes.
fn micros(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_nanos() as f64 / 1e3
}

/// The median of many times; `work` says what it took.
fn often(work: impl FnMut(usize) -> f64) -> f64 {
    median((0..TIMES).map(work).collect())
}

/// A turn in which this is said by one member.
fn turn(world: &mut World, member: usize, frame: &mut [u8]) -> f64 {
    micros(|| {
        world.ask(member, frame);
        world.turn();
    })
}

/// All are members of one channel.
fn over_members(sizes: &[usize], columns: usize) {
    let figures: Vec<_> = sizes.iter().map(|&size| of_members(size)).collect();
    let names = [
        "a delivery, 1 message in a turn (ns)",
        "a delivery, 10 messages in a turn (ns)",
        "hello, of one more",
        "join, of one more",
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
        "what is said to everybody, in some sixty-four bytes of plain text",
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
    // What was gathered of who came is told meanwhile, as in life, and not counted here: it is told
    // four times a second, whoever comes.
    let join = often(|number| turn(&mut world, first + number, &mut come));
    let leave = often(|number| turn(&mut world, first + number, &mut go));
    (0..TIMES).for_each(|number| world.ask(first + number, &mut come));
    world.rest();
    let loss = often(|_| {
        micros(|| {
            let last = world.members.pop().expect("somebody is there");
            world.lose(last);
            world.turn();
        })
    });
    [one, ten, hello, join, leave, loss]
}

/// All have said hello, and say nothing more.
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
    // What was to be done in time when they came in was done: who is reminded of that looks once,
    // and never again.
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

/// A hundred channels for each connection, each with one member.
fn over_channels(sizes: &[usize]) {
    let figures: Vec<_> = sizes.iter().map(|&size| of_channels(size)).collect();
    let names = [
        "hello, of one more",
        "join, of one that is there",
        "leave of that",
        "the same join again at once",
        "the same leave again at once",
        "join, of a new one",
        "leave of that, which ends it",
        "message",
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
    // Over all of them, in no order that anything is kept in.
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

/// So many messages were said to two members; of one channel the newest thousand are kept, so it
/// has ten times as many channels as thousands.
fn over_history(sizes: &[usize]) {
    let figures: Vec<_> = sizes.iter().map(|&size| of_history(size)).collect();
    rows(
        [
            "message",
            "a page of 50 of its history",
            "join, with as much",
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
