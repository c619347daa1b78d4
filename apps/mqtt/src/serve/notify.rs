//! Readiness, as systemd wants to be told.

use std::env;
use std::io;

/// Tells the service manager that the configuration is read again from here on, until the next `READY=1`.
pub(super) fn tell_reloading() {
    tell(&reloading());
}

/// With the time, by which a manager knows that this answers the last signal that it has sent (`Type=notify-reload`).
#[cfg(target_os = "linux")]
fn reloading() -> String {
    use rustix::time::{ClockId, clock_gettime};

    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let micros = u64::try_from(now.tv_nsec).unwrap_or_default() / 1000;
    format!("RELOADING=1\nMONOTONIC_USEC={}", seconds * 1_000_000 + micros)
}

#[cfg(not(target_os = "linux"))]
fn reloading() -> String {
    String::new()
}

/// Tells the service manager, if there is one that wants to know: `READY=1`, `STOPPING=1` or a status.
pub(super) fn tell(state: &str) {
    // Without an answer the manager waits for its own deadline, and says so.
    if let Err(error) = send(state) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

#[cfg(target_os = "linux")]
fn send(state: &str) -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    let Some(path) = env::var_os("NOTIFY_SOCKET") else {
        return Ok(());
    };
    let address = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(&path)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn send(_: &str) -> io::Result<()> {
    Ok(())
}
