//! Listeners, as the configuration wants them.

use std::fs;
use std::path::Path;

use mqtt_adapter::host::Listen;
use mqtt_adapter::{ClientTrust, Identity, ServerLayers, TlsServer, TlsSetupError, WebSocketServer};

use crate::Ending;
use crate::broker::config::{Address, Config, Listener, Tls};

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
        layers =
            layers.tls(tls(settings).map_err(|error| {
                Ending::failed(format_args!("TLS of the listener at {}: {error}", listener.address))
            })?);
    }
    if let Some(websocket) = &listener.websocket {
        layers = layers.websocket(WebSocketServer::new().path(&websocket.path));
    }
    Ok(layers)
}

fn tls(settings: &Tls) -> Result<TlsServer, TlsSetupError> {
    let server = TlsServer::new(Identity::from_pem_files(&settings.certificate, &settings.key)?);
    let Some(authorities) = &settings.client_ca else {
        return Ok(server);
    };
    let mut trust = ClientTrust::roots_pem(read(authorities)?)?;
    for list in &settings.revocation_lists {
        trust = trust.revocation_lists_pem(read(list)?)?;
    }
    if !settings.require_client_certificate {
        trust = trust.may_show_none();
    }
    server.clients(trust)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsSetupError> {
    fs::read(path).map_err(|error| TlsSetupError::File(path.to_owned(), error.kind()))
}

/// Whether a listener is one that is open, with other certificates at most on its streams.
pub(super) fn has_same_layers(open: &Listener, listener: &Listener) -> bool {
    open.address == listener.address
        && open.tls.is_some() == listener.tls.is_some()
        && open.websocket == listener.websocket
}

/// Whether the listeners that are open differ at most in what can change while they are: certificates, and who may come without
/// a name.
pub(super) fn are_same_places(open: &Config, config: &Config) -> bool {
    open.listeners.iter().map(place).eq(config.listeners.iter().map(place))
}

/// The listeners that are open, with what counts of the new configuration at once.
pub(super) fn in_force(open: &Config, config: &Config) -> Vec<Listener> {
    let changed = |open: &Listener| config.listeners.iter().find(|new| place(new) == place(open)).cloned();
    let listeners = open.listeners.iter();
    listeners
        .map(|open| changed(open).unwrap_or_else(|| open.clone()))
        .collect()
}

fn place(listener: &Listener) -> Listener {
    Listener {
        tls: listener.tls.as_ref().map(|_| Tls::default()),
        anonymous: None,
        ..listener.clone()
    }
}
