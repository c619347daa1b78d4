//! The engine with no adapter at all: a client and a server connection, and between them two `Vec<u8>`. No socket, no clock, no
//! thread; time is a number that the loop counts up.

use mqtt_session::{
    Accept, Client, ClientConfig, Event, Instant, Message, Outbox, QoS, ServerConfig, ServerConnection, ServerEvent,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut now = Instant::ZERO;
    let mut client = Client::new(ClientConfig::new("sensor-7")?, now);
    let mut server = ServerConnection::new(ServerConfig::default(), now);
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    let (mut client_outbox, mut server_outbox) = (Outbox::default(), Outbox::default());
    let message = Message::new("home/temperature", "21.5")?.qos(QoS::ExactlyOnce);
    client.publish(now, message, 7)?;

    loop {
        now = now.saturating_add(std::time::Duration::from_millis(1));
        while let Some(event) = client.poll_event() {
            match event {
                Event::Open => client.handle_open(now),
                Event::Connected { .. } => println!("client: connected"),
                Event::Completed { tag, outcome, .. } => {
                    println!("client: message {tag}: {outcome:?}");
                    client.disconnect(now);
                }
                Event::Closed { reason, .. } => println!("client: {reason}"),
                _ => {}
            }
        }
        while let Some(event) = server.poll_event() {
            match event {
                ServerEvent::Connect(connect) => {
                    println!("server: {} connects", connect.client_id);
                    server.accept(now, Accept::new())?;
                }
                ServerEvent::Message(received) => println!("server: {:?}", received.message),
                ServerEvent::Closed { reason, .. } => {
                    println!("server: {reason}");
                    return Ok(());
                }
                _ => {}
            }
        }

        // What they say is written into the buffers, and what they take is taken off their fronts.
        client.poll_transmit(&mut client_outbox);
        take(&mut client_outbox, &mut to_server);
        server.poll_transmit(&mut server_outbox);
        take(&mut server_outbox, &mut to_client);
        feed(&mut to_server, |input| server.handle_input(now, input));
        feed(&mut to_client, |input| client.handle_input(now, input));

        if client.poll_timeout().is_some_and(|timeout| timeout.at <= now) {
            client.handle_timeout(now);
        }
        if server.poll_timeout().is_some_and(|timeout| timeout.at <= now) {
            server.handle_timeout(now);
        }
    }
}

/// Everything that waits to be written.
fn take(outbox: &mut Outbox, to: &mut Vec<u8>) {
    use bytes::Buf;

    while outbox.has_remaining() {
        let len = outbox.chunk().len();
        to.extend_from_slice(outbox.chunk());
        outbox.advance(len);
    }
}

/// Whole packets are taken; the rest stays.
fn feed(buffer: &mut Vec<u8>, handle: impl FnOnce(&mut &[u8])) {
    let mut input = &buffer[..];
    handle(&mut input);
    let taken = buffer.len() - input.len();
    buffer.drain(..taken);
}
