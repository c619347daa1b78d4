//! Instructions of a pass, counted by callgrind.
//!
//! The program is run again below callgrind for one cell. callgrind collects in
//! functions named `measured_pass` only, which leaves start-up and preparation out,
//! and the cell is run with two counts of passes: their difference leaves out the
//! first passes, which fill lazy statics and grow buffers.
//!
//! callgrind counts a string instruction once for each byte it moves. The C
//! library is told to copy large blocks with vector instructions instead, or a
//! payload of 4 KiB would count as 4096 instructions where it is copied.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs, io};

/// Passes of the shorter of the two runs.
const WARM_PASSES: usize = 2;
/// By how many passes the longer run is longer.
const COUNTED_PASSES: usize = 2;

const NO_STRING_INSTRUCTIONS: &str = "glibc.cpu.x86_rep_movsb_threshold=1073741824";

/// Whether there is a valgrind to run.
pub fn available() -> bool {
    Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Instructions of one pass of the cell that the arguments name. The number of passes is put behind them.
pub fn of_one_pass(cell: &[&str]) -> io::Result<f64> {
    let short = of_passes(cell, WARM_PASSES)?;
    let long = of_passes(cell, WARM_PASSES + COUNTED_PASSES)?;
    Ok(long.saturating_sub(short) as f64 / COUNTED_PASSES as f64)
}

fn of_passes(cell: &[&str], passes: usize) -> io::Result<u64> {
    let profile = env::temp_dir().join(format!("mqtt-benches-{}.callgrind", std::process::id()));
    let result = run_below_callgrind(&profile, cell, passes);
    // Where callgrind failed there may be no file to remove.
    let _ = fs::remove_file(&profile);
    result
}

fn run_below_callgrind(profile: &Path, cell: &[&str], passes: usize) -> io::Result<u64> {
    let status = Command::new("valgrind")
        .env("GLIBC_TUNABLES", NO_STRING_INSTRUCTIONS)
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg("--toggle-collect=*measured_pass*")
        .arg(env::current_exe()?)
        .args(cell)
        .arg(passes.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(io::Error::other("callgrind did not run the cell"));
    }
    total(&fs::read_to_string(profile)?).ok_or_else(|| io::Error::other("a profile of callgrind without its total"))
}

fn total(profile: &str) -> Option<u64> {
    profile
        .lines()
        .find_map(|line| line.strip_prefix("totals: "))
        .and_then(|count| count.trim().parse().ok())
}
