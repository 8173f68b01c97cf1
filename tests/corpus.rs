//! Runs the checks of `fuzz/` on stable Rust, without a fuzzer: with every seed, every input that
//! has ever failed, and some thousands of generated inputs.
//!
//! libFuzzer runs the same functions for hours (`fuzz/README.md`). Inputs that it found stay in
//! `fuzz/seeds/` under a name that describes the bug.

#![cfg(feature = "tools")]
#![allow(clippy::unwrap_used)]
// The checks are modules of the fuzz targets too, and some of them share a module.
#![allow(unreachable_pub, clippy::duplicate_mod)]

use parlor::testing::Random;
use parlor::tools::test::cases::{self, Expected, Request, Script};
use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

macro_rules! checks {
    ($($name:ident = $path:literal, $generated:literal;)*) => {
        $(#[path = $path] mod $name;)*
        /// Target, check, and how many inputs are generated for it here.
        const CHECKS: &[(&str, fn(&[u8]), u64)] =
            &[$((stringify!($name), $name::check, $generated)),*];
    };
}

checks! {
    head = "../fuzz/checks/head.rs", 10_000;
    upgrade = "../fuzz/checks/upgrade.rs", 5_000;
    frames = "../fuzz/checks/frames.rs", 10_000;
    messages = "../fuzz/checks/messages.rs", 10_000;
    differential = "../fuzz/checks/differential.rs", 10_000;
    command = "../fuzz/checks/command.rs", 10_000;
    name = "../fuzz/checks/name.rs", 10_000;
    path = "../fuzz/checks/path.rs", 10_000;
    import = "../fuzz/checks/import.rs", 10_000;
    connection = "../fuzz/checks/connection.rs", 1_000;
}

#[test]
fn every_seed_passes_its_check() {
    for (target, check, _) in CHECKS {
        for (path, bytes) in seeds(target) {
            assert!(
                passes(*check, &bytes),
                "{} fails: see above",
                path.display()
            );
        }
    }
}

#[test]
fn generated_inputs_pass_their_checks() {
    std::thread::scope(|scope| {
        for (target, check, count) in CHECKS {
            scope.spawn(move || generate(target, *check, *count));
        }
    });
}

fn generate(target: &str, check: fn(&[u8]), count: u64) {
    let seeds: Vec<_> = seeds(target).into_iter().map(|(_, bytes)| bytes).collect();
    let words = dictionary(target);
    for seed in 0..count {
        let bytes = input(&mut Random::new(seed), &seeds, &words);
        let shown = bytes.escape_ascii();
        assert!(
            passes(check, &bytes),
            "{target} fails for {seed}: \"{shown}\""
        );
    }
}

/// The cases of `parlor test` that break a rule are seeds. After a change of the table:
/// `PARLOR_WRITE_SEEDS=1 cargo test --test corpus`.
#[test]
fn every_case_that_breaks_a_rule_is_a_seed() {
    let mut wanted = BTreeSet::new();
    for case in cases::all() {
        let (target, mut bytes) = match case.expected {
            Expected::Refused => {
                let key = "dGhlIHNhbXBsZSBub25jZQ==";
                let mut request = Request::new("localhost:8080", "/chat", key);
                request.edit(&case.input);
                ("head", request.bytes())
            }
            Expected::Fails(_) => ("frames", Script::parse(&case.input).unwrap().bytes()),
            _ => continue,
        };
        if case.number().is_some() || bytes.len() > 1000 {
            continue;
        }
        // The last bytes are the lengths of the pieces.
        bytes.extend(if target == "head" { &[6][..] } else { &[2, 6] });
        let path = root()
            .join("seeds")
            .join(target)
            .join(format!("case-{}", case.name));
        if std::env::var_os("PARLOR_WRITE_SEEDS").is_some() {
            fs::write(&path, &bytes).unwrap();
        }
        assert_eq!(
            fs::read(&path).ok(),
            Some(bytes),
            "{} is missing or old",
            path.display()
        );
        wanted.insert(path);
    }
    let is_case = |path: &PathBuf| path.to_str().unwrap().contains("/case-");
    let seeds = ["head", "frames"]
        .into_iter()
        .flat_map(seeds)
        .map(|(path, _)| path);
    assert_eq!(seeds.filter(is_case).collect::<BTreeSet<_>>(), wanted);
}

#[test]
fn every_fuzz_target_is_replayed_here() {
    let files = fs::read_dir(root().join("fuzz_targets")).unwrap();
    let targets = files.map(|file| file.unwrap().path().file_stem().unwrap().to_owned());
    let checks = CHECKS.iter().map(|(target, ..)| (*target).into());
    assert_eq!(targets.collect::<BTreeSet<_>>(), checks.collect());
}

fn passes(check: fn(&[u8]), bytes: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| check(bytes))).is_ok()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// Returns the seeds of a target, in the order of their names.
fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(root().join("seeds").join(target))
        .unwrap_or_else(|error| panic!("the seeds of {target}: {error}"));
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{target} has no seeds");
    let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
    paths.into_iter().map(read).collect()
}

/// Returns the words of a target's dictionary, if it has one: lines of `"word"` with `\xNN`, as
/// libFuzzer reads them.
fn dictionary(target: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(root().join("dictionaries").join(format!("{target}.dict")))
        .unwrap_or_default();
    let words = text
        .lines()
        .filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
    words.map(unescaped).collect()
}

fn unescaped(word: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = word.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next() {
                Some(b'x') => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                other => other.unwrap(),
            },
            byte => byte,
        });
    }
    bytes
}

/// Returns random bytes, or a mutated seed.
fn input(random: &mut Random, seeds: &[Vec<u8>], words: &[Vec<u8>]) -> Vec<u8> {
    if random.below(3) == 0 {
        let length = random.pick(&[8, 40, 200, 1000]);
        return (0..random.below(length))
            .map(|_| random.below(256) as u8)
            .collect();
    }
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..random.below(5) {
        let (start, end) = (random.below(bytes.len() + 1), random.below(bytes.len() + 1));
        let range = start.min(end)..start.max(end).min(start.min(end) + 40);
        let part = bytes[range.clone()].to_vec();
        match random.below(6) {
            0 if start < bytes.len() => bytes[start] ^= 1 << random.below(8),
            1 if start < bytes.len() => bytes[start] = random.below(256) as u8,
            2 => drop(bytes.drain(range)),
            3 => drop(bytes.splice(end..end, part)),
            4 if !words.is_empty() => {
                drop(bytes.splice(start..start, words[random.below(words.len())].clone()))
            }
            _ => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len() + 1);
                bytes.splice(start.., other[from..].iter().copied());
            }
        }
    }
    bytes
}
