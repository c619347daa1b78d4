//! `mqtt pub` and `mqtt sub` at mosquitto, and beside its own clients.

#![cfg(feature = "tokio")]

mod running;

use std::fs;
use std::time::Duration;

use mqtt_testbed::{Broker, MOSQUITTO};

use self::running::{Running, mqtt, said};

/// A broker, and its port as an option.
fn broker() -> Option<(Broker, String)> {
    let broker = Broker::start(&MOSQUITTO)?;
    let port = broker.address().port().to_string();
    Some((broker, port))
}

#[test]
fn what_is_published_is_printed_with_every_qos_and_version() {
    let Some((_broker, port)) = broker() else { return };
    for version in ["5", "mqttv311", "3.1"] {
        for qos in ["0", "1", "2"] {
            let topic = format!("t/{version}/{qos}");
            let reader = Running::subscriber(&port, &["-V", version, "-q", qos, "-t", &topic, "-v", "-C", "2"]);
            let sent = mqtt(
                &[
                    "pub",
                    "-p",
                    &port,
                    "-V",
                    version,
                    "-q",
                    qos,
                    "-t",
                    &topic,
                    "-m",
                    "-5 \u{b0}C",
                ],
                b"",
            );
            assert_eq!(said(&sent), (Some(0), String::new(), String::new()));
            let sent = mqtt(&["pub", "-p", &port, "-V", version, "-q", qos, "-t", &topic, "-n"], b"");
            assert_eq!(sent.status.code(), Some(0), "{sent:?}");
            let read = reader.ended();
            assert_eq!(
                read.stdout,
                format!("{topic} -5 \u{b0}C\n{topic} (null)\n"),
                "{version} {qos}"
            );
            assert_eq!((read.code, read.stderr.as_str()), (Some(0), ""));
        }
    }
}

#[test]
fn lines_arrive_in_order_and_whole() {
    let Some((_broker, port)) = broker() else { return };
    let reader = Running::subscriber(&port, &["-q", "2", "-t", "lines", "-C", "5000"]);
    let lines: String = (0..5000).map(|number| format!("line {number}\n")).collect();
    let sent = mqtt(&["pub", "-p", &port, "-q", "2", "-t", "lines", "-l"], lines.as_bytes());
    assert_eq!(said(&sent), (Some(0), String::new(), String::new()));
    assert_eq!(reader.ended().stdout, lines);
}

#[test]
fn payloads_come_from_where_they_are() {
    let Some((_broker, port)) = broker() else { return };
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("there is room for a file");
        path.to_str().expect("a plain name").to_owned()
    };
    let (one, two) = (file("one", "1\n"), file("two", "2"));
    let reader = Running::subscriber(&port, &["-t", "p", "-F", "%x", "-C", "8"]);
    let publish = |words: &[&str], input: &[u8]| {
        let sent = mqtt(&[&["pub", "-p", &port, "-t", "p", "-q", "1"], words].concat(), input);
        assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    };
    publish(&["-f", &one, "-f", &two, "--repeat", "2"], b"");
    publish(&["-s"], b"a\nb\n");
    publish(&["--hex", "00 ff"], b"");
    publish(&["--base64", "AP8="], b"");
    publish(&["-m", ""], b"");
    assert_eq!(reader.ended().stdout, "310a\n32\n310a\n32\n610a620a\n00ff\n00ff\n\n");
}

#[test]
fn nothing_is_published_if_a_file_cannot_be_read() {
    let sent = mqtt(&["pub", "-p", "1", "-t", "p", "-f", "/nowhere/at/all"], b"");
    assert_eq!(sent.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&sent.stderr).contains("/nowhere/at/all"),
        "{sent:?}"
    );
}

#[test]
fn retained_messages_are_skipped_chosen_and_removed() {
    let Some((_broker, port)) = broker() else { return };
    for topic in ["r/a", "r/b", "r/c"] {
        let sent = mqtt(&["pub", "-p", &port, "-r", "-q", "1", "-t", topic, "-m", topic], b"");
        assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    }
    let read = |words: &[&str]| {
        let read = mqtt(
            &[&["sub", "-p", &port, "-q", "1", "-t", "r/#", "-W", "4"], words].concat(),
            b"",
        );
        let mut lines: Vec<String> = String::from_utf8_lossy(&read.stdout)
            .lines()
            .map(str::to_owned)
            .collect();
        lines.sort_unstable();
        (read.status.code(), lines.join(" "))
    };
    assert_eq!(read(&["-R"]), (Some(27), String::new()));
    assert_eq!(read(&["-T", "r/b", "-C", "2"]), (Some(0), "r/a r/c".to_owned()));
    // What removes them comes to the reader too.
    assert_eq!(
        read(&["--remove-retained", "-T", "r/b"]),
        (Some(27), "  r/a r/c".to_owned())
    );
    assert_eq!(read(&["-F", "%t%r"]), (Some(27), "r/b1".to_owned()));
    let only = Running::subscriber(&port, &["-t", "r/#", "--retained-only", "-v"]);
    let sent = mqtt(&["pub", "-p", &port, "-t", "r/b", "-m", "fresh"], b"");
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    let only = only.ended();
    assert_eq!((only.code, only.stdout.as_str()), (Some(0), "r/b r/b\n"));
}

#[test]
fn a_kept_session_gets_what_came_meanwhile_until_it_is_left() {
    let Some((_broker, port)) = broker() else { return };
    for version in ["5", "3.1.1"] {
        let kept = ["sub", "-p", &port, "-V", version, "-c", "-i", "kept", "-q", "1"];
        let with = |words: &[&str]| mqtt(&[&kept[..], words].concat(), b"");
        assert_eq!(with(&["-t", "k", "-E"]).status.code(), Some(0));
        let sent = mqtt(
            &["pub", "-p", &port, "-q", "1", "-t", "k", "--repeat", "3", "-m", "x"],
            b"",
        );
        assert_eq!(sent.status.code(), Some(0), "{sent:?}");
        // The others stay for the next time.
        assert_eq!(said(&with(&["-t", "k", "-C", "1", "-W", "20"])).1, "x\n");
        assert_eq!(
            said(&with(&["-t", "other", "-C", "2", "-v", "-W", "20"])).1,
            "k x\nk x\n"
        );
        assert_eq!(with(&["-U", "k"]).status.code(), Some(0));
        let sent = mqtt(&["pub", "-p", &port, "-q", "1", "-t", "k", "-m", "x"], b"");
        assert_eq!(sent.status.code(), Some(0), "{sent:?}");
        assert_eq!(with(&["-t", "k", "-W", "0.5"]).status.code(), Some(27));
        let end = mqtt(&["sub", "-p", &port, "-V", version, "-i", "kept", "-t", "k", "-E"], b"");
        assert_eq!(end.status.code(), Some(0), "{end:?}");
    }
}

#[test]
fn a_session_that_is_not_to_be_kept_ends_with_the_command() {
    let Some((_broker, port)) = broker() else { return };
    let end = mqtt(&["sub", "-p", &port, "-i", "gone", "-q", "1", "-t", "g", "-E"], b"");
    assert_eq!(end.status.code(), Some(0), "{end:?}");
    let sent = mqtt(&["pub", "-p", &port, "-q", "1", "-t", "g", "-m", "x", "-d"], b"");
    let told = String::from_utf8_lossy(&sent.stderr).into_owned();
    assert!(told.contains("nobody is subscribed"), "{told}");
}

#[test]
fn a_server_that_is_not_there_is_an_error_that_says_so() {
    for words in [&["sub", "-t", "a"][..], &["pub", "-t", "a", "-m", "b"]] {
        let ended = mqtt(&[words, &["-p", "1"]].concat(), b"");
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        let told = String::from_utf8_lossy(&ended.stderr);
        assert!(
            told.contains("mqtt://localhost:1") && told.contains("nothing listens there"),
            "{told}"
        );
        let quiet = mqtt(&[words, &["-p", "1", "--quiet"]].concat(), b"");
        assert_eq!(said(&quiet), (Some(1), String::new(), String::new()));
    }
}

#[test]
fn a_server_that_is_not_there_yet_is_waited_for() {
    let Some((broker, port)) = broker() else { return };
    drop(broker);
    let late = mqtt(
        &["pub", "-p", &port, "-t", "a", "-m", "b", "-q", "1", "--wait", "-W", "1"],
        b"",
    );
    assert_eq!(late.status.code(), Some(27), "{late:?}");
    let told = String::from_utf8_lossy(&late.stderr).into_owned();
    assert!(
        told.contains("trying again in") && told.contains("1 messages were not acknowledged"),
        "{told}"
    );
}

#[test]
fn sigint_and_sigterm_end_a_reader_with_what_it_has() {
    let Some((_broker, port)) = broker() else { return };
    for signal in ["INT", "TERM"] {
        let will = ["--will-topic", "will", "--will-payload", "it vanished"];
        let wills = Running::subscriber(&port, &["-t", "will"]);
        let reader = Running::subscriber(&port, &[&["-t", "s", "-v"], &will[..]].concat());
        let sent = mqtt(&["pub", "-p", &port, "-t", "s", "-m", "x"], b"");
        assert_eq!(sent.status.code(), Some(0), "{sent:?}");
        reader.wait_for_output("s x\n");
        let ended = reader.signalled(signal);
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(0), "s x\n"),
            "{signal}: {}",
            ended.stderr
        );
        let wills = wills.signalled("TERM");
        assert_eq!(wills.stdout, "", "it said farewell");
    }
}

#[test]
fn a_reader_whose_time_is_over_leaves_no_will() {
    let Some((_broker, port)) = broker() else { return };
    let wills = Running::subscriber(&port, &["-t", "will", "-C", "1"]);
    let will = ["--will-topic", "will", "--will-payload", "it vanished"];
    let late = mqtt(
        &[&["sub", "-p", &port, "-t", "s", "-W", "0.5"], &will[..]].concat(),
        b"",
    );
    assert_eq!(late.status.code(), Some(27), "{late:?}");
    let sent = mqtt(&["pub", "-p", &port, "-t", "will", "-m", "nothing before this"], b"");
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    assert_eq!(wills.ended().stdout, "nothing before this\n");
}

#[test]
fn a_will_is_published_when_the_process_is_killed() {
    let Some((_broker, port)) = broker() else { return };
    let wills = Running::subscriber(&port, &["-t", "will/#", "-v", "-C", "1"]);
    let will = [
        "--will-topic",
        "will/x",
        "--will-payload",
        "it vanished",
        "--will-qos",
        "1",
    ];
    let reader = Running::subscriber(&port, &[&["-t", "s"], &will[..]].concat());
    reader.signalled("KILL");
    assert_eq!(wills.ended().stdout, "will/x it vanished\n");
}

#[test]
fn a_closed_output_ends_a_reader_in_silence() {
    let Some((_broker, port)) = broker() else { return };
    let mut reader = Running::unheard_subscriber(&port, &["-t", "s"]);
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while reader.is_running() && std::time::Instant::now() < until {
        let sent = mqtt(&["pub", "-p", &port, "-t", "s", "-m", "x"], b"");
        assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    }
    let ended = reader.ended();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_reader_connects_again_and_says_so() {
    let Some((_broker, port)) = broker() else { return };
    let reader = Running::subscriber(&port, &["-i", "same", "-t", "s", "-q", "1"]);
    // Another one with its name ends its connection.
    let other = mqtt(&["sub", "-p", &port, "-i", "same", "-t", "s", "-E"], b"");
    assert_eq!(other.status.code(), Some(0), "{other:?}");
    reader.wait_for_words("connected again");
    let told = reader.told();
    assert!(told.contains("trying again in"), "{told}");
    let sent = mqtt(&["pub", "-p", &port, "-q", "1", "-t", "s", "-m", "after"], b"");
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    reader.wait_for_output("after\n");
}

#[test]
fn a_reader_that_is_not_to_connect_again_ends() {
    let Some((_broker, port)) = broker() else { return };
    let reader = Running::subscriber(&port, &["-i", "same", "-t", "s", "--no-reconnect"]);
    let other = mqtt(&["sub", "-p", &port, "-i", "same", "-t", "s", "-E"], b"");
    assert_eq!(other.status.code(), Some(0), "{other:?}");
    let ended = reader.ended();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("ended without a farewell"), "{}", ended.stderr);
}
