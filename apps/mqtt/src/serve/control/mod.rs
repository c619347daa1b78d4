//! The control socket: what `mqtt ctl` speaks to.
//!
//! ```text
//!  mqtt ctl ──line of JSON──> a thread for each connection ──errand, page by page──> shard 0, shard 1, ..
//!           <──lines of JSON──                             <────────channel─────────
//! ```
//!
//! Whoever may open the socket rules the broker; the file is made for the user of the process alone. What is looked at is taken
//! in pages, so that no shard is held for long; what is done is told in the log.

mod answers;
mod asking;
mod backup;
mod errand;
mod exchange;
mod facts;
mod pattern;
mod socket;

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mqtt_adapter::host::ShardHandle;
use mqtt_store::Writer;

use self::exchange::Exchange;
use self::socket::Place;
use super::health::Health;
use crate::ctl::protocol::{Fault, Kind};

/// So many connections are open at a time; a further one is told that the broker is busy.
const CONNECTIONS: usize = 8;

/// A control socket that is served. Its file goes with this value.
#[derive(Debug)]
pub(super) struct Control {
    _place: Place,
}

/// What is asked.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) shards: Vec<ShardHandle>,
    pub(super) health: Health,
    /// Unless everything is kept in memory.
    pub(super) store: Option<Writer>,
}

/// Serves it, on threads of its own.
pub(super) fn serve(path: &Path, served: Served) -> io::Result<Control> {
    let (listener, place) = socket::bind(path)?;
    let served = Arc::new(served);
    thread::Builder::new()
        .name("mqtt-control".to_owned())
        .spawn(move || accept(&listener, &served))?;
    Ok(Control { _place: place })
}

fn accept(listener: &UnixListener, served: &Arc<Served>) {
    // Each connection has a clone of it.
    let open = Arc::new(());
    for stream in listener.incoming() {
        let begun = stream.and_then(|stream| {
            if Arc::strong_count(&open) > CONNECTIONS {
                return refuse(&stream);
            }
            let (served, open) = (Arc::clone(served), Arc::clone(&open));
            let connection = thread::Builder::new().name("mqtt-control".to_owned());
            connection.spawn(move || {
                if let Err(error) = converse(&stream, &served) {
                    tracing::debug!(target: super::log::CONTROL, %error, "a connection to the control socket failed");
                }
                drop(open);
            })?;
            Ok(())
        });
        if let Err(error) = begun {
            tracing::debug!(target: super::log::CONTROL, %error, "a connection to the control socket failed");
            // Without files to open, accepting fails again and again.
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn refuse(stream: &UnixStream) -> io::Result<()> {
    let message = format!("{CONNECTIONS} connections to the control socket are open already");
    Exchange::new(stream)?.refuse(&Fault::new(Kind::Busy, message))
}

/// Answers one request after the other.
fn converse(stream: &UnixStream, served: &Served) -> io::Result<()> {
    let mut exchange = Exchange::new(stream)?;
    while let Some(request) = exchange.request()? {
        match request {
            Ok(request) => exchange.answer(|output| answers::answer(served, request, output))?,
            Err(fault) => return exchange.refuse(&fault),
        }
    }
    Ok(())
}
