//! `mqtt broker`: a broker on sockets, from its configuration to its end.

mod checker;
mod control;
mod exposition;
mod fields;
mod figures;
#[cfg(feature = "broken-store")]
mod forgetful;
mod gate;
mod health;
mod lines;
mod listening;
mod log;
mod login;
mod metrics;
mod notify;
mod process;
mod recheck;
mod remembered;
mod repeats;
mod rules;
mod runtime;
mod sys;
mod timed;
mod turns;

use std::collections::HashMap;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use mqtt_adapter::host::{Entrance, Host, Running};
use mqtt_proto::DisconnectReason;
use mqtt_session::Ask;
use mqtt_store::{FileOptions, FileStore, Writer};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use self::checker::Checker;
use self::control::Control;
use self::exposition::Vitals;
use self::gate::Gate;
use self::health::Health;
use self::recheck::Recheck;
use self::repeats::Repeats;
use self::rules::{Rules, SharedRules};
use self::sys::Sys;
use self::timed::{Timed, Times};
use crate::Ending;
use crate::broker::{Config, Report, Setup, check};
use crate::screen::print;

/// How long clients and the store have at the end.
const ENDING: Duration = Duration::from_secs(10);

/// What `mqtt broker` is told.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  mqtt broker                           at 127.0.0.1:1883, for everybody on this machine, in memory
  mqtt broker --print-config > mqtt.toml   every key, with its default and what it means
  mqtt broker --config mqtt.toml --check   what is wrong with it, by line and column
  mqtt broker --config mqtt.toml

SIGHUP reads the configuration again: users, rights, certificates and the log's level change without a lost
connection; what is wrong with it is told, and the old one stays in force. SIGTERM and SIGINT end the broker: its clients
are told, and what is to be stored is stored.

`mqtt ctl` shows and changes a broker that runs, if the configuration names a `control` socket.")]
pub struct Serve {
    /// The configuration, in TOML; without one it serves this machine alone
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only say what is wrong with the configuration
    #[arg(long)]
    check: bool,
    /// Print a configuration with every key and its default
    #[arg(long, conflicts_with_all = ["config", "check"])]
    print_config: bool,
}

/// A broker that runs, and what can be changed about it.
struct Broker {
    serve: Serve,
    config: Config,
    rules: SharedRules,
    vitals: Vitals,
    repeats: Repeats,
    entrances: Vec<Entrance>,
    running: Running,
    writer: Option<Writer>,
    /// Its file goes when the broker does.
    control: Option<Control>,
}

/// Runs it.
pub(crate) fn run(serve: Serve) -> Result<(), Ending> {
    if serve.print_config {
        return Ok(print(Config::example())?);
    }
    let (setup, report) = check(serve.config.as_deref());
    if serve.check {
        log::note_all(&report);
        usable(&report)?;
        for listener in &setup.config.listeners {
            listening::layers(listener)?;
        }
        return Ok(print("The configuration can be used.\n")?);
    }
    let log = setup.config.log;
    log::begin(log)?;
    log::tell_first(&report, log);
    let ended = usable(&report).and_then(|()| {
        // Signals are heard from here on: one that comes early ends the broker in good order too.
        let signals = listen_to_signals()?;
        let broker = Broker::start(serve, setup)?;
        broker.serve_until_told(&signals)
    });
    log::end(ended, log)
}

fn usable(report: &Report) -> Result<(), Ending> {
    if report.has_errors() {
        return Err(Ending::failed("the configuration cannot be used"));
    }
    Ok(())
}

fn listen_to_signals() -> Result<Receiver<i32>, Ending> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let (sender, receiver) = channel();
    thread::Builder::new().name("mqtt-signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            if sender.send(signal).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}

impl Broker {
    fn start(serve: Serve, setup: Setup) -> Result<Self, Ending> {
        let config = setup.config.clone();
        let connections = raise_file_limit(&config);
        let times = config.persistence.path.as_deref().map(Times::new);
        let writer = open_store(&config, times.as_ref())?;
        let rules = SharedRules::new(Rules::new(setup));
        let checker = Checker::start(turns::Bounds {
            all: config.limits.logins as usize,
            each: config.limits.logins_per_address as usize,
        })?;
        let seed = fresh_seed();
        let mut host = Host::new(config.machine(seed).ask(Ask::EVERYTHING))
            .shards(NonZeroU16::new(config.shards).unwrap_or(NonZeroU16::MIN));
        if let Some(connections) = connections {
            host = host.connections(connections);
        }
        if let Some(connections) = config.limits.connections_per_address.and_then(NonZeroU32::new) {
            host = host.connections_per_address(connections);
        }
        let keep_alive = config.limits.tcp_keep_alive;
        host = host.tcp_keep_alive((!keep_alive.idle.is_zero()).then_some(keep_alive));
        let mut entrances = Vec::new();
        for listener in &config.listeners {
            let listen = listening::listen(listener)?;
            entrances.push(listen.entrance());
            host = host.listen(listen);
        }
        if let Some(writer) = &writer {
            host = host.store(writer.clone());
        }
        let (shared, health) = (rules.clone(), Health::default());
        let repeats = Repeats::default();
        let vitals = Vitals {
            health: health.clone(),
            checker: checker.clone(),
            store: times,
        };
        let of_gates = (health.clone(), repeats.clone());
        let host = host.policy(move |handle| {
            let (health, repeats) = of_gates.clone();
            Gate::new(shared.clone(), checker.clone(), handle, health, repeats)
        });
        let running = runtime::start(host).map_err(Ending::failed)?;
        for report in running.reports() {
            tracing::info!(?report, "restored");
        }
        for (name, address) in running.listeners() {
            tracing::info!(listener = %name, address = address.map(tracing::field::display), "listening");
        }
        Ok(Self {
            serve,
            config,
            rules,
            vitals,
            repeats,
            entrances,
            running,
            writer,
            control: None,
        })
    }

    fn serve_until_told(mut self, signals: &Receiver<i32>) -> Result<(), Ending> {
        if let Some(metrics) = &self.config.metrics {
            let address = metrics::serve(metrics.address, self.running.handles().to_vec(), self.vitals.clone())
                .map_err(|error| Ending::failed(format_args!("metrics at {}: {error}", metrics.address)))?;
            tracing::info!(%address, "metrics");
        }
        if let Some(path) = &self.config.control {
            let served = control::Served {
                shards: self.running.handles().to_vec(),
                health: self.vitals.health.clone(),
                store: self.writer.clone(),
            };
            let control = control::serve(path, served)
                .map_err(|error| Ending::failed(format_args!("control socket {}: {error}", path.display())))?;
            tracing::info!(path = %path.display(), "control socket");
            self.control = Some(control);
        }
        notify::tell("READY=1");
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            process = std::process::id(),
            runtime = runtime::NAME,
            "serving"
        );
        let mut sys = Sys::new(self.config.sys_interval);
        loop {
            let until = sys.due().unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            let soon = Instant::now() + Duration::from_millis(500);
            let wait = until.min(soon).saturating_duration_since(Instant::now());
            match signals.recv_timeout(wait) {
                Ok(SIGHUP) => {
                    self.reload();
                    sys.set_interval(self.config.sys_interval);
                }
                Ok(signal) => return self.end(signal, signals),
                Err(RecvTimeoutError::Timeout) => sys.publish(self.running.handles(), Instant::now()),
                Err(RecvTimeoutError::Disconnected) => return Err(Ending::failed("no signal can be heard any more")),
            }
            self.repeats.tell_due();
            if self.running.is_finished() {
                return Err(Ending::failed("the broker has ended by itself: the log says why"));
            }
        }
    }

    /// Reads the configuration again. What is wrong with it is told, and nothing changes then.
    fn reload(&mut self) {
        notify::tell_reloading();
        if let Err(error) = self.try_reload() {
            tracing::error!(
                error = error.what(),
                advice = error.what_to_do(),
                "the configuration stays as it was"
            );
        }
        notify::tell("READY=1");
    }

    fn try_reload(&mut self) -> Result<(), Ending> {
        let (mut setup, report) = check(self.serve.config.as_deref());
        log::tell(&report);
        usable(&report)?;
        let config = setup.config.clone();
        // All of them first: what cannot be used changes nothing.
        let layers: Vec<_> = config
            .listeners
            .iter()
            .map(listening::layers)
            .collect::<Result<_, _>>()?;
        let mut renewed = HashMap::new();
        for (listener, layers) in config.listeners.iter().zip(layers) {
            if self
                .config
                .listeners
                .iter()
                .any(|open| listening::has_same_layers(open, listener))
            {
                let name = listener.address.to_string();
                let entrance = self.entrances.iter().find(|entrance| **entrance.name() == *name);
                entrance.inspect(|entrance| entrance.set_layers(layers.clone()));
                if listener.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some()) {
                    renewed.insert(name, layers);
                }
            }
        }
        let waiting = config.awaiting_restart(&self.config);
        if !waiting.is_empty() {
            let keys = waiting.join(", ");
            tracing::warn!(
                keys,
                "these keys change with a restart; what else has changed counts from here on"
            );
        }
        log::set_level(config.log.level);
        // What needs a restart stays as it is, so that nobody comes in by a rule for a listener that is not there yet, and the
        // next change is compared with what runs.
        setup.config.listeners = listening::in_force(&self.config, &config);
        self.config.listeners.clone_from(&setup.config.listeners);
        self.config.sys_interval = config.sys_interval;
        let (before, rules) = (self.rules.current(), Rules::new(setup));
        let lost = Arc::new(before.lost(&rules));
        self.rules.replace(rules);
        for handle in self.running.handles() {
            let lost = Arc::clone(&lost);
            handle.run(move |desk| {
                gate::dismiss(desk, &lost);
                desk.broker.policy_changed(desk.now);
            });
        }
        if !renewed.is_empty() {
            let recheck = Recheck {
                shards: self.running.handles().to_vec(),
                layers: renewed,
                in_force: self.rules.clone(),
                rules: self.rules.current(),
                coming: self.config.limits.client.handshake_timeout + Duration::from_secs(1),
            };
            recheck.start();
        }
        tracing::info!("the configuration was read again");
        Ok(())
    }

    /// Ends in good order; a second signal ends it at once.
    fn end(self, signal: i32, signals: &Receiver<i32>) -> Result<(), Ending> {
        tracing::info!(signal, "ending: clients are told, and what is to be stored is stored");
        notify::tell("STOPPING=1");
        self.running.shutdown(DisconnectReason::ServerShuttingDown, ENDING);
        while !self.running.is_finished() {
            match signals.recv_timeout(Duration::from_millis(20)) {
                Ok(SIGHUP) | Err(_) => {}
                Ok(_) => self
                    .running
                    .shutdown(DisconnectReason::ServerShuttingDown, Duration::ZERO),
            }
        }
        let ended = self.running.wait().map_err(Ending::failed)?;
        self.repeats.tell_rest();
        if let Some(writer) = self.writer {
            writer.close().map_err(Ending::failed)?;
        }
        if ended.iter().all(|shard| shard.is_complete) {
            tracing::info!("ended");
            Ok(())
        } else {
            Err(Ending::failed(
                "the broker has ended before all clients were told, or all was stored",
            ))
        }
    }
}

fn open_store(config: &Config, times: Option<&Times>) -> Result<Option<Writer>, Ending> {
    let (Some(path), Some(times)) = (&config.persistence.path, times.cloned()) else {
        return Ok(None);
    };
    let refused = |error: &dyn std::fmt::Display| Ending::failed(format_args!("{}: {error}", path.display()));
    let options = FileOptions::default().durability(config.persistence.durability.unwrap_or_default());
    let store = FileStore::open_with(path, options).map_err(|error| refused(&error))?;
    if store.was_blank() {
        let path = path.display();
        tracing::warn!(%path, "there was nothing in the file of the store: making it was interrupted, or it was wiped; it is a new one");
    }
    if let Some(salvaged) = store.salvaged() {
        tracing::error!(
            path = %path.display(),
            kept_as = %salvaged.moved_to.display(),
            saved = salvaged.records,
            lost = salvaged.damaged.len() + salvaged.broker_damaged.len(),
            may_be_more = !salvaged.brokers_incomplete.is_empty() || !salvaged.ended.is_empty() || salvaged.names_lost || salvaged.broker_names_lost,
            "the file of the store was damaged: what is undamaged is gone on with in a new one, the rest is lost; `mqtt store check` says \
             of the file that was kept what is missing"
        );
    }
    #[cfg(feature = "broken-store")]
    if std::env::var_os(forgetful::SWITCH).is_some() {
        tracing::error!("this is a test: the store forgets");
        let writer = Writer::start(forgetful::Forgetful::new(store)).map_err(|error| refused(&error))?;
        return Ok(Some(writer));
    }
    let writer = Writer::start(Timed { store, times }).map_err(|error| refused(&error))?;
    Ok(Some(writer))
}

/// Places in hash tables and names of clients are made of it: nobody outside is to know it.
fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}

/// As many files as the system lets the process open: each connection is one. How many connections fit, if they are fewer than configured.
fn raise_file_limit(config: &Config) -> Option<usize> {
    let wanted = config.open_files_max();
    match rlimit::increase_nofile_limit(wanted) {
        Ok(limit) if limit < wanted => {
            let connections = Config::connections_within(limit);
            if config.asks_for_connections() {
                tracing::warn!(
                    limit,
                    wanted,
                    connections,
                    "the system lets this process open fewer files than the configured connections need: no more connections are accepted \
                     than fit, further ones wait until one ends"
                );
            } else {
                tracing::info!(
                    limit,
                    connections,
                    "so many connections fit into the files that the system lets this process open"
                );
            }
            return usize::try_from(connections).ok();
        }
        Ok(limit) => tracing::debug!(limit, "open files"),
        Err(error) => tracing::warn!(%error, "the limit of open files cannot be raised"),
    }
    None
}
