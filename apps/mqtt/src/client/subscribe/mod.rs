//! `mqtt sub`.

mod reader;

use std::io::{self, ErrorKind};
use std::num::NonZeroU64;
use std::time::Duration;

use bytes::Bytes;
use mqtt_tokio::session::proto::section::Subscribe as OfSubscribe;
use mqtt_tokio::session::proto::{SubscriptionOptions, TopicFilter};
use mqtt_tokio::{Client, ClientOptions, ConnectionState, QoS, Subscribing, Subscription};

use self::reader::{End, Reader};
use super::arguments::{Stage, encoded, qos, seconds};
use super::connection;
use super::failing::{REFUSED, TIMED_OUT, of_connection, of_subscription};
use super::format::Printer;
use super::signals::Signals;
use super::voice::Voice;
use super::{ConnectionArguments, OutputArguments, exit_codes};
use crate::Ending;

/// Subscribe, and print the messages that come
#[derive(Clone, Debug, clap::Args)]
#[command(args_override_self = true, after_help = concat!("Examples:
  mqtt sub -t 'lamp/+' -v
  mqtt sub -t lamp/1 -C 1 -W 5
  mqtt sub -t '#' --json | jq .topic
  mqtt sub -t '#' -F '%I %10t %x'
  mqtt sub -c -i printer -t jobs -q 2
  mqtt sub -t '$share/workers/jobs' -q 1
  mqtt sub -t 'old/#' --retained-only --remove-retained -W 2

SIGINT and SIGTERM are the usual end, with code 0.

", exit_codes!()))]
pub struct SubscribeArguments {
    /// Topic filter to subscribe to; more than once for several
    #[arg(short, long, value_name = "FILTER", allow_hyphen_values = true)]
    pub topic: Vec<String>,
    /// Do not print what this filter matches; more than once for several
    #[arg(short = 'T', long, value_name = "FILTER", allow_hyphen_values = true)]
    pub filter_out: Vec<String>,
    /// Unsubscribe from this filter of a session that was kept; more than once for several
    #[arg(short = 'U', long, value_name = "FILTER", allow_hyphen_values = true)]
    pub unsubscribe: Vec<String>,
    /// Highest QoS of what comes: 0, 1 or 2
    #[arg(short, long, default_value = "0", value_parser = qos)]
    pub qos: QoS,
    /// End after so many messages
    #[arg(short = 'C', long, value_name = "N")]
    pub count: Option<NonZeroU64>,
    /// End after so many seconds of being connected, with code 27
    #[arg(short = 'W', long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,
    /// End when the server has answered the subscriptions
    #[arg(short = 'E', long)]
    pub exit_after_subscribing: bool,
    /// Do not print what comes retained
    #[arg(short = 'R', long, conflicts_with = "retained_only")]
    pub no_retained: bool,
    /// Print only what comes retained, and end at the first message that does not
    #[arg(long)]
    pub retained_only: bool,
    /// Remove retained messages that come from the server, unless -T matches them
    #[arg(long)]
    pub remove_retained: bool,
    /// Messages come with the retain flag of their publishers
    #[arg(long)]
    pub retain_as_published: bool,
    /// What this client publishes itself does not come
    #[arg(long)]
    pub no_local: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a text here would be the help of the command")]
    pub output: OutputArguments,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a text here would be the help of the command")]
    pub connection: ConnectionArguments,
}

/// Subscribes.
pub(crate) async fn run(mut arguments: SubscribeArguments) -> Result<(), Ending> {
    let voice = Voice::new(arguments.connection.quiet, arguments.connection.debug);
    arguments
        .connection
        .properties
        .only(&[Stage::Connect, Stage::Subscribe, Stage::Will])?;
    let (options, topic) = connection::options(&arguments.connection)?;
    arguments.topic.extend(topic);
    if arguments.topic.is_empty() && arguments.unsubscribe.is_empty() {
        return Err(Ending::misused("there is no topic").advice("use -t"));
    }
    let request = request(&arguments)?;
    let printer = Printer::new(&arguments.output)?;
    let hidden = arguments.filter_out.iter().map(|filter| filtered(filter));
    let reader = Reader::new(&arguments, printer, hidden.collect::<Result<_, _>>()?);
    subscribe(&arguments, options, request, reader, voice).await
}

async fn subscribe(
    arguments: &SubscribeArguments,
    options: ClientOptions,
    request: Option<Subscribing>,
    mut reader: Reader,
    voice: Voice,
) -> Result<(), Ending> {
    let mut signals = Signals::new()?;
    let client = tokio::select! {
        client = connection::open(options, arguments.connection.wait, &voice) => client?,
        code = signals.next() => return Err(Ending::failed("interrupted").code(code)),
    };
    let ended = tokio::select! {
        ended = read(arguments, &client, request, &mut reader, &voice) => ended,
        _ = signals.next() => Ok(End::Done),
        () = connection::timeout(arguments.timeout) => Err(Ending::failed("timed out").code(TIMED_OUT)),
    };
    let ended = match (ended, reader.finish()) {
        (ended @ Err(_), _) => ended,
        (Ok(_), Err(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(End::Done),
        (Ok(_), Err(error)) => Err(of_output(&error)),
        (ended, Ok(())) => ended,
    };
    let dropped = client.statistics().dropped;
    if dropped > 0 {
        voice.say(format_args!(
            "{dropped} messages of QoS 0 were dropped: they came faster than they were printed"
        ));
    }
    if matches!(ended, Ok(End::Lost)) {
        return Err(why_it_ended(&client).await);
    }
    connection::leave(&client, ended.is_err(), &mut signals).await;
    ended.map(drop)
}

/// Subscribes and prints.
async fn read(
    arguments: &SubscribeArguments,
    client: &Client,
    request: Option<Subscribing>,
    reader: &mut Reader,
    voice: &Voice,
) -> Result<End, Ending> {
    let mut subscription = None;
    if let Some(request) = request {
        let granted = client
            .subscribe_to(request)
            .await
            .map_err(|error| of_subscription(&error))?;
        told(&granted, &arguments.topic, arguments.qos, voice);
        subscription = Some(granted);
    }
    if !arguments.unsubscribe.is_empty() {
        let ended = client.unsubscribe(&arguments.unsubscribe).await;
        ended.map_err(|error| of_subscription(&error))?;
        voice.detail("unsubscribed");
    }
    let Some(mut subscription) = subscription.filter(|_| !arguments.exit_after_subscribing) else {
        return Ok(End::Done);
    };
    // What a kept session holds for other filters than these is printed too.
    let mut others = arguments.connection.disable_clean_session.then(|| client.unclaimed());
    let ended = reader.read(client, &mut subscription, others.as_mut()).await;
    match ended {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(End::Done),
        ended => ended.map_err(|error| of_output(&error)),
    }
}

/// Standard output could not be written.
pub(crate) fn of_output(error: &io::Error) -> Ending {
    Ending::failed(format_args!("standard output: {error}"))
}

/// Why there will be no more messages.
pub(crate) async fn why_it_ended(client: &Client) -> Ending {
    if client.is_connected() {
        return Ending::failed("the server has ended the subscription").code(REFUSED);
    }
    let mut states = client.states();
    while let Some(state) = states.next().await {
        if let ConnectionState::Ended { failure, .. } = state {
            return of_connection(&failure);
        }
    }
    Ending::failed("the connection has ended")
}

/// Says what the server did not grant as it was asked for.
fn told(subscription: &Subscription, filters: &[String], wanted: QoS, voice: &Voice) {
    for (filter, granted) in filters.iter().zip(subscription.granted()) {
        match granted {
            Ok(qos) if qos < wanted => voice.say(format_args!("{filter}: the server grants only QoS {}", qos.bits())),
            Ok(qos) => voice.detail(format_args!("subscribed to {filter} with QoS {}", qos.bits())),
            Err(reason) => {
                let meaning = reason.meaning().trim_end_matches('.');
                voice.say(format_args!("{filter}: the server refused: {meaning}"));
            }
        }
    }
}

/// What the server is asked for.
fn request(arguments: &SubscribeArguments) -> Result<Option<Subscribing>, Ending> {
    let mut options = SubscriptionOptions::new(arguments.qos);
    options.no_local = arguments.no_local;
    options.retain_as_published = arguments.retain_as_published;
    let needs_properties = arguments.no_local || arguments.retain_as_published;
    if needs_properties && !arguments.connection.protocol_version.has_properties() {
        let refused = Ending::misused("--no-local and --retain-as-published are not in this version of MQTT");
        return Err(refused.advice("use -V 5"));
    }
    let mut request: Option<Subscribing> = None;
    for filter in &arguments.topic {
        let filter = filtered(filter)?.into_inner();
        request = Some(match request {
            None => Subscribing::new(filter, arguments.qos).options(options),
            Some(request) => request.and_with(filter, options),
        });
    }
    let properties = arguments.connection.properties.of(Stage::Subscribe)?;
    let properties = encoded::<OfSubscribe>(Stage::Subscribe, &properties)?;
    Ok(request.map(|request| request.properties(properties)))
}

/// A filter that can be subscribed to.
pub(crate) fn filtered(filter: &str) -> Result<TopicFilter<Bytes>, Ending> {
    TopicFilter::from_bytes(Bytes::copy_from_slice(filter.as_bytes()))
        .map_err(|error| Ending::misused(format_args!("{filter}: {error}")))
}
