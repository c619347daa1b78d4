//! Where the server is, and who the client is.

use std::path::PathBuf;

use clap::ArgAction;
use mqtt_tokio::QoS;
use mqtt_tokio::session::proto::Version;

use super::values::{qos, session_expiry, version};
use super::{Absent, Behind, Password, Properties, TlsArguments};

/// Where the server is, and who the client is.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectionArguments {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a text here would be the help of the command")]
    // It looks at the options that follow, and has to come before they are taken.
    pub behind_url: Behind,
    /// Host of the server
    #[arg(short = 'h', long, value_name = "HOST", default_value = "localhost")]
    pub host: String,
    /// Port of the server [default: 1883, with TLS 8883, with --ws 80 or 443]
    #[arg(short, long)]
    pub port: Option<u16>,
    /// Server, user and topic in one: mqtt://user:password@host:port/topic, or mqtts://, ws://, wss://
    ///
    /// Only the host is needed. Behind ws:// and wss:// the path is that of the WebSocket, and the topic is given by -t. -h and
    /// -p behind -L take the place of its host and port; before it they count for nothing.
    #[arg(short = 'L', long, conflicts_with_all = ["unix", "ws"])]
    pub url: Option<String>,
    /// Connect through this unix socket
    #[arg(long, value_name = "PATH", conflicts_with_all = ["host", "port", "ws"])]
    pub unix: Option<PathBuf>,
    /// Speak MQTT over WebSocket
    #[arg(long)]
    pub ws: bool,
    /// What to ask a server of WebSocket for
    #[arg(long, value_name = "PATH", default_value = "/mqtt", requires = "ws")]
    pub ws_path: String,
    /// Version of MQTT: 5, 3.1.1 or 3.1 (mqttv5, mqttv311, mqttv31)
    #[arg(short = 'V', long, value_name = "VERSION", default_value = "5", value_parser = version)]
    pub protocol_version: Version,
    /// Client identifier [default: the server or chance chooses one]
    #[arg(short, long)]
    pub id: Option<String>,
    /// Client identifier: this, and the number of the process
    #[arg(short = 'I', long, value_name = "PREFIX", conflicts_with = "id")]
    pub id_prefix: Option<String>,
    /// User name
    #[arg(short, long, value_name = "NAME", allow_hyphen_values = true)]
    pub username: Option<String>,
    /// Password; others on this machine can see it: --password-file is safer
    #[arg(
        short = 'P',
        long = "pw",
        visible_alias = "password",
        value_name = "PASSWORD",
        allow_hyphen_values = true
    )]
    pub password: Option<Password>,
    /// Read the password from the first line of this file
    #[arg(long, value_name = "FILE", conflicts_with = "password")]
    pub password_file: Option<PathBuf>,
    /// Seconds without a packet after which the connection is probed
    #[arg(short, long, value_name = "SECONDS", default_value_t = 60)]
    pub keepalive: u16,
    /// Keep the session, and go on with it next time: needs -i or -I
    #[arg(short = 'c', long)]
    pub disable_clean_session: bool,
    /// Seconds that the server keeps the session after the end; -1: for ever [default: -1 with -c, else 0]
    #[arg(short = 'x', long, value_name = "SECONDS", value_parser = session_expiry, allow_hyphen_values = true)]
    pub session_expiry_interval: Option<u32>,
    /// Do not connect again when the connection is lost
    #[arg(long)]
    pub no_reconnect: bool,
    /// If the server is not there, try until it is
    #[arg(long, conflicts_with = "no_reconnect")]
    pub wait: bool,
    /// Topic on which the server publishes a will if this client vanishes
    #[arg(long, value_name = "TOPIC", help_heading = "Will")]
    pub will_topic: Option<String>,
    /// Payload of the will [default: empty]
    #[arg(
        long,
        value_name = "PAYLOAD",
        requires = "will_topic",
        allow_hyphen_values = true,
        help_heading = "Will"
    )]
    pub will_payload: Option<String>,
    /// QoS of the will
    #[arg(long, value_name = "QOS", default_value = "0", value_parser = qos, requires = "will_topic", help_heading = "Will")]
    pub will_qos: QoS,
    /// The server keeps the will as retained message
    #[arg(long, requires = "will_topic", help_heading = "Will")]
    pub will_retain: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a text here would be the help of the command")]
    pub tls: TlsArguments,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a text here would be the help of the command")]
    pub properties: Properties,
    /// Tell what happens, on standard error
    #[arg(short, long, conflicts_with = "quiet")]
    pub debug: bool,
    /// Tell nothing, not even errors; the exit code does
    #[arg(long)]
    pub quiet: bool,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    pub help: Option<bool>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a text here would be the help of the command")]
    pub absent: Absent,
}
