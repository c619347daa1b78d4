//! Where and when.

use std::fs;
use std::process::Command;

/// Today, in UTC.
pub fn date() -> String {
    said("date", &["-u", "+%Y-%m-%d"])
}

/// The processor, and how many of them.
pub fn machine() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name"));
    let name = name.map_or(std::env::consts::ARCH, |rest| rest.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{name}, {cores} cores, load {} at the beginning",
        load.split(' ').next().unwrap_or("unknown")
    )
}

/// What the folders of the brokers are on.
pub fn file_system() -> String {
    let folder = std::env::temp_dir();
    said("stat", &["-f", "-c", "%T", &folder.display().to_string()])
}

/// The first line that a program says, or that it is not there.
pub fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.ok()
        .and_then(|text| text.lines().next().map(str::to_owned))
        .unwrap_or(format!("no {program}"))
}
