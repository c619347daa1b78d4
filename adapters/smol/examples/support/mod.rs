//! A server for the examples, where none is named.

#[path = "../../tests/adapter/mod.rs"]
mod adapter;

use std::sync::Arc;

use mqtt_testbed::{Adapter, Hub};

/// The URL on the command line, or that of a small server in this process.
pub(crate) async fn url() -> String {
    match std::env::args().nth(1) {
        Some(url) => url,
        None => format!("mqtt://{}", adapter::Smol::serve(Arc::new(Hub::default()), 0).await),
    }
}
