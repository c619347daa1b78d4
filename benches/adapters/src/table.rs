//! The report.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use mqtt_std::session::Limits;

use crate::load::{Failed, Load, Pace, Used};
use crate::peers::Client;
use crate::rumqttc::REQUESTS;
use crate::target::{NO_WORSE, verdicts};

/// Median, lowest and highest.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    low: f64,
    high: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        Some(Self {
            median: *values.get(values.len() / 2)?,
            low: *values.first()?,
            high: *values.last()?,
        })
    }
}

/// One load at one server, and what all clients have used for it.
pub struct Row {
    server: &'static str,
    load: Load,
    used: BTreeMap<&'static str, Vec<Used>>,
    syscalls: BTreeMap<&'static str, Option<f64>>,
}

impl Row {
    /// Without any round.
    pub fn new(server: &'static str, load: Load, clients: &[Client]) -> Self {
        Self {
            server,
            load,
            used: clients.iter().map(|client| (client.name(), Vec::new())).collect(),
            syscalls: BTreeMap::new(),
        }
    }

    /// What a client has used in the next round.
    pub fn add(&mut self, client: &Client, used: Used) {
        self.used.entry(client.name()).or_default().push(used);
    }

    /// How many calls of the kernel a message takes.
    pub fn set_syscalls(&mut self, client: &Client, calls: Option<f64>) {
        self.syscalls.insert(client.name(), calls);
    }

    /// What the clients had to do.
    pub const fn load(&self) -> Load {
        self.load
    }

    /// Where.
    pub const fn server(&self) -> &'static str {
        self.server
    }

    /// What the row is called.
    pub fn title(&self) -> String {
        let Load { qos, window, .. } = self.load;
        match self.load.pace {
            Pace::Saturated => format!("{}, QoS {qos}, window {window}", self.server),
            Pace::Offered(rate) => format!("{}, QoS {qos}, {rate} messages a second", self.server),
            Pace::OneByOne => format!("{}, QoS {qos}, one by one", self.server),
        }
    }

    /// The ratios of the rounds.
    pub fn ratio(&self, over: &Client, under: &Client, figure: impl Fn(&Used) -> Option<f64>) -> Option<Spread> {
        let rounds = self.used.get(over.name())?.iter().zip(self.used.get(under.name())?);
        let ratios = rounds.filter_map(|(over, under)| Some(figure(over)? / figure(under)?));
        Spread::of(ratios.collect())
    }

    fn median(&self, client: &Client, figure: impl Fn(&Used) -> Option<f64>) -> Option<f64> {
        let values = self.used.get(client.name())?.iter().filter_map(figure);
        Spread::of(values.collect()).map(|spread| spread.median)
    }
}

/// The whole report.
pub fn report(rows: &[Row], clients: &[Client], rounds: usize) -> Result<String, Failed> {
    let mut out = String::new();
    writeln!(out, "# Clients over sockets beside each other\n")?;
    writeln!(
        out,
        "Made by `cargo run --release -- --write` in `benches/adapters` on {}.\n",
        said("date", &["+%Y-%m-%d"])
    )?;
    writeln!(
        out,
        "- {rounds} rounds; in each all clients take turns. Every run is a process of its own; payload 64 bytes, MQTT 3.1.1, loopback"
    )?;
    writeln!(out, "- {}", said("rustc", &["--version"]))?;
    writeln!(
        out,
        "- {} cores, kept awake by a process each that runs where nothing else does; load {} at the end",
        said("nproc", &[]),
        load_average()
    )?;
    writeln!(
        out,
        "- mqtt-tokio, mqtt-smol, mqtt-std of this tree; rumqttc 0.25.1; node {}; {}",
        said("node", &["--version"]),
        said("mosquitto", &["-h"])
    )?;
    writeln!(
        out,
        "- null: a server that only answers, all packets of a read with one write"
    )?;
    writeln!(
        out,
        "- ahead of the window wait {} messages at most with ours, as by default, and {REQUESTS} with rumqttc, whose queue has no default length: the longer one may fill more of each write where messages come as fast as they are taken\n",
        Limits::default().queued_messages
    )?;
    targets(&mut out, rows, clients)?;
    writeln!(
        out,
        "\n## All figures\n\nMedians of the rounds. Calls: of the kernel, a message, counted by `strace` in a run of its own."
    )?;
    writeln!(
        out,
        "The kernel knows the CPU time of a run exactly, but splits it into user and system by the ticks of its clock{}: that split is rough.\n",
        few_ticks(rows, clients)
    )?;
    writeln!(
        out,
        "| load | client | messages a second | CPU µs a message | user | system | calls | p50 µs | p99 µs |"
    )?;
    writeln!(out, "|---|---|---:|---:|---:|---:|---:|---:|---:|")?;
    for row in rows {
        for client in clients {
            line(&mut out, row, client)?;
        }
    }
    Ok(out)
}

/// How much CPU time the first client takes in a run at the first offered rate, if there is one.
fn few_ticks(rows: &[Row], clients: &[Client]) -> String {
    let offered = rows.iter().find_map(|row| match row.load.pace {
        Pace::Offered(rate) => Some((row, rate)),
        _ => None,
    });
    let told = offered.zip(clients.first()).and_then(|((row, rate), client)| {
        let micros = row.median(client, |used| Some(used.user_micros + used.system_micros))?;
        let (name, millis) = (client.name(), micros / 1e3);
        Some(format!(
            ", and a run of {name} at {rate} messages a second takes {millis:.0} ms"
        ))
    });
    told.unwrap_or_default()
}

fn targets(out: &mut String, rows: &[Row], clients: &[Client]) -> Result<(), Failed> {
    let rumqttc = clients
        .iter()
        .find(|client| client.name() == "rumqttc")
        .ok_or("rumqttc is always there")?;
    let ours = || clients.iter().filter(|client| client.is_ours());
    let verdicts: Vec<_> = rows
        .iter()
        .flat_map(|row| ours().flat_map(move |ours| verdicts(row, ours, rumqttc)))
        .collect();
    writeln!(
        out,
        "## Targets\n\nThe median of the ratios of the rounds, in brackets the lowest and the highest. \"No worse\" means {NO_WORSE:.2} times at most.\n"
    )?;
    writeln!(out, "| target | where | measured | verdict |\n|---|---|---|---|")?;
    for verdict in &verdicts {
        let Spread { median, low, high } = verdict.measured;
        let is_met = if verdict.is_met { "met" } else { "**missed**" };
        writeln!(
            out,
            "| {} | {} | {median:.2} ({low:.2}–{high:.2}) | {is_met} |",
            verdict.what, verdict.place
        )?;
    }
    let met = verdicts.iter().filter(|verdict| verdict.is_met).count();
    writeln!(out, "\n{met} of {} met.", verdicts.len())?;
    Ok(())
}

fn line(out: &mut String, row: &Row, client: &Client) -> Result<(), Failed> {
    let show = |value: Option<f64>, digits: usize| value.map_or("–".to_owned(), |value| format!("{value:.digits$}"));
    let each = |figure: fn(&Used) -> f64| row.median(client, |used| Some(figure(used) / used.messages));
    let rate = row.median(client, |used| Some(used.messages / used.wall_micros * 1e6));
    writeln!(
        out,
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        row.title(),
        if client.is_ours() {
            format!("**{}**", client.name())
        } else {
            client.name().to_owned()
        },
        show(rate, 0),
        show(each(|used| used.user_micros + used.system_micros), 2),
        show(each(|used| used.user_micros), 2),
        show(each(|used| used.system_micros), 2),
        show(row.syscalls.get(client.name()).copied().flatten(), 3),
        show(row.median(client, |used| used.latency.map(|(p50, _)| p50)), 1),
        show(row.median(client, |used| used.latency.map(|(_, p99)| p99)), 1),
    )?;
    Ok(())
}

/// The first line that a program says, or that it is not there.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.ok()
        .and_then(|text| text.lines().next().map(str::to_owned))
        .unwrap_or(format!("no {program}"))
}

fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}
