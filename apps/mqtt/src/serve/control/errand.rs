//! Work for a shard, which somebody waits for who may give up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use crate::ctl::protocol::{Fault, Kind};

/// How long is waited for work that has begun: a shard does it in one go, and it is short.
const BEGUN_TIME: Duration = Duration::from_secs(5);

/// For the shard.
pub(super) struct Worker<T> {
    is_decided: Arc<AtomicBool>,
    sender: SyncSender<T>,
}

/// For whoever asks.
pub(super) struct Asker<T> {
    is_decided: Arc<AtomicBool>,
    receiver: Receiver<T>,
}

/// Work that is done or given up, and never both: whoever decides it first.
pub(super) fn errand<T>() -> (Worker<T>, Asker<T>) {
    let is_decided = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = mpsc::sync_channel(1);
    let worker = Worker {
        is_decided: Arc::clone(&is_decided),
        sender,
    };
    (worker, Asker { is_decided, receiver })
}

impl<T> Worker<T> {
    /// Does the work, unless it was given up.
    pub(super) fn run(self, work: impl FnOnce() -> T) {
        if !self.is_decided.swap(true, Ordering::AcqRel) {
            // Whoever asked may have given up since.
            let _ = self.sender.send(work());
        }
    }
}

impl<T> Asker<T> {
    /// Waits for what comes of the work. What has not begun until then is given up.
    pub(super) fn wait(self, until: Instant) -> Result<T, Fault> {
        let left = until.saturating_duration_since(Instant::now());
        match self.receiver.recv_timeout(left) {
            Ok(answer) => return Ok(answer),
            Err(RecvTimeoutError::Disconnected) => return Err(ending()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if !self.is_decided.swap(true, Ordering::AcqRel) {
            return Err(busy("what it has not answered for is not done, and will not be"));
        }
        self.receiver.recv_timeout(BEGUN_TIME).map_err(|error| match error {
            RecvTimeoutError::Timeout => busy("the last that it has not answered for has begun, and may be done"),
            RecvTimeoutError::Disconnected => ending(),
        })
    }
}

fn busy(certain: &str) -> Fault {
    Fault::new(
        Kind::TimedOut,
        format_args!("the broker is too busy to answer in time: {certain}"),
    )
}

/// The broker does nothing more.
pub(super) fn ending() -> Fault {
    Fault::new(Kind::Ending, "the broker ends")
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn what_is_told_to_be_given_up_is_not_done_later() {
        let (worker, asker) = errand::<()>();
        let fault = asker.wait(Instant::now()).unwrap_err();
        assert!(
            fault.kind == Kind::TimedOut && fault.message.contains("not done"),
            "{fault:?}"
        );
        worker.run(|| panic!("it was given up"));
    }

    #[test]
    fn what_has_begun_in_time_is_waited_for() {
        let (worker, asker) = errand();
        let (begun, has_begun) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let shard = thread::spawn(move || {
            worker.run(|| {
                begun.send(()).unwrap();
                may_go_on.recv().unwrap();
                7
            });
        });
        has_begun.recv().unwrap();
        go_on.send(()).unwrap();
        assert_eq!(asker.wait(Instant::now()), Ok(7));
        shard.join().unwrap();
    }

    #[test]
    fn work_that_is_dropped_is_no_busy_broker() {
        let (worker, asker) = errand::<()>();
        drop(worker);
        assert_eq!(asker.wait(Instant::now()).unwrap_err().kind, Kind::Ending);
    }
}
