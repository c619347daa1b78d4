//! Whether connections leave anything behind: files, threads, tasks, memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mqtt_adapter::ClientOptions;
use mqtt_session::QoS;
use mqtt_session::proto::{ConnAckReason, Version};
use tempfile::TempDir;

use crate::scenarios::{Papers, connected, hasty, message, options};
use crate::{Adapter, Hub, PATIENCE, soon};

/// How many connections are made, if not [`FEW`].
const COUNT: &str = "MQTT_CONNECTS";
const FEW: usize = 240;
/// So many connections with TLS fill what the server keeps of them, which has a bound.
const TLS_SESSIONS: usize = 150;
/// What is left behind on purpose, to see that it is noticed.
const LEAK: &str = "MQTT_LEAK";
const LEAKS: [&str; 4] = ["file", "thread", "memory", "client"];
/// Set in the process that does the work.
const CHILD: &str = "MQTT_LEAKS_CHILD";

static HEAP_BYTES: AtomicUsize = AtomicUsize::new(0);

/// A heap that counts what is in use: for `#[global_allocator]` of a test.
#[derive(Debug)]
pub struct CountingHeap;

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract; counting allocates nothing.
unsafe impl GlobalAlloc for CountingHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HEAP_BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HEAP_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`, and all memory is from `System`.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// How many bytes of the heap are in use, where [`CountingHeap`] is the allocator.
#[must_use]
pub fn heap_bytes() -> usize {
    HEAP_BYTES.load(Ordering::Relaxed)
}

/// What this process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holdings {
    files: usize,
    threads: usize,
    tasks: usize,
    heap_bytes: usize,
}

impl Holdings {
    fn count(tasks: &impl Fn() -> usize) -> Self {
        let entries = |folder| fs::read_dir(folder).expect("this is Linux").count();
        Self {
            files: entries("/proc/self/fd"),
            threads: entries("/proc/self/task"),
            tasks: tasks(),
            heap_bytes: heap_bytes(),
        }
    }

    /// No more than there was, but for so many bytes: what a runtime keeps for later is less than a connection.
    fn is_within(&self, before: &Self, bytes: usize) -> bool {
        self.files <= before.files
            && self.threads <= before.threads
            && self.tasks <= before.tasks
            && self.heap_bytes <= before.heap_bytes + bytes
    }
}

/// Runs a test in a process of its own, where nothing else opens files or starts threads: once as it is, and with each thing
/// left behind on purpose, which it has to notice.
///
/// # Panics
/// If something is left behind, or what was left behind on purpose is not noticed.
pub fn in_own_process(test: &str, run: impl FnOnce()) {
    if std::env::var_os(CHILD).is_some() {
        return run();
    }
    let program = std::env::current_exe().expect("the system tells which program this is");
    let child = |prepare: &dyn Fn(&mut Command)| {
        let mut command = Command::new(&program);
        command.args([test, "--exact", "--nocapture"]).env(CHILD, "1");
        prepare(&mut command);
        let output = command.output().expect("it is started again");
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (output.status.success(), said.into_owned())
    };
    let (is_well, said) = child(&|_| {});
    print!("{said}");
    assert!(is_well, "something is left behind, or went wrong");
    for leak in LEAKS {
        let (is_well, said) = child(&|command| {
            command.env(LEAK, leak).env(COUNT, FEW.to_string());
        });
        assert!(
            !is_well && said.contains("is left behind"),
            "{leak} is not noticed: {said}"
        );
    }
}

/// Connects again and again, ends the connection in each way there is, and compares what the process has before and after;
/// then shuts the server down, and compares with what it had before that was there.
///
/// # Panics
/// If something is left behind.
pub async fn connections_leave_nothing<A: Adapter>(tasks: impl Fn() -> usize) {
    let count = std::env::var(COUNT).map_or(FEW, |count| count.parse().expect("it is a number"));
    let leak = std::env::var(LEAK).unwrap_or_default();
    // What is left behind on purpose stays.
    let patience = if leak.is_empty() {
        PATIENCE
    } else {
        Duration::from_secs(3)
    };
    let empty = Holdings::count(&tasks);
    let hub = Arc::new(Hub::default());
    let server = Server::start::<A>(&hub).await;
    for round in 0..TLS_SESSIONS {
        let client = connected::<A>(server.layered(round)).await;
        client.abort();
        crate::until::<A>("the end of all connections", || hub.connections() == 0).await;
    }
    for round in 0..FEW / 2 {
        connect::<A>(&hub, &server, round).await;
    }
    let before = settled::<A>(&tasks, |_| false, Duration::from_secs(1)).await;
    let started = Instant::now();
    for round in 0..count {
        connect::<A>(&hub, &server, round).await;
        leave_behind::<A>(&leak).await;
    }
    // Less than anything that belongs to one connection.
    let bytes = 16 * 1024 + 16 * count;
    let after = settled::<A>(&tasks, |now| now.is_within(&before, bytes), patience).await;
    println!(
        "{count} connections in {:?}: {before:?} before, {after:?} after",
        started.elapsed()
    );
    assert!(
        after.is_within(&before, bytes),
        "something is left behind by connections"
    );
    hub.shut();
    drop(hub);
    // The threads of a runtime stay, as do the files by which it waits: those that were there with a server.
    let closed = settled::<A>(
        &tasks,
        |now| now.tasks <= empty.tasks && now.files < after.files,
        patience,
    )
    .await;
    println!("{empty:?} before the server, {closed:?} after its end");
    assert!(
        closed.tasks <= empty.tasks && closed.files < after.files,
        "something is left behind by the server"
    );
}

/// What the process has when that is as it should be, or the time is over.
async fn settled<A: Adapter>(
    tasks: &impl Fn() -> usize,
    is_well: impl Fn(&Holdings) -> bool,
    within: Duration,
) -> Holdings {
    let until = Instant::now() + within;
    loop {
        let now = Holdings::count(tasks);
        if is_well(&now) || Instant::now() >= until {
            return now;
        }
        A::sleep(Duration::from_millis(20)).await;
    }
}

/// Where a hub listens.
struct Server {
    plain: SocketAddr,
    layered: SocketAddr,
    papers: Papers,
    folder: TempDir,
}

impl Server {
    async fn start<A: Adapter>(hub: &Arc<Hub>) -> Self {
        let papers = Papers::new();
        Self {
            plain: A::serve(Arc::clone(hub), 0).await,
            layered: A::serve_with(Arc::clone(hub), 0, papers.layers("wss")).await,
            folder: tempfile::tempdir().expect("there is room"),
            papers,
        }
    }

    /// A client over WebSocket on TLS.
    fn layered(&self, round: usize) -> ClientOptions {
        let url = format!("wss://{}", self.layered);
        let options = ClientOptions::from_url(&url).expect("it is a URL");
        let options = hasty(options, version(round), name(round)).tls(self.papers.tls());
        options.session_expiry(Duration::ZERO)
    }

    /// The client of this round: one of four over both layers, and with a store in a file of its own.
    fn client(&self, round: usize) -> ClientOptions {
        match round / 6 % 4 {
            0 => {
                let store = self.layered(round).store_at(self.store(round));
                store.expect("the file is a store")
            }
            _ => options(self.plain, version(round), name(round)).session_expiry(Duration::ZERO),
        }
    }

    fn store(&self, round: usize) -> PathBuf {
        self.folder.path().join(round.to_string())
    }
}

const fn version(round: usize) -> Version {
    match round % 2 {
        0 => Version::V5,
        _ => Version::V3_1_1,
    }
}

/// The client of the round before may be about to connect again.
fn name(round: usize) -> String {
    format!("client-{round}")
}

/// One connection, and its end.
async fn connect<A: Adapter>(hub: &Hub, server: &Server, round: usize) {
    match round % 6 {
        4 => refused::<A>(hub, server.plain).await,
        5 => half_a_handshake(server.plain),
        end => {
            let client = connected::<A>(server.client(round)).await;
            let mut stream = client.subscribe("t", QoS::ExactlyOnce).await.unwrap();
            client.publish(message("t", 0, QoS::ExactlyOnce)).await.unwrap();
            soon::<A, _>("a message", stream.next()).await.unwrap();
            match end {
                0 => client.disconnect(Duration::from_secs(10)).await.unwrap(),
                1 => client.abort(),
                2 => {
                    hub.cut();
                    crate::until::<A>("the cut", || client.statistics().disconnections > 0).await;
                }
                // The last handle is dropped.
                _ => {}
            }
        }
    }
    crate::until::<A>("the end of all connections", || hub.connections() == 0).await;
    // Whoever has it open still writes to nowhere.
    let _ = fs::remove_file(server.store(round));
}

async fn refused<A: Adapter>(hub: &Hub, address: SocketAddr) {
    hub.refuse(Some(ConnAckReason::NotAuthorized));
    let client = A::start(options(address, Version::V5, "unwanted"));
    soon::<A, _>("the refusal", client.established()).await.unwrap_err();
    hub.refuse(None);
}

/// A stranger that begins a CONNECT and goes.
fn half_a_handshake(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.write_all(&[0x10, 0x0C, 0, 4]).expect("it takes a few bytes");
    stream.shutdown(std::net::Shutdown::Write).expect("it is open");
    let _ = stream.read(&mut [0; 8]);
}

async fn leave_behind<A: Adapter>(leak: &str) {
    match leak {
        "file" => std::mem::forget(fs::File::open("/dev/null").expect("every system has it")),
        "thread" => {
            std::thread::spawn(std::thread::park);
        }
        "memory" => std::mem::forget(vec![0_u8; 256]),
        // A handle that is never dropped keeps its client, with its task, its connection, and that of the server.
        "client" => {
            let address = A::serve(Arc::new(Hub::default()), 0).await;
            std::mem::forget(A::start(options(address, Version::V5, "")));
        }
        _ => {}
    }
}
