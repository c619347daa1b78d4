//! What clients and the host do in a run.

use bytes::Bytes;
use mqtt_session::proto::{
    Connect, Delivery, Disconnect, DisconnectReason, Filters, Packet, Properties, PubComp, PubCompReason, PubRec,
    PubRecReason, PubRel, PubRelReason, Publish, PublishProperties, RetainHandling, Subscribe, SubscribeProperties,
    SubscriptionOptions, TopicFilters, Unsubscribe, Version,
};
use mqtt_session::{Ask, BrokerConfig, BrokerLimits, Limits, ServerConfig, SessionConfig, Share};
use proptest::prelude::*;

use crate::rig::{VERSIONS, config, expiring, id, qos, topic, will};

/// How many clients there are.
pub(super) const CLIENTS: usize = 3;
const TOPICS: [&str; 4] = ["a", "a/b", "b", "c"];
const FILTERS: [&str; 6] = ["a", "a/b", "#", "+/b", "$share/g/a", "$share/g/#"];

/// What a client says.
#[derive(Clone, Debug)]
pub(super) enum Say {
    Publish {
        to: &'static str,
        bits: u8,
        number: u16,
        retain: bool,
        payload: usize,
        expiry: Option<u32>,
    },
    Subscribe {
        filter: &'static str,
        bits: u8,
        handling: RetainHandling,
    },
    Unsubscribe(&'static str),
    Release(u16),
    Received(u16),
    Complete(u16),
    Ping,
    Leave(DisconnectReason),
}

/// One step of a run.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// A client opens a stream, whether or not it has one, and sends CONNECT.
    Connect(usize, Box<Connect<Bytes>>),
    Say(usize, Say),
    /// A client acknowledges what it has been sent, in order.
    Answer(usize),
    /// The stream of a client ends.
    Cut(usize),
    /// The host ends the connection of a client.
    Expel(usize),
    /// The host publishes.
    Publish(&'static str, u8, bool),
    /// Who may do what has changed.
    Policy,
    /// So many seconds pass.
    Pass(u64),
}

impl Say {
    pub(super) fn packet(&self, version: Version) -> Packet<Bytes> {
        match self {
            Self::Publish {
                to,
                bits,
                number,
                retain,
                payload,
                expiry,
            } => Packet::Publish(Publish {
                delivery: Delivery::first(qos(*bits), id(*number)),
                retain: *retain,
                topic: Some(topic(to)),
                properties: match expiry.filter(|_| version.has_properties()) {
                    Some(seconds) => PublishProperties::builder().message_expiry(seconds).build().unwrap(),
                    None => PublishProperties::empty(),
                },
                payload: Bytes::from(vec![b'x'; *payload]),
            }),
            Self::Subscribe { filter, bits, handling } => {
                let mut options = SubscriptionOptions::new(qos(*bits));
                if version.has_properties() {
                    options.retain_handling = *handling;
                }
                Packet::Subscribe(Subscribe {
                    id: id(9),
                    filters: Filters::builder().filter(filter, options).build().unwrap(),
                    properties: SubscribeProperties::empty(),
                })
            }
            Self::Unsubscribe(filter) => Packet::Unsubscribe(Unsubscribe {
                id: id(8),
                filters: TopicFilters::builder().filter(filter).build().unwrap(),
                properties: Properties::empty(),
            }),
            Self::Release(number) => Packet::PubRel(PubRel::new(id(*number), PubRelReason::Success)),
            Self::Received(number) => Packet::PubRec(PubRec::new(id(*number), PubRecReason::Success)),
            Self::Complete(number) => Packet::PubComp(PubComp::new(id(*number), PubCompReason::Success)),
            Self::Ping => Packet::PingReq,
            Self::Leave(reason) if version.has_properties() => Packet::Disconnect(Disconnect::new(*reason)),
            Self::Leave(_) => Packet::Disconnect(Disconnect::new(DisconnectReason::NormalDisconnection)),
        }
    }
}

pub(super) fn who() -> impl Strategy<Value = usize> {
    0..CLIENTS
}

fn connects() -> impl Strategy<Value = Act> {
    let wills = prop_oneof![Just(None), Just(Some(0)), Just(Some(5))];
    let times = (
        prop::sample::select(&[0_u32, 20, 3600][..]),
        prop::sample::select(&[0_u16, 5, 60][..]),
    );
    (who(), prop::sample::select(&VERSIONS[..]), any::<bool>(), wills, times).prop_map(
        |(who, version, clean_start, delay, (expiry, keep_alive))| {
            let connect = Connect {
                clean_start,
                keep_alive,
                will: delay.and_then(|delay| {
                    will(
                        &format!("will of c{who}"),
                        if version.has_properties() { delay } else { 0 },
                    )
                }),
                ..expiring(&format!("c{who}"), version, expiry)
            };
            Act::Connect(who, Box::new(connect))
        },
    )
}

fn says() -> impl Strategy<Value = Say> {
    let publish = (
        prop::sample::select(&TOPICS[..]),
        0..3_u8,
        1..4_u16,
        prop::bool::weighted(0.3),
        prop::sample::select(&[0_usize, 1, 5, 300][..]),
        prop::option::weighted(0.3, 1..30_u32),
    )
        .prop_map(|(to, bits, number, retain, payload, expiry)| Say::Publish {
            to,
            bits,
            number,
            retain,
            payload,
            expiry,
        });
    let handling = prop::sample::select(
        &[
            RetainHandling::Send,
            RetainHandling::SendIfNew,
            RetainHandling::DoNotSend,
        ][..],
    );
    let reason = prop::sample::select(
        &[
            DisconnectReason::NormalDisconnection,
            DisconnectReason::DisconnectWithWill,
        ][..],
    );
    prop_oneof![
        8 => publish,
        6 => (prop::sample::select(&FILTERS[..]), 0..3_u8, handling)
            .prop_map(|(filter, bits, handling)| Say::Subscribe { filter, bits, handling }),
        1 => prop::sample::select(&FILTERS[..]).prop_map(Say::Unsubscribe),
        2 => (1..4_u16).prop_map(Say::Release),
        1 => (1..4_u16).prop_map(Say::Received),
        1 => (1..4_u16).prop_map(Say::Complete),
        1 => Just(Say::Ping),
        1 => reason.prop_map(Say::Leave),
    ]
}

/// Any of them.
pub(super) fn acts(most: usize) -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        5 => connects(),
        16 => (who(), says()).prop_map(|(who, say)| Act::Say(who, say)),
        6 => who().prop_map(Act::Answer),
        1 => who().prop_map(Act::Cut),
        1 => who().prop_map(Act::Expel),
        1 => (prop::sample::select(&TOPICS[..]), 0..3_u8, any::<bool>())
            .prop_map(|(to, bits, retain)| Act::Publish(to, bits, retain)),
        1 => Just(Act::Policy),
        2 => prop::sample::select(&[0_u64, 1, 4, 10, 100, 4000][..]).prop_map(Act::Pass),
    ];
    (
        prop::collection::vec(connects(), 2..4),
        prop::collection::vec(act, 0..most),
    )
        .prop_map(|(mut begin, rest)| {
            begin.extend(rest);
            begin
        })
}

/// Brokers with windows and budgets that are soon used up.
pub(super) fn configs() -> impl Strategy<Value = BrokerConfig> {
    let shares = prop::sample::select(&[Share::InTurn, Share::Same, Share::Random, Share::ByTopic][..]);
    (any::<bool>(), any::<bool>(), shares, 1..4_u16).prop_map(|(is_stored, asks, share, window)| {
        let session = SessionConfig::default().limits(Limits::default().receive_maximum(4).packet_ids(window));
        config()
            .is_stored(is_stored)
            .share(share)
            .ask(if asks { Ask::EVERYTHING } else { Ask::default() })
            .limits(BrokerLimits::default().replay_window(window).steps_per_call(2))
            .client(ServerConfig::default().session(session))
    })
}
