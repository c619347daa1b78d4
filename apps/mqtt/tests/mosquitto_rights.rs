//! The same rights file in mosquitto and here: every client may publish and receive the same.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use mqtt_program::broker::{Permissions, Who};
use mqtt_proto::TopicName;
use tempfile::TempDir;

const RULES: &str = "\
topic read free/#
topic write free/in
topic deny free/secret
user alice
topic readwrite home/#
topic deny home/safe/#
topic read $dollar/#
topic write +/up
user bob
topic home/+/light
topic deny home/attic/light
topic deny own/bob/no
topic over
user alice
topic read late
user with space
topic readwrite spaced/a b
pattern read own/%u/#
pattern write own/%u/up
pattern readwrite dev/%c
pattern readwrite x-%c/%u
pattern deny own/alice/no
pattern read deep/+/%c/#
pattern deny over
user root
topic write #
topic write $dollar/#
";

const TOPICS: &[&str] = &[
    "free",
    "free/in",
    "free/secret",
    "free/a/b",
    "home",
    "home/a",
    "home/a/light",
    "home/attic/light",
    "home/safe",
    "home/safe/a",
    "homes",
    "$dollar",
    "$dollar/a",
    "a/up",
    "/up",
    "$dollar/up",
    "up",
    "late",
    "over",
    "spaced/a b",
    "own",
    "own/alice",
    "own/alice/a/b",
    "own/alice/up",
    "own/alice/no",
    "own/bob",
    "own/bob/no",
    "own/bob/up",
    "own/with space/up",
    "own//up",
    "dev/c1",
    "dev/c2",
    "dev/",
    "dev/c1/x",
    "x-c1/alice",
    "x-c1/bob",
    "x-c2/bob",
    "x-c1/",
    "deep/a/c1",
    "deep/a/c1/b/c",
    "deep/a/c2",
    "deep//c3/",
    "other",
    "/",
];

const CLIENTS: &[Who<'_>] = &[
    Who {
        client_id: "c1",
        user: None,
    },
    Who {
        client_id: "c1",
        user: Some("alice"),
    },
    Who {
        client_id: "c2",
        user: Some("bob"),
    },
    Who {
        client_id: "c3",
        user: Some("with space"),
    },
    Who {
        client_id: "c1",
        user: Some("nobody"),
    },
];

struct Mosquitto {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn find() -> Option<&'static str> {
    let places = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"];
    let found = places.into_iter().find(|place| Path::new(place).is_file());
    if found.is_none() {
        mqtt_testbed::skipped("there is no mosquitto on this machine");
    }
    found
}

impl Mosquitto {
    fn start(program: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        let (rules, configuration) = (folder.path().join("acl"), folder.path().join("conf"));
        fs::write(&rules, RULES).expect("there is room");
        // It gives the rights of root up otherwise, and could not read its files.
        let lines = format!(
            "user root\nlistener {port} 127.0.0.1\nallow_anonymous true\nacl_file {}\n",
            rules.display()
        );
        fs::write(&configuration, lines).expect("there is room");
        let mut command = Command::new(program);
        command
            .arg("-c")
            .arg(&configuration)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().expect("it starts");
        Self {
            child,
            port,
            _folder: folder,
        }
    }

    fn connect(&self, who: Who<'_>) -> Client {
        let until = Instant::now() + Duration::from_secs(20);
        let stream = loop {
            match TcpStream::connect(("127.0.0.1", self.port)) {
                Ok(stream) => break stream,
                Err(error) => assert!(
                    Instant::now() < until && error.kind() == ErrorKind::ConnectionRefused,
                    "{error}"
                ),
            }
            thread::sleep(Duration::from_millis(20));
        };
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time");
        let mut client = Client { stream };
        let flags = if who.user.is_some() { 0x82 } else { 0x02 };
        let user = who.user.map(text).unwrap_or_default();
        client.send(
            0x10,
            &[&text("MQTT")[..], &[5, flags, 0, 60, 0], &text(who.client_id), &user].concat(),
        );
        let (first, body) = client.receive();
        assert_eq!((first, body[1]), (0x20, 0), "accepted");
        client
    }
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("short");
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}

/// As much of a client as is needed, in bytes of its own: what is tested is not tested with itself.
struct Client {
    stream: TcpStream,
}

impl Client {
    fn send(&mut self, first: u8, body: &[u8]) {
        let length = u8::try_from(body.len()).expect("short");
        assert!(length < 128, "one byte of length");
        self.stream
            .write_all(&[&[first, length], body].concat())
            .expect("it is open");
    }

    fn receive(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).expect("it is open");
        assert!(head[1] < 128, "one byte of length");
        let mut body = vec![0; usize::from(head[1])];
        self.stream.read_exact(&mut body).expect("it is open");
        (head[0], body)
    }

    /// Whether it was allowed.
    fn publish(&mut self, topic: &str) -> bool {
        self.send(0x32, &[&text(topic)[..], &[0, 1, 0]].concat());
        loop {
            let (first, body) = self.receive();
            if first == 0x40 {
                return body.get(2).is_none_or(|reason| *reason < 0x80);
            }
        }
    }

    fn subscribe(&mut self, filter: &str) {
        self.send(0x82, &[&[0, 2, 0][..], &text(filter), &[0]].concat());
        assert_eq!(self.receive().0, 0x90);
    }

    /// The topics of all messages that are there.
    fn topics(&mut self) -> Vec<String> {
        self.send(0xC0, &[]);
        let mut topics = Vec::new();
        loop {
            let (first, body) = self.receive();
            match first >> 4 {
                3 => {
                    let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
                    topics.push(String::from_utf8(body[2..2 + length].to_vec()).expect("text"));
                }
                13 => return topics,
                _ => {}
            }
        }
    }
}

#[test]
fn mosquitto_allows_the_same() {
    let Some(program) = find() else {
        return;
    };
    let (ours, report) = Permissions::parse(&[("acl".as_ref(), RULES.as_bytes())]);
    assert!(report.is_empty(), "{report}");
    let mosquitto = Mosquitto::start(program);
    let mut root = mosquitto.connect(Who {
        client_id: "root",
        user: Some("root"),
    });
    let (mut compared, mut allowed) = (0, 0);
    for who in CLIENTS {
        let mut client = mosquitto.connect(*who);
        for topic in TOPICS {
            let name = TopicName::new(topic).expect("a topic");
            let theirs = client.publish(topic);
            assert_eq!(ours.may_publish(*who, &name), theirs, "{who:?} to {topic}");
            allowed += usize::from(theirs);
            compared += 1;
        }
        TOPICS.iter().for_each(|topic| client.subscribe(topic));
        for topic in TOPICS {
            assert!(root.publish(topic), "{topic}");
        }
        let received = client.topics();
        for topic in TOPICS {
            let name = TopicName::new(topic).expect("a topic");
            let theirs = received.iter().any(|received| received == topic);
            assert_eq!(ours.may_receive(*who, &name), theirs, "{topic} to {who:?}");
            allowed += usize::from(theirs);
            compared += 1;
        }
    }
    println!("{compared} decisions, {allowed} of them to allow");
    assert!(
        allowed > 50 && compared - allowed > 200,
        "both happen: {allowed} of {compared}"
    );
}

/// Of patterns with a name that holds `+`, `#` or `/`, mosquitto may allow what is refused here, never the other way.
#[test]
fn names_that_could_be_filters_are_allowed_no_more_than_by_mosquitto() {
    let Some(program) = find() else {
        return;
    };
    let (ours, _) = Permissions::parse(&[("acl".as_ref(), RULES.as_bytes())]);
    let mosquitto = Mosquitto::start(program);
    for name in ["+", "#", "a/b", "c1/#", "$dollar", "a+b", "/"] {
        let who = Who {
            client_id: name,
            user: Some(name),
        };
        let mut client = mosquitto.connect(who);
        for topic in TOPICS
            .iter()
            .chain(&["own/a/b/up", "dev/a/b", "own/$dollar/up", "own/a/up"])
        {
            let allowed = ours.may_publish(who, &TopicName::new(topic).expect("a topic"));
            let theirs = client.publish(topic);
            assert!(theirs || !allowed, "{who:?} to {topic}");
        }
    }
}
