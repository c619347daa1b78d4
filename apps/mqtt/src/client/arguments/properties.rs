//! Properties of MQTT 5.0, as options.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};
use mqtt_tokio::session::proto::section::Section;
use mqtt_tokio::session::proto::{
    Binary, EncodeError, PayloadFormat, Properties as Encoded, PropertiesBuilder, Property, PropertyId, SubscriptionId,
    Text, TopicName,
};

use crate::Ending;

const PROPERTY: &str = "property";

/// Properties of MQTT 5.0, each for one packet.
#[derive(Clone, Debug, Default)]
pub struct Properties {
    given: Vec<Vec<String>>,
}

/// What a property is said with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// CONNECT.
    Connect,
    /// PUBLISH.
    Publish,
    /// SUBSCRIBE.
    Subscribe,
    /// The will.
    Will,
}

impl Stage {
    const ALL: [(&'static str, Self); 4] = [
        ("connect", Self::Connect),
        ("publish", Self::Publish),
        ("subscribe", Self::Subscribe),
        ("will", Self::Will),
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
            Self::Will => "will",
        }
    }

    fn from_name(name: &str) -> Result<Self, Ending> {
        if let Some((_, stage)) = Self::ALL.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)) {
            return Ok(*stage);
        }
        let refused = Ending::misused(format_args!("-D {name}: no property can be given there"));
        Err(match name.to_ascii_lowercase().as_str() {
            "disconnect" => refused.advice("-x says how long the session lives after the end; leave the others out"),
            "unsubscribe" => refused.advice("no server needs one there: leave it out"),
            _ => refused.advice("the packet is connect, publish, subscribe or will"),
        })
    }
}

impl Properties {
    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// All that belong to one packet.
    pub(crate) fn of(&self, stage: Stage) -> Result<Vec<Property<Bytes>>, Ending> {
        let mut found = Vec::new();
        for words in &self.given {
            if let [packet, name, values @ ..] = words.as_slice()
                && Stage::from_name(packet)? == stage
            {
                found.push(parsed(stage, name, values)?);
            }
        }
        Ok(found)
    }

    /// Refuses those of packets that a command does not send.
    pub(crate) fn only(&self, stages: &[Stage]) -> Result<(), Ending> {
        for packet in self.given.iter().filter_map(|words| words.first()) {
            if !stages.contains(&Stage::from_name(packet)?) {
                return Err(Ending::misused(format_args!("-D {packet}: this command sends none")));
            }
        }
        Ok(())
    }
}

/// Puts properties together for their packet.
pub(crate) fn encoded<S: Section>(stage: Stage, properties: &[Property<Bytes>]) -> Result<Encoded<S, Bytes>, Ending> {
    let builder = properties.iter().fold(Encoded::builder(), PropertiesBuilder::property);
    builder.build().map_err(|error| refused(stage, error))
}

fn refused(stage: Stage, error: EncodeError) -> Ending {
    Ending::misused(format_args!("-D {}: {error}", stage.name()))
}

/// One property, from its words.
fn parsed(stage: Stage, name: &str, values: &[String]) -> Result<Property<Bytes>, Ending> {
    let fail = |why: &str| Ending::misused(format_args!("-D {} {name}: {why}", stage.name()));
    let id = PropertyId::ALL
        .iter()
        .find(|id| spelled(**id) == name.to_ascii_lowercase());
    let Some(id) = id.filter(|id| is_taken(stage, **id)) else {
        let known: Vec<String> = PropertyId::ALL
            .iter()
            .filter(|id| is_taken(stage, **id))
            .map(|id| spelled(*id))
            .collect();
        return Err(fail("there is no such property here").advice(format_args!("there are {}", known.join(", "))));
    };
    let (first, second) = match (values, *id) {
        ([key, value], PropertyId::UserProperty) => (key, value.as_str()),
        (_, PropertyId::UserProperty) => return Err(fail("a name and a value are needed")),
        ([value], _) => (value, ""),
        _ => return Err(fail("one value is needed")),
    };
    let text = |text: &str| {
        Text::from_bytes(Bytes::copy_from_slice(text.as_bytes())).map_err(|error| fail(&error.to_string()))
    };
    let binary =
        || Binary::new(Bytes::copy_from_slice(first.as_bytes())).map_err(|_| fail("it is longer than 65535 bytes"));
    let number = |most: u32| {
        let number = first.parse::<u32>().ok().filter(|number| *number <= most);
        number.ok_or_else(|| fail(&format!("the value is a number up to {most}")))
    };
    let flag = || number(1).map(|number| number == 1);
    let small = || number(u32::from(u16::MAX)).map(|number| u16::try_from(number).unwrap_or(u16::MAX));
    let zero = |_| fail("the value is a number from 1 on");
    Ok(match id {
        PropertyId::UserProperty => Property::UserProperty(text(first)?, text(second)?),
        PropertyId::ContentType => Property::ContentType(text(first)?),
        PropertyId::CorrelationData => Property::CorrelationData(binary()?),
        PropertyId::AuthenticationMethod => Property::AuthenticationMethod(text(first)?),
        PropertyId::AuthenticationData => Property::AuthenticationData(binary()?),
        PropertyId::ResponseTopic => {
            let topic = TopicName::from_bytes(Bytes::copy_from_slice(first.as_bytes()));
            Property::ResponseTopic(topic.map_err(|error| fail(&error.to_string()))?)
        }
        PropertyId::PayloadFormatIndicator => Property::PayloadFormatIndicator(match flag()? {
            true => PayloadFormat::Utf8,
            false => PayloadFormat::Unspecified,
        }),
        PropertyId::MessageExpiryInterval => Property::MessageExpiryInterval(number(u32::MAX)?),
        PropertyId::SessionExpiryInterval => Property::SessionExpiryInterval(number(u32::MAX)?),
        PropertyId::WillDelayInterval => Property::WillDelayInterval(number(u32::MAX)?),
        PropertyId::MaximumPacketSize => {
            Property::MaximumPacketSize(NonZeroU32::try_from(number(u32::MAX)?).map_err(zero)?)
        }
        PropertyId::ReceiveMaximum => Property::ReceiveMaximum(NonZeroU16::try_from(small()?).map_err(zero)?),
        PropertyId::TopicAliasMaximum => Property::TopicAliasMaximum(small()?),
        PropertyId::RequestProblemInformation => Property::RequestProblemInformation(flag()?),
        PropertyId::RequestResponseInformation => Property::RequestResponseInformation(flag()?),
        PropertyId::SubscriptionIdentifier => {
            let id = SubscriptionId::new(number(SUBSCRIPTION_IDS)?);
            Property::SubscriptionIdentifier(id.ok_or_else(|| fail("the value is a number from 1 on"))?)
        }
        _ => return Err(fail("it cannot be given")),
    })
}

/// From here on the client chooses identifiers by itself.
const SUBSCRIPTION_IDS: u32 = 16_383;

/// What a packet of these commands can be given.
fn is_taken(stage: Stage, id: PropertyId) -> bool {
    let taken: &[PropertyId] = match stage {
        Stage::Connect => &[
            PropertyId::AuthenticationMethod,
            PropertyId::AuthenticationData,
            PropertyId::MaximumPacketSize,
            PropertyId::ReceiveMaximum,
            PropertyId::RequestProblemInformation,
            PropertyId::RequestResponseInformation,
            PropertyId::SessionExpiryInterval,
            PropertyId::TopicAliasMaximum,
        ],
        Stage::Publish => &[
            PropertyId::ContentType,
            PropertyId::CorrelationData,
            PropertyId::MessageExpiryInterval,
            PropertyId::PayloadFormatIndicator,
            PropertyId::ResponseTopic,
            PropertyId::UserProperty,
        ],
        Stage::Subscribe => &[PropertyId::SubscriptionIdentifier, PropertyId::UserProperty],
        Stage::Will => &[
            PropertyId::ContentType,
            PropertyId::CorrelationData,
            PropertyId::MessageExpiryInterval,
            PropertyId::PayloadFormatIndicator,
            PropertyId::ResponseTopic,
            PropertyId::UserProperty,
            PropertyId::WillDelayInterval,
        ],
    };
    taken.contains(&id)
}

/// The name of a property as an option has it.
pub(crate) fn spelled(id: PropertyId) -> String {
    id.name().to_ascii_lowercase().replace(' ', "-")
}

impl Args for Properties {
    fn augment_args(command: Command) -> Command {
        let arg = Arg::new(PROPERTY)
            .short('D')
            .long(PROPERTY)
            .num_args(3..=4)
            .value_names(["PACKET", "NAME", "VALUE"])
            .action(ArgAction::Append)
            .help("Property of a packet, since MQTT 5: connect, publish, subscribe or will")
            .long_help(
                "Property of a packet, since MQTT 5: connect, publish, subscribe or will, then its name and its value; \
                 a user-property has a name of its own and a value: -D publish user-property key value",
            );
        command.arg(arg)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Properties {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = matches.get_occurrences::<String>(PROPERTY).into_iter().flatten();
        let given = given.map(|words| words.cloned().collect()).collect();
        Ok(Self { given })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use mqtt_tokio::session::proto::section::PublishProperties;

    use super::*;

    fn given(words: &[&[&str]]) -> Properties {
        let given = words
            .iter()
            .map(|words| words.iter().map(|word| (*word).to_owned()).collect());
        Properties { given: given.collect() }
    }

    #[test]
    fn each_packet_gets_its_own() {
        let given = given(&[
            &["publish", "content-type", "text/plain"],
            &["will", "will-delay-interval", "5"],
            &["PUBLISH", "User-Property", "a", "b"],
        ]);
        let publish = given.of(Stage::Publish).unwrap();
        let encoded: PublishProperties<Bytes> = encoded(Stage::Publish, &publish).unwrap();
        assert!(encoded.content_type().is_some_and(|text| text.as_str() == "text/plain"));
        assert_eq!(encoded.user_properties().count(), 1);
        assert_eq!(given.of(Stage::Will).unwrap(), [Property::WillDelayInterval(5)]);
        assert!(given.only(&[Stage::Publish, Stage::Will]).is_ok());
        assert!(given.only(&[Stage::Publish]).is_err());
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_can() {
        let said = |words: &[&str]| given(&[words]).of(Stage::Publish).unwrap_err().to_string();
        assert!(said(&["publish", "topic-alias", "5"]).contains("there are payload-format-indicator, "));
        assert!(said(&["publish", "payload-format-indicator", "2"]).contains("a number up to 1"));
        assert!(said(&["publish", "user-property", "2"]).contains("a name and a value"));
        assert!(said(&["publish", "content-type", "2", "3"]).contains("one value"));
        assert!(said(&["publish", "response-topic", "a/#"]).contains("wildcard"));
        assert!(said(&["disconnect", "session-expiry-interval", "2"]).contains("-x says"));
        assert!(said(&["pubrel", "user-property", "a", "b"]).contains("connect, publish, subscribe or will"));
    }

    #[test]
    fn one_that_may_stand_once_stands_once() {
        let twice = given(&[&["publish", "content-type", "a"], &["publish", "content-type", "b"]]);
        let publish = twice.of(Stage::Publish).unwrap();
        assert!(encoded::<mqtt_tokio::session::proto::section::Publish>(Stage::Publish, &publish).is_err());
    }
}
