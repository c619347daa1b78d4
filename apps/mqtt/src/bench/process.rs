//! What a process has used, as Linux tells it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::Ending;

/// A process that is watched.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    folder: PathBuf,
}

/// What a process has used up to a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Used {
    /// On all processors, in microseconds.
    pub(super) cpu_micros: u64,
    /// In the program, in steps of the kernel's clock.
    pub(super) user_micros: u64,
    /// In the kernel, in the same steps.
    pub(super) system_micros: u64,
    /// How often one of its threads had to wait.
    pub(super) waits: u64,
    /// How often one of its threads had to let another run.
    pub(super) preemptions: u64,
}

/// What a process has in memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Memory {
    /// All.
    pub(super) resident: u64,
    /// Its own.
    pub(super) anonymous: u64,
    /// Parts of files: the program and its libraries.
    pub(super) file: u64,
}

impl Used {
    /// What came since an earlier moment.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            cpu_micros: self.cpu_micros.saturating_sub(earlier.cpu_micros),
            user_micros: self.user_micros.saturating_sub(earlier.user_micros),
            system_micros: self.system_micros.saturating_sub(earlier.system_micros),
            waits: self.waits.saturating_sub(earlier.waits),
            preemptions: self.preemptions.saturating_sub(earlier.preemptions),
        }
    }
}

impl Watched {
    /// The process with this number, which has to be there.
    pub(super) fn new(id: u32) -> Result<Self, Ending> {
        let watched = Self {
            folder: Path::new("/proc").join(id.to_string()),
        };
        watched.used()?;
        Ok(watched)
    }

    /// This process itself, if the system tells.
    pub(super) fn own() -> Option<Self> {
        Self::new(std::process::id()).ok()
    }

    /// What it has used. Threads that have ended count no more.
    pub(super) fn used(&self) -> Result<Used, Ending> {
        let stat = self.text("stat")?;
        let mut used = Used::default();
        let micros = |field| ticks(&stat, field).map(|ticks| ticks.saturating_mul(1_000_000) / ticks_per_second());
        // Of proc(5): utime and stime.
        used.user_micros = micros(14).ok_or_else(|| self.unknown("stat"))?;
        used.system_micros = micros(15).ok_or_else(|| self.unknown("stat"))?;
        let mut nanos = 0_u64;
        let threads = fs::read_dir(self.folder.join("task")).map_err(|error| self.failed("task", &error))?;
        // A thread that ends meanwhile is left out.
        for thread in threads.flatten() {
            let text = |name| fs::read_to_string(thread.path().join(name)).unwrap_or_default();
            nanos += text("schedstat")
                .split(' ')
                .next()
                .and_then(|first| first.parse::<u64>().ok())
                .unwrap_or(0);
            let status = text("status");
            used.waits += line(&status, "voluntary_ctxt_switches:").unwrap_or(0);
            used.preemptions += line(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0);
        }
        // Kernels without schedstat have the ticks alone.
        used.cpu_micros = match nanos {
            0 => used.user_micros + used.system_micros,
            nanos => nanos / 1000,
        };
        Ok(used)
    }

    /// What it has in memory.
    pub(super) fn memory(&self) -> Result<Memory, Ending> {
        let status = self.text("status")?;
        let bytes = |name| line(&status, name).map_or(0, |kib| kib * 1024);
        Ok(Memory {
            resident: bytes("VmRSS:"),
            anonymous: bytes("RssAnon:"),
            file: bytes("RssFile:") + bytes("RssShmem:"),
        })
    }

    fn text(&self, name: &str) -> Result<String, Ending> {
        fs::read_to_string(self.folder.join(name)).map_err(|error| self.failed(name, &error))
    }

    fn failed(&self, name: &str, error: &io::Error) -> Ending {
        Ending::failed(format_args!("{}: {error}", self.folder.join(name).display()))
            .advice("--pid is the number of a running process, on Linux")
    }

    fn unknown(&self, name: &str) -> Ending {
        Ending::failed(format_args!(
            "{}: it is not as proc(5) has it",
            self.folder.join(name).display()
        ))
    }
}

/// A field of `stat`, counted as proc(5) does. The second is a name in brackets, which may have spaces.
fn ticks(stat: &str, field: usize) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(field - 3)?.parse().ok()
}

/// The number behind this name at the start of a line.
fn line(status: &str, name: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(target_os = "linux")]
fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second().max(1)
}

#[cfg(not(target_os = "linux"))]
fn ticks_per_second() -> u64 {
    100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_the_name() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194304 0 0 0 0 250 50 0 0 20";
        assert_eq!((ticks(stat, 14), ticks(stat, 15)), (Some(250), Some(50)));
        assert_eq!(ticks("7 cut", 14), None);
    }

    #[test]
    fn a_line_is_found_by_its_whole_name() {
        let status = "nonvoluntary_ctxt_switches:\t3\nvoluntary_ctxt_switches:\t9\nVmRSS:\t 12 kB\n";
        assert_eq!(line(status, "voluntary_ctxt_switches:"), Some(9));
        assert_eq!(line(status, "VmRSS:"), Some(12));
        assert_eq!(line(status, "RssAnon:"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_used_something() {
        let own = Watched::own().unwrap();
        let before = own.used().unwrap();
        let mut sum = 0_u64;
        while own.used().unwrap().since(before).cpu_micros < 2000 {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(own.memory().unwrap().resident > 0);
    }
}
