//! What is shown.

use mqtt_proto::{Packet, QoS, SubscriptionOptions, Version};

use super::broker::{Broker, names};
use super::client::Client;
use super::serving::{add_users, folder};

#[test]
fn clients_sessions_and_subscriptions_of_all_shards_are_shown() {
    let folder = folder();
    let broker = Broker::start(folder.path(), "shards = 3");
    let mut clients: Vec<_> = (0..8)
        .map(|number| Client::connect(&broker, &format!("sensor-{number}"), Version::V5, 0))
        .collect();
    let mut old = Client::connect(&broker, "old", Version::V3_1_1, 1);
    old.subscribe("lamp/#", SubscriptionOptions::new(QoS::AtLeastOnce));
    old.leave();
    let options = SubscriptionOptions {
        no_local: true,
        retain_as_published: true,
        ..SubscriptionOptions::new(QoS::ExactlyOnce)
    };
    clients[0].subscribe("lamp/+/state", options);
    clients[1].subscribe("$share/g/lamp/1/state", SubscriptionOptions::new(QoS::AtMostOnce));
    clients[2].publish("lamp/1/x", "for whom is away", false);

    assert_eq!(
        names(&broker.json(&["clients"])).len(),
        8,
        "who is away is not connected"
    );
    let sessions = broker.wait_for(&["sessions"], |all| {
        all.len() == 9 && all.iter().any(|one| one["connection"].is_null())
    });
    let away = sessions
        .iter()
        .find(|item| item["client"] == "old")
        .expect("it is there");
    assert_eq!(
        (away["messages"].as_u64(), away["subscriptions"].as_u64()),
        (Some(1), Some(1))
    );
    assert!(
        away["expiry_seconds"].is_null(),
        "a session of MQTT 3 has no end of its own: {away}"
    );
    assert!(away["since"].as_u64() > Some(1_600_000_000), "Unix time: {away}");
    let one = &broker.json(&["clients", "--client", "sensor-3"])[0];
    assert_eq!(one["connection"]["version"], "MQTT 5.0");
    assert_eq!(one["connection"]["keep_alive_seconds"], 60);
    let peer = clients[3].stream.local_addr().expect("an address").to_string();
    assert_eq!(one["connection"]["peer"], *peer);

    assert_eq!(
        names(&broker.json(&["sessions", "--client", "sensor-[0-9]"])).len(),
        0,
        "a star is a star"
    );
    assert_eq!(names(&broker.json(&["sessions", "-c", "?ld"])), ["old"]);
    assert_eq!(names(&broker.json(&["clients", "-c", "old"])).len(), 0);
    let few = broker.ctl(&["clients", "--json", "--limit", "2"]);
    assert_eq!((few.items().len(), few.code), (2, Some(0)));
    assert!(few.errors.contains("there are more"), "{}", few.errors);
    let all = broker.ctl(&["clients", "--json", "--limit", "8"]);
    assert_eq!((all.items().len(), &*all.errors), (8, ""));

    let subscriptions = broker.json(&["subscriptions"]);
    assert_eq!(subscriptions.len(), 3, "{subscriptions:?}");
    let shared = subscriptions
        .iter()
        .find(|one| one["group"] == "g")
        .expect("it is there");
    assert_eq!(
        (shared["client"].as_str(), shared["qos"].as_u64()),
        (Some("sensor-1"), Some(0))
    );
    assert_eq!(
        names(&broker.json(&["subscriptions", "--topic", "lamp/2/state"])),
        ["old", "sensor-0"]
    );
    assert_eq!(
        names(&broker.json(&["subscriptions", "--topic", "lamp/1/state"])).len(),
        3
    );
    assert_eq!(
        names(&broker.json(&["subscriptions", "-c", "sensor-*"])),
        ["sensor-0", "sensor-1"]
    );

    let table = broker.ctl(&["sessions"]);
    let lines = table.lines();
    assert_eq!(lines.len(), 10);
    assert!(
        lines[0].starts_with("CLIENT") && lines[1].starts_with("old       -     away"),
        "{}",
        table.out
    );
    assert!(
        broker.ctl(&["clients"]).lines()[1].contains(&clients[0].stream.local_addr().expect("an address").to_string())
    );
    let subscription = broker.ctl(&["subscriptions", "--client", "sensor-0"]);
    assert!(
        subscription.out.contains("no-local retain-as-published"),
        "{}",
        subscription.out
    );
    let none = broker.ctl(&["sessions", "--client", "nobody*"]);
    assert_eq!(
        (none.code, &*none.out, &*none.errors),
        (Some(0), "", "mqtt: there are none\n")
    );
}

#[test]
fn one_session_is_shown_in_full() {
    let folder = folder();
    let broker = Broker::start(folder.path(), "");
    let mut client = Client::connect(&broker, "c", Version::V5, 3600);
    client.subscribe("a/+", SubscriptionOptions::new(QoS::AtLeastOnce));
    client.subscribe("b", SubscriptionOptions::new(QoS::AtMostOnce));
    let shown = broker.ctl(&["show", "c"]);
    for part in [
        "connected for",
        "MQTT 5.0",
        "1m",
        "1h after its connection",
        "a/+",
        "b",
        "0 with 0 bytes",
    ] {
        assert!(shown.out.contains(part), "{part}: {}", shown.out);
    }
    let item = &broker.json(&["show", "c"])[0];
    assert_eq!(item["session"]["client"], "c");
    assert_eq!(item["subscriptions"].as_array().map(Vec::len), Some(2));
    client.leave();
    broker.wait_for(&["sessions"], |all| all[0]["connection"].is_null());
    let mut other = Client::connect(&broker, "other", Version::V3_1_1, 0);
    for number in 0..12 {
        other.publish(&format!("a/{number}"), "payload", false);
    }
    let item = &broker.json(&["show", "c", "--messages", "2"])[0];
    assert_eq!(
        (&item["session"]["messages"], &item["messages"][1]["topic"]),
        (&12.into(), &"a/1".into())
    );
    assert_eq!(item["messages"].as_array().map(Vec::len), Some(2));
    let shown = broker.ctl(&["show", "c"]);
    assert!(
        shown.out.contains("a/9  ") && shown.out.contains("and 2 more: --messages"),
        "{}",
        shown.out
    );
    assert!(
        shown.out.contains("away for") && shown.out.contains("if the client stays away"),
        "{}",
        shown.out
    );
    let unknown = broker.ctl(&["show", "nobody"]);
    assert_eq!((unknown.code, &*unknown.out), (Some(3), ""));
    assert!(
        unknown.errors.contains("no client \"nobody\" has a session"),
        "{}",
        unknown.errors
    );
}

#[test]
fn figures_are_those_of_all_shards() {
    let folder = folder();
    let broker = Broker::start(folder.path(), "shards = 2");
    let _clients: Vec<_> = (0..6)
        .map(|number| Client::connect(&broker, &number.to_string(), Version::V5, 0))
        .collect();
    let stats = broker.json(&["stats"]).remove(0);
    assert_eq!(stats["clients_connected"], 6);
    assert_eq!(stats["packets_received"], 6);
    assert_eq!(
        (&stats["packets_sent"], &stats["messages_sent"]),
        (&6.into(), &0.into())
    );
    assert_eq!(stats["accepted"], 6);
    assert!(
        stats["bytes_read"].as_u64() >= stats["bytes_received"].as_u64(),
        "{stats}"
    );
    for missed_once in [
        "uptime_seconds",
        "keep_alive_timeouts",
        "retained_revoked",
        "clients_maximum",
    ] {
        assert!(stats[missed_once].is_u64(), "{missed_once}: {stats}");
    }
    let table = broker.ctl(&["stats"]);
    let line = table
        .lines()
        .into_iter()
        .find(|line| line.starts_with("clients_connected"));
    assert!(
        line.is_some_and(|line| line.contains(" 6  Sessions whose client is connected")),
        "{}",
        table.out
    );
}

#[test]
fn names_of_clients_do_nothing_to_a_terminal() {
    let folder = folder();
    let broker = Broker::start(folder.path(), "[protocol]\ncontrol_characters = true\n");
    let name = "\u{1b}]0;gone\u{7}\n\"x\"\u{202e}";
    let mut client = Client::connect(&broker, name, Version::V5, 0);
    client.subscribe("a\u{1b}[2J", SubscriptionOptions::new(QoS::AtMostOnce));
    for words in [
        &["clients"][..],
        &["sessions"],
        &["subscriptions"],
        &["show", name],
        &["show", "\u{1b}[1m"],
    ] {
        let said = broker.ctl(words);
        let is_harmless =
            |text: &str| text.chars().all(|one| !one.is_control() || one == '\n') && !text.contains('\u{202e}');
        assert!(
            is_harmless(&said.out) && is_harmless(&said.errors),
            "{words:?}: {:?} {:?}",
            said.out,
            said.errors
        );
    }
    assert!(
        broker
            .ctl(&["clients"])
            .out
            .contains(r#"\u{1b}]0;gone\u{7}\n"x"\u{202e}"#)
    );
    assert_eq!(broker.json(&["clients"])[0]["client"], name, "JSON keeps what it is");
    assert_eq!(broker.ctl(&["kick", name]).code, Some(0));
    assert!(matches!(client.next(), Some(Packet::Disconnect(_))));
}

#[test]
fn users_are_shown_with_what_is_theirs() {
    let folder = folder();
    add_users(&folder.path().join("users"));
    let broker = Broker::start(folder.path(), "users = ['users']");
    let _nobody = Client::connect(&broker, "nobody", Version::V5, 0);
    let mut client = Client::connect_as(&broker, "phone", "alice", "open");
    client.retain("door", "open");
    assert_eq!(broker.json(&["clients", "--client", "phone"])[0]["user"], "alice");
    assert!(broker.json(&["clients", "--client", "nobody"])[0]["user"].is_null());
    let kept = &broker.wait_for(&["retained", "list"], |all| all.len() == 1)[0];
    assert_eq!(
        (&kept["publisher"], &kept["publisher_user"]),
        (&"phone".into(), &"alice".into())
    );
    assert!(broker.ctl(&["clients"]).lines()[2].starts_with("phone   alice"));
}
