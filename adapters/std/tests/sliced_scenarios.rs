//! What all adapters go through, once more: with sockets that are read in slices, at both ends.

mod adapter;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use adapter::{Server, Std};
use mqtt_std::adapter::Client;
use mqtt_std::session::ServerConnection;
use mqtt_std::{ClientOptions, Clock, Connection, DialError, ServerLayers, Sliced};
use mqtt_testbed::{Adapter, Boxed, Hub, scenarios};

const SLICE: Duration = Duration::from_millis(2);

/// std without waiting for sockets.
struct InSlices;

fn sliced(socket: TcpStream) -> Sliced<TcpStream> {
    socket.set_read_timeout(Some(SLICE)).unwrap();
    socket.set_write_timeout(Some(SLICE)).unwrap();
    socket.set_nodelay(true).unwrap();
    let close = |socket: &mut TcpStream| socket.shutdown(std::net::Shutdown::Write);
    Sliced::new(socket).read_slice(SLICE).closing(close)
}

impl Adapter for InSlices {
    fn start(options: ClientOptions) -> Client {
        let dial = |endpoint: &mqtt_std::Endpoint| {
            let socket = TcpStream::connect((endpoint.host(), endpoint.port()));
            socket.map(sliced).map_err(DialError::connect)
        };
        mqtt_std::start_with(options, dial).unwrap().handle().clone()
    }

    fn sleep(time: Duration) -> Boxed<()> {
        Std::sleep(time)
    }

    fn serve_with(hub: Arc<Hub>, port: u16, layers: ServerLayers) -> Boxed<SocketAddr> {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for socket in listener.incoming() {
                let (hub, layers) = (Arc::clone(&hub), layers.clone());
                let stream = sliced(socket.unwrap());
                thread::spawn(move || {
                    let clock = Clock::new();
                    let machine = ServerConnection::new(hub.config(), clock.now());
                    let connection = Connection::accepted_with(machine, stream, &layers, clock).unwrap();
                    connection.block_on(|connection| mqtt_testbed::serve(hub, Server(connection)));
                });
            }
        });
        Box::pin(std::future::ready(address))
    }
}

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                mqtt_std::block_on(scenarios::$name::<InSlices>());
            }
        )*
    };
}

// The others are about what is the same for every stream.
scenarios! {
    every_qos_is_delivered
    large_payloads_are_delivered
    requests_get_their_own_answers
    unacknowledged_messages_come_again
    handles_are_one_client
    a_refused_client_does_not_try_again
    a_server_may_come_later
    publishing_in_the_receive_loop_cannot_deadlock
    a_full_queue_makes_publish_wait
    a_stream_that_nobody_reads_keeps_nobody_waiting
    disconnecting_drains
    disconnecting_has_a_deadline
    dropping_the_last_handle_drains
    cuts_lose_nothing_and_double_nothing
    layers_carry_every_qos
    layers_carry_large_payloads
    layers_lose_nothing_over_cuts
    half_a_handshake_ends_in_time
}
