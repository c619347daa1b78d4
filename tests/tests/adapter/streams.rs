//! What all adapters do with a stream: they share the code that moves bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use mqtt_adapter::{Clock, Link, Step};
use mqtt_session::{
    Accept, Client, ClientConfig, Closed, Event, Limits, Reconnect, ServerConfig, ServerConnection, ServerEvent,
    SessionConfig, Timer,
};
use mqtt_tests::ledger::{Layer, Trial, covers};

use crate::pipe::End;

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |id: &'static str, name: &str, run: fn()| {
        Trial::new(Layer::Adapter, format!("bad_input::{id}: {name}"), move || {
            run();
            covers(id);
        })
    };
    vec![
        trial(
            "BI-006",
            "an end inside a packet is told once, to a server",
            servers_see_the_end,
        ),
        trial(
            "BI-006",
            "an end inside a packet is told once, to a client",
            clients_see_the_end,
        ),
        trial(
            "BI-112",
            "a client that says nothing costs nothing, and is closed",
            silence_costs_nothing,
        ),
        trial(
            "BI-118",
            "streams that take and give little are asked a bounded number of times",
            work_is_bounded,
        ),
    ]
}

/// CONNECT of MQTT 5.0 with the client identifier `c`.
const CONNECT: [u8; 16] = [0x10, 14, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 0, 0, 0, 1, b'c'];
const CONNACK: [u8; 8] = [0x20, 6, 0, 0, 3, 0x21, 0, 9];

fn accepted(end: &End, config: ServerConfig) -> Link<ServerConnection, End> {
    let clock = Clock::new();
    Link::accepted(ServerConnection::new(config, clock.now()), end.clone(), clock)
}

fn servers_see_the_end() {
    for len in 0..CONNECT.len() {
        let end = End::default();
        end.with(|wire| {
            wire.input.extend(&CONNECT[..len]);
            wire.is_ended = true;
        });
        let mut link = accepted(&end, ServerConfig::default());
        let mut reasons = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(step)) = link.poll_machine(&mut cx) {
            match step {
                Step::Event(ServerEvent::Closed { reason, .. }) => reasons.push(reason),
                step => panic!("{step:?}"),
            }
        }
        assert!(matches!(link.poll_machine(&mut cx), Poll::Ready(None)), "it is over");
        assert_eq!(reasons, [Closed::StreamEnded], "after {len} bytes");
        assert!(end.with(|wire| wire.calls) <= 4, "after {len} bytes");
    }
}

fn clients_see_the_end() {
    for len in 0..CONNACK.len() {
        let (end, clock) = (End::default(), Clock::new());
        end.with(|wire| {
            wire.input.extend(&CONNACK[..len]);
            wire.is_ended = true;
        });
        let config = ClientConfig::new("c")
            .expect("it is text")
            .reconnect(Reconnect::never());
        let mut link = Link::client(Client::new(config, clock.now()), clock);
        let mut reasons = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(step)) = link.poll_step(&mut cx) {
            match step {
                Step::Event(Event::Open) => link.opened(end.clone()),
                Step::Event(Event::Closed { reason, .. }) => reasons.push(reason),
                step => panic!("{step:?}"),
            }
        }
        assert_eq!(reasons, [Closed::StreamEnded], "after {len} bytes");
        assert!(end.with(|wire| wire.calls) <= 6, "after {len} bytes");
    }
}

/// Counts how often somebody is woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn silence_costs_nothing() {
    let timeout = std::time::Duration::from_millis(50);
    let limits = Limits::default().handshake_timeout(timeout);
    let config = ServerConfig::default().session(SessionConfig::default().limits(limits));
    let end = End::default();
    let mut link = accepted(&end, config);
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut cx = Context::from_waker(&waker);
    assert!(link.poll_machine(&mut cx).is_pending());
    let calls = end.with(|wire| wire.calls);
    let deadline = link.deadline().expect("it does not wait for ever");
    assert!(calls <= 2 && deadline <= link.now() + timeout);
    std::thread::sleep(timeout);
    assert_eq!(
        (wakes.0.load(Ordering::Relaxed), end.with(|wire| wire.calls)),
        (0, calls)
    );
    let Poll::Ready(Some(Step::Event(ServerEvent::Closed { reason, .. }))) = link.poll_machine(&mut cx) else {
        panic!("the time is over");
    };
    assert_eq!(reason, Closed::TimedOut(Timer::Handshake));
}

fn work_is_bounded() {
    const PINGS: usize = 2_000;
    for portions in [&[1][..], &[0, 1, 1], &[0, 0, 3, 1, 2], &[0, 5000, 1]] {
        let end = End::default();
        end.with(|wire| {
            wire.portions = portions;
            wire.input.extend(CONNECT);
            wire.input.extend([0xC0, 0].repeat(PINGS));
        });
        let mut link = accepted(&end, ServerConfig::default());
        let mut cx = Context::from_waker(Waker::noop());
        let mut polls = 0;
        while end.with(|wire| wire.output.len()) < 2 * PINGS + 5 {
            polls += 1;
            // Each byte in and out may take a call, and each portion of nothing two more.
            assert!(polls < 16 * PINGS, "{portions:?}");
            if let Poll::Ready(Some(Step::Event(ServerEvent::Connect(_)))) = link.poll_machine(&mut cx) {
                let now = link.now();
                link.machine_mut().accept(now, Accept::new()).expect("it was asked for");
            }
        }
        let calls = end.with(|wire| wire.calls);
        assert!(calls < 24 * PINGS, "{portions:?}: {calls} calls");
    }
}
