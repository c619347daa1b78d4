//! Cores that do not sleep.
//!
//! On an idle machine the time of one message is the time that a core takes to wake up, or nothing of it where both ends happen to run on the same
//! core: ten times as much or as little, whichever client it is. So each core has something to do that gives way to everything else.

use std::io::Read as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;

use crate::load::Failed;

/// Processes that keep the cores awake. They end with this value, and with this process.
pub struct Awake(Vec<(Child, Option<ChildStdin>)>);

/// One for each core.
pub fn awake() -> Result<Awake, Failed> {
    let mut all = Awake(Vec::new());
    for _ in 0..thread::available_parallelism()?.get() {
        // Runs where nothing else does.
        let mut command = Command::new("chrt");
        command.args(["--idle", "0"]).arg(std::env::current_exe()?).arg("spin");
        let mut child = command.stdin(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take();
        all.0.push((child, stdin));
    }
    Ok(all)
}

/// What such a process does, until its input ends.
pub fn spin() -> ! {
    thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    loop {
        std::hint::spin_loop();
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        for (child, stdin) in &mut self.0 {
            drop(stdin.take());
            let _ = child.wait();
        }
    }
}
