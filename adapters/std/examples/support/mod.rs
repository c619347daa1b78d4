//! A server for the examples, where none is named.

#[path = "../../tests/adapter/mod.rs"]
mod adapter;

use std::sync::Arc;

use mqtt_testbed::{Adapter, Hub};

/// The URL on the command line, or that of a small server in this process.
pub(crate) fn url() -> String {
    std::env::args().nth(1).unwrap_or_else(|| {
        let hub = Arc::new(Hub::default());
        format!("mqtt://{}", mqtt_std::block_on(adapter::Std::serve(hub, 0)))
    })
}
