//! What the machine sends, judged frame by frame.

use mqtt_session::proto::{Role, Version};
use mqtt_tests::outline::Outline;

use super::received::{code, id, method, payload};
use super::{Flight, Law, Watch, take};

impl Watch {
    /// The machine has sent a frame.
    pub(crate) fn sent(&mut self, frame: &[u8]) {
        self.note(">", frame);
        let outline = Outline::read(frame, self.version.level())
            .unwrap_or_else(|| panic!("the fields do not fill what was sent: {frame:02X?}"));
        self.judge_place(&outline, frame);
        self.judge(Law::PacketSize, frame.len() <= self.link.packet_size, frame);
        self.judge_explanations(&outline, frame);
        self.link.sent += 1;
        match outline.packet_type {
            1 => {
                self.link.method = method(&outline);
                self.link.clean = outline.numbers("Connect Flags").any(|flags| flags & 2 != 0);
            }
            2 => self.connack(&outline, frame),
            3 => self.publish(&outline, frame),
            4..=7 => self.acknowledgement(&outline, frame),
            8 | 10 => self.request(&outline, frame),
            9 | 11 => self.request_answer(&outline, frame),
            13 => {
                self.judge(Law::PingRespAnswers, self.link.pings > 0, frame);
                self.link.pings = self.link.pings.saturating_sub(1);
            }
            14 => self.link.disconnected = true,
            15 => self.auth(&outline, frame),
            _ => {}
        }
    }

    /// Whether such a packet may be sent here.
    fn judge_place(&mut self, outline: &Outline<'_>, frame: &[u8]) {
        let kind = outline.packet_type;
        if self.link.disconnected {
            self.judge(Law::NothingAfterDisconnect, false, frame);
        }
        let is_first = self.link.sent == 0;
        match self.role {
            Role::Client => {
                if is_first || kind == 1 {
                    self.judge(Law::FirstPacket, is_first && kind == 1, frame);
                } else if self.link.method.is_some() && !self.link.accepted {
                    self.judge(Law::OnlyAuthBeforeConnAck, matches!(kind, 14 | 15), frame);
                }
            }
            Role::Server => {
                if is_first {
                    self.judge(Law::FirstPacket, matches!(kind, 2 | 15), frame);
                }
                let accepted = self.link.accepted;
                match kind {
                    2 => self.judge(Law::OneConnAck, self.link.connacks == 0, frame),
                    14 => self.judge(Law::NoDisconnectBeforeConnAck, accepted, frame),
                    15 => {}
                    _ => self.judge(Law::ConnAckBeforeAll, accepted, frame),
                }
            }
        }
    }

    fn judge_explanations(&mut self, outline: &Outline<'_>, frame: &[u8]) {
        if self.role != Role::Server || !self.is_5() {
            return;
        }
        if !self.link.problems && !matches!(outline.packet_type, 2 | 3 | 14) {
            let explains = outline.has("Reason String") || outline.has("User Property");
            self.judge(Law::ProblemInformation, !explains, frame);
        }
        if outline.packet_type == 2 && !self.link.responses {
            self.judge(Law::ResponseInformation, !outline.has("Response Information"), frame);
        }
    }

    fn connack(&mut self, outline: &Outline<'_>, frame: &[u8]) {
        self.link.connacks += 1;
        let present = outline.numbers("Connect Acknowledge Flags").any(|flags| flags & 1 != 0);
        if code(outline) == 0 {
            // MQTT 3.1 cannot say that the session is there.
            self.established(present || self.version == Version::V3_1 && !self.link.clean);
        } else {
            self.judge(Law::RefusalWithoutSession, !present, frame);
        }
        self.judge_method(outline, frame);
    }

    fn auth(&mut self, outline: &Outline<'_>, frame: &[u8]) {
        self.judge(Law::NoAuthWithoutMethod, self.link.method.is_some(), frame);
        self.judge_method(outline, frame);
    }

    /// An AUTH and a CONNACK that accepts have the method of CONNECT.
    fn judge_method(&mut self, outline: &Outline<'_>, frame: &[u8]) {
        let told = method(outline);
        if outline.packet_type == 15 || code(outline) == 0 && (told.is_some() || self.link.method.is_some()) {
            self.judge(Law::SameMethod, told == self.link.method, frame);
        }
    }

    fn publish(&mut self, outline: &Outline<'_>, frame: &[u8]) {
        let qos = outline.flags >> 1 & 3;
        let dup = outline.flags & 8 != 0;
        self.judge(Law::MaximumQoS, usize::from(qos) <= self.link.maximum_qos, frame);
        if !self.link.retain {
            self.judge(Law::RetainAvailable, outline.flags & 1 == 0, frame);
        }
        let topic = self.judge_alias(outline, frame);
        let Some(id) = id(outline) else {
            return self.judge(Law::PlainWithoutDup, !dup, frame);
        };
        let payload = payload(outline);
        if self.payloads_are_unique {
            self.judge(Law::SettledIsOver, !self.session.settled.contains(&payload), frame);
        }
        let before = self.session.flights.get(&id).cloned();
        let is_over = |flight: &Flight| {
            matches!(flight, Flight::Publish { qos: 1, .. }) && !dup && !carries(flight, &topic, &payload)
        };
        let ended = self.session.given_up.contains(&id) && before.as_ref().is_some_and(is_over);
        match before.filter(|_| !ended) {
            Some(Flight::Released { .. }) => self.judge(Law::NoPublishAfterPubRec, false, frame),
            Some(before @ Flight::Publish { .. }) if dup || carries(&before, &topic, &payload) => {
                self.judge(Law::RepeatWithDup, dup, frame);
                self.repeated(id, before, &(qos, topic, payload), frame);
            }
            before => {
                self.judge_new_id(id, before.is_none(), frame);
                let (unused, first) = if qos == 1 {
                    (Law::UnusedIdAtLeastOnce, Law::FirstAtLeastOnceWithoutDup)
                } else {
                    (Law::UnusedIdExactlyOnce, Law::FirstExactlyOnceWithoutDup)
                };
                self.judge(unused, id != 0 && before.is_none(), frame);
                self.judge(first, !dup, frame);
                self.session.order += 1;
                let order = self.session.order;
                let flight = Flight::Publish {
                    qos,
                    retain: outline.flags & 1 != 0,
                    order,
                    topic,
                    payload,
                };
                self.session.flights.insert(id, flight);
                self.session.given_up.remove(&id);
            }
        }
        self.link.sent_here.insert(id);
        self.link.outstanding.insert(id);
        let (used, quota) = (self.link.outstanding.len(), self.link.receive_maximum);
        self.judge(Law::Quota, used <= quota, frame);
    }

    /// A PUBLISH that was sent on an earlier connection.
    fn repeated(&mut self, id: u16, before: Flight, again: &(u8, Vec<u8>, Vec<u8>), frame: &[u8]) {
        let Flight::Publish {
            qos,
            order,
            topic,
            payload,
            ..
        } = before
        else {
            return;
        };
        let is_same = (qos, topic, payload) == *again && !self.link.sent_here.contains(&id);
        self.judge(Law::RepeatIsTheSame, is_same, frame);
        self.judge(Law::NoPublishAfterPubRec, true, frame);
        self.judge(Law::RepeatsInOrder, order > self.link.last_repeat, frame);
        self.link.last_repeat = order;
    }

    fn judge_new_id(&mut self, id: u16, is_unused: bool, frame: &[u8]) {
        self.judge(Law::UnusedId, id != 0 && is_unused, frame);
    }

    /// The topic of a PUBLISH, which may stand behind an alias.
    fn judge_alias(&mut self, outline: &Outline<'_>, frame: &[u8]) -> Vec<u8> {
        let topic = outline.texts("Topic Name").next().unwrap_or_default().to_vec();
        let alias = outline.numbers("Topic Alias").next();
        if self.link.alias_maximum == 0 {
            self.judge(Law::NoAliasWithoutMaximum, alias.is_none(), frame);
        }
        let Some(alias) = alias else { return topic };
        let is_within = (1..=self.link.alias_maximum).contains(&alias);
        self.judge(Law::AliasWithinMaximum, is_within, frame);
        if topic.is_empty() {
            let known = self.link.aliases.get(&alias).cloned();
            self.judge(Law::AliasWasDefined, known.is_some(), frame);
            return known.unwrap_or_default();
        }
        self.link.aliases.insert(alias, topic.clone());
        topic
    }

    fn acknowledgement(&mut self, outline: &Outline<'_>, frame: &[u8]) {
        let id = id(outline).unwrap_or_default();
        if outline.packet_type == 6 && self.session.given_up.contains(&id) {
            let order = self.session.order;
            self.session.flights.insert(id, Flight::Released { order });
            return;
        }
        let link = &mut self.link;
        let (line, order) = match outline.packet_type {
            4 => (&mut link.pubacks, Some(Law::PubAcksInOrder)),
            5 => (&mut link.pubrecs, Some(Law::PubRecsInOrder)),
            6 => (&mut link.pubrels, Some(Law::PubRelsInOrder)),
            _ => (&mut link.pubcomps, None),
        };
        let found = take(line, id);
        self.judge_reply(found, order, frame);
    }

    fn request(&mut self, outline: &Outline<'_>, frame: &[u8]) {
        let id = id(outline).unwrap_or_default();
        let flight = if outline.packet_type == 8 {
            Flight::Subscribe
        } else {
            Flight::Unsubscribe
        };
        let before = self.session.flights.insert(id, flight);
        let has_ended = self.session.given_up.remove(&id) && matches!(before, Some(Flight::Publish { qos: 1, .. }));
        self.judge_new_id(id, before.is_none() || has_ended, frame);
    }

    fn request_answer(&mut self, outline: &Outline<'_>, frame: &[u8]) {
        let id = id(outline).unwrap_or_default();
        let (line, law) = if outline.packet_type == 9 {
            (&mut self.link.subscribes, Law::SubAckRepeatsId)
        } else {
            (&mut self.link.unsubscribes, Law::UnsubAckRepeatsId)
        };
        let (found, _) = take(line, id);
        self.judge(law, found, frame);
    }
}

/// Whether a message is this one.
fn carries(flight: &Flight, its_topic: &[u8], its_payload: &[u8]) -> bool {
    matches!(flight, Flight::Publish { topic, payload, .. } if topic == its_topic && payload == its_payload)
}
