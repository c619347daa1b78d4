//! Speed of the codec beside the other MQTT codecs of the field, in one table.

mod checksum;
mod label;
mod malformed;
mod measure;
mod peers;
mod plot;
mod run;
mod stream;
mod table;
mod target;
mod value;
mod verify;
mod wire;

use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

use mqtt_benches::options::{self, Command, Options};
use mqtt_benches::progress::Progress;
use mqtt_benches::rounds::Effort;
use mqtt_benches::{allocation, instructions};

use measure::Direction;
use run::Run;
use stream::Stream;
use table::Group;

#[global_allocator]
static ALLOCATOR: allocation::Counting = allocation::Counting;

/// What is printed when the command line makes no sense.
const USAGE: &str = "\
usage: mqtt-benches [--quick] [--no-instructions] [--only TEXT] [--write]
       mqtt-benches cell decode|encode STREAM CODEC PASSES

  --quick            a few short rounds and no instructions: a look in passing
  --no-instructions  do not run callgrind
  --only TEXT        only streams whose name holds TEXT, such as publish-5
  --write            also write RESULTS-codec.md and codec.svg beside the sources

`cell` makes passes over one cell and nothing else, to be run below callgrind or perf.";

fn main() -> ExitCode {
    let result = match options::parse(std::env::args().skip(1), "cargo run --release", 3) {
        Ok(Command::Table(options)) => make_table(&options),
        Ok(Command::Cell { names, passes }) => work_on_cell(&names, passes),
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
    let mut streams = stream::all();
    streams.retain(|stream| options.only.as_ref().is_none_or(|only| stream.slug.contains(only)));
    let mut groups = measure_all(&streams, effort);
    if options.instructions && instructions::available() {
        count_instructions(&mut groups)?;
    }
    let mut document = table::document(&groups, effort, &options.command_line);
    document.push_str(&malformed::document());
    print!("{document}");
    if options.write {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::write(folder.join("RESULTS-codec.md"), document)?;
        fs::write(folder.join("codec.svg"), plot::svg(&groups))?;
    }
    Ok(())
}

fn measure_all(streams: &[Stream], effort: Effort) -> Vec<Group> {
    let mut progress = Progress::new("time", streams.len() * 2);
    let mut groups = Vec::new();
    for direction in Direction::ALL {
        for stream in streams {
            let mut runs: Vec<Run> = direction.makers(stream).iter().map(|(_, make)| make(stream)).collect();
            progress.step(&format!("{} {}, {} codecs", direction.slug(), stream.title, runs.len()));
            let forms: Vec<_> = runs
                .iter_mut()
                .map(|run| verify::verify(run, stream, direction))
                .collect();
            let mut cells = measure::measure(&mut runs, effort);
            for (cell, form) in cells.iter_mut().zip(forms) {
                cell.form = form;
            }
            groups.push(Group {
                direction,
                slug: stream.slug.clone(),
                title: stream.title.clone(),
                cells,
            });
        }
    }
    groups
}

fn count_instructions(groups: &mut [Group]) -> io::Result<()> {
    let mut progress = Progress::new("instructions", groups.iter().map(|group| group.cells.len()).sum());
    for group in groups {
        for cell in &mut group.cells {
            progress.step(&format!(
                "{} {}, {}",
                group.direction.slug(),
                group.title,
                cell.row.slug()
            ));
            let pass = instructions::of_one_pass(&["cell", group.direction.slug(), &group.slug, cell.row.slug()])?;
            cell.instructions = Some(pass / cell.packets as f64);
        }
    }
    Ok(())
}

/// Passes over one cell and nothing else, for callgrind and perf.
fn work_on_cell(names: &[String], passes: usize) -> io::Result<()> {
    let unknown = |what: &str| io::Error::other(format!("there is no {what} of this name"));
    let direction = Direction::ALL
        .into_iter()
        .find(|direction| direction.slug() == names[0])
        .ok_or_else(|| unknown("direction"))?;
    let stream = stream::named(&names[1]).ok_or_else(|| unknown("stream"))?;
    let makers = direction.makers(&stream);
    let (_, make) = makers
        .iter()
        .find(|(row, _)| row.slug() == names[2])
        .ok_or_else(|| unknown("codec"))?;
    let mut run = make(&stream);
    for _ in 0..passes {
        run.prepare();
        run.pass();
    }
    Ok(())
}
