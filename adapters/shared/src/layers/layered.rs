//! A layer on a stream: what moves the bytes between the two.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::task::{Context, Poll};

use super::LayerError;
use super::layer::Layer;
use crate::Transport;

/// How much is read from the stream at once.
const READ_BYTES: usize = 16 * 1024;
/// How often the stream is read from in one poll for one that brings nothing for MQTT, before others get their turn.
const TURNS: usize = 64;
/// How often a stream that has failed is read from, so that its end is no reset.
const LAST_READS: usize = 8;

/// A stream with a layer on it, which is a stream as well.
pub(crate) struct Layered<L, T> {
    layer: L,
    stream: T,
    /// Where the stream is read to. One that is idle has none.
    scratch: Box<[u8]>,
    /// What of it the layer has not got yet.
    unread: Range<usize>,
    is_unflushed: bool,
    /// A write was told to wait.
    write_waits: bool,
    is_closing: bool,
    fault: Option<LayerError>,
    /// The stream cannot be written to any more. What it has brought before may say why.
    broken: Option<io::Error>,
}

impl<L, T> Layered<L, T> {
    /// The layer in the state that it is in, on another stream that goes on where this one is.
    #[cfg(feature = "broker")]
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> io::Result<U>) -> io::Result<Layered<L, U>> {
        Ok(Layered {
            layer: self.layer,
            stream: change(self.stream)?,
            scratch: self.scratch,
            unread: self.unread,
            is_unflushed: self.is_unflushed,
            write_waits: self.write_waits,
            is_closing: self.is_closing,
            fault: self.fault,
            broken: self.broken,
        })
    }
}

impl<L: Layer, T: Transport> Layered<L, T> {
    pub(crate) fn new(layer: L, stream: T) -> Self {
        Self {
            layer,
            stream,
            scratch: Box::default(),
            unread: 0..0,
            is_unflushed: false,
            write_waits: false,
            is_closing: false,
            fault: None,
            broken: None,
        }
    }

    pub(crate) const fn layer(&self) -> &L {
        &self.layer
    }

    #[cfg(any(feature = "broker", all(feature = "tls", feature = "websocket")))]
    pub(crate) const fn stream(&self) -> &T {
        &self.stream
    }

    /// Ready when the handshake is over, and what this end has said in it is sent.
    pub(crate) fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            self.send(cx);
            if self.layer.is_open() && self.fault.is_none() {
                return match self.layer.outgoing().is_empty() {
                    true => Poll::Ready(Ok(())),
                    false => Poll::Pending,
                };
            }
            match self.poll_more(cx) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) => self.fault = Some(self.layer.ended_early()),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Gives the layer something more. `false`: the stream has ended, and the layer takes that for an end.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if let Some(fault) = self.fault.clone() {
            return self.poll_fail(cx, fault);
        }
        let was_open = self.layer.is_open();
        if self.unread.is_empty() {
            if self.scratch.is_empty() {
                self.scratch = vec![0; READ_BYTES].into();
            }
            match self.stream.poll_read(cx, &mut self.scratch) {
                Poll::Ready(Ok(0)) => {
                    return match self.layer.receive_end() {
                        Ok(()) => Poll::Ready(Ok(false)),
                        Err(fault) => self.poll_fail(cx, fault),
                    };
                }
                Poll::Ready(Ok(len)) => self.unread = 0..len,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.scratch = Box::default();
                    return match self.broken.take() {
                        Some(error) => Poll::Ready(Err(error)),
                        None => Poll::Pending,
                    };
                }
            }
        }
        match self.layer.receive(&self.scratch[self.unread.clone()]) {
            Ok(len) => self.unread.start += len,
            Err(fault) => return self.poll_fail(cx, fault),
        }
        if self.layer.is_open() && !was_open {
            self.call_writer(cx);
        }
        Poll::Ready(Ok(true))
    }

    /// The layer ends the stream. First it says why to the other end.
    fn poll_fail<R>(&mut self, cx: &mut Context<'_>, fault: LayerError) -> Poll<io::Result<R>> {
        self.fault = Some(fault.clone());
        self.send(cx);
        if !self.layer.outgoing().is_empty() {
            return Poll::Pending;
        }
        let _ = self.stream.poll_close(cx);
        self.scratch = vec![0; READ_BYTES].into();
        for _ in 0..LAST_READS {
            match self.stream.poll_read(cx, &mut self.scratch) {
                Poll::Ready(Ok(len)) if len > 0 => {}
                _ => break,
            }
        }
        Poll::Ready(Err(fault.into()))
    }

    /// Sends what the layer has to say, as far as the stream takes it.
    fn send(&mut self, cx: &mut Context<'_>) {
        while !self.layer.outgoing().is_empty() {
            let written = match self
                .stream
                .poll_write(cx, &[IoSlice::new(self.layer.outgoing().left())])
            {
                Poll::Ready(Ok(0)) => Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(written) => written,
                Poll::Pending => break,
            };
            match written {
                Ok(len) => {
                    self.layer.outgoing().advance(len);
                    self.is_unflushed = true;
                    if self.layer.is_open() {
                        self.call_writer(cx);
                    }
                }
                Err(error) => {
                    self.layer.outgoing().clear();
                    self.broken = Some(error);
                }
            }
        }
        if self.is_unflushed && self.broken.is_none() && self.layer.outgoing().is_empty() {
            match self.stream.poll_flush(cx) {
                Poll::Ready(Ok(())) => self.is_unflushed = false,
                Poll::Ready(Err(error)) => self.broken = Some(error),
                Poll::Pending => {}
            }
        }
    }

    /// Writing may be worth another try, and who waits for it is not told by the stream.
    fn call_writer(&mut self, cx: &Context<'_>) {
        if std::mem::take(&mut self.write_waits) {
            cx.waker().wake_by_ref();
        }
    }

    /// Waits with writing.
    fn wait_to_write<R>(&mut self) -> Poll<io::Result<R>> {
        self.write_waits = true;
        Poll::Pending
    }

    /// What came before the stream broke may say why.
    fn poll_broken<R>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        for _ in 0..LAST_READS {
            match self.poll_more(cx) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                _ => break,
            }
        }
        Poll::Ready(Err(self.broken.take().unwrap_or(io::ErrorKind::BrokenPipe.into())))
    }
}

impl<L: Layer, T: Transport> Transport for Layered<L, T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        for _ in 0..TURNS {
            self.send(cx);
            if let Some(len) = self.layer.read(buffer) {
                return Poll::Ready(Ok(len));
            }
            match self.poll_more(cx) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) => return Poll::Ready(Ok(0)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if !self.layer.is_open() || self.fault.is_some() {
            return match self.poll_open(cx) {
                Poll::Ready(Ok(())) => self.poll_write(cx, slices),
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => self.wait_to_write(),
            };
        }
        self.send(cx);
        if self.broken.is_some() {
            return self.poll_broken(cx);
        }
        match self.layer.write(slices) {
            Ok(0) => self.wait_to_write(),
            Ok(len) => Poll::Ready(Ok(len)),
            Err(fault) => self.poll_fail(cx, fault),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.send(cx);
        if self.broken.is_some() {
            return self.poll_broken(cx);
        }
        match self.layer.outgoing().is_empty() && !self.is_unflushed {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.is_closing, true) {
            self.layer.close();
        }
        self.send(cx);
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Err(error));
        }
        match self.layer.outgoing().is_empty() && !self.is_unflushed {
            true => self.stream.poll_close(cx),
            false => Poll::Pending,
        }
    }
}
