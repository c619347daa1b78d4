//! The 27 properties of MQTT 5.0.
//!
//! A section of properties is kept as it stands on the wire: a range of bytes that was checked once, for known ids, for
//! ids that belong there, for values in range and for repetition. It is read lazily, and forwarded by one copy.

mod accessors;
mod build;
mod id;
mod list;
mod plain;
mod read;
mod rules;
pub mod section;
mod value;

use crate::storage::Storage;
pub use build::PropertiesBuilder;
pub use id::PropertyId;
pub use list::{Properties, PropertyIter};
pub use section::{
    AckProperties, AuthProperties, ConnAckProperties, ConnectProperties, DisconnectProperties, PublishProperties,
    Section, SectionKind, SubscribeProperties, UnsubscribeProperties, WillProperties,
};
pub use value::{PayloadFormat, Property, SubscriptionId};
