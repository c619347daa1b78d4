//! `mqtt store check`.

use std::collections::BTreeSet;
use std::fmt::Display;

use mqtt_adapter::Clock;
use mqtt_session::{Broker, BrokerConfig, BrokerKey, BrokerReport, Client, ClientConfig};
use mqtt_store::{FileReader, Salvaged, SessionName};

use super::kept::{Kept, in_words, text};
use super::telling::Telling;
use super::{Source, open, refused};
use crate::Ending;

/// What is found, and how much of it is bad.
struct Findings {
    damages: usize,
    telling: Telling,
}

pub(super) fn run(source: &Source) -> Result<(), Ending> {
    let mut reader = open(&source.path)?;
    let bytes = reader.file_bytes().map_err(|error| refused(&error))?;
    let mut findings = Findings {
        damages: 0,
        telling: Telling::new(),
    };
    let told = format_args!("{}: {bytes} bytes", source.path.display());
    findings.telling.line(told)?;
    if reader.was_blank() {
        let message = format!(
            "{}: there is nothing in it: making a store was interrupted, or it was wiped",
            source.path.display()
        );
        return Err(Ending::failed(message).advice(
            "if there has been a store, bring back a copy; a broker that starts with the file makes a new one of it",
        ));
    }
    if let Some(salvaged) = reader.salvaged().cloned() {
        findings.of_file(&salvaged)?;
    }
    let names = reader.brokers().map_err(|error| refused(&error))?;
    if source.is_configured {
        findings.of_configuration(&names, source.config.shards)?;
    }
    for name in names {
        let loaded = reader.load_broker(&name).map_err(|error| refused(&error))?;
        findings.of_broker(&Kept::of(name, loaded)?, source)?;
    }
    findings.of_sessions(&mut reader)?;
    match findings.damages {
        0 => findings.telling.line("Nothing is damaged."),
        count => Err(Ending::failed(format_args!(
            "{}: {count} found to be damaged or of no use, as told above",
            source.path.display()
        ))
        .advice(
            "bring back a copy; or start a broker with it: it keeps the damaged file beside, and goes on with the rest",
        )),
    }
}

impl Findings {
    fn bad(&mut self, what: impl Display) -> Result<(), Ending> {
        self.damages += 1;
        self.telling.line(format_args!("  damaged: {what}"))
    }

    fn of_no_use(&mut self, what: impl Display) -> Result<(), Ending> {
        self.damages += 1;
        self.telling.line(format_args!("  of no use: {what}"))
    }

    fn of_file(&mut self, salvaged: &Salvaged) -> Result<(), Ending> {
        self.bad(format_args!(
            "pages of the file; of what is left, {} records are as they were written",
            salvaged.records
        ))?;
        if salvaged.names_lost || salvaged.broker_names_lost {
            self.bad("names of brokers or sessions, whose records are lost with them")?;
        }
        for name in salvaged.brokers_incomplete.iter().chain(&salvaged.ended) {
            self.bad(format_args!("{name}: records are missing, and it is not known which"))?;
        }
        Ok(())
    }

    fn of_configuration(&mut self, names: &[SessionName], shards: u16) -> Result<(), Ending> {
        let expected: BTreeSet<String> = (0..shards)
            .map(|own| match shards {
                1 => "broker".to_owned(),
                _ => format!("broker-{own}-of-{shards}"),
            })
            .collect();
        for other in names.iter().filter(|name| !expected.contains(&name.to_string())) {
            self.of_no_use(format_args!(
                "{other}: it was written with another number of shards than the configured {shards}"
            ))?;
        }
        Ok(())
    }

    /// All records of a broker, as it would take them at its start.
    fn of_broker(&mut self, kept: &Kept, source: &Source) -> Result<(), Ending> {
        let clients = kept.clients();
        let config = source.config.machine(0).shards(kept.shards_or_one());
        // Without a configuration it is not known where the bounds of the broker are.
        let config = match source.is_configured {
            true => config,
            false => unbounded(config),
        };
        let report = restored(kept, config.clone());
        self.telling.line(format_args!(
            "{}: {} records, {} sessions, {} subscriptions, {} retained messages",
            kept.name,
            kept.records.len(),
            report.sessions,
            report.subscriptions,
            report.retained
        ))?;
        for key in &kept.damaged {
            self.bad(clients.describe(key))?;
        }
        let unused: Vec<&BrokerKey> = unused(&report, kept).collect();
        // What a broker without bounds takes, this one has only no room for.
        let without_bounds = match unused.is_empty() || !source.is_configured {
            true => report.clone(),
            false => restored(kept, unbounded(config)),
        };
        for key in unused {
            let what = clients.describe(key);
            match without_bounds.quarantined.contains(key) {
                true => self.of_no_use(format_args!("{what}; something that it belongs to is not there"))?,
                false => self.of_no_use(format_args!("{what}; it is above a limit of the configuration"))?,
            }
        }
        // A session can end since its time is over, too.
        for client in &report.ended {
            let client = text(client);
            self.telling
                .line(format_args!("  the session of \"{client}\" ends with the next start"))?;
        }
        Ok(())
    }

    /// Sessions of clients, which a broker does not have.
    fn of_sessions(&mut self, reader: &mut FileReader) -> Result<(), Ending> {
        for name in reader.sessions().map_err(|error| refused(&error))? {
            let loaded = reader.load(&name).map_err(|error| refused(&error))?;
            let records = loaded.records.len();
            let Ok(config) = ClientConfig::new(name.as_bytes().to_vec()) else {
                self.bad(format_args!("session {name}: this is not the name of a client"))?;
                continue;
            };
            let mut restore = Client::restore(config, Clock::new().now());
            loaded.into_client(&mut restore);
            let (_, report) = restore.finish();
            self.telling.line(format_args!(
                "session {name}: {records} records, {} messages on their way",
                report.live.len()
            ))?;
            for quarantined in &report.quarantined {
                self.bad(format_args!("{} of {name}", in_words(quarantined.key)))?;
            }
        }
        Ok(())
    }
}

/// What a broker that is configured like this makes of the records.
fn restored(kept: &Kept, config: BrokerConfig) -> BrokerReport {
    let mut restore = Broker::restore(config, Clock::new().now());
    for record in &kept.records {
        restore.record(record.clone());
    }
    for key in &kept.damaged {
        restore.damaged(key.clone());
    }
    restore.finish().1
}

/// What was read, and cannot be used.
fn unused<'r>(report: &'r BrokerReport, kept: &'r Kept) -> impl Iterator<Item = &'r BrokerKey> {
    let quarantined = report.quarantined.iter();
    quarantined.filter(|key| !kept.damaged.contains(key))
}

/// With room for everything that can be in a file.
fn unbounded(mut config: BrokerConfig) -> BrokerConfig {
    let limits = &mut config.limits;
    limits.sessions = u32::MAX;
    limits.subscriptions = u32::MAX;
    limits.subscriptions_per_session = u32::MAX;
    limits.filter_levels = u16::MAX;
    limits.topic_levels = u16::MAX;
    limits.retained_messages = u32::MAX;
    limits.retained_bytes = u64::MAX;
    config
}
