//! A shard over streams in memory.

#![cfg(feature = "broker")]

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mqtt_adapter::host::{Desk, Entrance, Network, Notice, Policy, Seat, Shard};
use mqtt_adapter::{Clock, Transport};
use mqtt_session::proto::DisconnectReason;
use mqtt_session::{Ask, Broker, BrokerConfig, BrokerEvent, Message};
use mqtt_testbed::{End, ends};

/// What a listener gives next.
type Given = Arc<Mutex<VecDeque<io::Result<End>>>>;

struct Memory;

impl Network for Memory {
    type Stream = End;
    type Listener = Given;
    type Detached = End;

    fn poll_accept(
        &mut self,
        _: &mut Context<'_>,
        listener: &mut Given,
    ) -> Poll<io::Result<(End, Option<SocketAddr>)>> {
        match listener.lock().unwrap().pop_front() {
            Some(given) => Poll::Ready(given.map(|stream| (stream, None))),
            None => Poll::Pending,
        }
    }

    fn detach(&mut self, stream: End) -> io::Result<End> {
        Ok(stream)
    }

    fn attach(&mut self, stream: End) -> io::Result<End> {
        Ok(stream)
    }
}

/// Writes down what it is told.
struct Diary(Arc<Mutex<Vec<String>>>);

impl Policy for Diary {
    fn on_event(&mut self, _: &mut Desk<'_>, event: BrokerEvent) {
        if let BrokerEvent::Disconnected { reason, .. } = event {
            self.0.lock().unwrap().push(reason.to_string());
        }
    }

    fn on_notice(&mut self, _: &mut Desk<'_>, notice: Notice) {
        if let Notice::AcceptPaused { listener, .. } = notice {
            self.0.lock().unwrap().push(format!("{listener} pauses"));
        }
    }
}

type Made = (Shard<Memory, Diary>, Given, Arc<Mutex<Vec<String>>>);

fn shard(config: BrokerConfig) -> Made {
    let (given, diary) = (Given::default(), Arc::default());
    let clock = Clock::new();
    let seat = Seat::new(&config);
    let broker = Broker::new(config, clock.now());
    let shard = Shard::new(seat, Memory, broker, clock, Diary(Arc::clone(&diary)));
    (shard.listen(Arc::clone(&given), Entrance::new("gate")), given, diary)
}

fn poll<N: Network, P: Policy>(shard: &mut Shard<N, P>) -> bool {
    shard.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn too_many_open_files_pause_accepting_and_are_told_once() {
    let (mut shard, given, diary) = shard(BrokerConfig::new(7));
    let no_files = || Err(io::Error::from_raw_os_error(24)); // EMFILE
    given.lock().unwrap().extend([no_files(), no_files(), no_files()]);
    for left in [2, 1, 0] {
        assert!(!poll(&mut shard));
        // However often it is polled, it does not try again before the pause is over.
        assert!(!poll(&mut shard));
        assert_eq!(given.lock().unwrap().len(), left);
        let until = shard.deadline().expect("it pauses until some time");
        std::thread::sleep(until.saturating_since(shard.clock().now()) + Duration::from_millis(1));
    }
    assert_eq!(*diary.lock().unwrap(), ["gate pauses"]);
    let (near, mut far, _) = ends(&[65_536]);
    given.lock().unwrap().push_back(Ok(near));
    far.written().bytes.extend(b"\x10\x0E\0\x04MQTT\x05\x02\0\0\0\0\x01c");
    assert!(!poll(&mut shard));
    assert_eq!(far.unread().bytes.front(), Some(&0x20), "CONNACK");
    let cx = &mut Context::from_waker(Waker::noop());
    let _ = Transport::poll_close(&mut far, cx);
}

#[test]
fn a_shard_that_is_told_to_end_waits_no_longer_than_it_may() {
    let config = BrokerConfig::new(7);
    let clock = Clock::new();
    let seat = Seat::new(&config);
    let handle = seat.handle();
    let given = Given::default();
    let mut shard = Shard::new(
        seat,
        Memory,
        Broker::new(config, clock.now()),
        clock,
        Diary(Arc::default()),
    )
    .listen(Arc::clone(&given), Entrance::new("gate"));
    // A stream that takes nothing.
    let (near, far, _) = ends(&[65_536, 0, 0]);
    given.lock().unwrap().push_back(Ok(near));
    far.written().bytes.extend(b"\x10\x0E\0\x04MQTT\x05\x02\0\0\0\0\x01c");
    while far.unread().bytes.is_empty() {
        assert!(!poll(&mut shard));
    }
    let until = clock.now() + Duration::from_millis(50);
    assert!(handle.shutdown(DisconnectReason::ServerShuttingDown, until));
    while clock.now() < until {
        poll(&mut shard);
    }
    assert!(poll(&mut shard));
    drop(shard);
    assert!(!handle.run(|_| panic!("nobody is there to run it")), "it has ended");
}

/// All at once, and from then on whoever asks is woken at once, so that it asks again.
const RESTLESS: &[usize] = &{
    let mut portions = [0; 101];
    portions[1] = 65_536;
    portions
};

/// Whether the shard still has a client that went before anybody has let it in, having said this.
fn keeps_one_that_goes_after(said: &[u8]) -> bool {
    let config = BrokerConfig::new(7).ask(Ask::EVERYTHING);
    let clock = Clock::new();
    let seat = Seat::new(&config);
    let handle = seat.handle();
    let given = Given::default();
    let diary = Diary(Arc::default());
    let mut shard = Shard::new(seat, Memory, Broker::new(config, clock.now()), clock, diary)
        .listen(Arc::clone(&given), Entrance::new("gate"));
    let (near, mut far, _) = ends(RESTLESS);
    given.lock().unwrap().push_back(Ok(near));
    far.written().bytes.extend(said);
    let mut connections = || {
        let (sender, receiver) = std::sync::mpsc::channel();
        handle.run(move |desk| sender.send(desk.connections().count()).expect("it is waited for"));
        (0..10).for_each(|_| assert!(!poll(&mut shard)));
        receiver.try_recv().expect("it was run")
    };
    assert_eq!(connections(), 1);
    let _ = Transport::poll_close(&mut far, &mut Context::from_waker(Waker::noop()));
    connections();
    connections() == 1
}

#[test]
fn a_client_that_goes_while_it_waits_to_be_let_in_is_gone() {
    let connect = b"\x10\x0E\0\x04MQTT\x05\x02\0\0\0\0\x01c";
    assert!(!keeps_one_that_goes_after(connect));
    // What it has said besides is heard when it is let in.
    assert!(keeps_one_that_goes_after(&[&connect[..], b"\xC0\0"].concat()));
}

/// A stream whose other end says a little and then takes as much as it has room for.
struct Slow {
    said: VecDeque<u8>,
    reader: Arc<Reader>,
}

#[derive(Default)]
struct Reader {
    room: AtomicUsize,
    taken: AtomicUsize,
    /// How often it was written to.
    asked: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl Transport for Slow {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        match io::Read::read(&mut self.said, buffer) {
            Ok(0) => Poll::Pending,
            read => Poll::Ready(read),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let reader = &self.reader;
        reader.asked.fetch_add(1, Ordering::Relaxed);
        let room = reader.room.load(Ordering::Relaxed);
        if room == 0 {
            *reader.waker.lock().unwrap() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let len = slices.iter().map(|slice| slice.len()).sum::<usize>().min(room);
        reader.room.fetch_sub(len, Ordering::Relaxed);
        reader.taken.fetch_add(len, Ordering::Relaxed);
        Poll::Ready(Ok(len))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Streams that are there from the beginning.
struct Waiting;

impl Network for Waiting {
    type Stream = Slow;
    type Listener = Vec<Slow>;
    type Detached = Slow;

    fn poll_accept(
        &mut self,
        _: &mut Context<'_>,
        listener: &mut Vec<Slow>,
    ) -> Poll<io::Result<(Slow, Option<SocketAddr>)>> {
        listener
            .pop()
            .map_or(Poll::Pending, |stream| Poll::Ready(Ok((stream, None))))
    }

    fn detach(&mut self, stream: Slow) -> io::Result<Slow> {
        Ok(stream)
    }

    fn attach(&mut self, stream: Slow) -> io::Result<Slow> {
        Ok(stream)
    }
}

#[test]
fn a_stream_that_takes_nothing_is_written_to_when_it_has_called() {
    let reader = Arc::new(Reader::default());
    reader.room.store(100, Ordering::Relaxed);
    let said = b"\x10\x0E\0\x04MQTT\x05\x02\0\0\0\0\x01c\x82\x07\0\x01\0\0\x01t\0";
    let stream = Slow {
        said: said.iter().copied().collect(),
        reader: Arc::clone(&reader),
    };
    let (config, clock) = (BrokerConfig::new(7), Clock::new());
    let seat = Seat::new(&config);
    let handle = seat.handle();
    let broker = Broker::new(config, clock.now());
    let mut shard =
        Shard::new(seat, Waiting, broker, clock, Diary(Arc::default())).listen(vec![stream], Entrance::new("gate"));
    let mut publish = |count: usize| {
        for _ in 0..count {
            let message = Message::new("t", "x".repeat(90)).unwrap();
            assert!(handle.run(move |desk| desk.broker.publish(desk.now, message)));
            assert!(!poll(&mut shard));
        }
    };
    publish(10);
    let asked = reader.asked.load(Ordering::Relaxed);
    assert_eq!(reader.room.load(Ordering::Relaxed), 0);
    publish(100);
    assert_eq!(reader.asked.load(Ordering::Relaxed), asked, "it takes nothing");
    reader.room.store(usize::MAX / 2, Ordering::Relaxed);
    reader.waker.lock().unwrap().take().expect("it calls").wake();
    publish(1);
    assert!(reader.asked.load(Ordering::Relaxed) > asked);
    assert!(reader.taken.load(Ordering::Relaxed) > 111 * 90);
}
