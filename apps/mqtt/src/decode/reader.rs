//! One packet after the other.

use std::io::{self, Write};

use mqtt_proto::{Decoded, Explanation, Packet, Role, Rules, Version, decode};

/// Explains what one end sends, in pieces of any length.
#[derive(Debug)]
pub(super) struct Reader {
    sender: Option<Role>,
    /// What has not been a whole packet so far.
    rest: Vec<u8>,
    /// The offset of the rest.
    offset: u64,
    is_refused: bool,
}

impl Reader {
    pub(super) const fn new(sender: Option<Role>) -> Self {
        Self {
            sender,
            rest: Vec::new(),
            offset: 0,
            is_refused: false,
        }
    }

    /// Explains the packets that are whole. Each begins with a line of its own: `head` writes what is to stand before it.
    /// A CONNECT states the version of everything that follows on its connection.
    pub(super) fn feed<W: Write>(
        &mut self,
        bytes: &[u8],
        version: &mut Version,
        out: &mut W,
        mut head: impl FnMut(&mut W) -> io::Result<()>,
    ) -> io::Result<()> {
        // Where a packet ends is not known after one that was refused.
        if self.is_refused {
            return Ok(());
        }
        self.rest.extend_from_slice(bytes);
        let mut read = 0;
        while let Some(bytes) = self.rest.get(read..).filter(|bytes| !bytes.is_empty()) {
            let rules = self.rules(*version);
            let (name, len) = match decode(bytes, &rules) {
                Ok(Decoded::Packet { packet, len }) => {
                    if let Packet::Connect(connect) = &packet {
                        *version = connect.version;
                    }
                    (packet.packet_type().to_string(), len)
                }
                Ok(Decoded::Incomplete { .. }) => break,
                Err(_) => {
                    self.is_refused = true;
                    ("refused".to_owned(), bytes.len())
                }
            };
            head(out)?;
            let offset = self.offset + read as u64;
            if self.is_refused {
                writeln!(out, "refused, at {offset}")?;
            } else {
                writeln!(out, "{name}, {len} bytes at {offset}")?;
            }
            let shown = bytes.get(..len).unwrap_or(bytes);
            writeln!(out, "{}", Explanation::new(shown, rules))?;
            read += len;
        }
        self.rest.drain(..read);
        self.offset += read as u64;
        Ok(())
    }

    /// Nothing follows. Whether everything was read.
    pub(super) fn end(&self, version: Version, out: &mut impl Write) -> io::Result<bool> {
        if !self.rest.is_empty() {
            writeln!(out, "the beginning of a packet, at {}", self.offset)?;
            writeln!(out, "{}", Explanation::new(&self.rest, self.rules(version)))?;
        }
        Ok(self.rest.is_empty() && !self.is_refused)
    }

    fn rules(&self, version: Version) -> Rules {
        let rules = Rules::new(version);
        match self.sender {
            Some(sender) => rules.sent_by(sender),
            None => rules,
        }
    }
}
