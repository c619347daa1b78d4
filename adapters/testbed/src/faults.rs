//! A way to a server that breaks: bytes come in pieces and late, and connections are cut, closed at one end or go silent.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::random::Random;

/// A way to a server that breaks, as a seed says. It ends with this value.
#[derive(Debug)]
pub struct Faults {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    seed: u64,
    /// For how long after the server's first word a connection is spared.
    grace: Duration,
    /// How many connections have ended by a fault.
    cuts: AtomicU64,
    is_calm: AtomicBool,
    is_over: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

/// How a connection ends.
#[derive(Clone, Copy)]
enum Fault {
    /// Both ends see it end, and what was under way is lost.
    Cut,
    /// The receiver sees the end of the stream, and may go on sending for a while.
    HalfClose,
    /// Nothing passes any more, until it is cut.
    Silence,
}

impl Faults {
    /// A way to this address. A connection may break at any byte.
    ///
    /// # Panics
    /// If there is no port for it.
    #[must_use]
    pub fn start(to: SocketAddr, seed: u64) -> Self {
        Self::sparing(to, seed, Duration::ZERO)
    }

    /// The same, but no connection breaks between CONNECT and so long after the first byte of the server.
    ///
    /// # Panics
    /// If there is no port for it.
    #[must_use]
    pub fn sparing(to: SocketAddr, seed: u64, grace: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let address = listener.local_addr().expect("it has an address");
        let shared = Arc::new(Shared {
            to,
            seed,
            grace,
            cuts: AtomicU64::new(0),
            is_calm: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            open: Mutex::new(Vec::new()),
        });
        let accepts = Arc::clone(&shared);
        thread::spawn(move || {
            let mut number = 0;
            while let Ok((near, _)) = listener.accept() {
                if accepts.is_over.load(Ordering::Acquire) {
                    return;
                }
                number += 1;
                // What cannot be joined is closed.
                let _ = accepts.join(&near, number);
            }
        });
        Self { address, shared }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections have ended by a fault.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.shared.cuts.load(Ordering::Acquire)
    }

    /// From here on nothing breaks.
    pub fn calm(&self) {
        self.shared.is_calm.store(true, Ordering::Release);
    }
}

impl Shared {
    fn join(self: &Arc<Self>, near: &TcpStream, number: u64) -> std::io::Result<()> {
        let far = TcpStream::connect(self.to)?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.extend([near.try_clone()?, far.try_clone()?]);
        let state = Arc::new(State::default());
        let ways = [(near.try_clone()?, far.try_clone()?), (far, near.try_clone()?)];
        for (way, (from, to)) in (0..).zip(ways) {
            let random = Random::new(self.seed ^ (number << 1 | way).wrapping_mul(0x2545_F491_4F6C_DD1D));
            let (shared, state) = (Arc::clone(self), Arc::clone(&state));
            let way = Way {
                shared,
                from,
                to,
                random,
                is_from_server: way == 1,
                state,
            };
            thread::spawn(move || way.carry());
        }
        Ok(())
    }
}

/// One direction of a connection.
struct Way {
    shared: Arc<Shared>,
    from: TcpStream,
    to: TcpStream,
    random: Random,
    is_from_server: bool,
    state: Arc<State>,
}

/// What the two directions of a connection share.
#[derive(Default)]
struct State {
    /// A fault has ended it.
    is_cut: AtomicBool,
    /// When the server has said its first word.
    answered: OnceLock<Instant>,
}

/// More than CONNECT takes.
const CONNECT_BYTES: u64 = 100;
/// How long the server may take for its first word.
const PATIENCE: Duration = Duration::from_millis(500);

impl Way {
    /// Carries bytes until one end closes or a fault comes.
    fn carry(mut self) {
        let spared = if self.shared.grace.is_zero() { 0 } else { CONNECT_BYTES };
        let mut left = (spared + self.random.below(2500)) as usize;
        let mut buffer = vec![0; 4096];
        while let Ok(len) = self.from.read(&mut buffer) {
            if self.is_from_server {
                self.state.answered.get_or_init(Instant::now);
            }
            let is_calm = self.shared.is_calm.load(Ordering::Acquire);
            let passes = if is_calm { len } else { len.min(left) };
            if len == 0 || !self.pass(&buffer[..passes], is_calm) {
                break;
            }
            if !is_calm && passes < len {
                return self.fail();
            }
            left -= if is_calm { 0 } else { passes };
        }
        let _ = self.to.shutdown(Shutdown::Write);
    }

    /// Whether the bytes could be written, late perhaps and in pieces.
    fn pass(&mut self, bytes: &[u8], is_calm: bool) -> bool {
        if is_calm {
            return self.to.write_all(bytes).is_ok();
        }
        if self.random.one_in(20) {
            thread::sleep(Duration::from_millis(self.random.below(20)));
        }
        let most = match self.random.one_in(3) {
            true => 1 + self.random.below(9) as usize,
            false => bytes.len().max(1),
        };
        bytes.chunks(most).all(|piece| self.to.write_all(piece).is_ok())
    }

    fn fail(&mut self) {
        self.spare();
        if !self.state.is_cut.swap(true, Ordering::AcqRel) {
            self.shared.cuts.fetch_add(1, Ordering::AcqRel);
        }
        let fault = match self.random.below(4) {
            0 => Fault::HalfClose,
            1 => Fault::Silence,
            _ => Fault::Cut,
        };
        match fault {
            Fault::Cut => {}
            Fault::HalfClose => {
                let _ = self.to.shutdown(Shutdown::Write);
                thread::sleep(Duration::from_millis(self.random.below(40)));
            }
            Fault::Silence => thread::sleep(Duration::from_millis(self.random.below(80))),
        }
        let _ = self.from.shutdown(Shutdown::Both);
        let _ = self.to.shutdown(Shutdown::Both);
    }
}

impl Way {
    /// Waits until the connection may break.
    fn spare(&self) {
        let grace = self.shared.grace;
        let until = Instant::now() + if grace.is_zero() { grace } else { PATIENCE };
        while self.state.answered.get().is_none() && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        if let Some(answered) = self.state.answered.get() {
            thread::sleep((*answered + grace).saturating_duration_since(Instant::now()));
        }
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        for socket in self
            .shared
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            let _ = socket.shutdown(Shutdown::Both);
        }
        // The thread that accepts looks around.
        let _ = TcpStream::connect(self.address);
    }
}
