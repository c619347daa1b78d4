//! TLS, as the arguments want it.

use std::fs;
use std::path::Path;

use mqtt_tokio::{Scheme, Tls, TlsSetupError, Trust};

use crate::Ending;
use crate::client::TlsArguments;
use crate::client::failing::of_file;
use crate::pem::{self, Content, Source};

/// The settings, if they differ from the default or TLS is asked for.
pub(crate) fn wanted(arguments: &TlsArguments, scheme: Scheme) -> Result<Option<Tls>, Ending> {
    let has_tls = matches!(scheme, Scheme::Mqtts | Scheme::Wss);
    if !has_tls {
        return match arguments.ask_for_it() || arguments.tls_alpn.is_some() {
            true => Err(Ending::misused(format_args!("there is no TLS on {}:", scheme.name()))
                .advice("use mqtts:// or wss:// as URL")),
            false => Ok(None),
        };
    }
    let mut tls = Tls::new(trust(arguments)?);
    if let (Some(certificate), Some(key)) = (&arguments.cert, &arguments.key) {
        let certificate = Source {
            option: "--cert",
            path: certificate,
        };
        let key = Source {
            option: "--key",
            path: key,
        };
        tls = tls.identity(pem::identity(certificate, key).map_err(of_pem)?);
    }
    if let Some(name) = &arguments.tls_name {
        tls = tls.server_name(name).map_err(told)?;
    }
    if let Some(protocol) = &arguments.tls_alpn {
        tls = tls.alpn([protocol.as_bytes()]);
    }
    Ok(Some(tls))
}

fn trust(arguments: &TlsArguments) -> Result<Trust, Ending> {
    if let Some(sum) = arguments.tls_fingerprint {
        return Ok(Trust::pinned_sha256([sum]));
    }
    match (&arguments.cafile, &arguments.capath) {
        (Some(path), _) => {
            let source = Source {
                option: "--cafile",
                path,
            };
            pem::with(source, Content::Certificate, |pem| Trust::roots_pem(pem)).map_err(of_pem)
        }
        (None, Some(folder)) => Trust::roots_pem(certificates(folder)?).map_err(told),
        (None, None) => Trust::platform().map_err(told),
    }
}

fn told(error: TlsSetupError) -> Ending {
    Ending::failed(error)
}

fn of_pem(fault: String) -> Ending {
    Ending::failed(fault).advice("certificates and keys are read as PEM, keys without a passphrase")
}

/// All certificates in the files of a folder, as one text. What is no certificate is passed over, as other programs do.
fn certificates(folder: &Path) -> Result<Vec<u8>, Ending> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| of_file(folder, &error))? {
        let path = entry.map_err(|error| of_file(folder, &error))?.path();
        if !path.is_file() {
            continue;
        }
        let text = fs::read(&path).map_err(|error| of_file(&path, &error))?;
        if Trust::roots_pem(&text).is_ok() {
            all.extend_from_slice(&text);
            all.push(b'\n');
        }
    }
    match all.is_empty() {
        true => Err(Ending::failed(format_args!(
            "--capath: {}: no file has a certificate in PEM",
            folder.display()
        ))),
        false => Ok(all),
    }
}
