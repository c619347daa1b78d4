//! What is not to be called is told so, and changes nothing.

use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use mqtt_session::proto::{
    ConnAckProperties, ConnAckReason, Disconnect, DisconnectReason, QoS, Subscription, SubscriptionOptions,
    TopicFilter, Version,
};
use mqtt_session::{
    AcceptErrorKind, AuthenticateError, Broker, BrokerConfig, ConnectionId, Instant, LocalId, Outbox, PeerMessage,
    ShardId, Verdict,
};
use proptest::prelude::*;

use super::script::{acts, configs};
use super::stage::{Manners, START, Stage};
use crate::rig::{config, fleeting, topic};

/// The thousandth connection of another broker: this one has none of that name.
static FOREIGN: LazyLock<ConnectionId> = LazyLock::new(|| {
    let mut broker = Broker::new(config(), START);
    for _ in 0..999 {
        let id = broker.handle_open(START).unwrap();
        broker.handle_eof(START, id);
    }
    broker.handle_open(START).unwrap()
});

fn farewell() -> Disconnect<Bytes> {
    Disconnect::new(DisconnectReason::AdministrativeAction)
}

/// All that can be called of a connection that there is not.
fn call_all(broker: &mut Broker, now: Instant, id: ConnectionId) {
    let none = ConnAckProperties::empty;
    assert_eq!(broker.admit(now, id, none()), Err(AcceptErrorKind::NotAsked));
    assert_eq!(
        broker.admit_as(now, id, Some(b"o"), none()),
        Err(AcceptErrorKind::NotAsked)
    );
    let refused = broker.refuse(now, id, ConnAckReason::Banned, none());
    assert_eq!(refused, Err(AcceptErrorKind::NotAsked));
    assert_eq!(broker.challenge(now, id, None), Err(AuthenticateError::NotAsked));
    assert_eq!(broker.authenticated(now, id, None), Err(AuthenticateError::NotAsked));
    assert!(!broker.disconnect(now, id, farewell()));
    let mut input: &[u8] = b"\xC0\0\x10";
    broker.handle_input(now, id, &mut input);
    assert!(input.is_empty(), "it is ignored");
    let mut input = BytesMut::from(&b"\xC0\0"[..]);
    broker.handle_input_owned(now, id, &mut input);
    assert!(input.is_empty(), "it is ignored");
    broker.handle_eof(now, id);
    assert_eq!(broker.input_room(id), 0);
    assert!(broker.is_drained(id));
    assert_eq!((broker.client_id(id), broker.owner(id)), (None, None));
    let mut outbox = Outbox::default();
    broker.poll_transmit(id, &mut outbox);
    assert!(outbox.is_empty());
}

/// A connection that has ended, if there is one.
fn ended(stage: &Stage) -> Option<ConnectionId> {
    let mut ids = stage.links.iter().map(|link| link.id);
    ids.find(|id| stage.broker.client_id(*id).is_none() && stage.broker.is_drained(*id))
}

impl Stage {
    /// What was answered is answered otherwise.
    pub(super) fn answer_again(&mut self) {
        let now = self.told_now();
        for question in &self.answered {
            for verdict in [Verdict::ALLOW, Verdict::DENY] {
                assert!(!self.broker.authorize(now, *question, verdict), "{question:?}");
            }
        }
    }

    /// One call that should not be, which may be of many kinds.
    pub(super) fn misuse(&mut self, choice: usize) {
        let now = self.told_now();
        let id = match choice % 2 {
            0 => *FOREIGN,
            _ => match ended(self) {
                Some(id) => id,
                None => return,
            },
        };
        match choice {
            0..=3 => call_all(&mut self.broker, now, id),
            // What is stored is what was taken: nobody can have stored more.
            4 | 5 => self.broker.handle_stored(now, 0),
            6 | 7 if self.is_stored_whole() => self.broker.handle_stored(now, u64::MAX),
            8 | 9 => self.answer_again(),
            10 => {
                // Who is connected has been let in.
                for link in &self.links {
                    if self.broker.client_id(link.id).is_some() {
                        let none = ConnAckProperties::empty();
                        assert_eq!(self.broker.admit(now, link.id, none), Err(AcceptErrorKind::NotAsked));
                        let none = ConnAckProperties::empty();
                        let refused = self.broker.refuse(now, link.id, ConnAckReason::Banned, none);
                        assert_eq!(refused, Err(AcceptErrorKind::NotAsked));
                        assert_eq!(
                            self.broker.challenge(now, link.id, None),
                            Err(AuthenticateError::NotAsked)
                        );
                        let ended = self.broker.authenticated(now, link.id, Some(b"x"));
                        assert_eq!(ended, Err(AuthenticateError::NotAsked));
                    }
                }
            }
            11 => assert!(!self.broker.remove_session(now, b"nobody", farewell())),
            12 => assert!(!self.broker.remove_retained(now, &topic("nothing/there"))),
            13 => {
                self.broker.handle_peer(now, ShardId(0), PeerMessage::PolicyChanged);
                self.broker
                    .handle_peer(now, ShardId(9), PeerMessage::Done { upto: u64::MAX });
                assert!(self.broker.poll_peer().is_none());
            }
            _ => assert!(!self.broker.unsubscribe_local(now, *FOREIGN_LOCAL)),
        }
    }
}

/// A subscription of the host of another broker.
static FOREIGN_LOCAL: LazyLock<LocalId> = LazyLock::new(|| {
    let mut broker = Broker::new(config(), START);
    let subscription = Subscription {
        filter: TopicFilter::from_bytes(Bytes::from_static(b"#")).unwrap(),
        options: SubscriptionOptions::new(QoS::AtMostOnce),
    };
    let mut locals = (0..100).map(|_| broker.subscribe_local(START, &subscription).unwrap());
    locals.next_back().unwrap()
});

proptest! {
    #![proptest_config(super::runs(200))]

    /// Names that there are not, answers to what was answered, tickets that were never given, and ends after the end: each is
    /// told, and all else is as without it.
    #[test]
    fn misuse_is_told_and_changes_nothing(config in configs(), acts in acts(30), seed in any::<u64>()) {
        let plain = Stage::play(config.clone(), &acts, Manners { hurries: true, ..Manners::default() });
        let misused = Manners { seed, misuses: true, hurries: true, ..Manners::default() };
        let misused = Stage::play(config, &acts, misused);
        prop_assert_eq!(misused, plain);
    }
}

#[test]
fn a_connection_ends_once() {
    let mut stage = Stage::new(BrokerConfig::new(7), Manners::default());
    let connect = fleeting("c0", Version::V5);
    stage.act(&super::script::Act::Connect(0, Box::new(connect)));
    stage.settle();
    let id = stage.links[0].id;
    assert!(stage.broker.disconnect(stage.now, id, farewell()));
    stage.transmit(0);
    stage.broker.handle_eof(stage.now, id);
    stage.broker.handle_eof(stage.now, id);
    stage.broker.disconnect(stage.now, id, farewell());
    stage.settle();
    let told = stage.heard.told.join("\n");
    assert_eq!(told.matches("Disconnected {").count(), 1, "{told}");
    assert_eq!(told.matches("SessionEnded {").count(), 1, "{told}");
    let sent = &stage.heard.sent[&id.number()];
    assert!(sent.ends_with(b"\xE0\x01\x98"), "{sent:02x?}");
    assert_eq!(stage.broker.figures().clients_connected, 0);
    call_all(&mut stage.broker, stage.now, id);
}
