//! One stream of a shard.

use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use mqtt_session::{ConnectionId, Outbox};

use super::bells::Bell;
use super::entrance::Claim;
use super::figures::Traffic;
use super::proxied::Proxied;
use crate::places::Place;
use crate::{Carrier, Transport};

/// How many pieces one write takes.
const SLICES: usize = 64;
/// How much of what the other end still says is read from a stream that was closed at this end.
const CLOSE_BYTES: u32 = 1 << 20;

/// A stream, and what there is of it. One that is idle holds neither unread bytes nor an outbox.
pub(super) struct Line<T> {
    pub(super) bell: Arc<Bell>,
    waker: Waker,
    /// Tells it from others that had its place before.
    pub(super) serial: u64,
    pub(super) id: ConnectionId,
    pub(super) stage: Stage,
    stream: Carrier<Proxied<T>>,
    /// What was read and not taken.
    pub(super) unread: BytesMut,
    /// What is to be written, if there is something.
    pub(super) outbox: Option<Box<Outbox>>,
    pub(super) flags: Flags,
    left_bytes: u32,
    /// Why it cannot be written to any more.
    pub(super) broken: Option<io::Error>,
    room: Room,
}

/// What a stream takes up as long as it is there.
pub(super) struct Room {
    /// Of its listener.
    _place: Place,
    /// Of its address.
    claim: Claim,
}

impl Room {
    pub(super) const fn new(place: Place, claim: Claim) -> Self {
        Self { _place: place, claim }
    }
}

/// What is known of a line until its turn.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    /// It stands in the list of those that are to be served.
    pub(super) is_due: bool,
    /// Its outbox has everything that there is to be sent.
    pub(super) is_filled: bool,
    /// There is more to be sent than fitted into its turn.
    pub(super) has_more: bool,
    /// It was not read, since the broker had no room.
    pub(super) is_held: bool,
    /// The handshakes of its layers are over.
    pub(super) is_open: bool,
    /// It is known that its client belongs to this shard.
    pub(super) is_placed: bool,
    /// The stream has kept some of what was written.
    pub(super) is_unflushed: bool,
    /// The stream takes nothing. It calls when it does.
    pub(super) is_blocked: bool,
    is_closed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The broker has it.
    Open,
    /// The broker has said everything: the rest is written, and the stream is closed.
    Last,
}

impl<T: Transport> Line<T> {
    pub(super) fn new(bell: Arc<Bell>, serial: u64, id: ConnectionId, stream: Carrier<Proxied<T>>, room: Room) -> Self {
        Self {
            waker: Arc::clone(&bell).into(),
            bell,
            serial,
            id,
            stage: Stage::Open,
            stream,
            unread: BytesMut::new(),
            outbox: None,
            flags: Flags::default(),
            left_bytes: CLOSE_BYTES,
            broken: None,
            room,
        }
    }

    pub(super) const fn stream(&self) -> &Carrier<Proxied<T>> {
        &self.stream
    }

    /// The address of the client is known. Whether there is room for one more of it.
    pub(super) fn claim(&mut self, address: IpAddr) -> bool {
        self.room.claim.as_mut().is_none_or(|claim| claim.claim(address))
    }

    /// The stream, and what it takes with it to another shard.
    pub(super) fn into_stream(self) -> (Carrier<Proxied<T>>, BytesMut, Room) {
        (self.stream, self.unread, self.room)
    }

    /// Reads what is there, at most as much as fits.
    pub(super) fn poll_read(&mut self, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.stream.poll_read(&mut Context::from_waker(&self.waker), buffer)
    }

    /// Writes as much as the stream takes, many packets at once. The rest is left, and one that takes nothing is not asked again
    /// before it has called: who does not read costs nothing but his queue.
    pub(super) fn write(&mut self, outbox: &mut Outbox, traffic: &mut Traffic) -> io::Result<()> {
        if self.flags.is_blocked {
            return Ok(());
        }
        let cx = &mut Context::from_waker(&self.waker);
        while !outbox.is_empty() {
            let mut chunks = [&[][..]; SLICES];
            let filled = outbox.chunks(&mut chunks);
            let written = if filled == 1 {
                self.stream.poll_write(cx, &[IoSlice::new(chunks[0])])?
            } else {
                let slices = chunks.map(IoSlice::new);
                self.stream.poll_write(cx, &slices[..filled])?
            };
            match written {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(len) => {
                    traffic.writes += 1;
                    traffic.bytes_written += len as u64;
                    outbox.advance(len);
                    self.flags.is_unflushed = true;
                }
                Poll::Pending => {
                    self.flags.is_blocked = true;
                    break;
                }
            }
        }
        if self.flags.is_unflushed && !self.flags.is_blocked {
            self.flags.is_unflushed = self.stream.poll_flush(cx)?.is_pending();
        }
        Ok(())
    }

    /// Everything is written: lets it arrive. A socket that is dropped with unread input resets the connection, and the
    /// other end may lose what it has not read. Ready when the stream can be dropped.
    pub(super) fn poll_linger(&mut self, scratch: &mut [u8]) -> Poll<()> {
        let cx = &mut Context::from_waker(&self.waker);
        if !self.flags.is_closed {
            match self.stream.poll_close(cx) {
                Poll::Ready(Ok(())) => self.flags.is_closed = true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {}
            }
        }
        loop {
            let Poll::Ready(read) = self.stream.poll_read(cx, scratch) else {
                return Poll::Pending;
            };
            let len = read.ok().and_then(|len| u32::try_from(len).ok()).unwrap_or(0);
            match self.left_bytes.checked_sub(len) {
                Some(left) if len > 0 => self.left_bytes = left,
                _ => return Poll::Ready(()),
            }
        }
    }
}
