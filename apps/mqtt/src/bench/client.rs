//! A connection under load: bytes in and out, many packets at a time.

use std::io::{self, Write};

use mio::net::TcpStream;

use super::dialing::{Dialed, layer_advice};
use super::frames::{Front, front};
use super::waiting::Waiter;
use super::wire::Wire;
use crate::Ending;

/// How much is read at once, and how much waits to be written.
pub(super) const BUFFER_BYTES: usize = 256 * 1024;

/// A connection under load.
pub(super) struct Client {
    name: String,
    wire: Wire<TcpStream>,
    /// The beginning of a packet whose rest has not been read.
    rest: Vec<u8>,
    /// What is to be written from `written` on.
    pub(super) out: Vec<u8>,
    written: usize,
    /// The socket takes nothing more for now, and something is left.
    pub(super) is_blocked: bool,
    /// Among those that have something to write.
    pub(super) is_dirty: bool,
}

/// What reading has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Everything that was there.
    Drained,
    /// There may be more.
    More,
}

impl Client {
    /// Under this number with the waiter.
    pub(super) fn new(dialed: Dialed, waiter: &Waiter, number: usize) -> Result<Self, Ending> {
        let Dialed { wire, name, .. } = dialed;
        let entered = wire.polled(|socket| waiter.register(socket, number));
        let wire = entered.map_err(|error| Ending::failed(format_args!("{name}: {error}")))?;
        Ok(Self {
            wire,
            name,
            rest: Vec::new(),
            out: Vec::new(),
            written: 0,
            is_blocked: false,
            is_dirty: false,
        })
    }

    /// How many bytes wait to be written.
    pub(super) fn waiting(&self) -> usize {
        self.out.len() - self.written
    }

    /// Writes what the socket takes. Whether it took anything.
    pub(super) fn flush(&mut self) -> Result<bool, Ending> {
        let before = self.written;
        let flushed = loop {
            match self.out.get(self.written..) {
                None | Some([]) => break self.wire.flush(),
                Some(left) => match self.wire.write(left) {
                    Ok(0) => return Err(self.closed()),
                    Ok(taken) => self.written += taken,
                    Err(error) => break Err(error),
                },
            }
        };
        let took = self.written > before;
        self.is_blocked = match flushed {
            Ok(()) => false,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            Err(error) => return Err(self.broken(&error)),
        };
        if self.waiting() == 0 {
            self.out.clear();
            self.written = 0;
        }
        Ok(took)
    }

    /// Reads once, and hands every packet that is there in whole to `each`, with the place where its body begins.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        mut each: impl FnMut(&[u8], usize, &mut Vec<u8>) -> Result<(), String>,
    ) -> Result<Progress, Ending> {
        let held = self.rest.len();
        // A packet that is larger than the buffer is put together in a larger one.
        if held >= buffer.len() / 2 {
            return self.read_large(each);
        }
        buffer[..held].copy_from_slice(&self.rest);
        let (read, may_have_more) = match self.wire.read_there(&mut buffer[held..]) {
            Ok((0, _)) => return Err(self.closed()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Progress::Drained),
            Err(error) => return Err(self.broken(&error)),
        };
        let there = held + read;
        let taken = take(&buffer[..there], &mut self.out, &mut each).map_err(|what| self.says(&what))?;
        self.rest.clear();
        self.rest.extend_from_slice(&buffer[taken..there]);
        Ok(match may_have_more {
            true => Progress::More,
            false => Progress::Drained,
        })
    }

    fn read_large(
        &mut self,
        mut each: impl FnMut(&[u8], usize, &mut Vec<u8>) -> Result<(), String>,
    ) -> Result<Progress, Ending> {
        let held = self.rest.len();
        self.rest.resize(held + BUFFER_BYTES, 0);
        let read = self.wire.read_there(&mut self.rest[held..]);
        self.rest.truncate(held + read.as_ref().map_or(0, |(len, _)| *len));
        match read {
            Ok((0, _)) => return Err(self.closed()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Progress::Drained),
            Err(error) => return Err(self.broken(&error)),
        }
        let taken = take(&self.rest, &mut self.out, &mut each).map_err(|what| self.says(&what))?;
        self.rest.drain(..taken);
        Ok(Progress::More)
    }

    fn says(&self, what: &str) -> Ending {
        Ending::failed(format_args!("{}: {what}", self.name))
    }

    fn closed(&self) -> Ending {
        self.says("the server closes the connection")
            .advice("its log may tell why")
    }

    fn broken(&self, error: &io::Error) -> Ending {
        self.says(&error.to_string())
            .advice(layer_advice(error).unwrap_or("the log of the server may tell why"))
    }
}

/// Hands over the packets that are there in whole. How many bytes they are.
fn take(
    bytes: &[u8],
    out: &mut Vec<u8>,
    each: &mut impl FnMut(&[u8], usize, &mut Vec<u8>) -> Result<(), String>,
) -> Result<usize, String> {
    let mut taken = 0;
    loop {
        match front(&bytes[taken..]) {
            Front::Whole(packet, body_at) => {
                each(packet, body_at, out)?;
                taken += packet.len();
            }
            Front::Part => return Ok(taken),
            Front::Nonsense => return Err("the server sends a packet whose length no packet has".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use mqtt_testbed::Authority;
    use mqtt_tokio::{ClientLayers, Identity, ServerLayers, Tls, TlsServer, Trust};

    use super::*;

    const STEP_BYTES: usize = 10_000;

    /// TLS has taken the last bytes, and the socket has not: somebody has to come back for them.
    #[test]
    fn what_tls_keeps_counts_as_left_until_the_socket_has_it() {
        let authority = Authority::new();
        let issued = authority.server("localhost");
        let identity = Identity::from_pem(&issued.certificate, &issued.key).unwrap();
        let layers = ServerLayers::new().tls(TlsServer::new(identity));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (reads, may_read) = mpsc::channel::<usize>();
        let server = thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            let mut wire = Wire::accepted(socket, &layers);
            // The handshake, and nothing more for now.
            wire.read_exact(&mut [0]).unwrap();
            let mut rest = vec![0; may_read.recv().unwrap()];
            wire.read_exact(&mut rest).unwrap();
            assert!(rest.iter().all(|byte| *byte == 7));
        });
        let trust = Tls::new(Trust::roots_pem(authority.pem()).unwrap());
        let layers = ClientLayers::new().tls(&trust, "localhost").unwrap();
        let socket = std::net::TcpStream::connect(address).unwrap();
        let wire = Wire::open(socket, Some(&layers)).unwrap().polled(|_| Ok(())).unwrap();
        let mut client = Client {
            wire,
            name: "test".to_owned(),
            rest: Vec::new(),
            out: vec![0],
            written: 0,
            is_blocked: false,
            is_dirty: false,
        };
        client.flush().unwrap();
        let mut sent = 0;
        while !client.is_blocked {
            client.out.extend_from_slice(&[7; STEP_BYTES]);
            sent += STEP_BYTES;
            client.flush().unwrap();
        }
        assert_eq!(client.waiting(), 0, "TLS has room for a step");
        reads.send(sent).unwrap();
        while client.is_blocked {
            thread::sleep(Duration::from_millis(1));
            client.flush().unwrap();
        }
        server.join().unwrap();
    }
}
