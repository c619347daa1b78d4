//! The program as a process.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the program with this input until it ends.
#[allow(dead_code, reason = "not every test that shares this file calls it")]
pub(crate) fn mqtt(words: &[&str], input: &[u8]) -> Output {
    let mut child = command(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut stdin = child.stdin.take().expect("it has an input");
    let input = input.to_vec();
    let writer = thread::spawn(move || {
        // A program that ends early reads nothing.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("writing does not panic");
    output
}

/// Code, output and errors.
#[allow(dead_code, reason = "not every test that shares this file looks at all of it")]
pub(crate) fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt"));
    command.args(words).env("TZ", "UTC");
    command
}

/// What a process said, and how it ended.
#[derive(Debug)]
#[allow(dead_code, reason = "not every test that shares this file looks at all of it")]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// What a process has said so far, and who listens.
struct Heard {
    bytes: Arc<Mutex<Vec<u8>>>,
    listener: Option<JoinHandle<()>>,
}

impl Heard {
    fn new(mut stream: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&bytes);
        let listener = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                heard.lock().expect("nobody panics").extend_from_slice(&buffer[..read]);
            }
        });
        Self {
            bytes,
            listener: Some(listener),
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("nobody panics")).into_owned()
    }
}

/// A process that runs. It is killed with this value at the latest.
pub(crate) struct Running {
    child: Child,
    stdout: Option<Heard>,
    stderr: Heard,
}

#[allow(dead_code, reason = "not every test that shares this file needs all of it")]
impl Running {
    /// Starts a reader, and waits until it has subscribed.
    pub(crate) fn subscriber(port: &str, words: &[&str]) -> Self {
        let reader = Self::start(&[&["sub", "-p", port, "-d"], words].concat());
        reader.wait_for_words("subscribed to");
        reader
    }

    /// The same, whose output nobody reads.
    pub(crate) fn unheard_subscriber(port: &str, words: &[&str]) -> Self {
        let reader = Self::start_with(&[&["sub", "-p", port, "-d"], words].concat(), false);
        reader.wait_for_words("subscribed to");
        reader
    }

    pub(crate) fn start(words: &[&str]) -> Self {
        Self::start_with(words, true)
    }

    fn start_with(words: &[&str], is_heard: bool) -> Self {
        let mut child = command(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        // A stream that is not heard is closed here.
        let stdout = child.stdout.take().filter(|_| is_heard);
        Self {
            stdout: stdout.map(Heard::new),
            stderr: Heard::new(child.stderr.take().expect("it has one")),
            child,
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is this process's own").is_none()
    }

    /// What it has told on standard error.
    pub(crate) fn told(&self) -> String {
        self.stderr.text()
    }

    /// Waits until a broker serves: where, in the order of its listeners, and its metrics behind them. Unix sockets are left out.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.wait_for_words(" serving ");
        let told = self.told();
        let addresses = told.split(" address=").skip(1);
        let addresses = addresses.filter_map(|said| said.split_whitespace().next()?.parse().ok());
        addresses.collect()
    }

    pub(crate) fn wait_for_words(&self, words: &str) {
        self.wait_until(words, || self.stderr.text().contains(words));
    }

    pub(crate) fn wait_for_output(&self, text: &str) {
        let output = self.stdout.as_ref().expect("it is read");
        self.wait_until(text, || output.text().contains(text));
    }

    fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < until, "{what} does not come: {}", self.stderr.text());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a signal, and waits for the end.
    pub(crate) fn signalled(self, signal: &str) -> Ended {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.expect("there is a kill").success());
        self.ended()
    }

    /// Waits for the end. What the option -d brings is left out of what it told.
    pub(crate) fn ended(mut self) -> Ended {
        let until = Instant::now() + PATIENCE;
        while self.is_running() {
            assert!(Instant::now() < until, "it does not end: {}", self.stderr.text());
            thread::sleep(Duration::from_millis(5));
        }
        let code = self.child.wait().expect("it has ended").code();
        let text = |heard: Option<&mut Heard>| {
            heard.map_or_else(String::new, |heard| {
                if let Some(listener) = heard.listener.take() {
                    listener.join().expect("listening does not panic");
                }
                heard.text()
            })
        };
        let stdout = text(self.stdout.as_mut());
        let stderr = text(Some(&mut self.stderr));
        let details = ["connecting", "connected;", "subscribed to", "disconnected"];
        let is_detail = |line: &&str| {
            !details
                .iter()
                .any(|detail| line.starts_with(&format!("mqtt: {detail}")))
        };
        let stderr = stderr.lines().filter(is_detail).collect::<Vec<_>>().join("\n");
        Ended { code, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
