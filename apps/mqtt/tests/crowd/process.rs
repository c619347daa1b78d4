//! What a process holds, as Linux tells it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// A process that is watched.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    folder: PathBuf,
}

impl Process {
    pub(crate) fn new(id: &str) -> Self {
        Self {
            folder: ["/proc", id].iter().collect(),
        }
    }

    /// How much memory it has now.
    pub(crate) fn resident(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// How much memory it has had at most.
    pub(crate) fn most_resident(&self) -> u64 {
        self.status("VmHWM:")
    }

    pub(crate) fn files(&self) -> usize {
        self.entries("fd")
    }

    /// The number that the next file gets.
    pub(crate) fn lowest_free_file(&self) -> u64 {
        let is_free = |number: &u64| !self.folder.join("fd").join(number.to_string()).is_symlink();
        (0..).find(is_free).expect("there are more numbers than files")
    }

    pub(crate) fn threads(&self) -> usize {
        self.entries("task")
    }

    /// How many files it may open.
    pub(crate) fn files_limit(&self) -> u64 {
        let limits = self.text("limits");
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
        let soft = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        soft.expect("it is as proc(5) has it")
    }

    /// The time that it has spent on processors.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = self.text("stat");
        // Of proc(5): utime and stime, behind a name in brackets.
        let (_, fields) = stat.rsplit_once(") ").expect("it is as proc(5) has it");
        let fields = fields.split(' ').skip(11).take(2);
        let ticks: u64 = fields.map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
        Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second().max(1))
    }

    /// How often one of its threads slept, and was woken.
    #[allow(dead_code, reason = "not every test that shares this file looks at it")]
    pub(crate) fn wakes(&self) -> u64 {
        let threads = fs::read_dir(self.folder.join("task")).expect("it runs");
        // A thread may end meanwhile.
        let texts = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("status")).ok());
        let counts = texts.map(|text| {
            let lines = text
                .lines()
                .filter_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            lines.filter_map(|count| count.trim().parse::<u64>().ok()).sum::<u64>()
        });
        counts.sum()
    }

    fn status(&self, name: &str) -> u64 {
        let status = self.text("status");
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kibibytes.expect("it is as proc(5) has it") * 1024
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).expect("it runs")
    }

    fn entries(&self, name: &str) -> usize {
        fs::read_dir(self.folder.join(name)).expect("it runs").count()
    }
}
