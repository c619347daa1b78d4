//! The driver of one client: due timers, bytes out, events, bytes in.

use bytes::Buf;
use core::time::Duration;

use mqtt_session::proto::{TextError, Version};
use mqtt_session::{Client, ClientConfig, Event, Limits, Outbox, Reconnect};

use crate::Port;

/// The largest packet in either direction.
pub const PACKET_BYTES: usize = 256;
/// How many messages of QoS 1 and 2 are open in one direction.
pub const WINDOW: u16 = 4;

/// Limits for a device with little memory.
#[must_use]
pub fn limits() -> Limits {
    Limits::default()
        .packet_bytes(PACKET_BYTES as u32)
        .receive_maximum(WINDOW)
        .send_maximum(WINDOW)
        .packet_ids(16)
        .aliases_accepted(2)
        .aliases_used(2)
        .queued_messages(8)
        .queued_bytes(1024)
        .requests(2)
        .events(8)
        .replies(16)
        .inline_bytes(PACKET_BYTES as u32)
}

/// What the client of the device is.
///
/// # Errors
/// Never: the name is valid.
pub fn config(version: Version) -> Result<ClientConfig, TextError> {
    let reconnect = Reconnect::default().first_delay(Duration::from_millis(10)).factor(1);
    Ok(ClientConfig::new("device-7")?
        .version(version)
        .reconnect(reconnect)
        .limits(limits()))
}

/// One client, its buffers and its port.
pub struct Device<P> {
    /// The client.
    pub client: Client,
    /// The world.
    pub port: P,
    outbox: Outbox,
    input: [u8; PACKET_BYTES],
    filled: usize,
    is_open: bool,
}

impl<P: Port> Device<P> {
    /// A device with this client.
    #[must_use]
    pub fn new(config: ClientConfig, mut port: P) -> Self {
        Self {
            client: Client::new(config, port.now()),
            port,
            outbox: Outbox::new(PACKET_BYTES),
            input: [0; PACKET_BYTES],
            filled: 0,
            is_open: false,
        }
    }

    /// Does what is to be done, and returns the next event that is the application's.
    pub fn step(&mut self) -> Option<Event> {
        self.work();
        match self.client.poll_event()? {
            Event::Open => {
                self.open();
                None
            }
            event => Some(event),
        }
    }

    /// Does what is to be done before an event is taken.
    pub fn work(&mut self) {
        let now = self.port.now();
        if self.client.poll_timeout().is_some_and(|timeout| timeout.at <= now) {
            self.client.handle_timeout(now);
        }
        if self.is_open {
            self.send();
            self.receive();
        }
    }

    fn open(&mut self) {
        let now = self.port.now();
        self.outbox.clear();
        self.filled = 0;
        self.is_open = self.port.open();
        if self.is_open {
            self.client.handle_open(now);
        } else {
            self.client.handle_open_failed(now, true);
        }
    }

    fn send(&mut self) {
        self.client.poll_transmit(&mut self.outbox);
        while !self.outbox.is_empty() {
            match self.port.write(self.outbox.chunk()) {
                None => return self.close(),
                Some(0) => return,
                Some(count) => self.outbox.advance(count),
            }
        }
        if self.client.is_drained() {
            self.close();
        }
    }

    fn receive(&mut self) {
        if self.client.input_room() == 0 || !self.is_open {
            return;
        }
        let now = self.port.now();
        let Some(count) = self.port.read(&mut self.input[self.filled..]) else {
            self.close();
            return;
        };
        self.filled += count;
        let mut rest = &self.input[..self.filled];
        self.client.handle_input(now, &mut rest);
        let left = rest.len();
        self.input.copy_within(self.filled - left..self.filled, 0);
        self.filled = left;
    }

    fn close(&mut self) {
        self.is_open = false;
        let now = self.port.now();
        self.client.handle_eof(now);
    }
}
