//! What all clients are told on the command line.

mod absent;
mod behind;
mod connection;
mod password;
mod payload;
mod properties;
mod tls;
mod values;

pub use absent::Absent;
pub use behind::Behind;
pub use connection::ConnectionArguments;
pub use password::Password;
pub use payload::PayloadArguments;
pub(crate) use properties::encoded;
pub use properties::{Properties, Stage};
pub use tls::TlsArguments;
pub(crate) use values::{qos, seconds, version};
