//! A server in 40 lines: it serves any number of clients, and gives each back what it publishes.

#[path = "support/visitor.rs"]
mod visitor;

use std::thread;

use mqtt_std::session::proto::{AckProperties, SubAckReason, Text};
use mqtt_std::session::{Accept, ServerConfig, ServerEvent};
use mqtt_std::{Accepted, Listener, Step};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Another client may come in the place of this one when it is over.
fn serve(accepted: Accepted) -> Result<(), Error> {
    let mut connection = accepted.connection;
    while let Some(step) = connection.next() {
        let now = connection.now();
        let machine = connection.machine_mut();
        match step {
            Step::Event(ServerEvent::Connect(connect)) if connect.client_id.is_empty() => {
                let name = Text::from_bytes(format!("guest-{}", accepted.peer.port()).into())?;
                machine.accept(now, Accept::new().assigned_client_id(name))?;
            }
            Step::Event(ServerEvent::Connect(_)) => machine.accept(now, Accept::new())?,
            Step::Event(ServerEvent::Subscribe { request, filters, .. }) => {
                let codes = filters.iter().map(|one| SubAckReason::granted(one.options.qos));
                machine.subscribed(now, request, codes, AckProperties::empty())?;
            }
            Step::Event(ServerEvent::Message(received)) => drop(machine.publish(now, received.message, 0)?),
            _ => {}
        }
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    let mut listener = Listener::bind("127.0.0.1:0", ServerConfig::default())?;
    let address = listener.local_addr();
    thread::spawn(move || {
        while let Ok(accepted) = listener.accept() {
            thread::spawn(move || serve(accepted));
        }
    });
    visitor::visit(&format!("mqtt://{address}"))
}
