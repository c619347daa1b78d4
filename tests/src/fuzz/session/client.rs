//! A client among a server that does anything, a host that does anything, and a store that fails.

use arbitrary::{Result, Unstructured};
use mqtt_proto::{Properties, Version};
use mqtt_session::{Authentication, CleanStart, Client, ClientConfig, Closed, HandOver, Instant, Loss, RestoreReport};

use super::draws::{self, Peer};
use super::ledger::Ledger;
use super::machine::Told;
use super::rig::{Rig, pass};

/// After so many rounds with a server that does everything right, every operation has ended.
const ROUNDS: usize = 3_000;

/// Bytes as a configuration and a sequence of operations.
///
/// # Panics
/// If the client breaks a promise: see `fuzz/README.md`.
pub fn client(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(mut life) = Life::draw(&mut u) else { return };
    while !u.is_empty() && life.step(&mut u).is_ok() {}
    life.ends();
}

/// What a client is to be.
fn config(u: &mut Unstructured<'_>) -> Result<ClientConfig> {
    let version = *u.choose(&Version::ALL)?;
    let choices: u8 = u.arbitrary()?;
    let id = if choices & 1 != 0 && version != Version::V3_1 {
        ""
    } else {
        "c"
    };
    let mut config = ClientConfig::new(id)
        .expect("the name is valid")
        .version(version)
        .hand_over(draws::hand_over(u)?)
        .is_stored(choices & 2 != 0)
        .when_full(draws::when_full(u)?)
        .loss(*u.choose(&[Loss::EndAll, Loss::RepeatAtLeastOnce, Loss::RepeatAll])?)
        .clean_start(*u.choose(&[CleanStart::ByStore, CleanStart::Always, CleanStart::Never])?)
        .limits(draws::limits(u)?);
    if choices & 4 != 0 {
        config = config.keep_alive_seconds(u.int_in_range(0..=3)?);
    }
    let expiry_seconds = if choices & 8 != 0 {
        u.int_in_range(0..=3)?
    } else {
        u32::MAX
    };
    config = config.session_expiry_seconds(expiry_seconds);
    if choices & 16 != 0 {
        let method = mqtt_proto::Text::from_bytes("m".into()).expect("a valid text");
        config = config.authentication(Some(Authentication { method, data: None }));
    }
    if choices & 32 != 0 {
        config = config.will(Some(u.arbitrary()?));
    }
    Ok(config)
}

/// A client over its lives.
struct Life {
    config: ClientConfig,
    rig: Rig<Client>,
    /// Whether a server has the session when it is asked at the end.
    is_present: bool,
}

impl Life {
    fn draw(u: &mut Unstructured<'_>) -> Result<Self> {
        let config = config(u)?;
        let now = Instant::from_secs(1_000);
        let keeps_numbers = config.is_stored && config.hand_over != HandOver::Automatic;
        let machine = Client::new(config.clone(), now);
        Ok(Self {
            rig: Rig::new(machine, config.version, config.limits, keeps_numbers, now),
            config,
            is_present: u.arbitrary()?,
        })
    }

    fn step(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let rig = &mut self.rig;
        match u.int_in_range(0..=31_u8)? {
            0..=3 => rig.publish(u)?,
            4 | 5 => rig.command(u)?,
            6 => rig.acknowledge(u)?,
            7 => self.asks(u)?,
            8 | 9 => drop(self.opens()),
            10 => self.opens_not(u.arbitrary()?),
            11 => self.breaks(),
            12 | 13 => rig.passes(u)?,
            14 | 15 => {
                let packet = draws::packet(u, self.config.version)?;
                rig.feed(&packet, u)?;
            }
            16 => {
                let len = u.int_in_range(0..=20)?.min(u.len());
                let bytes = u.bytes(len)?;
                rig.feed(bytes, u)?;
            }
            17..=20 => self.is_answered(u)?,
            21 | 22 => drop(rig.commit(u.ratio(7, 8)?)),
            23 => drop(rig.poll_store()),
            24 => drop(rig.poll_event()),
            25 => {
                let taken = u.int_in_range(0..=40)?;
                rig.poll_transmit(taken);
            }
            26..=28 => rig.settle(|_, _| {}),
            29 => self.authenticates(u)?,
            30 => self.leaves(u)?,
            _ => self.restarts(u)?,
        }
        Ok(())
    }

    /// Asks for a subscription, or to end one.
    fn asks(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let rig = &mut self.rig;
        let tag = rig.ledger.next_tag();
        let asked = if u.arbitrary()? {
            let properties = if u.ratio(1, 4)? {
                u.arbitrary()?
            } else {
                Properties::empty()
            };
            rig.machine.subscribe(rig.now, u.arbitrary()?, properties, tag)
        } else {
            rig.machine.unsubscribe(rig.now, u.arbitrary()?, tag)
        };
        if let Ok(op) = asked {
            rig.ledger.began(tag, op);
        }
        Ok(())
    }

    /// Hears everything. Returns why a connection ended, if one did.
    fn hear_all(&mut self) -> Option<Closed> {
        let mut closed = None;
        while let Some(told) = self.rig.poll_event() {
            if let Told::Closed(reason) = told {
                closed = Some(reason);
            }
        }
        closed
    }

    /// A stream is open, whether or not it was asked for. CONNECT leaves at once, if the client wants it.
    fn opens(&mut self) -> Option<Closed> {
        self.hear_all();
        let is_new = self.rig.story.is_closed();
        if is_new {
            self.rig.streams(Some(self.config.version));
        }
        self.rig.machine.handle_open(self.rig.now);
        if is_new {
            self.rig.poll_transmit(usize::MAX);
            let closed = self.hear_all();
            if self.rig.watch.packets == 0 {
                self.rig.story.crashes();
            }
            return closed;
        }
        None
    }

    fn opens_not(&mut self, may_succeed_later: bool) {
        self.hear_all();
        let is_new = self.rig.story.is_closed();
        if is_new {
            self.rig.story.begins();
        }
        self.rig.machine.handle_open_failed(self.rig.now, may_succeed_later);
        if is_new {
            self.hear_all();
            self.rig.story.crashes();
        }
    }

    fn breaks(&mut self) {
        self.rig.machine.handle_eof(self.rig.now);
        self.hear_all();
        assert!(self.rig.story.is_closed(), "the stream has ended, and nobody was told");
        self.rig.forget_stream();
        assert!(!self.rig.poll_transmit(usize::MAX), "bytes for a stream that has ended");
    }

    /// The server answers the first or any packet rightly.
    fn is_answered(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let rig = &mut self.rig;
        rig.poll_transmit(usize::MAX);
        let place = if u.ratio(3, 4)? {
            0
        } else {
            u.choose_index(rig.unanswered.len().max(1))?
        };
        let Some(packet) = rig.unanswered.remove(place) else {
            return Ok(());
        };
        let peer = Peer {
            has_session: u.arbitrary()?,
            gives_name: self.config.client_id.is_empty(),
        };
        match draws::answer(&packet, self.config.version, peer) {
            Some(bytes) => rig.feed(&bytes, u),
            None => Ok(()),
        }
    }

    fn authenticates(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let rig = &mut self.rig;
        let data = if u.arbitrary()? { Some(&b"data"[..]) } else { None };
        if u.arbitrary()? {
            let _ = rig.machine.authenticate(rig.now, data);
        } else {
            let _ = rig.machine.reauthenticate(rig.now, data);
        }
        Ok(())
    }

    fn leaves(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let rig = &mut self.rig;
        match u.int_in_range(0..=4_u8)? {
            0 => rig.machine.disconnect(rig.now),
            1 => rig.machine.disconnect_with(rig.now, u.arbitrary()?),
            2 => rig.machine.abort(rig.now),
            _ => rig.machine.reconnect(rig.now),
        }
        Ok(())
    }

    /// The client is gone, perhaps because its store failed, and begins again with what is durable.
    fn restarts(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        if u.arbitrary()? {
            self.rig.machine.handle_store_failed(self.rig.now);
            self.hear_all();
            assert!(
                self.rig.story.is_closed() || self.rig.watch.packets == 0,
                "the store failed, and the connection goes on"
            );
        }
        let rig = &mut self.rig;
        // The last choice: from here on nothing may be left half done.
        let damaged = if u.ratio(1, 3)? { rig.disk.damage(u)? } else { None };
        rig.crashes();
        if !self.config.is_stored {
            rig.machine = Client::new(self.config.clone(), rig.now);
            rig.ledger.restored(&[]);
            return Ok(());
        }
        if damaged.is_some() {
            rig.is_intact = false;
            rig.story.forgets_numbers();
        }
        let mut restore = Client::restore(self.config.clone(), rig.now);
        for (key, bytes) in &rig.disk.durable {
            restore.encoded(*key, bytes);
        }
        let (client, report) = restore.finish();
        match damaged {
            Some(key) => assert!(
                report.quarantined.iter().any(|one| one.key == key),
                "damaged, and not told: {key:?}"
            ),
            None => assert!(
                !rig.is_intact || report.quarantined.is_empty() && !report.session_ended,
                "nothing is damaged: {report:?}"
            ),
        }
        rig.machine = client;
        rig.ledger.restored(&report.live);
        Ok(())
    }

    /// Everything does what is right from here on: every operation ends.
    fn ends(&mut self) {
        self.hear_all();
        self.breaks();
        self.rig.machine.reconnect(self.rig.now);
        if matches!(self.opens(), Some(Closed::NotEncodable(_))) {
            return;
        }
        assert!(self.rig.watch.packets > 0, "no CONNECT on a stream that was asked for");
        if self.config.limits.packet_bytes < 64 {
            // Answers may be larger than what is accepted.
            return;
        }
        self.rig.machine.handle_stored(self.rig.now, self.rig.disk.stored);
        for _ in 0..ROUNDS {
            if self.rig.ledger.is_done() {
                return;
            }
            match self.goes_on() {
                Ok(true) => {}
                Ok(false) => pass_next(&mut self.rig),
                Err(Closed::NotEncodable(_)) => return,
                Err(_) => {}
            }
        }
        panic!("operations do not end: {:?}", self.rig.ledger);
    }

    /// One round of everything. `false`: time has to pass.
    fn goes_on(&mut self) -> std::result::Result<bool, Closed> {
        let (mut opens, mut authenticates, mut closed, mut any) = (false, false, None, false);
        self.rig.settle(|_, told| {
            any = true;
            match told {
                Told::Open => opens = true,
                Told::Authenticate => authenticates = true,
                Told::Closed(reason) => closed = Some(reason),
                _ => {}
            }
        });
        while self.rig.commit(true) {
            any = true;
        }
        any |= self.rig.wanted.is_some() || !self.rig.deliveries.is_empty();
        self.rig.supply();
        self.rig.acknowledge_all();
        if authenticates {
            let _ = self.rig.machine.authenticate(self.rig.now, None);
        }
        while let Some(packet) = self.rig.unanswered.pop_front() {
            any = true;
            let peer = Peer {
                has_session: self.is_present && self.rig.outlives,
                gives_name: self.config.client_id.is_empty(),
            };
            if let Some(bytes) = draws::answer(&packet, self.config.version, peer) {
                self.rig.take_in(&bytes, false);
            }
        }
        any |= self.rig.take_again();
        if closed.is_some() {
            self.breaks();
        }
        if opens {
            self.opens();
        }
        closed.map_or(Ok(any || opens), Err)
    }
}

/// A client that was restored sends everything that it says is on its way.
pub(super) fn sends_all(config: ClientConfig, restored: Client, report: &RestoreReport, now: Instant) {
    let keeps_numbers = false;
    let mut rig = Rig::new(restored, config.version, config.limits, keeps_numbers, now);
    rig.ledger = Ledger::of_anybody();
    rig.ledger.restored(&report.live);
    let mut life = Life {
        config,
        rig,
        is_present: !report.session_ended,
    };
    life.ends();
}

/// The next deadline passes.
pub(super) fn pass_next<M: super::machine::Machine>(rig: &mut Rig<M>) {
    if rig.ledger.is_done() {
        return;
    }
    let Some(next) = rig.machine.next_deadline() else {
        panic!("nothing happens, and nothing is waited for: {:?}", rig.ledger);
    };
    rig.now = rig.now.max(next);
    pass(&mut rig.machine, rig.now);
}
