//! Where a payload comes from.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;

use bytes::Bytes;
use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER_PERMISSIVE};

use crate::Ending;
use crate::client::failing::of_file;

/// Where a payload comes from: one of these.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "payload", required = true, multiple = false)]
pub struct PayloadArguments {
    /// Payload
    #[arg(short, long, value_name = "PAYLOAD", allow_hyphen_values = true)]
    pub message: Option<OsString>,
    /// The content of this file; more than once for several messages
    #[arg(short, long)]
    pub file: Vec<PathBuf>,
    /// An empty payload
    #[arg(short, long)]
    pub null_message: bool,
    /// All of standard input as one message
    #[arg(short, long)]
    pub stdin_file: bool,
    /// Payload in hexadecimal
    #[arg(long, value_name = "BYTES")]
    pub hex: Option<String>,
    /// Payload in base64
    #[arg(long, value_name = "TEXT")]
    pub base64: Option<String>,
}

impl PayloadArguments {
    /// The payloads: several, if there are several files.
    pub(crate) fn read(&self) -> Result<Vec<Bytes>, Ending> {
        let one = match self {
            Self {
                message: Some(text), ..
            } => Bytes::from(text.clone().into_encoded_bytes()),
            Self { hex: Some(text), .. } => hex(text)?,
            Self { base64: Some(text), .. } => base64(text)?,
            Self { stdin_file: true, .. } => {
                let mut bytes = Vec::new();
                io::stdin().read_to_end(&mut bytes)?;
                Bytes::from(bytes)
            }
            Self { file, .. } if !file.is_empty() => {
                let read = file
                    .iter()
                    .map(|path| fs::read(path).map_err(|error| of_file(path, &error)));
                return read.map(|read| read.map(Bytes::from)).collect();
            }
            _ => Bytes::new(),
        };
        Ok(vec![one])
    }
}

fn hex(text: &str) -> Result<Bytes, Ending> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = HEXLOWER_PERMISSIVE.decode(&digits);
    bytes
        .map(Bytes::from)
        .map_err(|error| Ending::misused(format_args!("--hex: {error}")))
}

/// With padding or without.
fn base64(text: &str) -> Result<Bytes, Ending> {
    let bytes = match text.ends_with('=') {
        true => BASE64.decode(text.as_bytes()),
        false => BASE64_NOPAD.decode(text.as_bytes()),
    };
    bytes
        .map(Bytes::from)
        .map_err(|error| Ending::misused(format_args!("--base64: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_in_two_ways() {
        assert_eq!(hex("00 fF\n10").unwrap(), &b"\x00\xff\x10"[..]);
        assert_eq!(base64("AP8Q").unwrap(), &b"\x00\xff\x10"[..]);
        assert_eq!(base64("AP8=").unwrap(), base64("AP8").unwrap());
        assert!(hex("0").is_err() && hex("xx").is_err() && base64("A").is_err() && base64("?").is_err());
    }
}
