//! Machines over streams that are as bad as streams can be: they take and give one byte at a time, wait in between, end in the
//! middle of a packet, or break.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use mqtt_adapter::{Clock, Link, Step, Transport};
use mqtt_session::proto::ConnAckReason;
use mqtt_session::{
    Accept, Client, ClientConfig, Closed, Event, Message, Outcome, QoS, Reconnect, ServerConfig, ServerConnection,
    ServerEvent,
};
use mqtt_testbed::{End, ends};

/// Counts how often somebody is woken.
#[derive(Default)]
struct Wakes(AtomicU64);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn client() -> Link<Client, End> {
    let clock = Clock::new();
    let config = ClientConfig::new("c").unwrap().reconnect(Reconnect::never());
    Link::client(Client::new(config, clock.now()), clock)
}

fn server(end: End) -> Link<ServerConnection, End> {
    let clock = Clock::new();
    Link::accepted(ServerConnection::new(ServerConfig::default(), clock.now()), end, clock)
}

#[test]
fn portions_of_every_size_carry_a_message_in_bounded_work() {
    const PAYLOAD: usize = 20_000;
    for portions in [&[1][..], &[0, 1, 1], &[0, 0, 3, 1, 2], &[7], &[0, 5000, 1], &[1 << 20]] {
        let (near, far, calls) = ends(portions);
        let (mut client, mut server, mut near) = (client(), server(far), Some(near));
        let message = Message::new("t", vec![7; PAYLOAD]).unwrap().qos(QoS::ExactlyOnce);
        let now = client.now();
        client.machine_mut().publish(now, message, 9).unwrap();
        let (mut arrived, mut completed) = (0, false);
        let mut cx = Context::from_waker(Waker::noop());
        while !completed {
            match client.poll_step(&mut cx) {
                Poll::Ready(Some(Step::Event(Event::Open))) => client.opened(near.take().unwrap()),
                Poll::Ready(Some(Step::Event(Event::Completed { tag: 9, outcome, .. }))) => {
                    assert!(matches!(outcome, Outcome::Acknowledged(_)));
                    completed = true;
                }
                Poll::Ready(Some(Step::Event(Event::Closed { reason, .. }))) => panic!("{reason}"),
                _ => {}
            }
            match server.poll_machine(&mut cx) {
                Poll::Ready(Some(Step::Event(ServerEvent::Connect(_)))) => {
                    let now = server.now();
                    server.machine_mut().accept(now, Accept::new()).unwrap();
                }
                Poll::Ready(Some(Step::Event(ServerEvent::Message(received)))) => {
                    arrived += received.message.payload.len();
                }
                _ => {}
            }
        }
        assert_eq!(arrived, PAYLOAD);
        // A read and a write for each byte at each end, and as many looks in vain as a portion of nothing makes.
        let calls = calls.load(Ordering::Relaxed);
        assert!(calls < 12 * PAYLOAD as u64, "{portions:?}: {calls} calls");
    }
}

#[test]
fn a_connection_with_nothing_to_do_wakes_nobody() {
    let (near, far, calls) = ends(&[1 << 20]);
    let (mut client, mut server, mut near) = (client(), server(far), Some(near));
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut cx = Context::from_waker(&waker);
    for _ in 0..10 {
        if let Poll::Ready(Some(Step::Event(Event::Open))) = client.poll_step(&mut cx) {
            client.opened(near.take().unwrap());
        }
        if let Poll::Ready(Some(Step::Event(ServerEvent::Connect(_)))) = server.poll_machine(&mut cx) {
            let now = server.now();
            server.machine_mut().accept(now, Accept::new()).unwrap();
        }
    }
    assert!(client.machine().is_connected());
    let before = calls.load(Ordering::Relaxed);
    assert!(client.poll_step(&mut cx).is_pending() && server.poll_machine(&mut cx).is_pending());
    assert_eq!(
        calls.load(Ordering::Relaxed) - before,
        2,
        "each looks once for something to read"
    );
    assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
    let deadline = client.deadline().expect("keep-alive");
    assert!(deadline > client.now());
}

#[test]
fn an_end_in_the_middle_of_a_packet_ends_the_connection_once() {
    let (near, far, _) = ends(&[1 << 20]);
    let (mut client, mut near) = (client(), Some(near));
    far.written().bytes.extend([0x20, 0x03, 0x00]);
    far.written().is_closed = true;
    let mut cx = Context::from_waker(Waker::noop());
    let mut closed = 0;
    for _ in 0..10 {
        match client.poll_step(&mut cx) {
            Poll::Ready(Some(Step::Event(Event::Open))) => client.opened(near.take().unwrap()),
            Poll::Ready(Some(Step::Event(Event::Closed { reason, .. }))) => {
                assert_eq!(reason, Closed::StreamEnded);
                closed += 1;
            }
            Poll::Ready(Some(step)) => panic!("{step:?}"),
            Poll::Ready(None) => return assert_eq!(closed, 1),
            Poll::Pending => panic!("there is nothing to wait for"),
        }
    }
    panic!("it goes on and on");
}

/// A stream that cannot be written to, on which the other end has said something before it closed.
struct Broken(VecDeque<u8>);

impl Transport for Broken {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let len = buffer.len().min(self.0.len());
        for (place, byte) in buffer.iter_mut().zip(self.0.drain(..len)) {
            *place = byte;
        }
        Poll::Ready(Ok(len))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, _: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn what_a_server_said_before_it_closed_is_read_though_writing_fails() {
    let clock = Clock::new();
    let config = ClientConfig::new("c").unwrap();
    let mut client = Link::client(Client::new(config, clock.now()), clock);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..10 {
        match client.poll_step(&mut cx) {
            // CONNACK: banned.
            Poll::Ready(Some(Step::Event(Event::Open))) => {
                client.opened(Broken(VecDeque::from([0x20, 0x03, 0x00, 0x8A, 0x00])));
            }
            Poll::Ready(Some(Step::Event(Event::Closed { reason, retry_at }))) => {
                assert!(
                    matches!(
                        reason,
                        Closed::Refused {
                            reason: ConnAckReason::Banned,
                            ..
                        }
                    ),
                    "{reason}"
                );
                assert_eq!(retry_at, None);
                return;
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("it goes on and on");
}
