//! A stream of one's own, in place of a socket: whatever reads and writes. Here it is a pipe in memory; a serial port goes the same
//! way.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use mqtt_std::session::{Accept, ServerConfig, ServerConnection, ServerEvent};
use mqtt_std::{ClientOptions, Clock, Connection, DialError, Message, QoS, Sliced, Step};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How long a read waits at most, and so how long a command may have to.
const SLICE: Duration = Duration::from_millis(10);

/// One end of the pipe.
struct End {
    receives: Receiver<u8>,
    sends: Sender<u8>,
}

impl Read for End {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some((first, rest)) = buffer.split_first_mut() else {
            return Ok(0);
        };
        match self.receives.recv_timeout(SLICE) {
            Ok(byte) => *first = byte,
            // Nothing yet. No bytes would be the end.
            Err(RecvTimeoutError::Timeout) => return Err(ErrorKind::TimedOut.into()),
            Err(RecvTimeoutError::Disconnected) => return Ok(0),
        }
        let more = rest.iter_mut().zip(self.receives.try_iter());
        Ok(1 + more.map(|(place, byte)| *place = byte).count())
    }
}

impl Write for End {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.iter().take_while(|byte| self.sends.send(**byte).is_ok()).count();
        match taken {
            0 => Err(ErrorKind::BrokenPipe.into()),
            taken => Ok(taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The server's end of the connection.
fn serve(end: End) -> Result<(), Error> {
    let clock = Clock::new();
    let machine = ServerConnection::new(ServerConfig::default(), clock.now());
    let mut connection = Connection::accepted(machine, Sliced::new(end).read_slice(SLICE), clock)?;
    while let Some(step) = connection.next() {
        let now = connection.now();
        match step {
            Step::Event(ServerEvent::Connect(_)) => connection.machine_mut().accept(now, Accept::new())?,
            Step::Event(ServerEvent::Message(received)) => println!("server: {:?}", received.message),
            Step::Event(ServerEvent::Closed { reason, .. }) => println!("server: {reason}"),
            _ => {}
        }
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    // Whenever the client wants a stream, it gets one end of a pipe, and a server the other.
    let dial = |_: &_| -> Result<Sliced<End>, DialError> {
        let ((there, here), (back, away)) = (channel(), channel());
        let far = End {
            receives: here,
            sends: back,
        };
        thread::spawn(move || serve(far));
        let near = End {
            receives: away,
            sends: there,
        };
        Ok(Sliced::new(near).read_slice(SLICE))
    };
    // The URL says what is on the stream, and who is meant; nothing is resolved.
    let client = mqtt_std::connect_with(ClientOptions::from_url("mqtt://pipe")?.client_id("near")?, dial)?;
    let message = Message::new("greeting", "hello")?.qos(QoS::ExactlyOnce);
    println!("client: {:?}", client.publish(message)?);
    Ok(client.disconnect(Duration::from_secs(5))?)
}
