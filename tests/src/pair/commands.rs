//! What each action does.

use core::time::Duration;

use bytes::Bytes;
use mqtt_session::proto::{
    Filters, Packet, PacketId, Properties, SubAck, SubAckCodes, SubAckReason, SubscribeProperties, SubscriptionOptions,
    Text, TopicFilters,
};
use mqtt_session::{Authentication, ClientConfig, Instant, Message, Op, QoS, ServerConfig};

use super::action::{Action, Noise, Publish};
use super::end::Crash;
use super::ledger::{NewMessage, payload};
use super::{Pair, Side};

impl Pair {
    /// One thing happens.
    pub fn step(&mut self, action: Action) {
        self.world.counts.steps += 1;
        let now = self.world.now;
        self.world.trace.line(|| format!("{} {action:?}", now.as_micros()));
        self.world.counts.effective += u64::from(self.does(action));
    }

    /// Does it, and returns whether that changed anything: bytes moved, something was told or asked for, a store, a stream, or the time.
    fn does(&mut self, action: Action) -> bool {
        let Self { world, link, ends, .. } = self;
        match action {
            Action::Turn(side) => self.turn(side),
            Action::Publish(side, publish) => self.publish(side, publish),
            Action::Subscribe { filters, wildcard } => self.subscribe(filters, wildcard),
            Action::Unsubscribe { filters } => self.unsubscribe(filters),
            Action::Timers(side) => ends[side.index()].timers(world),
            Action::TakeBatches(side) => ends[side.index()].take_batches(world),
            Action::Commit(side) => ends[side.index()].commit(world),
            Action::Transmit(side) => ends[side.index()].transmit(world),
            Action::Write(side, limit) => ends[side.index()].write(world, link, limit),
            Action::Read(side, limit, owned) => ends[side.index()].read(world, link, limit, owned),
            Action::Events(side, limit) => {
                let told = ends[side.index()].events(world, limit);
                ends[side.index()].close_if_done(world, link) || told > 0
            }
            Action::Acknowledge(side, place) => ends[side.index()].acknowledge(world, place, false),
            Action::Refuse(side, place) => ends[side.index()].acknowledge(world, place, true),
            Action::Answer(refusal) => ends[1].answer(world, refusal),
            Action::AnswerRequest(granted) => ends[1].answer_request(world, granted),
            Action::Supply(side, limit) => ends[side.index()].supply(world, limit),
            Action::FailSource(side) => ends[side.index()].fail_source(world),
            Action::Cancel(side, place) => self.cancel(side, place),
            Action::SetDeadline(side, place, after) => self.set_deadline(side, place, after),
            Action::Open(true) => self.open(),
            Action::Open(false) => self.cannot_open(),
            Action::Wait(longest) => {
                let until = world.now + longest;
                let at = self.next_moment().map_or(until, |at| at.min(until));
                self.waits_until(at)
            }
            Action::Advance(by) => {
                let at = world.now + by;
                self.waits_until(at)
            }
            Action::SetBack(side, by) => core::mem::replace(&mut ends[side.index()].skew, by) != by,
            Action::Cut(keep) => self.cut_now(keep),
            Action::CutAfter(side, bytes) => link.cut_after(side, bytes),
            Action::HalfOpen(side) => link.kill(side),
            Action::Noise(side, noise) => self.noise(side, noise),
            Action::Crash(side, crash) => {
                self.crashes(side, crash);
                true
            }
            Action::FailStore(side) => ends[side.index()].fail_store(world),
            Action::Disconnect(side, abrupt) => ends[side.index()].says_farewell(world, abrupt),
            Action::LoseSession => ends[1].lose_parked(world, true),
            Action::Misconfigure => self.misconfigure(),
        }
    }

    /// Time passes. It never goes back.
    fn waits_until(&mut self, at: Instant) -> bool {
        let before = self.world.now;
        self.world.now = before.max(at);
        self.world.now > before
    }

    /// What the client is from its next life on.
    pub fn set_client_config(&mut self, config: ClientConfig) {
        self.config.client = config;
    }

    /// What the server is for the next client that connects.
    pub fn set_server_config(&mut self, config: ServerConfig) {
        if let Some(server) = self.ends[1].server_mut() {
            server.config = config.clone();
        }
        self.ends[1].hand_over = config.session.hand_over;
        self.config.server = config;
    }

    fn publish(&mut self, side: Side, publish: Publish) -> bool {
        let Self { world, ends, .. } = self;
        let end = &mut ends[side.index()];
        let now = end.clock(world);
        let tag = world.ledger.new_tag();
        let topic = format!("topic/{}", publish.topic);
        let payload_bytes = publish.payload_bytes.max(8);
        let whole = if publish.from_source {
            Bytes::new()
        } else {
            payload(tag, payload_bytes)
        };
        let Ok(message) = Message::new(topic, whole) else {
            return false;
        };
        let mut message = message.qos(publish.qos).retain(publish.retain);
        message.expiry_seconds = publish.expiry_seconds;
        let source_bytes = u32::try_from(payload_bytes).ok().filter(|_| publish.from_source);
        let latest = end.latest;
        let seconds = publish.expiry_seconds.map(u64::from);
        let Ok(op) = end.machine.publish(now, message, source_bytes, tag) else {
            return false;
        };
        end.ops.push((tag, op));
        world.counts.messages += 1;
        world.trace.line(|| format!("  it is {tag}"));
        let new = NewMessage {
            from: side,
            qos: publish.qos,
            topic: publish.topic,
            payload_bytes,
            expires_at: seconds.map(|seconds| latest + Duration::from_secs(seconds)),
            is_source: publish.from_source,
        };
        world.ledger.published(tag, new);
        true
    }

    fn subscribe(&mut self, filters: u8, wildcard: bool) -> bool {
        let now = self.ends[0].clock(&self.world);
        let tag = self.world.ledger.new_tag();
        let options = SubscriptionOptions::new(QoS::AtLeastOnce);
        let first = if wildcard { "topic/+" } else { "topic" };
        let builder = Filters::builder().filter(first, options);
        let builder = (1..filters).fold(builder, |builder, place| {
            builder.filter(format!("topic/{place}"), options)
        });
        let Ok(filters) = builder.build() else { return false };
        let asked = self.client().subscribe(now, filters, SubscribeProperties::empty(), tag);
        self.asked(tag, asked.ok())
    }

    fn unsubscribe(&mut self, filters: u8) -> bool {
        let tag = self.world.ledger.new_tag();
        let builder = (0..filters.max(1)).fold(TopicFilters::builder(), |builder, place| {
            builder.filter(format!("topic/{place}"))
        });
        let Ok(filters) = builder.build() else { return false };
        let now = self.ends[0].clock(&self.world);
        let asked = self.client().unsubscribe(now, filters, tag);
        self.asked(tag, asked.ok())
    }

    fn asked(&mut self, tag: u64, op: Option<Op>) -> bool {
        let Some(op) = op else { return false };
        self.world.ledger.asked(tag);
        self.ends[0].ops.push((tag, op));
        true
    }

    fn cancel(&mut self, side: Side, place: usize) -> bool {
        let Self { world, ends, .. } = self;
        let end = &mut ends[side.index()];
        let Some(place) = place.checked_rem(end.ops.len()) else {
            return false;
        };
        let now = end.clock(world);
        let (_, op) = end.ops[place];
        end.machine.cancel(now, op)
    }

    fn set_deadline(&mut self, side: Side, place: usize, after: Duration) -> bool {
        let Self { world, ends, .. } = self;
        let end = &mut ends[side.index()];
        let Some(place) = place.checked_rem(end.ops.len()) else {
            return false;
        };
        let now = end.clock(world);
        let (_, op) = end.ops[place];
        end.machine.set_deadline(now, op, now + after)
    }

    // ---- the stream

    /// Opens the stream that the client wants.
    pub(super) fn open(&mut self) -> bool {
        if !core::mem::take(&mut self.ends[0].wants_stream) {
            return false;
        }
        if self.world.wrong == Some(super::Wrong::IncomingForgotten) {
            self.forget_incoming();
        }
        self.link.open();
        let Self { world, ends, .. } = self;
        for end in ends.iter_mut() {
            end.opened();
            end.losses_at_open = world.ledger.losses;
        }
        let now = ends[1].clock(world);
        let latest = ends[1].latest.max(now);
        if let Some(server) = ends[1].server_mut() {
            server.open(latest);
        }
        let now = ends[0].clock(world);
        self.client().handle_open(now);
        true
    }

    /// A wrong policy: each connection begins without the identifiers that the peer uses.
    fn forget_incoming(&mut self) {
        for side in Side::BOTH {
            let Self { world, ends, .. } = self;
            let end = &mut ends[side.index()];
            end.events(world, usize::MAX);
            while end.acknowledge(world, 0, false) {}
            end.take_batches(world);
            while end.commit(world) {}
            self.crashes(side, Crash::default());
            self.ends[side.index()].events(&mut self.world, usize::MAX);
        }
        self.ends[0].wants_stream = false;
    }

    fn cannot_open(&mut self) -> bool {
        if !core::mem::take(&mut self.ends[0].wants_stream) {
            return false;
        }
        let now = self.ends[0].clock(&self.world);
        self.client().handle_open_failed(now, true);
        true
    }

    fn cut_now(&mut self, keep: [usize; 2]) -> bool {
        if !self.link.is_open() {
            return false;
        }
        let mut any = self.link.passes();
        self.link.end();
        for side in Side::BOTH {
            any |= self.link.truncate(side, keep[side.index()]);
            if self.link.under_way(side) == 0 && !self.ends[side.index()].input.is_empty() {
                self.world.counts.cuts_in_packets += 1;
            }
        }
        any
    }

    fn noise(&mut self, side: Side, noise: Noise) -> bool {
        // Before the end of the handshake the bytes might pass for those of the peer.
        let ends_are_connected = self.ends.iter_mut().all(|end| end.machine.is_connected());
        let from = &self.ends[side.other().index()];
        if !ends_are_connected || from.watch.is_in_packet() || !from.outbox.is_empty() || !from.has_stream {
            return false;
        }
        let bytes = match noise {
            Noise::Malformed => vec![0, 0],
            Noise::Misplaced => misplaced(side, from.version),
        };
        self.link.write(side.other(), self.world.now, &bytes);
        self.link.end();
        true
    }

    // ---- the end of a process

    fn crashes(&mut self, side: Side, crash: Crash) {
        self.link.end();
        let Self {
            world, ends, config, ..
        } = self;
        match side {
            Side::Client => ends[0].restart_client(world, config.client.clone(), crash),
            Side::Server => ends[1].restart_server(world, &config.server, crash),
        }
    }

    fn misconfigure(&mut self) -> bool {
        let Ok(method) = Text::from_bytes(Bytes::from_static(b"none")) else {
            return false;
        };
        if self.config.client.version.has_properties() {
            return false;
        }
        self.link.end();
        let config = self
            .config
            .client
            .clone()
            .authentication(Some(Authentication { method, data: None }));
        let Self { world, ends, .. } = self;
        ends[0].restart_client(world, config, Crash::default());
        ends[0].is_misconfigured = true;
        true
    }
}

/// A packet that this side may not be sent.
fn misplaced(towards: Side, version: mqtt_session::proto::Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    match (towards, SubAckCodes::new([SubAckReason::GrantedQoS0])) {
        (Side::Client, Ok(codes)) => {
            let packet: Packet<Bytes> = Packet::SubAck(SubAck {
                id: PacketId::MAX,
                codes,
                properties: Properties::empty(),
            });
            assert!(packet.encode_to(version, &mut bytes).is_ok());
        }
        // The second CONNECT of a connection.
        _ => bytes.extend_from_slice(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00"),
    }
    bytes
}
