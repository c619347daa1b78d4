//! Listeners of a shard.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll, Waker};

use mqtt_session::Instant;

use super::addresses::{Addresses, Share};
use super::bells::Bell;
use super::proxied::Proxied;
use crate::places::{Place, Places};
use crate::{Carrier, ServerLayers, Transport};

/// What a shard needs of a runtime: streams, and where they come from.
pub trait Network {
    /// A stream. Its wakers may be called on any thread.
    type Stream: Transport;
    /// What streams are accepted from.
    type Listener;
    /// A stream on its way to the thread of another shard.
    type Detached: Send + 'static;

    /// Accepts a stream, and says where its client is, if that has an address.
    ///
    /// # Errors
    /// If the stream could not be accepted: see [`AcceptFault`](crate::AcceptFault).
    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
        listener: &mut Self::Listener,
    ) -> Poll<io::Result<(Self::Stream, Option<SocketAddr>)>>;

    /// Takes a stream off this thread. Nothing of what it has received is lost.
    ///
    /// # Errors
    /// If that cannot be done. The stream is dropped then.
    fn detach(&mut self, stream: Self::Stream) -> io::Result<Self::Detached>;

    /// Goes on with a stream on this thread.
    ///
    /// # Errors
    /// If that cannot be done. The stream is dropped then.
    fn attach(&mut self, stream: Self::Detached) -> io::Result<Self::Stream>;
}

/// What a connection has of its address, if addresses have bounds.
pub(super) type Claim = Option<Box<Share>>;

/// What a listener is to the clients that come by it. Clones are the same one: several shards may accept for it.
#[derive(Clone)]
pub struct Entrance {
    name: Arc<str>,
    places: Places,
    layers: Arc<RwLock<ServerLayers>>,
    has_proxy_header: bool,
    addresses: Option<Addresses>,
}

impl Entrance {
    /// One with this name, which is told with each of its connections, and room for 1024 of them.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            places: Places::new(1024),
            layers: Arc::default(),
            has_proxy_header: false,
            addresses: None,
        }
    }

    pub(super) fn named(self, name: Arc<str>) -> Self {
        Self { name, ..self }
    }

    /// How many connections may be open at a time. Further ones wait in the queue of the system.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.places = Places::new(connections);
        self
    }

    /// The same out of those that several listeners have together.
    pub(super) fn within(mut self, all: &Places) -> Self {
        self.places = Places::within(self.places.free(), all);
        self
    }

    /// Each address has a bound over all listeners.
    pub(super) fn addresses(self, addresses: Option<Addresses>) -> Self {
        Self { addresses, ..self }
    }

    /// Why there is no place for one more.
    pub(super) fn lack(&self) -> io::Error {
        io::Error::other(match self.places.free() {
            0 => "it has as many connections as it may have",
            _ => "all listeners together have as many connections as they may have",
        })
    }

    /// What is on the streams of clients. Default: nothing.
    #[must_use]
    pub fn layers(self, layers: ServerLayers) -> Self {
        self.set_layers(layers);
        self
    }

    /// Whether each stream begins with a header of the PROXY protocol, of version 1 or 2, which says where the client is. Only for
    /// a listener that nobody but proxies can reach: who comes otherwise is refused, and who can forge a header can pretend
    /// to be anywhere. Default no.
    #[must_use]
    pub fn proxy_protocol(self, has_header: bool) -> Self {
        Self {
            has_proxy_header: has_header,
            ..self
        }
    }

    /// From here on this is on the streams that are accepted, as with a renewed certificate. Those that are open go on with
    /// what they have.
    pub fn set_layers(&self, layers: ServerLayers) {
        *self.layers.write().unwrap_or_else(PoisonError::into_inner) = layers;
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What stands for a connection from this peer, or from somewhere that its first bytes will tell. `None`: its address has as
    /// many as it may have.
    pub(super) fn claim(&self, peer: Option<SocketAddr>) -> Option<Claim> {
        let mut claim = self.addresses.as_ref().map(|addresses| Box::new(addresses.share()));
        let known = peer.filter(|_| !self.has_proxy_header);
        let fits = match (&mut claim, known) {
            (Some(claim), Some(peer)) => claim.claim(peer.ip()),
            _ => true,
        };
        fits.then_some(claim)
    }

    pub(super) fn carrier<T: Transport>(&self, stream: T) -> Carrier<Proxied<T>> {
        let stream = Proxied::new(stream, self.has_proxy_header);
        Carrier::server(stream, &self.layers.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Entrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entrance")
            .field("name", &self.name)
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}

/// A listener of one shard.
pub(super) struct Door<L> {
    pub(super) listener: L,
    pub(super) entrance: Entrance,
    pub(super) bell: Arc<Bell>,
    pub(super) waker: Waker,
    /// It accepts again at this time.
    pub(super) paused_until: Option<Instant>,
    /// It has paused, and accepted nothing since.
    pub(super) has_paused: bool,
    /// It was told of a pause, and is of the next one from this time on.
    pub(super) told_until: Option<Instant>,
}

impl<L> Door<L> {
    pub(super) fn new(listener: L, entrance: Entrance, bell: Arc<Bell>) -> Self {
        Self {
            listener,
            entrance,
            waker: Arc::clone(&bell).into(),
            bell,
            paused_until: None,
            has_paused: false,
            told_until: None,
        }
    }

    pub(super) fn poll_place(&self) -> Poll<Place> {
        self.entrance.places.poll_take(&Context::from_waker(&self.waker))
    }
}
