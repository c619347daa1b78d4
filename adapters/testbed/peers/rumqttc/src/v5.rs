//! The types of MQTT 5.0, and what differs between the versions.

pub use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::LastWill;
pub use rumqttc::v5::mqttbytes::v5::{ConnAck, Packet, Publish, PublishProperties};
pub use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};

use self::walk::Walker;
use crate::{Error, MEBIBYTE, Place};

#[path = "walk.rs"]
pub mod walk;

pub fn options(name: &str, place: &Place) -> MqttOptions {
    let mut options = MqttOptions::new(name, place.host(), place.port);
    options.set_transport(place.transport());
    options.set_max_packet_size(u32::try_from(2 * MEBIBYTE).ok());
    options
}

pub fn lasting(name: &str, place: &Place) -> MqttOptions {
    let mut options = options(name, place);
    options.set_clean_start(false);
    options.set_session_expiry_interval(Some(600));
    options
}

pub fn will(topic: &str, payload: &str, qos: QoS) -> LastWill {
    LastWill::new(topic, payload, qos, false, None)
}

pub async fn properties(walker: &mut Walker, place: &Place) -> Result<(), Error> {
    let given = PublishProperties {
        payload_format_indicator: Some(1),
        content_type: Some("text/plain".into()),
        response_topic: Some("answers/walk".into()),
        correlation_data: Some(vec![0, 1].into()),
        user_properties: ["one", "two"].map(|value| ("name".into(), value.into())).into(),
        ..PublishProperties::default()
    };
    walker.subscribe("asked", QoS::ExactlyOnce).await?;
    let asking = walker
        .client
        .publish_with_properties("asked", QoS::ExactlyOnce, false, "what?", given.clone());
    asking.await?;
    assert_eq!(walker.next().await?.properties, Some(given));
    walker.unsubscribe("asked").await?;
    let nameless = Walker::connect(options("", place)).await?;
    let granted = nameless.connack.properties.as_ref();
    assert!(granted.is_some_and(|granted| granted.assigned_client_identifier.is_some()));
    nameless.disconnect().await
}
