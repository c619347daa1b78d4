//! The log: lines for people, or one JSON object each.

use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use std::time::Duration;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt};

use super::fields::Quoting;
use super::lines::Lines;
use crate::Ending;
use crate::broker::config::{Log, LogLevel};
use crate::broker::{Problem, Report, Severity};
use crate::screen::note;

/// What is done by the control socket is logged for this target, whatever the level is.
pub(super) const CONTROL: &str = "control";
/// And that lines are missing.
const LOST: &str = "lost";
/// How long the last lines may take.
const ENDING: Duration = Duration::from_secs(2);

static LEVEL: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();
static LINES: OnceLock<Lines> = OnceLock::new();

/// Begins to log, on standard error.
pub(super) fn begin(log: Log) -> io::Result<()> {
    let to = Lines::default();
    let lines = to.clone();
    let (level, handle) = reload::Layer::new(targets(log.level));
    let lines = fmt::layer().with_writer(move || lines.clone()).with_target(false);
    let registry = tracing_subscriber::registry().with(level);
    let begun = if log.json {
        registry.with(lines.json().flatten_event(true)).try_init()
    } else {
        let is_terminal = io::stderr().is_terminal();
        registry
            .with(lines.fmt_fields(Quoting).with_ansi(is_terminal))
            .try_init()
    };
    // A process that logs already goes on with that.
    if begun.is_ok() {
        to.start(io::stderr(), tell_lost)?;
        // It begins once.
        let _ = LEVEL.set(handle);
        let _ = LINES.set(to);
    }
    Ok(())
}

fn tell_lost(lines: u64) {
    tracing::warn!(target: LOST, lines, "lines are missing here: nobody read them in time");
}

/// How many lines were lost, since nobody read them in time.
pub(super) fn lost() -> u64 {
    LINES.get().map_or(0, Lines::lost_in_all)
}

/// Tells what is wrong with files, as the log has it.
pub(super) fn tell(report: &Report) {
    report.problems().iter().for_each(tell_problem);
    if report.further() > 0 {
        tracing::warn!(problems = report.further(), "and there are further problems");
    }
}

fn tell_problem(problem: &Problem) {
    let file = problem.file.display();
    let (line, column) = problem.place.map(|place| (place.line, place.column)).unzip();
    let (message, advice) = (&problem.message, &problem.advice);
    match problem.severity {
        Severity::Error => tracing::error!(%file, line, column, advice, "{message}"),
        Severity::Warning => tracing::warn!(%file, line, column, advice, "{message}"),
    }
}

/// The same at the start: to whoever has called the program, unless it is to speak JSON.
pub(super) fn tell_first(report: &Report, log: Log) {
    if log.json {
        tell(report);
    } else {
        note_all(report);
    }
}

/// The same without a log.
pub(super) fn note_all(report: &Report) {
    report.problems().iter().for_each(note);
    if report.further() > 0 {
        note(format_args!("and {} more", report.further()));
    }
}

/// Tells how it ended, if it failed, and waits until the last lines are written; not for long, since nobody may read them.
pub(super) fn end(ended: Result<(), Ending>, log: Log) -> Result<(), Ending> {
    let Some(lines) = LINES.get() else { return ended };
    let ended = ended.map_err(|ending| {
        if log.json {
            tracing::error!(target: CONTROL, advice = ending.what_to_do(), "{}", ending.what());
        } else {
            lines.push(format!("{ending}\n").as_bytes());
        }
        ending.silent()
    });
    lines.flush(ENDING);
    ended
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
        .with_target(LOST, level.max(LevelFilter::INFO))
}

const fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}
