//! A stream between a device and a server in one process, and one that can be cut at any byte.

use std::collections::VecDeque;

use mqtt_session::Instant;

use super::gate::outside;
use super::server::Server;
use crate::Port;

/// How much time passes from one look at the clock to the next.
const TICK_MICROS: u64 = 100;

/// A line, the server at its other end, and the time that passes.
pub struct Line {
    /// The other end.
    pub server: Server,
    now: u64,
    to_device: VecDeque<u8>,
    /// How many bytes the line carries until it is cut.
    left: Option<usize>,
    is_open: bool,
}

impl Line {
    /// A line to this server.
    #[must_use]
    pub fn new(server: Server) -> Self {
        Self {
            server,
            now: 0,
            to_device: VecDeque::new(),
            left: None,
            is_open: false,
        }
    }

    /// The line is cut when it has carried so many bytes more, in both directions together.
    pub fn cut_after(&mut self, bytes: usize) {
        self.left = Some(bytes);
    }

    /// Whether the line is to be cut.
    #[must_use]
    pub fn will_be_cut(&self) -> bool {
        self.left.is_some()
    }

    /// How many of these bytes the line carries. The last one cuts it.
    fn carry(&mut self, bytes: usize) -> usize {
        let Some(left) = &mut self.left else { return bytes };
        let carried = bytes.min(*left);
        *left -= carried;
        if *left == 0 {
            self.left = None;
            self.is_open = false;
        }
        carried
    }
}

impl Port for &mut Line {
    fn now(&mut self) -> Instant {
        self.now += TICK_MICROS;
        Instant::from_micros(self.now)
    }

    fn open(&mut self) -> bool {
        self.is_open = true;
        self.to_device.clear();
        outside(|| self.server.open());
        true
    }

    fn read(&mut self, into: &mut [u8]) -> Option<usize> {
        if !self.is_open {
            return None;
        }
        outside(|| self.server.send(&mut self.to_device));
        let count = self.carry(self.to_device.len().min(into.len()));
        for place in &mut into[..count] {
            *place = self.to_device.pop_front()?;
        }
        Some(count)
    }

    fn write(&mut self, bytes: &[u8]) -> Option<usize> {
        if !self.is_open {
            return None;
        }
        let count = self.carry(bytes.len());
        outside(|| self.server.receive(&bytes[..count]));
        Some(count)
    }
}
