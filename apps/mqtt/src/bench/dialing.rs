//! Connections, until they are ready for load: one after the other, by calls that wait.

use std::cell::Cell;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use bytes::BytesMut;
use mqtt_tokio::session::proto::{
    Binary, ConnAck, Connect, ConnectProperties, Decoded, Filters, PINGREQ, Packet, PacketId, QoS, Role, Rules, SubAck,
    SubAckReason, Subscribe, SubscriptionOptions, Text, Version, decode,
};
use mqtt_tokio::{ClientLayers, DialError, Endpoint, Failure, LayerError};
use ring::rand::{SecureRandom, SystemRandom};

use super::arguments::BenchArguments;
use super::interrupt::Interrupt;
use super::wire::Wire;
use crate::Ending;
use crate::client::{failing, tls};

/// How long a broker may take for a handshake.
const PATIENCE: Duration = Duration::from_secs(30);
/// 18 hours: nothing is sent to keep a connection alive, and a run ends before. Some brokers refuse 0.
const KEEP_ALIVE_SECONDS: u16 = u16::MAX;
/// How long a kept session lives that is not taken away, as after an interruption.
const SESSION_SECONDS: u32 = 3600;
/// How many filters one SUBSCRIBE has.
const FILTERS_AT_ONCE: usize = 200;
/// The code for what the server has refused.
const REFUSED: u8 = 3;

/// Whom to connect to, and as whom.
pub(super) struct Dialer<'a> {
    arguments: &'a BenchArguments,
    address: SocketAddr,
    /// TLS, if the server is reached by it.
    layers: Option<ClientLayers>,
    /// A number that no other run has.
    pub(super) run: u64,
    pub(super) interrupt: Interrupt,
    pub(super) left: Left,
}

/// What outlives its connections at the broker, and is to be taken away.
#[derive(Default)]
pub(super) struct Left {
    /// How many subscribers have sessions, from the first one on.
    pub(super) sessions: Cell<u32>,
    /// How many topics have a retained message, from the first one on.
    pub(super) retained: Cell<u32>,
}

/// A connection that waits, with what the server said of itself.
pub(super) struct Dialed {
    pub(super) wire: Wire<TcpStream>,
    pub(super) name: String,
    /// How many messages of QoS 1 and 2 the server takes at a time.
    pub(super) receive_maximum: u16,
    maximum_qos: QoS,
    maximum_packet_size: u32,
    version: Version,
    /// Of its subscriptions.
    pub(super) qos: QoS,
}

impl<'a> Dialer<'a> {
    pub(super) fn new(arguments: &'a BenchArguments) -> Result<Self, Ending> {
        let endpoint = arguments.endpoint();
        let layers = layers(arguments)?;
        let address = resolve(endpoint).map_err(|error| Ending::failed(format_args!("{endpoint}: {error}")))?;
        let mut run = [0; 8];
        let drawn = SystemRandom::new().fill(&mut run);
        drawn.map_err(|_| Ending::failed("the system gives no random numbers"))?;
        Ok(Self {
            arguments,
            address,
            layers,
            run: u64::from_be_bytes(run),
            interrupt: Interrupt::new()?,
            left: Left::default(),
        })
    }

    /// A name of a client, which no client of another run has. With five digits behind it, it is still as short as brokers of
    /// MQTT 3.1 may want it.
    pub(super) fn name(&self, role: &str, number: u32) -> String {
        let run = self.run >> 36;
        format!("bench-{run:07x}-{role}-{number}")
    }

    /// Connects under a name.
    pub(super) fn connect(&self, name: &str) -> Result<Dialed, Ending> {
        self.connect_with(name, false)
    }

    /// Connects under a name, with a session that outlives the connection or without one.
    pub(super) fn connect_with(&self, name: &str, keeps: bool) -> Result<Dialed, Ending> {
        let told = |error: io::Error| self.failed(name, &error);
        let stream = TcpStream::connect_timeout(&self.address, PATIENCE).map_err(told)?;
        stream.set_nodelay(true).map_err(told)?;
        if keeps {
            self.left.sessions.set(self.left.sessions.get() + 1);
        }
        stream.set_read_timeout(Some(PATIENCE)).map_err(told)?;
        let mut dialed = Dialed {
            wire: Wire::open(stream, self.layers.as_ref()).map_err(told)?,
            name: name.to_owned(),
            receive_maximum: u16::MAX,
            maximum_qos: QoS::ExactlyOnce,
            maximum_packet_size: u32::MAX,
            version: self.arguments.protocol_version,
            qos: self.arguments.qos,
        };
        let connect = self.connect_packet(name, keeps)?;
        dialed.wire.send(&connect).map_err(told)?;
        let bytes = dialed.read_packet()?;
        let Packet::ConnAck(answer) = dialed.decoded(&bytes)? else {
            return Err(Ending::failed(format_args!(
                "{name}: the server answers CONNECT with something else"
            )));
        };
        dialed.accepted(&answer)?;
        Ok(dialed)
    }

    fn connect_packet(&self, name: &str, keeps: bool) -> Result<BytesMut, Ending> {
        let (mut out, mut room) = (BytesMut::new(), [0; 8]);
        let text = |text: &'a str| Text::from_bytes(text.as_bytes()).map_err(Ending::misused);
        let name = Text::from_bytes(name.as_bytes()).map_err(Ending::misused)?;
        let mut connect = Connect::new(self.arguments.protocol_version, name);
        connect.keep_alive = KEEP_ALIVE_SECONDS;
        connect.username = self.arguments.username.as_deref().map(text).transpose()?;
        let password = self.arguments.password.as_ref();
        connect.password = password
            .map(|password| Binary::new(password.0.as_bytes()))
            .transpose()
            .map_err(Ending::misused)?;
        if keeps && self.arguments.protocol_version.has_properties() {
            let properties = ConnectProperties::build_in(&mut room)
                .session_expiry(SESSION_SECONDS)
                .build();
            connect.properties = properties.map_err(Ending::misused)?;
        } else {
            connect.clean_start = !keeps;
        }
        let encoded = connect.encode_to(self.arguments.protocol_version, &mut out);
        encoded.map_err(Ending::misused)?;
        Ok(out)
    }

    fn failed(&self, name: &str, error: &io::Error) -> Ending {
        let endpoint = self.arguments.endpoint();
        if let Some(fault) = LayerError::of(error) {
            return failing::of_connection(&Failure::new(endpoint.clone(), DialError::Layer(fault.clone())));
        }
        let ending = Ending::failed(format_args!("{name} at {endpoint}: {error}"));
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                let seconds = PATIENCE.as_secs();
                Ending::failed(format_args!(
                    "{name} at {endpoint}: the server does not answer within {seconds} s"
                ))
            }
            io::ErrorKind::ConnectionRefused => ending.advice("start the broker, or say where it is with --connect"),
            _ => ending
                .advice("the open files of a process (ulimit -n), and the ports of an address, bound its connections"),
        }
    }
}

/// TLS, as the arguments want it.
fn layers(arguments: &BenchArguments) -> Result<Option<ClientLayers>, Ending> {
    let endpoint = arguments.endpoint();
    let tls = tls::wanted(&arguments.tls, endpoint.scheme())?;
    let layers = tls.map(|tls| ClientLayers::new().tls(&tls, endpoint.host()));
    layers.transpose().map_err(Ending::failed)
}

/// What to do about an error of TLS, if it is one.
pub(super) fn layer_advice(error: &io::Error) -> Option<&'static str> {
    match LayerError::of(error)? {
        LayerError::Tls(error) => failing::tls_advice(error),
        _ => None,
    }
}

fn resolve(endpoint: &Endpoint) -> io::Result<SocketAddr> {
    let mut addresses = (endpoint.host(), endpoint.port()).to_socket_addrs()?;
    addresses.next().ok_or_else(|| io::ErrorKind::NotFound.into())
}

impl Dialed {
    fn accepted(&mut self, answer: &ConnAck<&[u8]>) -> Result<(), Ending> {
        if answer.reason.is_error() {
            let refused = format!(
                "{}: the server refuses the connection: {}",
                self.name,
                answer.reason.meaning().trim_end_matches('.')
            );
            return Err(Ending::failed(refused).code(REFUSED));
        }
        let properties = &answer.properties;
        self.receive_maximum = properties.receive_maximum().map_or(u16::MAX, std::num::NonZeroU16::get);
        self.maximum_qos = properties.maximum_qos().unwrap_or(QoS::ExactlyOnce);
        self.maximum_packet_size = properties
            .maximum_packet_size()
            .map_or(u32::MAX, std::num::NonZeroU32::get);
        match self.maximum_qos < self.qos {
            true => Err(self.refuses("messages", self.maximum_qos)),
            false => Ok(()),
        }
    }

    /// Whether the server takes packets of this length.
    pub(super) fn takes(&self, len: usize) -> Result<(), Ending> {
        let most = usize::try_from(self.maximum_packet_size).unwrap_or(usize::MAX);
        match len > most {
            true => Err(Ending::failed(format_args!(
                "{}: a packet of {len} bytes is too large for the server",
                self.name
            ))
            .advice(format_args!(
                "a smaller --payload: {most} bytes are the most for all of a packet"
            ))
            .code(REFUSED)),
            false => Ok(()),
        }
    }

    fn refuses(&self, what: &str, maximum: QoS) -> Ending {
        let (asked, most) = (self.qos.bits(), maximum.bits());
        Ending::failed(format_args!("{}: the server takes no {what} of QoS {asked}", self.name))
            .advice(format_args!("-q {most} is the most"))
            .code(REFUSED)
    }

    /// Subscribes to all of these, some at a time, and waits for the answers.
    pub(super) fn subscribe(&mut self, filters: &[String]) -> Result<(), Ending> {
        for some in filters.chunks(FILTERS_AT_ONCE) {
            let packet = subscribe_packet(some, self.qos, self.version)?;
            self.wire.send(&packet).map_err(|error| self.broken(&error))?;
            self.subscribed(some.len())?;
        }
        Ok(())
    }

    /// Waits until the server has answered everything that was sent before.
    pub(super) fn barrier(&mut self) -> Result<(), Ending> {
        self.wire.send(&PINGREQ).map_err(|error| self.broken(&error))?;
        loop {
            let bytes = self.read_packet()?;
            if let Packet::PingResp = self.decoded(&bytes)? {
                return Ok(());
            }
        }
    }

    fn subscribed(&mut self, count: usize) -> Result<(), Ending> {
        loop {
            let bytes = self.read_packet()?;
            if let Packet::SubAck(answer) = self.decoded(&bytes)? {
                return self.granted(&answer, count);
            }
        }
    }

    fn granted(&self, answer: &SubAck<&[u8]>, count: usize) -> Result<(), Ending> {
        let mut granted = 0;
        for code in answer.codes.iter() {
            let Some(qos) = QoS::from_bits(code.value()) else {
                let meaning = code.meaning().trim_end_matches('.');
                let refused = format!("{}: the server refuses the subscription: {meaning}", self.name);
                let ending = Ending::failed(refused).code(REFUSED);
                return Err(match code {
                    SubAckReason::QuotaExceeded => ending.advice(
                        "a client has more filters than it may have: fewer --filters, or more --subscribers for --random-topics to share",
                    ),
                    _ => ending,
                });
            };
            if qos < self.qos {
                return Err(self.refuses("subscriptions", qos));
            }
            granted += 1;
        }
        match granted == count {
            true => Ok(()),
            false => Err(Ending::failed(format_args!(
                "{}: {count} filters were sent, {granted} are answered",
                self.name
            ))),
        }
    }

    /// Reads exactly one packet.
    fn read_packet(&mut self) -> Result<Vec<u8>, Ending> {
        let rules = Rules::new(self.version).sent_by(Role::Server);
        let mut bytes = Vec::new();
        loop {
            let missing = match decode(&bytes, &rules) {
                Ok(Decoded::Packet { .. }) => return Ok(bytes),
                Ok(Decoded::Incomplete { missing }) => missing,
                Err(error) => return Err(Ending::failed(format_args!("{}: the server sends {error}", self.name))),
            };
            let held = bytes.len();
            bytes.resize(held + missing, 0);
            if let Err(error) = self.wire.read_exact(&mut bytes[held..]) {
                return Err(self.broken(&error));
            }
        }
    }

    fn decoded<'b>(&self, bytes: &'b [u8]) -> Result<Packet<&'b [u8]>, Ending> {
        match decode(bytes, &Rules::new(self.version).sent_by(Role::Server)) {
            Ok(Decoded::Packet { packet, .. }) => Ok(packet),
            _ => Err(Ending::failed(format_args!(
                "{}: the server sends no packet",
                self.name
            ))),
        }
    }

    fn broken(&self, error: &io::Error) -> Ending {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                Ending::failed(format_args!("{}: the server closes the connection", self.name))
            }
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ending::failed(format_args!(
                "{}: the server does not answer within {} s",
                self.name,
                PATIENCE.as_secs()
            )),
            _ => {
                let ending = Ending::failed(format_args!("{}: {error}", self.name));
                match layer_advice(error) {
                    Some(advice) => ending.advice(advice),
                    None => ending,
                }
            }
        }
    }
}

/// A SUBSCRIBE for these filters.
pub(super) fn subscribe_packet(filters: &[String], qos: QoS, version: Version) -> Result<BytesMut, Ending> {
    let mut builder = Filters::builder();
    for filter in filters {
        builder = builder.filter(filter, SubscriptionOptions::new(qos));
    }
    let filters = builder.build_for(version).map_err(Ending::misused)?;
    let mut out = BytesMut::new();
    let packet = Subscribe::new(PacketId::MIN, filters);
    packet.encode_to(version, &mut out).map_err(Ending::misused)?;
    Ok(out)
}
