//! mqtt-protocol-core: its `Connection` at both ends, which answers by itself.
//!
//! Its events about timers are looked at and dropped. A packet is written slice for slice, which is cheaper than its
//! contiguous form: that is a vector of its own.

use std::sync::Arc;

use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::Event;
use mqtt_protocol_core::mqtt::packet::{GenericPacketTrait, Packet, Qos, v3_1_1, v5_0};
use mqtt_protocol_core::mqtt::{Connection, Version, role};

use crate::run::{Pair, Tally};
use crate::scenario::{PAYLOAD, Protocol, Scenario, TOPIC};

pub struct Both {
    client: Connection<role::Client>,
    server: Connection<role::Server>,
    up: Vec<u8>,
    down: Vec<u8>,
    version: Version,
    qos: Qos,
    payload: Arc<[u8]>,
}

impl Both {
    pub fn new(scenario: Scenario) -> Self {
        let version = match scenario.protocol {
            Protocol::V3_1_1 => Version::V3_1_1,
            Protocol::V5 => Version::V5_0,
        };
        let mut both = Self {
            client: Connection::new(version),
            server: Connection::new(version),
            up: Vec::new(),
            down: Vec::new(),
            version,
            qos: [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce][usize::from(scenario.qos)],
            payload: Arc::from(PAYLOAD),
        };
        both.client.set_auto_pub_response(true);
        both.server.set_auto_pub_response(true);
        both.connect();
        both
    }

    fn connect(&mut self) {
        const VALID: &str = "the packet is valid";
        let mut tally = Tally::default();
        let (connect, connack): (Packet, Packet) = match self.version {
            Version::V5_0 => (
                v5_0::Connect::builder()
                    .client_id("bench")
                    .expect(VALID)
                    .keep_alive(60)
                    .build()
                    .expect(VALID)
                    .into(),
                v5_0::Connack::builder()
                    .session_present(false)
                    .reason_code(mqtt_protocol_core::mqtt::result_code::ConnectReasonCode::Success)
                    .build()
                    .expect(VALID)
                    .into(),
            ),
            _ => (
                v3_1_1::Connect::builder()
                    .client_id("bench")
                    .expect(VALID)
                    .keep_alive(60)
                    .build()
                    .expect(VALID)
                    .into(),
                v3_1_1::Connack::builder()
                    .session_present(false)
                    .return_code(mqtt_protocol_core::mqtt::result_code::ConnectReturnCode::Accepted)
                    .build()
                    .expect(VALID)
                    .into(),
            ),
        };
        take(self.client.send(connect), &mut self.up, &mut tally);
        receive(&mut self.server, &mut self.up, &mut self.down, &mut tally);
        take(self.server.send(connack), &mut self.down, &mut tally);
        receive(&mut self.client, &mut self.down, &mut self.up, &mut tally);
    }

    #[inline(always)]
    fn publish(&mut self) -> Packet {
        const VALID: &str = "the packet is valid";
        let id = (self.qos != Qos::AtMostOnce).then(|| self.client.acquire_packet_id().expect("an identifier is free"));
        if self.version == Version::V5_0 {
            let builder = v5_0::Publish::builder()
                .topic_name(TOPIC)
                .expect(VALID)
                .qos(self.qos)
                .payload(self.payload.clone());
            let builder = match id {
                Some(id) => builder.packet_id(id),
                None => builder,
            };
            builder.build().expect(VALID).into()
        } else {
            let builder = v3_1_1::Publish::builder()
                .topic_name(TOPIC)
                .expect(VALID)
                .qos(self.qos)
                .payload(self.payload.clone());
            let builder = match id {
                Some(id) => builder.packet_id(id),
                None => builder,
            };
            builder.build().expect(VALID).into()
        }
    }
}

impl Pair for Both {
    fn exchange(&mut self, window: usize, tally: &mut Tally) {
        for _ in 0..window {
            let packet = self.publish();
            take(self.client.send(packet), &mut self.up, tally);
        }
        if self.qos == Qos::AtMostOnce {
            // It tells no end of these.
            tally.completed += window;
        }
        while !self.up.is_empty() {
            receive(&mut self.server, &mut self.up, &mut self.down, tally);
            receive(&mut self.client, &mut self.down, &mut self.up, tally);
        }
    }
}

/// All packets that came, and what is to be sent because of them.
#[inline(always)]
fn receive<R: role::RoleType>(end: &mut Connection<R>, input: &mut Vec<u8>, output: &mut Vec<u8>, tally: &mut Tally) {
    tally.wire += input.len();
    let mut cursor = Cursor::new(&input[..]);
    while (cursor.position() as usize) < input.len() {
        take(end.recv(&mut cursor), output, tally);
    }
    input.clear();
}

#[inline(always)]
fn take(events: Vec<Event>, output: &mut Vec<u8>, tally: &mut Tally) {
    for event in events {
        match event {
            Event::RequestSendPacket { packet, .. } => {
                for slice in packet.to_buffers() {
                    output.extend_from_slice(&slice);
                }
            }
            Event::NotifyPacketReceived(packet) => match packet {
                Packet::V3_1_1Publish(publish) => {
                    tally.deliver(publish.topic_name().as_bytes(), publish.payload().as_slice());
                }
                Packet::V5_0Publish(publish) => {
                    tally.deliver(publish.topic_name().as_bytes(), publish.payload().as_slice());
                }
                Packet::V3_1_1Puback(_) | Packet::V3_1_1Pubcomp(_) | Packet::V5_0Puback(_) | Packet::V5_0Pubcomp(_) => {
                    tally.completed += 1
                }
                _ => {}
            },
            Event::NotifyPacketIdReleased(_) | Event::RequestTimerReset { .. } | Event::RequestTimerCancel(_) => {}
            Event::NotifyError(error) => panic!("{error:?}"),
            Event::RequestClose => panic!("the connection is to be closed"),
        }
    }
}
