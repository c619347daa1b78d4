//! `mqtt pub` and `mqtt sub` beside `mosquitto_pub` and `mosquitto_sub`: with the same options they do the same.

#![cfg(feature = "tokio")]

mod running;

use std::io::ErrorKind;
use std::process::{Command, Output};

use mqtt_testbed::{Broker, MOSQUITTO};
use serde_json::Value;

use self::running::mqtt;

/// The messages that both print: options of a publisher. All are retained, so that each reader gets them when it comes.
const MESSAGES: &[&[&str]] = &[
    &["-t", "m/plain", "-m", "hello"],
    &["-t", "m/one", "-m", "hello", "-q", "1"],
    &["-t", "m/two", "-m", "{\"a\": [1, 2.5, \"\\u00e9\"]}", "-q", "2"],
    &["-t", "m/quotes", "-m", "green \"quoted\" \\ back"],
    &["-t", "m/hyphen", "-m", "-5"],
    &[
        "-t",
        "m/properties",
        "-m",
        "x",
        "-D",
        "publish",
        "content-type",
        "text/plain",
        "-D",
        "publish",
        "correlation-data",
        "corr",
        "-D",
        "publish",
        "payload-format-indicator",
        "1",
        "-D",
        "publish",
        "response-topic",
        "a/r",
        "-D",
        "publish",
        "user-property",
        "k",
        "v",
        "-D",
        "publish",
        "user-property",
        "k2",
        "v2",
        "-D",
        "publish",
        "user-property",
        "k",
        "w",
    ],
];

/// Templates whose text is the same from both.
const TEMPLATES: &[&str] = &[
    "%t %p",
    "%t|%q|%r|%l|%x|%X",
    "%t|%C|%D|%F|%P|%R|%S",
    "%20t|%-20t|%3.3t|%.4t|%020t|",
    "%05l|%-5l|%5l|%-05l|",
    "%t|%10C|%-10C|%10.2C|%05C|%5F|%05F|%05S|%10D|%10P|",
    "%t|%5q|%05q|%5r|%05r|",
    "%t|%30p|%-30p|%030p|",
    "%t\\t\\e\\\\\\r\\v\\a%%@@",
    "%t|@Y-@m-@d|@j|@a|@b|@Z|@z",
    "literal \u{e4}",
];

/// One of mosquitto's clients; nothing, with a printed reason, if it is not on this machine.
fn mosquitto(program: &str, words: &[&str]) -> Option<Output> {
    match Command::new(program).args(words).env("TZ", "UTC").output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            mqtt_testbed::skipped(format_args!("there is no {program} on this machine"));
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

/// The lines of an output, in an order of their own.
fn lines(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout.clone()).expect("text");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn templates_and_json_are_filled_in_the_same_way() {
    let Some(broker) = Broker::start(&MOSQUITTO) else {
        return;
    };
    let port = broker.address().port().to_string();
    for message in MESSAGES {
        let sent = mqtt(&[&["pub", "-p", &port, "-r"], *message].concat(), b"");
        assert!(sent.status.success(), "{sent:?}");
    }
    let count = MESSAGES.len().to_string();
    let common = ["-p", &port, "-V", "5", "-q", "2", "-t", "m/#", "-W", "20", "-C", &count];
    let both = |words: &[&str]| {
        let theirs = mosquitto("mosquitto_sub", &[&common[..], words].concat())?;
        let ours = mqtt(&[&["sub"], &common[..], words].concat(), b"");
        Some((lines(&ours), lines(&theirs)))
    };
    for template in TEMPLATES {
        let Some((ours, theirs)) = both(&["-F", template]) else {
            return;
        };
        assert_eq!(ours, theirs, "{template}");
        assert_eq!(ours.len(), MESSAGES.len());
    }
    for words in [&["-v"][..], &[]] {
        let Some((ours, theirs)) = both(words) else { return };
        assert_eq!(ours, theirs, "{words:?}");
    }
    let Some((ours, theirs)) = both(&["-F", "%j"]) else {
        return;
    };
    assert_eq!(objects(&ours), objects(&theirs));
    // What `JSON` reads of a name that stands twice is one value: so the text counts too.
    let users = r#""user-properties":{"k":"v","k2":"v2","k":"w"}"#;
    for lines in [ours, theirs] {
        assert!(lines.iter().any(|line| line.contains(users)), "{lines:?}");
    }
}

/// Objects without what differs: the time, and the packet identifier that only mosquitto's client shows.
fn objects(lines: &[String]) -> Vec<Value> {
    let mut objects: Vec<Value> = lines
        .iter()
        .map(|line| {
            let mut value: Value = serde_json::from_str(line).expect(line);
            let object = value.as_object_mut().expect("an object");
            let time = object.remove("tst").expect("a time");
            assert_eq!(time.as_str().map(|time| &time[10..11]), Some("T"), "{time}");
            object.remove("mid");
            value
        })
        .collect();
    objects.sort_by_key(|object| object["topic"].to_string());
    objects
}

#[test]
fn both_publish_the_same() {
    let Some(broker) = Broker::start(&MOSQUITTO) else {
        return;
    };
    let port = broker.address().port().to_string();
    let read = |publish: &dyn Fn(&[&str]) -> Option<Output>| {
        for message in MESSAGES {
            let sent = publish(&[&["-p", &port, "-V", "5", "-r"], *message].concat())?;
            assert!(sent.status.success(), "{sent:?}");
        }
        let count = MESSAGES.len().to_string();
        let all = "%t|%q|%x|%C|%D|%F|%P|%R";
        let words = ["sub", "-p", &port, "-q", "2", "-t", "m/#", "-F", all, "-C", &count];
        let read = lines(&mqtt(&words, b""));
        let gone = ["sub", "-p", &port, "-t", "m/#", "--remove-retained", "-C", &count];
        assert!(mqtt(&gone, b"").status.success());
        Some(read)
    };
    let Some(theirs) = read(&|words| mosquitto("mosquitto_pub", words)) else {
        return;
    };
    let ours = read(&|words| Some(mqtt(&[&["pub"], words].concat(), b"")));
    assert_eq!(ours, Some(theirs));
}

/// Where the text differs, on purpose.
#[test]
fn what_differs_is_known() {
    let Some(broker) = Broker::start(&MOSQUITTO) else {
        return;
    };
    let port = broker.address().port().to_string();
    let sent = mqtt(&["pub", "-p", &port, "-r", "-t", "d/\u{e9}\u{e9}", "-m", "ab"], b"");
    assert!(sent.status.success(), "{sent:?}");
    let common = ["-p", &port, "-t", "d/#", "-W", "20", "-C", "1"];
    let both = |template: &str| {
        let words = [&common[..], &["-F", template]].concat();
        let theirs = mosquitto("mosquitto_sub", &words)?;
        let ours = mqtt(&[&["sub"], &words[..]].concat(), b"");
        let text = |output: &Output| {
            String::from_utf8_lossy(&output.stdout)
                .trim_end_matches('\n')
                .to_owned()
        };
        Some((text(&ours), text(&theirs)))
    };
    // They cut between the bytes of a character, and count bytes.
    let Some((ours, theirs)) = both("%.3t|") else { return };
    assert_eq!((ours.as_str(), theirs.as_str()), ("d/\u{e9}|", "d/\u{fffd}|"));
    // They cut a payload to its width.
    let Some((ours, theirs)) = both("%1p|") else { return };
    assert_eq!((ours.as_str(), theirs.as_str()), ("ab|", "a|"));
    // Their width of a payload in hexadecimal is another one.
    let Some((ours, theirs)) = both("%6x|") else { return };
    assert_eq!(ours, "  6162|");
    assert_ne!(ours, theirs);
    // They do not pad a response topic that is not there.
    let Some((ours, theirs)) = both("%3R|%3C|") else { return };
    assert_eq!((ours.as_str(), theirs.as_str()), ("   |   |", "|   |"));
    // Their time has both a Z and an offset.
    let Some((ours, theirs)) = both("%j") else { return };
    assert!(ours.contains("+0000\"") && !ours.contains('Z'), "{ours}");
    assert!(theirs.contains("Z+0000\""), "{theirs}");
}
