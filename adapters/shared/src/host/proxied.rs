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
}

impl fmt::Display for ProxyHeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "there is no header of the PROXY protocol: the listener takes connections of proxies only",
            Self::Malformed => "the header of the PROXY protocol cannot be read",
            Self::TooLong => "the header of the PROXY protocol is too long",
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
    let source = match (command, family) {
        (0x20, _) => None,
        (0x21, 0x11) => {
            // What the connection was made to has its port, too.
            let &[a, b, c, d, _, _, _, _, high, low, _, _, ..] = rest else {
                return Err(ProxyHeaderError::Malformed);
            };
            let port = u16::from_be_bytes([high, low]);
            Some((Ipv4Addr::new(a, b, c, d), port).into())
        }
        (0x21, 0x21) => {
            let ip = rest.first_chunk::<16>().ok_or(ProxyHeaderError::Malformed)?;
            let &[high, low, _, _] = rest.get(32..36).ok_or(ProxyHeaderError::Malformed)? else {
                return Err(ProxyHeaderError::Malformed);
            };
            Some((Ipv6Addr::from(*ip), u16::from_be_bytes([high, low])).into())
        }
        // Other families have no address that means something here.
        (0x21, _) => None,
        _ => return Err(ProxyHeaderError::Malformed),
    };
    Ok(Some(Header { len, source }))
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
        assert_eq!(source(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"), Ok(None));
        assert_eq!(source(b"\r\n\r\n\0\r\nQUIT\n\x21\x31\0\x02ab"), Ok(None));
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
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x02ab",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0B\x0A\0\0\x01\x0A\0\0\x02\x30\x39\x07",
            b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0",
        ] {
            assert_eq!(parse(bad), Err(ProxyHeaderError::Malformed), "{bad:?}");
        }
        assert_eq!(
            parse(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x08\0"),
            Err(ProxyHeaderError::TooLong)
        );
    }
}
