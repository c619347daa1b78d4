//! Everything at once, for as long as is asked for: in the end the broker holds no more than in the middle.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::churn::Churn;
use super::watched::Watched;
use super::web::figure;
use super::{mebibytes, number_of};

/// How long it lasts, if nothing is said.
const SECONDS: u64 = 5;
/// Before the first sample, so that sessions that live for a second have begun to end.
const WARM_UP: Duration = Duration::from_secs(2);
/// How many samples are taken, and about how many of them are printed.
const SAMPLES: u32 = 120;
const PRINTED: usize = 24;

/// A column of the table: its name, by how much of itself and by how much more the last third may be above the middle one.
type Column = (&'static str, f64, f64);

const COLUMNS: [Column; 6] = [
    ("RSS KiB", 0.05, 1024.0),
    ("files", 0.0, 8.0),
    ("threads", 0.0, 2.0),
    ("store KiB", 0.1, 2048.0),
    ("sessions", 0.05, 12.0),
    ("retained", 0.1, 8.0),
];

/// What the broker has at a moment.
struct Sample {
    at: Duration,
    values: [f64; COLUMNS.len()],
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.1}", self.at.as_secs_f64())?;
        self.values.iter().try_for_each(|value| write!(f, "{value:>10.0}"))
    }
}

/// A broker with a store in a file, and bounds that are met.
fn broker() -> Watched {
    Watched::start(
        "[persistence]\npath = 'broker.store'\ndurability = 'os'\n[limits.client]\nqueued_messages = 100\n[log]\nlevel = 'info'\n",
    )
}

fn sample(broker: &Watched, at: Duration) -> Sample {
    let metrics = broker.metrics();
    let store = broker.folder.path().join("broker.store");
    let store = std::fs::metadata(store).expect("it is there").len();
    let kibibytes = |bytes: u64| (bytes / 1024) as f64;
    let values = [
        kibibytes(broker.process.resident()),
        broker.process.files() as f64,
        broker.process.threads() as f64,
        kibibytes(store),
        figure(&metrics, "mqtt_sessions") as f64,
        figure(&metrics, "mqtt_retained_messages") as f64,
    ];
    Sample { at, values }
}

fn median(samples: &[Sample], column: usize) -> f64 {
    let mut values: Vec<_> = samples.iter().map(|sample| sample.values[column]).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What has grown from the middle third to the last one, by more than it may.
fn grown(samples: &[Sample]) -> Vec<String> {
    let third = samples.len() / 3;
    let (middle, last) = (&samples[third..2 * third], &samples[2 * third..]);
    let grown = COLUMNS.iter().enumerate().filter_map(|(at, (name, share, more))| {
        let (before, after) = (median(middle, at), median(last, at));
        println!("{name:>9}: {before:.0} in the middle third, {after:.0} in the last one");
        (after > before * (1.0 + share) + more).then(|| format!("{name} from {before:.0} to {after:.0}"))
    });
    grown.collect()
}

/// Soaks a broker, and returns what has grown.
fn soak(seconds: u64, session_seconds: u64) -> Vec<String> {
    let broker = broker();
    let runtime = Runtime::new().expect("threads");
    let churn = runtime.block_on(Churn::start(broker.serving.address, session_seconds));
    thread::sleep(WARM_UP);
    let began = Instant::now();
    let every = Duration::from_secs(seconds) / SAMPLES;
    let mut samples = Vec::new();
    for number in 0..SAMPLES {
        let due = every * number;
        thread::sleep(due.saturating_sub(began.elapsed()));
        samples.push(sample(&broker, began.elapsed()));
        // What it logs is not kept here either.
        broker.serving.log();
    }
    let names: String = COLUMNS.iter().map(|(name, ..)| format!("{name:>10}")).collect();
    println!("  seconds{names}");
    for sample in samples.iter().step_by(SAMPLES as usize / PRINTED) {
        println!("{sample}");
    }
    let metrics = broker.metrics();
    let of = |name| figure(&metrics, name);
    println!(
        "{} visits in {:.0} s: {} messages came and {} copies went, {} were dropped, {} wills, {} takeovers; at most {:.1} MiB",
        churn.visits(),
        began.elapsed().as_secs_f64(),
        of("mqtt_messages_received_total"),
        of("mqtt_messages_delivered_total"),
        of("mqtt_messages_dropped_total"),
        of("mqtt_wills_published_total"),
        of("mqtt_takeovers_total"),
        mebibytes(broker.process.most_resident()),
    );
    for happens in [
        "mqtt_wills_published_total",
        "mqtt_takeovers_total",
        "mqtt_messages_dropped_total",
    ] {
        // On a busy machine it takes longer than the shortest run.
        broker.wait_for(happens, |times| times > 0);
    }
    runtime.block_on(churn.end());
    let grown = grown(&samples);
    assert_eq!(broker.serving.end(), Some(0));
    grown
}

#[test]
fn soak_is_flat() {
    let grown = soak(number_of("MQTT_SOAK", SECONDS), 1);
    assert_eq!(grown, Vec::<String>::new());
}

/// The soak notices what stays: sessions that nobody ends.
#[test]
fn sessions_that_stay_are_noticed() {
    let grown = soak(SECONDS, 3600);
    println!("grown: {grown:?}");
    assert!(grown.iter().any(|what| what.starts_with("sessions ")), "{grown:?}");
}
