//! Speed of the session beside the other state machines of the field, in one table.

mod pairs;
mod run;
mod scenario;

use mqtt_benches::allocation;
use mqtt_benches::rounds::{self, Contender, Effort};

#[global_allocator]
static ALLOCATOR: allocation::Counting = allocation::Counting;

fn main() {
    let a: Vec<String> = std::env::args().collect();
    if a.len() > 2 {
        let s = scenario::named(&a[2]).unwrap();
        let row = run::Row::ALL.into_iter().find(|r| r.slug() == a[3]).unwrap();
        let mut r = pairs::make(row, s);
        for _ in 0..a[4].parse().unwrap() { r.pass(); }
        return;
    }
    for scenario in scenario::all() {
        if a.len() > 1 && !scenario.slug().contains(&a[1]) { continue; }
        let mut runs: Vec<_> = pairs::rows(scenario).into_iter().map(|row| pairs::make(row, scenario)).collect();
        for run in &mut runs { run.verify(scenario); }
        let base = vec![0; runs.len()];
        let t = rounds::compare(&mut runs, &base, Effort::QUICK);
        for (r, t) in runs.iter().zip(t) {
            println!("{:30} {:24} {:8.1} {:5.2} a={}", scenario.slug(), r.row.slug(), t.time.median, t.ratio.map_or(1.0, |r| r.median), t.allocations);
        }
    }
}
