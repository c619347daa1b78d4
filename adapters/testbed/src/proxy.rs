//! A way to a server that can be cut.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A way to a server that can be cut. It ends with this value.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    is_closed: AtomicBool,
    is_over: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// A way to this address.
    ///
    /// # Panics
    /// If there is no port for it.
    #[must_use]
    pub fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let address = listener.local_addr().expect("it has an address");
        let shared = Arc::new(Shared {
            to,
            is_closed: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            open: Mutex::new(Vec::new()),
        });
        let accepts = Arc::clone(&shared);
        thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                if accepts.is_over.load(Ordering::Acquire) {
                    return;
                }
                // What cannot be joined is closed.
                let _ = accepts.join(near);
            }
        });
        Self { address, shared }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections, and lets further ones through or not.
    pub fn cut(&self, is_closed: bool) {
        self.shared.is_closed.store(is_closed, Ordering::Release);
        let mut open = self.shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        for socket in open.drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Lets connections through again. Those that were asked for before are turned away first.
    pub fn mend(&self) {
        if self.shared.is_closed.load(Ordering::Acquire) {
            // They are accepted in the order in which they came, and this one is the last of them.
            if let Ok(mut last) = TcpStream::connect(self.address) {
                let _ = last.read(&mut [0]);
            }
        }
        self.shared.is_closed.store(false, Ordering::Release);
    }
}

impl Shared {
    fn join(&self, near: TcpStream) -> io::Result<()> {
        if self.is_closed.load(Ordering::Acquire) {
            return Ok(());
        }
        let far = TcpStream::connect(self.to)?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.extend([near.try_clone()?, far.try_clone()?]);
        let (there, back) = ((near.try_clone()?, far.try_clone()?), (far, near));
        thread::spawn(move || copy(there.0, there.1));
        thread::spawn(move || copy(back.0, back.1));
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        self.cut(true);
        // The thread that accepts looks around.
        let _ = TcpStream::connect(self.address);
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(len) = from.read(&mut buffer) {
        if len == 0 || to.write_all(&buffer[..len]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
