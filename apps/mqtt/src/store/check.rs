//! `mqtt store check`.

use std::collections::BTreeSet;

use mqtt_adapter::Clock;
use mqtt_session::{Broker, BrokerKey, BrokerReport, Client, ClientConfig, Shards};
use mqtt_store::{FileReader, Salvaged, SessionName};

use super::kept::{Clients, Kept, in_words, text};
use super::{Source, open, refused};
use crate::Ending;

/// What is found, and how much of it is bad.
#[derive(Default)]
struct Findings {
    damages: usize,
}

pub(super) fn run(source: &Source) -> Result<(), Ending> {
    let mut reader = open(&source.path)?;
    let bytes = reader.file_bytes().map_err(|error| refused(&error))?;
    println!("{}: {bytes} bytes", source.path.display());
    let mut findings = Findings::default();
    if let Some(salvaged) = reader.salvaged().cloned() {
        findings.of_file(&salvaged);
    }
    let names = reader.brokers().map_err(|error| refused(&error))?;
    if source.is_configured {
        findings.of_configuration(&names, source.config.shards);
    }
    for name in names {
        let loaded = reader.load_broker(&name).map_err(|error| refused(&error))?;
        findings.of_broker(&Kept::of(name, loaded)?, source);
    }
    findings.of_sessions(&mut reader)?;
    match findings.damages {
        0 => {
            println!("Nothing is damaged.");
            Ok(())
        }
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
    fn bad(&mut self, what: impl std::fmt::Display) {
        self.damages += 1;
        println!("  damaged: {what}");
    }

    fn of_file(&mut self, salvaged: &Salvaged) {
        self.bad(format_args!(
            "pages of the file; of what is left, {} records are as they were written",
            salvaged.records
        ));
        if salvaged.names_lost || salvaged.broker_names_lost {
            self.bad("names of brokers or sessions, whose records are lost with them");
        }
        for name in salvaged.brokers_incomplete.iter().chain(&salvaged.ended) {
            self.bad(format_args!("{name}: records are missing, and it is not known which"));
        }
    }

    fn of_configuration(&mut self, names: &[SessionName], shards: u16) {
        let expected: BTreeSet<String> = (0..shards)
            .map(|own| match shards {
                1 => "broker".to_owned(),
                _ => format!("broker-{own}-of-{shards}"),
            })
            .collect();
        for other in names.iter().filter(|name| !expected.contains(&name.to_string())) {
            self.damages += 1;
            println!("  of no use: {other}: it was written with another number of shards than the configured {shards}");
        }
    }

    /// All records of a broker, as it would take them at its start.
    fn of_broker(&mut self, kept: &Kept, source: &Source) {
        let clients = kept.clients();
        let shards = kept.shards().or_else(|| Shards::new(0, 1)).unwrap_or_default();
        let config = source.config.machine(0).shards(shards);
        let mut restore = Broker::restore(config, Clock::new().now());
        for record in &kept.records {
            restore.record(record.clone());
        }
        for key in &kept.damaged {
            restore.damaged(key.clone());
        }
        let (broker, report) = restore.finish();
        drop(broker);
        println!(
            "{}: {} records, {} sessions, {} subscriptions, {} retained messages",
            kept.name,
            kept.records.len(),
            report.sessions,
            report.subscriptions,
            report.retained
        );
        self.of_report(&clients, &kept.damaged, &report);
    }

    fn of_report(&mut self, clients: &Clients, damaged: &[BrokerKey], report: &BrokerReport) {
        for key in damaged {
            self.bad(clients.describe(key));
        }
        for key in report.quarantined.iter().filter(|key| !damaged.contains(key)) {
            self.damages += 1;
            println!(
                "  of no use: {}; something that it belongs to is not there",
                clients.describe(key)
            );
        }
        // A session can end since its time is over, too.
        for client in &report.ended {
            println!("  the session of \"{}\" ends with the next start", text(client));
        }
    }

    /// Sessions of clients, which a broker does not have.
    fn of_sessions(&mut self, reader: &mut FileReader) -> Result<(), Ending> {
        for name in reader.sessions().map_err(|error| refused(&error))? {
            let loaded = reader.load(&name).map_err(|error| refused(&error))?;
            let records = loaded.records.len();
            let Ok(config) = ClientConfig::new(name.as_bytes().to_vec()) else {
                self.bad(format_args!("session {name}: this is not the name of a client"));
                continue;
            };
            let mut restore = Client::restore(config, Clock::new().now());
            loaded.into_client(&mut restore);
            let (_, report) = restore.finish();
            println!(
                "session {name}: {records} records, {} messages on their way",
                report.live.len()
            );
            for quarantined in &report.quarantined {
                self.bad(format_args!("{} of {name}", in_words(quarantined.key)));
            }
        }
        Ok(())
    }
}
