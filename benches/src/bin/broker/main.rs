//! Speed of the broker, and the memory that it takes, in one table.

mod bare;
mod coming;
mod filters;
mod memory;
mod plot;
mod rig;
mod run;
mod section;
mod table;
mod target;
mod traffic;
mod wire;

use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

use mqtt_benches::options::{self, Command, Options};
use mqtt_benches::progress::Progress;
use mqtt_benches::rounds::{Contender, Effort};
use mqtt_benches::{allocation, instructions};

use section::Group;

#[global_allocator]
static ALLOCATOR: allocation::Weighing = allocation::Weighing;

/// What is printed when the command line makes no sense.
const USAGE: &str = "\
usage: broker [--quick] [--no-instructions] [--only TEXT] [--write]
       broker cell SECTION ROW PASSES

  --quick            a few short rounds and no instructions: a look in passing
  --no-instructions  do not run callgrind
  --only TEXT        only rows whose section and name hold TEXT, such as publish-5.0/1-to-100; memory is one
  --write            also write RESULTS-broker.md and broker.svg beside the sources

`cell` makes passes over one row and nothing else, to be run below callgrind or perf.";

/// The section of what is weighed.
const MEMORY: &str = "memory";

fn main() -> ExitCode {
    let result = match options::parse(std::env::args().skip(1), "cargo run --release --bin broker", 2) {
        Ok(Command::Table(options)) => make_table(&options),
        Ok(Command::Cell { names, passes }) => work_on_cell(&names[0], &names[1], passes),
        Err(message) => {
            eprintln!("{message}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn make_table(options: &Options) -> io::Result<()> {
    let effort = if options.quick { Effort::QUICK } else { Effort::FULL };
    let is_wanted = |slug: &str| options.only.as_ref().is_none_or(|only| slug.contains(only));
    let mut sections = section::all();
    for section in &mut sections {
        let slug = section.slug;
        // What the others are held against is never left out.
        let mut is_first = true;
        let mut keep = |row: &run::Row| core::mem::take(&mut is_first) || is_wanted(&format!("{slug}/{}", row.slug));
        section.rows.retain(|row| keep(row));
    }
    sections.retain(|section| section.rows.len() > 1);
    let weights = if is_wanted(MEMORY) { memory::weigh() } else { Vec::new() };
    let mut progress = Progress::new("time", sections.len());
    let mut groups: Vec<Group> = sections
        .into_iter()
        .map(|section| Group::measure(section, effort, &mut progress))
        .collect();
    if options.instructions && instructions::available() {
        let rows = groups.iter().map(|group| group.cells.len()).sum();
        let mut progress = Progress::new("instructions", rows);
        for group in &mut groups {
            group.count(&mut progress)?;
        }
    }
    let document = table::document(&groups, &weights, effort, &options.command_line);
    print!("{document}");
    if options.write {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::write(folder.join("RESULTS-broker.md"), document)?;
        fs::write(folder.join("broker.svg"), plot::svg(&groups))?;
    }
    Ok(())
}

/// Passes over one row and nothing else, for callgrind and perf.
fn work_on_cell(section: &str, row: &str, passes: usize) -> io::Result<()> {
    let unknown = || io::Error::other("there is no section or row of this name");
    let sections = section::all();
    let section = sections
        .iter()
        .find(|known| known.slug == section)
        .ok_or_else(unknown)?;
    let row = section
        .rows
        .iter()
        .find(|known| known.slug == row)
        .ok_or_else(unknown)?;
    let mut run = row.run();
    for _ in 0..passes {
        run.prepare();
        run.pass();
    }
    Ok(())
}
