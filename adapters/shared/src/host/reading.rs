//! Bytes from clients.

use std::io;
use std::task::Poll;

use bytes::BytesMut;
use mqtt_session::Instant;

use super::bells::Place;
use super::entrance::Network;
use super::line::Stage;
use super::policy::Policy;
use super::shard::Shard;

/// How often a stream is read in one turn.
const READS: usize = 4;
/// So much that was left of a packet is moved to where the rest of it is read to. More is held by itself.
const MOVED_BYTES: usize = 4096;
/// How much is read of a client that waits to be let in, behind what it has said: enough to hear whether it is still there.
const AHEAD_BYTES: usize = 1024;
/// How often a stream that cannot be written to is read, so that nothing is missed that the other end said before.
const LAST_READS: usize = 64;

impl<N: Network, P: Policy> Shard<N, P> {
    /// A line has called.
    pub(super) fn look_at(&mut self, number: u32, now: Instant) {
        let Some(line) = self.lines.get_mut(number) else { return };
        line.bell.answer();
        line.flags.is_blocked = false;
        let has_more = std::mem::take(&mut line.flags.has_more);
        if has_more || line.outbox.is_some() || line.flags.is_unflushed || line.stage == Stage::Last {
            self.serve_later(number);
        }
        if self.read(number, now, READS) {
            self.again.push(Place::Line(number));
        }
    }

    /// Reads, so often at most. Whether there may be more.
    fn read(&mut self, number: u32, now: Instant, most: usize) -> bool {
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut has_more = true;
        for _ in 0..most {
            has_more = self.read_once(number, now, &mut scratch);
            if !has_more {
                break;
            }
        }
        self.scratch = scratch;
        has_more
    }

    fn read_once(&mut self, number: u32, now: Instant, scratch: &mut [u8]) -> bool {
        let Some(line) = self.lines.get_mut(number) else {
            return false;
        };
        if line.stage == Stage::Last {
            return false;
        }
        let unread = line.unread.len();
        let room = self.broker.input_room(line.id).saturating_sub(unread);
        if room == 0 {
            self.hold(number);
            self.hear_end(number, now, scratch);
            return false;
        }
        let front = if unread <= MOVED_BYTES { unread } else { 0 };
        scratch[..front].copy_from_slice(&line.unread[..front]);
        let end = scratch.len().min(front.saturating_add(room));
        let len = match line.poll_read(&mut scratch[front..end]) {
            Poll::Pending => return false,
            Poll::Ready(Ok(0)) => {
                let error = line.broken.take();
                self.stream_ended(number, now, error);
                return false;
            }
            Poll::Ready(Ok(len)) => len,
            Poll::Ready(Err(error)) => {
                let error = line.broken.take().unwrap_or(error);
                self.stream_ended(number, now, Some(error));
                return false;
            }
        };
        self.traffic.reads += 1;
        self.traffic.bytes_read += len as u64;
        let (is_open, is_placed) = (line.flags.is_open, line.flags.is_placed);
        if !is_placed {
            line.unread.extend_from_slice(&scratch[front..front + len]);
        } else if front == unread {
            line.unread = BytesMut::new();
        } else {
            line.unread.extend_from_slice(&scratch[..len]);
        }
        if !is_open && !self.opened(number, now) {
            return false;
        }
        if !is_placed {
            self.place(number, now);
        } else if front == unread {
            self.feed(number, now, &scratch[..front + len]);
        } else {
            self.feed_unread(number, now);
        }
        true
    }

    /// The broker has no room for more of this line.
    fn hold(&mut self, number: u32) {
        let holds_all = self.may_hold_all();
        let Some(line) = self.lines.get_mut(number) else { return };
        if !std::mem::replace(&mut line.flags.is_held, true) && holds_all {
            self.held.push(number);
        }
    }

    /// A client that waits to be let in, as for the check of its password, may go meanwhile: then nobody has to decide about it any more. One
    /// that has said more before it went is heard when it is let in.
    fn hear_end(&mut self, number: u32, now: Instant, scratch: &mut [u8]) {
        let Some(line) = self.lines.get_mut(number) else { return };
        let is_let_in = self.broker.client_id(line.id).is_some();
        if is_let_in || !line.flags.is_placed || !line.unread.is_empty() {
            return;
        }
        let most = scratch.len().min(AHEAD_BYTES);
        match line.poll_read(&mut scratch[..most]) {
            Poll::Pending => {}
            Poll::Ready(Ok(0)) => {
                let error = line.broken.take();
                self.stream_ended(number, now, error);
            }
            Poll::Ready(Ok(len)) => {
                line.unread.extend_from_slice(&scratch[..len]);
                self.traffic.reads += 1;
                self.traffic.bytes_read += len as u64;
            }
            Poll::Ready(Err(error)) => {
                let error = line.broken.take().unwrap_or(error);
                self.stream_ended(number, now, Some(error));
            }
        }
    }

    /// What held lines back may be over.
    pub(super) fn look_at_held(&mut self) {
        let mut held = std::mem::take(&mut self.held);
        for number in held.drain(..) {
            self.serve_later(number);
        }
        self.held = held;
    }

    /// A line that was held is read again, if it may be.
    pub(super) fn go_on_reading(&mut self, number: u32, now: Instant) {
        let Some(line) = self.lines.get_mut(number) else { return };
        if !line.flags.is_held {
            return;
        }
        line.flags.is_held = false;
        if self.broker.input_room(line.id) == 0 {
            return self.hold(number);
        }
        if !line.unread.is_empty() {
            self.feed_unread(number, now);
        }
        self.again.push(Place::Line(number));
    }

    /// Gives the broker bytes, piece by piece, and takes what it has for others in between. What it leaves is kept.
    fn feed(&mut self, number: u32, now: Instant, bytes: &[u8]) {
        let Some(line) = self.lines.get_mut(number) else { return };
        let id = line.id;
        let (mut start, mut end) = (0, bytes.len().min(self.feed_bytes));
        while start < bytes.len() {
            let mut piece = &bytes[start..end];
            let before = piece.len();
            self.broker.handle_input(now, id, &mut piece);
            let taken = before - piece.len();
            start += taken;
            self.after_input(now);
            if taken == 0 {
                if end == bytes.len() {
                    break;
                }
                end = bytes.len();
            } else {
                end = bytes.len().min(end.max(start + self.feed_bytes));
            }
        }
        if let Some(line) = self.lines.get_mut(number) {
            line.unread.extend_from_slice(&bytes[start..]);
        }
    }

    /// The same with what is kept, of which large payloads are not copied.
    pub(super) fn feed_unread(&mut self, number: u32, now: Instant) {
        let Some(line) = self.lines.get_mut(number) else { return };
        let id = line.id;
        let mut bytes = std::mem::take(&mut line.unread);
        let mut most = self.feed_bytes;
        while !bytes.is_empty() {
            let rest = (bytes.len() > most).then(|| bytes.split_off(most));
            let before = bytes.len();
            self.broker.handle_input_owned(now, id, &mut bytes);
            let taken = before - bytes.len();
            let is_whole = rest.is_none();
            if let Some(rest) = rest {
                // They are neighbours in one allocation.
                bytes.unsplit(rest);
            }
            self.after_input(now);
            if taken > 0 {
                most = self.feed_bytes;
            } else if is_whole {
                break;
            } else {
                most = usize::MAX;
            }
        }
        if let Some(line) = self.lines.get_mut(number) {
            if !bytes.is_empty() {
                line.unread = bytes;
            }
        }
    }

    fn after_input(&mut self, now: Instant) {
        self.tell(now);
        self.collect();
    }

    /// A stream cannot be written to any more. What the other end said before that is heard first; a runtime may know of it
    /// only when it has looked at its sockets again, so the end of the stream is waited for.
    pub(super) fn write_failed(&mut self, number: u32, now: Instant, error: io::Error) {
        self.read(number, now, LAST_READS);
        let until = now.saturating_add(self.linger);
        let Some(line) = self.lines.get_mut(number) else { return };
        if line.broken.is_none() {
            line.broken = Some(error);
            self.lasts.push_back((until, number, line.serial));
        }
    }
}
