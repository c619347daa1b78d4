//! A client on a thread goes through the scenarios of all adapters, against a server on threads.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mqtt_std::adapter::Client;
use mqtt_std::session::{Instant, ServerConnection, ServerEvent};
use mqtt_std::{ClientOptions, Connection, Listener, Step};
use mqtt_testbed::{Adapter, Boxed, Hub, Served, scenarios};

struct Std;

impl Adapter for Std {
    fn start(options: ClientOptions) -> Client {
        mqtt_std::start(options).unwrap().handle().clone()
    }

    fn sleep(time: Duration) -> Boxed<()> {
        let end = std::time::Instant::now() + time;
        let mut is_timed = false;
        Box::pin(std::future::poll_fn(move |cx| {
            if std::time::Instant::now() >= end {
                return std::task::Poll::Ready(());
            }
            if !std::mem::replace(&mut is_timed, true) {
                let waker = cx.waker().clone();
                thread::spawn(move || {
                    thread::sleep(end.saturating_duration_since(std::time::Instant::now()));
                    waker.wake();
                });
            }
            std::task::Poll::Pending
        }))
    }

    fn serve(hub: Arc<Hub>, port: u16) -> Boxed<SocketAddr> {
        Box::pin(async move {
            let mut listener = Listener::bind(("127.0.0.1", port), Hub::config()).unwrap();
            let address = listener.local_addr();
            thread::spawn(move || {
                loop {
                    let accepted = listener.accept().unwrap();
                    let hub = Arc::clone(&hub);
                    thread::spawn(move || {
                        let connection = accepted.connection;
                        connection.block_on(|connection| mqtt_testbed::serve(hub, Server(connection)));
                        drop(accepted.place);
                    });
                }
            });
            address
        })
    }
}

struct Server(Connection<ServerConnection, TcpStream>);

impl Served for Server {
    async fn next(&mut self) -> Option<Step<ServerEvent>> {
        std::future::poll_fn(|cx| self.0.poll_next(cx)).await
    }

    fn machine_mut(&mut self) -> &mut ServerConnection {
        self.0.machine_mut()
    }

    fn now(&self) -> Instant {
        self.0.now()
    }
}

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                mqtt_std::block_on(scenarios::$name::<Std>());
            }
        )*
    };
}

scenarios! {
    every_qos_is_delivered
    large_payloads_are_delivered
    filters_are_granted_one_by_one
    each_subscription_has_its_own_messages
    retained_messages_come_with_the_subscription
    requests_get_their_own_answers
    unacknowledged_messages_come_again
    keep_alive_does_not_need_the_application
    handles_are_one_client
    a_refused_client_does_not_try_again
    a_busy_server_is_asked_again
    a_stranger_is_not_asked_again
    a_server_may_come_later
    what_cannot_be_dialed_is_said_once
    an_unknown_host_is_told
    publishing_in_the_receive_loop_cannot_deadlock
    a_full_queue_makes_publish_wait
    dropped_futures_lose_nothing
    a_stream_that_nobody_reads_keeps_nobody_waiting
    disconnecting_drains
    disconnecting_has_a_deadline
    dropping_the_last_handle_drains
    a_cut_connection_leaves_a_will
    cuts_lose_nothing_and_double_nothing
    a_lost_session_is_subscribed_again
    a_subscription_that_is_refused_later_ends
    messages_beyond_the_bound_close_the_connection_and_are_kept
    mosquitto_delivers_every_qos
    mosquitto_keeps_retained_messages
    mosquitto_publishes_wills
    mosquitto_resumes_sessions
    mosquitto_passes_large_payloads_on
    rabbitmq_does_what_it_can
    nats_does_what_it_can
    aedes_does_what_it_can
    paho_is_served
    aiomqtt_is_served
    mqttjs_is_served
    rumqttc_is_served
    mosquitto_clients_are_served
    mosquitto_rr_gets_its_answer
}
