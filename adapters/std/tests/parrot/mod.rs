//! A server that gives its clients back what they publish.

use mqtt_std::session::proto::{AckProperties, SubAckReason};
use mqtt_std::session::{Accept, Instant, ServerConnection, ServerEvent};

/// Answers to one event. Whether it was a message.
pub(crate) fn answers(machine: &mut ServerConnection, now: Instant, event: ServerEvent) -> bool {
    match event {
        ServerEvent::Connect(_) => machine.accept(now, Accept::new()).unwrap(),
        ServerEvent::Subscribe { request, filters, .. } => {
            let codes = filters.iter().map(|one| SubAckReason::granted(one.options.qos));
            machine.subscribed(now, request, codes, AckProperties::empty()).unwrap();
        }
        ServerEvent::Message(received) => {
            let message = received.message.reply("answer").unwrap_or(received.message);
            // The client may have said farewell in the same breath.
            let _ = machine.publish(now, message, 0);
            return true;
        }
        _ => {}
    }
    false
}
