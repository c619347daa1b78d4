//! A mosquitto of one's own, and a way to it that can be cut.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Set where a test without its foreign broker is to fail.
const REQUIRED: &str = "MQTT_REQUIRE_PEERS";
/// Where Debian has it, which is not where everybody looks.
const PROGRAMS: [&str; 3] = ["mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"];

/// A mosquitto that listens on a port of 127.0.0.1, and ends with this value.
#[derive(Debug)]
pub struct Mosquitto {
    child: Child,
    address: SocketAddr,
    config: PathBuf,
}

impl Mosquitto {
    /// Starts one. `None`, with a printed reason, if there is none on this machine.
    ///
    /// # Panics
    /// If there is none, and the environment says that there has to be; or if it does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        let Some(program) = PROGRAMS.into_iter().find(|program| exists(program)) else {
            assert!(
                std::env::var_os(REQUIRED).is_none(),
                "{REQUIRED} is set, and there is no mosquitto"
            );
            println!("skipped: there is no mosquitto on this machine");
            return None;
        };
        // Another process may take the port between the look and the start.
        let started = (0..5).find_map(|_| Self::start_at_some_port(program));
        Some(started.expect("mosquitto starts"))
    }

    fn start_at_some_port(program: &str) -> Option<Self> {
        static STARTED: AtomicU64 = AtomicU64::new(0);
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .ok()?;
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("mqtt-testbed-{}-{number}.conf", std::process::id());
        let config = std::env::temp_dir().join(name);
        // Version 2.0.11 drops the connection of a client with more than 20 messages of QoS 2 under way if the queue has no
        // limit, and stops sending messages of QoS 2 to one of MQTT 3 for which more wait than may be in flight.
        let lines = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 100000\n\
             max_inflight_messages 0\n",
            address.port()
        );
        std::fs::write(&config, lines).ok()?;
        let mut command = Command::new(program);
        command
            .arg("-c")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().ok()?;
        let mut mosquitto = Self { child, address, config };
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until {
            if TcpStream::connect(address).is_ok() {
                return Some(mosquitto);
            }
            if mosquitto.child.try_wait().ok()?.is_some() {
                return None;
            }
            thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.config);
    }
}

fn exists(program: &str) -> bool {
    let mut command = Command::new(program);
    command
        .arg("-h")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok()
}

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
