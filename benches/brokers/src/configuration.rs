//! How the brokers are configured.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failed;
use crate::brokers::Kind;
use crate::certificate::Certificate;

/// What a broker is to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// Nothing.
    Memory,
    /// What is acknowledged is in a file, flushed; mosquitto has its persistence, which writes when it ends and every half hour.
    File,
}

/// What a broker is to be.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// Which it is.
    pub kind: Kind,
    /// What it keeps.
    pub keeping: Keeping,
    /// Where it listens.
    pub port: u16,
    /// What it may write to.
    pub folder: &'a Path,
    /// Its own, if it speaks TLS.
    pub certificate: Option<&'a Certificate>,
}

impl Setup<'_> {
    fn written(&self, name: &str, text: &str) -> Result<PathBuf, Failed> {
        let file = self.folder.join(name);
        fs::write(&file, text)?;
        Ok(file)
    }

    /// Lines with the files of certificate and key; nothing without TLS.
    fn with_files(&self, lines: impl Fn(String, String) -> String) -> String {
        self.certificate.map_or_else(String::new, |own| {
            lines(own.file().display().to_string(), own.key().display().to_string())
        })
    }
}

/// Writes what the broker is to be, and names it on its command line.
pub fn configure(command: &mut Command, setup: &Setup<'_>) -> Result<(), Failed> {
    match setup.kind {
        Kind::Ours | Kind::OursTwo => {
            let file = setup.written("mqtt.toml", &ours(setup))?;
            command.args(["broker", "--config"]).arg(file);
        }
        Kind::Mosquitto => {
            let file = setup.written("mosquitto.conf", &mosquitto(setup))?;
            command.arg("-c").arg(file);
        }
        Kind::Rumqttd => {
            let file = setup.written("rumqttd.toml", &rumqttd(setup))?;
            command.arg("--quiet").arg("-c").arg(file);
        }
        Kind::Nats => {
            let file = setup.written("nats.conf", &nats(setup))?;
            command.arg("-c").arg(file);
        }
        Kind::Null => {
            command.arg(setup.port.to_string());
        }
        // It is told on its command line what to do, and listens to nobody.
        Kind::Store => {}
    }
    Ok(())
}

fn ours(setup: &Setup<'_>) -> String {
    let shards = if setup.kind == Kind::OursTwo { 2 } else { 1 };
    let persistence = match setup.keeping {
        Keeping::Memory => String::new(),
        Keeping::File => format!(
            "[persistence]\npath = \"{}\"\ndurability = \"sync\"\n",
            setup.folder.join("store").display()
        ),
    };
    let tls = setup
        .with_files(|certificate, key| format!("[listener.tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n"));
    let port = setup.port;
    format!(
        "shards = {shards}\n{persistence}[limits.broker]\nsubscriptions_per_session = 1000000\n[[listener]]\naddress = \"127.0.0.1:{port}\"\n{tls}"
    )
}

/// Without bounds that drop messages, and without a log: its fastest configuration that loses nothing.
fn mosquitto(setup: &Setup<'_>) -> String {
    let persistence = match setup.keeping {
        Keeping::Memory => "persistence false\n".to_owned(),
        Keeping::File => format!("persistence true\npersistence_location {}/\n", setup.folder.display()),
    };
    let tls = setup.with_files(|certificate, key| format!("certfile {certificate}\nkeyfile {key}\n"));
    let port = setup.port;
    format!(
        "listener {port} 127.0.0.1\n{tls}allow_anonymous true\nset_tcp_nodelay true\nlog_type none\nuser root\n\
         max_queued_messages 0\nmax_inflight_messages 100\n{persistence}"
    )
}

/// The configuration that it prints, with room for all connections.
fn rumqttd(setup: &Setup<'_>) -> String {
    let tls =
        setup.with_files(|certificate, key| format!("[v4.1.tls]\ncertpath = \"{certificate}\"\nkeypath = \"{key}\"\n"));
    let port = setup.port;
    format!(
        "id = 0\n[router]\nid = 0\nmax_connections = 20010\nmax_outgoing_packet_count = 200\n\
         max_segment_size = 104857600\nmax_segment_count = 10\n\
         [v4.1]\nname = \"v4-1\"\nlisten = \"127.0.0.1:{port}\"\nnext_connection_delay_ms = 1\n\
         [v4.1.connections]\nconnection_timeout_ms = 60000\nmax_payload_size = 1048576\nmax_inflight_count = 100\n\
         dynamic_filters = true\n{tls}"
    )
}

/// MQTT needs its store, also for QoS 0.
fn nats(setup: &Setup<'_>) -> String {
    let tls =
        setup.with_files(|certificate, key| format!(", tls {{ cert_file: \"{certificate}\", key_file: \"{key}\" }}"));
    let port = setup.port;
    format!(
        "host: 127.0.0.1\nport: -1\nserver_name: bench\njetstream {{ store_dir: \"{}\" }}\n\
         mqtt {{ host: 127.0.0.1, port: {port}{tls} }}\n",
        setup.folder.join("jetstream").display()
    )
}
