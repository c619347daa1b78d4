//! Passwords are checked on threads of their own: it is meant to take long.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Clients that may wait for their check. More are told that the broker is busy.
const WAITING: usize = 1024;
/// As many cores as this are never busy with passwords alone.
const THREADS: usize = 2;

type Check = Box<dyn FnOnce() + Send>;

/// A handle of the threads. They end with the last one.
#[derive(Clone, Debug)]
pub(super) struct Checker {
    sender: SyncSender<Check>,
}

impl Checker {
    /// Starts them.
    pub(super) fn start() -> io::Result<Self> {
        let (sender, receiver) = sync_channel::<Check>(WAITING);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..THREADS {
            let receiver = Arc::clone(&receiver);
            thread::Builder::new()
                .name(format!("mqtt-login-{number}"))
                .spawn(move || work(&receiver))?;
        }
        Ok(Self { sender })
    }

    /// Does this when its turn comes. `false`: too much waits already.
    pub(super) fn check(&self, check: impl FnOnce() + Send + 'static) -> bool {
        self.sender.try_send(Box::new(check)).is_ok()
    }
}

fn work(receiver: &Mutex<Receiver<Check>>) {
    loop {
        // Only one waits at a time; the others wait for it.
        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(check) => check(),
            Err(_) => return,
        }
    }
}
