//! The client of the adapters, with calls that wait.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use mqtt_adapter::{
    Client as Handle, ClientOptions, Completion, ConnectionState, Dial, DialError, Endpoint, Failure, Incoming,
    PublishError, Published, ReauthenticateError, RequestError, Requester as Asks, Restored, States as Listens,
    Statistics, SubscribeError, Subscribing, Subscription as Messages, TryPublishError, Unfinished,
};
use mqtt_session::proto::SubAckReason;
use mqtt_session::{Capabilities, Message, QoS};

use crate::dial::{Dialer, OwnDialer};
use crate::keeping::{AnyDialer, Keeping};
use crate::reactor::Reactor;
use crate::stream::Stream;

/// A client of one server. It is cheap to clone, and all clones are the same client.
///
/// Its connection is kept by one thread of its own: it is opened again when it ends, subscriptions are made again when the
/// server has lost them, and keep-alive does not depend on the application. A durable client has a second thread for its store, unless it shares one with others, and a
/// third at its end, which waits until the store is closed. Messages may be published at any time, connected
/// or not; they wait in a bounded queue.
///
/// A thread that waits often and briefly, while no other one waits, serves the connection itself as long as it waits, which saves two switches between threads for each
/// message. What nobody waits for then is dealt with by the client's own thread 5 to 10 ms later at most. Sockets are opened, and the application's own code for
/// authentication is called, by the client's own thread alone; a stream in [slices](crate::Sliced) is served by it alone too.
///
/// Each call waits for as long as it takes, over new connections too: with a server that is away, until it is back. There is
/// [`publish_within`](Self::publish_within), [`subscribe_within`](Self::subscribe_within) and `next_within` for those who have less time. For every
/// other call it is a future of the [`handle`](Self::handle), given to [`block_on_within`](crate::block_on_within), which drops it when the time is over:
///
/// ```
/// use std::time::Duration;
/// use mqtt_std::{ClientOptions, Message, QoS, block_on_within};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let nobody = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let (port, time) = (nobody.local_addr()?.port(), Duration::from_millis(10));
/// let client = mqtt_std::start(ClientOptions::tcp("127.0.0.1", port))?;
/// match block_on_within(time, client.handle().unsubscribe(["of/an/earlier/life"])) {
///     Some(answer) => answer?,
///     None => println!("the server has not answered in time"),
/// }
/// // What is known to have been taken, and is waited for only as long as there is time.
/// let mut completion = client.try_publish(Message::new("t", "21.5")?.qos(QoS::AtLeastOnce))?;
/// match block_on_within(time, &mut completion) {
///     Some(ended) => println!("{:?}", ended?),
///     None => println!("the client goes on with it, and `completion` can be waited for again"),
/// }
/// # Ok(())
/// # }
/// ```
///
/// When the last handle is dropped (subscriptions and requesters are handles too), the client goes on with what has been
/// published for [`ClientOptions::drain_timeout`] at most, and says farewell.
#[derive(Clone, Debug)]
pub struct Client {
    handle: Handle,
    keeping: Arc<Keeping>,
}

/// Starts a client, and waits until the server has accepted the first connection.
///
/// # Errors
/// If the first connection fails; the client has ended then.
pub fn connect(options: ClientOptions) -> Result<Client, Arc<Failure>> {
    let endpoint = options.endpoint().clone();
    connected(endpoint, start(options))
}

/// The same over streams that `dial` opens: sockets by way of a proxy, or whatever reads and writes, by [`Sliced`](crate::Sliced). It is called in the thread of the connection,
/// which has nothing else to do meanwhile; how long it takes is its own affair. A TCP socket is best opened with `set_nodelay(true)`: packets are gathered before they are
/// written, and what is small should not wait for an acknowledgement of TCP.
///
/// # Errors
/// If the first connection fails; the client has ended then.
pub fn connect_with<S: Stream>(
    options: ClientOptions,
    dial: impl FnMut(&Endpoint) -> Result<S, DialError> + Send + 'static,
) -> Result<Client, Arc<Failure>> {
    let endpoint = options.endpoint().clone();
    connected(endpoint, start_with(options, dial))
}

fn connected(endpoint: Endpoint, started: io::Result<Client>) -> Result<Client, Arc<Failure>> {
    let client = started.map_err(|error| cannot_start(endpoint, error))?;
    match client.keeping.wait(client.handle.established()) {
        Ok(()) => Ok(client),
        Err(failure) => {
            client.handle.abort();
            Err(failure)
        }
    }
}

fn cannot_start(endpoint: Endpoint, error: io::Error) -> Arc<Failure> {
    Arc::new(Failure::new(endpoint, DialError::connect(error)))
}

/// Starts a client, which connects as soon as it can. Messages may be published at once.
///
/// # Errors
/// If the system has no thread left, or no means to wait for sockets.
pub fn start(options: ClientOptions) -> io::Result<Client> {
    let reactor = Reactor::new()?;
    let dialer = Dialer {
        reactor: Arc::clone(&reactor),
        timeout: options.dial_timeout(),
    };
    spawn(options, dialer, reactor)
}

/// The same over streams that `dial` opens, as for [`connect_with`].
///
/// # Errors
/// If the system has no thread left, or no means to wait for sockets.
pub fn start_with<S: Stream>(
    options: ClientOptions,
    dial: impl FnMut(&Endpoint) -> Result<S, DialError> + Send + 'static,
) -> io::Result<Client> {
    let reactor = Reactor::new()?;
    let dialer = OwnDialer {
        reactor: Arc::clone(&reactor),
        dial,
    };
    spawn(options, dialer, reactor)
}

fn spawn<D: Dial + 'static>(options: ClientOptions, mut dialer: D, reactor: Arc<Reactor>) -> io::Result<Client> {
    let dialer: AnyDialer = Box::new(move |endpoint| dialer.dial(endpoint));
    let (handle, keeper) = Handle::with_dialer(options, dialer);
    let keeping = Arc::new(Keeping::new(keeper, reactor));
    let thread = thread::Builder::new().name("mqtt".to_owned());
    let own = Arc::clone(&keeping);
    thread.spawn(move || own.keep())?;
    Ok(Client { handle, keeping })
}

impl Client {
    /// The same client, with futures in the place of calls that wait.
    #[must_use]
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Publishes a message: waits for room in the queue, if it is full, and then until the message has been sent (QoS 0) or
    /// acknowledged.
    ///
    /// # Errors
    /// If the message can never be sent, did not arrive, or the client has ended.
    pub fn publish(&self, message: Message) -> Result<Published, PublishError> {
        self.keeping.wait(self.handle.publish(message))
    }

    /// The same for so long at most. `None`: the time is over. A message that still waited for room in the queue has not been published then; with one that the client
    /// had taken it goes on. Who has to tell them apart calls [`try_publish`](Self::try_publish).
    ///
    /// # Errors
    /// As for [`publish`](Self::publish).
    pub fn publish_within(&self, message: Message, within: Duration) -> Result<Option<Published>, PublishError> {
        self.keeping
            .wait_within(within, self.handle.publish(message))
            .transpose()
    }

    /// Publishes a message, and waits only until the client has taken it: with a store, and for QoS 1 and 2, until the message is
    /// durable.
    ///
    /// # Errors
    /// If the message can never be sent, or the client has ended.
    pub fn publish_accepted(&self, message: Message) -> Result<(), PublishError> {
        self.keeping.wait(self.handle.publish(message).accepted()).map(|_| ())
    }

    /// Publishes a message at once, if there is room for it. What is returned is a future of its end: see [`block_on`](crate::block_on).
    ///
    /// # Errors
    /// If the queue is full, the message can never be sent, or the client has ended.
    pub fn try_publish(&self, message: Message) -> Result<Completion, TryPublishError> {
        self.handle.try_publish(message)
    }

    /// Subscribes to one filter, at most with this QoS, and waits for the answer.
    ///
    /// # Errors
    /// If the filter is not valid, the server refuses it, or the client ends.
    pub fn subscribe(&self, filter: impl Into<Bytes>, qos: QoS) -> Result<Subscription, SubscribeError> {
        self.subscribe_to(Subscribing::new(filter, qos))
    }

    /// Subscribes to filters, and waits for the answer.
    ///
    /// # Errors
    /// If the filters are not valid, the server refuses all of them, or the client ends.
    pub fn subscribe_to(&self, request: Subscribing) -> Result<Subscription, SubscribeError> {
        let stream = self.keeping.wait(self.handle.subscribe_to(request))?;
        Ok(self.subscription(stream))
    }

    /// The same for so long at most. `None`: the time is over, and there is no subscription at this end; the server may have been told all the same.
    ///
    /// # Errors
    /// As for [`subscribe_to`](Self::subscribe_to).
    pub fn subscribe_within(
        &self,
        request: Subscribing,
        within: Duration,
    ) -> Result<Option<Subscription>, SubscribeError> {
        let stream = self.keeping.wait_within(within, self.handle.subscribe_to(request));
        Ok(stream.transpose()?.map(|stream| self.subscription(stream)))
    }

    /// Unsubscribes from filters of which this client has no [`Subscription`]: those of an earlier life.
    ///
    /// # Errors
    /// If the filters are not valid, the server refuses, or the client ends.
    pub fn unsubscribe<F: AsRef<[u8]>>(&self, filters: impl IntoIterator<Item = F>) -> Result<(), SubscribeError> {
        self.keeping.wait(self.handle.unsubscribe(filters))
    }

    /// What belongs to no subscription, with [`Unclaimed::Hold`](crate::Unclaimed::Hold).
    #[must_use]
    pub fn unclaimed(&self) -> Subscription {
        self.subscription(self.handle.unclaimed())
    }

    fn subscription(&self, stream: Messages) -> Subscription {
        let keeping = Arc::clone(&self.keeping);
        Subscription { stream, keeping }
    }

    /// Subscribes to a topic for answers, which should be this client's own.
    ///
    /// # Errors
    /// If there is no subscription.
    pub fn requester(&self, response_topic: impl Into<Bytes>) -> Result<Requester, SubscribeError> {
        let asks = self.keeping.wait(self.handle.requester(response_topic))?;
        let keeping = Arc::clone(&self.keeping);
        Ok(Requester { asks, keeping })
    }

    /// Authenticates again on the open connection, by the method of [`ClientOptions::authentication`], and waits for the end
    /// of that. Messages go on meanwhile.
    ///
    /// # Errors
    /// If it cannot begin, or the connection ends before the server has accepted.
    pub fn reauthenticate(&self) -> Result<(), ReauthenticateError> {
        self.keeping.wait(self.handle.reauthenticate())
    }

    /// What becomes of the connection from here on, beginning with its present state.
    #[must_use]
    pub fn states(&self) -> States {
        let keeping = Arc::clone(&self.keeping);
        let listens = self.handle.states();
        States { listens, keeping }
    }

    /// Whether the server has accepted the present connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.handle.is_connected()
    }

    /// What the server supports, as it said when it accepted the connection.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.handle.capabilities()
    }

    /// What the client found in its store when it began; `None` for one in memory.
    #[must_use]
    pub fn restored(&self) -> Option<Arc<Restored>> {
        self.handle.restored()
    }

    /// What the client has done so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.handle.statistics()
    }

    /// Ends the client: it takes no further messages, goes on until all that it has taken has ended, for `within` at most,
    /// over new connections too, and says farewell. With a store, what has not ended then stays in it for the next client of
    /// the session, and everything is stored when this returns.
    ///
    /// # Errors
    /// If something had not ended by then.
    pub fn disconnect(&self, within: Duration) -> Result<(), Unfinished> {
        self.keeping.wait(self.handle.disconnect(within))
    }

    /// Ends the client at once. What has not ended will not, or in another life of the session, if it is in a store.
    pub fn abort(&self) {
        self.handle.abort();
    }
}

/// A subscription: what the server has granted, and its messages. As an iterator it waits for each message, and ends with the
/// client.
///
/// Messages are acknowledged and dropped as the stream of the same name in `mqtt-adapter` says.
#[derive(Debug)]
pub struct Subscription {
    stream: Messages,
    keeping: Arc<Keeping>,
}

impl Subscription {
    /// What the server said to each filter, in their order: the granted QoS, or why there is none.
    pub fn granted(&self) -> impl Iterator<Item = Result<QoS, SubAckReason>> {
        self.stream.granted()
    }

    /// Waits for the next message for so long at most. `None`: the time is over, or there will be no more.
    pub fn next_within(&mut self, time: Duration) -> Option<Incoming> {
        self.keeping.wait_within(time, self.stream.next()).flatten()
    }

    /// The next message, if there is one.
    pub fn try_next(&mut self) -> Option<Incoming> {
        self.stream.try_next()
    }

    /// How many messages of QoS 0 were dropped, since nobody took them in time.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.stream.dropped()
    }

    /// Unsubscribes from the filters that no other subscription of this client has. Messages that have come can still be
    /// taken; then the stream ends.
    ///
    /// # Errors
    /// If the server refuses, or the client ends.
    pub fn unsubscribe(&mut self) -> Result<(), SubscribeError> {
        self.keeping.wait(self.stream.unsubscribe())
    }
}

impl Iterator for Subscription {
    type Item = Incoming;

    fn next(&mut self) -> Option<Incoming> {
        self.keeping.wait(self.stream.next())
    }
}

/// The states of a connection, one after the other. As an iterator it waits for each, and ends after
/// [`ConnectionState::Ended`].
#[derive(Debug)]
pub struct States {
    listens: Listens,
    keeping: Arc<Keeping>,
}

impl States {
    /// Waits for the next state for so long at most. `None`: the time is over, or there will be no more.
    pub fn next_within(&mut self, time: Duration) -> Option<ConnectionState> {
        self.keeping.wait_within(time, self.listens.next()).flatten()
    }
}

impl Iterator for States {
    type Item = ConnectionState;

    fn next(&mut self) -> Option<ConnectionState> {
        self.keeping.wait(self.listens.next())
    }
}

/// Asks, and waits for answers. Threads may ask at the same time.
#[derive(Debug)]
pub struct Requester {
    asks: Asks,
    keeping: Arc<Keeping>,
}

impl Requester {
    /// Publishes a message, and waits for the answer for so long at most. `None`: the time is over.
    ///
    /// # Errors
    /// If the message cannot be published, or no answer will come.
    pub fn request(&self, message: Message, within: Duration) -> Result<Option<Message>, RequestError> {
        self.keeping.wait_within(within, self.asks.request(message)).transpose()
    }
}
