//! The PROXY protocol: a proxy says before everything else for whom it has opened a connection.

use std::error::Error;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll, ready};

use crate::Transport;

/// What version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1.
const LINE_BYTES: usize = 107;
/// A longer header of version 2 is refused: what it has room for beside addresses is of no use here.
const HEADER_BYTES: usize = 2048;
/// The path of a unix socket, in a header of version 2.
const UNIX_BYTES: usize = 108;

/// A stream that begins with a header of the PROXY protocol, or does not.
pub(super) struct Proxied<T> {
    stream: T,
    front: Option<Box<Front>>,
}

/// What came first.
#[derive(Default)]
struct Front {
    bytes: Vec<u8>,
    /// How much of it is the header, when that is known, and what else was given out.
    taken: Option<usize>,
    source: Option<SocketAddr>,
}

/// What stands where a header of the PROXY protocol has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyHeaderError {
    /// Neither version of it: whoever it is has not come by the proxy.
    Missing,
    /// One that cannot be read.
    Malformed,
    /// One that is longer than 107 bytes in version 1, or 2048 bytes in version 2.
    TooLong,
    /// The byte for version and command is another one than those of version 2: 0x20 (LOCAL) and 0x21 (PROXY).
    UnknownCommand(u8),
    /// The byte for address family and transport has none of the values that version 2 gives to each of them.
    UnknownFamily(u8),
    /// One for datagrams (UDP), on a stream.
    Datagram(u8),
    /// One of version 2 that ends before the addresses that its family has.
    AddressesCut,
    /// One of version 2 that ends within what follows the addresses: one of its additions is longer than the rest.
    AdditionCut,
}

impl fmt::Display for ProxyHeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "there is no header of the PROXY protocol: the listener takes connections of proxies only",
            Self::Malformed => "the header of the PROXY protocol cannot be read",
            Self::TooLong => "the header of the PROXY protocol is too long",
            Self::UnknownCommand(byte) => {
                return write!(
                    f,
                    "the header of the PROXY protocol has an unknown version or command: 0x{byte:02x}"
                );
            }
            Self::UnknownFamily(byte) => {
                return write!(
                    f,
                    "the header of the PROXY protocol has an unknown address family or transport: 0x{byte:02x}"
                );
            }
            Self::Datagram(byte) => {
                return write!(
                    f,
                    "the header of the PROXY protocol is for datagrams, not for a stream: 0x{byte:02x}"
                );
            }
            Self::AddressesCut => "the header of the PROXY protocol ends within the addresses of its family",
            Self::AdditionCut => "the header of the PROXY protocol ends within an addition (TLV) behind the addresses",
        })
    }
}

impl Error for ProxyHeaderError {}

/// A header: its length, and for whom it is. A proxy that looks whether somebody is there has nobody to name.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    len: usize,
    source: Option<SocketAddr>,
}

/// Reads a header. `None`: there is more to come.
fn parse(bytes: &[u8]) -> Result<Option<Header>, ProxyHeaderError> {
    let starts = |with: &[u8]| bytes.iter().zip(with).all(|(one, other)| one == other);
    if starts(SIGNATURE) {
        parse_binary(bytes)
    } else if starts(b"PROXY ") {
        parse_line(bytes)
    } else {
        Err(ProxyHeaderError::Missing)
    }
}

fn parse_line(bytes: &[u8]) -> Result<Option<Header>, ProxyHeaderError> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n");
    let Some(end) = end.filter(|end| end + 2 <= LINE_BYTES) else {
        return match bytes.len() < LINE_BYTES {
            true => Ok(None),
            false => Err(ProxyHeaderError::TooLong),
        };
    };
    let line = std::str::from_utf8(&bytes[..end]).map_err(|_| ProxyHeaderError::Malformed)?;
    let words: Vec<_> = line.split(' ').collect();
    let source = match words[..] {
        ["PROXY", "UNKNOWN", ..] => None,
        [
            "PROXY",
            family @ ("TCP4" | "TCP6"),
            source,
            destination,
            port,
            destination_port,
        ] => {
            let place = |ip, port| place(family, ip, port).ok_or(ProxyHeaderError::Malformed);
            place(destination, destination_port)?;
            Some(place(source, port)?)
        }
        _ => return Err(ProxyHeaderError::Malformed),
    };
    Ok(Some(Header { len: end + 2, source }))
}

/// An address of this family.
fn place(family: &str, ip: &str, port: &str) -> Option<SocketAddr> {
    let ip: IpAddr = ip.parse().ok()?;
    // Signs and zeros in front would be taken for part of the number.
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit()) && (port == "0" || !port.starts_with('0'));
    let port = port.parse().ok().filter(|_| is_number)?;
    (ip.is_ipv4() == (family == "TCP4")).then(|| SocketAddr::new(ip, port))
}

fn parse_binary(bytes: &[u8]) -> Result<Option<Header>, ProxyHeaderError> {
    let Some(&[command, family, high, low]) = bytes.get(12..16) else {
        return Ok(None);
    };
    let len = 16 + usize::from(u16::from_be_bytes([high, low]));
    if len > HEADER_BYTES {
        return Err(ProxyHeaderError::TooLong);
    }
    let Some(rest) = bytes.get(16..len) else {
        return Ok(None);
    };
    let source = match command {
        // The proxy speaks for itself, whatever the rest says.
        0x20 => None,
        0x21 => parse_addresses(family, rest)?,
        _ => return Err(ProxyHeaderError::UnknownCommand(command)),
    };
    Ok(Some(Header { len, source }))
}

/// The address of the client, where the family is one that has such, and the transport is a stream.
fn parse_addresses(family: u8, rest: &[u8]) -> Result<Option<SocketAddr>, ProxyHeaderError> {
    const CUT: ProxyHeaderError = ProxyHeaderError::AddressesCut;
    let (source, additions) = match (family >> 4, family & 0x0F) {
        // What is not specified leaves nothing to be read: the address of the stream counts.
        (0, 0..=2) | (1..=3, 0) => return Ok(None),
        (1..=3, 2) => return Err(ProxyHeaderError::Datagram(family)),
        // What the connection was made to is there too, with its port.
        (1, 1) => {
            let (ip, rest) = rest.split_first_chunk::<4>().ok_or(CUT)?;
            let (&[_, _, _, _, high, low, _, _], additions) = rest.split_first_chunk().ok_or(CUT)?;
            (Some((Ipv4Addr::from(*ip).into(), [high, low])), additions)
        }
        (2, 1) => {
            let (ip, rest) = rest.split_first_chunk::<16>().ok_or(CUT)?;
            let (&[.., high, low, _, _], additions) = rest.split_first_chunk::<20>().ok_or(CUT)?;
            (Some((Ipv6Addr::from(*ip).into(), [high, low])), additions)
        }
        // A path says nothing of where the client is.
        (3, 1) => (None, rest.get(2 * UNIX_BYTES..).ok_or(CUT)?),
        _ => return Err(ProxyHeaderError::UnknownFamily(family)),
    };
    check_additions(additions)?;
    Ok(source.map(|(ip, port): (IpAddr, _)| SocketAddr::new(ip, u16::from_be_bytes(port))))
}

/// Each addition has a kind, a length and so many bytes. None is of use here, but all of them together are the rest.
fn check_additions(mut additions: &[u8]) -> Result<(), ProxyHeaderError> {
    while let [_, high, low, rest @ ..] = additions {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        additions = rest.get(len..).ok_or(ProxyHeaderError::AdditionCut)?;
    }
    match additions.is_empty() {
        true => Ok(()),
        false => Err(ProxyHeaderError::AdditionCut),
    }
}

impl<T> Proxied<T> {
    pub(super) fn new(stream: T, has_header: bool) -> Self {
        Self {
            stream,
            front: has_header.then(Box::default),
        }
    }

    /// For whom the connection was opened, once the header is there.
    pub(super) fn source(&self) -> Option<SocketAddr> {
        self.front.as_ref()?.source
    }

    /// The same with another stream.
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> io::Result<U>) -> io::Result<Proxied<U>> {
        Ok(Proxied {
            stream: change(self.stream)?,
            front: self.front,
        })
    }
}

impl<T: Transport> Proxied<T> {
    fn poll_front(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let Some(front) = &mut self.front else {
            return self.stream.poll_read(cx, buffer);
        };
        let taken = loop {
            if let Some(taken) = &mut front.taken {
                break taken;
            }
            // Not more than anybody may send before the deadline of the handshake.
            let mut chunk = [0; 512];
            let len = ready!(self.stream.poll_read(cx, &mut chunk))?;
            if len == 0 {
                return Poll::Ready(Ok(0));
            }
            front.bytes.extend_from_slice(&chunk[..len]);
            let header = parse(&front.bytes).map_err(|fault| io::Error::new(io::ErrorKind::InvalidData, fault))?;
            if let Some(header) = header {
                front.source = header.source;
                front.taken = Some(header.len);
            }
        };
        let rest = &front.bytes[*taken..];
        if rest.is_empty() {
            return self.stream.poll_read(cx, buffer);
        }
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        *taken += len;
        if *taken == front.bytes.len() {
            front.bytes = Vec::new();
            *taken = 0;
        }
        Poll::Ready(Ok(len))
    }
}

impl<T: Transport> Transport for Proxied<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_front(cx, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.stream.poll_write(cx, slices)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\x0A\0\0\x01\x0A\0\0\x02\x30\x39\x07\x5B";

    fn source(bytes: &[u8]) -> Result<Option<SocketAddr>, ProxyHeaderError> {
        // In whatever pieces it comes.
        for len in 0..bytes.len() {
            assert_eq!(parse(&bytes[..len]), Ok(None), "{len}");
        }
        let behind = [bytes, b"\x10"].concat();
        let header = parse(&behind)?.expect("it is whole");
        assert_eq!(header.len, bytes.len());
        Ok(header.source)
    }

    #[test]
    fn both_versions_name_the_client() {
        let v6 = [
            &SIGNATURE[..],
            b"\x21\x21\0\x24",
            &[0x20, 1, 0xD, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            &[0; 16],
            &[0x30, 0x39, 0, 0],
        ]
        .concat();
        assert_eq!(source(V4), Ok(Some("10.0.0.1:12345".parse().unwrap())));
        assert_eq!(source(&v6), Ok(Some("[2001:db8::1]:12345".parse().unwrap())));
        let line = b"PROXY TCP4 10.0.0.1 10.0.0.2 12345 1883\r\n";
        assert_eq!(source(line), Ok(Some("10.0.0.1:12345".parse().unwrap())));
        let line = b"PROXY TCP6 2001:db8::1 ::2 12345 1883\r\n";
        assert_eq!(source(line), Ok(Some("[2001:db8::1]:12345".parse().unwrap())));
    }

    #[test]
    fn a_proxy_that_names_nobody_is_believed() {
        assert_eq!(source(b"PROXY UNKNOWN\r\n"), Ok(None));
    }

    /// A header of version 2 with these bytes behind the signature and these behind its length.
    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let len = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &len, rest].concat()
    }

    #[test]
    fn a_proxy_that_speaks_for_itself_may_say_anything_more() {
        for family in 0..=u8::MAX {
            for len in [0, 1, 12, 216] {
                let rest = vec![0xFF; len];
                assert_eq!(source(&binary(0x20, family, &rest)), Ok(None), "{family:x} {len}");
            }
        }
    }

    #[test]
    fn what_is_not_specified_is_not_read() {
        for family in [0x00, 0x01, 0x02, 0x10, 0x20, 0x30] {
            for len in [0, 1, 12, 36] {
                let rest = vec![0xFF; len];
                assert_eq!(source(&binary(0x21, family, &rest)), Ok(None), "{family:x} {len}");
            }
        }
    }

    /// The families with their addresses: how long these are, and whom they name when all bytes are the same.
    const FAMILIES: [(u8, usize, Option<&str>); 3] = [
        (0x11, 12, Some("1.1.1.1:257")),
        (0x21, 36, Some("[101:101:101:101:101:101:101:101]:257")),
        (0x31, 216, None),
    ];

    #[test]
    fn each_family_has_its_addresses_and_additions_behind_them() {
        for (family, len, named) in FAMILIES {
            let named = named.map(|named| named.parse().unwrap());
            let whole = vec![1; len];
            for additions in [
                &b""[..],
                b"\x04\0\0",
                b"\x02\0\x04host",
                b"\xEA\0\x01\x01\x04\0\x02\0\0\xFF\0\0",
            ] {
                let header = binary(0x21, family, &[&whole, additions].concat());
                assert_eq!(source(&header), Ok(named), "{family:x} {additions:?}");
            }
            for cut in 0..len {
                let header = binary(0x21, family, &whole[..cut]);
                assert_eq!(parse(&header), Err(ProxyHeaderError::AddressesCut), "{family:x} {cut}");
            }
            for additions in [
                &b"\x04"[..],
                b"\x04\0",
                b"\x04\0\x01",
                b"\x02\0\x05host",
                b"\x04\0\0\x02\xFF\xFF\0",
            ] {
                let header = binary(0x21, family, &[&whole, additions].concat());
                assert_eq!(
                    parse(&header),
                    Err(ProxyHeaderError::AdditionCut),
                    "{family:x} {additions:?}"
                );
            }
        }
    }

    #[test]
    fn other_bytes_for_command_and_family_are_refused() {
        let rest = [1; 216];
        for byte in 0..=u8::MAX {
            if !matches!(byte, 0x20 | 0x21) {
                let refused = Err(ProxyHeaderError::UnknownCommand(byte));
                assert_eq!(parse(&binary(byte, 0x11, &rest)), refused);
            }
            let parsed = parse(&binary(0x21, byte, &rest));
            match byte {
                0x12 | 0x22 | 0x32 => assert_eq!(parsed, Err(ProxyHeaderError::Datagram(byte))),
                0x00..=0x02 | 0x10 | 0x20 | 0x30 | 0x31 => assert!(parsed.is_ok(), "{byte:x}"),
                // What follows the addresses is not one addition after the other.
                0x11 | 0x21 => assert_eq!(parsed, Err(ProxyHeaderError::AdditionCut)),
                _ => assert_eq!(parsed, Err(ProxyHeaderError::UnknownFamily(byte))),
            }
        }
        let told = ProxyHeaderError::Datagram(0x12).to_string();
        assert!(told.contains("0x12") && told.contains("datagrams"), "{told}");
    }

    #[test]
    fn what_is_no_header_is_refused() {
        assert_eq!(parse(b"\x10"), Err(ProxyHeaderError::Missing));
        assert_eq!(parse(b"PROXX"), Err(ProxyHeaderError::Missing));
        let longest = [&b"PROXY UNKNOWN "[..], &[b'x'; 93]].concat();
        assert_eq!(parse(&longest[..106]), Ok(None));
        assert_eq!(parse(&longest), Err(ProxyHeaderError::TooLong));
        for bad in [
            &b"PROXY TCP4 ::1 ::2 1 2\r\n"[..],
            b"PROXY TCP4 10.0.0.1 10.0.0.2 70000 1\r\n",
            b"PROXY TCP4 10.0.0.1 10.0.0.2 +1 1\r\n",
            b"PROXY TCP4 10.0.0.1 10.0.0.2 1 port\r\n",
            b"PROXY TCP4 10.0.0.1 10.0.0.2 01 1\r\n",
            b"PROXY TCP4 10.0.0.1 10.0.0.2 1 00\r\n",
            b"PROXY TCP4 10.0.0.1 ::2 1 2\r\n",
            b"PROXY UDP4 10.0.0.1 10.0.0.2 1 1\r\n",
            b"PROXY TCP4 10.0.0.1\r\n",
        ] {
            assert_eq!(parse(bad), Err(ProxyHeaderError::Malformed), "{bad:?}");
        }
        assert_eq!(
            parse(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x08\0"),
            Err(ProxyHeaderError::TooLong)
        );
    }
}
