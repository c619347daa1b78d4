//! From arguments to a connected client.

mod endpoint;
pub(crate) mod tls;

use std::fs;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mqtt_tokio::session::proto::section::{self, Disconnect as OfDisconnect};
use mqtt_tokio::session::proto::{
    Binary, Disconnect, DisconnectReason, Properties as Encoded, Property, Text, TopicName, Version, Will,
};
use mqtt_tokio::session::{Authentication, CleanStart, ClientConfig, Limits, Reconnect};
use mqtt_tokio::{Acknowledge, Client, ClientOptions, ConnectionState, Failure, OptionsError, States, WebSocket};

use super::ConnectionArguments;
use super::arguments::{Stage, encoded};
use super::failing;
use super::signals::Signals;
use super::voice::Voice;
use crate::Ending;

pub(crate) use endpoint::{TLS_PORT, Target};

/// How long the server keeps a session that is not meant to be kept: for as long as a broken connection may take to be opened
/// again. The farewell ends it at once.
const REPAIR_SECONDS: u32 = 60;
/// The largest packet that MQTT has.
const PACKET_BYTES: u32 = 268_435_460;
/// How long a client goes on with what has not ended, once it is to end.
const LEAVING: Duration = Duration::from_secs(5);
/// The same where it has failed, or its time is over.
const GIVING_UP: Duration = Duration::from_secs(1);

/// Says farewell, whatever the end is: it is no reason for a will, and a session that is not to be kept ends with it. A signal ends
/// the waiting.
pub(crate) async fn leave(client: &Client, has_failed: bool, signals: &mut Signals) {
    let patience = if has_failed { GIVING_UP } else { LEAVING };
    tokio::select! {
        _ = client.disconnect(patience) => {}
        _ = signals.next() => {}
    }
}

/// Connects, and tells about the connection from then on.
pub(crate) async fn open(options: ClientOptions, waits: bool, voice: &Voice) -> Result<Client, Ending> {
    let client = mqtt_tokio::start(options);
    let states = client.states();
    if !waits && let Err(failure) = client.established().await {
        client.abort();
        return Err(failing::of_connection(&failure));
    }
    tokio::spawn(voice.clone().tell_states(states));
    Ok(client)
}

/// Waits until the server ends a connection for what was sent on it: the next one would be sent the same.
pub(crate) async fn blame(mut states: States) -> Arc<Failure> {
    while let Some(state) = states.next().await {
        match state {
            ConnectionState::Disconnected { failure, .. } if failing::is_blame(&failure) => return failure,
            _ => {}
        }
    }
    std::future::pending().await
}

/// What the arguments say, and the topic of their URL.
pub(crate) fn options(arguments: &ConnectionArguments) -> Result<(ClientOptions, Option<String>), Ending> {
    arguments.absent.check()?;
    check_version(arguments)?;
    let Target { url, topic } = endpoint::target(arguments)?;
    let options = ClientOptions::from_url(&url).map_err(Ending::misused)?;
    let options = identified(options, arguments).map_err(Ending::misused)?;
    let mut options = options
        .version(arguments.protocol_version)
        .keep_alive(Duration::from_secs(arguments.keepalive.into()))
        .acknowledge(Acknowledge::ByApplication)
        .websocket(WebSocket::new().message_bytes(PACKET_BYTES as usize))
        // What is read at once is written before more is read, so these are never reached by a slow reader.
        .stream_messages(1 << 16)
        .held_messages(1 << 17)
        .held_bytes(1 << 30);
    if let Some(password) = password(arguments)? {
        options = options.password(password).map_err(Ending::misused)?;
    }
    if let Some(tls) = tls::wanted(&arguments.tls, options.endpoint().scheme())? {
        options = options.tls(tls);
    }
    if let Some(will) = will(arguments)? {
        options = options.will(will);
    }
    if arguments.no_reconnect {
        let mut never = Reconnect::default();
        never.attempts = Some(0);
        options = options.reconnect(never);
    }
    options = with_session(options, arguments)?;
    let properties = arguments.properties.of(Stage::Connect)?;
    // It says once more what is found wrong there, such as one that stands twice.
    encoded::<section::Connect>(Stage::Connect, &properties)?;
    Ok((options.configure(|config| configured(config, &properties)), topic))
}

fn check_version(arguments: &ConnectionArguments) -> Result<(), Ending> {
    if arguments.protocol_version == Version::V5 {
        return Ok(());
    }
    let refused =
        |what: &str| Err(Ending::misused(format_args!("{what} is not in this version of MQTT")).advice("use -V 5"));
    if !arguments.properties.is_empty() {
        return refused("-D");
    }
    if arguments.session_expiry_interval.is_some() {
        return refused("-x");
    }
    let has_password = arguments.password.is_some() || arguments.password_file.is_some();
    match has_password && arguments.username.is_none() {
        true => refused("a password without -u"),
        false => Ok(()),
    }
}

fn identified(mut options: ClientOptions, arguments: &ConnectionArguments) -> Result<ClientOptions, OptionsError> {
    if let Some(id) = &arguments.id {
        options = options.client_id(id.clone())?;
    }
    if let Some(prefix) = &arguments.id_prefix {
        options = options.client_id(format!("{prefix}{}", process::id()))?;
    }
    match &arguments.username {
        Some(name) => options.username(name.clone()),
        None => Ok(options),
    }
}

fn password(arguments: &ConnectionArguments) -> Result<Option<Vec<u8>>, Ending> {
    let Some(file) = &arguments.password_file else {
        return Ok(arguments
            .password
            .as_ref()
            .map(|password| password.0.clone().into_bytes()));
    };
    let read = fs::read(file).map_err(|error| failing::of_file(file, &error))?;
    let line = read.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(Some(line.strip_suffix(b"\r").unwrap_or(line).to_vec()))
}

/// The life of the session on the server.
fn with_session(options: ClientOptions, arguments: &ConnectionArguments) -> Result<ClientOptions, Ending> {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let given = arguments.session_expiry_interval;
    if arguments.disable_clean_session {
        if arguments.id.is_none() && arguments.id_prefix.is_none() {
            return Err(Ending::misused("-c keeps the session under a name, and there is none").advice("use -i"));
        }
        let kept = options.session_expiry(seconds(given.unwrap_or(u32::MAX)));
        return Ok(kept.clean_start(CleanStart::Never));
    }
    Ok(match (arguments.protocol_version, given) {
        (Version::V5, Some(given)) => options.session_expiry(seconds(given)),
        (Version::V5, None) => options
            .session_expiry(seconds(REPAIR_SECONDS))
            .farewell(without_session()?),
        // There a session either ends with its connection, or never.
        _ => options.clean_start(CleanStart::Always).session_expiry(Duration::ZERO),
    })
}

/// A farewell that ends the session.
fn without_session() -> Result<Disconnect<Bytes>, Ending> {
    let properties = Encoded::<OfDisconnect, Bytes>::builder().session_expiry(0).build();
    let mut farewell = Disconnect::new(DisconnectReason::NormalDisconnection);
    farewell.properties = properties.map_err(Ending::failed)?;
    Ok(farewell)
}

fn will(arguments: &ConnectionArguments) -> Result<Option<Will<Bytes>>, Ending> {
    let properties = arguments.properties.of(Stage::Will)?;
    let Some(topic) = &arguments.will_topic else {
        return match properties.is_empty() {
            true => Ok(None),
            false => Err(Ending::misused("-D will: there is no will").advice("use --will-topic")),
        };
    };
    let topic = TopicName::from_bytes(Bytes::from(topic.clone()))
        .map_err(|error| Ending::misused(format_args!("--will-topic: {error}")))?;
    let payload = arguments.will_payload.clone().unwrap_or_default();
    let payload =
        Binary::new(Bytes::from(payload)).map_err(|_| Ending::misused("--will-payload is longer than 65535 bytes"))?;
    let mut will = Will::new(topic, payload);
    will.qos = arguments.will_qos;
    will.retain = arguments.will_retain;
    will.properties = encoded(Stage::Will, &properties)?;
    Ok(Some(will))
}

/// Limits that take whatever comes, and what CONNECT is to say.
fn configured(mut config: ClientConfig, properties: &[Property<Bytes>]) -> ClientConfig {
    let mut limits = Limits::default()
        .packet_bytes(PACKET_BYTES)
        // As many as there are packet identifiers: some servers do not keep to fewer.
        .receive_maximum(u16::MAX)
        .queued_bytes(u64::from(PACKET_BYTES) * 2);
    let (mut method, mut data) = (None::<Text<Bytes>>, None);
    for property in properties {
        match property {
            Property::MaximumPacketSize(bytes) => limits = limits.packet_bytes(bytes.get()),
            Property::ReceiveMaximum(messages) => limits = limits.receive_maximum(messages.get()),
            Property::TopicAliasMaximum(aliases) => limits = limits.aliases_accepted(*aliases),
            Property::RequestProblemInformation(wanted) => config.request_problem_information = *wanted,
            Property::RequestResponseInformation(wanted) => config.request_response_information = *wanted,
            Property::SessionExpiryInterval(seconds) => config.session_expiry_seconds = *seconds,
            Property::AuthenticationMethod(name) => method = Some(name.clone()),
            Property::AuthenticationData(bytes) => data = Some(bytes.clone()),
            _ => {}
        }
    }
    config.limits = limits;
    config.authentication = method.map(|method| Authentication { method, data });
    config
}

/// Waits for so long, or for ever.
pub(crate) async fn timeout(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
