//! `mqtt pub` at servers that close the connection without a word, which is all that MQTT 3 has for a message that is not taken.

#![cfg(feature = "tokio")]

mod running;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use self::running::{mqtt, said};

/// What a server does on one connection, behind CONNECT and CONNACK.
#[derive(Clone, Copy)]
enum Does {
    /// Closes it at once.
    Close,
    /// Waits for a message, and closes it.
    CloseAtMessage,
    /// Acknowledges so many messages, waits for one more, and closes it.
    Acknowledge(usize),
    /// Serves until the client closes it.
    Serve,
}

/// A packet that is shorter than 128 bytes; `None` at the end.
fn packet(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).ok()?;
    assert!(head[1] < 0x80, "a short packet");
    let mut rest = vec![0; head[1].into()];
    stream.read_exact(&mut rest).ok()?;
    Some([&head[..], &rest].concat())
}

/// Serves one connection.
fn serve(mut stream: TcpStream, does: Does) -> Option<()> {
    let connect = packet(&mut stream)?;
    assert_eq!(connect[0], 0x10);
    let has_properties = connect[8] == 5;
    stream
        .write_all(if has_properties {
            &[0x20, 3, 0, 0, 0]
        } else {
            &[0x20, 2, 0, 0]
        })
        .ok()?;
    let mut left = match does {
        Does::Close => return None,
        Does::CloseAtMessage => 0,
        Does::Acknowledge(messages) => messages,
        Does::Serve => usize::MAX,
    };
    loop {
        let packet = packet(&mut stream)?;
        // PUBLISH of QoS 1.
        if packet[0] & 0xF6 == 0x32 {
            if left == 0 {
                return None;
            }
            left -= 1;
            let topic = usize::from(packet[3]);
            stream
                .write_all(&[0x40, 2, packet[4 + topic], packet[5 + topic]])
                .ok()?;
        }
    }
}

/// What comes of `mqtt pub -q 1` with these options, at a server that does this on one connection after the other, and the last of
/// it on all further ones; and how many there were.
fn published(does: &'static [Does], words: &[&str]) -> (Option<i32>, String, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let port = listener.local_addr().expect("it is bound").port().to_string();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    // It ends with the process.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let number = counted.fetch_add(1, Ordering::SeqCst);
            serve(stream, does[number.min(does.len() - 1)]);
        }
    });
    let words = [&["pub", "-p", &port, "-t", "t", "-q", "1", "-W", "60"], words].concat();
    let ended = mqtt(&words, b"");
    let (code, _, told) = said(&ended);
    (code, told, count.load(Ordering::SeqCst))
}

#[test]
fn a_message_for_which_the_server_closes_is_not_sent_without_end() {
    for version in ["3.1.1", "5"] {
        let (code, told, connections) = published(&[Does::CloseAtMessage], &["-m", "x", "-i", "me", "-V", version]);
        assert_eq!((code, connections), (Some(3), 3), "{version}: {told}");
        assert!(
            told.contains("3 connections in a row") && told.contains("not permitted, too large"),
            "{told}"
        );
    }
}

/// The first ones are acknowledged, and then it is the same as above.
#[test]
fn the_message_that_is_not_taken_may_come_late() {
    let words = ["-m", "x", "--repeat", "5", "-M", "1", "-V", "3.1.1"];
    let (code, told, connections) = published(&[Does::Acknowledge(3), Does::CloseAtMessage], &words);
    assert_eq!((code, connections), (Some(3), 3), "{told}");
}

#[test]
fn what_is_acknowledged_one_at_a_time_over_cuts_arrives() {
    let words = ["-m", "x", "--repeat", "4", "-M", "1", "-V", "3.1.1"];
    let (code, told, connections) = published(&[Does::Acknowledge(1)], &words);
    // The last message has nothing behind it for which the connection would be closed.
    assert_eq!((code, connections), (Some(0), 4), "{told}");
}

#[test]
fn connections_without_a_message_do_not_count() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    listener.set_nonblocking(true).expect("it can be so");
    let port = listener.local_addr().expect("it is bound").port().to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_mqtt"))
        .args(["pub", "-p", &port, "-t", "t", "-q", "1", "-l", "-V", "3.1.1"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    // There is a message when the first connections are over. Of the first one the command may not see more than that it has ended.
    let mut input = child.stdin.take();
    for does in [Does::Close, Does::Close, Does::Close, Does::Close, Does::Serve] {
        let stream = loop {
            match listener.accept() {
                Ok((stream, _)) => break stream,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            assert!(child.try_wait().expect("it is there").is_none(), "it has ended");
            thread::sleep(Duration::from_millis(5));
        };
        stream.set_nonblocking(false).expect("it can be so");
        if matches!(does, Does::Serve)
            && let Some(mut input) = input.take()
        {
            input.write_all(b"x\n").expect("it reads");
        }
        serve(stream, does);
    }
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}
