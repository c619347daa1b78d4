//! What foreign brokers lack, and how a client is told.

use std::net::SocketAddr;
use std::sync::Arc;

use mqtt_adapter::{Cause, ClientOptions, ConnectionState, Failure};
use mqtt_session::proto::{ConnAckReason, QoS, Version};
use mqtt_session::{Closed, Violation};

use super::{connected, message, options};
use crate::{Adapter, Lack, soon};

/// What a broker lacks is what the client is told of it.
pub(super) async fn is_lacking<A: Adapter>(address: SocketAddr, lack: Lack) {
    match lack {
        Lack::Version(version) => {
            let failure = refused::<A>(options(address, version, "lacking")).await;
            assert!(
                matches!(
                    failure.cause,
                    Cause::Closed(Closed::Refused {
                        reason: ConnAckReason::UnsupportedProtocolVersion,
                        ..
                    })
                ),
                "{failure}"
            );
            assert!(failure.to_string().contains("set another version"), "{failure}");
        }
        Lack::VersionUnanswered(version) => {
            let failure = refused::<A>(options(address, version, "lacking")).await;
            assert!(
                failure
                    .to_string()
                    .contains("other versions of MQTT may be worth a try"),
                "{failure}"
            );
        }
        Lack::GrantsAtMost(qos) => {
            let client = connected::<A>(options(address, Version::V3_1_1, "lacking")).await;
            let stream = soon::<A, _>("subscribing", client.subscribe("lacking", QoS::ExactlyOnce))
                .await
                .unwrap();
            assert_eq!(stream.granted().collect::<Vec<_>>(), [Ok(qos)]);
        }
        Lack::ClosesOnQoS2 => {
            let failure = lost_over_qos_2::<A>(address).await;
            assert!(matches!(failure.cause, Cause::Closed(Closed::StreamEnded)), "{failure}");
        }
        Lack::AcknowledgesQoS2AsQoS1 => {
            let failure = lost_over_qos_2::<A>(address).await;
            assert!(
                matches!(
                    failure.cause,
                    Cause::Closed(Closed::Violation(Violation::AcknowledgementOfOtherQoS, _))
                ),
                "{failure}"
            );
            assert!(failure.advice().contains("publish with QoS 1"), "{failure}");
        }
    }
}

async fn refused<A: Adapter>(options: ClientOptions) -> Arc<Failure> {
    let client = A::start(options);
    soon::<A, _>("the refusal", client.established())
        .await
        .expect_err("it is refused")
}

/// Why the connection ends over which a message of QoS 2 is published.
async fn lost_over_qos_2<A: Adapter>(address: SocketAddr) -> Arc<Failure> {
    let client = connected::<A>(options(address, Version::V3_1_1, "lacking")).await;
    let mut states = client.states();
    let publishing = client.publish(message("lacking", 0, QoS::ExactlyOnce));
    publishing.accepted().await.unwrap();
    loop {
        match soon::<A, _>("a state", states.next())
            .await
            .expect("the client goes on")
        {
            ConnectionState::Disconnected { failure, .. } | ConnectionState::Ended { failure, .. } => {
                client.abort();
                return failure;
            }
            _ => {}
        }
    }
}
