//! mqtt-proto 0.4.0.
//!
//! Its reader of streams first reads the fixed header, then the whole body into a buffer, and hands that to
//! `PollHeader::decode_buffer`. Here the bytes are in a buffer already, so the same public steps are called in that order.

pub(crate) mod v3;
pub(crate) mod v5;

use std::fmt::Debug;

use ::peer::PollHeader;

use crate::anatomy::frame_len;
use crate::normal::Packet;
use crate::verdict::{TheirVerdict, Verdict};

/// A packet, and how many bytes its reader takes off the stream for it.
type Taken<H> = (<H as PollHeader>::Packet, usize);

fn take<H: PollHeader>(
    bytes: &[u8],
    header: impl FnOnce(&[u8]) -> Result<H, H::Error>,
) -> Result<Option<Taken<H>>, H::Error> {
    let header = match header(bytes) {
        Ok(header) => header,
        Err(error) if H::is_eof_error(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some((header_len, len)) = frame_len(bytes) else {
        return Ok(None);
    };
    // The reader returns such a packet with the header alone, whatever length it states.
    if let Some(packet) = header.build_empty_packet() {
        return Ok(Some((packet, header_len)));
    }
    if header.remaining_len() == 0 {
        return Err(::peer::Error::InvalidRemainingLength.into());
    }
    let Some(body) = bytes.get(header_len..len) else {
        return Ok(None);
    };
    match header.decode_buffer(body, &mut 0) {
        Ok(packet) => Ok(Some((packet, len))),
        Err(error) if H::is_eof_error(&error) => Err(::peer::Error::InvalidRemainingLength.into()),
        Err(error) => Err(error),
    }
}

fn judged<H: PollHeader>(
    taken: Result<Option<Taken<H>>, H::Error>,
    normal: impl FnOnce(&H::Packet) -> Packet,
) -> TheirVerdict
where
    H::Error: Debug,
{
    match taken {
        Ok(Some((packet, len))) => Verdict::Accepted {
            packet: normal(&packet),
            len,
        },
        Ok(None) => Verdict::Waits,
        Err(error) => Verdict::Refused(format!("{error:?}")),
    }
}
