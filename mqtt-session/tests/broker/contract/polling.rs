//! What comes out depends on what went in, and not on how often, when or in which order it is asked for.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use mqtt_session::proto::{Packet, Role, Rules, Version};
use mqtt_session::{BrokerConfig, Outbox};
use proptest::prelude::*;

use super::script::{Act, Say, acts, configs};
use super::stage::{Manners, Stage};
use crate::show;

proptest! {
    #![proptest_config(super::runs(250))]

    /// Polls at any time, in any order between connections and kinds of output, change nothing and lose nothing; nor does the
    /// size of an outbox.
    #[test]
    fn polls_change_nothing_and_lose_nothing(config in configs(), acts in acts(40), seed in any::<u64>()) {
        let plain = Stage::play(config.clone(), &acts, Manners::default());
        let polled = Stage::play(config, &acts, Manners { seed, polls: true, ..Manners::default() });
        prop_assert_eq!(polled, plain);
    }

    /// The same inputs give the same outputs, to the byte: also the order of those that are ready, and all deadlines.
    #[test]
    fn the_same_inputs_give_the_same_outputs(config in configs(), acts in acts(40)) {
        let twice = || {
            let mut stage = Stage::new(config.clone(), Manners::default());
            let mut order = Vec::new();
            for act in &acts {
                stage.act(act);
                let ready: Vec<_> = core::iter::from_fn(|| stage.broker.poll_ready()).collect();
                for id in &ready {
                    let link = stage.links.iter().position(|link| link.id == *id).unwrap();
                    stage.transmit(link);
                }
                stage.settle();
                order.push((ready, stage.broker.poll_timeout(), stage.broker.figures()));
            }
            (order, format!("{:?}", stage.events), stage.heard, stage.disk)
        };
        prop_assert_eq!(twice(), twice());
    }

    /// A driver that takes output once, at the end, has what one has that takes it at once: each connection the same messages
    /// and the same answers, each in order.
    #[test]
    fn what_is_taken_late_is_not_lost(config in configs(), acts in acts(25)) {
        let acts = without_ends(&acts);
        let prompt = Stage::played(config.clone(), &acts, Manners::default());
        let mut late = Stage::new(config, Manners::default());
        for act in &acts {
            late.act(act);
            late.settle_but_output();
        }
        late.settle();
        prop_assert_eq!(sorted(&late), sorted(&prompt));
        prop_assert_eq!(late.heard.told, prompt.heard.told);
    }

    /// The broker stops reading only while its host owes something. Output that nobody takes is no reason.
    #[test]
    fn input_goes_on_once_the_host_owes_nothing(config in configs(), acts in acts(40)) {
        let mut stage = Stage::new(config, Manners::default());
        for act in &acts {
            stage.act(act);
            stage.settle_but_output();
            for link in &stage.links {
                if stage.broker.client_id(link.id).is_some() {
                    prop_assert!(stage.broker.input_room(link.id) > 0, "{:?} is not read", link.id);
                }
            }
        }
    }

    /// No outbox holds more than it may, but for one packet.
    #[test]
    fn an_outbox_is_not_filled_beyond_its_room(config in configs(), acts in acts(40)) {
        let mut stage = Stage::new(config, Manners::default());
        for act in &acts {
            stage.act(act);
            stage.settle_but_output();
            for link in &stage.links {
                let mut outbox = Outbox::new(64);
                stage.broker.poll_transmit(link.id, &mut outbox);
                prop_assert!(outbox.len() < 64 + LARGEST, "{} bytes", outbox.len());
            }
        }
    }
}

/// The acts in which nobody leaves and nothing is sent twice. A connection that ends takes with it what nobody had taken, a
/// client acknowledges what it has read, and a repetition of what was not answered yet is not answered a second time. What is retained is replayed when
/// it is taken, with what has become of it by then.
fn without_ends(acts: &[Act]) -> Vec<Act> {
    let (mut connected, mut sent) = (BTreeSet::new(), BTreeSet::new());
    let stays = |act: &&Act| match act {
        Act::Connect(who, _) => connected.insert(*who),
        Act::Say(_, Say::Publish { retain: true, .. }) | Act::Publish(_, _, true) => false,
        Act::Say(who, Say::Publish { bits: 1.., number, .. }) => sent.insert((*who, *number)),
        // What answers nothing that was sent may end the connection, or take the place of what was to be sent.
        Act::Say(_, Say::Leave(_) | Say::Received(_) | Say::Complete(_) | Say::Release(_)) => false,
        _ => matches!(act, Act::Say(..) | Act::Publish(..)),
    };
    acts.iter().filter(stays).cloned().collect()
}

/// No packet of a run is larger.
const LARGEST: usize = 400;

/// What each connection was sent, each kind of packets and each QoS in order: between these there is none.
fn sorted(stage: &Stage) -> BTreeMap<(u64, String), Vec<String>> {
    let mut all: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for link in &stage.links {
        let number = link.id.number();
        for packet in packets(link.version, &stage.heard.sent[&number]) {
            let text = show::packet(&packet);
            let words = if text.starts_with("PUBLISH") { 2 } else { 1 };
            let kind = text.split(' ').take(words).collect();
            all.entry((number, kind)).or_default().push(text);
        }
    }
    all
}

fn packets(version: Version, bytes: &[u8]) -> Vec<Packet<Bytes>> {
    let rules = Rules::new(version).sent_by(Role::Server);
    let mut bytes = Bytes::copy_from_slice(bytes);
    let mut packets = Vec::new();
    while !bytes.is_empty() {
        packets.push(
            Packet::take_from(&mut bytes, &rules)
                .unwrap()
                .expect("whole packets are sent"),
        );
    }
    packets
}

#[test]
fn polling_again_gives_nothing_more() {
    let mut stage = Stage::new(BrokerConfig::new(7), Manners::default());
    let connect = crate::rig::lasting("c0", Version::V5);
    stage.act(&Act::Connect(0, Box::new(connect)));
    stage.settle();
    let before = (stage.heard.clone(), stage.broker.figures(), stage.broker.poll_timeout());
    for _ in 0..10 {
        assert!(!stage.transmit(0) && !stage.take_event() && stage.broker.poll_ready().is_none());
        stage.broker.handle_timeout(stage.now);
    }
    assert_eq!(
        (stage.heard.clone(), stage.broker.figures(), stage.broker.poll_timeout()),
        before
    );
}
