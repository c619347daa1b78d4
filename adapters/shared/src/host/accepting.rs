//! Streams that come.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use mqtt_session::Instant;

use super::bells;
use super::entrance::Network;
use super::line::{Line, Room};
use super::origin::Origin;
use super::policy::{Notice, Policy};
use super::proxied::Proxied;
use super::shard::Shard;
use crate::Carrier;
use crate::places::AcceptFault;

/// How many streams a listener accepts in one turn.
const ACCEPTS: usize = 16;
/// At its limit a listener pauses whenever somebody has gone and the next one has come. It is told of once in so much time.
const TOLD: Duration = Duration::from_secs(60);

impl<N: Network, P: Policy> Shard<N, P> {
    /// Accepts what waits at a listener.
    pub(super) fn accept(&mut self, number: u32, now: Instant) {
        for _ in 0..ACCEPTS {
            let Some(Some(door)) = self.doors.get_mut(number as usize) else {
                return;
            };
            door.bell.answer();
            if door.paused_until.is_some() {
                return;
            }
            let Poll::Ready(place) = door.poll_place() else {
                let lack = door.entrance.lack();
                return self.pauses(number, lack, now);
            };
            let cx = &mut Context::from_waker(&door.waker);
            match self.network.poll_accept(cx, &mut door.listener) {
                Poll::Pending => return,
                Poll::Ready(Ok((stream, peer))) => {
                    door.has_paused = false;
                    self.traffic.accepted += 1;
                    let origin = Origin::new(Arc::clone(door.entrance.name()), peer);
                    let Some(claim) = door.entrance.claim(peer) else {
                        self.is_full(&origin, now);
                        continue;
                    };
                    let carrier = door.entrance.carrier(stream);
                    if let Some(number) = self.open(carrier, origin, Room::new(place, claim), now) {
                        self.look_at(number, now);
                    }
                }
                Poll::Ready(Err(error)) => {
                    if !self.accept_failed(number, error, now) {
                        return;
                    }
                }
            }
        }
        self.again.push(bells::Place::Listener(number));
    }

    /// The broker gets a connection. From here on it counts, and its deadline runs.
    pub(super) fn open(
        &mut self,
        stream: Carrier<Proxied<N::Stream>>,
        origin: Origin,
        room: Room,
        now: Instant,
    ) -> Option<u32> {
        let number = self.lines.next()?;
        // What there is no room for is closed.
        let id = self.broker.handle_open(now)?;
        self.serials += 1;
        let bell = self.bells.bell(bells::Place::Line(number));
        self.lines.insert(Line::new(bell, self.serials, id, stream, room));
        self.origins.add(id, number, origin);
        Some(number)
    }

    /// Whether to go on accepting.
    fn accept_failed(&mut self, number: u32, error: io::Error, now: Instant) -> bool {
        let fault = AcceptFault::of(&error);
        let Some(place) = self.doors.get_mut(number as usize) else {
            return false;
        };
        let Some(door) = place else { return false };
        let listener = Arc::clone(door.entrance.name());
        match fault {
            AcceptFault::Connection => true,
            AcceptFault::Pause(time) => {
                door.paused_until = Some(now.saturating_add(time));
                self.pauses(number, error, now);
                false
            }
            AcceptFault::Listener => {
                *place = None;
                self.notice(now, Notice::ListenerFailed { listener, error });
                false
            }
        }
    }

    /// It accepts nothing for now.
    fn pauses(&mut self, number: u32, error: io::Error, now: Instant) {
        let Some(Some(door)) = self.doors.get_mut(number as usize) else {
            return;
        };
        if std::mem::replace(&mut door.has_paused, true) {
            return;
        }
        self.traffic.accept_pauses += 1;
        if door.told_until.is_none_or(|until| until <= now) {
            door.told_until = Some(now.saturating_add(TOLD));
            let listener = Arc::clone(door.entrance.name());
            self.notice(now, Notice::AcceptPaused { listener, error });
        }
    }

    /// An address has as many connections as it may have: the stream of one more is dropped.
    fn is_full(&mut self, origin: &Origin, now: Instant) {
        self.traffic.addresses_full += 1;
        if let Some(peer) = origin.peer {
            let listener = Arc::clone(&origin.listener);
            self.notice(now, Notice::AddressFull { listener, peer });
        }
    }

    /// The first bytes of MQTT have come: the layers have made their handshakes. Whether the stream stays.
    pub(super) fn opened(&mut self, number: u32, now: Instant) -> bool {
        let Some(line) = self.lines.get_mut(number) else {
            return false;
        };
        line.flags.is_open = true;
        let Some(origin) = self.origins.of_mut(line.id) else {
            return true;
        };
        if let Some(source) = line.stream().lowest().and_then(Proxied::source) {
            origin.peer = Some(source);
            if !line.claim(source.ip()) {
                let origin = origin.clone();
                self.is_full(&origin, now);
                self.stream_ended(number, now, None);
                return false;
            }
        }
        #[cfg(feature = "tls")]
        {
            origin.tls = line.stream().tls().map(Box::new);
        }
        true
    }

    /// A stream is gone: the other end has closed it, or it is broken.
    pub(super) fn stream_ended(&mut self, number: u32, now: Instant, error: Option<io::Error>) {
        let Some(line) = self.lines.get_mut(number) else { return };
        let id = line.id;
        self.broker.handle_eof(now, id);
        if let Some(error) = error {
            self.traffic.streams_failed += 1;
            let (listener, peer): (_, Option<SocketAddr>) = match self.origins.of(id) {
                Some(origin) => (Arc::clone(&origin.listener), origin.peer),
                None => ("".into(), None),
            };
            self.notice(now, Notice::StreamFailed { listener, peer, error });
        }
        // Whoever hears of the end may ask where it came from.
        self.tell(now);
        self.remove(number);
    }

    pub(super) fn remove(&mut self, number: u32) {
        if let Some(mut line) = self.lines.remove(number) {
            self.origins.remove(line.id);
            if let Some(outbox) = line.outbox.take() {
                self.outboxes.give_back(outbox);
            }
        }
    }
}
