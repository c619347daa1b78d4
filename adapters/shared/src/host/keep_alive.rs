//! Clients that are gone without a word, below MQTT.

use std::io;
use std::time::Duration;

use super::plan::Socket;

/// When the system asks the other end of a TCP connection that is silent whether it is there: SO_KEEPALIVE.
///
/// A connection that nothing comes by for `idle` and that then answers none of `probes` questions, one in each `interval`, is
/// broken. That finds clients whose keep-alive of MQTT is 0. What listens passes it on to what it accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpKeepAlive {
    /// How long nothing has come before it asks. Default 5 min.
    pub idle: Duration,
    /// How long it waits for an answer before it asks again. Default 30 s.
    pub interval: Duration,
    /// How often it asks. Default 4.
    pub probes: u32,
}

impl Default for TcpKeepAlive {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(300),
            interval: Duration::from_secs(30),
            probes: 4,
        }
    }
}

impl TcpKeepAlive {
    /// From here on this holds for what the socket accepts.
    #[cfg(unix)]
    pub(super) fn set(self, socket: &Socket) -> io::Result<()> {
        use rustix::net::sockopt;
        let Socket::Tcp(socket) = socket else {
            return Ok(());
        };
        // Less than a second cannot be said.
        let seconds = |time: Duration| Duration::from_secs(time.as_secs().max(1));
        sockopt::set_socket_keepalive(socket, true)?;
        #[cfg(any(
            target_os = "linux",
            target_os = "android",
            target_os = "freebsd",
            target_os = "netbsd"
        ))]
        {
            sockopt::set_tcp_keepidle(socket, seconds(self.idle))?;
            sockopt::set_tcp_keepintvl(socket, seconds(self.interval))?;
            sockopt::set_tcp_keepcnt(socket, self.probes.max(1))?;
        }
        // Elsewhere the times are those of the system.
        let _ = seconds;
        Ok(())
    }

    /// What is accepted here has no such question.
    #[cfg(not(unix))]
    #[allow(clippy::unnecessary_wraps, reason = "it is one function to its caller")]
    pub(super) const fn set(self, _: &Socket) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use rustix::net::sockopt;

    use super::*;

    #[test]
    fn what_is_accepted_has_the_times_of_its_listener() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = Socket::Tcp(listener.try_clone().unwrap());
        let times = TcpKeepAlive {
            idle: Duration::from_secs(77),
            interval: Duration::from_millis(1),
            probes: 3,
        };
        times.set(&socket).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        assert!(sockopt::socket_keepalive(&accepted).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&accepted).unwrap(), Duration::from_secs(77));
        assert_eq!(
            sockopt::tcp_keepintvl(&accepted).unwrap(),
            Duration::from_secs(1),
            "at least a second"
        );
        assert_eq!(sockopt::tcp_keepcnt(&accepted).unwrap(), 3);
    }
}
