//! What is told in the end: to people, and as JSON.

use std::fmt::{self, Write};

use mqtt_tokio::Scheme;
use serde::Serialize;

use super::arguments::BenchArguments;
use super::figures::{Counts, Growth, Measured, Times};
use super::process::Used;
use crate::Ending;

/// The code for messages that were lost or not acknowledged.
const LOST: u8 = 4;
/// The code for what the server has refused.
const REFUSED: u8 = 3;

/// All results.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    server: String,
    tls: bool,
    version: String,
    publishers: u32,
    subscribers: u32,
    topics: u32,
    /// Of the topics, where they are drawn.
    seed: Option<u64>,
    qos: u8,
    payload_bytes: usize,
    rate: Option<u32>,
    window: u16,
    ahead: Option<u32>,
    idle: u32,
    stalled: u32,
    filters: u32,
    retained: Option<u32>,
    /// The time that these were measured in.
    seconds: f64,
    measured: Counts,
    sent_per_second: f64,
    received_per_second: f64,
    /// The whole run, with warm-up and end.
    total: Counts,
    lost: u64,
    repeated: u64,
    unacknowledged: u64,
    latency_micros: Option<Times>,
    acknowledgement_micros: Option<Times>,
    broker: Option<Process>,
    generator: Option<Process>,
    memory: Option<Growth>,
}

/// What a process has used while it was measured.
#[derive(Clone, Copy, Debug, Serialize)]
struct Process {
    #[serde(flatten)]
    used: Used,
    cpu_micros_per_message: f64,
    cpu_micros_per_delivery: Option<f64>,
}

impl Process {
    fn of(used: Used, counts: Counts) -> Self {
        let each = |count: u64| used.cpu_micros as f64 / count as f64;
        let messages = if counts.sent > 0 { counts.sent } else { counts.received };
        Self {
            used,
            cpu_micros_per_message: each(messages.max(1)),
            cpu_micros_per_delivery: (counts.received > 0).then(|| each(counts.received)),
        }
    }
}

impl Report {
    pub(super) fn new(arguments: &BenchArguments, measured: &Measured, memory: Option<Growth>) -> Self {
        let counts = measured.counts;
        let is_closed = arguments.rate.is_none() && arguments.retained.is_none();
        Self {
            server: arguments.endpoint().to_string(),
            tls: arguments.endpoint().scheme() == Scheme::Mqtts,
            version: arguments.protocol_version.to_string(),
            publishers: arguments.publishers,
            subscribers: arguments.subscribers,
            topics: arguments.random_topics.unwrap_or(arguments.topics),
            seed: arguments.random_topics.map(|_| arguments.seed),
            qos: arguments.qos.bits(),
            payload_bytes: arguments.payload,
            rate: arguments.rate,
            window: arguments.window,
            ahead: is_closed.then_some(arguments.ahead),
            idle: arguments.idle,
            stalled: arguments.stalled,
            filters: arguments.filters,
            retained: arguments.retained,
            seconds: measured.time as f64 / 1e9,
            measured: counts,
            sent_per_second: measured.per_second(counts.sent),
            received_per_second: measured.per_second(counts.received),
            total: measured.total,
            lost: measured.lost,
            repeated: measured.repeated,
            unacknowledged: measured.unacknowledged,
            latency_micros: Times::of(&measured.latencies).filter(|_| measured.is_timed),
            acknowledgement_micros: Times::of(&measured.acknowledgements),
            broker: measured.used.broker.map(|used| Process::of(used, counts)),
            generator: measured.used.generator.map(|used| Process::of(used, counts)),
            memory,
        }
    }

    /// Whether all that was promised has come.
    pub(super) fn verdict(&self) -> Result<(), Ending> {
        let refused = self.total.refused;
        if refused > 0 {
            return Err(Ending::failed(format_args!("the server refused {refused} messages")).code(REFUSED));
        }
        let (lost, open) = (self.lost, self.unacknowledged);
        if lost == 0 && open == 0 {
            return Ok(());
        }
        let message = format!(
            "of {} deliveries {lost} did not come, of {} messages {open} were not acknowledged",
            self.total.owed, self.total.sent
        );
        let advice = match self.ahead {
            None if self.retained.is_some() => {
                "the broker keeps fewer retained messages, drops them at a queue, or needs more --patience"
            }
            Some(_) if lost > 0 => {
                "a queue of the broker is shorter than --ahead and --window, or the broker needs more --patience"
            }
            _ => "the broker takes less than --rate, or needs more --patience",
        };
        Err(Ending::failed(message).advice(advice).code(LOST))
    }

    fn write_load(&self, out: &mut String) -> fmt::Result {
        let Self {
            publishers,
            subscribers,
            topics,
            qos,
            payload_bytes,
            ..
        } = self;
        if let Some(retained) = self.retained {
            writeln!(
                out,
                "load        {retained} retained messages to {subscribers} subscribers, QoS {qos}, {payload_bytes} B"
            )?;
        } else {
            let many = match (self.seed, *topics) {
                (Some(seed), _) => format!(" on {topics} topics at random, seed {seed}"),
                (None, 1) => String::new(),
                (None, _) => format!(" on {topics} topics"),
            };
            writeln!(
                out,
                "load        {publishers} to {subscribers}{many}, QoS {qos}, {payload_bytes} B, {}{}",
                self.version,
                if self.tls { ", TLS" } else { "" }
            )?;
            let bound = match (self.rate, self.ahead) {
                (Some(rate), _) => format!("{rate} messages a second are offered"),
                (_, Some(ahead)) if *subscribers > 0 && self.seed.is_some() => {
                    format!("at most {ahead} messages ahead of the slowest subscriber")
                }
                (_, Some(ahead)) if *subscribers > 0 => {
                    format!("at most {ahead} messages of a topic ahead of its slowest subscriber")
                }
                _ => "as many as the socket takes".to_owned(),
            };
            let window = if *qos > 0 {
                format!(", {} unacknowledged", self.window)
            } else {
                String::new()
            };
            writeln!(out, "bound       {bound}{window}")?;
        }
        if self.idle > 0 || self.stalled > 0 || self.filters > 0 {
            writeln!(
                out,
                "beside it   {} idle connections, {} that never read, {} filters of another client",
                self.idle, self.stalled, self.filters
            )?;
        }
        Ok(())
    }

    fn write_traffic(&self, out: &mut String) -> fmt::Result {
        let Self { seconds, measured, .. } = self;
        writeln!(out, "time        {seconds:.3} s")?;
        writeln!(
            out,
            "sent        {:>12} messages   {:>12.0} a second",
            measured.sent, self.sent_per_second
        )?;
        if self.qos > 0 {
            writeln!(out, "acked       {:>12} messages", measured.acknowledged)?;
        }
        writeln!(
            out,
            "received    {:>12} deliveries {:>12.0} a second",
            measured.received, self.received_per_second
        )?;
        writeln!(
            out,
            "lost        {:>12} in the whole run, {} repeated, {} unacknowledged",
            self.lost, self.repeated, self.unacknowledged
        )
    }

    fn write_memory(&self, out: &mut String) -> fmt::Result {
        let Some(memory) = &self.memory else { return Ok(()) };
        let kib = |bytes: u64| bytes / 1024;
        for (when, memory) in [
            ("before", memory.before),
            ("connected", memory.ready),
            ("after", memory.after),
        ] {
            let (resident, own, file) = (kib(memory.resident), kib(memory.anonymous), kib(memory.file));
            writeln!(
                out,
                "memory      {when:<10} {resident} KiB: {own} KiB its own, {file} KiB of files"
            )?;
        }
        let others = u64::from(self.idle) + u64::from(self.stalled) + u64::from(self.filters);
        let grown = memory.ready.resident.saturating_sub(memory.before.resident);
        if let Some(each) = grown.checked_div(others) {
            writeln!(
                out,
                "            {each} bytes for each of these connections and filters"
            )?;
        }
        Ok(())
    }
}

/// For people.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        self.write_load(&mut out)?;
        self.write_traffic(&mut out)?;
        write_times(&mut out, "latency", self.latency_micros)?;
        write_times(&mut out, "ack after", self.acknowledgement_micros)?;
        write_process(&mut out, "broker", self.broker)?;
        write_process(&mut out, "generator", self.generator)?;
        self.write_memory(&mut out)?;
        f.write_str(out.trim_end())
    }
}

fn write_times(out: &mut String, name: &str, times: Option<Times>) -> fmt::Result {
    let Some(Times {
        p50,
        p90,
        p99,
        p999,
        max,
        ..
    }) = times
    else {
        return Ok(());
    };
    writeln!(
        out,
        "{name:<11} p50 {p50:.1}  p90 {p90:.1}  p99 {p99:.1}  p99.9 {p999:.1}  max {max:.1} microseconds"
    )
}

fn write_process(out: &mut String, name: &str, process: Option<Process>) -> fmt::Result {
    let Some(Process {
        used,
        cpu_micros_per_message,
        cpu_micros_per_delivery,
    }) = process
    else {
        return Ok(());
    };
    let delivery = cpu_micros_per_delivery.map_or(String::new(), |micros| format!(", {micros:.3} a delivery"));
    writeln!(
        out,
        "{name:<11} {cpu_micros_per_message:.3} CPU microseconds a message{delivery}; {} ms of CPU time, {} waits",
        used.cpu_micros / 1000,
        used.waits
    )
}
