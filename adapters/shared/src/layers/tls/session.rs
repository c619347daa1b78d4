//! One connection with TLS on it.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};

use bytes::Bytes;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, Connection, ServerConnection};

use super::{Tls, TlsError, TlsServer};
use crate::LayerError;
use crate::layers::layer::{Layer, Outgoing};

/// How many first bytes are kept, to say who answers if it is not TLS.
const GREETING_BYTES: usize = 16;

/// The layer: what it needs of a stream is bytes.
pub(crate) struct Session {
    connection: Connection,
    outgoing: Outgoing,
    greeting: Vec<u8>,
    /// The other end has said that nothing follows.
    has_ended: bool,
}

/// What a TLS connection has agreed on.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsSession {
    /// The protocol that was chosen by ALPN, if one was.
    pub alpn: Option<Bytes>,
    /// The name that the client asked for, as a server sees it.
    pub server_name: Option<String>,
    /// The certificates of the other end as DER, its own first. Empty if it has shown none.
    pub peer_certificates: Vec<Bytes>,
}

impl Session {
    pub(crate) fn client(tls: &Tls, name: &ServerName<'static>) -> Result<Self, TlsError> {
        let connection =
            ClientConnection::new(tls.config(), name.clone()).map_err(|error| TlsError::new(&error, &[]))?;
        Ok(Self::new(connection.into()))
    }

    pub(crate) fn server(tls: &TlsServer) -> Result<Self, TlsError> {
        let connection = ServerConnection::new(tls.config()).map_err(|error| TlsError::new(&error, &[]))?;
        Ok(Self::new(connection.into()))
    }

    const fn new(connection: Connection) -> Self {
        Self {
            connection,
            outgoing: Outgoing::new(),
            greeting: Vec::new(),
            has_ended: false,
        }
    }

    pub(crate) fn agreed(&self) -> Option<TlsSession> {
        if self.connection.is_handshaking() {
            return None;
        }
        let certificates = self.connection.peer_certificates().unwrap_or_default();
        Some(TlsSession {
            alpn: self.connection.alpn_protocol().map(Bytes::copy_from_slice),
            server_name: match &self.connection {
                Connection::Server(server) => server.server_name().map(str::to_owned),
                Connection::Client(_) => None,
            },
            peer_certificates: certificates
                .iter()
                .map(|certificate| Bytes::copy_from_slice(certificate))
                .collect(),
        })
    }

    fn fault(&self, error: &rustls::Error) -> LayerError {
        let greeting = if self.connection.is_handshaking() {
            &self.greeting[..]
        } else {
            &[]
        };
        LayerError::Tls(TlsError::new(error, greeting))
    }
}

impl Layer for Session {
    fn receive(&mut self, mut bytes: &[u8]) -> Result<usize, LayerError> {
        let before = bytes.len();
        let wanted = GREETING_BYTES - self.greeting.len();
        self.greeting.extend(bytes.iter().take(wanted));
        let taken = match self.connection.read_tls(&mut bytes) {
            // After the farewell of the other end nothing counts.
            Ok(0) => before,
            Ok(_) => before - bytes.len(),
            // It takes no more while something is to be read.
            Err(error) if error.kind() == io::ErrorKind::Other => 0,
            Err(error) => return Err(LayerError::Tls(TlsError::Protocol(error.to_string().into()))),
        };
        match self.connection.process_new_packets() {
            Ok(state) => self.has_ended |= state.peer_has_closed(),
            Err(error) => return Err(self.fault(&error)),
        }
        Ok(taken)
    }

    fn receive_end(&mut self) -> Result<(), LayerError> {
        match (self.has_ended, self.connection.is_handshaking()) {
            (_, true) => Err(self.ended_early()),
            (true, false) => Ok(()),
            // Who cuts a connection could otherwise make a part of what was said look like the whole.
            (false, false) => Err(LayerError::Tls(TlsError::Cut)),
        }
    }

    fn is_open(&self) -> bool {
        !self.connection.is_handshaking()
    }

    fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        match self.connection.reader().read(buffer) {
            Ok(0) if self.has_ended || buffer.is_empty() => Some(0),
            Ok(len) if len > 0 => Some(len),
            _ => None,
        }
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> Result<usize, LayerError> {
        match self.connection.writer().write_vectored(slices) {
            Ok(len) => Ok(len),
            Err(error) => Err(match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(error) => self.fault(error),
                None => LayerError::Tls(TlsError::Cut),
            }),
        }
    }

    fn close(&mut self) {
        self.connection.send_close_notify();
    }

    fn outgoing(&mut self) -> &mut Outgoing {
        while self.outgoing.is_empty() && self.connection.wants_write() {
            // A vector takes everything.
            let written: io::Result<usize> = self.connection.write_tls(self.outgoing.end());
            if !written.is_ok_and(|len| len > 0) {
                break;
            }
        }
        &mut self.outgoing
    }

    fn ended_early(&self) -> LayerError {
        LayerError::Tls(TlsError::EndedInHandshake)
    }
}

impl fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSession")
            .field("alpn", &self.alpn)
            .field("server_name", &self.server_name)
            .field("peer_certificates", &self.peer_certificates.len())
            .finish()
    }
}
