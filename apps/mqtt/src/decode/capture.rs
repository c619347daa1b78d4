//! Captures of a network: every packet of MQTT in both directions, in the order in which it was seen.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use mqtt_proto::{Role, Rules, Version, peek_connect};
use pcap_parser::data::{PacketData, get_packetdata};
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

use super::reader::Reader;
use super::segments::{Brought, Segments};
use crate::Ending;

/// Of the file that is held at a time, unless a block is longer.
const BUFFER_BYTES: usize = 1 << 20;
/// No block is longer, whatever length it states.
const BLOCK_BYTES_MAX: usize = 16 << 20;

/// Explains a capture. Whether everything could be read.
pub(super) fn explain(bytes: &[u8], version: Version, port: u16, out: &mut impl Write) -> Result<bool, Ending> {
    let mut connections = Connections {
        version,
        port,
        known: HashMap::new(),
        order: Vec::new(),
    };
    let mut is_whole = frames(bytes, |seconds, frame| connections.frame(seconds, frame, out))?;
    for key in &connections.order {
        if let Some(connection) = connections.known.get(key) {
            is_whole &= connection.end(out)?;
        }
    }
    if connections.order.is_empty() {
        let all = connections.known.len();
        return Err(Ending::failed(format_args!(
            "no connection in this capture, of {all} of TCP, is one of MQTT"
        ))
        .advice(format_args!(
            "it begins with a CONNECT, or has port {port}: --port says otherwise; what TLS hides cannot be read"
        )));
    }
    Ok(is_whole)
}

/// A frame with its time in seconds.
type Frame<'a> = (f64, PacketData<'a>);

/// Gives each frame of a file. Whether the file is whole.
fn frames(bytes: &[u8], mut tell: impl FnMut(f64, &PacketData<'_>) -> io::Result<()>) -> Result<bool, Ending> {
    let damaged = |error: &dyn std::fmt::Display| Ending::failed(format_args!("the capture cannot be read: {error}"));
    let mut reader = create_reader(BUFFER_BYTES, bytes).map_err(|error| damaged(&error))?;
    let mut interfaces = Interfaces::default();
    let mut capacity = BUFFER_BYTES;
    loop {
        let next = match reader.next() {
            Ok((len, block)) => {
                if let Some((seconds, data)) = interfaces.frame(&block) {
                    tell(seconds, &data)?;
                }
                Next::Block(len)
            }
            Err(PcapError::Eof) => return Ok(true),
            Err(PcapError::Incomplete(_)) => Next::Bytes,
            Err(PcapError::BufferTooSmall) => Next::Room,
            Err(error) => return Err(damaged(&error)),
        };
        match next {
            Next::Block(len) => reader.consume(len),
            // It was cut off in the middle of a block.
            Next::Bytes if reader.reader_exhausted() => return Ok(false),
            Next::Bytes => reader.refill().map_err(|error| damaged(&error))?,
            Next::Room => {
                capacity *= 2;
                if capacity > BLOCK_BYTES_MAX || !reader.grow(capacity) {
                    let most = BLOCK_BYTES_MAX >> 20;
                    return Err(damaged(&format_args!("a block has more than {most} MiB"))
                        .advice("what stands before it was explained; the rest may be damaged: capture it again"));
                }
            }
        }
    }
}

/// What the next block needs.
enum Next {
    /// Nothing: this one is read, and so long.
    Block(usize),
    Bytes,
    Room,
}

/// What a file says of its interfaces.
#[derive(Default)]
struct Interfaces {
    links: Vec<(Linktype, u64, u64)>,
}

impl Interfaces {
    fn frame<'a>(&mut self, block: &PcapBlockOwned<'a>) -> Option<Frame<'a>> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                let per_second = if header.is_nanosecond_precision() {
                    1_000_000_000
                } else {
                    1_000_000
                };
                self.links = vec![(header.network, per_second, 0)];
                None
            }
            PcapBlockOwned::Legacy(frame) => {
                let (link, per_second, _) = self.links.first()?;
                let seconds = f64::from(frame.ts_sec) + f64::from(frame.ts_usec) / *per_second as f64;
                Some((seconds, get_packetdata(frame.data, *link, frame.caplen as usize)?))
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                self.links.clear();
                None
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(description)) => {
                let per_second = description.ts_resolution().unwrap_or(1_000_000);
                let offset = description.ts_offset().try_into().unwrap_or(0);
                self.links.push((description.linktype, per_second, offset));
                None
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(frame)) => {
                let (link, per_second, offset) = self.links.get(frame.if_id as usize)?;
                let seconds = frame.decode_ts_f64(*offset, *per_second);
                Some((seconds, get_packetdata(frame.data, *link, frame.caplen as usize)?))
            }
            PcapBlockOwned::NG(_) => None,
        }
    }
}

/// Both ends, the smaller one first.
type Key = (SocketAddr, SocketAddr);

struct Connections {
    version: Version,
    port: u16,
    known: HashMap<Key, Connection>,
    /// Those of MQTT, as they were met.
    order: Vec<Key>,
}

/// A connection of TCP.
struct Connection {
    version: Version,
    /// The client's end, once it is known to be one of MQTT.
    client: Option<SocketAddr>,
    directions: BTreeMap<SocketAddr, Direction>,
}

/// What one end sends.
#[derive(Default)]
struct Direction {
    segments: Segments,
    /// What came before it was known to be MQTT.
    unread: Vec<u8>,
    reader: Option<Reader>,
    is_lost: bool,
}

impl Connections {
    fn frame(&mut self, seconds: f64, data: &PacketData<'_>, out: &mut impl Write) -> io::Result<()> {
        let packet = match data {
            PacketData::L2(bytes) => SlicedPacket::from_ethernet(bytes),
            PacketData::L3(_, bytes) => SlicedPacket::from_ip(bytes),
            PacketData::L4(..) | PacketData::Unsupported(_) => return Ok(()),
        };
        let Ok(packet) = packet else { return Ok(()) };
        let (from, to): (IpAddr, IpAddr) = match &packet.net {
            Some(NetSlice::Ipv4(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
            Some(NetSlice::Ipv6(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
            _ => return Ok(()),
        };
        let Some(TransportSlice::Tcp(tcp)) = &packet.transport else {
            return Ok(());
        };
        let from = SocketAddr::new(from, tcp.source_port());
        let to = SocketAddr::new(to, tcp.destination_port());
        let key = (from.min(to), from.max(to));
        if tcp.syn() && !tcp.ack() {
            // Another connection between the same ends.
            self.forget(key, out)?;
        }
        let connection = self.known.entry(key).or_insert_with(|| Connection {
            version: self.version,
            client: None,
            directions: BTreeMap::new(),
        });
        let direction = connection.directions.entry(from).or_default();
        if tcp.syn() {
            direction.segments.begin(tcp.sequence_number());
            return Ok(());
        }
        match direction.segments.take(tcp.sequence_number(), tcp.payload()) {
            Brought::Bytes(bytes) => direction.unread.extend(bytes),
            Brought::Lost(_) => direction.is_lost = true,
        }
        if connection.client.is_none() {
            connection.client = connection.recognise(from, to, self.port);
            if connection.client.is_some() {
                self.order.push(key);
            }
        }
        connection.read(seconds, [from, to], out)
    }

    fn forget(&mut self, key: Key, out: &mut impl Write) -> io::Result<()> {
        if let Some(connection) = self.known.remove(&key) {
            self.order.retain(|known| *known != key);
            connection.end(out)?;
        }
        Ok(())
    }
}

impl Connection {
    /// The end that is a client of MQTT.
    fn recognise(&self, from: SocketAddr, to: SocketAddr, port: u16) -> Option<SocketAddr> {
        let says_connect = |end: &SocketAddr| {
            let unread = self.directions.get(end).map_or(&[][..], |direction| &direction.unread);
            matches!(peek_connect(unread, &Rules::new(Version::V5)), Ok(Some(_)))
        };
        let by_connect = [from, to].into_iter().find(says_connect);
        by_connect.or_else(|| match (from.port() == port, to.port() == port) {
            (true, false) => Some(to),
            (false, true) => Some(from),
            _ => None,
        })
    }

    fn read(&mut self, seconds: f64, ends: [SocketAddr; 2], out: &mut impl Write) -> io::Result<()> {
        let Some(client) = self.client else { return Ok(()) };
        // The client first: its CONNECT says what the server speaks.
        let order = if ends[0] == client { ends } else { [ends[1], ends[0]] };
        for (end, other) in [(order[0], order[1]), (order[1], order[0])] {
            let Some(direction) = self.directions.get_mut(&end) else {
                continue;
            };
            let role = if end == client { Role::Client } else { Role::Server };
            let reader = direction.reader.get_or_insert_with(|| Reader::new(Some(role)));
            let unread = std::mem::take(&mut direction.unread);
            reader.feed(&unread, &mut self.version, out, |out| {
                write!(out, "{seconds:.6}  {role:?} {end} to {other}: ")
            })?;
        }
        Ok(())
    }

    /// Nothing follows. Whether everything was read.
    fn end(&self, out: &mut impl Write) -> io::Result<bool> {
        let mut is_whole = true;
        for (end, direction) in &self.directions {
            let Some(reader) = &direction.reader else { continue };
            let missing = direction.segments.missing();
            if missing > 0 || direction.is_lost {
                writeln!(
                    out,
                    "{end}: {missing} bytes are not in the capture, and what follows them cannot be read"
                )?;
                is_whole = false;
            }
            is_whole &= reader.end(self.version, out)?;
        }
        Ok(is_whole)
    }
}
