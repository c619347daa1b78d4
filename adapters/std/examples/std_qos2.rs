//! QoS 2, step by step: what each end has at each point, and what it knows of the other.

mod support;

use std::time::Duration;

use mqtt_std::{Acknowledge, ClientOptions, Message, Published, QoS, block_on};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = ClientOptions::from_url(&support::url())?.client_id("walker")?;
    let client = mqtt_std::connect(options.acknowledge(Acknowledge::ByApplication))?;
    let mut doors = client.subscribe("door/+/open", QoS::ExactlyOnce)?;

    // The message is the client's: it goes out when there is a connection and room in the window, again after a cut, and with a
    // store (see `std_durable`) also after a restart.
    let completion = client.try_publish(Message::new("door/1/open", "once")?.qos(QoS::ExactlyOnce))?;
    println!("taken: {} has not ended", client.statistics().unfinished);

    // PUBLISH goes, PUBREC comes: the server has the message, and knows its number. PUBREL goes, PUBCOMP comes: the number is
    // free again, and nothing that is repeated can be taken for another message.
    match block_on(completion)? {
        Published::Acknowledged(reason) => println!("completed: {reason:?}"),
        other => println!("{other:?}"),
    }

    // The other way round PUBREC waits for the application: until then the message is the server's.
    let incoming = doors.next().ok_or("the client has ended")?;
    println!("received: {:?}", incoming.message);
    println!(
        "the door is opened, in the transaction that keeps {:?}",
        incoming.delivery
    );
    incoming.acknowledge()?;

    // It came once, and does not come again.
    assert!(doors.next_within(Duration::from_millis(200)).is_none());
    Ok(client.disconnect(Duration::from_secs(5))?)
}
