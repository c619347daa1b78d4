//! One connection with WebSocket on it.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};

use bytes::{Buf, Bytes, BytesMut};
use tungstenite::error::Error;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig, WebSocketContext};

use super::WebSocketError;
use super::head::Head;
use super::request::{Request, verify};
use super::response::{WebSocketServer, answer};
use crate::LayerError;
use crate::layers::layer::{Layer, Outgoing};

/// How much MQTT goes into one frame. Frames are whole before the first byte of them is sent.
const FRAME_BYTES: usize = 16 * 1024;
/// How much waits for the stream before MQTT has to.
const WAITING_BYTES: usize = 64 * 1024;
/// How much tungstenite sets aside for reading.
const READ_BYTES: usize = 4 * 1024;

/// The layer: what it needs of a stream is bytes.
pub(crate) struct Session {
    phase: Phase,
    memory: Memory,
    /// What MQTT has not read yet. Where messages begin and end means nothing. [MQTT-6.0.0-2]
    unread: VecDeque<Bytes>,
    has_ended: bool,
}

enum Phase {
    /// A client that waits for an answer with this proof.
    Asking {
        head: Head,
        proof: String,
        message_bytes: usize,
    },
    /// A server that waits for a request.
    Listening {
        head: Head,
        server: WebSocketServer,
    },
    Open(Box<WebSocketContext>),
}

/// What tungstenite takes for a stream.
struct Memory {
    incoming: Bytes,
    outgoing: Outgoing,
    /// Something had to wait.
    is_full: bool,
}

impl Session {
    pub(crate) fn client(request: &Request) -> Self {
        let (bytes, proof) = request.encoded();
        let head = Head::new(b"HTTP/1.1 ");
        let mut session = Self::new(Phase::Asking {
            head,
            proof,
            message_bytes: request.message_bytes,
        });
        session.memory.outgoing.end().extend(bytes);
        session
    }

    pub(crate) fn server(server: &WebSocketServer) -> Self {
        let head = Head::new(b"GET ");
        let server = server.clone();
        Self::new(Phase::Listening { head, server })
    }

    const fn new(phase: Phase) -> Self {
        Self {
            phase,
            memory: Memory {
                incoming: Bytes::new(),
                outgoing: Outgoing::new(),
                is_full: false,
            },
            unread: VecDeque::new(),
            has_ended: false,
        }
    }

    fn open(&mut self, role: Role, message_bytes: usize) {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(WAITING_BYTES)
            .max_frame_size(Some(message_bytes))
            .max_message_size(Some(message_bytes));
        self.phase = Phase::Open(Box::new(WebSocketContext::new(role, Some(config))));
    }

    /// The handshake: takes the head, and nothing behind it.
    fn receive_head(&mut self, bytes: &[u8]) -> Result<usize, WebSocketError> {
        match &mut self.phase {
            Phase::Asking {
                head,
                proof,
                message_bytes,
            } => {
                let (taken, is_whole) = head.take(bytes)?;
                if is_whole {
                    verify(head.bytes(), proof)?;
                    let message_bytes = *message_bytes;
                    self.open(Role::Client, message_bytes);
                }
                Ok(taken)
            }
            Phase::Listening { head, server } => {
                let (taken, is_whole) = head.take(bytes)?;
                if is_whole {
                    let message_bytes = server.message_bytes;
                    let (answer, agreed) = answer(head.bytes(), server);
                    self.memory.outgoing.end().extend(answer);
                    agreed?;
                    self.open(Role::Server, message_bytes);
                }
                Ok(taken)
            }
            Phase::Open(_) => Ok(0),
        }
    }

    /// Takes all messages that are whole.
    fn receive_messages(&mut self) -> Result<(), WebSocketError> {
        let Phase::Open(context) = &mut self.phase else {
            return Ok(());
        };
        while !self.has_ended {
            let fault = match context.read(&mut self.memory) {
                Ok(Message::Binary(payload)) => {
                    if !payload.is_empty() {
                        self.unread.push_back(payload);
                    }
                    continue;
                }
                // Pings have been answered by then.
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => continue,
                Ok(Message::Close(frame)) => {
                    // The answer to it; the end of the context is none of the connection.
                    let _ = context.flush(&mut self.memory);
                    match frame.map(|frame| (u16::from(frame.code), frame.reason)) {
                        None | Some((1000 | 1001, _)) => self.has_ended = true,
                        Some((code, reason)) => return Err(WebSocketError::Closed(code, reason.as_str().into())),
                    }
                    continue;
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => {
                    self.has_ended = true;
                    continue;
                }
                // [MQTT-6.0.0-1]
                Ok(Message::Text(_)) => (WebSocketError::Text, CloseCode::Unsupported),
                Err(Error::Utf8(_)) => (WebSocketError::Text, CloseCode::Unsupported),
                Err(Error::Capacity(_)) => (WebSocketError::TooLarge, CloseCode::Size),
                Err(error) => (WebSocketError::Protocol(error.to_string().into()), CloseCode::Protocol),
            };
            let (fault, code) = fault;
            say_farewell(context, &mut self.memory, code);
            return Err(fault);
        }
        Ok(())
    }
}

/// Whether it can still be said is of no matter to who says it.
fn say_farewell(context: &mut WebSocketContext, memory: &mut Memory, code: CloseCode) {
    let frame = CloseFrame {
        code,
        reason: "".into(),
    };
    let _ = context.close(memory, Some(frame));
}

impl Layer for Session {
    fn receive(&mut self, bytes: &[u8]) -> Result<usize, LayerError> {
        if !self.is_open() {
            return self.receive_head(bytes).map_err(LayerError::WebSocket);
        }
        self.memory.incoming = Bytes::copy_from_slice(bytes);
        self.receive_messages().map_err(LayerError::WebSocket)?;
        Ok(bytes.len())
    }

    fn receive_end(&mut self) -> Result<(), LayerError> {
        match (&self.phase, self.has_ended) {
            (Phase::Open(_), true) => Ok(()),
            (Phase::Open(_), false) => Err(LayerError::WebSocket(WebSocketError::Cut)),
            _ => Err(self.ended_early()),
        }
    }

    fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let mut filled = 0;
        while let Some(first) = self.unread.front_mut() {
            let len = first.len().min(buffer.len() - filled);
            first.copy_to_slice(&mut buffer[filled..filled + len]);
            filled += len;
            if first.has_remaining() {
                break;
            }
            self.unread.pop_front();
        }
        (filled > 0 || self.has_ended).then_some(filled)
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> Result<usize, LayerError> {
        let Phase::Open(context) = &mut self.phase else {
            return Ok(0);
        };
        if self.memory.outgoing.left().len() >= WAITING_BYTES {
            return Ok(0);
        }
        let mut payload = BytesMut::new();
        for slice in slices {
            let room = FRAME_BYTES - payload.len();
            payload.extend_from_slice(&slice[..slice.len().min(room)]);
        }
        let len = payload.len();
        // [MQTT-6.0.0-1]
        match context.write(&mut self.memory, Message::Binary(payload.freeze())) {
            Ok(()) => Ok(len),
            Err(Error::WriteBufferFull(_)) => Ok(0),
            // It is kept, and goes when there is room.
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(len),
            Err(_) => Err(LayerError::WebSocket(WebSocketError::Closed(1000, "".into()))),
        }
    }

    fn close(&mut self) {
        if let Phase::Open(context) = &mut self.phase {
            say_farewell(context, &mut self.memory, CloseCode::Normal);
        }
    }

    fn outgoing(&mut self) -> &mut Outgoing {
        if self.memory.outgoing.is_empty() && self.memory.is_full {
            self.memory.is_full = false;
            if let Phase::Open(context) = &mut self.phase {
                let _ = context.flush(&mut self.memory);
            }
        }
        &mut self.memory.outgoing
    }

    fn ended_early(&self) -> LayerError {
        LayerError::WebSocket(WebSocketError::EndedInHandshake)
    }
}

impl Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.incoming.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let len = self.incoming.len().min(buffer.len());
        self.incoming.copy_to_slice(&mut buffer[..len]);
        Ok(len)
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Who asks and asks, and reads no answers, does not fill the memory.
        if self.outgoing.left().len() >= WAITING_BYTES {
            self.is_full = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.outgoing.end().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
