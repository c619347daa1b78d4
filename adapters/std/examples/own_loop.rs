//! A loop of one's own: one thread, `mio` for the sockets, and a `Driver` for each machine. This is what an adapter does,
//! and what an embedder does who has a loop already. A client and the server's end of its connection share this loop.

use std::io::{self, Read, Write};
use std::net::TcpListener;

use bytes::BufMut;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use mqtt_std::Clock;
use mqtt_std::session::{
    Accept, Client, ClientConfig, Driver, Event, Instant, Machine, Message, Next, QoS, ServerConfig, ServerConnection,
    ServerEvent, Wait,
};

type Error = Box<dyn std::error::Error>;

/// Moves bytes between a machine and its socket until there is nothing to do but wait. `None`: the connection has ended.
///
/// `mio` tells once that a socket has become ready. So this goes on until a call would block, or the machine wants nothing of it.
fn serve<M: Machine>(
    driver: &mut Driver<M>,
    socket: &mut TcpStream,
    clock: &Clock,
    mut tell: impl FnMut(&mut M, M::Event),
) -> io::Result<Option<Wait>> {
    let mut buffer = [0; 4096];
    loop {
        let now = clock.now();
        let wait = match driver.next(now) {
            Next::Event(event) => {
                tell(driver.machine_mut(), event);
                continue;
            }
            Next::Wait(wait) => wait,
            // A machine in memory has no batches.
            _ => continue,
        };
        if wait.closes {
            driver.closed(now);
            return Ok(None);
        }
        let mut has_moved = false;
        if wait.writes {
            if let Some(len) = unless_blocked(socket.write(driver.output()))? {
                driver.wrote(len);
                has_moved = true;
            }
        }
        let room = wait.read_bytes.min(buffer.len());
        if room > 0 {
            match unless_blocked(socket.read(&mut buffer[..room]))? {
                Some(0) => {
                    driver.closed(now);
                    has_moved = true;
                }
                Some(len) => {
                    driver.read_buffer().put_slice(&buffer[..len]);
                    driver.received(now);
                    has_moved = true;
                }
                None => {}
            }
        }
        if !has_moved {
            return Ok(Some(wait));
        }
    }
}

/// What a call gave, or nothing where it would have to wait.
fn unless_blocked(given: io::Result<usize>) -> io::Result<Option<usize>> {
    match given {
        Ok(len) => Ok(Some(len)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

fn on_client(client: &mut Client, now: Instant, event: Event) {
    match event {
        Event::Connected { .. } => println!("client: connected"),
        Event::Completed { tag, outcome, .. } => {
            println!("client: message {tag}: {outcome:?}");
            client.disconnect(now);
        }
        Event::Closed { reason, .. } => println!("client: {reason}"),
        _ => {}
    }
}

fn on_server(server: &mut ServerConnection, now: Instant, event: ServerEvent) {
    match event {
        ServerEvent::Connect(connect) => {
            println!("server: {} connects", connect.client_id);
            server.accept(now, Accept::new()).expect("it was asked for");
        }
        ServerEvent::Message(received) => println!("server: {:?}", received.message),
        ServerEvent::Closed { reason, .. } => println!("server: {reason}"),
        _ => {}
    }
}

fn main() -> Result<(), Error> {
    let clock = Clock::new();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let near = std::net::TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    near.set_nonblocking(true)?;
    far.set_nonblocking(true)?;
    let (mut near, mut far) = (TcpStream::from_std(near), TcpStream::from_std(far));
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    for (token, socket) in [(Token(0), &mut near), (Token(1), &mut far)] {
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(socket, token, interest)?;
    }

    let mut client = Driver::new(Client::new(ClientConfig::new("sensor-7")?, clock.now()));
    let mut server = Driver::accepted(ServerConnection::new(ServerConfig::default(), clock.now()));
    let message = Message::new("home/temperature", "21.5")?.qos(QoS::ExactlyOnce);
    client.machine_mut().publish(clock.now(), message, 7)?;
    // The stream that `Event::Open` asks for is there already.
    client.opened(clock.now());
    loop {
        let client_waits = serve(&mut client, &mut near, &clock, |machine, event| {
            on_client(machine, clock.now(), event);
        })?;
        let server_waits = serve(&mut server, &mut far, &clock, |machine, event| {
            on_server(machine, clock.now(), event);
        })?;
        let (Some(client_waits), Some(server_waits)) = (client_waits, server_waits) else {
            break;
        };
        let timeouts = [client_waits.until, server_waits.until];
        let until = timeouts.into_iter().flatten().map(|timeout| timeout.at).min();
        match poll.poll(&mut events, until.map(|at| at.saturating_since(clock.now()))) {
            // A signal: around once more.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            polled => polled?,
        }
    }
    Ok(())
}
