//! Speed of the session beside the other state machines of the field, in one table.

mod curve;
mod label;
mod pairs;
mod plot;
mod run;
mod scenario;
mod table;
mod target;

use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

use mqtt_benches::options::{self, Command, Options};
use mqtt_benches::progress::Progress;
use mqtt_benches::rounds::{self, Contender, Effort};
use mqtt_benches::{allocation, instructions};

use curve::{Curve, InFlight};
use run::{Row, Run};
use scenario::{FLOWS, Scenario};
use table::{Cell, Group};

#[global_allocator]
static ALLOCATOR: allocation::Counting = allocation::Counting;

/// What is printed when the command line makes no sense.
const USAGE: &str = "\
usage: session [--quick] [--no-instructions] [--only TEXT] [--write]
       session cell FLOW PAIR PASSES

  --quick            a few short rounds and no instructions: a look in passing
  --no-instructions  do not run callgrind
  --only TEXT        only flows whose name holds TEXT, such as qos1-5.0; curve-1 and curve-2 are those of the depths
  --write            also write RESULTS-session.md and session.svg beside the sources

`cell` makes passes over one cell and nothing else, to be run below callgrind or perf. The PAIR of a curve is a depth.";

/// The QoS that there are curves of.
const CURVES: [u8; 2] = [1, 2];

fn main() -> ExitCode {
    let result = match options::parse(std::env::args().skip(1), "cargo run --release --bin session", 2) {
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
    let mut scenarios = scenario::all();
    scenarios.retain(|scenario| is_wanted(&scenario.slug()));
    let mut depths = CURVES.to_vec();
    depths.retain(|qos| is_wanted(&curve_slug(*qos)));
    let mut progress = Progress::new("time", scenarios.len() + depths.len());
    let mut groups: Vec<Group> = scenarios
        .into_iter()
        .map(|scenario| measure(scenario, effort, &mut progress))
        .collect();
    let mut curves: Vec<Curve> = depths
        .into_iter()
        .map(|qos| {
            progress.step(&curve_slug(qos));
            curve::measure(qos, effort)
        })
        .collect();
    if options.instructions && instructions::available() {
        count_instructions(&mut groups, &mut curves)?;
    }
    let document = table::document(&groups, &curves, effort, &options.command_line);
    print!("{document}");
    if options.write {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::write(folder.join("RESULTS-session.md"), document)?;
        fs::write(folder.join("session.svg"), plot::svg(&groups, &curves))?;
    }
    Ok(())
}

fn curve_slug(qos: u8) -> String {
    format!("curve-{qos}")
}

fn measure(scenario: Scenario, effort: Effort, progress: &mut Progress) -> Group {
    let rows = pairs::rows(scenario);
    progress.step(&format!("{}, {} pairs", scenario.title(), rows.len()));
    let mut runs: Vec<Run> = rows.into_iter().map(|row| pairs::make(row, scenario)).collect();
    for run in &mut runs {
        run.verify(scenario);
    }
    let baselines = vec![0; runs.len()];
    let timings = rounds::compare(&mut runs, &baselines, effort);
    let cells = runs
        .iter()
        .zip(timings)
        .map(|(run, timing)| Cell {
            row: run.row,
            timing,
            instructions: None,
        })
        .collect();
    Group { scenario, cells }
}

fn count_instructions(groups: &mut [Group], curves: &mut [Curve]) -> io::Result<()> {
    let of_groups: usize = groups.iter().map(|group| group.cells.len()).sum();
    let of_curves: usize = curves.iter().map(|curve| curve.points.len()).sum();
    let mut progress = Progress::new("instructions", of_groups + of_curves);
    let mut count = |slug: &str, row: &str| {
        progress.step(&format!("{slug}, {row}"));
        instructions::of_one_pass(&["cell", slug, row]).map(|pass| Some(pass / FLOWS as f64))
    };
    for group in groups {
        for cell in &mut group.cells {
            cell.instructions = count(&group.scenario.slug(), cell.row.slug())?;
        }
    }
    for curve in curves {
        for point in &mut curve.points {
            point.instructions = count(&curve_slug(curve.qos), &point.depth.to_string())?;
        }
    }
    Ok(())
}

/// Passes over one cell and nothing else, for callgrind and perf.
fn work_on_cell(flow: &str, pair: &str, passes: usize) -> io::Result<()> {
    let unknown = |what: &str| io::Error::other(format!("there is no {what} of this name"));
    if let Some(qos) = CURVES.into_iter().find(|qos| curve_slug(*qos) == flow) {
        let depth = pair.parse().map_err(|_| unknown("depth"))?;
        repeat(&mut InFlight::new(qos, depth), passes);
        return Ok(());
    }
    let scenario = scenario::named(flow).ok_or_else(|| unknown("flow"))?;
    let row = Row::ALL
        .into_iter()
        .find(|row| row.slug() == pair)
        .ok_or_else(|| unknown("pair"))?;
    repeat(&mut pairs::make(row, scenario), passes);
    Ok(())
}

fn repeat(contender: &mut impl Contender, passes: usize) {
    for _ in 0..passes {
        contender.prepare();
        contender.pass();
    }
}
