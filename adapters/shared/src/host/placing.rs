//! To which shard a client belongs.

use std::any::Any;

use bytes::BytesMut;
use mqtt_session::proto::{Rules, Version, peek_connect};
use mqtt_session::{BrokerEvent, Instant};

use super::entrance::Network;
use super::line::Room;
use super::mailbox::Mail;
use super::origin::Origin;
use super::policy::Policy;
use super::proxied::Proxied;
use super::shard::Shard;
use crate::Carrier;

/// A stream that comes from another shard, with what was read from it.
struct Arrival<T> {
    stream: Carrier<Proxied<T>>,
    unread: BytesMut,
    origin: Origin,
    room: Room,
}

impl<N: Network, P: Policy> Shard<N, P> {
    /// The first bytes of a client have come: it stays, or goes to the shard that has its session. Until its name is there, it
    /// waits here, and its deadline runs.
    pub(super) fn place(&mut self, number: u32, now: Instant) {
        let Some(line) = self.lines.get_mut(number) else { return };
        let room = u32::try_from(self.broker.input_room(line.id)).unwrap_or(u32::MAX);
        // A CONNECT that is too long is refused by the broker.
        let rules = Rules::new(Version::V5).limit(room.max(5));
        let shard = match peek_connect(&line.unread, &rules) {
            Ok(None) => return,
            // The broker makes up a name that belongs to it.
            Ok(Some(peek)) if peek.client_id.is_empty() => self.shards.own(),
            Ok(Some(peek)) => self.shards.of_client(peek.client_id.as_bytes()),
            // The broker says what is wrong with it.
            Err(_) => self.shards.own(),
        };
        line.flags.is_placed = true;
        if shard == self.shards.own() {
            self.feed_unread(number, now);
        } else {
            self.send_to(usize::from(shard.0), number, now);
        }
    }

    fn send_to(&mut self, shard: usize, number: u32, now: Instant) {
        let Some(line) = self.lines.remove(number) else { return };
        let id = line.id;
        let origin = self.origins.remove(id);
        self.broker.handle_eof(now, id);
        // It goes on elsewhere, which is no end that anybody has to hear of.
        while let Some(event) = self.broker.poll_event() {
            if !matches!(event, BrokerEvent::NotAdmitted { connection, .. } if connection == id) {
                self.tell_one(now, event);
            }
        }
        let (stream, unread, room) = line.into_stream();
        let network = &mut self.network;
        let stream = stream.map(|stream| stream.map(|stream| network.detach(stream)));
        let (Some(peer), Some(origin), Ok(stream)) = (self.peers.get(shard), origin, stream) else {
            self.traffic.streams_failed += 1;
            return;
        };
        self.traffic.sent_to_peers += 1;
        peer.send(Mail::Arrival(Box::new(Arrival {
            stream,
            unread,
            origin,
            room,
        })));
    }

    /// A stream comes from another shard. Its client has as much time for the rest of CONNECT as for its beginning.
    pub(super) fn arrived(&mut self, arrival: Box<dyn Any + Send>, now: Instant) {
        let Ok(arrival) = arrival.downcast::<Arrival<N::Detached>>() else {
            return;
        };
        if self.ending.is_some() {
            return;
        }
        let Arrival {
            stream,
            unread,
            origin,
            room,
        } = *arrival;
        let network = &mut self.network;
        let Ok(stream) = stream.map(|stream| stream.map(|stream| network.attach(stream))) else {
            self.traffic.streams_failed += 1;
            return;
        };
        let Some(number) = self.open(stream, origin, room, now) else {
            return;
        };
        if let Some(line) = self.lines.get_mut(number) {
            line.unread = unread;
            line.flags.is_placed = true;
            line.flags.is_open = true;
        }
        self.feed_unread(number, now);
        self.look_at(number, now);
    }
}
