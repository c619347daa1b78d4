//! The page for Prometheus.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::checker::Checker;
use super::figures::{self, Kind, Sums};
use super::health::Health;
use super::timed::Times;
use super::{log, process};

/// What is told of beside what the shards count.
#[derive(Clone)]
pub(super) struct Vitals {
    pub(super) health: Health,
    pub(super) checker: Checker,
    /// `None`: nothing is kept in a file.
    pub(super) store: Option<Times>,
}

/// All of it.
pub(super) fn page(sums: Sums, vitals: &Vitals) -> String {
    let mut registry = Registry::default();
    of_the_process(&mut registry);
    let mqtt = registry.sub_registry_with_prefix("mqtt");
    of_logins_and_log(mqtt, vitals);
    of_the_store(mqtt, vitals);
    mqtt.register_collector(Box::new(sums));
    let mut body = String::new();
    // Text takes whatever is written to it.
    let _ = text::encode(&mut body, &registry);
    body
}

fn gauge(value: u64) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX))
}

/// Under the names that all programs have for it.
fn of_the_process(registry: &mut Registry) {
    let Some(process) = process::ask() else { return };
    let help = "Memory of the process that is not swapped out";
    registry.register_with_unit(
        "process_resident_memory",
        help,
        Unit::Bytes,
        gauge(process.resident_bytes),
    );
    let help = "Memory that the process has addresses for";
    registry.register_with_unit(
        "process_virtual_memory",
        help,
        Unit::Bytes,
        gauge(process.virtual_bytes),
    );
    let help = "Time of processors that the process has had";
    let cpu = ConstCounter::new(process.cpu_seconds);
    registry.register_with_unit("process_cpu", help, Unit::Seconds, cpu);
    let help = "Files and connections that the process has open";
    registry.register("process_open_fds", help, gauge(process.open_files));
    let help = "How many the system lets it open";
    registry.register("process_max_fds", help, gauge(process.open_files_max));
}

fn of_logins_and_log(registry: &mut Registry, vitals: &Vitals) {
    let help = "Clients that wait for the check of their password";
    registry.register("logins_waiting", help, gauge(vitals.checker.waiting() as u64));
    let help = "Clients that were told that the broker is busy, since too many waited for the check of their password";
    let turned_away = ConstCounter::new(vitals.health.clients_turned_away());
    registry.register("logins_turned_away", help, turned_away);
    let help = "Lines of the log that were lost, since nobody read them in time";
    registry.register("log_lines_lost", help, ConstCounter::new(log::lost()));
}

fn of_the_store(registry: &mut Registry, vitals: &Vitals) {
    let failed = ConstGauge::new(i64::from(vitals.health.store_failure().is_some()));
    let help = "Whether the store has failed: nobody is served until the broker is started again";
    registry.register("store_failed", help, failed);
    let Some(times) = &vitals.store else { return };
    if let Some(bytes) = times.file_bytes() {
        let help = "How large the file of the store is";
        registry.register_with_unit("store_file", help, Unit::Bytes, gauge(bytes));
    }
    let help =
        "How long records took until they were as durable as persistence.durability says, in groups of all that waited";
    registry.register_with_unit("store_flush", help, Unit::Seconds, times.flushes());
}

impl Collector for Sums {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for figure in figures::ALL {
            let value = figure.of(self);
            match figure.kind {
                Kind::Counter => {
                    let counter = ConstCounter::new(value);
                    let kind = counter.metric_type();
                    counter.encode(encoder.encode_descriptor(figure.name, figure.help, None, kind)?)?;
                }
                Kind::Gauge => {
                    let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
                    let kind = gauge.metric_type();
                    gauge.encode(encoder.encode_descriptor(figure.name, figure.help, None, kind)?)?;
                }
            }
        }
        Ok(())
    }
}
