//! What a step does.

use std::collections::VecDeque;

use mqtt_proto::{Packet, PubCompReason, Role, Rules, Version};
use mqtt_session::{Change, Client, Key, Message, Record, ServerConnection, Session};

use super::Sabotage;
use super::world::{Side, World, client_config, index, session_config, tag};

impl World {
    pub(super) fn publish(&mut self, side: Side) {
        let app = &mut self.apps[side as usize];
        let index = app.published;
        app.published += 1;
        let qos = self.messages(side)[index];
        let tag = tag(side, index);
        let message = Message::new("t", tag.to_string()).expect("the topic is valid").qos(qos);
        let taken = match (side, &mut self.connection, &mut self.session) {
            (Side::Client, ..) => self.client.publish(self.now, message, tag),
            (Side::Server, _, Some(session)) => session.publish(self.now, message, tag),
            (Side::Server, Some(connection), None) => connection.publish(self.now, message, tag),
            (Side::Server, None, None) => return,
        };
        if let Err(error) = taken {
            self.break_("a message was not taken", error);
        }
    }

    pub(super) fn arrive(&mut self, side: Side) {
        let Some(packet) = self.wires[side as usize].pop_front() else {
            return;
        };
        if self.setup.sabotage == Sabotage::PubCompSwallowed && is_unknown_pubcomp(&packet, self.setup.version) {
            return;
        }
        let mut input = &packet[..];
        match (side, &mut self.connection) {
            (Side::Client, _) => self.client.handle_input(self.now, &mut input),
            (Side::Server, Some(connection)) => connection.handle_input(self.now, &mut input),
            (Side::Server, None) => return,
        }
        if !input.is_empty() {
            // The machine waits for its host, who owes it something that another step gives.
            self.wires[side as usize].push_front(packet.slice(packet.len() - input.len()..));
        }
    }

    pub(super) fn commit(&mut self, side: Side) {
        let Some(write) = self.disks[side as usize].commit() else {
            return;
        };
        let stored = write.changes.iter().filter_map(|change| match change {
            Change::Put(Record::Outgoing(record)) => Some(record.tag),
            _ => None,
        });
        let app = &mut self.apps[side as usize];
        for tag in stored {
            app.accepted = app.accepted.max(index(tag) + 1);
        }
        if let Some(number) = write.number {
            self.say_stored(side, number);
        }
    }

    pub(super) fn say_stored(&mut self, side: Side, number: u64) {
        match (side, &mut self.connection, &mut self.session) {
            (Side::Client, ..) => self.client.handle_stored(self.now, number),
            (Side::Server, _, Some(session)) => session.handle_stored(self.now, number),
            (Side::Server, Some(connection), None) => connection.handle_stored(self.now, number),
            (Side::Server, None, None) => {}
        }
    }

    /// The next deadline of this end passes.
    pub(super) fn pass(&mut self, side: Side) {
        let next = match side {
            Side::Client => self.client.poll_timeout(),
            Side::Server => self.connection.as_ref().and_then(ServerConnection::poll_timeout),
        };
        let Some(next) = next else { return };
        self.now = self.now.max(next.at);
        match (side, &mut self.connection) {
            (Side::Client, _) => self.client.handle_timeout(self.now),
            (Side::Server, Some(connection)) => connection.handle_timeout(self.now),
            (Side::Server, None) => {}
        }
    }

    pub(super) fn cut(&mut self) {
        self.hang_up();
        self.client.handle_eof(self.now);
    }

    /// The server's end of the stream is gone.
    pub(super) fn hang_up(&mut self) {
        self.wires.iter_mut().for_each(VecDeque::clear);
        if let Some(connection) = &mut self.connection {
            connection.handle_eof(self.now);
        }
        self.drain_connection();
        self.connection = None;
    }

    pub(super) fn crash(&mut self, side: Side) {
        self.crashes[side as usize] -= 1;
        self.disks[side as usize].crash();
        match side {
            Side::Client => self.crash_client(),
            Side::Server => self.crash_server(),
        }
        // What no store had is the application's to publish again.
        let app = &mut self.apps[side as usize];
        app.published = app.accepted;
        app.told.clear();
    }

    fn crash_client(&mut self) {
        self.hang_up();
        if self.setup.sabotage == Sabotage::EmptySender {
            self.disks[0].durable.clear();
            self.apps[0].excused = self.apps[0].accepted;
        }
        let mut restore = Client::restore(client_config(&self.setup), self.now);
        for record in self.disks[0].durable.values() {
            restore.record(record.clone());
        }
        let (client, report) = restore.finish();
        if !report.quarantined.is_empty() {
            self.break_("records could not be used", &report);
        }
        self.client = client;
    }

    fn crash_server(&mut self) {
        self.wires.iter_mut().for_each(VecDeque::clear);
        self.connection = None;
        self.session = self.restored_session(|_| true);
        self.client.handle_eof(self.now);
    }

    pub(super) fn restored_session(&mut self, keeps: impl Fn(&Record) -> bool) -> Option<Session> {
        let durable = &self.disks[1].durable;
        if !durable.contains_key(&Key::Session) {
            return None;
        }
        let mut restore = Session::restore(&session_config(), self.now);
        for record in durable.values().filter(|record| keeps(record)) {
            restore.record(record.clone());
        }
        let (session, report) = restore.finish();
        if !report.quarantined.is_empty() {
            self.break_("records could not be used", &report);
        }
        Some(session)
    }
}

fn is_unknown_pubcomp(packet: &[u8], version: Version) -> bool {
    let rules = Rules::new(version).sent_by(Role::Server);
    matches!(
        mqtt_proto::decode(packet, &rules),
        Ok(mqtt_proto::Decoded::Packet { packet: Packet::PubComp(ack), .. })
            if ack.reason == PubCompReason::PacketIdentifierNotFound
    )
}
