//! The authorities that a machine trusts, in processes whose environment names some.

use std::process::Command;
use std::task::{Context, Waker};

use mqtt_adapter::{
    Carrier, ClientLayers, Identity, LayerError, ServerLayers, Tls, TlsError, TlsServer, TlsSetupError, Trust,
};
use mqtt_testbed::{Authority, ends};

/// Where a child finds the certificate and the key of a server.
const SERVER: &str = "MQTT_PLATFORM_SERVER";

/// Runs a test of this file in a process of its own, with the authorities of this file.
fn in_child(name: &str, authorities: &std::path::Path, server: &str) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let status = command
        .args([name, "--exact", "--nocapture"])
        .env("SSL_CERT_FILE", authorities)
        .env_remove("SSL_CERT_DIR")
        .env(SERVER, server)
        .status();
    assert!(status.unwrap().success());
}

/// How a handshake with a server of this certificate ends, for a client that trusts what the machine does.
fn opened(certificate: &str, key: &str) -> Result<(), LayerError> {
    let tls = Tls::new(Trust::platform().unwrap());
    let identity = Identity::from_pem(certificate, key).unwrap();
    let (near, far, _) = ends(&[1 << 20]);
    let layers = ClientLayers::new().tls(&tls, "broker.example").unwrap();
    let mut client = Carrier::client(near, &layers);
    let mut server = Carrier::server(far, &ServerLayers::new().tls(TlsServer::new(identity)));
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..20 {
        if let std::task::Poll::Ready(result) = client.poll_open(&mut cx) {
            return result.map_err(|error| LayerError::of(&error).expect("a layer says so").clone());
        }
        let _ = server.poll_open(&mut cx);
    }
    panic!("the handshake has no end");
}

#[test]
fn a_machine_trusts_its_authorities_alone() {
    let Some(server) = std::env::var_os(SERVER) else {
        let authority = Authority::new();
        let (own, other) = (
            authority.server("broker.example"),
            Authority::new().server("broker.example"),
        );
        let file = std::env::temp_dir().join(format!("mqtt-platform-{}.pem", std::process::id()));
        std::fs::write(&file, authority.pem()).unwrap();
        for (issued, expected) in [(own, "trusted"), (other, "stranger")] {
            let server = format!("{expected}\n{}{}", issued.certificate, issued.key);
            in_child("a_machine_trusts_its_authorities_alone", &file, &server);
        }
        std::fs::remove_file(&file).unwrap();
        return;
    };
    let server = server.into_string().unwrap();
    let (expected, pem) = server.split_once('\n').unwrap();
    let result = opened(pem, pem);
    match expected {
        "trusted" => assert_eq!(result, Ok(())),
        _ => assert_eq!(result, Err(LayerError::Tls(TlsError::UnknownIssuer))),
    }
}

#[test]
fn a_machine_without_authorities_says_so() {
    if std::env::var_os(SERVER).is_none() {
        let nowhere = std::env::temp_dir().join("mqtt-platform-no-such-file.pem");
        return in_child("a_machine_without_authorities_says_so", &nowhere, "nothing");
    }
    assert!(Trust::platform().is_err_and(|error| matches!(error, TlsSetupError::NoPlatformRoots(_))));
}
