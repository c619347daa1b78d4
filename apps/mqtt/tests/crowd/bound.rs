//! Idle, busy and stalled connections: the memory of the broker stays below what follows from its bounds.

use std::fmt;

use super::load::{Load, number};
use super::process::Process;
use super::watched::Watched;
use super::{mebibytes, number_of};

/// How many connections are idle, if nothing is said.
const IDLE: u64 = 300;

/// The bounds of the broker under test, by their names in its configuration.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    packet_bytes: u64,
    queued_messages: u64,
    queued_bytes: u64,
    pool_bytes: u64,
    send_maximum: u64,
}

const BOUNDS: Bounds = Bounds {
    packet_bytes: 4 << 10,
    queued_messages: 500,
    queued_bytes: 128 << 10,
    pool_bytes: 4 << 10,
    send_maximum: 100,
};

impl Bounds {
    /// Nobody is closed for not reading as long as this is measured.
    fn config(&self) -> String {
        format!(
            "[limits.client]\nstall_timeout = '1h'\npacket_bytes = {}\nqueued_messages = {}\nqueued_bytes = {}\npool_bytes = {}\n\
             send_maximum = {}\n",
            self.packet_bytes, self.queued_messages, self.queued_bytes, self.pool_bytes, self.send_maximum
        )
    }
}

/// What a connection takes of itself: its machine, its session with one subscription, its stream, and its places in tables that
/// may have just doubled.
const CONNECTION_BYTES: u64 = 8 << 10;
/// What a queued message takes beside its topic, properties and payload.
const MESSAGE_BYTES: u64 = 256;
/// From here on no further packet is put into an outbox, which has room for twice as much when it has just grown.
const OUTBOX_BYTES: u64 = 64 << 10;
/// Outboxes that a shard keeps for later.
const OUTBOXES: u64 = 64;
/// What stands in the outboxes of a turn before it is written.
const TURN_BYTES: u64 = 1 << 20;

/// Who is there.
#[derive(Clone, Copy, Debug)]
struct Crowd {
    idle: u64,
    /// Each a publisher and a subscriber.
    pairs: u64,
    stalled: u64,
}

impl Crowd {
    fn of(idle: u64) -> Self {
        Self {
            idle,
            pairs: (idle / 20).max(25),
            stalled: (idle / 100).max(10),
        }
    }

    const fn connections(&self) -> u64 {
        self.idle + 2 * self.pairs + self.stalled
    }
}

/// A summand of the bound.
struct Part {
    name: &'static str,
    count: u64,
    bytes: u64,
}

/// The most memory that follows from the bounds.
struct Formula(Vec<Part>);

impl Formula {
    /// For a broker that has this much memory without any connection.
    fn new(crowd: Crowd, bounds: Bounds, alone: u64) -> Self {
        let outbox = 2 * (OUTBOX_BYTES + bounds.packet_bytes);
        let queue = bounds.queued_bytes + bounds.queued_messages * MESSAGE_BYTES;
        // Whoever subscribes may be the next that does not read.
        let subscribers = crowd.pairs + crowd.stalled;
        let part = |name, count, bytes| Part { name, count, bytes };
        Self(vec![
            part("the program before anybody came", 1, alone),
            part("kept outboxes, and a turn's output", 1, OUTBOXES * outbox + TURN_BYTES),
            part("connections: CONNECTION_BYTES", crowd.connections(), CONNECTION_BYTES),
            part(
                "publishers: packet_bytes + 2 pool_bytes",
                crowd.pairs,
                bounds.packet_bytes + 2 * bounds.pool_bytes,
            ),
            part("subscribers: 2 (outbox + packet_bytes)", subscribers, outbox),
            part("subscribers: queued_bytes + queued_messages", subscribers, queue),
        ])
    }

    fn bytes(&self) -> u64 {
        self.0.iter().map(|part| part.count * part.bytes).sum()
    }
}

impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Part { name, count, bytes } in &self.0 {
            let all = mebibytes(count * bytes);
            writeln!(f, "  {name:<46} {count:>6} x {bytes:>9} B = {all:>7.1} MiB")?;
        }
        write!(f, "  {:<46} {:>30.1} MiB", "together", mebibytes(self.bytes()))
    }
}

/// One run at a broker of its own.
struct Run {
    formula: Formula,
    /// The most memory that the broker had.
    resident: u64,
    /// Microseconds, from when a message was due.
    latency: [f64; 2],
    received: f64,
    dropped: u64,
    /// Lines of the log about that, and how many copies they tell of.
    told: (u64, u64),
    /// Of the broker, for a message that comes to those that read.
    cpu_micros: f64,
}

/// Loads a broker. The formula is that of the usual bounds.
fn run(crowd: Crowd, stalled: u64, bounds: Bounds) -> Run {
    let broker = Watched::start(&bounds.config());
    let alone = broker.process.resident();
    let is_large = crowd.idle > IDLE;
    let (warm_up, duration) = if is_large { (10, 20) } else { (1, 3) };
    // Enough for those that do not read to fill what the system takes for them.
    let (rate, payload) = if is_large { (2500, 1000) } else { (2000, 3000) };
    let Crowd { idle, pairs, .. } = crowd;
    let load = Load::start(
        broker.serving.address,
        &format!(
            "-q 1 --idle {idle} --publishers {pairs} --subscribers {pairs} --topics {pairs} --stalled {stalled} --rate {rate} \
             --payload {payload} --warm-up {warm_up} --duration {duration} --patience 30 --pid {}",
            broker.serving.process
        ),
    );
    let figures = load.figures();
    let latency = ["/latency_micros/p50", "/latency_micros/p99"].map(|path| number(&figures, path));
    assert_eq!(number(&figures, "/repeated"), 0.0, "{figures}");
    let present = Crowd { stalled, ..crowd };
    let (resident, dropped) = (
        broker.process.most_resident(),
        broker.figure("mqtt_messages_dropped_total"),
    );
    // What is dropped is counted, and those that read lose nothing: else the load had failed.
    Run {
        formula: Formula::new(present, BOUNDS, alone),
        resident,
        latency,
        received: number(&figures, "/total/received"),
        dropped,
        told: told_of_drops(&broker.log_to_the_end()),
        cpu_micros: number(&figures, "/broker/cpu_micros_per_delivery"),
    }
}

/// How many lines tell of copies that were dropped, and of how many.
fn told_of_drops(log: &[String]) -> (u64, u64) {
    let told = log.iter().filter(|line| line.contains("were dropped"));
    let copies = told.map(|line| {
        line.rsplit_once("messages=")
            .and_then(|(_, copies)| copies.parse::<u64>().ok())
    });
    copies.fold((0, 0), |(lines, sum), copies| {
        (lines + 1, sum + copies.expect("a number"))
    })
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99] = self.latency;
        let (seen, bound) = (mebibytes(self.resident), mebibytes(self.formula.bytes()));
        write!(
            f,
            "{seen:>6.1} MiB of at most {bound:>6.1}; {} messages came to those that read, p50 {p50:.0} and p99 {p99:.0} microseconds, \
             {:.0} of the broker's processor each; {} copies dropped, {} lines about it",
            self.received, self.cpu_micros, self.dropped, self.told.0
        )
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

#[test]
fn memory_stays_below_the_formula_beside_those_that_never_read() {
    let crowd = Crowd::of(number_of("MQTT_CROWD", IDLE));
    let rounds = number_of("MQTT_CROWD_ROUNDS", 1);
    println!("{crowd:?}");
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        for (stalled, seen) in [(0, &mut without), (crowd.stalled, &mut with)] {
            let run = run(crowd, stalled, BOUNDS);
            println!("round {round}, {stalled:>4} never read: {run}");
            assert!(run.resident <= run.formula.bytes(), "{}", run.formula);
            assert_eq!(run.dropped > 0, stalled > 0, "{run}");
            // Each client once in so many seconds, and all of it in the end.
            assert_eq!(run.told.1, run.dropped, "{run}");
            assert!(run.told.0 * 100 <= run.dropped, "the log is full of it: {run}");
            seen.push(run);
        }
    }
    if let Some(run) = with.first() {
        println!("{}", run.formula);
    }
    for (at, name) in ["p50", "p99"].into_iter().enumerate() {
        let of = |runs: &[Run]| median(runs.iter().map(|run| run.latency[at]).collect());
        let (alone, beside) = (of(&without), of(&with));
        println!(
            "{name}: {alone:.0} without and {beside:.0} beside them: {:.2} times",
            beside / alone
        );
    }
}

/// The formula is one that can be broken: by queues that are longer than it says.
#[test]
fn a_broker_with_wider_bounds_is_above_the_formula() {
    let wide = Bounds {
        queued_messages: 1_000_000,
        queued_bytes: 1 << 32,
        ..BOUNDS
    };
    let crowd = Crowd {
        stalled: 40,
        ..Crowd::of(20)
    };
    let run = run(crowd, crowd.stalled, wide);
    println!("with wide bounds: {run}");
    assert!(run.resident > run.formula.bytes(), "{run}\n{}", run.formula);
}

#[test]
fn a_process_is_read_as_it_is() {
    let own = Process::new("self");
    // Other tests run beside this one, and are part of it: what it has now may grow between two looks, the most cannot fall.
    let now = own.resident();
    assert!(now > 1 << 16 && own.most_resident() >= now);
    assert!(own.files() > 2 && own.threads() > 0 && own.files_limit() > 2);
}
