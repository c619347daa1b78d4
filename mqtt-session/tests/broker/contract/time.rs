//! Time that stands still, jumps or goes backwards does no harm.

use core::time::Duration;

use mqtt_session::proto::{Connect, Version};
use mqtt_session::{BrokerConfig, BrokerLimits, Instant};
use proptest::prelude::*;

use super::script::{Act, acts, configs};
use super::stage::{Manners, Stage};
use crate::rig::{Rig, config, expiring, lasting, will};

proptest! {
    #![proptest_config(super::runs(250))]

    /// An earlier time counts as the latest one that was told.
    #[test]
    fn time_never_goes_back(config in configs(), acts in acts(40), seed in any::<u64>()) {
        let plain = Stage::play(config.clone(), &acts, Manners::default());
        let turned = Stage::play(config, &acts, Manners { seed, turns_back: true, ..Manners::default() });
        prop_assert_eq!(turned, plain);
    }

    /// `poll_timeout` changes nothing; once nothing is due, the deadline lies ahead, and to call again at the same time
    /// does nothing.
    #[test]
    fn a_deadline_that_is_fired_moves(config in configs(), acts in acts(40), jumps in prop::collection::vec(jumps(), 1..6)) {
        let mut stage = Stage::played(config, &acts, Manners::default());
        for jump in jumps {
            let due = stage.broker.poll_timeout();
            prop_assert_eq!(stage.broker.poll_timeout(), due);
            stage.now = match (jump, due) {
                (None, Some(due)) => stage.now.max(due.at),
                (None, None) => stage.now,
                (Some(far), _) => stage.now.saturating_add(far),
            };
            stage.broker.handle_stored(stage.now, 0);
            stage.settle();
            let ahead = stage.broker.poll_timeout();
            prop_assert!(ahead.is_none_or(|next| next.at > stage.now), "{ahead:?} at {:?}", stage.now);
            let before = (stage.heard.clone(), stage.broker.figures());
            for _ in 0..3 {
                stage.broker.handle_timeout(stage.now);
                stage.settle();
            }
            prop_assert_eq!((stage.heard.clone(), stage.broker.figures()), before);
            prop_assert_eq!(stage.broker.poll_timeout(), ahead);
        }
    }

    /// The end of all time is a time as others are.
    #[test]
    fn the_last_moment_does_no_harm(config in configs(), acts in acts(30), more in acts(30)) {
        let mut stage = Stage::played(config, &acts, Manners::default());
        stage.now = Instant::MAX;
        stage.broker.handle_timeout(stage.now);
        for act in &more {
            stage.act(act);
            stage.broker.handle_timeout(Instant::MAX);
            while stage.take_event() {}
            for link in 0..stage.links.len() {
                stage.transmit(link);
            }
        }
        let figures = stage.broker.figures();
        prop_assert!(figures.clients_connected <= figures.connections, "{figures:?}");
    }
}

fn jumps() -> impl Strategy<Value = Option<Duration>> {
    prop_oneof![
        2 => Just(None),
        1 => (0..100_u64).prop_map(|seconds| Some(Duration::from_secs(seconds))),
        1 => Just(Some(Duration::from_secs(1 << 40))),
    ]
}

/// Wills that are all due at the same time.
fn due_at_once(limits: BrokerLimits) -> (Rig, u64) {
    let mut rig = Rig::new(config().limits(limits));
    for number in 0..7 {
        let name = format!("c{number}");
        rig.join(Connect {
            will: will("gone", 10),
            ..lasting(&name, Version::V5)
        });
        rig.cut(&name);
    }
    (rig, 7)
}

#[test]
fn a_call_fires_as_many_timers_as_it_may_and_one_at_least() {
    for most in [0, 1, 2, 5, 100] {
        let (mut rig, all) = due_at_once(BrokerLimits::default().timers_per_call(most));
        rig.now = rig.now.saturating_add(Duration::from_secs(10));
        let mut fired = 0;
        while fired < all {
            let due = rig.broker.poll_timeout().unwrap();
            assert!(due.at <= rig.now, "{fired} of {all} have fired, and {due:?}");
            rig.broker.handle_timeout(rig.now);
            let by_call = rig.broker.figures().wills_published - fired;
            assert!((1..=u64::from(most.max(1))).contains(&by_call), "{by_call} of {most}");
            fired += by_call;
        }
        assert!(rig.broker.poll_timeout().is_none_or(|next| next.at > rig.now));
    }
}

#[test]
fn a_broker_that_nobody_uses_wants_nothing() {
    let mut stage = Stage::new(BrokerConfig::new(7), Manners::default());
    assert_eq!(stage.broker.poll_timeout(), None);
    let connect = expiring("c0", Version::V5, 20);
    stage.act(&Act::Connect(0, Box::new(connect)));
    stage.act(&Act::Cut(0));
    stage.settle();
    assert!(stage.broker.poll_timeout().is_some());
    stage.act(&Act::Pass(20));
    stage.settle();
    assert_eq!(stage.broker.poll_timeout(), None);
    assert_eq!(stage.broker.figures().sessions, 0);
}
