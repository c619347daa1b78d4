//! std, as the testbed sees it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use mqtt_std::adapter::Client;
use mqtt_std::session::{self, ServerConnection, ServerEvent};
use mqtt_std::{ClientOptions, Connection, Listener, ServerLayers, Step, Stream};
use mqtt_testbed::{Adapter, Boxed, Hub, Served};

pub(crate) struct Std;

impl Adapter for Std {
    fn start(options: ClientOptions) -> Client {
        mqtt_std::start(options).unwrap().handle().clone()
    }

    fn sleep(time: Duration) -> Boxed<()> {
        Box::pin(Sleep {
            end: Instant::now() + time,
            thread: None,
        })
    }

    fn serve_with(hub: Arc<Hub>, port: u16, layers: ServerLayers) -> Boxed<SocketAddr> {
        Box::pin(async move {
            let mut listener = Listener::bind(("127.0.0.1", port), hub.config())
                .unwrap()
                .layers(layers);
            let address = listener.local_addr();
            thread::spawn(move || {
                while !hub.is_shut() {
                    let Some(accepted) = listener.accept_within(Duration::from_millis(100)).unwrap() else {
                        continue;
                    };
                    let hub = Arc::clone(&hub);
                    thread::spawn(move || {
                        let connection = accepted.connection;
                        connection.block_on(|connection| mqtt_testbed::serve(hub, Server(connection)));
                        drop(accepted.place);
                    });
                }
            });
            address
        })
    }
}

/// A thread that wakes, and ends when nobody waits for it any more.
struct Sleep {
    end: Instant,
    thread: Option<(thread::Thread, Arc<AtomicBool>)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let end = self.end;
        if Instant::now() >= end {
            return Poll::Ready(());
        }
        if self.thread.is_none() {
            let (waker, is_over) = (cx.waker().clone(), Arc::new(AtomicBool::new(false)));
            let ends = Arc::clone(&is_over);
            let sleeping = thread::spawn(move || {
                while Instant::now() < end && !ends.load(Ordering::Acquire) {
                    thread::park_timeout(end.saturating_duration_since(Instant::now()));
                }
                waker.wake();
            });
            self.thread = Some((sleeping.thread().clone(), is_over));
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some((thread, is_over)) = &self.thread {
            is_over.store(true, Ordering::Release);
            thread.unpark();
        }
    }
}

/// A connection over any stream.
pub(crate) struct Server<S: Stream>(pub(crate) Connection<ServerConnection, S>);

impl<S: Stream> Served for Server<S> {
    async fn next(&mut self) -> Option<Step<ServerEvent>> {
        std::future::poll_fn(|cx| self.0.poll_next(cx)).await
    }

    fn machine_mut(&mut self) -> &mut ServerConnection {
        self.0.machine_mut()
    }

    fn now(&self) -> session::Instant {
        self.0.now()
    }
}
