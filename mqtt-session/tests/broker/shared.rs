//! Shared subscriptions.

use mqtt_session::proto::Version;

use super::rig::{Rig, config, fleeting, lasting};

fn group() -> Rig {
    let mut rig = Rig::new(config());
    rig.join(fleeting("p", Version::V5));
    for name in ["a", "b", "c"] {
        rig.join(lasting(name, Version::V5));
        rig.subscribe(name, "$share/g/t/#", 1);
    }
    rig
}

fn counts(rig: &mut Rig) -> [usize; 3] {
    ["a", "b", "c"].map(|name| rig.sent(name).len())
}

#[test]
fn each_message_goes_to_one_member_in_turn() {
    let mut rig = group();
    for _ in 0..9 {
        rig.publish("p", "t/x", 0, "m");
    }
    assert_eq!(counts(&mut rig), [3, 3, 3]);
}

#[test]
fn members_that_are_away_are_passed_over_as_long_as_one_is_there() {
    let mut rig = group();
    rig.cut("b");
    for _ in 0..4 {
        rig.publish("p", "t/x", 1, "m");
    }
    assert_eq!([rig.sent("a").len(), rig.sent("c").len()], [2, 2]);
    rig.cut("a");
    rig.cut("c");
    rig.publish("p", "t/x", 1, "for later");
    let came: usize = ["a", "b", "c"]
        .map(|name| {
            let sent = rig.connect(lasting(name, Version::V5));
            sent.iter().filter(|line| line.contains("for later")).count()
        })
        .iter()
        .sum();
    assert_eq!(came, 1);
}

#[test]
fn a_group_and_a_subscription_of_ones_own_are_apart() {
    let mut rig = group();
    rig.subscribe("a", "t/#", 0);
    rig.publish("p", "t/x", 0, "m");
    rig.publish("p", "t/x", 0, "m");
    rig.publish("p", "t/x", 0, "m");
    assert_eq!(counts(&mut rig), [4, 1, 1]);
}
