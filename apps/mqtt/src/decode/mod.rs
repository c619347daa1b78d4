//! `mqtt decode`: bytes, explained field by field.

mod capture;
mod input;
mod reader;
mod segments;

use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;

use mqtt_proto::{Role, Version};

use self::input::Input;
use self::reader::Reader;
use crate::Ending;
use crate::screen::Screen;

/// What is to be explained.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  mqtt decode 30 06 00 01 74 00 68 69           a PUBLISH, given in hex
  mqtt decode --mqtt 3.1.1 820a00010005612f2b2f2301
  mqtt decode --file session.bin --from client  what a client sent, as it came
  tcpdump -w - port 1883 | mqtt decode          a capture, both directions in their order

Each line has the offset of a field in its packet, its bytes, and what they mean. Of bytes that are refused it says
which statement of the specification they break. The version is the one that a CONNECT states; --mqtt is for
packets that follow none.

Exit codes: 0 everything could be read, 1 something was refused or is missing, 2 wrong arguments.")]
pub struct Decode {
    /// Packets in hex; without any, and without --file, standard input is read
    #[arg(value_name = "HEX", conflicts_with = "file")]
    hex: Vec<String>,
    /// A file: a capture (pcap or pcapng), hex, or bytes as they are
    #[arg(short, long)]
    file: Option<PathBuf>,
    /// What the input is; else it is recognised
    #[arg(long, value_enum)]
    input: Option<input::Kind>,
    /// The version, while no CONNECT has stated one: 3.1, 3.1.1 or 5
    #[arg(long = "mqtt", value_name = "VERSION", default_value = "5", value_parser = version)]
    version: Version,
    /// Who sent the bytes; packets that this end may not send are refused then
    #[arg(long, value_enum)]
    from: Option<From>,
    /// The port of the server in a capture, for connections whose CONNECT is not in it
    #[arg(long, default_value_t = 1883)]
    port: u16,
}

/// An end of a connection.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum From {
    Client,
    Server,
}

/// Explains it.
pub(crate) fn run(decode: &Decode) -> Result<(), Ending> {
    let (bytes, kind) = if decode.hex.is_empty() {
        (read(decode.file.as_ref())?, decode.input)
    } else {
        (decode.hex.concat().into_bytes(), Some(input::Kind::Hex))
    };
    let mut out = io::BufWriter::new(Screen::new());
    let is_whole = match Input::of(bytes, kind)? {
        Input::Capture(bytes) => capture::explain(&bytes, decode.version, decode.port, &mut out)?,
        Input::Packets(bytes) => {
            let sender = decode.from.map(|from| match from {
                From::Client => Role::Client,
                From::Server => Role::Server,
            });
            let mut reader = Reader::new(sender);
            let mut version = decode.version;
            reader.feed(&bytes, &mut version, &mut out, |_| Ok(()))?;
            reader.end(version, &mut out)?
        }
    };
    out.into_inner().map_err(io::IntoInnerError::into_error)?.end()?;
    if is_whole {
        Ok(())
    } else {
        Err(Ending::failed("not everything could be read: see above"))
    }
}

fn read(file: Option<&PathBuf>) -> Result<Vec<u8>, Ending> {
    match file {
        Some(file) => fs::read(file).map_err(|error| Ending::failed(format_args!("{}: {error}", file.display()))),
        None => {
            let mut bytes = Vec::new();
            io::stdin().lock().read_to_end(&mut bytes)?;
            Ok(bytes)
        }
    }
}

fn version(text: &str) -> Result<Version, String> {
    match text {
        "3.1" | "3" => Ok(Version::V3_1),
        "3.1.1" | "4" => Ok(Version::V3_1_1),
        "5" | "5.0" => Ok(Version::V5),
        _ => Err("3.1, 3.1.1 or 5".to_owned()),
    }
}
