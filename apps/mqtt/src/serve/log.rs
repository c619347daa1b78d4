//! The log: lines for people, or one JSON object each.

use std::sync::OnceLock;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt};

use super::fields::Quoting;
use crate::broker::config::{Log, LogLevel};

/// What is done by the control socket is logged for this target, whatever the level is.
pub(super) const CONTROL: &str = "control";

static LEVEL: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Begins to log, on standard error.
pub(super) fn begin(log: Log) {
    let (level, handle) = reload::Layer::new(targets(log.level));
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let registry = tracing_subscriber::registry().with(level);
    let begun = if log.json {
        registry.with(lines.json().flatten_event(true)).try_init()
    } else {
        let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        registry
            .with(lines.fmt_fields(Quoting).with_ansi(is_terminal))
            .try_init()
    };
    // A process that logs already goes on with that.
    if begun.is_ok() {
        let _ = LEVEL.set(handle);
    }
}

/// From here on this is logged, and what is more important.
pub(super) fn set_level(level: LogLevel) {
    if let Some(handle) = LEVEL.get() {
        let _ = handle.reload(targets(level));
    }
}

/// What is logged. `None`: it is not this program that logs.
pub(super) fn level() -> Option<LogLevel> {
    let default = LEVEL.get()?.with_current(Targets::default_level).ok()??;
    let levels = [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug];
    levels.into_iter().find(|level| filter(*level) == default)
}

fn targets(level: LogLevel) -> Targets {
    let level = filter(level);
    Targets::new()
        .with_default(level)
        .with_target(CONTROL, level.max(LevelFilter::INFO))
}

const fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}
