//! What `mqtt broker` tells the service manager, as sd_notify(3) has it.
#![cfg(all(target_os = "linux", feature = "tokio"))]

mod lives;
mod web;

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram};
use std::path::Path;
use std::process::{Command, id};

use self::lives::{PATIENCE, Serving, free_address};

/// The service manager.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    fn new(socket: UnixDatagram) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self { socket }
    }

    /// Waits for what is told next.
    fn told(&self) -> String {
        let mut message = [0; 4096];
        let len = self.socket.recv(&mut message).expect("it is told");
        String::from_utf8(message[..len].to_vec()).expect("text")
    }

    /// Waits until it is told that the configuration is read again, and for which time that is said.
    fn told_reloading(&self) -> u64 {
        let told = self.told();
        let micros = told.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
        let micros = micros.and_then(|micros| micros.parse().ok());
        micros.unwrap_or_else(|| panic!("{told:?}"))
    }

    /// Nothing more has been told.
    fn has_heard_all(&self) {
        self.socket.set_nonblocking(true).expect("it can be so");
        let more = self.socket.recv(&mut [0; 4096]).map_err(|error| error.kind());
        assert_eq!(more, Err(ErrorKind::WouldBlock));
        self.socket.set_nonblocking(false).expect("it can be so");
    }
}

/// The configuration of a broker at these places, open to everybody or to nobody.
fn config(address: SocketAddr, metrics: SocketAddr, is_open: bool) -> String {
    format!(
        "users = ['users']\n[[listener]]\naddress = '{address}'\nanonymous = {is_open}\n[metrics]\naddress = '{metrics}'\n"
    )
}

/// What starts it, and has it tell the manager at this address.
fn command(folder: &Path, config: &str, manager: &str) -> Command {
    // Nobody has a name.
    let users = folder.join("users");
    fs::write(&users, "").expect("there is room for a file");
    fs::set_permissions(&users, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let mut command = Serving::command(folder, config);
    command.env("NOTIFY_SOCKET", manager);
    command
}

/// Microseconds of the clock that the manager goes by.
fn monotonic() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let [seconds, nanos] = [u64::try_from(now.tv_sec), u64::try_from(now.tv_nsec)];
    seconds.expect("it is after the start") * 1_000_000 + nanos.expect("it is after the start") / 1000
}

fn publish(broker: &Serving) -> Option<i32> {
    let output = broker.client("pub", &["-t", "t", "-m", "x", "-q", "1"]);
    output.status.code()
}

fn signal(broker: &Serving, signal: &str) {
    let sent = Command::new("kill").args([signal, &broker.process]).status();
    assert!(sent.expect("there is a kill").success());
}

/// From its start to its end a broker tells this manager what is so when it is so.
fn is_told(manager: &Manager, name: &str) {
    const REFUSED: Option<i32> = Some(3);
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let (address, metrics) = (free_address(), free_address());
    let mut broker = Serving::begin(command(folder.path(), &config(address, metrics, true), name));
    assert_eq!(manager.told(), "READY=1");
    // Whatever waits for this begins at once: nothing of it may be to come.
    broker.address = address;
    assert_eq!(publish(&broker), Some(0));
    assert!(web::get(metrics, "/health").starts_with("HTTP/1.1 200"));
    broker.process = broker.told(" serving ", "process=");

    // It is ready again when it has read all of its new configuration, of which one file takes its time.
    let users = folder.path().join("others");
    let made = Command::new("mkfifo").args(["-m", "600"]).arg(&users).status();
    assert!(made.expect("there is mkfifo").success());
    let closed = config(address, metrics, false).replace("'users'", "'others'");
    Serving::configure(folder.path(), &closed);
    let before = monotonic();
    signal(&broker, "-HUP");
    let reloading = manager.told_reloading();
    assert!(before <= reloading && reloading <= monotonic(), "{before} {reloading}");
    // It is opened for writing when the broker opens it for reading.
    let writing = File::create(&users).expect("it is there");
    manager.has_heard_all();
    drop(writing);
    assert_eq!(manager.told(), "READY=1");
    assert_eq!(publish(&broker), REFUSED);
    // One that cannot be used leaves a broker that is ready too.
    Serving::configure(folder.path(), "[[listener]]\naddress = 'nowhere'\n");
    signal(&broker, "-HUP");
    assert!(manager.told_reloading() > reloading);
    assert_eq!(manager.told(), "READY=1");
    broker.told("the configuration stays as it was", "");
    assert_eq!(publish(&broker), REFUSED);

    signal(&broker, "-TERM");
    assert_eq!(manager.told(), "STOPPING=1");
    assert_eq!(broker.ended(), Some(0));
    manager.has_heard_all();
}

#[test]
fn a_service_manager_is_told_when_the_broker_serves_reads_its_configuration_and_ends() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let path = folder.path().join("notify");
    let manager = Manager::new(UnixDatagram::bind(&path).expect("there is room for a socket"));
    is_told(&manager, path.to_str().expect("a plain name"));
}

/// systemd may give its socket a name that is no file.
#[test]
fn a_service_manager_without_a_file_is_told_the_same() {
    let name = format!("mqtt-notify-{}", id());
    let address = UnixAddr::from_abstract_name(&name).expect("a short name");
    let manager = Manager::new(UnixDatagram::bind_addr(&address).expect("nobody has this name"));
    is_told(&manager, &format!("@{name}"));
}

#[test]
fn a_broker_that_cannot_serve_is_never_ready() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let path = folder.path().join("notify");
    let manager = Manager::new(UnixDatagram::bind(&path).expect("there is room for a socket"));
    let taken = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let taken = (taken.local_addr().expect("it is bound"), taken);
    // One place is looked at first, and the other last.
    for (address, metrics) in [(taken.0, free_address()), (free_address(), taken.0)] {
        let config = config(address, metrics, true);
        let broker = Serving::begin(command(folder.path(), &config, path.to_str().expect("a plain name")));
        assert_eq!(broker.ended(), Some(1));
    }
    manager.has_heard_all();
}

/// A manager that does not listen keeps nobody from being served.
#[test]
fn a_broker_whose_manager_is_away_serves() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let path = folder.path().join("notify");
    let config = config(free_address(), free_address(), true);
    let mut broker = Serving::begin(command(folder.path(), &config, path.to_str().expect("a plain name")));
    broker.told("the service manager cannot be told", "");
    broker.process = broker.told(" serving ", "process=");
    assert_eq!(broker.end(), Some(0));
}
