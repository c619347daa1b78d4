//! A way to the broker that shows every packet, and can be cut in front of one.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use mqtt_proto::{Decoded, Delivery, Packet, PacketType, Rules, Version, decode};

use super::screen::{Runtime, Screen, Way};

/// The way of one client to the broker. Its threads end with the process.
#[derive(Debug)]
pub(super) struct Tap {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client: Runtime,
    broker: SocketAddr,
    screen: Arc<Screen>,
    trap: Mutex<Trap>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Trap {
    /// The packet that does not get through, and how many like it do before.
    waits_for: Option<(Way, PacketType, usize)>,
    has_caught: bool,
    /// Further connections wait.
    is_closed: bool,
}

impl Tap {
    /// A way to this address.
    pub(super) fn start(client: Runtime, broker: SocketAddr, screen: Arc<Screen>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            client,
            broker,
            screen,
            trap: Mutex::default(),
            changed: Condvar::new(),
        });
        let accepts = Arc::clone(&shared);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                // A client whose way leads nowhere tries again.
                let _ = accepts.join(&near);
            }
        });
        Ok(Self { address, shared })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The packet of this type that follows `after` others like it does not get through: the connection is cut in front of it,
    /// and none can be opened until [`mend`](Self::mend).
    pub(super) fn cut_before(&self, way: Way, packet: PacketType, after: usize) {
        let mut trap = self.shared.lock();
        *trap = Trap {
            waits_for: Some((way, packet, after)),
            ..Trap::default()
        };
    }

    /// Waits until it is cut. Whether it was.
    pub(super) fn wait(&self, time: Duration) -> bool {
        let trap = self.shared.lock();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(trap, time, |trap| !trap.has_caught);
        waited.unwrap_or_else(PoisonError::into_inner).0.has_caught
    }

    /// Lets everything through again.
    pub(super) fn mend(&self) {
        *self.shared.lock() = Trap::default();
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Trap> {
        self.trap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(self: &Arc<Self>, near: &TcpStream) -> io::Result<()> {
        let trap = self.lock();
        drop(self.changed.wait_while(trap, |trap| trap.is_closed));
        let far = TcpStream::connect(self.broker)?;
        for (from, to, way) in [(near, &far, Way::ToBroker), (&far, near, Way::ToClient)] {
            let (from, to) = (from.try_clone()?, to.try_clone()?);
            to.set_nodelay(true)?;
            let shared = Arc::clone(self);
            thread::spawn(move || {
                // However it ends: the one side's end is the other's.
                let _ = shared.pass_on(&from, &to, way);
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
        Ok(())
    }

    /// Passes whole packets on.
    fn pass_on(&self, mut from: &TcpStream, mut to: &TcpStream, way: Way) -> io::Result<()> {
        let rules = Rules::new(Version::V5);
        let (mut bytes, mut room) = (Vec::new(), [0; 4096]);
        loop {
            let read = from.read(&mut room)?;
            if read == 0 {
                return Ok(());
            }
            bytes.extend_from_slice(&room[..read]);
            loop {
                let (packet, len) = match decode(&bytes, &rules) {
                    Ok(Decoded::Packet { packet, len }) => (packet, len),
                    Ok(Decoded::Incomplete { .. }) => break,
                    Err(error) => return Err(io::Error::other(error.to_string())),
                };
                if self.catches(way, packet.packet_type()) {
                    self.screen.mark(&format!(
                        "the connection of {} is cut in front of {}",
                        self.client.name(),
                        label(&packet)
                    ));
                    self.changed.notify_all();
                    return Ok(());
                }
                self.screen.arrow(self.client, way, &label(&packet), colour(&packet));
                to.write_all(&bytes[..len])?;
                bytes.drain(..len);
            }
        }
    }

    fn catches(&self, way: Way, packet: PacketType) -> bool {
        let mut trap = self.lock();
        match &mut trap.waits_for {
            Some((its_way, its_type, after)) if (*its_way, *its_type) == (way, packet) => {
                if *after > 0 {
                    *after -= 1;
                    return false;
                }
                trap.waits_for = None;
                trap.has_caught = true;
                trap.is_closed = true;
                true
            }
            _ => trap.is_closed,
        }
    }
}

/// A packet in a few words.
fn label<B: AsRef<[u8]>>(packet: &Packet<B>) -> String {
    let name = packet.packet_type().to_string();
    match packet {
        Packet::ConnAck(ack) if ack.session_present => format!("{name} goes on"),
        Packet::Publish(publish) => {
            let text = String::from_utf8_lossy(publish.payload.as_ref()).into_owned();
            let dup = match publish.delivery {
                Delivery::AtLeastOnce { dup: true, .. } | Delivery::ExactlyOnce { dup: true, .. } => " dup",
                _ => "",
            };
            let qos = publish.delivery.qos() as u8;
            match publish.delivery.id() {
                Some(id) => format!("PUBLISH q{qos} {id}{dup} {text}"),
                None => format!("PUBLISH q{qos} {text}"),
            }
        }
        Packet::PubAck(ack) => format!("{name} {}", ack.id),
        Packet::PubRec(ack) => format!("{name} {}", ack.id),
        Packet::PubRel(ack) => format!("{name} {}", ack.id),
        Packet::PubComp(ack) => format!("{name} {}", ack.id),
        _ => name,
    }
}

fn colour<B: AsRef<[u8]>>(packet: &Packet<B>) -> Style {
    let colour = match packet.packet_type() {
        PacketType::Publish => AnsiColor::Cyan,
        PacketType::PubAck => AnsiColor::Green,
        PacketType::PubRec | PacketType::PubRel | PacketType::PubComp => AnsiColor::Magenta,
        _ => return Style::new().dimmed(),
    };
    colour.on_default()
}
