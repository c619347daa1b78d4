//! The stream between client and server, in virtual time: latency, bandwidth, partial writes, cuts, and a dead direction.

use core::time::Duration;
use std::collections::VecDeque;

use mqtt_session::Instant;

use super::Side;

/// How the stream behaves while nothing goes wrong with it.
#[derive(Clone, Copy, Debug)]
pub struct LinkConfig {
    /// How long a byte travels.
    pub latency: Duration,
    /// How many bytes are sent in a millisecond.
    pub bytes_a_tick: u32,
    /// How many bytes may be written and not read: a write takes no more.
    pub window_bytes: usize,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(5),
            bytes_a_tick: 10_000,
            window_bytes: 1 << 16,
        }
    }
}

/// One direction.
#[derive(Clone, Debug, Default)]
struct Direction {
    /// Bytes under way, with the time of their arrival.
    pieces: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    /// When the last of them has been sent.
    busy_until: Instant,
    /// What is written disappears, and nobody is told.
    is_dead: bool,
    /// How many more bytes pass before the stream is cut.
    cut_after: Option<u64>,
    /// Nothing follows what is under way.
    is_ended: bool,
}

/// The stream.
#[derive(Clone, Debug)]
pub(super) struct Link {
    config: LinkConfig,
    is_open: bool,
    /// By the side that reads.
    towards: [Direction; 2],
}

impl Link {
    pub(super) fn new(config: LinkConfig) -> Self {
        Self {
            config,
            is_open: false,
            towards: Default::default(),
        }
    }

    pub(super) fn open(&mut self) {
        *self = Self::new(self.config);
        self.is_open = true;
    }

    pub(super) const fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether it is open and has not been cut.
    pub(super) fn passes(&self) -> bool {
        self.is_open && !self.towards.iter().any(|direction| direction.is_ended)
    }

    fn read_by(&mut self, side: Side) -> &mut Direction {
        &mut self.towards[side.index()]
    }

    /// How many bytes this side can write.
    pub(super) fn room(&self, from: Side) -> usize {
        let direction = &self.towards[from.other().index()];
        match self.is_open {
            true if direction.is_dead => usize::MAX,
            true => self.config.window_bytes.saturating_sub(direction.bytes),
            false => 0,
        }
    }

    /// Bytes leave a side. Returns whether the stream was cut by them.
    pub(super) fn write(&mut self, from: Side, now: Instant, bytes: &[u8]) -> bool {
        let LinkConfig {
            latency, bytes_a_tick, ..
        } = self.config;
        let direction = self.read_by(from.other());
        if direction.is_dead || direction.is_ended || bytes.is_empty() {
            return false;
        }
        let passing = direction.cut_after.map_or(bytes.len(), |after| {
            usize::try_from(after).map_or(bytes.len(), |after| after.min(bytes.len()))
        });
        direction.cut_after = direction
            .cut_after
            .map(|after| after.saturating_sub(bytes.len() as u64));
        let micros = (passing as u64).saturating_mul(1000) / u64::from(bytes_a_tick.max(1));
        direction.busy_until = direction.busy_until.max(now) + Duration::from_micros(micros);
        let arrival = direction.busy_until + latency;
        direction.pieces.push_back((arrival, bytes[..passing].to_vec()));
        direction.bytes += passing;
        if passing < bytes.len() || direction.cut_after == Some(0) {
            self.end();
            return true;
        }
        false
    }

    /// Takes up to `limit` bytes that have arrived.
    pub(super) fn read(&mut self, by: Side, now: Instant, limit: usize, into: &mut impl Extend<u8>) -> usize {
        let direction = self.read_by(by);
        let mut taken = 0;
        while taken < limit {
            let Some((_, piece)) = direction.pieces.front_mut().filter(|(at, _)| *at <= now) else {
                break;
            };
            let count = piece.len().min(limit - taken);
            into.extend(piece.drain(..count));
            taken += count;
            if piece.is_empty() {
                direction.pieces.pop_front();
            }
        }
        direction.bytes -= taken;
        taken
    }

    /// The bytes under way arrive, and nothing after them.
    pub(super) fn end(&mut self) {
        for direction in &mut self.towards {
            direction.is_ended = true;
        }
    }

    /// Bytes under way are lost from this one on.
    pub(super) fn truncate(&mut self, by: Side, keep: usize) -> bool {
        let direction = self.read_by(by);
        let mut left = keep;
        let before = direction.bytes;
        for (_, piece) in &mut direction.pieces {
            piece.truncate(left);
            left -= piece.len();
        }
        direction.pieces.retain(|(_, piece)| !piece.is_empty());
        direction.bytes = before.min(keep);
        direction.bytes < before
    }

    pub(super) fn cut_after(&mut self, from: Side, bytes: u64) -> bool {
        self.read_by(from.other()).cut_after = Some(bytes);
        self.passes()
    }

    /// What this side writes from here on disappears.
    pub(super) fn kill(&mut self, from: Side) -> bool {
        let was_dead = core::mem::replace(&mut self.read_by(from.other()).is_dead, true);
        !was_dead && self.passes()
    }

    pub(super) fn is_damaged(&self) -> bool {
        self.towards
            .iter()
            .any(|direction| direction.is_dead || direction.cut_after.is_some())
    }

    /// Whether this side has read everything, and the end.
    pub(super) fn has_ended(&self, by: Side) -> bool {
        let direction = &self.towards[by.index()];
        direction.is_ended && direction.pieces.is_empty()
    }

    pub(super) fn under_way(&self, by: Side) -> usize {
        self.towards[by.index()].bytes
    }

    pub(super) fn next_arrival(&self, by: Side) -> Option<Instant> {
        self.towards[by.index()].pieces.front().map(|(at, _)| *at)
    }
}
