//! What follows a step by itself: outputs are taken, and what is told is heard.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use mqtt_proto::{FixedHeader, Rules, Version};
use mqtt_session::{
    Accept, Batch, Change, Closed, DeliveryId, Event, Key, Outbox, Outcome, Received, Record, ServerConfig,
    ServerConnection, ServerEvent, Session, SessionEvent,
};

use super::world::{Side, World, index, session_config};
use super::{Disk, Sabotage};

impl World {
    /// Takes outputs until there is none: what leaves is under way, what is told has been heard.
    pub(super) fn settle(&mut self) {
        while self.take_batches() | self.take_bytes() | self.take_events() {
            if self.fault.is_some() {
                return;
            }
        }
    }

    fn take_batches(&mut self) -> bool {
        let mut any = false;
        for side in Side::BOTH {
            let mut batch = Batch::new();
            loop {
                let taken = match (side, &mut self.connection, &mut self.session) {
                    (Side::Client, ..) => self.client.poll_store(&mut batch),
                    (Side::Server, _, Some(session)) => session.poll_store(&mut batch),
                    (Side::Server, Some(connection), None) => connection.poll_store(&mut batch),
                    (Side::Server, None, None) => false,
                };
                if !taken {
                    break;
                }
                any = true;
                self.keep_batch(side, &batch);
            }
        }
        any
    }

    fn keep_batch(&mut self, side: Side, batch: &Batch) {
        let receives = !self.messages(side.other()).is_empty();
        let sends = !self.messages(side).is_empty();
        let disk = &mut self.disks[side as usize];
        match self.setup.sabotage {
            Sabotage::BatchSplit if receives => disk.take_split(batch, false),
            Sabotage::BatchSplitBackwards if receives => disk.take_split(batch, true),
            Sabotage::StoredTooEarly if receives && has_message(batch) => {
                disk.take(batch);
                self.say_stored(side, batch.number());
            }
            // What is said of a batch is said of those before it, too.
            Sabotage::FreedTooEarly
                if receives && disk.pending.is_empty() && frees_identifier(batch) && !has_message(batch) =>
            {
                disk.take(batch);
                self.say_stored(side, batch.number());
            }
            Sabotage::SenderStoredTooEarly if sends => {
                disk.take(batch);
                self.say_stored(side, batch.number());
            }
            Sabotage::ReleaseNotStored => {
                disk.take(batch);
                if let Some(write) = disk.pending.back_mut() {
                    write.changes.retain(|change| {
                        !matches!(change, Change::Put(Record::Outgoing(record))
                            if matches!(record.state, mqtt_session::OutgoingState::Release { .. }))
                            && !matches!(change, Change::Delete(Key::Payload(_)))
                    });
                }
            }
            _ => disk.take(batch),
        }
    }

    fn take_bytes(&mut self) -> bool {
        let mut outbox = Outbox::default();
        self.client.poll_transmit(&mut outbox);
        let up = packets(&mut outbox);
        let mut outbox = Outbox::default();
        if let Some(connection) = &mut self.connection {
            connection.poll_transmit(&mut outbox);
        }
        let down = packets(&mut outbox);
        let any = !up.is_empty() || !down.is_empty();
        if self.connection.is_some() {
            self.wires[Side::Server as usize].extend(up);
            self.wires[Side::Client as usize].extend(down);
        }
        any
    }

    fn take_events(&mut self) -> bool {
        let mut any = false;
        while let Some(event) = self.client.poll_event() {
            any = true;
            self.on_client_event(event);
        }
        any |= self.drain_connection();
        while let Some(event) = self.session.as_mut().and_then(Session::poll_event) {
            any = true;
            self.on_session_event(Side::Server, event);
        }
        any
    }

    fn on_client_event(&mut self, event: Event) {
        match event {
            Event::Open => {
                self.hang_up();
                self.connection = Some(ServerConnection::new(
                    ServerConfig::default().session(session_config()),
                    self.now,
                ));
                self.client.handle_open(self.now);
            }
            Event::Connected { .. } => {}
            Event::Message(received) => self.on_session_event(Side::Client, SessionEvent::Message(received)),
            Event::Completed { op, tag, outcome } => {
                self.on_session_event(Side::Client, SessionEvent::Completed { op, tag, outcome });
            }
            Event::Closed { reason, .. } => self.on_closed(Side::Client, &reason),
            other => self.break_("the client tells what nobody expects", other),
        }
    }

    pub(super) fn drain_connection(&mut self) -> bool {
        let mut any = false;
        while let Some(event) = self.connection.as_mut().and_then(ServerConnection::poll_event) {
            any = true;
            match event {
                ServerEvent::Connect(connect) => self.accept(connect.clean_start),
                ServerEvent::Message(received) => {
                    self.on_session_event(Side::Server, SessionEvent::Message(received));
                }
                ServerEvent::Completed { op, tag, outcome } => {
                    self.on_session_event(Side::Server, SessionEvent::Completed { op, tag, outcome });
                }
                ServerEvent::Closed { reason, .. } => {
                    self.on_closed(Side::Server, &reason);
                    self.park();
                }
                other => self.break_("the server tells what nobody expects", other),
            }
        }
        any
    }

    fn accept(&mut self, clean_start: bool) {
        if clean_start {
            self.session = None;
            self.disks[1] = Disk::default();
        }
        let accept = Accept::new().session(self.session.take());
        let Some(connection) = &mut self.connection else { return };
        if let Err(error) = connection.accept(self.now, accept) {
            self.break_("a client was not accepted", error);
        }
    }

    /// The connection has ended, and leaves its session.
    pub(super) fn park(&mut self) {
        let session = self.connection.as_mut().and_then(ServerConnection::take_session);
        if session.is_some() {
            self.session = session;
        }
        if self.setup.sabotage == Sabotage::IncomingForgotten && self.session.is_some() {
            while self.disks[1].commit().is_some() {}
            self.session = self.restored_session(|record| !matches!(record, Record::Incoming(_)));
        }
    }

    fn on_closed(&mut self, side: Side, reason: &Closed) {
        if !matches!(reason, Closed::StreamEnded | Closed::TimedOut(_)) {
            self.break_(&format!("the {side:?} closed"), reason);
        }
        if side == Side::Client && self.connection.is_some() {
            self.hang_up();
        } else if side == Side::Server && matches!(reason, Closed::TimedOut(_)) {
            self.wires.iter_mut().for_each(VecDeque::clear);
            self.client.handle_eof(self.now);
        }
    }

    pub(super) fn on_session_event(&mut self, side: Side, event: SessionEvent) {
        match event {
            SessionEvent::Message(received) => self.on_message(side, &received),
            SessionEvent::Completed { tag, outcome, .. } => match outcome {
                Outcome::Acknowledged(_) => {
                    self.apps[side as usize].ended[index(tag)] = true;
                    self.check_arrived(side, tag);
                }
                other => self.break_(&format!("message {tag} ended"), other),
            },
            other => self.break_("a session tells what nobody expects", other),
        }
    }

    /// The application does its work and remembers the delivery in one transaction, then acknowledges.
    fn on_message(&mut self, side: Side, received: &Received) {
        let tag = String::from_utf8_lossy(&received.message.payload)
            .parse()
            .unwrap_or(u64::MAX);
        let Some(delivery) = received.delivery else {
            return self.break_("nothing is to be acknowledged", received);
        };
        self.apps[side as usize].effects.insert(delivery.number(), tag);
        if self.setup.hesitates {
            self.apps[side as usize].told.push_back(delivery);
        } else {
            self.acknowledge(side, delivery);
        }
    }

    pub(super) fn acknowledge(&mut self, side: Side, delivery: DeliveryId) {
        let taken = match (side, &mut self.connection, &mut self.session) {
            (Side::Client, ..) => self.client.acknowledge(self.now, delivery),
            (Side::Server, _, Some(session)) => session.acknowledge(self.now, delivery),
            (Side::Server, Some(connection), None) => connection.acknowledge(self.now, delivery),
            (Side::Server, None, None) => Ok(()),
        };
        if let Err(error) = taken {
            self.break_(&format!("{delivery:?} could not be acknowledged"), error);
        }
    }
}

fn has_message(batch: &Batch) -> bool {
    batch
        .changes()
        .iter()
        .any(|change| matches!(change.key(), Key::Inbox(_)))
}

fn frees_identifier(batch: &Batch) -> bool {
    let frees = |change: &Change| matches!(change, Change::Delete(Key::Incoming(_)));
    batch.changes().iter().any(frees)
}

fn packets(outbox: &mut Outbox) -> Vec<Bytes> {
    let mut bytes = outbox.copy_to_bytes(outbox.remaining());
    let rules = Rules::new(Version::V5);
    let mut packets = Vec::new();
    while let Ok(Some(header)) = FixedHeader::decode(&bytes, &rules) {
        packets.push(bytes.split_to(header.packet_len()));
    }
    packets
}
