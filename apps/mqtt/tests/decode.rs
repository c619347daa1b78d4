//! `mqtt decode`, with bytes, hex and captures.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use etherparse::PacketBuilder;

const CONNECT: &[u8] = b"\x10\x0D\0\x04MQTT\x04\x02\0\x3C\0\x01c";
const CONNACK: &[u8] = b"\x20\x02\0\0";
const PUBLISH: &[u8] = b"\x30\x05\0\x01thi";

fn decode(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mqtt"))
        .arg("decode")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    // It may have ended over its arguments.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    child.wait_with_output().expect("it ends")
}

fn told(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

#[test]
fn hex_is_explained_field_by_field() {
    let output = decode(&["--mqtt", "3.1.1", "30", "05", "00017468", "69"], b"");
    assert!(output.status.success(), "{output:?}");
    let told = told(&output);
    assert!(told.starts_with("PUBLISH, 7 bytes at 0\n"), "{told}");
    assert!(told.contains("Topic Name: \"t\""), "{told}");
}

#[test]
fn the_version_is_the_one_that_connect_states() {
    let session = [CONNECT, PUBLISH].concat();
    let output = decode(&["--from", "client"], &session);
    assert!(output.status.success(), "{output:?}");
    let told = told(&output);
    assert!(told.contains("PUBLISH, 7 bytes at 15"), "{told}");
    // With properties it would be another message.
    assert!(told.contains("payload: \"hi\""), "{told}");
}

#[test]
fn bad_bytes_break_a_statement_and_the_exit_code() {
    let output = decode(&["--mqtt", "5", "3007 0003 612F23 3231"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("[MQTT-3.3.2-2]"), "{output:?}");
}

#[test]
fn a_packet_of_the_other_end_is_refused() {
    let output = decode(&["--from", "client", "20020000"], b"");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn half_a_packet_is_told() {
    let output = decode(&[], &PUBLISH[..3]);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("incomplete"), "{output:?}");
}

#[test]
fn what_is_no_hex_is_a_misuse() {
    assert_eq!(decode(&["xyz"], b"").status.code(), Some(2));
    assert_eq!(decode(&["--mqtt", "6", "C000"], b"").status.code(), Some(2));
    assert_eq!(decode(&["--file", "there/is/none"], b"").status.code(), Some(1));
}

/// A capture file with these frames.
#[derive(Default)]
struct Capture {
    bytes: Vec<u8>,
}

impl Capture {
    fn new() -> Self {
        let mut bytes = vec![0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend(65_535_u32.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        Self { bytes }
    }

    fn frame(mut self, frame: &[u8]) -> Self {
        let len = u32::try_from(frame.len()).unwrap();
        for number in [1_700_000_000_u32, 250_000, len, len] {
            self.bytes.extend(number.to_le_bytes());
        }
        self.bytes.extend(frame);
        self
    }

    /// From the client, with this number.
    fn client(self, number: u32, bytes: &[u8]) -> Self {
        self.frame(&segment([10, 0, 0, 1], [10, 0, 0, 2], (40_000, 1883), number, bytes))
    }

    fn server(self, number: u32, bytes: &[u8]) -> Self {
        self.frame(&segment([10, 0, 0, 2], [10, 0, 0, 1], (1883, 40_000), number, bytes))
    }
}

fn segment(from: [u8; 4], to: [u8; 4], ports: (u16, u16), number: u32, bytes: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([1; 6], [2; 6])
        .ipv4(from, to, 64)
        .tcp(ports.0, ports.1, number, 1024);
    let mut frame = Vec::new();
    let builder = if bytes.is_empty() {
        builder.syn()
    } else {
        builder.ack(1)
    };
    builder.write(&mut frame, bytes).expect("there is room");
    frame
}

#[test]
fn a_capture_is_read_in_both_directions_whatever_the_order_of_its_segments() {
    let capture = Capture::new()
        .client(99, b"")
        .client(105, &CONNECT[5..])
        .client(100, &CONNECT[..5])
        .client(100, CONNECT)
        .server(500, CONNACK)
        .client(115, PUBLISH);
    let output = decode(&[], &capture.bytes);
    assert!(output.status.success(), "{output:?}");
    let told = told(&output);
    let heads: Vec<&str> = told.lines().filter(|line| line.contains(" to ")).collect();
    assert_eq!(
        heads,
        [
            "1700000000.250000  Client 10.0.0.1:40000 to 10.0.0.2:1883: CONNECT, 15 bytes at 0",
            "1700000000.250000  Server 10.0.0.2:1883 to 10.0.0.1:40000: CONNACK, 4 bytes at 0",
            "1700000000.250000  Client 10.0.0.1:40000 to 10.0.0.2:1883: PUBLISH, 7 bytes at 15",
        ]
    );
}

#[test]
fn what_a_capture_lacks_is_told() {
    let capture = Capture::new().client(99, b"").client(100, CONNECT).client(120, PUBLISH);
    let output = decode(&[], &capture.bytes);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("5 bytes are not in the capture"), "{output:?}");
}

#[test]
fn a_capture_that_was_cut_off_is_read_up_to_there() {
    let capture = Capture::new().client(99, b"").client(100, CONNECT).client(115, PUBLISH);
    let output = decode(&[], &capture.bytes[..capture.bytes.len() - 3]);
    assert_eq!(output.status.code(), Some(1));
    let told = told(&output);
    assert!(told.contains("CONNECT") && !told.contains("PUBLISH"), "{told}");
}

/// It would be room for gigabytes that are never read.
#[test]
fn a_length_that_no_block_has_is_refused() {
    let mut capture = Capture::new().client(99, b"").client(100, CONNECT);
    for number in [1_700_000_000_u32, 250_000, u32::MAX, 5] {
        capture.bytes.extend(number.to_le_bytes());
    }
    capture.bytes.extend(b"abcde");
    let output = decode(&[], &capture.bytes);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("CONNECT"), "{output:?}");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("more than 16 MiB"), "{errors}");
}

#[test]
fn a_capture_of_something_else_says_so() {
    let other = segment([10, 0, 0, 1], [10, 0, 0, 2], (40_000, 80), 1, b"GET / HTTP/1.1\r\n\r\n");
    let output = decode(&[], &Capture::new().frame(&other).bytes);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--port"), "{output:?}");
}
