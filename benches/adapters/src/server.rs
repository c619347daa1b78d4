//! A server that does nothing but answer: what a client costs is not hidden behind it.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// How much is read at once.
const READ_BYTES: usize = 256 * 1024;

/// Serves each connection in a thread, until the process is ended.
pub fn serve(listener: &TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        // A connection that breaks is over: the client tells.
        thread::spawn(move || answer(stream));
    }
}

/// Answers everything that was read with one write.
fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut input = vec![0; READ_BYTES];
    let mut output = Vec::with_capacity(READ_BYTES);
    let mut held = 0;
    loop {
        let len = stream.read(&mut input[held..])?;
        if len == 0 {
            return Ok(());
        }
        held += len;
        let mut taken = 0;
        while let Some((packet, body)) = packet(&input[taken..held]) {
            reply(packet, body, &mut output);
            taken += packet.len();
        }
        input.copy_within(taken..held, 0);
        held -= taken;
        stream.write_all(&output)?;
        output.clear();
    }
}

/// The packet at the front, if it is there in whole, and what stands behind its length.
fn packet(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut remaining = 0;
    for (place, byte) in bytes.iter().enumerate().skip(1).take(4) {
        remaining |= usize::from(byte & 0x7F) << (7 * (place - 1));
        if byte & 0x80 == 0 {
            let packet = bytes.get(..place + 1 + remaining)?;
            return Some((packet, &packet[place + 1..]));
        }
    }
    None
}

fn reply(packet: &[u8], body: &[u8], output: &mut Vec<u8>) {
    const PUBACK: u8 = 0x40;
    const PUBREC: u8 = 0x50;
    const PUBCOMP: u8 = 0x70;
    match packet[0] >> 4 {
        1 => output.extend_from_slice(&[0x20, 2, 0, 0]),
        3 if packet[0] & 0b110 != 0 => {
            let at = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
            let first = if packet[0] & 0b100 != 0 { PUBREC } else { PUBACK };
            output.extend_from_slice(&[first, 2, body[at], body[at + 1]]);
        }
        6 => output.extend_from_slice(&[PUBCOMP, 2, body[0], body[1]]),
        12 => output.extend_from_slice(&[0xD0, 0]),
        _ => {}
    }
}
