//! Waiting for a future in an ordinary thread.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

thread_local! {
    static WAKER: Waker = Waker::from(Arc::new(Unpark(thread::current())));
}

/// A waker of this thread.
pub(crate) fn unparking() -> Waker {
    WAKER.with(Waker::clone)
}

/// Waits for a future of this crate. It needs no runtime, since none of them does.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    match block_until(future, None) {
        Some(value) => value,
        None => unreachable!("there is no time at which it ends"),
    }
}

/// The same for so long at most: `None` if that was not enough. The future is dropped then.
pub fn block_on_within<T>(time: Duration, future: impl Future<Output = T>) -> Option<T> {
    // What lies too far ahead to be expressed does not come.
    block_until(future, Instant::now().checked_add(time))
}

fn block_until<T>(future: impl Future<Output = T>, until: Option<Instant>) -> Option<T> {
    let mut future = pin!(future);
    let waker = unparking();
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
        if !park_until(until) {
            return None;
        }
    }
}

/// Lets this thread sleep until it is called, or until then. `false`: it is past that.
pub(crate) fn park_until(until: Option<Instant>) -> bool {
    match until.map(|until| until.saturating_duration_since(Instant::now())) {
        None => thread::park(),
        Some(Duration::ZERO) => return false,
        Some(left) => thread::park_timeout(left),
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_future_that_another_thread_completes_is_waited_for() {
        let (mut sender, mut ready) = (None, false);
        let value = block_on(std::future::poll_fn(|cx| {
            if ready {
                return Poll::Ready(7);
            }
            let waker = cx.waker().clone();
            sender = Some(thread::spawn(move || waker.wake()));
            ready = true;
            Poll::Pending
        }));
        assert_eq!(value, 7);
        assert!(sender.is_some_and(|sender| sender.join().is_ok()));
    }

    #[test]
    fn waiting_ends_with_its_time() {
        let before = Instant::now();
        assert_eq!(
            block_on_within(Duration::from_millis(20), std::future::pending::<()>()),
            None
        );
        assert!(before.elapsed() >= Duration::from_millis(20));
        assert_eq!(block_on_within(Duration::MAX, std::future::ready(3)), Some(3));
    }
}
