//! `mqtt rr` at mosquitto, with `mqtt sub` and `mqtt pub` as those who answer.

#![cfg(feature = "tokio")]

mod running;

use mqtt_testbed::{Broker, MOSQUITTO};

use self::running::{Running, mqtt, said};

fn published(port: &str, words: &[&str]) {
    let sent = mqtt(&[&["pub", "-p", port, "-q", "1"], words].concat(), b"");
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
}

#[test]
fn a_response_is_told_from_those_of_others() {
    let Some(broker) = Broker::start(&MOSQUITTO) else {
        return;
    };
    let port = broker.address().port().to_string();
    let asked = Running::subscriber(&port, &["-q", "1", "-t", "ask", "-F", "%R %D %p", "-C", "1"]);
    let asking = Running::start(&[
        "rr", "-p", &port, "-q", "1", "-t", "ask", "-m", "why", "-W", "20", "-F", "%p %q",
    ]);
    let question = asked.ended().stdout;
    let words: Vec<&str> = question.split_whitespace().collect();
    let [topic, correlation, "why"] = words[..] else {
        panic!("{words:?}")
    };
    published(
        &port,
        &["-t", topic, "-m", "no", "-D", "publish", "correlation-data", "another"],
    );
    published(
        &port,
        &[
            "-t",
            topic,
            "-m",
            "so",
            "-D",
            "publish",
            "correlation-data",
            correlation,
        ],
    );
    let ended = asking.ended();
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "so 1\n"),
        "{}",
        ended.stderr
    );
}

#[test]
fn before_mqtt_5_the_first_message_is_the_response() {
    let Some(broker) = Broker::start(&MOSQUITTO) else {
        return;
    };
    let port = broker.address().port().to_string();
    published(&port, &["-r", "-t", "answer", "-m", "stale"]);
    let asked = Running::subscriber(&port, &["-t", "ask", "-C", "1"]);
    let ask = [
        "rr", "-p", &port, "-V", "3.1.1", "-t", "ask", "-n", "-W", "20", "-e", "answer",
    ];
    let stale = mqtt(&ask, b"");
    assert_eq!(said(&stale), (Some(0), "stale\n".to_owned(), String::new()));
    assert_eq!(asked.ended().stdout, "\n");
    let asked = Running::subscriber(&port, &["-t", "ask", "-C", "1"]);
    let asking = Running::start(&[&ask[..], &["-R", "-v"]].concat());
    asked.ended();
    published(&port, &["-t", "answer", "-m", "fresh"]);
    assert_eq!(asking.ended().stdout, "answer fresh\n");
}

#[test]
fn nobody_who_answers_is_told_and_ends_in_time() {
    let Some(broker) = Broker::start(&MOSQUITTO) else {
        return;
    };
    let port = broker.address().port().to_string();
    let alone = mqtt(
        &["rr", "-p", &port, "-q", "1", "-t", "ask", "-m", "x", "-W", "0.5"],
        b"",
    );
    assert_eq!(alone.status.code(), Some(27), "{alone:?}");
    let told = String::from_utf8_lossy(&alone.stderr).into_owned();
    assert!(
        told.contains("nobody has subscribed") && told.contains("no response in time"),
        "{told}"
    );
}
