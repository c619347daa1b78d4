//! What is changed: clients that are disconnected, sessions that end, what is retained, what is logged.

use std::process::{Command, Stdio};

use mqtt_proto::{DisconnectReason, Packet, QoS, RetainHandling, SubscriptionOptions, Version};
use serde_json::Value;

use super::broker::{Broker, names};
use super::client::Client;
use super::serving::folder;

#[test]
fn a_client_that_is_kicked_is_told_why_and_its_session_stays_unless_it_is_to_end() {
    let folder = folder();
    let broker = Broker::start(folder.path(), "shards = 2");
    for name in ["a", "b", "c", "d"] {
        let mut client = Client::connect(&broker, name, Version::V5, 3600);
        let said = broker.ctl(&["kick", name, "--reason", "new battery"]);
        assert_eq!((said.code, said.out), (Some(0), format!("{name}: disconnected\n")));
        let Some(Packet::Disconnect(farewell)) = client.next() else {
            panic!("nothing is told")
        };
        assert_eq!(farewell.reason, DisconnectReason::AdministrativeAction);
        assert_eq!(
            farewell.properties.reason_string().map(|reason| reason.to_string()),
            Some("new battery".to_owned())
        );
        assert!(client.next().is_none());
        let told = broker.told_up_to("disconnected, as the control socket was told");
        assert!(
            told.last().is_some_and(|line| line.contains(&format!("client={name}"))),
            "{told:?}"
        );
    }
    broker.wait_for(&["sessions"], |all| {
        all.len() == 4 && all.iter().all(|one| one["connection"].is_null())
    });
    let away = broker.ctl(&["kick", "a"]);
    assert_eq!(away.code, Some(3));
    assert!(away.errors.contains("not connected"), "{}", away.errors);
    // All of them are tried.
    let several = broker.ctl(&["kick", "nobody", "a", "nobody-else", "b", "--end-session"]);
    assert_eq!(
        (several.code, &*several.out),
        (Some(3), "a: its session ended\nb: its session ended\n")
    );
    assert!(
        several.errors.contains("\"nobody\"") && several.errors.contains("\"nobody-else\""),
        "{}",
        several.errors
    );
    assert_eq!(names(&broker.json(&["sessions"])), ["c", "d"]);
    let mut old = Client::connect(&broker, "old", Version::V3_1_1, 1);
    let said = broker.json(&["kick", "old", "--end-session"]);
    assert_eq!(
        (&said[0]["was_connected"], &said[0]["session_ended"]),
        (&Value::Bool(true), &Value::Bool(true))
    );
    assert!(old.next().is_none());
    assert_eq!(names(&broker.json(&["sessions"])), ["c", "d"]);
    let long = broker.ctl(&["kick", "c", "--reason", &"x".repeat(2000)]);
    assert_eq!(long.code, Some(3));
    assert!(long.errors.contains("the reason is longer"), "{}", long.errors);
}

#[test]
fn all_is_done_although_nobody_reads_what_became_of_it() {
    let folder = folder();
    let broker = Broker::start(folder.path(), "shards = 2");
    let mut clients: Vec<_> = ["a", "b", "c"]
        .map(|name| Client::connect(&broker, name, Version::V5, 3600))
        .into();
    clients[0].retain("lamp/1", "on");
    clients[0].retain("lamp/2", "on");
    for words in [
        &["retained", "delete", "lamp/1", "lamp/2"][..],
        &["kick", "a", "b", "c", "--end-session"],
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mqtt"))
            .args(["ctl", "--socket"])
            .arg(&broker.socket)
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program runs");
        drop(child.stdout.take());
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "{words:?}");
    }
    assert_eq!(broker.json(&["retained", "list", "lamp/#"]).len(), 0);
    assert_eq!(broker.json(&["sessions"]).len(), 0);
}

fn topics(items: &[Value]) -> Vec<&str> {
    let mut topics: Vec<_> = items
        .iter()
        .map(|item| item["topic"].as_str().expect("a topic"))
        .collect();
    topics.sort_unstable();
    topics
}

#[test]
fn retained_messages_are_shown_and_deleted_for_good() {
    let folder = folder();
    let config = "shards = 2\nsys_interval = '0s'\n[persistence]\npath = 'broker.store'\n";
    let mut broker = Broker::start(folder.path(), config);
    let mut client = Client::connect(&broker, "c", Version::V5, 3600);
    for topic in ["lamp/1", "lamp/2", "lamp/3", "door", "$x"] {
        // What begins with $ is kept for the broker.
        if topic != "$x" {
            client.retain(topic, "payload");
        }
    }
    let all = broker.wait_for(&["retained", "list"], |all| all.len() == 4);
    assert_eq!(topics(&all), ["door", "lamp/1", "lamp/2", "lamp/3"]);
    assert_eq!(
        (&all[0]["bytes"], &all[0]["qos"], &all[0]["publisher"]),
        (&7.into(), &1.into(), &"c".into())
    );
    assert_eq!(
        topics(&broker.json(&["retained", "list", "lamp/+"])),
        ["lamp/1", "lamp/2", "lamp/3"]
    );
    assert_eq!(broker.json(&["retained", "list", "lamp/+", "--limit", "2"]).len(), 2);
    client.subscribe(
        "door",
        SubscriptionOptions {
            retain_handling: RetainHandling::DoNotSend,
            ..SubscriptionOptions::new(QoS::AtMostOnce)
        },
    );

    let said = broker.ctl(&["retained", "delete", "no/such", "door"]);
    assert_eq!((said.code, &*said.out), (Some(3), "door: deleted\n"));
    assert!(
        said.errors.contains("nothing is retained for the topic \"no/such\""),
        "{}",
        said.errors
    );
    broker.told("a retained message is deleted", "topic=");
    assert_eq!(
        topics(&broker.json(&["retained", "delete", "--filter", "lamp/+"])),
        ["lamp/1", "lamp/2", "lamp/3"]
    );
    assert_eq!(broker.told("retained messages were deleted", "messages="), "3");
    assert_eq!(broker.json(&["retained", "list"]).len(), 0);
    assert_eq!(
        broker.ctl(&["retained", "delete", "a/#"]).code,
        Some(3),
        "a filter is no topic"
    );
    assert_eq!(broker.ctl(&["retained", "list", "a#"]).code, Some(3));
    // The stored session of its client.
    assert_eq!(broker.ctl(&["kick", "c", "--end-session"]).code, Some(0));
    // Nothing was published: the next packet is the last.
    assert!(matches!(client.next(), Some(Packet::Disconnect(_))));

    broker.signal("-TERM");
    assert_eq!(broker.ends(), Some(0));
    let broker = Broker::start(folder.path(), config);
    assert_eq!(broker.json(&["retained", "list"]).len(), 0);
    assert_eq!(broker.json(&["sessions"]).len(), 0);
}

#[test]
fn the_level_of_the_log_changes_at_once_and_what_is_done_is_always_told() {
    let folder = folder();
    let broker = Broker::start(folder.path(), "");
    assert_eq!(broker.ctl(&["log"]).out, "info\n");
    assert_eq!(broker.ctl(&["log", "error"]).out, "error\n");
    assert_eq!(
        broker
            .told("the level of the log is another one", "level=")
            .trim_matches('"'),
        "error"
    );
    let quiet = Client::connect(&broker, "quiet", Version::V5, 0);
    assert_eq!(broker.ctl(&["kick", "quiet"]).code, Some(0));
    let told = broker.told_up_to("disconnected, as the control socket was told");
    assert_eq!(told.len(), 1, "neither coming nor going is an error: {told:?}");
    drop(quiet);
    assert_eq!(broker.json(&["log", "debug"])[0]["before"], "error");
    let _loud = Client::connect(&broker, "loud", Version::V5, 0);
    broker.told("client=loud", "client=");
    assert_eq!(broker.ctl(&["log", "loud"]).code, Some(2));
    broker.signal("-HUP");
    broker.told("the configuration was read again", "");
    assert_eq!(broker.ctl(&["log"]).out, "info\n", "the configuration says so");
}
