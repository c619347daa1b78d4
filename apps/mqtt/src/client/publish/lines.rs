//! Lines of standard input, read in a thread of their own: a read that waits would keep the connection waiting too.

use std::io::{self, BufRead, ErrorKind};
use std::thread;

use bytes::Bytes;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How many reads may wait to be published.
const READS: usize = 4;
/// The longest line: no payload can be longer.
const LONGEST: usize = 268_435_455;

/// The lines of one read, or why there are none.
pub(super) type Lines = io::Result<Vec<Bytes>>;

/// Begins to read standard input.
pub(super) fn of_stdin() -> Receiver<Lines> {
    let (sender, receiver) = channel(READS);
    thread::spawn(move || {
        if let Err(error) = read(io::stdin().lock(), &sender) {
            let _ = sender.blocking_send(Err(error));
        }
    });
    receiver
}

/// Gives all lines away, those of one read together, until nobody wants them.
fn read(mut input: impl BufRead, sender: &Sender<Lines>) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        let read = match input.fill_buf() {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let (is_end, bytes) = (read.is_empty(), read.len());
        let mut lines = Vec::new();
        for part in read.split_inclusive(|byte| *byte == b'\n') {
            match part.strip_suffix(b"\n") {
                Some(last) => {
                    line.extend_from_slice(last);
                    lines.push(Bytes::from(std::mem::take(&mut line)));
                }
                None => line.extend_from_slice(part),
            }
        }
        input.consume(bytes);
        if line.len() > LONGEST {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                "a line is longer than a payload can be",
            ));
        }
        if is_end && !line.is_empty() {
            lines.push(Bytes::from(std::mem::take(&mut line)));
        }
        if !lines.is_empty() && sender.blocking_send(Ok(lines)).is_err() {
            return Ok(());
        }
        if is_end {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn lines_are_whole_whatever_the_reads_are() {
        let text = b"one\n\ntwo\r\nlast without an end";
        for capacity in [1, 2, 3, 7, 100] {
            let (sender, mut receiver) = channel(100);
            read(BufReader::with_capacity(capacity, &text[..]), &sender).unwrap();
            drop(sender);
            let mut lines = Vec::new();
            while let Some(read) = receiver.blocking_recv() {
                lines.extend(read.unwrap());
            }
            assert_eq!(lines, ["one", "", "two\r", "last without an end"], "{capacity}");
        }
    }

    #[test]
    fn an_end_of_line_begins_no_line() {
        let (sender, mut receiver) = channel(100);
        read(&b"one\n"[..], &sender).unwrap();
        assert_eq!(receiver.blocking_recv().unwrap().unwrap(), ["one"]);
        drop(sender);
        assert!(receiver.blocking_recv().is_none());
    }
}
