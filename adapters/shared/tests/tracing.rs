//! What a subscriber of `tracing` hears of a client.
#![cfg(feature = "tracing")]

use std::fmt;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use mqtt_adapter::{Client, ClientOptions, DialError, Dialing, Endpoint};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Writes down spans, and events with the span that they are in.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    spans: Vec<String>,
    entered: Vec<u64>,
    events: Vec<String>,
}

#[derive(Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0 += &format!(" {field}={value:?}");
    }
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        span.record(&mut fields);
        let mut heard = self.0.lock().unwrap();
        heard.spans.push(format!("{}{}", span.metadata().name(), fields.0));
        Id::from_u64(heard.spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut heard = self.0.lock().unwrap();
        let line = format!("{} in {:?}:{}", event.metadata().level(), heard.entered, fields.0);
        heard.events.push(line);
    }

    fn enter(&self, span: &Id) {
        self.0.lock().unwrap().entered.push(span.into_u64());
    }

    fn exit(&self, _: &Id) {
        self.0.lock().unwrap().entered.pop();
    }
}

fn refused(_: &Endpoint) -> Dialing {
    Box::pin(async { Err(DialError::connect(std::io::ErrorKind::ConnectionRefused.into())) })
}

#[test]
fn everything_that_a_connection_does_is_in_the_span_of_its_client() {
    let listener = Listener::default();
    tracing::subscriber::with_default(listener.clone(), || {
        let (client, mut keeper) = Client::with_dialer(ClientOptions::tcp("broker", 1883), refused);
        for _ in 0..3 {
            let _ = keeper.poll(&mut Context::from_waker(Waker::noop()));
        }
        drop(client);
    });
    let heard = listener.0.lock().unwrap();
    assert_eq!(heard.spans, ["mqtt_client server=mqtt://broker:1883"]);
    assert!(heard.entered.is_empty());
    assert_eq!(heard.events.len(), 3, "{:?}", heard.events);
    for (event, (level, words)) in heard.events.iter().zip([
        ("DEBUG", "opening a stream"),
        ("WARN", "no stream"),
        ("INFO", "the connection has ended"),
    ]) {
        assert!(
            event.starts_with(&format!("{level} in [1]:")) && event.contains(words),
            "{event}"
        );
    }
}
