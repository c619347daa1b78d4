//! A demonstration: clients on three runtimes, a cut connection, a killed broker, and a verdict.
//!
//! Nothing but this program takes part. The broker is a child process with a store in a file; the way of each client to it shows
//! every packet; and the ledger of what was published and what arrived is kept by neither of them.

mod ledger;
mod screen;
mod server;
mod tap;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use mqtt_proto::PacketType;
use mqtt_tokio::session::Reconnect;
use mqtt_tokio::{ClientOptions, Message, QoS};

use self::ledger::{Ledger, Sum, payload};
use self::screen::{Runtime, Screen, Way};
use self::server::Server;
use self::tap::Tap;
use crate::Ending;

/// No step of the demonstration takes longer on a machine that works.
const PATIENCE: Duration = Duration::from_secs(10);
const TOPIC: &str = "demo";

/// What the demonstration is to do.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  mqtt demo
  mqtt demo | less -R                           the pages of it, in colour where less shows it

It needs no configuration, no other program and no network beyond loopback. The exit code is 0 if every
promise was kept, and 1 if one was broken.")]
pub struct Demo {
    /// Messages that are under way when the broker is killed
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..=1000))]
    messages: u16,
}

/// Everybody who takes part.
struct Stage {
    screen: Arc<Screen>,
    ledger: Arc<Ledger>,
    server: Server,
    taps: [Tap; 3],
    tokio: tokio::runtime::Runtime,
}

/// Runs it.
pub(crate) fn run(demo: &Demo) -> Result<(), Ending> {
    let began = Instant::now();
    let mut stage = Stage::set()?;
    let publisher = stage.connect()?;
    stage.each_qos(&publisher)?;
    stage.cut(&publisher)?;
    stage.kill(&publisher, demo.messages)?;
    let is_complete = stage.wait_for_the_rest();
    // Whether it has drained makes no difference any more: the ledger tells.
    let _ = stage.tokio.block_on(publisher.disconnect(PATIENCE));
    stage.verdict(is_complete, began.elapsed())
}

impl Stage {
    fn set() -> Result<Self, Ending> {
        let screen = Arc::new(Screen::default());
        let server = Server::start()?;
        screen.say(&format!(
            "A broker is process {}, with its store in a file. It listens at {}.\n\
             Three clients of MQTT 5.0, on three runtimes: tokio publishes, smol and std subscribe with QoS 2.",
            server.id(),
            server.address()
        ));
        let [one, two, three] = Runtime::ALL.map(|client| Tap::start(client, server.address(), Arc::clone(&screen)));
        Ok(Self {
            screen,
            ledger: Arc::new(Ledger::default()),
            server,
            taps: [one?, two?, three?],
            tokio: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()?,
        })
    }

    fn options(&self, client: Runtime) -> Result<ClientOptions, Ending> {
        let way = self.taps[client as usize].address();
        let reconnect = Reconnect::default()
            .first_delay(Duration::from_millis(20))
            .max_delay(Duration::from_millis(200));
        ClientOptions::tcp(way.ip().to_string(), way.port())
            .client_id(format!("demo-{}", client.name()))
            .map(|options| options.session_expiry(Duration::from_secs(3600)).reconnect(reconnect))
            .map_err(Ending::failed)
    }

    fn connect(&self) -> Result<mqtt_tokio::Client, Ending> {
        self.screen.part("They connect");
        let client = mqtt_smol::connect(self.options(Runtime::Smol)?);
        let client = smol::block_on(client).map_err(Ending::failed)?;
        let mut stream = smol::block_on(client.subscribe(TOPIC, QoS::ExactlyOnce)).map_err(Ending::failed)?;
        let ledger = Arc::clone(&self.ledger);
        thread::spawn(move || {
            while let Some(incoming) = smol::block_on(stream.next()) {
                ledger.see(Runtime::Smol, &incoming.message.payload);
            }
            drop(client);
        });
        let client = mqtt_std::connect(self.options(Runtime::Std)?).map_err(Ending::failed)?;
        let stream = client.subscribe(TOPIC, QoS::ExactlyOnce).map_err(Ending::failed)?;
        let ledger = Arc::clone(&self.ledger);
        thread::spawn(move || {
            for incoming in stream {
                ledger.see(Runtime::Std, &incoming.message.payload);
            }
            drop(client);
        });
        let publisher = mqtt_tokio::connect(self.options(Runtime::Tokio)?);
        self.tokio.block_on(publisher).map_err(Ending::failed)
    }

    /// One message of each QoS, with the handshake that it takes.
    fn each_qos(&self, publisher: &mqtt_tokio::Client) -> Result<(), Ending> {
        let parts = [
            (QoS::AtMostOnce, "QoS 0: sent, and forgotten"),
            (QoS::AtLeastOnce, "QoS 1: acknowledged with PUBACK"),
            (
                QoS::ExactlyOnce,
                "QoS 2: taken over with PUBREC, let go of with PUBREL, complete with PUBCOMP",
            ),
        ];
        for (qos, title) in parts {
            self.screen.part(title);
            self.publish(publisher, qos)?;
            self.settle();
        }
        Ok(())
    }

    /// A connection that is cut between PUBLISH and PUBREC: the broker has the message, and its client does not know.
    fn cut(&self, publisher: &mqtt_tokio::Client) -> Result<(), Ending> {
        self.screen
            .part("QoS 2 over a cut: the broker has the message, and the client does not know");
        let tap = &self.taps[Runtime::Tokio as usize];
        tap.cut_before(Way::ToClient, PacketType::PubRec, 0);
        thread::scope(|scope| {
            let published = scope.spawn(|| self.publish(publisher, QoS::ExactlyOnce));
            let was_cut = tap.wait(PATIENCE);
            tap.mend();
            let published = published
                .join()
                .map_err(|_| Ending::failed("the publisher has ended"))?;
            if was_cut {
                published
            } else {
                Err(Ending::failed("no PUBREC came to be cut"))
            }
        })?;
        self.settle();
        Ok(())
    }

    /// The broker is killed with messages in every state, and starts again.
    ///
    /// One of them is acknowledged, and a subscriber that is away does not have it: from then on the broker's store alone does.
    fn kill(&mut self, publisher: &mqtt_tokio::Client, messages: u16) -> Result<(), Ending> {
        self.screen.part(&format!(
            "kill -9 of the broker, with a subscriber away and {messages} messages under way"
        ));
        let away = &self.taps[Runtime::Smol as usize];
        away.cut_before(Way::ToClient, PacketType::Publish, 0);
        self.publish(publisher, QoS::ExactlyOnce)?;
        if !away.wait(PATIENCE) {
            return Err(Ending::failed("no PUBLISH came to be cut"));
        }
        let tap = &self.taps[Runtime::Tokio as usize];
        tap.cut_before(Way::ToClient, PacketType::PubRec, usize::from(messages) / 4);
        let mut under_way = Vec::new();
        for number in 0..messages {
            let qos = if number % 3 == 2 {
                QoS::AtLeastOnce
            } else {
                QoS::ExactlyOnce
            };
            let number = self.ledger.publish(qos);
            let completion = publisher.try_publish(message(number, qos)?).map_err(Ending::failed)?;
            under_way.push((number, completion));
        }
        let was_cut = tap.wait(PATIENCE);
        let (id, signal) = self.server.kill()?;
        self.screen
            .mark(&format!("process {id}, the broker, was ended by signal {signal}"));
        self.server.restart()?;
        self.screen.mark(&format!(
            "process {} is the broker, on the store of the one before",
            self.server.id()
        ));
        for tap in &self.taps {
            tap.mend();
        }
        if !was_cut {
            return Err(Ending::failed("the messages were through before the broker was killed"));
        }
        let ledger = Arc::clone(&self.ledger);
        self.tokio.spawn(async move {
            for (number, completion) in under_way {
                if completion.await.is_ok() {
                    ledger.acknowledge(number);
                }
            }
        });
        Ok(())
    }

    fn publish(&self, publisher: &mqtt_tokio::Client, qos: QoS) -> Result<(), Ending> {
        let number = self.ledger.publish(qos);
        let publishing = publisher.publish(message(number, qos)?);
        let publishing = async { tokio::time::timeout(PATIENCE, publishing).await };
        match self.tokio.block_on(publishing) {
            Ok(Ok(_)) => {
                self.ledger.acknowledge(number);
                Ok(())
            }
            Ok(Err(error)) => Err(Ending::failed(error)),
            Err(_) => Err(Ending::failed("the broker acknowledges nothing")),
        }
    }

    /// Waits until the subscribers have said what they have to say.
    fn settle(&self) {
        self.wait_for_the_rest();
        // The last packets of an exchange follow its delivery.
        thread::sleep(Duration::from_millis(100));
    }

    /// Waits until everything has come that will come. Whether it has.
    fn wait_for_the_rest(&self) -> bool {
        let until = Instant::now() + PATIENCE;
        while !self.ledger.is_complete() {
            if Instant::now() > until {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        // What would come once more would come now.
        thread::sleep(Duration::from_millis(300));
        true
    }

    fn verdict(&self, is_complete: bool, took: Duration) -> Result<(), Ending> {
        let sums = self.ledger.sums();
        let rows: String = sums.iter().map(|sum| format!("\n{sum}")).collect();
        // At once, so that no packet comes between.
        self.screen.say(&format!(
            "\nThe ledger, kept outside of the broker and the clients:\n\n{}{rows}",
            Sum::HEAD
        ));
        let is_kept = is_complete && sums.iter().all(Sum::is_kept);
        let (words, colour) = if is_kept {
            (
                "Delivered once: every message of QoS 2, over a cut and a killed broker.",
                AnsiColor::Green,
            )
        } else {
            ("A promise was broken: see the table.", AnsiColor::Red)
        };
        let style = colour.on_default().bold();
        self.screen.say(&format!(
            "\n{style}{words}{style:#} {dim}({:.1} s){dim:#}",
            took.as_secs_f64(),
            dim = Style::new().dimmed()
        ));
        if is_kept {
            Ok(())
        } else {
            Err(Ending::failed("the verdict is: broken"))
        }
    }
}

fn message(number: usize, qos: QoS) -> Result<Message, Ending> {
    let message = Message::new(TOPIC, payload(number)).map_err(Ending::failed)?;
    Ok(message.qos(qos))
}
