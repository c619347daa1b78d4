//! Packets off the front of the input, for either role.

use bytes::{Buf, Bytes, BytesMut};
use mqtt_proto::{
    Decoded, DecodedHead, FixedHeader, Packet, PacketType, Publish, QoS, Rules, decode, decode_bare_ack,
    decode_publish, decode_publish_head,
};

use crate::Violation;
use crate::closed::Fault;
use crate::flow::{Flow, Kept, Tells, size};

/// How many bytes an acknowledgement has that says nothing but success.
const BARE_ACK_LEN: usize = 4;

/// A role, as the reader of its input sees it.
pub(crate) trait Reads {
    type Event: Tells;

    fn flow(&mut self) -> &mut Flow<Self::Event>;

    fn rules(&self) -> &Rules;

    /// Whether there is somebody to read. After the end bytes mean nothing.
    fn is_reading(&self) -> bool;

    /// Whether a packet of this type may come here at all.
    fn expect(&self, packet_type: PacketType) -> Result<(), Violation>;

    /// A packet that is no PUBLISH.
    fn on_packet(&mut self, packet: &Packet<&[u8]>) -> Result<(), Fault>;

    /// Whether this end takes such a PUBLISH.
    fn allow_publish(&self, qos: QoS, retain: bool) -> Result<(), Violation>;

    /// So many packets were read, or parts of one that is told in parts.
    fn on_progress(&mut self, packets: u32);

    /// Ends the connection. `input` begins with the packet, or with what follows the last part of it that was taken.
    fn fail(&mut self, fault: Fault, input: &[u8]);
}

/// Bytes that came: a slice, of which is copied what is kept, or a buffer, of which it is taken.
pub(crate) trait Input {
    fn bytes(&self) -> &[u8];

    fn skip(&mut self, len: usize);

    /// Takes bytes off the front, to be kept.
    fn take<E: Tells>(&mut self, len: usize, flow: &mut Flow<E>) -> Bytes;
}

impl Input for &mut &[u8] {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn skip(&mut self, len: usize) {
        **self = self.get(len..).unwrap_or_default();
    }

    fn take<E: Tells>(&mut self, len: usize, flow: &mut Flow<E>) -> Bytes {
        let bytes = flow.copy_frame(self.get(..len).unwrap_or_default());
        self.skip(len);
        bytes
    }
}

impl Input for &mut BytesMut {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn skip(&mut self, len: usize) {
        self.advance(len.min(self.len()));
    }

    fn take<E: Tells>(&mut self, len: usize, flow: &mut Flow<E>) -> Bytes {
        if len > size(flow.session.manner.limits.inline_bytes) {
            return self.split_to(len.min(self.len())).freeze();
        }
        let bytes = flow.copy_frame(self.get(..len).unwrap_or_default());
        self.skip(len);
        bytes
    }
}

/// Takes all packets that are there in whole, and payloads that are told in chunks as far as they are there.
pub(crate) fn read<M: Reads>(machine: &mut M, mut input: impl Input) {
    let mut packets = 0_u32;
    while !input.bytes().is_empty() && machine.is_reading() {
        let left = machine.flow().payload_left();
        let result = if left > 0 {
            read_payload(machine, &mut input, left)
        } else {
            read_packet(machine, &mut input)
        };
        match result {
            Ok(true) => packets = packets.saturating_add(1),
            Ok(false) => break,
            Err(fault) => {
                machine.on_progress(packets);
                return machine.fail(fault, input.bytes());
            }
        }
    }
    machine.on_progress(packets);
}

/// The next part of a payload.
fn read_payload<M: Reads>(machine: &mut M, input: &mut impl Input, left: usize) -> Result<bool, Fault> {
    let flow = machine.flow();
    let mut len = left.min(input.bytes().len());
    let chunk = if flow.is_payload_told() {
        len = len.min(flow.chunk_room());
        input.take(len, flow)
    } else {
        input.skip(len);
        Bytes::new()
    };
    flow.on_payload(len, chunk).map_err(Fault::Violation)?;
    Ok(true)
}

/// The next packet. `false` if it is not there in whole.
fn read_packet<M: Reads>(machine: &mut M, input: &mut impl Input) -> Result<bool, Fault> {
    let rules = *machine.rules();
    let first = input.bytes().first().copied().unwrap_or_default();
    if let Some(packet_type) = PacketType::from_number(first >> 4) {
        machine.expect(packet_type).map_err(Fault::Violation)?;
    }
    if first >> 4 == PacketType::Publish.number() {
        return read_publish(machine, input, &rules);
    }
    if let Some((packet_type, id)) = decode_bare_ack(input.bytes(), &rules) {
        machine.flow().expect_bytes(0);
        machine.flow().on_bare_ack(packet_type, id).map_err(Fault::Violation)?;
        input.skip(BARE_ACK_LEN);
        return Ok(true);
    }
    // Packets are large: they are looked at where they stand.
    match &decode(input.bytes(), &rules) {
        Ok(Decoded::Packet { packet, len }) => {
            let len = *len;
            machine.flow().expect_bytes(0);
            machine.on_packet(packet)?;
            input.skip(len);
            Ok(true)
        }
        Ok(Decoded::Incomplete { missing }) => {
            let len = input.bytes().len().saturating_add(*missing);
            machine.flow().expect_bytes(len);
            Ok(false)
        }
        Err(error) => Err(Fault::Malformed(*error)),
    }
}

fn read_publish<M: Reads>(machine: &mut M, input: &mut impl Input, rules: &Rules) -> Result<bool, Fault> {
    let whole = size(machine.flow().session.manner.limits.whole_packet_bytes);
    let len = match short_len(input.bytes()) {
        Some(len) if len <= whole.min(input.bytes().len()) => len,
        _ => {
            let Some(header) = FixedHeader::decode(input.bytes(), rules).map_err(Fault::Malformed)? else {
                return Ok(false);
            };
            header.packet_len()
        }
    };
    if len > whole {
        return read_head(machine, input, rules);
    }
    if input.bytes().len() < len {
        return Ok(false);
    }
    let frame = input.take(len, machine.flow());
    // Packets are large: they are looked at where they stand.
    let decoded = &decode_publish(&frame, rules);
    let Some(publish) = decoded.as_ref().map_err(|error| Fault::Malformed(*error))? else {
        return Ok(true);
    };
    let allowed = machine.allow_publish(publish.delivery.qos(), publish.retain);
    let arrived = allowed.and_then(|()| machine.flow().on_publish(publish));
    let Some(arrived) = arrived.map_err(Fault::Violation)? else {
        return Ok(true);
    };
    let Some(kept) = Kept::of(publish, arrived.topic, &frame) else {
        return Err(Fault::Violation(Violation::TopicAliasUnknown));
    };
    let (id, len) = (publish.delivery.id(), publish.payload.len());
    machine.flow().arrived(kept, into_end(frame, len), id, arrived.delivery);
    Ok(true)
}

/// The last bytes of a frame, which hold its memory from here on.
#[inline]
fn into_end(mut frame: Bytes, len: usize) -> Bytes {
    if len == 0 {
        return Bytes::new();
    }
    frame.advance(frame.len().saturating_sub(len));
    frame
}

/// The length of a packet whose Remaining Length is one byte. A whole packet needs no other look at its header before it is
/// decoded.
#[inline]
fn short_len(bytes: &[u8]) -> Option<usize> {
    let remaining = usize::from(*bytes.get(1)?);
    if remaining < 0x80 {
        Some(remaining.saturating_add(2))
    } else {
        None
    }
}

/// The head of a PUBLISH whose payload is told in chunks.
fn read_head<M: Reads>(machine: &mut M, input: &mut impl Input, rules: &Rules) -> Result<bool, Fault> {
    if !machine.flow().may_receive() {
        return Ok(false);
    }
    let (head_len, payload_len) = match decode_publish_head(input.bytes(), rules).map_err(Fault::Malformed)? {
        DecodedHead::Head { len, payload_len, .. } => (len, payload_len),
        DecodedHead::Incomplete { missing } => {
            let needed = input.bytes().len().saturating_add(missing);
            machine.flow().expect_bytes(needed);
            return Ok(false);
        }
        DecodedHead::NotPublish => return Ok(false),
    };
    machine.flow().expect_bytes(0);
    let head = input.take(head_len, machine.flow());
    let publish: Publish<&[u8]> = match decode_publish_head(&head, rules).map_err(Fault::Malformed)? {
        DecodedHead::Head { publish, .. } => publish,
        _ => return Ok(false),
    };
    machine
        .allow_publish(publish.delivery.qos(), publish.retain)
        .map_err(Fault::Violation)?;
    let taken = machine.flow().on_publish_head(&publish, payload_len, &head);
    taken.map_err(Fault::Violation)?;
    Ok(true)
}
