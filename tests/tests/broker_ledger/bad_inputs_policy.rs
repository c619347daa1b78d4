//! Known faults of brokers: rights that were taken away and went on to count.

use mqtt_session::proto::{Connect, Version};
use mqtt_session::{Ask, BrokerEvent, Verdict};
use mqtt_tests::ledger::covers;

use crate::rig::{NOTHING, Rig, config, fleeting, lasting};
use crate::scene::{answer, options, questions, with_will};

crate::trials_of_module![
    a_message_under_way_is_asked_about_again_when_its_client_is_back,
    a_retained_message_is_asked_about_again_before_anybody_else_gets_it,
    a_subscription_is_asked_about_again_before_it_brings_anything,
    nothing_acts_for_a_client_whose_rights_are_gone,
];

const ASK: Ask = Ask {
    connect: false,
    publish: true,
    subscribe: true,
};

/// A publisher `p`, and a subscriber `s` of `t` that the host has let in.
fn allowed() -> Rig {
    let mut rig = Rig::new(config().ask(ASK));
    rig.join(fleeting("p", Version::V5));
    rig.join(lasting("s", Version::V5));
    rig.subscribe_with("s", &[("t", options(1))], None);
    answer(&mut rig, "may s subscribe q1 to t?", Verdict::ALLOW);
    assert_eq!(rig.sent("s"), ["SUBACK #9 0x01"]);
    rig
}

fn a_message_under_way_is_asked_about_again_when_its_client_is_back() {
    let mut rig = allowed();
    rig.publish("s", "t", 2, "m");
    let early = questions(&mut rig);
    assert_eq!(early.len(), 1);
    rig.cut("s");
    assert!(
        !rig.broker.authorize(rig.now, early[0].0, Verdict::ALLOW),
        "it was asked on that connection"
    );
    assert_eq!(rig.connect(lasting("s", Version::V5)), ["CONNACK present"]);
    // It is asked again, whether the client sends it again or not, and what is said last counts.
    answer(&mut rig, "may s publish q2 to t?", Verdict::DENY);
    assert_eq!(rig.broker.figures().messages_published, 0);
    assert_eq!(rig.broker.figures().messages_refused, 1);
    covers("BI-087");
}

fn a_subscription_is_asked_about_again_before_it_brings_anything() {
    for is_away in [false, true] {
        for verdict in [Verdict::ALLOW, Verdict::DENY] {
            let mut rig = allowed();
            if is_away {
                rig.cut("s");
            }
            rig.broker.policy_changed(rig.now);
            rig.publish("p", "t", 1, "m");
            let mut asked = questions(&mut rig);
            rig.run();
            asked.extend(questions(&mut rig));
            // First what is published, and then what it would come to.
            let own = asked.iter().position(|(_, line)| line == "may p publish q1 to t?");
            let (message, _) = asked.remove(own.expect("the message"));
            assert!(rig.broker.authorize(rig.now, message, Verdict::ALLOW));
            let mut came = Vec::new();
            if is_away {
                came.extend(rig.connect(lasting("s", Version::V5)));
                assert_eq!(came, ["CONNACK present"]);
                came.clear();
            }
            assert_eq!(rig.sent("s"), NOTHING, "not before the answer");
            let [(question, line)] = &asked[..] else {
                panic!("one subscription: {asked:?}")
            };
            assert_eq!(line, "may s subscribe q1 to t?");
            assert!(rig.broker.authorize(rig.now, *question, verdict));
            rig.run();
            came.extend(rig.sent("s"));
            let expected: &[&str] = if verdict.is_allowed {
                &["PUBLISH q1 #1 t: m"]
            } else {
                &[]
            };
            assert_eq!(came, expected, "away {is_away}");
            assert_eq!(rig.broker.figures().subscriptions, u64::from(verdict.is_allowed));
        }
    }
    covers("BI-087");
}

fn a_retained_message_is_asked_about_again_before_anybody_else_gets_it() {
    for verdict in [Verdict::ALLOW, Verdict::DENY] {
        let mut rig = Rig::new(config().ask(Ask {
            subscribe: false,
            ..ASK
        }));
        rig.join(fleeting("p", Version::V5));
        rig.retain("p", "t", 0, "m");
        answer(&mut rig, "may p publish q0 to t?", Verdict::ALLOW);
        rig.cut("p");
        rig.broker.policy_changed(rig.now);
        rig.join(fleeting("s", Version::V5));
        let told = rig.subscribe_with("s", &[("t", options(0))], None);
        assert_eq!(told, ["SUBACK #9 0x00"]);
        rig.run();
        assert_eq!(rig.sent("s"), NOTHING, "not before the answer");
        answer(&mut rig, "may p publish q0 to t, left behind?", verdict);
        rig.run();
        let expected: &[&str] = if verdict.is_allowed {
            &["PUBLISH q0 retain t: m"]
        } else {
            &[]
        };
        assert_eq!(rig.sent("s"), expected);
    }
    covers("BI-103");
}

/// What a client has left behind: its will, its session, and what it has had retained.
fn nothing_acts_for_a_client_whose_rights_are_gone() {
    let mut rig = allowed();
    rig.join(Connect {
        clean_start: true,
        ..with_will(lasting("c", Version::V5), true)
    });
    rig.subscribe_with("c", &[("t", options(1))], None);
    answer(&mut rig, "may c subscribe q1 to t?", Verdict::ALLOW);
    rig.retain("c", "kept", 0, "m");
    answer(&mut rig, "may c publish q0 to kept?", Verdict::ALLOW);
    assert_eq!(rig.sent("c"), ["SUBACK #9 0x01"]);
    rig.retain("s", "own", 0, "n");
    answer(&mut rig, "may s publish q0 to own?", Verdict::ALLOW);
    rig.broker.policy_changed(rig.now);
    rig.cut("c");
    rig.run();
    let mut lines = Vec::new();
    for (question, line) in questions(&mut rig) {
        let verdict = if line.contains("may c ") {
            Verdict::DENY
        } else {
            Verdict::ALLOW
        };
        assert!(rig.broker.authorize(rig.now, question, verdict), "{line}");
        lines.push(line);
    }
    lines.sort();
    assert_eq!(
        lines,
        [
            "may c publish q0 to kept, left behind?",
            "may c publish q1 to w, left behind?",
            "may c subscribe q1 to t?",
            "may s publish q0 to own, left behind?",
            "may s subscribe q1 to t?",
        ]
    );
    let events = rig.events();
    let dropped = events.iter().filter_map(|event| match event {
        BrokerEvent::RetainedRevoked { client_id, topic } => Some((&client_id[..], topic.to_string())),
        _ => None,
    });
    assert_eq!(dropped.collect::<Vec<_>>(), [(&b"c"[..], "kept".to_owned())]);
    rig.run();
    let figures = rig.broker.figures();
    assert_eq!((figures.wills_published, figures.subscriptions), (0, 1));
    assert_eq!((figures.retained_messages, figures.retained_revoked), (1, 1));
    assert_eq!(rig.subscribe_with("s", &[("+", options(0))], None), NOTHING);
    answer(&mut rig, "may s subscribe q0 to +?", Verdict::ALLOW);
    rig.run();
    assert_eq!(rig.sent("s"), ["SUBACK #9 0x00", "PUBLISH q0 retain own: n"]);
    rig.unsubscribe("s", "+");
    rig.publish("p", "t", 1, "m");
    answer(&mut rig, "may p publish q1 to t?", Verdict::ALLOW);
    assert_eq!(rig.sent("s"), ["PUBLISH q1 #1 t: m"]);
    assert_eq!(rig.connect(lasting("c", Version::V5)), ["CONNACK present"]);
    let revoked = rig.events();
    assert!(
        !revoked
            .iter()
            .any(|event| matches!(event, BrokerEvent::MaySubscribe { .. }))
    );
    covers("BI-103");
}
