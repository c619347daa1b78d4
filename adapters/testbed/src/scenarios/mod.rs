//! What a client of any adapter has to go through. Each panics if something is not as it should be.

mod authenticating;
mod brokers;
mod durable;
mod earlier;
mod exchange;
mod failing;
mod flow;
mod killed;
mod lacks;
mod leaving;
mod network;
mod resuming;
mod routing;
mod secure;
mod settings;
mod unsafe_ends;
mod walkers;

pub use authenticating::*;
pub use brokers::*;
pub(crate) use durable::writer;
pub use durable::*;
pub use earlier::*;
pub use exchange::*;
pub use failing::*;
pub use flow::*;
pub use killed::*;
pub use leaving::*;
pub use network::*;
pub use resuming::*;
pub use routing::*;
pub(crate) use secure::Papers;
pub use secure::*;
pub use settings::*;
pub use unsafe_ends::*;
pub use walkers::*;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mqtt_adapter::{Client, ClientOptions, ConnectionState, Failure, Incoming, Subscription};
use mqtt_session::proto::{QoS, Version};
use mqtt_session::{CleanStart, Message, Reconnect};

use crate::{Adapter, Hub, soon, until};

/// Gives the names of all scenarios to a macro of the adapter, which makes a test of each: the list stands once, and no adapter
/// leaves one out.
#[macro_export]
macro_rules! every_scenario {
    ($tests:ident) => {
        $tests! {
            every_qos_is_delivered
            a_path_in_the_file_system_is_a_server_too
            large_payloads_are_delivered
            filters_are_granted_one_by_one
            each_subscription_has_its_own_messages
            retained_messages_come_with_the_subscription
            overlapping_subscriptions_get_each_message_once
            shared_subscriptions_have_their_own_messages
            what_is_no_subscription_any_more_is_not_told_to_others
            identifiers_of_the_application_are_its_own
            a_server_without_identifiers_is_subscribed_to_without
            requests_get_their_own_answers
            unacknowledged_messages_come_again
            keep_alive_does_not_need_the_application
            handles_are_one_client
            a_refused_client_does_not_try_again
            each_refusal_says_what_to_try
            half_a_handshake_of_mqtt_is_told
            a_busy_server_is_asked_again
            a_stranger_is_not_asked_again
            a_server_may_come_later
            what_cannot_be_dialed_is_said_once
            an_unknown_host_is_told
            each_connection_begins_with_an_authentication
            an_open_connection_is_authenticated_again
            failed_authentications_are_told_and_not_tried_again
            nothing_is_sent_to_a_server_that_proves_nothing
            an_authentication_has_its_deadlines
            publishing_in_the_receive_loop_cannot_deadlock
            a_full_queue_makes_publish_wait
            dropped_futures_lose_nothing
            a_stream_that_nobody_reads_keeps_nobody_waiting
            disconnecting_drains
            disconnecting_has_a_deadline
            dropping_the_last_handle_drains
            a_farewell_is_the_one_that_was_set
            a_cut_connection_leaves_a_will
            cuts_lose_nothing_and_double_nothing
            a_lost_session_is_subscribed_again
            a_subscription_that_is_refused_later_ends
            messages_beyond_the_bound_close_the_connection_and_are_kept
            bytes_beyond_the_bound_close_the_connection_and_are_kept
            a_full_queue_drops_what_is_oldest_if_it_is_told_to
            a_lost_session_repeats_what_it_is_told_to
            a_dropped_client_drains_for_as_long_as_it_is_told
            small_packets_do_not_wait
            what_an_earlier_life_subscribed_to_waits_to_be_taken
            a_durable_session_of_mqtt_3_begins_as_it_is_told
            wrong_urls_are_told_before_anything_is_opened
            acknowledged_means_stored
            a_qos_that_the_server_lacks_can_be_refused
            accepted_messages_survive_a_restart
            accepted_means_stored
            an_earlier_life_ends_nobody_elses_messages
            a_message_is_told_again_until_it_is_acknowledged
            what_nobody_took_is_told_in_the_next_life
            a_full_inbox_cannot_deadlock_the_receive_loop
            restarts_lose_nothing_and_double_nothing
            a_store_that_fails_ends_the_client
            a_store_has_one_client_for_each_session
            a_durable_client_goes_on_with_its_session
            a_broken_network_loses_nothing_and_doubles_nothing
            a_client_that_forgets_is_noticed_behind_a_broken_network
            killed_publishers_lose_nothing
            killed_receivers_lose_nothing
            without_durability_killed_clients_lose_messages
            mosquitto_delivers_every_qos
            mosquitto_keeps_retained_messages
            mosquitto_publishes_wills
            mosquitto_resumes_sessions
            mosquitto_passes_large_payloads_on
            mosquitto_names_subscriptions
            rabbitmq_does_what_it_can
            nats_does_what_it_can
            aedes_does_what_it_can
            paho_is_served
            aiomqtt_is_served
            mqttjs_is_served
            mqttjs_is_served_over_websocket
            rumqttc_is_served
            mosquitto_clients_are_served
            mosquitto_rr_gets_its_answer
            mosquitto_behind_a_broken_network
            mosquitto_sees_killed_publishers_lose_nothing
            mosquitto_sees_killed_receivers_lose_nothing
            layers_carry_every_qos
            layers_carry_large_payloads
            layers_lose_nothing_over_cuts
            certificates_can_be_pinned
            protocols_of_tls_are_agreed_on
            wrong_certificates_are_told_apart
            missing_client_certificates_are_told
            revoked_client_certificates_are_told
            servers_without_tls_are_told
            half_a_handshake_ends_in_time
            refused_websockets_are_told
            mosquitto_speaks_through_layers
        }
    };
}

/// The versions in which everything is tried.
pub const VERSIONS: [Version; 2] = [Version::V5, Version::V3_1_1];
/// Every QoS.
pub const EVERY_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// A server with its hub.
async fn server<A: Adapter>() -> (Arc<Hub>, SocketAddr) {
    let hub = Arc::new(Hub::default());
    let address = A::serve(Arc::clone(&hub), 0).await;
    (hub, address)
}

/// Waits for the end of a client, which is to come by itself or has been asked for. Its store has everything of it then.
async fn ended<A: Adapter>(client: &Client) -> Arc<Failure> {
    let mut states = client.states();
    loop {
        if let Some(ConnectionState::Ended { failure, .. }) = soon::<A, _>("the end", states.next()).await {
            return failure;
        }
    }
}

/// Ends a client, until its store has everything of it and the server has noticed: the next one may have its name.
async fn leaves<A: Adapter>(hub: &Hub, client: Client) {
    client.abort();
    ended::<A>(&client).await;
    until::<A>("the end of the connection", || hub.connections() == 0).await;
}

/// Options that come back quickly.
pub(crate) fn options(address: SocketAddr, version: Version, id: impl Into<Bytes>) -> ClientOptions {
    hasty(
        ClientOptions::tcp(address.ip().to_string(), address.port()),
        version,
        id,
    )
}

pub(crate) fn hasty(options: ClientOptions, version: Version, id: impl Into<Bytes>) -> ClientOptions {
    let reconnect = Reconnect::default()
        .first_delay(Duration::from_millis(10))
        .max_delay(Duration::from_millis(50));
    options
        .version(version)
        .client_id(id)
        .expect("it is text")
        .reconnect(reconnect)
}

/// Options for a session that outlives its connections from the first one on. In MQTT 3 one that begins anew ends with its
/// connection.
fn lasting(address: SocketAddr, version: Version, id: impl Into<Bytes>) -> ClientOptions {
    options(address, version, id).clean_start(CleanStart::Never)
}

/// A client that is connected.
pub(crate) async fn connected<A: Adapter>(options: ClientOptions) -> Client {
    let client = A::start(options);
    soon::<A, _>("connecting", client.established())
        .await
        .expect("the server accepts");
    client
}

pub(crate) fn message(topic: &'static str, number: u32, qos: QoS) -> Message {
    let payload = number.to_be_bytes().to_vec();
    Message::new(topic, payload).expect("it is a topic").qos(qos)
}

pub(crate) fn number(incoming: &Incoming) -> u32 {
    let payload = incoming.message.payload[..].try_into();
    u32::from_be_bytes(payload.expect("the payload is a number"))
}

/// The numbers of the next messages.
async fn numbers<A: Adapter>(subscription: &mut Subscription, count: usize) -> Vec<u32> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        let incoming = soon::<A, _>("a message", subscription.next()).await;
        numbers.push(number(&incoming.expect("the stream goes on")));
    }
    numbers
}
