//! What the process takes of the system, as the system tells it. Where it does not (beside Linux), nothing is said of it.

/// What is known of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Process {
    pub(super) resident_bytes: u64,
    pub(super) virtual_bytes: u64,
    pub(super) cpu_seconds: f64,
    pub(super) open_files: u64,
    pub(super) open_files_max: u64,
}

/// Asks for it.
#[cfg(target_os = "linux")]
pub(super) fn ask() -> Option<Process> {
    use std::fs;

    use rustix::param::{clock_ticks_per_second, page_size};

    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (virtual_pages, resident_pages) = pages(&statm)?;
    // The folder is open itself while it is read.
    let open_files = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    let page_bytes = page_size() as u64;
    Some(Process {
        resident_bytes: resident_pages.saturating_mul(page_bytes),
        virtual_bytes: virtual_pages.saturating_mul(page_bytes),
        cpu_seconds: ticks(&stat)? as f64 / clock_ticks_per_second().max(1) as f64,
        open_files: open_files as u64,
        open_files_max: rlimit::Resource::NOFILE.get_soft().ok()?,
    })
}

/// The same, where nobody knows.
#[cfg(not(target_os = "linux"))]
pub(super) fn ask() -> Option<Process> {
    None
}

/// All pages, and those in memory.
#[cfg(target_os = "linux")]
fn pages(statm: &str) -> Option<(u64, u64)> {
    let mut numbers = statm.split_ascii_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The time that all threads have had, in user mode and in the kernel.
#[cfg(target_os = "linux")]
fn ticks(stat: &str) -> Option<u64> {
    // The name of the program stands in brackets, and can be anything. The state is the third value, and these are the 14th and 15th.
    let (_, values) = stat.rsplit_once(')')?;
    let mut values = values.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
    let (user, kernel) = (values.next()?.ok()?, values.next()?.ok()?);
    Some(user.saturating_add(kernel))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_is_read() {
        assert_eq!(pages("1000 200 30 4 0 50 0\n"), Some((1000, 200)));
        assert_eq!(pages("1000\n"), None);
        let stat = "7 (a) b) (c) S 1 2 3 0 -1 4194560 100 0 1 0 41 9 0 0 20 0 4 0 100 1000 200";
        assert_eq!(ticks(stat), Some(50));
        assert_eq!(ticks("7 (a) S 1 2"), None);
    }

    #[test]
    fn this_process_has_memory_and_files() {
        let before = ask().expect("this is Linux");
        assert!(
            before.resident_bytes > 0 && before.virtual_bytes >= before.resident_bytes,
            "{before:?}"
        );
        assert!(
            before.open_files > 0 && before.open_files <= before.open_files_max,
            "{before:?}"
        );
    }
}
