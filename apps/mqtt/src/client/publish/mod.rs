//! `mqtt pub`.

mod lines;
mod payloads;
mod sender;
mod silence;

use std::num::NonZeroU64;
use std::time::Duration;

use bytes::Bytes;
use mqtt_tokio::session::proto::{Property, TopicName};
use mqtt_tokio::{ClientOptions, Message, QoS};

use self::payloads::Payloads;
use self::sender::Sender;
use super::arguments::{PayloadArguments, Stage, encoded, qos, seconds};
use super::connection;
use super::failing::{self, TIMED_OUT};
use super::signals::Signals;
use super::voice::Voice;
use super::{ConnectionArguments, Properties, exit_codes};
use crate::Ending;

/// Publish messages
#[derive(Clone, Debug, clap::Args)]
#[command(
    args_override_self = true,
    after_help = concat!("Examples:
  mqtt pub -t lamp/1 -m on
  mqtt pub -t lamp/1 -r -q 2 -f state.bin
  mqtt pub -L mqtts://user:secret@broker.example/lamp/1 -m on
  tail -f log | mqtt pub -t log -l -q 1
  mqtt pub -t lamp/1 -m on -D publish message-expiry-interval 60 -D publish user-property by me
  mqtt pub -t bytes --hex 00ff10

", exit_codes!())
)]
pub struct PublishArguments {
    /// Topic to publish to
    #[arg(short, long, allow_hyphen_values = true)]
    pub topic: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a text here would be the help of the command")]
    pub payload: PayloadArguments,
    /// Each line of standard input as a message
    #[arg(short = 'l', long, group = "payload")]
    pub stdin_line: bool,
    /// QoS: 0, 1 or 2
    #[arg(short, long, default_value = "0", value_parser = qos)]
    pub qos: QoS,
    /// The server keeps the message for those who subscribe later
    #[arg(short, long)]
    pub retain: bool,
    /// Publish so many times
    #[arg(
        long,
        visible_alias = "count",
        value_name = "N",
        default_value = "1",
        conflicts_with = "stdin_line"
    )]
    pub repeat: NonZeroU64,
    /// Seconds between two times
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    pub repeat_delay: Duration,
    /// How many messages of QoS 1 and 2 may be unacknowledged at a time [default: as many as the server takes, up to 1024]
    #[arg(short = 'M', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub max_inflight: Option<u16>,
    /// Give up after so many seconds
    #[arg(short = 'W', long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a text here would be the help of the command")]
    pub connection: ConnectionArguments,
}

/// Publishes.
pub(crate) async fn run(arguments: PublishArguments) -> Result<(), Ending> {
    let voice = Voice::new(arguments.connection.quiet, arguments.connection.debug);
    arguments
        .connection
        .properties
        .only(&[Stage::Connect, Stage::Publish, Stage::Will])?;
    let (options, topic) = connection::options(&arguments.connection)?;
    let topic = arguments.topic.clone().or(topic);
    let topic = topic.ok_or_else(|| Ending::misused("there is no topic").advice("use -t"))?;
    let message =
        Message::new(named(&topic)?, Bytes::new()).map_err(|error| Ending::misused(format_args!("-t: {error}")))?;
    let mut message = with_properties(message, &arguments.connection.properties)?.qos(arguments.qos);
    message.retain = arguments.retain;
    let payloads = Payloads::new(&arguments)?;
    publish(
        &arguments,
        within(options, arguments.max_inflight),
        message,
        payloads,
        voice,
    )
    .await
}

async fn publish(
    arguments: &PublishArguments,
    options: ClientOptions,
    message: Message,
    payloads: Payloads,
    voice: Voice,
) -> Result<(), Ending> {
    let mut signals = Signals::new()?;
    let bar = payloads.bar(&voice, arguments.connection.debug);
    let voice = voice.above(bar.clone());
    let timeout = connection::timeout(arguments.timeout);
    tokio::pin!(timeout);
    let interrupted = |code: u8| Ending::failed("interrupted").code(code);
    let client = tokio::select! {
        client = connection::open(options, arguments.connection.wait, &voice) => client?,
        code = signals.next() => return Err(interrupted(code)),
        () = &mut timeout => return Err(Ending::failed("no connection in time").code(TIMED_OUT)),
    };
    let mut sender = Sender::new(client.clone(), message, voice.clone(), bar.clone());
    let stopped = tokio::select! {
        sent = sender.send_all(payloads) => sent.err(),
        blame = connection::blame(client.states()) => Some(failing::of_connection(&blame)),
        refusal = silence::refusal(client.clone(), arguments.qos) => Some(refusal),
        code = signals.next() => Some(sender.stopped("interrupted", code)),
        () = &mut timeout => Some(sender.stopped("not done in time", TIMED_OUT)),
    };
    bar.finish_and_clear();
    connection::leave(&client, stopped.is_some(), &mut signals).await;
    match stopped {
        Some(ending) => Err(ending),
        None => sender.ended(),
    }
}

/// A topic that can be published to.
pub(crate) fn named(topic: &str) -> Result<Bytes, Ending> {
    let refused = |error| {
        let ending = Ending::misused(format_args!("the topic {topic:?}: {error}"));
        match topic.contains(['+', '#']) {
            true => ending.advice("wildcards (+ and #) are for those who subscribe"),
            false => ending,
        }
    };
    let name = TopicName::from_bytes(Bytes::copy_from_slice(topic.as_bytes())).map_err(refused)?;
    Ok(name.into_inner())
}

/// The message with the properties of the command line.
pub(crate) fn with_properties(mut message: Message, properties: &Properties) -> Result<Message, Ending> {
    let mut kept = Vec::new();
    for property in properties.of(Stage::Publish)? {
        match property {
            Property::MessageExpiryInterval(seconds) => message.expiry_seconds = Some(seconds),
            property => kept.push(property),
        }
    }
    Ok(message.properties(encoded(Stage::Publish, &kept)?))
}

fn within(options: ClientOptions, max_inflight: Option<u16>) -> ClientOptions {
    match max_inflight {
        Some(messages) => options.configure(|mut config| {
            config.limits = config.limits.send_maximum(messages);
            config
        }),
        None => options,
    }
}
