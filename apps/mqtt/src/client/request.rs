//! `mqtt rr`: asks, and prints the answer.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use mqtt_tokio::session::proto::ReasonCode;
use mqtt_tokio::{Client, ClientOptions, Message, Published, QoS, Subscription};

use super::arguments::{PayloadArguments, Stage, qos, seconds};
use super::connection;
use super::failing::{TIMED_OUT, of_message, of_subscription};
use super::format::Printer;
use super::publish::{named, with_properties};
use super::signals::Signals;
use super::subscribe::{of_output, why_it_ended};
use super::voice::Voice;
use super::{ConnectionArguments, OutputArguments, exit_codes};
use crate::Ending;

/// Publish a request, and print the response
#[derive(Clone, Debug, clap::Args)]
#[command(args_override_self = true, after_help = concat!("Examples:
  mqtt rr -t lamp/1/ask -m state -W 5
  mqtt rr -t lamp/1/ask -e lamp/1/answers/me -m state -V 3.1.1
  mqtt rr -t lamp/1/ask -m state --json

Since MQTT 5 the request names the topic of the response and carries correlation data, and a response with other
correlation data is somebody else's. Before, the first message on that topic is the response.

", exit_codes!()))]
pub struct RequestArguments {
    /// Topic of the request
    #[arg(short, long, allow_hyphen_values = true)]
    pub topic: Option<String>,
    /// Topic of the response [default: one of chance; needed before MQTT 5]
    #[arg(short = 'e', long, value_name = "TOPIC", allow_hyphen_values = true)]
    pub response_topic: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a text here would be the help of the command")]
    pub payload: PayloadArguments,
    /// QoS of the request, and highest QoS of the response: 0, 1 or 2
    #[arg(short, long, default_value = "0", value_parser = qos)]
    pub qos: QoS,
    /// A retained message is no response
    #[arg(short = 'R', long)]
    pub no_retained: bool,
    /// Give up after so many seconds
    #[arg(short = 'W', long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a text here would be the help of the command")]
    pub output: OutputArguments,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a text here would be the help of the command")]
    pub connection: ConnectionArguments,
}

/// A request, and what its response looks like.
#[derive(Debug)]
struct Question {
    request: Message,
    response_topic: Bytes,
    /// The correlation data that a response has to have, if it has any.
    correlation: Option<Bytes>,
    skips_retained: bool,
}

/// Asks.
pub(crate) async fn run(arguments: RequestArguments) -> Result<(), Ending> {
    let voice = Voice::new(arguments.connection.quiet, arguments.connection.debug);
    arguments
        .connection
        .properties
        .only(&[Stage::Connect, Stage::Publish, Stage::Will])?;
    let (options, topic) = connection::options(&arguments.connection)?;
    let topic = arguments.topic.clone().or(topic);
    let topic = topic.ok_or_else(|| Ending::misused("there is no topic").advice("use -t"))?;
    let printer = Printer::new(&arguments.output)?;
    let question = Question::new(&arguments, &topic)?;
    ask(&arguments, options, question, printer, voice).await
}

async fn ask(
    arguments: &RequestArguments,
    options: ClientOptions,
    question: Question,
    printer: Printer,
    voice: Voice,
) -> Result<(), Ending> {
    let mut signals = Signals::new()?;
    let interrupted = |code: u8| Ending::failed("interrupted").code(code);
    let client = tokio::select! {
        client = connection::open(options, arguments.connection.wait, &voice) => client?,
        code = signals.next() => return Err(interrupted(code)),
    };
    let ended = tokio::select! {
        answer = question.ask(&client, &voice) => answer.and_then(|answer| print(&printer, &answer)),
        code = signals.next() => Err(interrupted(code)),
        () = connection::timeout(arguments.timeout) => Err(Ending::failed("no response in time").code(TIMED_OUT)),
    };
    connection::leave(&client, ended.is_err(), &mut signals).await;
    ended
}

fn print(printer: &Printer, answer: &Message) -> Result<(), Ending> {
    let mut out = io::stdout().lock();
    let printed = printer
        .print(&mut out, answer)
        .and_then(|is_printed| out.flush().map(|()| is_printed));
    match printed {
        Ok(true) => Ok(()),
        Ok(false) => Err(Ending::failed(format_args!(
            "{}: the payload is not JSON",
            answer.topic
        ))),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(of_output(&error)),
    }
}

impl Question {
    fn new(arguments: &RequestArguments, topic: &str) -> Result<Self, Ending> {
        let mut payloads = arguments.payload.read()?.into_iter();
        let (Some(payload), None) = (payloads.next(), payloads.next()) else {
            return Err(Ending::misused("a request is one message").advice("use -f once"));
        };
        let message =
            Message::new(named(topic)?, payload).map_err(|error| Ending::misused(format_args!("-t: {error}")))?;
        let message = with_properties(message, &arguments.connection.properties)?.qos(arguments.qos);
        if message.properties.response_topic().is_some() {
            return Err(
                Ending::misused("-D publish response-topic: the response is waited for elsewhere").advice("use -e"),
            );
        }
        let has_properties = arguments.connection.protocol_version.has_properties();
        let response_topic = match &arguments.response_topic {
            Some(topic) => named(topic)?,
            None if has_properties => Bytes::from(format!("mqtt-rr/{:016x}", chance())),
            None => {
                let refused =
                    Ending::misused("a request does not name the topic of its response in this version of MQTT");
                return Err(refused.advice("use -e, with a topic that whoever answers knows; or -V 5"));
            }
        };
        let skips_retained = arguments.no_retained;
        if !has_properties {
            return Ok(Self {
                request: message,
                response_topic,
                correlation: None,
                skips_retained,
            });
        }
        let given = message
            .properties
            .correlation_data()
            .map(|data| Bytes::copy_from_slice(data.as_bytes()));
        let correlation = given
            .clone()
            .unwrap_or_else(|| Bytes::from(format!("{:016x}", chance())));
        let mut properties = message.properties.iter().fold(
            mqtt_tokio::session::proto::section::PublishProperties::builder(),
            |builder, property| builder.property(&property),
        );
        properties = properties.response_topic(&response_topic);
        if given.is_none() {
            properties = properties.correlation_data(&correlation);
        }
        let properties = properties.build().map_err(Ending::misused)?;
        Ok(Self {
            request: message.properties(properties),
            response_topic,
            correlation: Some(correlation),
            skips_retained,
        })
    }

    async fn ask(&self, client: &Client, voice: &Voice) -> Result<Message, Ending> {
        let subscribing = client.subscribe(self.response_topic.clone(), self.request.qos).await;
        let mut responses = subscribing.map_err(|error| of_subscription(&error))?;
        voice.detail(format_args!(
            "subscribed to {}",
            String::from_utf8_lossy(&self.response_topic)
        ));
        let published = client.publish(self.request.clone()).await;
        let published = published.map_err(|error| of_message(&error, self.request.qos))?;
        if published == Published::Acknowledged(ReasonCode::NoMatchingSubscribers) {
            voice.say(format_args!(
                "{}: nobody has subscribed to it at present",
                self.request.topic
            ));
        }
        self.answer(client, &mut responses, voice).await
    }

    /// Waits for the response.
    async fn answer(&self, client: &Client, responses: &mut Subscription, voice: &Voice) -> Result<Message, Ending> {
        while let Some(incoming) = responses.next().await {
            if let Some(acknowledgement) = incoming.acknowledgement {
                // Its connection may have ended.
                let _ = acknowledgement.acknowledge();
            }
            if self.is_answered_by(&incoming.message) {
                return Ok(incoming.message);
            }
            voice.detail("a message that is not the response has come");
        }
        Err(why_it_ended(client).await)
    }

    fn is_answered_by(&self, message: &Message) -> bool {
        if self.skips_retained && message.retain {
            return false;
        }
        // One who answers without correlation data has seen the topic, and that is this client's.
        match (&self.correlation, message.properties.correlation_data()) {
            (Some(expected), Some(data)) => expected == data.as_bytes(),
            _ => true,
        }
    }
}

/// A number that is another one at each call: the standard library seeds its hash maps from the operating system.
fn chance() -> u64 {
    RandomState::new().build_hasher().finish()
}
