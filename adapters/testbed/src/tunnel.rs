//! A proxy that lets connections through to where they ask for: by HTTP CONNECT and by SOCKS5.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// A proxy at a port of 127.0.0.1, for as long as the process lives.
///
/// # Errors
/// If there is no port for it.
pub fn tunnel() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        while let Ok((near, _)) = listener.accept() {
            thread::spawn(move || serve(near));
        }
    });
    Ok(address)
}

fn serve(mut near: TcpStream) -> io::Result<()> {
    let mut first = [0];
    near.read_exact(&mut first)?;
    let (target, yes): (String, &[u8]) = match first {
        [5] => (socks_target(&mut near)?, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
        [first] => (
            http_target(&mut near, first)?,
            b"HTTP/1.1 200 Connection established\r\n\r\n",
        ),
    };
    let far = TcpStream::connect(target)?;
    far.set_nodelay(true)?;
    near.set_nodelay(true)?;
    near.write_all(yes)?;
    let (from_far, to_near) = (far.try_clone()?, near.try_clone()?);
    thread::spawn(move || pass_on(from_far, to_near));
    pass_on(near, far)
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let passed = io::copy(&mut from, &mut to);
    to.shutdown(Shutdown::Write)?;
    passed.map(|_| ())
}

/// `CONNECT host:port HTTP/1.1`, and headers.
fn http_target(stream: &mut TcpStream, first: u8) -> io::Result<String> {
    let mut head = vec![first];
    while !head.ends_with(b"\r\n\r\n") {
        let mut next = [0];
        stream.read_exact(&mut next)?;
        head.extend(next);
    }
    let head = String::from_utf8_lossy(&head);
    let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
    target.map(str::to_owned).ok_or(io::ErrorKind::InvalidData.into())
}

/// No user name, and then a host name to connect to.
fn socks_target(stream: &mut TcpStream) -> io::Result<String> {
    let mut methods = [0];
    stream.read_exact(&mut methods)?;
    stream.read_exact(&mut vec![0; usize::from(methods[0])])?;
    stream.write_all(&[5, 0])?;
    let mut request = [0; 5];
    stream.read_exact(&mut request)?;
    let [5, 1, 0, 3, len] = request else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let (mut host, mut port) = (vec![0; usize::from(len)], [0; 2]);
    stream.read_exact(&mut host)?;
    stream.read_exact(&mut port)?;
    Ok(format!(
        "{}:{}",
        String::from_utf8_lossy(&host),
        u16::from_be_bytes(port)
    ))
}
