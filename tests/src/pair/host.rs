//! What a host does with the events of its machine.

use mqtt_session::proto::{DisconnectReason, PubAckReason, ReasonCode};
use mqtt_session::{AcknowledgeError, Batch, DeliveryId, HandOver, QoS, Received, Session};

use super::Side;
use super::end::{Asked, End, Owed, Receiving, Wanted, World};
use super::ledger::{Effect, payload, tag_of};
use super::machine::{Told, from_session};
use super::server::Accepted;

impl End {
    /// Polls up to so many events. Returns how many there were.
    pub(super) fn events(&mut self, world: &mut World, limit: usize) -> usize {
        for count in 0..limit {
            let Some(told) = self.machine.poll_event() else {
                return count;
            };
            let side = self.side;
            world.trace.line(|| format!("  {side:?} is told {}", shortened(&told)));
            // A server polls an earlier connection too, whose end is not that of its stream.
            if side == Side::Client && self.over_at.is_some() && told.is_of_connection() {
                world
                    .ledger
                    .fault(|| format!("{side:?} is told {told:?} after the end of the connection"));
            }
            self.hears(world, told);
        }
        limit
    }

    fn hears(&mut self, world: &mut World, told: Told) {
        match told {
            Told::Open => {
                self.wants_stream = true;
                self.over_at = None;
            }
            Told::Connected { session_present } => self.hears_connected(world, session_present),
            Told::Connect(connect) => {
                if let Some(server) = self.server_mut() {
                    server.asked(&connect);
                }
            }
            Told::Message(received) => self.hears_message(world, &received),
            Told::Completed { tag, outcome } => {
                world.counts.count_outcome(&outcome);
                world.trace.bytes(&tag.to_be_bytes());
                world.ledger.completed(self.side, tag, &outcome, self.latest);
                self.ops.retain(|(known, _)| *known != tag);
                self.wanted = self.wanted.filter(|wanted| wanted.tag != tag);
            }
            Told::Start { payload_bytes, qos } => {
                self.receiving = Some(Receiving {
                    payload_bytes,
                    qos,
                    bytes: Vec::new(),
                });
            }
            Told::Chunk(chunk) => match &mut self.receiving {
                Some(receiving) => receiving.bytes.extend_from_slice(&chunk),
                None => world.ledger.fault(|| "a chunk of nothing".to_owned()),
            },
            Told::End { delivery } => self.hears_end(world, delivery),
            Told::Aborted => self.receiving = None,
            Told::PayloadWanted { op, tag, offset, bytes } => self.wanted = Some(Wanted { op, tag, offset, bytes }),
            Told::Subscribe { request, filters } => {
                self.requests.push_back(Asked {
                    request,
                    filters,
                    subscribes: true,
                });
            }
            Told::Unsubscribe { request, filters } => {
                self.requests.push_back(Asked {
                    request,
                    filters,
                    subscribes: false,
                });
            }
            Told::Late | Told::Dropped | Told::Authenticate => {}
            Told::Closed {
                reason,
                may_end,
                is_final,
            } => {
                self.is_stopped |= is_final && self.side == Side::Client;
                world.counts.count_closed(&reason);
                let is_streams = self.server_mut().is_none_or(|server| server.is_stream_over());
                if self.watch.closed() {
                    world.ledger.session_began(self.side);
                }
                if is_streams {
                    self.over_at = Some(self.latest);
                }
                // What was asked for on an earlier connection means nothing on the next, which begins anew.
                self.wanted = None;
                self.keep_or_drop(world, may_end);
            }
        }
    }

    /// The session of a connection that has ended is kept for as long as the client has asked.
    fn keep_or_drop(&mut self, world: &mut World, ended: Option<(Session, u32)>) {
        let Some((session, expiry_seconds)) = ended else {
            return;
        };
        let has_ended = session.has_ended();
        // In between, what ended long ago may have been noticed late.
        if expiry_seconds == 0 && !has_ended || expiry_seconds == u32::MAX && has_ended {
            world
                .ledger
                .fault(|| format!("a session of {expiry_seconds} s has ended: {has_ended}"));
        }
        if has_ended {
            self.give_up_session(world, session, expiry_seconds > 0);
        } else if let Some(server) = self.server_mut() {
            server.park_again(session);
        }
    }

    fn hears_connected(&mut self, world: &mut World, session_present: bool) {
        world.trace.bytes(&[u8::from(session_present)]);
        let keeps = session_present || self.watch.goes_on_unsaid();
        if keeps {
            if world.ledger.is_split {
                world.counts.mixed += u64::from(!core::mem::replace(&mut world.ledger.is_mixed, true));
            }
            return;
        }
        let loss = self.losses_at_open;
        if self.store.is_some() {
            self.effects.push(Effect::LossStored(loss));
        } else {
            world.ledger.settle(&[Effect::LossStored(loss)], true);
        }
    }

    fn hears_message(&mut self, world: &mut World, received: &Received) {
        let Some(tag) = tag_of(&received.message.payload) else {
            return world
                .ledger
                .fault(|| format!("a message is not what was published: {received:?}"));
        };
        self.check_number(world, tag, received.delivery, received.redelivered);
        self.got(world, tag, received.message.qos, received.delivery, false);
    }

    fn hears_end(&mut self, world: &mut World, delivery: Option<DeliveryId>) {
        let Some(receiving) = self.receiving.take() else {
            return world.ledger.fault(|| "the end of nothing".to_owned());
        };
        let tag = tag_of(&receiving.bytes).filter(|_| receiving.bytes.len() == receiving.payload_bytes as usize);
        match tag {
            Some(tag) => self.got(world, tag, receiving.qos, delivery, true),
            None => world
                .ledger
                .fault(|| format!("a message in chunks is not what was published: {receiving:?}")),
        }
    }

    /// A delivery number stands for one message for ever; the inbox tells it again under the same.
    fn check_number(&mut self, world: &mut World, tag: u64, delivery: Option<DeliveryId>, redelivered: bool) {
        let Some(number) = delivery.filter(|_| self.store.is_some()).map(DeliveryId::number) else {
            return;
        };
        let before = self.deliveries.insert(number, tag);
        if before.is_some_and(|before| before != tag) || before.is_some() && !redelivered {
            world
                .ledger
                .fault(|| format!("delivery {number} of {tag} had been told before, of {before:?}"));
        }
    }

    /// A message arrived in whole.
    fn got(&mut self, world: &mut World, tag: u64, qos: QoS, delivery: Option<DeliveryId>, in_chunks: bool) {
        world.trace.bytes(&tag.to_be_bytes());
        world.ledger.told(tag);
        match delivery {
            Some(delivery) => self.owed.push_back(Owed {
                delivery,
                tag,
                qos,
                in_chunks,
            }),
            None => self.handed_over(world, tag, qos, in_chunks),
        }
    }

    /// The host has done its work, in the batch of the machine if there is to be one.
    fn handed_over(&mut self, world: &mut World, tag: u64, qos: QoS, in_chunks: bool) {
        world.counts.handed_over += 1;
        let writes =
            qos == QoS::ExactlyOnce || qos == QoS::AtLeastOnce && self.hand_over == HandOver::Inbox && !in_chunks;
        let pending = self.store.is_some() && writes;
        if pending {
            self.effects.push(Effect::HandedOver(tag));
        }
        world.ledger.handed_over(tag, pending);
    }

    /// Acknowledges the message at this place, or refuses it.
    pub(super) fn acknowledge(&mut self, world: &mut World, place: usize, refuses: bool) -> bool {
        let Some(place) = place.checked_rem(self.owed.len()) else {
            return false;
        };
        let Some(owed) = self.owed.remove(place) else {
            return false;
        };
        let now = self.clock(world);
        if refuses {
            let reason = ReasonCode::from(PubAckReason::QuotaExceeded);
            match self.machine.refuse(now, owed.delivery, reason) {
                Ok(()) => {
                    world.ledger.refused(owed.tag);
                    return true;
                }
                Err(AcknowledgeError::CannotRefuse) => {}
                Err(_) => return true,
            }
        }
        // A message of QoS 1 whose connection has ended, or whose session was lost, is none of ours any more.
        if self.machine.acknowledge(now, owed.delivery).is_ok() {
            self.handed_over(world, owed.tag, owed.qos, owed.in_chunks);
        }
        true
    }

    /// A session is given up: what it had accepted is handed over, and its last batch stored. With `is_loss` its client has
    /// yet to hear of it.
    pub(super) fn give_up_session(&mut self, world: &mut World, mut session: Session, is_loss: bool) {
        let now = self.clock(world);
        while let Some(event) = session.poll_event() {
            self.hears(world, from_session(event));
        }
        while let Some(owed) = self.owed.pop_front() {
            if session.acknowledge(now, owed.delivery).is_ok() {
                self.handed_over(world, owed.tag, owed.qos, owed.in_chunks);
            }
        }
        let mut batch = Batch::new();
        let number = self.machine.session();
        while session.poll_store(&mut batch) {
            let effects = core::mem::take(&mut self.effects);
            if let Some(store) = &mut self.store {
                store.take(number, &batch, effects);
            }
        }
        // Its records go with it, after the last word of it is durable.
        if let Some(store) = &mut self.store {
            for committed in store.give_up() {
                world.ledger.settle(&committed.effects, true);
            }
        }
        world.ledger.restarted(self.side, &std::collections::BTreeMap::new());
        self.deliveries.clear();
        self.ops.clear();
        if is_loss {
            world.counts.sessions_lost += 1;
            world.ledger.split();
        }
    }

    // ---- answers

    /// Answers the CONNECT that waits, if there is one.
    pub(super) fn answer(&mut self, world: &mut World, refusal: Option<mqtt_session::proto::ConnAckReason>) -> bool {
        if !self.server_mut().is_some_and(|server| server.is_asked()) {
            return false;
        }
        let now = self.clock(world);
        let Some(server) = self.server_mut() else { return false };
        if let Some(reason) = refusal {
            return server.refuse(now, reason);
        }
        if server.take_over(now) {
            world.counts.takeovers += 1;
            while self.server_mut().is_some_and(|server| server.has_old()) && self.events(world, 1) > 0 {}
        }
        if let Some((session, is_loss)) = self.server_mut().and_then(|server| server.unwanted(now)) {
            self.give_up_session(world, session, is_loss);
        }
        // A client that begins anew cannot take the next session for the last one.
        if self.server_mut().is_some_and(|server| server.asks_anew()) {
            world.ledger.is_split = false;
        }
        match self.server_mut().and_then(|server| server.accept(now)) {
            Some(accepted) => self.accepted(world, &accepted),
            None => return false,
        }
        true
    }

    fn accepted(&mut self, world: &mut World, accepted: &Accepted) {
        world.counts.connections += 1;
        if matches!(accepted, Accepted::Began) {
            self.watch.session_began();
            world.ledger.session_began(Side::Server);
        }
    }

    pub(super) fn answer_request(&mut self, world: &mut World, granted: bool) -> bool {
        let Some(asked) = self.requests.pop_front() else {
            return false;
        };
        let now = self.clock(world);
        if let Some(server) = self.server_mut() {
            if asked.subscribes {
                server.subscribed(now, asked.request, asked.filters, granted);
            } else {
                server.unsubscribed(now, asked.request, asked.filters);
            }
        }
        true
    }

    /// Gives up to so many bytes of the payload that the machine asks for.
    pub(super) fn supply(&mut self, world: &mut World, limit: usize) -> bool {
        let Some(wanted) = self.wanted.take() else { return false };
        let now = self.clock(world);
        let Some(entry) = world.ledger.entry(wanted.tag) else {
            return false;
        };
        let whole = payload(wanted.tag, entry.payload_bytes);
        let from = wanted.offset as usize;
        let until = whole.len().min(from + limit.clamp(1, wanted.bytes as usize));
        // The connection may have ended, and the question with it.
        let _ = self
            .machine
            .supply(now, wanted.op, wanted.offset, whole.slice(from..until));
        true
    }

    pub(super) fn fail_source(&mut self, world: &mut World) -> bool {
        let Some(wanted) = self.wanted.take() else { return false };
        let now = self.clock(world);
        self.machine.fail_source(now, wanted.op).is_ok()
    }

    pub(super) fn says_farewell(&mut self, world: &mut World, abrupt: bool) -> bool {
        let now = self.clock(world);
        let was_connected = self.machine.is_connected();
        let was_stopped = self.is_stopped;
        if let Some(server) = self.server_mut() {
            server.disconnect(now, DisconnectReason::AdministrativeAction);
        } else if let Some(client) = self.client_mut() {
            // A client without a connection stops and says nothing.
            let is_stopped = !client.is_connected();
            if abrupt {
                client.abort(now);
            } else {
                client.disconnect(now);
            }
            self.is_stopped |= is_stopped;
        }
        was_connected || self.is_stopped != was_stopped
    }
}

fn shortened(told: &Told) -> String {
    match told {
        Told::Message(received) => {
            let tag = tag_of(&received.message.payload);
            format!("message {tag:?} {:?} {:?}", received.message.qos, received.delivery)
        }
        Told::Chunk(chunk) => format!("{} bytes", chunk.len()),
        Told::Closed { reason, may_end, .. } => format!("closed: {reason:?}, session: {}", may_end.is_some()),
        other => format!("{other:?}"),
    }
}
