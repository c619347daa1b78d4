//! SUBSCRIBE, UNSUBSCRIBE and PINGREQ, and their answers.

use alloc::collections::VecDeque;

use bytes::Bytes;
use mqtt_proto::{
    AckProperties, DisconnectReason, EncodeError, PINGRESP, Packet, PacketId, Properties, Role, SubAck, SubAckCodes,
    SubAckReason, Subscribe, UnsubAck, UnsubAckCodes, UnsubAckReason, Unsubscribe,
};

use super::{Phase, RequestId, ServerConnection, ServerEvent};
use crate::fingerprint::Fingerprint;
use crate::time::Instant;
use crate::{Closed, Violation};

/// Why an answer was not taken. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnswerError {
    /// No such request waits for an answer.
    NotAsked,
    /// There are not as many codes as filters. [MQTT-3.8.4-6]
    CodeCountDiffers {
        /// How many filters were asked for.
        filters: usize,
    },
    /// The answer cannot be encoded.
    NotEncodable(EncodeError),
}

impl core::fmt::Display for AnswerError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotAsked => f.write_str("no such request waits for an answer"),
            Self::CodeCountDiffers { filters } => write!(f, "there has to be a code for each of {filters} filters"),
            Self::NotEncodable(error) => write!(f, "the answer cannot be sent: {error}"),
        }
    }
}

impl core::error::Error for AnswerError {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Subscribe,
    Unsubscribe,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    name: RequestId,
    kind: Kind,
    id: PacketId,
    filters: usize,
}

/// What was asked and not answered, in the order of asking.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    open: VecDeque<Request>,
    next: u64,
}

impl Requests {
    pub(super) const fn new() -> Self {
        Self {
            open: VecDeque::new(),
            next: 1,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn clear(&mut self) {
        self.open.clear();
    }

    /// Gives the memory back, if nothing is open.
    pub(super) fn rest(&mut self) {
        crate::rest::queue(&mut self.open);
    }

    fn insert(&mut self, kind: Kind, id: PacketId, filters: usize) -> RequestId {
        let name = RequestId(self.next);
        self.next = self.next.saturating_add(1);
        self.open.push_back(Request {
            name,
            kind,
            id,
            filters,
        });
        name
    }

    pub(super) fn fingerprint(&self, mark: &mut Fingerprint<'_>) {
        mark.count(self.open.len());
        for request in &self.open {
            mark.number(request.id.get());
            mark.number(request.kind == Kind::Subscribe);
            mark.count(request.filters);
        }
    }

    fn find(&self, name: RequestId, kind: Kind) -> Option<(usize, Request)> {
        let index = self.open.iter().position(|open| open.name == name)?;
        let request = *self.open.get(index)?;
        (request.kind == kind).then_some((index, request))
    }

    fn uses(&self, id: PacketId) -> bool {
        self.open.iter().any(|open| open.id == id)
    }
}

impl ServerConnection {
    pub(super) fn on_subscribe(&mut self, subscribe: &Subscribe<&[u8]>) -> Result<(), Violation> {
        self.allow_subscribe(subscribe)?;
        let filters = subscribe.filters.iter().count();
        if self.is_in_use(subscribe.id) {
            let codes = SubAckCodes::new((0..filters).map(|_| SubAckReason::PacketIdentifierInUse));
            return self.answer_at_once(codes.map(|codes| {
                Packet::SubAck(SubAck {
                    id: subscribe.id,
                    codes,
                    properties: Properties::empty(),
                })
            }));
        }
        let request = self.requests.insert(Kind::Subscribe, subscribe.id, filters);
        let owned = subscribe.to_owned();
        self.flow.tell(ServerEvent::Subscribe {
            request,
            filters: owned.filters,
            properties: owned.properties,
        });
        Ok(())
    }

    pub(super) fn on_unsubscribe(&mut self, unsubscribe: &Unsubscribe<&[u8]>) -> Result<(), Violation> {
        let filters = unsubscribe.filters.iter().count();
        if self.is_in_use(unsubscribe.id) {
            let codes = UnsubAckCodes::new((0..filters).map(|_| UnsubAckReason::PacketIdentifierInUse));
            return self.answer_at_once(codes.map(|codes| {
                Packet::UnsubAck(UnsubAck {
                    id: unsubscribe.id,
                    codes,
                    properties: Properties::empty(),
                })
            }));
        }
        let request = self.requests.insert(Kind::Unsubscribe, unsubscribe.id, filters);
        let owned = unsubscribe.to_owned();
        self.flow.tell(ServerEvent::Unsubscribe {
            request,
            filters: owned.filters,
            properties: owned.properties,
        });
        Ok(())
    }

    /// Whether the client uses this identifier for something that has not ended. [MQTT-2.2.1-3]
    fn is_in_use(&self, id: PacketId) -> bool {
        let session = &self.flow.session;
        self.version.has_properties() && (self.requests.uses(id) || session.incoming.is_known(id, &session.journal))
    }

    fn answer_at_once(&mut self, packet: Result<Packet<Bytes>, EncodeError>) -> Result<(), Violation> {
        let limit = self.flow.peer_packet_bytes();
        let packet = packet.and_then(|packet| packet.fit(self.version, limit));
        match packet.and_then(|packet| packet.encode_to(self.version, &mut self.wire.urgent)) {
            Ok(_) => self.is_read(),
            Err(error) => {
                self.cannot_answer(error);
                Ok(())
            }
        }
    }

    /// The client waits for an answer that it does not take. [MQTT-3.1.2-24, MQTT-3.8.4-1]
    fn cannot_answer(&mut self, error: EncodeError) {
        self.end_with(Closed::NotEncodable(error), DisconnectReason::PacketTooLarge);
    }

    /// [MQTT-3.12.4-1]
    pub(super) fn on_ping(&mut self) -> Result<(), Violation> {
        self.wire.urgent.extend_from_slice(&PINGRESP);
        self.is_read()
    }

    /// Answers a [`ServerEvent::Subscribe`]: a code for each filter, in their order. MQTT 3 is told the nearest codes. If the
    /// client takes no packet as large, the connection ends instead.
    ///
    /// # Errors
    /// If nothing of this name is asked, or there is not a code for each filter. Nothing has changed then.
    pub fn subscribed(
        &mut self,
        now: Instant,
        request: RequestId,
        codes: impl IntoIterator<Item = SubAckReason>,
        properties: AckProperties<Bytes>,
    ) -> Result<(), AnswerError> {
        self.advance(now);
        let (index, asked) = self.asked(request, Kind::Subscribe)?;
        let codes = SubAckCodes::new(codes).map_err(AnswerError::NotEncodable)?;
        if codes.iter().len() != asked.filters {
            return Err(AnswerError::CodeCountDiffers { filters: asked.filters });
        }
        let packet = SubAck {
            id: asked.id,
            codes,
            properties,
        };
        self.answer(index, Packet::SubAck(packet.for_version(self.version)))
    }

    /// Answers a [`ServerEvent::Unsubscribe`]: a code for each filter, in their order. MQTT 3 is told none. If the client takes
    /// no packet as large, the connection ends instead.
    ///
    /// # Errors
    /// If nothing of this name is asked, or there is not a code for each filter. Nothing has changed then.
    pub fn unsubscribed(
        &mut self,
        now: Instant,
        request: RequestId,
        codes: impl IntoIterator<Item = UnsubAckReason>,
        properties: AckProperties<Bytes>,
    ) -> Result<(), AnswerError> {
        self.advance(now);
        let (index, asked) = self.asked(request, Kind::Unsubscribe)?;
        let codes = UnsubAckCodes::new(codes).map_err(AnswerError::NotEncodable)?;
        if codes.iter().len() != asked.filters {
            return Err(AnswerError::CodeCountDiffers { filters: asked.filters });
        }
        let (codes, properties) = if self.version.has_properties() {
            (codes, properties)
        } else {
            (UnsubAckCodes::none(), AckProperties::empty())
        };
        let packet = UnsubAck {
            id: asked.id,
            codes,
            properties,
        };
        self.answer(index, Packet::UnsubAck(packet))
    }

    fn asked(&self, name: RequestId, kind: Kind) -> Result<(usize, Request), AnswerError> {
        let found = self
            .requests
            .find(name, kind)
            .filter(|_| self.phase == Phase::Connected);
        found.ok_or(AnswerError::NotAsked)
    }

    /// Sends an answer; without its words, if the client takes no packet as large. [MQTT-3.9.2-1, MQTT-3.9.2-2]
    fn answer(&mut self, index: usize, packet: Packet<Bytes>) -> Result<(), AnswerError> {
        let packet = if self.says_problems {
            packet
        } else {
            without_words(packet)
        };
        let packet = packet.fit(self.version, self.flow.peer_packet_bytes());
        let written = packet.and_then(|packet| packet.encode_to(self.version, &mut self.wire.urgent));
        match written {
            Ok(_) => {}
            Err(error @ EncodeError::PacketTooLarge { .. }) => {
                self.cannot_answer(error);
                return Ok(());
            }
            Err(error) => return Err(AnswerError::NotEncodable(error)),
        }
        self.requests.open.remove(index);
        self.requests.rest();
        if let Err(violation) = self.is_read() {
            self.end_with(
                violation.closed(self.version, Role::Client),
                violation.disconnect_reason(),
            );
        }
        Ok(())
    }
}

/// [MQTT-3.1.2-29]
fn without_words(mut packet: Packet<Bytes>) -> Packet<Bytes> {
    let properties = match &mut packet {
        Packet::SubAck(ack) => &mut ack.properties,
        Packet::UnsubAck(ack) => &mut ack.properties,
        _ => return packet,
    };
    *properties = Properties::empty();
    packet
}
