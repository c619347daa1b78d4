//! rumqttc: the `MqttState` of its client, at both ends.
//!
//! It is a client's, but what it does with a message that comes in is the same at either end of a flow. Around it stands
//! what its event loop does: read a packet, hand it to the state, write the answer, hand out the events.

use bytes::BytesMut;

use crate::run::{Pair, Tally};
use crate::scenario::{PAYLOAD, Scenario, TOPIC};

/// How many messages may be in flight: its own default.
const IN_FLIGHT: u16 = 100;

macro_rules! pair {
    ($name:ident, $qos:path, $($api:ident)::+, $($packets:ident)::+, $anything:expr, $publish:expr) => {
        pub struct $name {
            sender: $($api)::+::MqttState,
            receiver: $($api)::+::MqttState,
            up: BytesMut,
            down: BytesMut,
            message: $($packets)::+::Publish,
        }

        impl $name {
            pub fn new(scenario: Scenario) -> Self {
                use $qos as QoS;
                let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(scenario.qos)];
                Self {
                    sender: $($api)::+::MqttState::new(IN_FLIGHT, false),
                    receiver: $($api)::+::MqttState::new(IN_FLIGHT, false),
                    up: BytesMut::with_capacity(10 * 1024),
                    down: BytesMut::with_capacity(10 * 1024),
                    message: $publish(qos),
                }
            }

            /// All packets that came, and the answers to them.
            #[inline(always)]
            fn receive(end: &mut $($api)::+::MqttState, input: &mut BytesMut, output: &mut BytesMut, tally: &mut Tally) {
                tally.wire += input.len();
                while !input.is_empty() {
                    let packet = $($packets)::+::Packet::read(input, $anything).expect("the packet is valid");
                    if let Some(answer) = end.handle_incoming_packet(packet).expect("the packet is expected") {
                        answer.write(output, $anything).expect("the packet is valid");
                    }
                }
                Self::tell(end, tally);
            }

            /// The events that the host polls.
            #[inline(always)]
            fn tell(end: &mut $($api)::+::MqttState, tally: &mut Tally) {
                use $($packets)::+::Packet;
                use $($api)::+::Event;
                use rumqttc::Outgoing;
                while let Some(event) = end.events.pop_front() {
                    match event {
                        Event::Incoming(Packet::Publish(publish)) => {
                            tally.deliver(publish.topic.as_ref(), &publish.payload);
                        }
                        Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_)) => tally.completed += 1,
                        Event::Outgoing(Outgoing::Publish(0)) => tally.completed += 1,
                        _ => {}
                    }
                }
            }
        }

        impl Pair for $name {
            fn exchange(&mut self, window: usize, tally: &mut Tally) {
                for _ in 0..window {
                    let request = $($api)::+::Request::Publish(self.message.clone());
                    let packet = self.sender.handle_outgoing_packet(request).expect("there is room");
                    let packet = packet.expect("there is room");
                    packet.write(&mut self.up, $anything).expect("the packet is valid");
                }
                Self::tell(&mut self.sender, tally);
                while !self.up.is_empty() {
                    Self::receive(&mut self.receiver, &mut self.up, &mut self.down, tally);
                    Self::receive(&mut self.sender, &mut self.down, &mut self.up, tally);
                }
            }
        }
    };
}

pair!(V4, rumqttc::QoS, rumqttc, rumqttc::mqttbytes::v4, usize::MAX, |qos| {
    rumqttc::mqttbytes::v4::Publish::new(TOPIC, qos, PAYLOAD.to_vec())
});

pair!(
    V5,
    rumqttc::v5::mqttbytes::QoS,
    rumqttc::v5,
    rumqttc::v5::mqttbytes::v5,
    None,
    |qos| rumqttc::v5::mqttbytes::v5::Publish::new(TOPIC, qos, PAYLOAD.to_vec(), None)
);
