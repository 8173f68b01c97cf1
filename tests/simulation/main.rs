//! The simulation: the whole server without sockets, in a random world that is determined by one
//! number, the seed.
//!
//! ```sh
//! cargo test --test simulation  # some fixed and new seeds
//! SEEDS=200 cargo test --profile simulation --test simulation  # more seeds, fast
//! SEED=42 cargo test --test simulation -- --ignored --nocapture one  # one, with all events
//! SECONDS=3600 cargo test --profile simulation --test simulation -- --ignored soak  # new seeds
//! ```
//!
//! A failing seed is printed with the smallest plan that still fails: fewer clients, fewer steps,
//! fewer kinds of faults. `SHRINK=0` leaves that out, which is faster. `tests/planted/run
//! simulation` shows that the simulation finds bugs.
//!
//! Reading order: `plan` (what a seed determines), `world` (the events), `client` (what each client
//! checks), `disk`.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used)]

mod client;
mod disk;
mod plan;
mod world;

use disk::Disk;
use plan::{ALL_FAULTS, Plan};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime};
use world::World;

/// Plays a plan. Returns its hash and number of steps, or the failure.
fn play(plan: &Plan) -> Result<(u64, u64), String> {
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(plan.clone(), Disk::memory());
        world.run();
        (world.digest, world.steps)
    }));
    played.map_err(|panic| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic
            .downcast_ref::<&str>()
            .unwrap_or(&"it panicked")
            .to_string(),
    })
}

/// Returns the smallest plan found that still fails: first with fewer clients, then with fewer
/// steps, then with fewer kinds of faults.
fn shrink(mut plan: Plan) -> Plan {
    let smaller = |plan: &mut Plan, change: &dyn Fn(&mut Plan)| {
        let mut tried = plan.clone();
        change(&mut tried);
        let fails = play(&tried).is_err();
        if fails {
            *plan = tried;
        }
        fails
    };
    while plan.clients > 1 && smaller(&mut plan, &|plan| plan.clients /= 2) {}
    while plan.steps > 1 && smaller(&mut plan, &|plan| plan.steps /= 2) {}
    while plan.steps > 1 && smaller(&mut plan, &|plan| plan.steps -= plan.steps.div_ceil(10)) {}
    for bit in 0..ALL_FAULTS.count_ones() {
        if plan.has(1 << bit) {
            smaller(&mut plan, &|plan| plan.faults &= !(1 << bit));
        }
    }
    plan
}

/// Plays seeds until one fails. Returns the number of steps.
fn play_all(seeds: impl IntoIterator<Item = u64>) -> u64 {
    let mut steps = 0;
    for seed in seeds {
        match play(&Plan::of(seed)) {
            Ok((_, played)) => steps += played,
            Err(why) => {
                assert!(shrinks(), "seed {seed} fails: {why}");
                let plan = shrink(Plan::of(seed));
                let (clients, steps, faults) = (plan.clients, plan.steps, plan.faults);
                panic!(
                    "seed {seed} fails: {why}\nThe smallest plan that still does: SEED={seed} \
                     CLIENTS={clients} STEPS={steps} FAULTS={faults} \
                     cargo test --test simulation -- --ignored --nocapture one"
                );
            }
        }
    }
    steps
}

/// Returns the number in a variable of the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Returns the number of seeds: small by default, because most runs are not optimized.
fn seeds() -> u64 {
    number("SEEDS").unwrap_or(20)
}

/// Whether a failing plan is made smaller; not with `SHRINK=0`.
fn shrinks() -> bool {
    std::env::var("SHRINK").map_or(true, |shrink| shrink != "0")
}

/// Seeds that differ in each run.
fn new_seeds() -> impl Iterator<Item = u64> {
    let start = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 >> 10;
    start..
}

#[test]
fn fixed_seeds() {
    let seeds = seeds();
    let steps = play_all(0..seeds);
    println!("{seeds} seeds, {steps} steps");
    assert!(steps > seeds * 100);
}

#[test]
fn new_seeds_too() {
    play_all(new_seeds().take(seeds() as usize / 10));
}

#[test]
fn same_seed_gives_the_same_run() {
    for seed in [3, 14, 15, 92, 65] {
        let plan = Plan::of(seed);
        assert_eq!(play(&plan), play(&plan), "seed {seed}");
    }
}

/// Each storage call of a short run fails once, in both ways.
#[test]
fn every_storage_call_fails_once() {
    let plan = Plan {
        clients: 3,
        steps: 60,
        faults: 0,
        ..Plan::of(2)
    };
    let mut world = World::new(plan.clone(), Disk::memory());
    world.run();
    let calls = world.disk.borrow().calls as u32;
    assert!(calls > 50, "{calls}");
    for fault in [disk::Fault::Fails, disk::Fault::FailsAfterwards] {
        for n in 1..=calls {
            let mut disk = Disk::memory();
            disk.fault = Some((n, fault));
            World::new(plan.clone(), disk).run();
        }
    }
}

/// The same on a real database. A crash keeps the file and its log as they are at that moment.
#[cfg(feature = "history")]
#[test]
fn on_sqlite() {
    use parlor::history::{History, Settings, sqlite::Sqlite};
    let folder = std::env::temp_dir().join(format!("parlor-simulation-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let open = |path: &std::path::Path| -> Box<dyn History> {
        let (path, default) = (path.to_owned(), Settings::default());
        Box::new(Sqlite::open(Settings { path, ..default }, "epoch").unwrap())
    };
    let files = |path: &std::path::Path| -> Vec<std::path::PathBuf> {
        let with = |suffix| std::path::PathBuf::from(format!("{}{suffix}", path.display()));
        ["", "-wal"].map(with).into()
    };
    for seed in 0..12 {
        let mut copies = 0;
        let mut path = folder.join(format!("{seed}.db"));
        let mut world = World::new(
            Plan {
                clients: 8,
                steps: 200,
                faults: ALL_FAULTS,
                ..Plan::of(seed)
            },
            Disk::new(open(&path)),
        );
        world.disk.borrow_mut().files = files(&path);
        let folder = folder.clone();
        world.recover = Some(Box::new(move |disk| {
            copies += 1;
            let copy = folder.join(format!("{seed}-{copies}.db"));
            for (from, to) in files(&path).iter().zip(files(&copy)) {
                if from.exists() {
                    std::fs::copy(from, to).unwrap();
                }
            }
            disk.store = open(&copy);
            disk.files = files(&copy);
            path = copy;
        }));
        world.run();
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Plays one seed and prints all events that clients receive.
#[test]
#[ignore = "needs SEED"]
fn one() {
    let mut plan = Plan::of(number("SEED").expect("SEED is a number"));
    plan.clients = number("CLIENTS").map_or(plan.clients, |clients| clients as usize);
    plan.steps = number("STEPS").map_or(plan.steps, |steps| steps as usize);
    plan.faults = number("FAULTS").map_or(plan.faults, |faults| faults as u32);
    println!("{plan:?}");
    let mut world = World::new(plan, Disk::memory());
    world.trace = Some(Box::new(|line| println!("{line}")));
    world.run();
}

/// Plays new seeds for `SECONDS`.
#[test]
#[ignore = "runs for SECONDS"]
fn soak() {
    let until = Instant::now() + Duration::from_secs(number("SECONDS").unwrap_or(60));
    let (mut steps, mut seeds) = (0, 0_u64);
    for seed in new_seeds().take_while(|_| Instant::now() < until) {
        steps += play_all([seed]);
        seeds += 1;
    }
    println!("{seeds} seeds, {steps} steps, nothing found");
}
