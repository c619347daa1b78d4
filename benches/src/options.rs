//! The command line.

use crate::measure::Direction;

/// What is printed when the command line makes no sense.
pub const USAGE: &str = "\
usage: mqtt-benches [--quick] [--no-instructions] [--only TEXT] [--write]
       mqtt-benches cell decode|encode STREAM CODEC PASSES

  --quick            a few short rounds and no instructions: a look in passing
  --no-instructions  do not run callgrind
  --only TEXT        only streams whose name holds TEXT, such as publish-5
  --write            also write RESULTS-codec.md and codec.svg beside the sources

`cell` makes passes over one cell and nothing else, to be run below callgrind or perf.";

/// What to do.
pub enum Command {
    /// Measure and print the table.
    Table(Options),
    /// Work on one cell.
    Cell(CellName),
}

/// How to measure.
#[derive(Default)]
pub struct Options {
    pub quick: bool,
    pub instructions: bool,
    pub only: Option<String>,
    pub write: bool,
    /// The command, for the head of the table.
    pub command_line: String,
}

/// Which cell, and how many passes.
pub struct CellName {
    pub direction: Direction,
    pub stream: String,
    pub row: String,
    pub passes: usize,
}

/// Reads the arguments behind the program's name.
pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let arguments: Vec<String> = arguments.collect();
    match arguments.first().map(String::as_str) {
        Some("cell") => parse_cell(&arguments[1..]).map(Command::Cell),
        _ => parse_options(&arguments).map(Command::Table),
    }
}

fn parse_options(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options {
        instructions: true,
        ..Options::default()
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--quick" => {
                options.quick = true;
                options.instructions = false;
            }
            "--no-instructions" => options.instructions = false,
            "--write" => options.write = true,
            "--only" => options.only = Some(rest.next().ok_or("--only needs a text")?.clone()),
            other => return Err(format!("{other} is not an option")),
        }
    }
    options.command_line = match arguments {
        [] => "cargo run --release".to_owned(),
        _ => format!("cargo run --release -- {}", arguments.join(" ")),
    };
    Ok(options)
}

fn parse_cell(arguments: &[String]) -> Result<CellName, String> {
    let [direction, stream, row, passes] = arguments else {
        return Err("cell takes four arguments".to_owned());
    };
    Ok(CellName {
        direction: match direction.as_str() {
            "decode" => Direction::Decode,
            "encode" => Direction::Encode,
            other => return Err(format!("{other} is neither decode nor encode")),
        },
        stream: stream.clone(),
        row: row.clone(),
        passes: passes
            .parse()
            .map_err(|_| format!("{passes} is not a number of passes"))?,
    })
}
