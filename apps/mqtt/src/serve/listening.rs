//! Listeners, as the configuration wants them.

use std::path::Path;

use mqtt_adapter::host::Listen;
use mqtt_adapter::{ClientTrust, ServerLayers, TlsServer, WebSocketServer};

use crate::Ending;
use crate::broker::config::{Address, Config, Listener, Tls};
use crate::pem::{self, Content, Source};

/// One of them, to be opened.
pub(super) fn listen(listener: &Listener) -> Result<Listen, Ending> {
    let listen = match &listener.address {
        Address::Tcp(address) => Listen::tcp(address),
        Address::Unix(path) => Listen::unix(path),
    };
    // Without a bound of its own, that of the broker counts, which closes what is too many.
    let connections = listener.max_connections.map(usize::try_from);
    Ok(listen
        .name(listener.address.to_string())
        .connections(connections.and_then(Result::ok).unwrap_or(usize::MAX))
        .proxy_protocol(listener.proxy_protocol)
        .layers(layers(listener)?))
}

/// What is on its streams.
pub(super) fn layers(listener: &Listener) -> Result<ServerLayers, Ending> {
    let mut layers = ServerLayers::new();
    if let Some(settings) = &listener.tls {
        let told = |fault: String| {
            let told = Ending::failed(format_args!("TLS of the listener at {}: {fault}", listener.address));
            told.advice("certificates, keys and revocation lists are read as PEM, keys without a passphrase")
        };
        layers = layers.tls(tls(settings).map_err(told)?);
    }
    if let Some(websocket) = &listener.websocket {
        layers = layers.websocket(WebSocketServer::new().path(&websocket.path));
    }
    Ok(layers)
}

/// Else what is wrong, and with which file.
fn tls(settings: &Tls) -> Result<TlsServer, String> {
    fn source<'a>(option: &'a str, path: &'a Path) -> Source<'a> {
        Source { option, path }
    }
    let identity = pem::identity(
        source("certificate", &settings.certificate),
        source("key", &settings.key),
    )?;
    let server = TlsServer::new(identity);
    let Some(authorities) = &settings.client_ca else {
        return Ok(server);
    };
    let authorities = source("client_ca", authorities);
    let mut trust = pem::with(authorities, Content::Certificate, |pem| ClientTrust::roots_pem(pem))?;
    for list in &settings.revocation_lists {
        let list = source("revocation_lists", list);
        trust = pem::with(list, Content::RevocationList, |pem| trust.revocation_lists_pem(pem))?;
    }
    if !settings.require_client_certificate {
        trust = trust.may_show_none();
    }
    server.clients(trust).map_err(|error| authorities.fault(error))
}

/// Whether a listener is one that is open, with other certificates at most on its streams.
pub(super) fn has_same_layers(open: &Listener, listener: &Listener) -> bool {
    open.address == listener.address
        && open.tls.is_some() == listener.tls.is_some()
        && open.websocket == listener.websocket
}

/// The listeners that are open, with what counts of the new configuration at once.
pub(super) fn in_force(open: &Config, config: &Config) -> Vec<Listener> {
    let changed = |open: &Listener| config.listeners.iter().find(|new| new.place() == open.place()).cloned();
    let listeners = open.listeners.iter();
    listeners
        .map(|open| changed(open).unwrap_or_else(|| open.clone()))
        .collect()
}
