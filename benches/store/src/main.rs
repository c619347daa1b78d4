//! Embedded stores beside each other, with the load of MQTT sessions: see `README.md`.

mod engines;
mod load;

use std::path::Path;
use std::time::{Duration, Instant};

use engines::{ENGINES, Engine, Flush};
use load::{LOADS, Load};

const GROUPS: [usize; 3] = [1, 10, 100];
const PAYLOADS: [usize; 2] = [64, 4096];

/// How much is measured.
struct Effort {
    rounds: usize,
    /// How long each engine has in a round.
    slice: Duration,
    /// Batches of the long run.
    long: usize,
}

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let effort = match is_quick {
        true => Effort {
            rounds: 3,
            slice: Duration::from_millis(20),
            long: 2_000,
        },
        false => Effort {
            rounds: 9,
            slice: Duration::from_millis(250),
            long: 200_000,
        },
    };
    // Where the files lie decides what a flush costs: TMPDIR says where. A folder in memory would flush for nothing.
    let folder = tempfile::tempdir().expect("a folder for the files");
    println!("## Time of a batch\n");
    println!(
        "Microseconds: median of {} rounds, in brackets the lowest and the highest. A batch is a message that comes and",
        effort.rounds
    );
    println!("one that goes. The last column is the median of the ratios of the rounds.\n");
    println!(
        "| load | flush | payload | batches a group | {} | fjall / redb |",
        ENGINES.map(|(name, _)| name).join(" | ")
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|");
    for load in LOADS {
        for flush in [Flush::Each, Flush::Never] {
            for payload in PAYLOADS {
                for group in GROUPS {
                    println!("{}", time_row(folder.path(), load, flush, payload, group, &effort));
                }
            }
        }
    }
    println!("\n## After a long run\n");
    println!(
        "{} batches in groups of 100, at each moment 100 messages in flight; then closed, opened again, and read.\n",
        effort.long
    );
    println!("| load | payload | store | MiB on disk | MiB of it live | ms to close | ms to open and read |");
    println!("|---|---:|---|---:|---:|---:|---:|");
    for load in LOADS {
        for payload in PAYLOADS {
            for engine in ENGINES {
                println!("{}", long_row(folder.path(), load, engine, payload, effort.long));
            }
        }
    }
}

/// All orders of three.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [2, 1, 0], [1, 0, 2], [0, 2, 1], [2, 0, 1], [1, 2, 0]];

type Open = fn(&Path, Flush) -> Box<dyn Engine>;

type Make = fn(usize) -> Box<dyn Load>;

fn time_row(
    folder: &Path,
    (what, make): (&str, Make),
    flush: Flush,
    payload: usize,
    group: usize,
    effort: &Effort,
) -> String {
    let mut contenders: Vec<_> = ENGINES
        .iter()
        .map(|(name, open)| {
            let place = folder.join(format!("{what}-{name}-{flush:?}-{payload}-{group}"));
            (open(&place, flush), make(payload))
        })
        .collect();
    let mut times = vec![Vec::new(); contenders.len()];
    for round in 0..=effort.rounds {
        // What a store leaves to do in the background is in the way of the one that comes next, so that is another each time.
        for place in ORDERS[round % ORDERS.len()] {
            let (engine, load) = &mut contenders[place];
            let time = turn(&mut **engine, &mut **load, group, effort.slice);
            // The first round fills caches.
            if round > 0 {
                times[place].push(time);
            }
        }
    }
    let ratios = times[0]
        .iter()
        .zip(&times[1])
        .map(|(redb, fjall)| fjall / redb)
        .collect();
    let cells: Vec<_> = times.into_iter().map(spread).collect();
    let flush = match flush {
        Flush::Each => "each group",
        Flush::Never => "never",
    };
    format!(
        "| {what} | {flush} | {payload} B | {group} | {} | {} |",
        cells.join(" | "),
        spread(ratios)
    )
}

/// Microseconds a batch.
fn turn(engine: &mut dyn Engine, load: &mut dyn Load, group: usize, slice: Duration) -> f64 {
    let (mut batches, mut spent) = (0, Duration::ZERO);
    while spent < slice || batches < 3 * group {
        let writes = load.group(group);
        let started = Instant::now();
        engine.commit(&writes);
        spent += started.elapsed();
        batches += group;
    }
    spent.as_secs_f64() * 1e6 / batches as f64
}

fn long_row(
    folder: &Path,
    (what, make): (&str, Make),
    (name, open): (&str, Open),
    payload: usize,
    batches: usize,
) -> String {
    let place = folder.join(format!("long-{what}-{name}-{payload}"));
    let mut engine = open(&place, Flush::Never);
    let mut load = make(payload);
    for _ in 0..batches / 100 {
        engine.commit(&load.group(100));
    }
    let live = load.live_bytes();
    let started = Instant::now();
    drop(engine);
    let close = started.elapsed();
    let size = size_of(&place);
    let started = Instant::now();
    let mut engine = open(&place, Flush::Never);
    let count = engine.count();
    let open = started.elapsed();
    assert_eq!(count, load.live(), "{name} has lost or kept something");
    drop(engine);
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    format!(
        "| {what} | {payload} B | {name} | {:.1} | {:.2} | {:.1} | {:.1} |",
        mib(size),
        mib(live),
        ms(close),
        ms(open)
    )
}

fn size_of(place: &Path) -> u64 {
    let about = std::fs::metadata(place).expect("a file or folder");
    if about.is_dir() {
        let entries = std::fs::read_dir(place).expect("a folder");
        return entries.map(|entry| size_of(&entry.expect("an entry").path())).sum();
    }
    // What is allocated, since files may have holes.
    std::os::unix::fs::MetadataExt::blocks(&about) * 512
}

fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values[0], values[values.len() - 1]);
    let median = values[values.len() / 2];
    let digits = if median < 100.0 { 2 } else { 0 };
    format!("{median:.digits$} ({low:.digits$}–{high:.digits$})")
}
