//! Where and with what the figures came about.

use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::rounds::Effort;

/// The compiler that built this program.
const RUSTC: &str = env!("RUSTC_VERSION");

/// The name of the processor.
fn processor() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned());
    name.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

/// How many processes wanted to run in the last minute, on how many cores.
fn load() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let average = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let minute = average.split(' ').next().unwrap_or("unknown").to_owned();
    format!("{minute} on {cores} cores")
}

/// The version of valgrind, if there is one.
fn valgrind() -> Option<String> {
    let output = Command::new("valgrind").arg("--version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    Some(version.trim().to_owned())
}

/// Today in UTC, as year-month-day.
fn date() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let days = since.map_or(0, |since| since.as_secs() / 86_400);
    let (year, month, day) = civil(days as i64);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The date of the proleptic Gregorian calendar, counted in eras of 400 years
/// that begin in March.
fn civil(days_since_1970: i64) -> (i64, i64, i64) {
    let days = days_since_1970 + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// With what, when and where the figures of a table came about, in Markdown.
pub fn describe(command: &str, effort: Effort, counts_instructions: bool) -> String {
    let instructions = match valgrind() {
        Some(version) if counts_instructions => format!("counted by callgrind of {version}"),
        _ => "not counted".to_owned(),
    };
    format!(
        "Made by `{command}` on {}.\n\n\
         - {}, load {} at the end\n\
         - {RUSTC}, release profile with thin LTO and one codegen unit\n\
         - {} rounds of {} turns of {:?} for each pair; instructions {instructions}\n\n",
        date(),
        processor(),
        load(),
        effort.rounds,
        effort.turns,
        effort.slice,
    )
}

/// The version of a package of the registry, from the lock file of this build.
pub fn version(package: &str) -> &'static str {
    const LOCK: &str = include_str!("../Cargo.lock");
    let named = format!("name = \"{package}\"\n");
    LOCK.split("[[package]]\n")
        .filter(|entry| entry.starts_with(&named) && entry.contains("source = "))
        .find_map(|entry| entry.lines().find_map(|line| line.strip_prefix("version = \"")))
        .map_or("", |version| version.trim_end_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_512), (2026, 2, 28));
        assert_eq!(civil(20_513), (2026, 3, 1));
    }
}
