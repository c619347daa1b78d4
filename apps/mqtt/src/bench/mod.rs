//! `mqtt bench`: load with publishers and subscribers, and what comes of it.
//!
//! One thread serves all sockets, and packets are encoded once and patched for each message, so that the generator costs little beside the
//! broker. What it costs is told with the results: where it is the larger part, it is the generator that is measured.

mod answers;
mod arguments;
mod clearing;
mod client;
mod dialing;
mod drawing;
mod engine;
mod figures;
mod frames;
mod interrupt;
mod plot;
mod preparing;
mod process;
mod publisher;
mod report;
mod screen;
mod seen;
mod server;
mod subscriber;
mod waiting;
mod wire;

pub use arguments::BenchArguments;
pub use server::Server;

use std::fs;

use self::dialing::Dialer;
use self::engine::Engine;
use self::figures::{Counts, Growth, Measured, Moment};
use self::process::{Memory, Watched};
use self::report::Report;
use self::screen::Screen;
use crate::Ending;
use crate::screen::print;

/// Loads a broker, and tells what came of it.
pub(crate) fn run(arguments: &BenchArguments) -> Result<(), Ending> {
    arguments.check()?;
    preparing::raise_file_limit(arguments)?;
    let screen = Screen::new(arguments);
    let result = load(arguments, &screen);
    screen.clear();
    let (report, measured) = result?;
    if let Some(file) = &arguments.svg {
        let drawn = plot::svg(&report.to_string(), &measured);
        fs::write(file, drawn).map_err(|error| Ending::failed(format_args!("{}: {error}", file.display())))?;
    }
    match arguments.json {
        true => print(serde_json::to_string(&report).map_err(Ending::failed)? + "\n")?,
        false => print(format_args!("{report}\n"))?,
    }
    report.verdict()
}

fn load(arguments: &BenchArguments, screen: &Screen) -> Result<(Report, Measured), Ending> {
    let dialer = Dialer::new(arguments)?;
    let measured = measure(arguments, &dialer, screen);
    let cleared = clearing::clear(arguments, &dialer, screen);
    match (measured, cleared) {
        (Ok((measured, growth)), Ok(())) => Ok((Report::new(arguments, &measured, growth), measured)),
        (Ok(_), Err(ending)) | (Err(ending), Ok(())) => Err(ending),
        (Err(ending), Err(also)) => {
            also.tell();
            Err(ending)
        }
    }
}

fn measure(
    arguments: &BenchArguments,
    dialer: &Dialer<'_>,
    screen: &Screen,
) -> Result<(Measured, Option<Growth>), Ending> {
    let broker = arguments.pid.map(Watched::new).transpose()?;
    let own = Watched::own();
    let moment = || Moment::of(own.as_ref(), broker.as_ref());
    let memory = || broker.as_ref().map(Watched::memory).transpose();
    let before = memory()?;
    // They stand until the end.
    let _beside = preparing::beside(arguments, dialer, screen)?;
    let cast = match arguments.retained {
        Some(count) => {
            preparing::retain(arguments, dialer, screen, count)?;
            preparing::replayed(arguments, dialer, count)?
        }
        None => preparing::cast(arguments, dialer, screen)?,
    };
    let ready = memory()?;
    let has_load = arguments.publishers > 0 || arguments.retained.is_some();
    let measured = match has_load {
        true => Engine::new(arguments, cast)?.run(screen, &dialer.interrupt, moment)?,
        false => {
            let mut measured = Measured::new(moment()?)?;
            measured.end_unless_ended(0, Counts::default(), moment()?);
            measured
        }
    };
    let growth = growth(before, ready, memory()?);
    Ok((measured, growth))
}

fn growth(before: Option<Memory>, ready: Option<Memory>, after: Option<Memory>) -> Option<Growth> {
    Some(Growth {
        before: before?,
        ready: ready?,
        after: after?,
    })
}
