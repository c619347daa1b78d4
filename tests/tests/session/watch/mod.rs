//! An onlooker of one connection after the other: it reads every frame in both directions by the independent outline, and
//! judges what the machine under test sends by the laws of the specification.
//!
//! Every rig has one, so that each law is checked over everything that is sent in all trials. What a law has to show on
//! its own it shows over the random exchanges of [`workload`](crate::workload), where there have to be witnesses enough.

mod received;
mod sent;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mqtt_session::proto::{Role, Version};
use mqtt_tests::hex;

/// What has to hold for everything that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Law {
    /// CONNECT is first of all that a client sends, CONNACK or AUTH of what a server sends.
    FirstPacket,
    /// A server sends one CONNACK.
    OneConnAck,
    /// Before a CONNACK of success a server sends nothing but AUTH.
    ConnAckBeforeAll,
    /// A server sends no DISCONNECT before a CONNACK that accepts.
    NoDisconnectBeforeConnAck,
    /// A CONNACK that refuses has Session Present 0.
    RefusalWithoutSession,
    /// After DISCONNECT nothing follows.
    NothingAfterDisconnect,
    /// With an authentication method, a client sends only AUTH and DISCONNECT between CONNECT and CONNACK.
    OnlyAuthBeforeConnAck,
    /// Every AUTH has the method of CONNECT.
    SameMethod,
    /// Without a method in CONNECT there is no AUTH.
    NoAuthWithoutMethod,
    /// A new QoS 1 or 2 PUBLISH, SUBSCRIBE or UNSUBSCRIBE has an identifier that is not 0 and not in use.
    UnusedId,
    /// The same, PUBLISH of QoS 1 alone.
    UnusedIdAtLeastOnce,
    /// The same, PUBLISH of QoS 2 alone.
    UnusedIdExactlyOnce,
    /// A PUBLISH of QoS 0 has DUP 0.
    PlainWithoutDup,
    /// The first PUBLISH of a QoS 1 message has DUP 0.
    FirstAtLeastOnceWithoutDup,
    /// The first PUBLISH of a QoS 2 message has DUP 0.
    FirstExactlyOnceWithoutDup,
    /// A PUBLISH that is sent again has DUP 1.
    RepeatWithDup,
    /// What is sent again has its identifier, QoS, topic and payload, and is sent once on a later connection.
    RepeatIsTheSame,
    /// What is sent again goes in the order of the first sending.
    RepeatsInOrder,
    /// A message is not sent again after PUBREC.
    NoPublishAfterPubRec,
    /// What was acknowledged or refused for good is never sent again.
    SettledIsOver,
    /// PUBACK, PUBREC, PUBREL and PUBCOMP have the identifier of what they answer.
    AnswersRepeatId,
    /// PUBACKs go in the order of the PUBLISHes of QoS 1.
    PubAcksInOrder,
    /// PUBRECs go in the order of the PUBLISHes of QoS 2.
    PubRecsInOrder,
    /// PUBRELs go in the order of the PUBRECs.
    PubRelsInOrder,
    /// SUBACK has the identifier of its SUBSCRIBE.
    SubAckRepeatsId,
    /// UNSUBACK has the identifier of its UNSUBSCRIBE.
    UnsubAckRepeatsId,
    /// There are no more PINGRESPs than PINGREQs.
    PingRespAnswers,
    /// No packet is larger than the Maximum Packet Size of the peer.
    PacketSize,
    /// No alias is above the Topic Alias Maximum of the peer.
    AliasWithinMaximum,
    /// A peer without Topic Alias Maximum gets no alias.
    NoAliasWithoutMaximum,
    /// An alias without a topic was sent with one before, on this connection.
    AliasWasDefined,
    /// There are no more unacknowledged messages than the Receive Maximum of the peer.
    Quota,
    /// No message is above the Maximum QoS of the peer.
    MaximumQoS,
    /// A server without retained messages gets none.
    RetainAvailable,
    /// With Request Problem Information 0 only PUBLISH, CONNACK and DISCONNECT explain themselves.
    ProblemInformation,
    /// Response Information is sent only to those who ask for it.
    ResponseInformation,
}

/// What an identifier stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flight {
    /// A PUBLISH that waits for PUBACK or PUBREC.
    Publish {
        qos: u8,
        retain: bool,
        order: u64,
        topic: Vec<u8>,
        payload: Vec<u8>,
    },
    /// From PUBREC to PUBCOMP.
    Released {
        order: u64,
    },
    Subscribe,
    Unsubscribe,
}

/// What lives as long as the session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    /// What may end, or be released without a PUBREC, in whatever order.
    pub(crate) given_up: BTreeSet<u16>,
    /// What the machine has under way, by identifier.
    pub(crate) flights: BTreeMap<u16, Flight>,
    order: u64,
    settled: BTreeSet<Vec<u8>>,
}

/// What lives as long as the connection.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) is_open: bool,
    pub(crate) accepted: bool,
    sent: usize,
    connacks: usize,
    disconnected: bool,
    clean: bool,
    method: Option<Vec<u8>>,
    receive_maximum: usize,
    packet_size: usize,
    alias_maximum: usize,
    maximum_qos: usize,
    retain: bool,
    problems: bool,
    responses: bool,
    aliases: BTreeMap<usize, Vec<u8>>,
    outstanding: BTreeSet<u16>,
    /// Identifiers of messages that were sent on this connection.
    pub(crate) sent_here: BTreeSet<u16>,
    last_repeat: u64,
    pubacks: VecDeque<u16>,
    pubrecs: VecDeque<u16>,
    /// Identifiers that a PUBREL is owed for.
    pub(crate) pubrels: VecDeque<u16>,
    pubcomps: VecDeque<u16>,
    subscribes: VecDeque<u16>,
    unsubscribes: VecDeque<u16>,
    pings: usize,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            is_open: false,
            accepted: false,
            sent: 0,
            connacks: 0,
            disconnected: false,
            clean: false,
            method: None,
            receive_maximum: usize::from(u16::MAX),
            packet_size: usize::MAX,
            alias_maximum: 0,
            maximum_qos: 2,
            retain: true,
            problems: true,
            responses: false,
            aliases: BTreeMap::new(),
            outstanding: BTreeSet::new(),
            sent_here: BTreeSet::new(),
            last_repeat: 0,
            pubacks: VecDeque::new(),
            pubrecs: VecDeque::new(),
            pubrels: VecDeque::new(),
            pubcomps: VecDeque::new(),
            subscribes: VecDeque::new(),
            unsubscribes: VecDeque::new(),
            pings: 0,
        }
    }
}

/// The onlooker of one machine.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    role: Role,
    version: Version,
    /// Every payload is sent as one message only, so that one that comes again is a repetition.
    pub(crate) payloads_are_unique: bool,
    pub(crate) session: Session,
    pub(crate) link: Link,
    pub(crate) witnesses: BTreeMap<Law, u64>,
    pub(crate) breaks: Vec<(Law, String)>,
    /// The last frames in both directions, for whoever reads of a broken law.
    trail: VecDeque<String>,
}

/// How many frames the trail has.
const TRAIL: usize = 60;

impl Watch {
    /// Watches a machine in this role.
    pub(crate) fn new(role: Role, version: Version) -> Self {
        Self {
            role,
            version,
            payloads_are_unique: false,
            session: Session::default(),
            link: Link::default(),
            witnesses: BTreeMap::new(),
            breaks: Vec::new(),
            trail: VecDeque::new(),
        }
    }

    fn is_5(&self) -> bool {
        self.version == Version::V5
    }

    /// A stream begins.
    pub(crate) fn opened(&mut self) {
        self.ended();
        self.note("|", &[]);
        self.link.is_open = true;
    }

    /// The stream is gone.
    pub(crate) fn ended(&mut self) {
        if self.link.disconnected {
            self.judge(Law::NothingAfterDisconnect, true, &[]);
        }
        // Before MQTT 5.0 a session that began with its connection ends with it.
        if self.link.accepted && self.link.clean && !self.is_5() {
            self.session_begins();
        }
        self.link = Link::default();
        // A request is asked again on the next connection, under its identifier.
        self.session
            .flights
            .retain(|_, flight| matches!(flight, Flight::Publish { .. } | Flight::Released { .. }));
    }

    /// The session of the peer begins anew.
    fn session_begins(&mut self) {
        self.session.flights.clear();
        self.session.given_up.clear();
    }

    /// The connection is established.
    fn established(&mut self, present: bool) {
        if present {
            self.give_up_what_is_not_supported();
            let mut released: Vec<(u64, u16)> = self
                .session
                .flights
                .iter()
                .filter_map(|(id, flight)| match flight {
                    Flight::Released { order } if !self.session.given_up.contains(id) => Some((*order, *id)),
                    _ => None,
                })
                .collect();
            released.sort_unstable();
            self.link.pubrels = released.into_iter().map(|(_, id)| id).collect();
        } else {
            self.session_begins();
        }
        self.link.accepted = true;
    }

    /// A message that the server does not take any more cannot go again. When its turn comes, its identifier is free (QoS 1),
    /// or released, since the server may hold it (QoS 2).
    fn give_up_what_is_not_supported(&mut self) {
        let (maximum_qos, may_retain) = (self.link.maximum_qos, self.link.retain);
        for (id, flight) in &self.session.flights {
            if let Flight::Publish { qos, retain, .. } = flight {
                if usize::from(*qos) > maximum_qos || *retain && !may_retain {
                    self.session.given_up.insert(*id);
                }
            }
        }
    }

    fn note(&mut self, direction: &str, frame: &[u8]) {
        if self.trail.len() == TRAIL {
            self.trail.pop_front();
        }
        self.trail.push_back(format!("{direction}{}", hex::text(frame)));
    }

    fn judge(&mut self, law: Law, holds: bool, frame: &[u8]) {
        if holds {
            *self.witnesses.entry(law).or_default() += 1;
        } else {
            let trail = self.trail.make_contiguous().join(" ");
            self.breaks.push((law, format!("{} after {trail}", hex::text(frame))));
        }
    }

    /// Whether the CONNECT of this connection asked for a new session.
    pub(crate) fn link_is_clean(&self) -> bool {
        self.link.clean
    }

    /// Fails if a law was broken.
    #[track_caller]
    pub(crate) fn assert_lawful(&self) {
        assert!(self.breaks.is_empty(), "broken in {}: {:?}", self.version, self.breaks);
    }
}

/// Takes an element out of a line. Whether it was there, and whether it was first.
fn take(line: &mut VecDeque<u16>, id: u16) -> (bool, bool) {
    let Some(at) = line.iter().position(|each| *each == id) else {
        return (false, false);
    };
    line.remove(at);
    (true, at == 0)
}
