//! The image.

use core::convert::Infallible;
use core::future::Future;
use core::mem::size_of_val;
use core::panic::PanicInfo;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embedded_io_async::{ErrorType, Read, Write};
use mqtt_firmware::board::{Board, stack_depth};
use mqtt_firmware::device::PACKET_BYTES;
use mqtt_firmware::program::{PAYLOAD_BYTES, REPORT_TOPIC, ROUNDS, TOPIC};
use mqtt_firmware::{Arena, Port, Report};
use rust_mqtt::Bytes;
use rust_mqtt::buffer::BumpBuffer;
use rust_mqtt::client::Client;
use rust_mqtt::client::event::Event;
use rust_mqtt::client::options::{
    ConnectOptions, DisconnectOptions, PublicationOptions, SubscriptionOptions, TopicReference,
};
use rust_mqtt::types::{MqttString, QoS, TopicFilter, TopicName};

/// The board brings the state machines along, which could allocate; this program does not.
#[global_allocator]
static ARENA: Arena<64> = Arena::new();

/// The windows and aliases of `device::limits`.
type Peer<'a, 'c> = Client<'a, 'c, Line<'a>, BumpBuffer<'c>, 2, 4, 4, 1, 1, 2, 2>;

#[cortex_m_rt::entry]
fn main() -> ! {
    if let Some(mut board) = Board::take() {
        // The server sees what went wrong: it gets no report.
        let _ = block_on(run(&mut board));
    }
    stop()
}

async fn run(board: &mut Board) -> Option<()> {
    let mut memory = [0; PACKET_BYTES];
    let mut buffer = BumpBuffer::new(&mut memory);
    let mut client = Peer::new(&mut buffer);
    let name = MqttString::from_str("device-7").ok()?;
    let options = ConnectOptions::new().clean_start();
    client.connect(Line(board), &options, Some(name)).await.ok()?;
    reset(&mut client);
    let topic = TopicName::new(MqttString::from_str(TOPIC).ok()?)?;
    let filter = TopicFilter::new(MqttString::from_str(TOPIC).ok()?)?;
    client
        .subscribe(filter, &SubscriptionOptions::new().exactly_once())
        .await
        .ok()?;
    matches!(client.poll().await.ok()?, Event::Suback(_)).then_some(())?;
    reset(&mut client);
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        for round in 0..ROUNDS {
            exchange(&mut client, &topic, qos, &[round; PAYLOAD_BYTES]).await?;
        }
    }
    let report = Report {
        client_bytes: size_of_val(&client) as u32,
        buffer_bytes: PACKET_BYTES as u32,
        heap_held: ARENA.marks().held as u32,
        heap_reach: ARENA.marks().reach as u32,
        stack: stack_depth(),
    };
    let topic = TopicName::new(MqttString::from_str(REPORT_TOPIC).ok()?)?;
    let options = PublicationOptions::new(TopicReference::Name(topic)).at_least_once();
    client
        .publish(&options, Bytes::from(&report.to_bytes()[..]))
        .await
        .ok()?;
    matches!(client.poll().await.ok()?, Event::PublishAcknowledged(_)).then_some(())?;
    client.disconnect(&DisconnectOptions::new()).await.ok()?;
    Some(())
}

/// Sends a message, and waits until it is done and has come back.
async fn exchange(client: &mut Peer<'_, '_>, topic: &TopicName<'_>, qos: QoS, payload: &[u8]) -> Option<()> {
    let options = PublicationOptions::new(TopicReference::Name(topic.as_borrowed())).qos(qos);
    client.publish(&options, Bytes::from(payload)).await.ok()?;
    let mut is_done = qos == QoS::AtMostOnce;
    // A message of QoS 2 is over when the server has released it.
    let (mut is_back, mut is_released) = (false, qos != QoS::ExactlyOnce);
    while !(is_done && is_back && is_released) {
        match client.poll().await.ok()? {
            Event::PublishAcknowledged(_) | Event::PublishComplete(_) => is_done = true,
            Event::Publish(publish) => is_back = (publish.message.as_bytes() == payload).then_some(true)?,
            Event::PublishReleased(_) => is_released = true,
            _ => {}
        }
        reset(client);
    }
    Some(())
}

/// Gives the memory of what was received back.
fn reset(client: &mut Peer<'_, '_>) {
    // SAFETY: the events that were taken, which borrow from the buffer, are gone.
    unsafe { client.buffer_mut().reset() }
}

struct Line<'a>(&'a mut Board);

impl ErrorType for Line<'_> {
    type Error = Infallible;
}

impl Read for Line<'_> {
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, Infallible> {
        loop {
            match self.0.read(into) {
                Some(0) => {}
                count => return Ok(count.unwrap_or(0)),
            }
        }
    }
}

impl Write for Line<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        loop {
            match self.0.write(bytes) {
                Some(0) => {}
                count => return Ok(count.unwrap_or(0)),
            }
        }
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// The line never says that something is pending, so the first poll is the last.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

fn stop() -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    stop()
}
