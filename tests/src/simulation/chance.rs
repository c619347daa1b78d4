//! What happens next in a run.

use core::time::Duration;

use mqtt_session::QoS;
use mqtt_session::proto::ConnAckReason;

use super::plan::Plan;
use super::random::Random;
use crate::pair::{Action, Crash, Noise, Pair, Publish, Side};

/// The next step.
pub(super) fn next(random: &mut Random, plan: &Plan, pair: &Pair) -> Action {
    if random.below(1000) < plan.faults {
        return fault(random, plan);
    }
    let side = random.one_of(&Side::BOTH);
    match random.below(1000) {
        0..60 if pair.counts().messages < plan.messages => Action::Publish(side, message(random)),
        60..66 => Action::Subscribe {
            filters: small(random, 8),
            wildcard: random.percent(30),
        },
        66..70 => Action::Unsubscribe {
            filters: small(random, 8),
        },
        70..390 => Action::Turn(side),
        390..400 => Action::Timers(side),
        400..420 => Action::TakeBatches(side),
        420..530 => Action::Commit(side),
        530..560 => Action::Transmit(side),
        560..600 => Action::Write(side, some_bytes(random)),
        600..640 => Action::Read(side, some_bytes(random), random.percent(50)),
        640..670 => Action::Events(side, random.one_of(&[1, 2, 100])),
        670..730 => Action::Acknowledge(side, random.place(8)),
        730..745 => Action::Refuse(side, random.place(8)),
        745..805 => Action::Answer(random.percent(5).then_some(ConnAckReason::ServerBusy)),
        805..820 => Action::AnswerRequest(random.percent(80)),
        820..850 => Action::Supply(side, some_bytes(random)),
        850..853 => Action::FailSource(side),
        853..858 => Action::Cancel(side, random.place(50)),
        858..862 => Action::SetDeadline(side, random.place(50), Duration::from_millis(random.below(5000))),
        862..922 => Action::Open(random.percent(95)),
        922..970 => Action::Wait(Duration::from_millis(100)),
        970..994 => Action::Advance(Duration::from_micros(random.below(50_000))),
        994..999 => Action::Advance(Duration::from_millis(random.below(8000))),
        _ => Action::Advance(Duration::from_secs(random.below(40))),
    }
}

/// Something goes wrong.
fn fault(random: &mut Random, plan: &Plan) -> Action {
    let side = random.one_of(&Side::BOTH);
    match random.below(100) {
        0..20 => Action::Cut([some_bytes(random), some_bytes(random)]),
        20..35 => Action::CutAfter(side, random.below(200)),
        35..43 => Action::HalfOpen(side),
        43..48 => Action::Noise(side, random.one_of(&[Noise::Malformed, Noise::Misplaced])),
        48..75 => crash(random, plan, side),
        75..79 => Action::FailStore(side),
        79..86 => Action::Disconnect(side, random.percent(50)),
        86..90 if plan.server_may_lose => Action::LoseSession,
        90..92 => Action::Misconfigure,
        // The connections of a server each have a clock of their own.
        92..95 => Action::SetBack(Side::Client, Duration::from_millis(random.below(100_000))),
        _ => Action::Advance(Duration::from_secs(random.below(7200))),
    }
}

fn crash(random: &mut Random, plan: &Plan, side: Side) -> Action {
    let is_wrong = plan.config.wrong.is_some();
    let server_is_stored = plan.config.server.session.is_stored;
    let may_lose = !is_wrong && (side == Side::Client || plan.server_may_lose);
    if side == Side::Server && !plan.server_may_lose && !server_is_stored {
        return Action::Turn(side);
    }
    let crash = Crash {
        damage: (may_lose && random.percent(15)).then(|| random.place(1000)),
        torn: random.place(4),
        wipe: may_lose && random.percent(5),
    };
    Action::Crash(side, crash)
}

fn message(random: &mut Random) -> Publish {
    let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::ExactlyOnce];
    Publish {
        qos: random.one_of(&qos),
        topic: small(random, 3),
        payload_bytes: random.one_of(&[8, 8, 12, 40, 90, 300]),
        expiry_seconds: random.percent(15).then(|| random.one_of(&[0, 1, 5, 100])),
        from_source: random.percent(15),
        retain: random.percent(10),
    }
}

fn small(random: &mut Random, n: u64) -> u8 {
    u8::try_from(1 + random.below(n)).unwrap_or(1)
}

fn some_bytes(random: &mut Random) -> usize {
    match random.below(4) {
        0 => 1 + random.place(4),
        1 => 1 + random.place(40),
        _ => usize::MAX,
    }
}
