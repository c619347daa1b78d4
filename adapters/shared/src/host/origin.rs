//! Where connections come from.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use mqtt_session::ConnectionId;

use super::addresses;

/// Where a connection comes from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Origin {
    /// The name of its listener.
    pub listener: Arc<str>,
    /// The address of the client, as a proxy says where one may. A unix socket has none.
    pub peer: Option<SocketAddr>,
    /// What TLS has agreed on, if it is on the stream: also which certificates the client has shown.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    pub tls: Option<Box<crate::TlsSession>>,
}

impl Origin {
    /// What stands for all addresses of the client's owner, so that it can be counted how much comes from there: the address of IPv4, or the
    /// network of IPv6 of 64 bits.
    #[must_use]
    pub fn owner(&self) -> Option<IpAddr> {
        self.peer.map(|peer| addresses::owner(peer.ip()))
    }

    pub(super) const fn new(listener: Arc<str>, peer: Option<SocketAddr>) -> Self {
        Self {
            listener,
            peer,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

/// The origins of all connections that the broker knows, and the lines that they have.
#[derive(Debug, Default)]
pub(super) struct Origins {
    /// By the slot of the connection.
    known: Vec<Option<Box<Known>>>,
}

#[derive(Debug)]
struct Known {
    id: ConnectionId,
    line: u32,
    origin: Origin,
}

impl Origins {
    pub(super) fn add(&mut self, id: ConnectionId, line: u32, origin: Origin) {
        let slot = id.slot() as usize;
        if slot >= self.known.len() {
            self.known.resize_with(slot + 1, || None);
        }
        self.known[slot] = Some(Box::new(Known { id, line, origin }));
    }

    fn known(&self, id: ConnectionId) -> Option<&Known> {
        let known = self.known.get(id.slot() as usize)?.as_deref()?;
        (known.id == id).then_some(known)
    }

    pub(super) fn of(&self, id: ConnectionId) -> Option<&Origin> {
        self.known(id).map(|known| &known.origin)
    }

    pub(super) fn of_mut(&mut self, id: ConnectionId) -> Option<&mut Origin> {
        let known = self.known.get_mut(id.slot() as usize)?.as_deref_mut()?;
        (known.id == id).then_some(&mut known.origin)
    }

    /// The line of a connection.
    pub(super) fn line(&self, id: ConnectionId) -> Option<u32> {
        self.known(id).map(|known| known.line)
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Origin> {
        let place = self.known.get_mut(id.slot() as usize)?;
        let known = place.take_if(|known| known.id == id)?;
        Some(known.origin)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (ConnectionId, &Origin)> {
        self.known.iter().flatten().map(|known| (known.id, &known.origin))
    }
}
