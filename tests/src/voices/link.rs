//! One connection of a client, which does nothing by itself.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mqtt_proto::{Packet, Role, Rules, Version};

use super::alias::Aliases;

/// The longest that a server may take for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    stream: TcpStream,
    received: BytesMut,
    pub(super) version: Version,
    /// How many the server may announce.
    aliases_allowed: u16,
    pub(super) aliases: Aliases,
}

/// What came next.
pub(super) enum Next {
    Packet(Box<Packet<Bytes>>),
    End,
    Silence,
    Fault(String),
}

impl Link {
    pub(super) fn open(address: SocketAddr, version: Version, aliases_allowed: u16) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            received: BytesMut::new(),
            version,
            aliases_allowed,
            aliases: Aliases::default(),
        })
    }

    /// Sends a packet. A server that has closed the stream does not read it, and its end is heard.
    pub(super) fn send(&mut self, packet: &Packet<Bytes>) {
        let mut bytes = Vec::new();
        let encoded = packet.encode_to(self.version, &mut bytes);
        debug_assert_eq!(encoded.err(), None);
        let _ = self.stream.write_all(&bytes);
    }

    pub(super) fn next(&mut self) -> Next {
        let rules = Rules::new(self.version).sent_by(Role::Server);
        loop {
            match Packet::take(&mut self.received, &rules) {
                Ok(Some(packet)) => return self.heard(packet),
                Ok(None) => {}
                Err(error) => return Next::Fault(error.to_string()),
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Next::End,
                Ok(read) => self.received.extend_from_slice(&buffer[..read]),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Next::Silence;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A reset is an end too.
                Err(_) => return Next::End,
            }
        }
    }

    fn heard(&mut self, mut packet: Packet<Bytes>) -> Next {
        match &mut packet {
            Packet::ConnAck(connack) => self.aliases.take(connack.properties.topic_alias_maximum()),
            Packet::Publish(publish) => {
                if let Err(fault) = self.aliases.resolve(publish, self.aliases_allowed) {
                    return Next::Fault(fault);
                }
            }
            _ => {}
        }
        Next::Packet(Box::new(packet))
    }

    /// Says that nothing more is sent. The server's own end tells that it has heard so.
    pub(super) fn finish(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Ends the connection by a reset, which a stream that is closed with unread bytes gets.
    pub(super) fn reset(mut self) {
        self.send(&Packet::PingReq);
        let _ = self.stream.peek(&mut [0]);
    }
}
