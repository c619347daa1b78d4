//! The clients that are compared, and the servers that they talk to.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::load::{Failed, Load, Pace};

/// A client, as a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    name: &'static str,
    program: String,
    arguments: Vec<String>,
    is_slow: bool,
}

impl Client {
    /// What it is called in the table.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The load for this client: a slow one gets a tenth of the messages, and all figures are for one message.
    pub fn share(&self, load: Load) -> Load {
        let messages = match load.pace {
            Pace::Saturated if self.is_slow => load.messages / 10,
            _ => load.messages,
        };
        Load { messages, ..load }
    }

    /// Whether it is one of this project.
    pub fn is_ours(&self) -> bool {
        self.name.starts_with("mqtt-")
    }

    /// How it is run.
    pub fn command(&self, port: u16, load: Load) -> Result<Command, Failed> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).arg(port.to_string()).args(load.to_args());
        Ok(command)
    }
}

/// All clients that are there. The others are named.
pub fn clients() -> Result<Vec<Client>, Failed> {
    let program = std::env::current_exe()?.display().to_string();
    let names = ["mqtt-tokio", "mqtt-smol", "mqtt-std", "rumqttc"];
    let mut clients: Vec<Client> = names
        .into_iter()
        .map(|name| Client {
            name,
            program: program.clone(),
            arguments: vec!["client".to_owned(), name.to_owned()],
            is_slow: false,
        })
        .collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    if folder.join("node_modules/mqtt").exists() {
        clients.push(Client {
            name: "mqtt.js",
            program: "node".to_owned(),
            arguments: vec![folder.join("mqttjs.mjs").display().to_string()],
            is_slow: true,
        });
    } else {
        eprintln!("skipped: mqtt.js, which `npm install` in {} brings", folder.display());
    }
    if folder.join("paho").exists() {
        clients.push(Client {
            name: "paho C",
            program: folder.join("paho").display().to_string(),
            arguments: Vec::new(),
            is_slow: true,
        });
    } else {
        eprintln!("skipped: paho C, which `make` in {} builds", folder.display());
    }
    Ok(clients)
}

/// A server, which ends with this value.
#[derive(Debug)]
pub struct Target {
    name: &'static str,
    port: u16,
    process: Child,
    _config: Option<tempfile::NamedTempFile>,
}

impl Target {
    /// What it is called in the table.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is the one that only answers.
    pub fn is_null(&self) -> bool {
        self.name == "null"
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// All servers that are there.
pub fn targets() -> Result<Vec<Target>, Failed> {
    let mut targets = vec![null()?];
    match mosquitto() {
        Ok(target) => targets.push(target),
        Err(error) => eprintln!("skipped: mosquitto: {error}"),
    }
    Ok(targets)
}

fn null() -> Result<Target, Failed> {
    let mut process = Command::new(std::env::current_exe()?)
        .arg("server")
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(process.stdout.take().ok_or("it has an output")?).read_line(&mut line)?;
    Ok(Target {
        name: "null",
        port: line.trim().parse()?,
        process,
        _config: None,
    })
}

fn mosquitto() -> Result<Target, Failed> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let config = tempfile::NamedTempFile::new()?;
    // Version 2.0.11 ends the connection of a client with more than 20 messages of QoS 2 under way, if its queue has no limit.
    let text = format!(
        "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 100000\n\
         max_inflight_messages 0\nset_tcp_nodelay true\nlog_type none\n"
    );
    std::fs::write(config.path(), text)?;
    let process = Command::new("mosquitto")
        .arg("-c")
        .arg(config.path())
        .stderr(Stdio::null())
        .spawn()?;
    let target = Target {
        name: "mosquitto",
        port,
        process,
        _config: Some(config),
    };
    let until = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > until {
            return Err("it does not listen".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(target)
}
