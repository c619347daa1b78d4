//! The command line of a program that makes a table.

/// What to do.
pub enum Command {
    /// Measure and print the table.
    Table(Options),
    /// Work on one cell, and nothing else.
    Cell {
        /// Which cell.
        names: Vec<String>,
        /// How many passes.
        passes: usize,
    },
}

/// How to measure.
#[derive(Default)]
pub struct Options {
    /// A few short rounds only.
    pub quick: bool,
    /// Have callgrind count instructions.
    pub instructions: bool,
    /// Only what holds this text in its name.
    pub only: Option<String>,
    /// Write the files as well.
    pub write: bool,
    /// The command, for the head of the table.
    pub command_line: String,
}

/// Reads the arguments behind the program's name. `program` is the command without any; a cell has so many `names`.
pub fn parse(arguments: impl Iterator<Item = String>, program: &str, names: usize) -> Result<Command, String> {
    let arguments: Vec<String> = arguments.collect();
    match arguments.first().map(String::as_str) {
        Some("cell") => parse_cell(&arguments[1..], names),
        _ => parse_options(&arguments, program).map(Command::Table),
    }
}

fn parse_options(arguments: &[String], program: &str) -> Result<Options, String> {
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
        [] => program.to_owned(),
        _ => format!("{program} -- {}", arguments.join(" ")),
    };
    Ok(options)
}

fn parse_cell(arguments: &[String], names: usize) -> Result<Command, String> {
    match arguments.split_last() {
        Some((passes, cell)) if cell.len() == names => Ok(Command::Cell {
            names: cell.to_vec(),
            passes: passes
                .parse()
                .map_err(|_| format!("{passes} is not a number of passes"))?,
        }),
        _ => Err(format!("cell takes {} arguments", names + 1)),
    }
}
