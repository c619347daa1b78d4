//! States and steps, to be read.

use std::fmt;

use bytes::Bytes;
use mqtt_proto::{Packet, PacketId, Role, Rules};

use super::Action;
use super::world::{Side, World};

impl World {
    /// What the two ends look like, in one line.
    #[must_use]
    pub fn describe(&self) -> String {
        let side = |side: Side| {
            let disk = &self.disks[side as usize];
            let wire = self.wires[side as usize].iter().map(|packet| self.name(packet, side));
            format!(
                "{side:?} <- [{}] stored {} writing {}",
                wire.collect::<Vec<_>>().join(", "),
                disk.durable.len(),
                disk.pending.len()
            )
        };
        format!("{}; {}", side(Side::Client), side(Side::Server))
    }

    fn name(&self, packet: &Bytes, to: Side) -> String {
        let sender = match to {
            Side::Client => Role::Server,
            Side::Server => Role::Client,
        };
        let rules = Rules::new(self.setup.version).sent_by(sender);
        match mqtt_proto::decode(packet, &rules) {
            Ok(mqtt_proto::Decoded::Packet { packet, .. }) => match packet {
                Packet::Publish(publish) => format!(
                    "PUBLISH {} {}{}",
                    publish.delivery.id().map_or(0, PacketId::get),
                    String::from_utf8_lossy(publish.payload),
                    if publish.delivery.dup() { " again" } else { "" }
                ),
                Packet::PubAck(ack) => format!("PUBACK {}", ack.id.get()),
                Packet::PubRec(ack) => format!("PUBREC {}", ack.id.get()),
                Packet::PubRel(ack) => format!("PUBREL {}", ack.id.get()),
                Packet::PubComp(ack) => format!("PUBCOMP {}", ack.id.get()),
                other => format!("{:?}", other.packet_type()),
            },
            other => format!("{other:?}"),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish(side) => write!(f, "{side:?} publishes"),
            Self::Arrive(side) => write!(f, "a packet arrives at the {side:?}"),
            Self::Commit(side) => write!(f, "a write of the {side:?} is durable"),
            Self::Reconnect => write!(f, "Client reconnects"),
            Self::Cut => write!(f, "the link is cut"),
            Self::Acknowledge(side) => write!(f, "the host of the {side:?} acknowledges"),
            Self::TimeOut(side) => write!(f, "a deadline of the {side:?} passes"),
            Self::Crash(side) => write!(f, "{side:?} crashes and starts again"),
        }
    }
}
