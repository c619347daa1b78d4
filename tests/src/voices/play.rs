//! Plays a script at a server, one step after the other.
//!
//! After each step there is a barrier: everybody asks for PINGRESP until a round brings nothing else, waits for a moment, and asks
//! again. So each step's consequences are heard before the next one.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mqtt_proto::{
    Delivery, Disconnect, DisconnectReason, Packet, PacketId, PubAck, PubAckReason, PubComp, PubCompReason,
};
use mqtt_proto::{PubRec, PubRecReason, PubRel, PubRelReason, QoS};

use super::alias;
use super::heard::Heard;
use super::link::{Link, Next};
use super::script::{Action, Script, Step};
use super::write;

/// How long [`Action::Wait`] takes: [`SHORT`](super::script::SHORT), the second by which a server that counts in whole ones is
/// wrong, and the one between its looks.
const WAIT: Duration = Duration::from_millis(5600);
/// What is done between two waits takes less than anything that is to be over after one.
const STRETCH: Duration = Duration::from_millis(1800);
/// The pause between two rounds.
const PAUSE: Duration = Duration::from_millis(3);
/// More rounds than any step has consequences.
const ROUNDS: usize = 200;

/// What each client heard in each step.
pub type Transcript = Vec<Vec<Vec<Heard>>>;

/// Why a script could not be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unplayed {
    /// No connection.
    Unreachable,
    /// The machine is too busy for the times of the script.
    TooSlow,
}

/// Plays a script below topics that nobody else uses. The patience multiplies the pauses.
///
/// # Errors
/// If it was not possible to play it as it is meant.
pub fn play(script: &Script, address: SocketAddr, prefix: &str, patience: u32) -> Result<Transcript, Unplayed> {
    let mut player = Player {
        address,
        prefix,
        pause: PAUSE * patience,
        clients: script.clients.iter().map(|_| Client::default()).collect(),
        heard: Vec::new(),
    };
    let mut transcript = Vec::with_capacity(script.steps.len());
    let mut since = Instant::now();
    for step in &script.steps {
        player.heard = vec![Vec::new(); script.clients.len()];
        if matches!(step.action, Action::Wait) {
            if since.elapsed() > STRETCH {
                return Err(Unplayed::TooSlow);
            }
            thread::sleep(WAIT);
            since = Instant::now();
        }
        player.step(script, step)?;
        player.settle();
        transcript.push(std::mem::take(&mut player.heard));
    }
    if since.elapsed() > STRETCH {
        return Err(Unplayed::TooSlow);
    }
    Ok(transcript)
}

/// A client, connected or not.
#[derive(Default)]
struct Client {
    link: Option<Link>,
    holds: bool,
    /// Acknowledgements that it does not send yet.
    held: Vec<Packet<Bytes>>,
    /// Messages of QoS 2 that the server has and that are not released, which outlive the connection.
    unreleased: Vec<PacketId>,
    last_id: u16,
}

impl Client {
    fn next_id(&mut self) -> PacketId {
        self.last_id += 1;
        PacketId::new(self.last_id).unwrap_or(PacketId::MIN)
    }

    fn answer(&mut self, packet: Packet<Bytes>) {
        if self.holds {
            self.held.push(packet);
        } else {
            self.send(&packet);
        }
    }

    fn send(&mut self, packet: &Packet<Bytes>) {
        if let Some(link) = &mut self.link {
            link.send(packet);
        }
    }

    /// Answers as the specification asks; whether there was anything to answer.
    fn react(&mut self, packet: &Packet<Bytes>) -> bool {
        match packet {
            Packet::Publish(publish) => match publish.delivery {
                Delivery::AtMostOnce => return false,
                Delivery::AtLeastOnce { id, .. } => self.answer(PubAck::new(id, PubAckReason::Success).into()),
                Delivery::ExactlyOnce { id, .. } => self.answer(PubRec::new(id, PubRecReason::Success).into()),
            },
            Packet::PubRec(received) if !received.reason.is_error() => {
                self.answer(PubRel::new(received.id, PubRelReason::Success).into());
            }
            Packet::PubRec(refused) => self.unreleased.retain(|id| *id != refused.id),
            Packet::PubRel(released) => self.answer(PubComp::new(released.id, PubCompReason::Success).into()),
            Packet::PubComp(complete) => self.unreleased.retain(|id| *id != complete.id),
            _ => return false,
        }
        true
    }
}

struct Player<'a> {
    address: SocketAddr,
    prefix: &'a str,
    pause: Duration,
    clients: Vec<Client>,
    heard: Vec<Vec<Heard>>,
}

impl Player<'_> {
    fn step(&mut self, script: &Script, step: &Step) -> Result<(), Unplayed> {
        let (index, version) = (step.client, script.clients[step.client]);
        if let Action::Connect(connect) = &step.action {
            let aliases = alias::allowed(script);
            let packet = write::connect(connect, version, self.prefix, super::script::name(index), aliases);
            let link = Link::open(self.address, version, aliases).map_err(|_| Unplayed::Unreachable)?;
            self.connect(index, link, &packet);
            return Ok(());
        }
        let client = &mut self.clients[index];
        if client.link.is_none() {
            return Ok(());
        }
        match &step.action {
            Action::Connect(_) | Action::Wait => {}
            Action::Subscribe { id, filters } => {
                let packet = write::subscribe(client.next_id(), version, self.prefix, *id, filters);
                client.send(&packet);
            }
            Action::Unsubscribe(filters) => {
                let packet = write::unsubscribe(client.next_id(), self.prefix, filters);
                client.send(&packet);
            }
            Action::Publish(message) => {
                let id = client.next_id();
                if message.qos == QoS::ExactlyOnce {
                    client.unreleased.push(id);
                }
                let alias = client.link.as_mut().and_then(|link| link.aliases.of(message));
                client.send(&write::publish(id, version, self.prefix, message, alias));
            }
            Action::Hold => client.holds = true,
            Action::Release => {
                client.holds = false;
                for packet in std::mem::take(&mut client.held) {
                    client.send(&packet);
                }
            }
            Action::Cut { reset: true } => {
                if let Some(link) = client.link.take() {
                    link.reset();
                }
                // Nobody tells when the server has heard of it.
                thread::sleep(self.pause * 4);
            }
            Action::Cut { reset: false } => {
                if let Some(link) = client.link.take() {
                    link.finish();
                    self.drain(index, link);
                }
            }
            Action::Leave { with_will, expiry } => {
                let reason = if *with_will && version.has_properties() {
                    DisconnectReason::DisconnectWithWill
                } else {
                    DisconnectReason::NormalDisconnection
                };
                let mut packet = Disconnect::new(reason);
                if version.has_properties() {
                    packet.properties = write::disconnect_properties(*expiry);
                }
                client.send(&packet.into());
                if let Some(link) = client.link.take() {
                    self.drain(index, link);
                }
            }
        }
        Ok(())
    }

    /// The session goes on with another connection, or with none.
    fn connect(&mut self, index: usize, mut link: Link, packet: &Packet<Bytes>) {
        link.send(packet);
        let answer = link.next();
        let client = &mut self.clients[index];
        client.held.clear();
        client.holds = false;
        let earlier = client.link.take();
        match answer {
            Next::Packet(answer) => {
                self.heard[index].extend(Heard::of(&answer, self.prefix));
                if let Packet::ConnAck(connack) = *answer
                    && !connack.reason.is_error()
                {
                    client.link = Some(link);
                    if connack.session_present {
                        for id in client.unreleased.clone() {
                            client.send(&PubRel::new(id, PubRelReason::Success).into());
                        }
                    } else {
                        client.unreleased.clear();
                    }
                }
            }
            other => self.ended(index, &other),
        }
        if let Some(earlier) = earlier {
            self.drain(index, earlier);
        }
    }

    /// Hears a connection to its end, without a word.
    fn drain(&mut self, index: usize, mut link: Link) {
        loop {
            match link.next() {
                Next::Packet(packet) => self.heard[index].extend(Heard::of(&packet, self.prefix)),
                other => return self.ended(index, &other),
            }
        }
    }

    fn ended(&mut self, index: usize, how: &Next) {
        self.heard[index].push(match how {
            Next::Silence => Heard::Silence,
            Next::Fault(what) => Heard::Fault(what.clone()),
            Next::End | Next::Packet(_) => Heard::End,
        });
    }

    fn settle(&mut self) {
        let mut quiet = 0;
        for _ in 0..ROUNDS {
            if self.round() {
                quiet = 0;
            } else {
                quiet += 1;
                if quiet == 2 {
                    return;
                }
                thread::sleep(self.pause);
            }
        }
        self.heard[0].push(Heard::Fault("it does not come to rest".to_owned()));
    }

    /// Asks everybody for PINGRESP; whether anything else came.
    fn round(&mut self) -> bool {
        for client in &mut self.clients {
            client.send(&Packet::PingReq);
        }
        let mut anything = false;
        for index in 0..self.clients.len() {
            while let Some(link) = &mut self.clients[index].link {
                match link.next() {
                    Next::Packet(packet) if matches!(*packet, Packet::PingResp) => break,
                    Next::Packet(packet) => {
                        anything = true;
                        self.heard[index].extend(Heard::of(&packet, self.prefix));
                        self.clients[index].react(&packet);
                    }
                    other => {
                        anything = true;
                        self.clients[index].link = None;
                        self.ended(index, &other);
                    }
                }
            }
        }
        anything
    }
}
