//! How a mosquitto is configured.

use std::fs;
use std::io;
use std::path::Path;

use crate::Issued;

/// What a mosquitto has on its streams.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The certificate of the authority that clients have to have one of, and the server's own.
    pub tls: Option<(String, Issued)>,
    /// WebSocket.
    pub websocket: bool,
}

impl Setup {
    /// The lines of the configuration. Other files that it needs are written into the folder.
    pub(crate) fn lines(&self, port: u16, folder: &Path) -> io::Result<String> {
        // Version 2.0.11 drops the connection of a client with more than 20 messages of QoS 2 under way if the queue has no
        // limit, and stops sending messages of QoS 2 to one of MQTT 3 for which more wait than may be in flight.
        let mut lines = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 100000\n\
             max_inflight_messages 0\n"
        );
        // mosquitto gives the rights of root up before it comes to its files.
        #[cfg(unix)]
        fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
        if self.websocket {
            // Version 2.0.11 ends at once if it listens for nothing but WebSocket.
            let beside = folder.join("socket");
            lines = format!("listener 0 {}\n{lines}protocol websockets\n", beside.display());
        }
        if let Some((authority, server)) = &self.tls {
            for (name, text) in [
                ("cafile", authority),
                ("certfile", &server.certificate),
                ("keyfile", &server.key),
            ] {
                let path = folder.join(name);
                fs::write(&path, text)?;
                lines += &format!("{name} {}\n", path.display());
            }
            lines += "require_certificate true\n";
        }
        Ok(lines)
    }
}
