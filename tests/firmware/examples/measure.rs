//! Prints what a program took, as the device says: `measure` runs it here, `measure IMAGE` an image of it in QEMU.
//!
//! The image talks to the same server, over its serial line.

use std::io::{Read, Write};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use mqtt_firmware::host::{ARENA, Gate, Line, Server, inside};
use mqtt_firmware::{Device, Report, program};
use mqtt_session::Client;
use mqtt_session::proto::Version;

#[global_allocator]
static ALLOCATOR: Gate = Gate;

const QEMU: &str = "qemu-system-arm";
/// An image that says nothing for so long has stopped.
const SILENCE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let image = arguments.next();
    // The image talks in so many versions, one after the other.
    let versions = arguments.next().map_or(Ok(2), |count| count.parse());
    let report = match (&image, versions) {
        (Some(image), Ok(versions)) => in_qemu(image, versions),
        (None, _) => here(),
        (_, Err(error)) => Err(error.to_string()),
    };
    match report {
        Ok(report) => {
            println!(
                "{} {} {} {} {}",
                report.client_bytes, report.buffer_bytes, report.heap_held, report.heap_reach, report.stack
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn here() -> Result<Report, String> {
    let mut line = Line::new(Server::new());
    for version in [Version::V3_1_1, Version::V5] {
        let result = inside(|| program::run(version, &mut line, report));
        result.map_err(|fault| format!("{version:?}: {fault:?}"))?;
    }
    line.server.report().ok_or_else(|| "there is no report".to_owned())
}

fn report() -> Report {
    let marks = ARENA.marks();
    let bytes = |count: usize| u32::try_from(count).expect("it is small");
    Report {
        client_bytes: bytes(size_of::<Client>()),
        buffer_bytes: bytes(size_of::<Device<&mut Line>>() - size_of::<Client>()),
        heap_held: bytes(marks.held),
        heap_reach: bytes(marks.reach),
        stack: 0,
    }
}

fn in_qemu(image: &str, versions: u32) -> Result<Report, String> {
    let mut qemu = Command::new(QEMU)
        .args(["-machine", "mps2-an386", "-display", "none", "-monitor", "none"])
        .args(["-serial", "stdio", "-kernel", image])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{QEMU}: {error}"))?;
    let streams = (qemu.stdin.take(), qemu.stdout.take());
    let report = match streams {
        (Some(to_image), Some(from_image)) => serve(to_image, from_image, versions),
        _ => Err("there are no pipes".to_owned()),
    };
    let ended = qemu.kill().and_then(|()| qemu.wait());
    ended.map_err(|error| format!("{QEMU}: {error}"))?;
    report
}

/// Serves the image until it has left as often as it talks in versions.
fn serve(
    mut to_image: impl Write,
    mut from_image: impl Read + Send + 'static,
    versions: u32,
) -> Result<Report, String> {
    let (sender, received) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = from_image.read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    let mut server = Server::new();
    server.open();
    let mut output = Vec::new();
    while server.sessions() < versions {
        let bytes = received.recv_timeout(SILENCE);
        server.receive(&bytes.map_err(|_| format!("the image is silent; its last report: {:?}", server.report()))?);
        server.send(&mut output);
        to_image.write_all(&output).map_err(|error| error.to_string())?;
        to_image.flush().map_err(|error| error.to_string())?;
        output.clear();
    }
    server.report().ok_or_else(|| "there is no report".to_owned())
}
