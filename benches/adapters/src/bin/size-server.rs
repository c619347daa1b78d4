//! A server for the programs whose size is measured: it gives its clients back what they publish, until it is not read from any more.

use std::io::Write;

use mqtt_std::session::proto::{AckProperties, SubAckReason};
use mqtt_std::session::{Accept, ServerConfig, ServerEvent};
use mqtt_std::{Accepted, Listener, Step};

type Failed = Box<dyn std::error::Error + Send + Sync>;

fn serve(accepted: Accepted) -> Result<(), Failed> {
    let mut connection = accepted.connection;
    while let Some(step) = connection.next() {
        let now = connection.now();
        let machine = connection.machine_mut();
        match step {
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

fn main() -> Result<(), Failed> {
    let mut listener = Listener::bind("127.0.0.1:0", ServerConfig::default())?;
    println!("mqtt://{}", listener.local_addr());
    std::io::stdout().flush()?;
    // Both programs, one after the other.
    for _ in 0..2 {
        serve(listener.accept()?)?;
    }
    Ok(())
}
