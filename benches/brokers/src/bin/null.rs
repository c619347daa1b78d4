//! A broker that only forwards: what a load generator can do, when the broker costs next to nothing.
//!
//! It knows topics by a hash of their exact name, sends on what came as it came, and believes its clients everything: no sessions, no queues,
//! no wildcards, no order between acknowledgements. It is a measure, not a broker.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use foldhash::fast::FixedState;
use mio::event::Source;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const BUFFER_BYTES: usize = 256 * 1024;
const LISTENER: Token = Token(usize::MAX);

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(0);
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    let mut poll = Poll::new()?;
    listener.register(poll.registry(), LISTENER, Interest::READABLE)?;
    println!("{}", listener.local_addr()?.port());
    let mut null = Null::default();
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                LISTENER => null.accept(&listener, &poll)?,
                Token(place) => {
                    if event.is_readable() {
                        null.read(place, &mut buffer);
                    }
                    if event.is_writable() {
                        null.dirty.push(place);
                    }
                }
            }
        }
        null.flush();
    }
}

struct Client {
    stream: TcpStream,
    rest: Vec<u8>,
    out: Vec<u8>,
    written: usize,
}

/// Who gets a topic. Most have one, which is found without another look into memory.
enum Route {
    One(usize),
    Many(Vec<usize>),
}

impl Route {
    fn push(&mut self, place: usize) {
        match self {
            Self::One(first) => *self = Self::Many(vec![*first, place]),
            Self::Many(all) => all.push(place),
        }
    }

    /// Whether anybody is left.
    fn leave(&mut self, place: usize) -> bool {
        match self {
            Self::One(only) => *only != place,
            Self::Many(all) => {
                all.retain(|client| *client != place);
                !all.is_empty()
            }
        }
    }
}

#[derive(Default)]
struct Null {
    clients: Vec<Option<Client>>,
    /// By the hash of the topic.
    routes: HashMap<u64, Route, FixedState>,
    dirty: Vec<usize>,
}

impl Null {
    fn accept(&mut self, listener: &TcpListener, poll: &Poll) -> io::Result<()> {
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let token = Token(self.clients.len());
            stream.register(poll.registry(), token, Interest::READABLE | Interest::WRITABLE)?;
            self.clients.push(Some(Client {
                stream,
                rest: Vec::new(),
                out: Vec::new(),
                written: 0,
            }));
        }
    }

    fn read(&mut self, place: usize, buffer: &mut [u8]) {
        loop {
            let Some(client) = &mut self.clients[place] else { return };
            let held = client.rest.len();
            buffer[..held].copy_from_slice(&client.rest);
            client.rest.clear();
            let there = match client.stream.read(&mut buffer[held..]) {
                Ok(read @ 1..) => held + read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    client.rest.extend_from_slice(&buffer[..held]);
                    return;
                }
                _ => return self.close(place),
            };
            let mut taken = 0;
            while let Some((packet, body_at)) = front(&buffer[taken..there]) {
                taken += packet.len();
                self.handle(place, packet, body_at);
            }
            let Some(client) = &mut self.clients[place] else { return };
            client.rest.extend_from_slice(&buffer[taken..there]);
            if there < buffer.len() {
                return;
            }
        }
    }

    fn close(&mut self, place: usize) {
        self.clients[place] = None;
        self.routes.retain(|_, route| route.leave(place));
    }

    fn answer(&mut self, place: usize, bytes: &[u8]) {
        if let Some(client) = &mut self.clients[place] {
            if client.out.is_empty() {
                self.dirty.push(place);
            }
            client.out.extend_from_slice(bytes);
        }
    }

    fn handle(&mut self, place: usize, packet: &[u8], body_at: usize) {
        let body = &packet[body_at..];
        let ack = |first, at: usize| [first, 2, body[at], body[at + 1]];
        match packet[0] >> 4 {
            1 => self.answer(place, &[0x20, 2, 0, 0]),
            3 => {
                let topic = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
                match packet[0] & 0b110 {
                    0 => {}
                    0b010 => self.answer(place, &ack(0x40, topic)),
                    _ => self.answer(place, &ack(0x50, topic)),
                }
                self.forward(hash(&body[2..topic]), packet);
            }
            5 => self.answer(place, &ack(0x62, 0)),
            6 => self.answer(place, &ack(0x70, 0)),
            8 => self.subscribe(place, body),
            12 => self.answer(place, &[0xD0, 0]),
            _ => {}
        }
    }

    fn forward(&mut self, topic: u64, packet: &[u8]) {
        match self.routes.get_mut(&topic) {
            None => {}
            Some(&mut Route::One(place)) => self.answer(place, packet),
            Some(Route::Many(all)) => {
                // Taken out while it is gone through, and put back.
                let all = std::mem::take(all);
                all.iter().for_each(|place| self.answer(*place, packet));
                self.routes.insert(topic, Route::Many(all));
            }
        }
    }

    fn subscribe(&mut self, place: usize, body: &[u8]) {
        let mut codes = vec![body[0], body[1]];
        let mut rest = &body[2..];
        while rest.len() > 2 {
            let len = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
            let route = self.routes.entry(hash(&rest[2..2 + len]));
            route.and_modify(|route| route.push(place)).or_insert(Route::One(place));
            codes.push(rest[2 + len] & 0b11);
            rest = &rest[3 + len..];
        }
        let mut answer = vec![0x90];
        let mut len = codes.len();
        while len > 0x7F {
            answer.push((len & 0x7F) as u8 | 0x80);
            len >>= 7;
        }
        answer.push(len as u8);
        answer.extend_from_slice(&codes);
        self.answer(place, &answer);
    }

    fn flush(&mut self) {
        for place in std::mem::take(&mut self.dirty) {
            let Some(client) = &mut self.clients[place] else {
                continue;
            };
            while client.written < client.out.len() {
                match client.stream.write(&client.out[client.written..]) {
                    Ok(taken @ 1..) => client.written += taken,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    _ => {
                        self.close(place);
                        break;
                    }
                }
            }
            // What the socket did not take goes when it tells that it takes more.
            if let Some(client) = &mut self.clients[place]
                && client.written == client.out.len()
            {
                client.out.clear();
                client.written = 0;
            }
        }
    }
}

fn hash(topic: &[u8]) -> u64 {
    FixedState::default().hash_one(topic)
}

/// The packet at the front, if it is there in whole, and where its body begins.
fn front(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let mut remaining = 0;
    for (place, byte) in bytes.iter().enumerate().skip(1).take(4) {
        remaining |= usize::from(byte & 0x7F) << (7 * (place - 1));
        if byte & 0x80 == 0 {
            return Some((bytes.get(..place + 1 + remaining)?, place + 1));
        }
    }
    None
}
