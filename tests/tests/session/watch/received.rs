//! What the peer says, as far as it binds the machine.

use mqtt_session::proto::{Role, Version};
use mqtt_tests::outline::{Outline, Part};

use super::{Flight, Law, Watch};

impl Watch {
    /// The machine gets a frame. What is malformed tells nothing.
    pub(crate) fn received(&mut self, frame: &[u8]) {
        self.note("<", frame);
        let Some(outline) = Outline::read(frame, self.version.level()) else {
            return;
        };
        let id = id(&outline);
        let qos = outline.flags >> 1 & 3;
        match (outline.packet_type, id) {
            (1, _) if self.role == Role::Server => self.on_connect(&outline),
            (2, _) if self.role == Role::Client => self.on_connack(&outline),
            (3, Some(id)) if qos == 1 => self.link.pubacks.push_back(id),
            (3, Some(id)) if !self.link.pubrecs.contains(&id) => self.link.pubrecs.push_back(id),
            (4, Some(id)) => self.settle(id),
            (5, Some(id)) => self.on_pubrec(id, code(&outline)),
            (6, Some(id)) => self.link.pubcomps.push_back(id),
            (7, Some(id)) => self.settle(id),
            (8, Some(id)) => self.link.subscribes.push_back(id),
            (9 | 11, Some(id)) => drop(self.session.flights.remove(&id)),
            (10, Some(id)) => self.link.unsubscribes.push_back(id),
            (12, _) => self.link.pings += 1,
            _ => {}
        }
    }

    fn on_connect(&mut self, outline: &Outline<'_>) {
        self.adopt(outline);
        self.link.clean = outline.numbers("Connect Flags").any(|flags| flags & 2 != 0);
    }

    fn on_connack(&mut self, outline: &Outline<'_>) {
        if code(outline) != 0 || self.link.accepted {
            return;
        }
        self.adopt(outline);
        let told = outline.numbers("Connect Acknowledge Flags").any(|flags| flags & 1 != 0);
        // MQTT 3.1 cannot say that the session is there.
        let present = told || self.version == Version::V3_1 && !self.link.clean;
        self.established(present);
    }

    /// The limits of the peer.
    pub(super) fn adopt(&mut self, outline: &Outline<'_>) {
        let number = |name: &str| outline.numbers(name).next();
        let link = &mut self.link;
        link.receive_maximum = number("Receive Maximum").unwrap_or(link.receive_maximum);
        link.packet_size = number("Maximum Packet Size").unwrap_or(link.packet_size);
        link.alias_maximum = number("Topic Alias Maximum").unwrap_or(0);
        link.maximum_qos = number("Maximum QoS").unwrap_or(2);
        link.retain = number("Retain Available") != Some(0);
        link.problems = number("Request Problem Information") != Some(0);
        link.responses = number("Request Response Information") == Some(1);
        if self.role == Role::Server {
            self.link.method = method(outline);
        }
    }

    fn settle(&mut self, id: u16) {
        self.session.given_up.remove(&id);
        if let Some(flight) = self.session.flights.remove(&id) {
            self.link.outstanding.remove(&id);
            if let Flight::Publish { payload, .. } = flight {
                self.session.settled.insert(payload);
            }
        }
    }

    fn on_pubrec(&mut self, id: u16, code: usize) {
        if code >= 0x80 {
            return self.settle(id);
        }
        self.link.pubrels.push_back(id);
        self.session.order += 1;
        let order = self.session.order;
        if let Some(flight) = self.session.flights.get_mut(&id) {
            if let Flight::Publish { payload, .. } = flight {
                self.session.settled.insert(std::mem::take(payload));
                *flight = Flight::Released { order };
            }
        }
    }

    /// A law that speaks of a reply to nothing in particular.
    pub(super) fn judge_reply(&mut self, found: (bool, bool), order: Option<Law>, frame: &[u8]) {
        self.judge(Law::AnswersRepeatId, found.0, frame);
        if let Some(law) = order {
            self.judge(law, found.1, frame);
        }
    }
}

/// The Packet Identifier.
pub(super) fn id(outline: &Outline<'_>) -> Option<u16> {
    outline
        .numbers("Packet Identifier")
        .next()
        .and_then(|id| u16::try_from(id).ok())
}

/// The first Reason Code; 0 where it is left out.
pub(super) fn code(outline: &Outline<'_>) -> usize {
    outline.numbers("Reason Code").next().unwrap_or(0)
}

/// The Authentication Method.
pub(super) fn method(outline: &Outline<'_>) -> Option<Vec<u8>> {
    outline.texts("Authentication Method").next().map(<[u8]>::to_vec)
}

/// What a PUBLISH carries.
pub(super) fn payload(outline: &Outline<'_>) -> Vec<u8> {
    let is_payload = |part: &&Part<'_>| part.name() == "Payload";
    match outline.parts.iter().find(is_payload) {
        Some(Part::Binary(_, payload)) => payload.to_vec(),
        _ => Vec::new(),
    }
}
