//! Everything that stands before the first message: connections, subscriptions, retained messages.

use mqtt_tokio::session::proto::QoS;

use super::arguments::BenchArguments;
use super::client::Client;
use super::dialing::{Dialed, Dialer, subscribe_packet};
use super::drawing::Drawing;
use super::engine::{Cast, Role, Topic};
use super::frames::{Frame, Stamp};
use super::publisher::{Aim, Publisher};
use super::screen::Screen;
use super::seen::Seen;
use super::subscriber::Subscriber;
use crate::Ending;

/// Files of the process beside its connections.
const FILES_BESIDE: u64 = 32;
/// How many retained messages go out before their arrival is waited for.
const RETAINED_AT_ONCE: u32 = 100;

/// Connections that nothing more is done with than to keep them.
pub(super) struct Beside {
    _connections: Vec<Dialed>,
}

/// Lets this process open as many connections as it is to have.
pub(super) fn raise_file_limit(arguments: &BenchArguments) -> Result<(), Ending> {
    let busy = u64::from(arguments.publishers) + u64::from(arguments.subscribers);
    let connections = busy + u64::from(arguments.idle) + u64::from(arguments.stalled);
    let wanted = connections + FILES_BESIDE;
    match rlimit::increase_nofile_limit(wanted) {
        Ok(limit) if limit < wanted => {
            let most = limit.saturating_sub(FILES_BESIDE);
            Err(Ending::misused(format_args!(
                "{connections} connections are more than this process may open"
            ))
            .advice(format_args!("{most} are the most, unless `ulimit -n` is raised")))
        }
        // A system that says nothing tells at the connection that is too many.
        _ => Ok(()),
    }
}

/// Idle connections, stalled ones and silent filters.
pub(super) fn beside(arguments: &BenchArguments, dialer: &Dialer<'_>, screen: &Screen) -> Result<Beside, Ending> {
    let mut connections = Vec::new();
    let prefix = &arguments.topic;
    for number in 0..arguments.idle {
        dialer.interrupt.check()?;
        let mut idle = dialer.connect(&dialer.name("idle", number))?;
        idle.subscribe(&[format!("{prefix}/idle/{number}")])?;
        connections.push(idle);
        screen.prepare("idle connections", connections.len(), arguments.idle as usize);
    }
    for number in 0..arguments.stalled {
        dialer.interrupt.check()?;
        let mut stalled = dialer.connect(&dialer.name("slow", number))?;
        // Those of QoS 0 fill their sockets, the others their windows, as they acknowledge nothing.
        if number % 2 == 0 {
            stalled.qos = QoS::AtMostOnce;
        }
        // The answer is the last that is read of it.
        stalled.subscribe(&[format!("{prefix}/#")])?;
        connections.push(stalled);
        screen.prepare("stalled connections", number as usize + 1, arguments.stalled as usize);
    }
    if arguments.filters > 0 {
        let mut silent = dialer.connect(&dialer.name("filters", 0))?;
        // Beside the topics of the messages, on the same level; every other one with a wildcard behind.
        let filter = |number: u32| match number % 2 {
            0 => format!("{prefix}/x{number}"),
            _ => format!("{prefix}/x{number}/+"),
        };
        let filters: Vec<String> = (0..arguments.filters).map(filter).collect();
        screen.prepare("filters", 0, filters.len());
        silent.subscribe(&filters)?;
        connections.push(silent);
    }
    Ok(Beside {
        _connections: connections,
    })
}

/// Publishers and subscribers, ready to begin.
pub(super) fn cast(arguments: &BenchArguments, dialer: &Dialer<'_>, screen: &Screen) -> Result<Cast, Ending> {
    let mut cast = Cast::new(topics(arguments))?;
    let drawing = Drawing::of(arguments);
    for number in 0..arguments.subscribers {
        dialer.interrupt.check()?;
        screen.prepare("subscribers", number as usize, arguments.subscribers as usize);
        let topic = (number as usize) % cast.topics.len();
        let filters = drawing.map_or_else(
            || vec![format!("{}/{topic}", arguments.topic)],
            |drawing| drawing.filters(number),
        );
        let mut dialed = dialer.connect_with(&dialer.name("sub", number), arguments.keep_sessions)?;
        dialed.subscribe(&filters)?;
        let seen = match (arguments.is_stamped(), drawing) {
            (false, _) => Vec::new(),
            (true, None) => vec![Seen::in_order(); cast.topics[topic].publishers as usize],
            (true, Some(_)) => vec![Seen::in_any_order(); cast.topics[topic].publishers as usize],
        };
        add_subscriber(&mut cast, dialed, Subscriber::new(topic, seen, dialer.run))?;
    }
    for number in 0..arguments.publishers {
        dialer.interrupt.check()?;
        screen.prepare("publishers", number as usize, arguments.publishers as usize);
        add_publisher(&mut cast, arguments, dialer, number)?;
    }
    Ok(cast)
}

/// With their publishers: each has some of them, or draws from all.
fn topics(arguments: &BenchArguments) -> Vec<Topic> {
    let (count, is_drawn) = Drawing::of(arguments).map_or((arguments.topics, false), |drawing| (drawing.parts(), true));
    let mut topics = vec![Topic::default(); count as usize];
    for (number, topic) in topics.iter_mut().enumerate() {
        let own = (number..arguments.publishers as usize).step_by(count as usize);
        topic.publishers = if is_drawn {
            arguments.publishers
        } else {
            own.count() as u32
        };
    }
    topics
}

fn add_publisher(cast: &mut Cast, arguments: &BenchArguments, dialer: &Dialer<'_>, number: u32) -> Result<(), Ending> {
    let (aim, topic) = match Drawing::of(arguments) {
        Some(drawing) => (
            (Aim::Drawn(drawing.draws(number), drawing.digits()), number),
            drawing.first(),
        ),
        None => {
            let topic = number % arguments.topics;
            let aim = (Aim::At(topic as usize), number / arguments.topics);
            (aim, format!("{}/{topic}", arguments.topic))
        }
    };
    let frame = Frame::new(
        &topic,
        arguments.qos,
        false,
        arguments.payload,
        arguments.protocol_version,
    )?;
    let dialed = dialer.connect(&dialer.name("pub", number))?;
    dialed.takes(frame.len())?;
    let window = arguments.window.min(dialed.receive_maximum);
    let publisher = Publisher::new(cast.clients.len(), aim, frame, (arguments.qos, window), dialer.run);
    let role = Role::Publisher(cast.publishers.len());
    cast.publishers.push(publisher);
    cast.add(dialed, role)?;
    Ok(())
}

fn add_subscriber(cast: &mut Cast, dialed: Dialed, subscriber: Subscriber) -> Result<&mut Client, Ending> {
    let place = cast.subscribers.len();
    cast.topics[subscriber.topic].subscribers.push(place);
    cast.subscribers.push(subscriber);
    cast.add(dialed, Role::Subscriber(place))
}

/// Keeps retained messages, each under a topic of its own.
pub(super) fn retain(
    arguments: &BenchArguments,
    dialer: &Dialer<'_>,
    screen: &Screen,
    count: u32,
) -> Result<(), Ending> {
    publish_retained(arguments, dialer, screen, count, arguments.payload)
}

/// Publishes retained messages; empty ones take them away again, and nothing interrupts that.
pub(super) fn publish_retained(
    arguments: &BenchArguments,
    dialer: &Dialer<'_>,
    screen: &Screen,
    count: u32,
    payload: usize,
) -> Result<(), Ending> {
    let is_removal = payload == 0;
    let mut keeper = dialer.connect(&dialer.name("retain", u32::from(is_removal)))?;
    let mut out = Vec::new();
    for number in 0..count {
        let topic = format!("{}/retained/{number}", arguments.topic);
        let frame = Frame::new(&topic, QoS::AtMostOnce, true, payload, arguments.protocol_version)?;
        let stamp = Stamp {
            nanos: 0,
            number,
            publisher: 0,
            run: Some(dialer.run),
        };
        frame.push(&mut out, 0, stamp);
        if (number + 1) % RETAINED_AT_ONCE == 0 || number + 1 == count {
            if !is_removal {
                dialer.interrupt.check()?;
                dialer.left.retained.set(number + 1);
            }
            screen.prepare("retained messages", number as usize + 1, count as usize);
            keeper.wire.send(&out)?;
            out.clear();
            keeper.barrier()?;
        }
    }
    Ok(())
}

/// Those whom the retained messages are sent to: their SUBSCRIBE goes out when the engine begins.
pub(super) fn replayed(arguments: &BenchArguments, dialer: &Dialer<'_>, count: u32) -> Result<Cast, Ending> {
    let mut cast = Cast::new(vec![Topic {
        sent: u64::from(count),
        ..Topic::default()
    }])?;
    let filter = [format!("{}/retained/#", arguments.topic)];
    let packet = subscribe_packet(&filter, arguments.qos, arguments.protocol_version)?;
    for number in 0..arguments.subscribers {
        dialer.interrupt.check()?;
        let dialed = dialer.connect(&dialer.name("sub", number))?;
        let client = add_subscriber(&mut cast, dialed, Subscriber::new(0, Vec::new(), 0))?;
        client.out.extend_from_slice(&packet);
        client.is_dirty = true;
    }
    Ok(cast)
}
