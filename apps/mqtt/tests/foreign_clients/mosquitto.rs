//! The clients of mosquitto: `mosquitto_pub`, `mosquitto_sub` and `mosquitto_rr`.

use std::io::{ErrorKind, Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{Server, TLS_OF_BOTH};

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Each line is a message: its QoS, whether it was retained, topic and payload.
const FORMAT: &str = "%q %r %t %p";
const EVERY_VERSION: [&str; 3] = ["mqttv5", "mqttv311", "mqttv31"];

#[test]
fn mosquitto_clients_are_served() {
    for version in EVERY_VERSION {
        let server = Server::start("");
        let port = server.address.port().to_string();
        let common = ["-h", "127.0.0.1", "-p", &port, "-V", version];
        if walk(&common, version).is_none() {
            return;
        }
    }
}

#[test]
fn mosquitto_clients_are_served_over_tls_with_certificates_on_both_sides() {
    let server = Server::start(TLS_OF_BOTH);
    let path = |name: &str| server.file(name).to_str().expect("a plain name").to_owned();
    let (ca, certificate, key) = (path("ca.pem"), path("client.pem"), path("client.key"));
    let port = server.address.port().to_string();
    for version in EVERY_VERSION {
        let place = ["-h", "127.0.0.1", "-p", &port, "-V", version];
        let identity = ["--cafile", &ca, "--cert", &certificate, "--key", &key];
        if walk(&[&place[..], &identity].concat(), version).is_none() {
            return;
        }
        // Nobody comes in without a certificate.
        let words = ["--cafile", &ca, "-q", "1", "-t", "t", "-m", "x"];
        let refused = client("mosquitto_pub", &[&place[..], &words].concat(), "").expect("it was there before");
        assert!(!refused.status.success(), "{refused:?}");
    }
}

/// Through everything; nothing, with a printed reason, if they are not on this machine.
fn walk(common: &[&str], version: &str) -> Option<()> {
    let shell = Shell { common, version };
    // Whoever is told it has subscribed.
    let there = ["-r", "-q", "1", "-t", "there", "-m", "yes"];
    client("mosquitto_pub", &[common, &there].concat(), "")?;
    shell.every_qos();
    shell.large();
    shell.retained();
    shell.wills();
    shell.resumed();
    shell.shared();
    shell.answered();
    if version == "mqttv5" {
        shell.properties();
    }
    Some(())
}

/// A client until it ends; nothing, with a printed reason, if it is not on this machine.
fn client(program: &str, words: &[&str], input: &str) -> Option<Output> {
    let mut command = Command::new(program);
    command
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            mqtt_testbed::skipped(format_args!("there is no {program} on this machine"));
            return None;
        }
        Err(error) => panic!("{program}: {error}"),
    };
    // One that reads nothing may have ended.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    Some(child.wait_with_output().expect("it ends"))
}

/// They as a user of a shell has them, at one server in one version.
struct Shell<'a> {
    common: &'a [&'a str],
    version: &'a str,
}

impl Shell<'_> {
    /// What a client prints until it ends well.
    fn run(&self, program: &str, words: &[&str], input: &str) -> String {
        let ended = client(program, &[self.common, words].concat(), input).expect("it comes with the others");
        assert!(ended.status.success(), "{program} {words:?}: {ended:?}");
        String::from_utf8(ended.stdout).expect("text")
    }

    fn publish(&self, words: &[&str]) {
        self.run("mosquitto_pub", words, "");
    }

    /// Publishes numbers, a line each.
    fn publish_numbers(&self, end: u32, topic: &str, qos: &str) {
        let lines: String = (0..end).map(|number| format!("{number}\n")).collect();
        self.run("mosquitto_pub", &["-l", "-q", qos, "-t", topic], &lines);
    }

    /// One that has subscribed, and prints in this form.
    fn listen_in(&self, form: &str, words: &[&str]) -> Listener {
        let own = ["-F", form, "-t", "there"];
        let listener = Listener::start(&[self.common, &own, words].concat());
        listener.wait("it has subscribed", |lines| {
            lines.iter().any(|line| line.ends_with("yes"))
        });
        listener
    }

    fn listen(&self, words: &[&str]) -> Listener {
        self.listen_in(FORMAT, words)
    }

    /// The session of one that is not there.
    fn session<'a>(&self, name: &'a str, words: &[&'a str]) -> Vec<&'a str> {
        let lasting: &[&str] = if self.version == "mqttv5" { &["-x", "600"] } else { &[] };
        [&["-c", "-i", name, "-F", FORMAT], lasting, words].concat()
    }

    fn every_qos(&self) {
        for qos in ["0", "1", "2"] {
            let listener = self.listen(&["-q", qos, "-t", "walk/+"]);
            self.publish_numbers(50, "walk/one", qos);
            let expected = (0..50).map(|number| format!("{qos} 0 walk/one {number}"));
            assert!(listener.hears(50).into_iter().eq(expected), "{listener:?}");
        }
    }

    fn large(&self) {
        let payload = "0123456789abcdef".repeat(1 << 16);
        for qos in ["0", "1", "2"] {
            let listener = self.listen(&["-q", qos, "-t", "large"]);
            self.run("mosquitto_pub", &["-s", "-q", qos, "-t", "large"], &payload);
            assert!(listener.hears(1) == [format!("{qos} 0 large {payload}")]);
            self.publish(&["-n", "-q", qos, "-t", "large"]);
            assert_eq!(listener.hears(2)[1], format!("{qos} 0 large "));
        }
    }

    fn retained(&self) {
        for qos in ["0", "1", "2"] {
            self.publish(&["-r", "-q", qos, "-t", "kept", "-m", qos]);
            let words = ["-q", "2", "-t", "kept", "-C", "1", "-W", "30", "-F", FORMAT];
            let got = self.run("mosquitto_sub", &words, "");
            assert_eq!(got, format!("{qos} 1 kept {qos}\n"));
        }
        self.publish(&["-r", "-q", "1", "-t", "kept", "-n"]);
        let listener = self.listen(&["-q", "1", "-t", "kept"]);
        self.publish(&["-q", "1", "-t", "kept", "-m", "fresh"]);
        assert_eq!(listener.hears(1), ["1 0 kept fresh"]);
    }

    fn wills(&self) {
        let heir = self.listen(&["-q", "2", "-t", "gone"]);
        for (qos, number) in ["0", "1", "2"].into_iter().zip(1..) {
            let will = [
                "-t",
                "none",
                "--will-topic",
                "gone",
                "--will-qos",
                qos,
                "--will-payload",
            ];
            self.run("mosquitto_sub", &[&will[..], &["must not be told", "-E"]].concat(), "");
            // It is killed.
            drop(self.listen(&[&will[..], &["bye"]].concat()));
            assert_eq!(
                heir.hears(number).last(),
                Some(&format!("{qos} 0 gone bye")),
                "{heir:?}"
            );
        }
    }

    /// Sleeping sessions get what is published meanwhile.
    fn resumed(&self) {
        for qos in ["1", "2"] {
            let name = format!("sleeper-{qos}");
            let session = self.session(&name, &["-q", qos, "-t", "asleep/+"]);
            self.run("mosquitto_sub", &[&session[..], &["-E"]].concat(), "");
            self.publish_numbers(50, "asleep/one", qos);
            let got = self.run("mosquitto_sub", &[&session[..], &["-C", "50", "-W", "30"]].concat(), "");
            let expected: String = (0..50).map(|number| format!("{qos} 0 asleep/one {number}\n")).collect();
            assert_eq!(got, expected);
            // The second session has slept through nothing of the first one's.
            self.run("mosquitto_sub", &["-i", &name, "-E", "-t", "other"], "");
        }
    }

    /// Each message goes to one of the two.
    fn shared(&self) {
        for qos in ["0", "1", "2"] {
            let words = ["-q", qos, "-t", "$share/group/work/+", "-t", "over"];
            let members = [self.listen(&words), self.listen(&words)];
            self.publish_numbers(40, "work/one", qos);
            let until = Instant::now() + PATIENCE;
            while members.iter().map(|member| member.heard().len()).sum::<usize>() < 40 {
                assert!(Instant::now() < until, "{members:?}");
                thread::sleep(Duration::from_millis(10));
            }
            self.publish(&["-q", qos, "-t", "over", "-m", "x"]);
            let mut all: Vec<u32> = Vec::new();
            for member in &members {
                member.wait("it is over", |lines| lines.iter().any(|line| line.contains(" over ")));
                let lines = member.heard();
                let numbers = lines.iter().filter_map(|line| line.rsplit_once(" work/one "));
                let before = all.len();
                all.extend(numbers.map(|(_, number)| number.parse::<u32>().expect("a number")));
                assert!(all.len() > before, "one gets all: {members:?}");
            }
            all.sort_unstable();
            assert!(all.into_iter().eq(0..40), "{members:?}");
        }
    }

    /// `mosquitto_rr` asks, and the others answer.
    fn answered(&self) {
        let question = self.listen(&["-q", "1", "-t", "question"]);
        thread::scope(|scope| {
            let words = ["-q", "1", "-t", "question", "-e", "answer", "-m", "what?", "-W", "30"];
            let asks = scope.spawn(move || self.run("mosquitto_rr", &words, ""));
            assert_eq!(question.hears(1), ["1 0 question what?"]);
            self.publish(&["-q", "1", "-t", "answer", "-m", "that"]);
            assert_eq!(asks.join().expect("it is answered"), "that\n");
        });
    }

    fn properties(&self) {
        let identified = ["-D", "subscribe", "subscription-identifier", "7"];
        let listener = self.listen_in(
            "%C|%R|%D|%F|%P|%S|%p",
            &[&["-q", "2", "-t", "asked"], &identified[..]].concat(),
        );
        let mut words = vec!["-q", "2", "-t", "asked", "-m", "what?"];
        for property in [
            &["content-type", "text/plain"][..],
            &["response-topic", "answers/walk"],
            &["correlation-data", "12"],
            &["payload-format-indicator", "1"],
            &["user-property", "name", "one"],
            &["user-property", "name", "two"],
        ] {
            words.extend([&["-D", "publish"], property].concat());
        }
        self.publish(&words);
        let expected = "text/plain|answers/walk|12|1|name:one name:two|7|what?";
        assert_eq!(listener.hears(1), [expected]);
    }
}

/// A `mosquitto_sub` that runs. It is killed with this value.
#[derive(Debug)]
struct Listener {
    child: Child,
    printed: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Listener {
    fn start(words: &[&str]) -> Self {
        let mut command = Command::new("mosquitto_sub");
        command.args(words).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it comes with the publisher");
        let mut output = child.stdout.take().expect("a pipe");
        let printed = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&printed);
        let reader = thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(read @ 1..) = output.read(&mut buffer) {
                written
                    .lock()
                    .expect("nobody panics")
                    .extend_from_slice(&buffer[..read]);
            }
        });
        Self {
            child,
            printed,
            reader: Some(reader),
        }
    }

    /// The lines that are whole.
    fn lines(&self) -> Vec<String> {
        let printed = self.printed.lock().expect("nobody panics");
        let text = String::from_utf8_lossy(&printed).into_owned();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(str::to_owned).collect()
    }

    /// The same, without the one that tells that it has subscribed.
    fn heard(&self) -> Vec<String> {
        let mut lines = self.lines();
        lines.retain(|line| !line.ends_with("yes"));
        lines
    }

    fn wait(&self, what: &str, is_so: impl Fn(&[String]) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_so(&self.lines()) {
            assert!(Instant::now() < until, "{what}: it takes too long: {:?}", self.lines());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// All messages, when there are so many.
    fn hears(&self, count: usize) -> Vec<String> {
        self.wait("messages", |lines| lines.len() > count);
        self.heard()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}
