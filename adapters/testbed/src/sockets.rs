//! The sockets of this process, to read what was set for them.

use std::net::TcpStream;

use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

/// Another handle of everything that is open in this process. What is no socket answers every question with an error.
///
/// # Panics
/// If the system does not tell what is open.
pub(crate) fn of_this_process() -> Vec<TcpStream> {
    let own = pidfd_open(getpid(), PidfdFlags::empty()).expect("there is this process");
    let open = std::fs::read_dir("/proc/self/fd").expect("there is /proc");
    let numbers: Vec<i32> = open
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    // Others may have closed theirs meanwhile.
    let handles = numbers
        .into_iter()
        .filter_map(|number| pidfd_getfd(&own, number, PidfdGetfdFlags::empty()).ok());
    handles.map(TcpStream::from).collect()
}
