//! What strace has written, and what follows from it.

use std::collections::HashMap;

use super::packets::{Packet, Stream};

/// What the payload of a message is: it is found again wherever it is written.
pub(crate) fn mark(number: u64) -> String {
    format!("<mark {number:06}>")
}

/// The first mark in these bytes.
pub(crate) fn marked(bytes: &[u8]) -> Option<u64> {
    marks(bytes).first().copied()
}

fn marks(bytes: &[u8]) -> Vec<u64> {
    let found = bytes.windows(mark(0).len()).filter_map(|window| {
        let number = window.strip_prefix(b"<mark ")?.strip_suffix(b">")?;
        std::str::from_utf8(number).ok()?.parse().ok()
    });
    found.collect()
}

/// A system call: it began and ended at these lines of the trace.
#[derive(Debug)]
struct Call {
    begin: usize,
    end: usize,
    name: String,
    arguments: Vec<u8>,
    returned: i64,
}

/// Something that the broker did to its store.
#[derive(Debug)]
enum Storing {
    Write { begin: usize, end: usize, marks: Vec<u64> },
    Flush { begin: usize, end: usize },
}

/// All calls, in the order of their ends.
pub(crate) struct Trace {
    calls: Vec<Call>,
    store: String,
}

/// What is found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) pubacks: u64,
    pub(crate) pubrecs: u64,
    pub(crate) pubcomps: u64,
    pub(crate) flushes: u64,
    pub(crate) failed_flushes: u64,
    /// Acknowledgements that left after a flush had failed.
    pub(crate) after_failure: u64,
    /// Acknowledgements that left before what they promise was flushed.
    pub(crate) too_early: Vec<String>,
}

/// A connection, as long as its descriptor means it.
#[derive(Default)]
struct Line {
    received: Stream,
    sent: Stream,
    /// When each PUBLISH and each PUBREL came, by packet identifier.
    publishes: HashMap<u16, (usize, u64)>,
    pubrels: HashMap<u16, usize>,
}

impl Trace {
    pub(crate) fn read(text: &[u8], store: &str) -> Self {
        let mut calls = Vec::new();
        // By thread: what is not finished.
        let mut begun: HashMap<Vec<u8>, Call> = HashMap::new();
        for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let Some(space) = line.iter().position(|byte| *byte == b' ') else {
                continue;
            };
            let (thread, rest) = (line[..space].to_vec(), line[space..].trim_ascii());
            if let Some(resumed) = rest.strip_prefix(b"<... ") {
                let tail = find(resumed, b" resumed>").expect("strace says so") + b" resumed>".len();
                let Some(mut call) = begun.remove(&thread) else {
                    continue;
                };
                call.arguments.extend_from_slice(&resumed[tail..]);
                calls.extend(call.finished(at));
            } else if let Some(open) = rest.iter().position(|byte| *byte == b'(') {
                let name = String::from_utf8_lossy(&rest[..open]).into_owned();
                let arguments = &rest[open + 1..];
                let call = |arguments: &[u8]| Call {
                    begin: at,
                    end: at,
                    name,
                    arguments: arguments.to_vec(),
                    returned: 0,
                };
                match arguments.strip_suffix(b" <unfinished ...>") {
                    Some(first) => drop(begun.insert(thread, call(first))),
                    None => calls.extend(call(arguments).finished(at)),
                }
            }
        }
        Self {
            calls,
            store: format!("/{store}\""),
        }
    }

    /// Looks at each acknowledgement.
    pub(crate) fn check(&self) -> Findings {
        let mut findings = Findings::default();
        let mut store = None;
        let mut storing = Vec::new();
        let mut lines: HashMap<i64, Line> = HashMap::new();
        for call in &self.calls {
            let file = call.file();
            if call.returned < 0 {
                if Some(file) == store && matches!(call.name.as_str(), "fsync" | "fdatasync") {
                    findings.failed_flushes += 1;
                }
                continue;
            }
            match call.name.as_str() {
                "openat" if find(&call.arguments, self.store.as_bytes()).is_some() => store = Some(call.returned),
                "accept4" => drop(lines.insert(call.returned, Line::default())),
                "close" => drop(lines.remove(&file)),
                "pwrite64" | "pwritev" if Some(file) == store => storing.push(Storing::Write {
                    begin: call.begin,
                    end: call.end,
                    marks: marks(&call.bytes()),
                }),
                "fsync" | "fdatasync" if Some(file) == store => {
                    findings.flushes += 1;
                    storing.push(Storing::Flush {
                        begin: call.begin,
                        end: call.end,
                    });
                }
                "read" | "readv" | "recvfrom" | "recvmsg" => {
                    if let Some(line) = lines.get_mut(&file) {
                        line.hear(call);
                    }
                }
                "write" | "writev" | "sendto" | "sendmsg" => {
                    if let Some(line) = lines.get_mut(&file) {
                        line.say(call, &storing, &mut findings);
                    }
                }
                _ => {}
            }
        }
        findings
    }
}

impl Call {
    /// With what it returned: less than nothing if it failed.
    fn finished(mut self, at: usize) -> Option<Self> {
        let equals = self.arguments.windows(3).rposition(|window| window == b" = ")?;
        let returned = std::str::from_utf8(&self.arguments[equals + 3..]).ok()?;
        let number = returned.split(' ').next()?;
        self.returned = number.parse().ok()?;
        self.arguments.truncate(equals);
        self.end = at;
        Some(self)
    }

    /// Its first argument.
    fn file(&self) -> i64 {
        let number = self.arguments.split(|byte| !byte.is_ascii_digit()).next();
        let number = number.and_then(|number| std::str::from_utf8(number).ok()?.parse().ok());
        number.unwrap_or(-1)
    }

    /// What it has read or written.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = self.arguments.iter().copied().peekable();
        let mut is_inside = false;
        while let Some(byte) = rest.next() {
            match byte {
                b'"' => is_inside = !is_inside,
                b'\\' if is_inside => match rest.next() {
                    Some(digit @ b'0'..=b'7') => {
                        let mut value = u32::from(digit - b'0');
                        for _ in 0..2 {
                            let Some(digit) = rest.next_if(|byte| (b'0'..=b'7').contains(byte)) else {
                                break;
                            };
                            value = value * 8 + u32::from(digit - b'0');
                        }
                        bytes.push(u8::try_from(value).expect("a byte"));
                    }
                    Some(b'n') => bytes.push(b'\n'),
                    Some(b't') => bytes.push(b'\t'),
                    Some(b'r') => bytes.push(b'\r'),
                    Some(b'v') => bytes.push(0x0B),
                    Some(b'f') => bytes.push(0x0C),
                    Some(other) => bytes.push(other),
                    None => {}
                },
                byte if is_inside => bytes.push(byte),
                _ => {}
            }
        }
        bytes.truncate(usize::try_from(self.returned).expect("it has not failed"));
        bytes
    }
}

impl Line {
    fn hear(&mut self, call: &Call) {
        for packet in self.received.take(&call.bytes()) {
            match packet {
                Packet::Publish { id, number } => drop(self.publishes.insert(id, (call.end, number))),
                Packet::Pubrel(id) => drop(self.pubrels.insert(id, call.end)),
                _ => {}
            }
        }
    }

    fn say(&mut self, call: &Call, storing: &[Storing], findings: &mut Findings) {
        for packet in self.sent.take(&call.bytes()) {
            let is_flushed = match packet {
                Packet::Puback(id) | Packet::Pubrec(id) => {
                    let (came, number) = self.publishes[&id];
                    is_flushed(storing, came, call.begin, |marks| marks.contains(&number))
                }
                // What it promises is that something is gone, which cannot be seen in what is written. A group that was being
                // written when PUBREL came does not have it, and the next one has.
                Packet::Pubcomp(id) => {
                    let came = next_group(storing, self.pubrels[&id]);
                    came.is_some_and(|came| is_flushed(storing, came, call.begin, |_| true))
                }
                _ => continue,
            };
            match packet {
                Packet::Puback(_) => findings.pubacks += 1,
                Packet::Pubrec(_) => findings.pubrecs += 1,
                _ => findings.pubcomps += 1,
            }
            findings.after_failure += u64::from(findings.failed_flushes > 0);
            if !is_flushed {
                findings.too_early.push(format!("line {}: {packet:?}", call.begin + 1));
            }
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Whether something that was written after `from` was flushed after that, and the flush had returned at `until`.
fn is_flushed(storing: &[Storing], from: usize, until: usize, has: impl Fn(&[u64]) -> bool) -> bool {
    let mut written = None;
    storing.iter().any(|storing| match storing {
        Storing::Write { begin, end, marks } => {
            if written.is_none() && *begin > from && has(marks) {
                written = Some(*end);
            }
            false
        }
        Storing::Flush { begin, end } => written.is_some_and(|written| *begin > written) && *end < until,
    })
}

/// From where on a group is written that began after this: the end of the flush of the one that was being written, if there was one.
fn next_group(storing: &[Storing], at: usize) -> Option<usize> {
    let mut is_open = false;
    for storing in storing {
        match storing {
            Storing::Write { begin, .. } if *begin < at => is_open = true,
            Storing::Flush { end, .. } if *end < at => is_open = false,
            Storing::Flush { begin, end } if is_open || *begin < at => return Some(*end),
            _ => {}
        }
    }
    (!is_open).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "1  openat(AT_FDCWD, \"/x/broker.store\", O_RDWR) = 5\n1  accept4(7, NULL) = 6\n";

    fn early(lines: &str) -> usize {
        let trace = Trace::read(format!("{BEFORE}{lines}").as_bytes(), "broker.store");
        let findings = trace.check();
        assert_eq!(findings.pubacks + findings.pubcomps, 1, "{findings:?}");
        findings.too_early.len()
    }

    #[test]
    fn an_acknowledgement_needs_its_record_and_then_a_whole_flush() {
        let came = "1 recvfrom(6, \"2\\22\\0\\1t\\0\\1<mark 000007>\", 100, 0) = 20\n";
        let write = "2 pwrite64(5, \"\\0\\1<mark 000007>\\0\", 17, 0) = 17\n";
        let other = "2 pwrite64(5, \"<mark 000008>\", 13, 0) = 13\n";
        let flush = "2 fdatasync(5)            = 0\n";
        let sent = "1 sendto(6, \"@\\2\\0\\1\", 4, MSG_NOSIGNAL) = 4\n";
        assert_eq!(early(&[came, write, flush, sent].concat()), 0);
        assert_eq!(
            early(&[came, flush, write, sent].concat()),
            1,
            "flushed before it was written"
        );
        assert_eq!(
            early(&[came, other, flush, sent].concat()),
            1,
            "another message was written"
        );
        assert_eq!(early(&[write, flush, came, sent].concat()), 1, "written before it came");
        assert_eq!(early(&[came, write, sent, flush].concat()), 1);
        let failed = "2 fdatasync(5) = -1 EIO (Input/output error)\n";
        assert_eq!(early(&[came, write, failed, sent].concat()), 1);
        let (begun, ended) = ("2 fdatasync(5 <unfinished ...>\n", "2 <... fdatasync resumed>) = 0\n");
        assert_eq!(early(&[came, write, begun, ended, sent].concat()), 0);
        assert_eq!(
            early(&[came, write, begun, sent, ended].concat()),
            1,
            "the flush has not returned"
        );
    }

    #[test]
    fn pubcomp_needs_a_group_that_began_after_pubrel() {
        let came = "1 recvfrom(6, \"b\\2\\0\\1\", 100, 0) = 4\n";
        let (write, flush) = ("2 pwrite64(5, \"x\", 1, 0) = 1\n", "2 fdatasync(5) = 0\n");
        let sent = "1 sendto(6, \"p\\2\\0\\1\", 4, MSG_NOSIGNAL) = 4\n";
        assert_eq!(early(&[write, flush, came, write, flush, sent].concat()), 0);
        assert_eq!(early(&[write, came, flush, sent].concat()), 1);
        assert_eq!(
            early(&[write, came, write, flush, sent].concat()),
            1,
            "that group had begun"
        );
        assert_eq!(early(&[write, came, flush, write, flush, sent].concat()), 0);
        assert_eq!(early(&[write, flush, came, sent].concat()), 1);
    }
}
