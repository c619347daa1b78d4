//! A method of authentication for tests. The client begins with a number, the server asks with two others, and the client
//! answers each with its double. The server's last word is the number that the client began with.

use std::sync::MutexGuard;

use bytes::Bytes;
use mqtt_session::proto::{
    AuthProperties, AuthReason, ConnAckProperties, ConnAckReason, Connect, Disconnect, DisconnectReason,
};
use mqtt_session::{Instant, ServerConnection};

use super::{Hub, State};

/// The name of the method.
pub const METHOD: &str = "DOUBLING";
const ROUNDS: u8 = 2;

/// How a hub deals with those who prove who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conduct {
    /// As it should.
    #[default]
    Fair,
    /// It says nothing.
    Silent,
    /// It accepts, but does not know what it should know.
    Impostor,
}

/// An exchange that is under way.
pub(super) struct Proof {
    /// What is answered in the end; nothing on an open connection.
    connect: Option<Box<Connect<Bytes>>>,
    first: u8,
    round: u8,
}

impl Proof {
    const fn question(&self) -> u8 {
        self.first.wrapping_add(self.round)
    }
}

impl Hub {
    /// What it does from here on.
    pub fn conduct(&self, conduct: Conduct) {
        self.lock().conduct = conduct;
    }

    /// How many have proven who they are.
    #[must_use]
    pub fn proofs(&self) -> u64 {
        self.lock().proofs
    }

    /// A client wants to prove who it is before it is accepted.
    pub(super) fn on_method(
        &self,
        id: u64,
        machine: &mut ServerConnection,
        now: Instant,
        (method, connect): (&[u8], Box<Connect<Bytes>>),
    ) {
        if method != METHOD.as_bytes() {
            self.lock().connects += 1;
            let unknown =
                machine.refuse_client(now, ConnAckReason::BadAuthenticationMethod, ConnAckProperties::empty());
            return unknown.expect("it was asked for");
        }
        let first = connect.properties.authentication_data();
        let proof = Proof {
            first: first.and_then(|data| data.as_bytes().first().copied()).unwrap_or(0),
            connect: Some(connect),
            round: 0,
        };
        self.go_on(id, machine, now, proof);
    }

    pub(super) fn on_authenticate(
        &self,
        id: u64,
        machine: &mut ServerConnection,
        now: Instant,
        (reason, properties): (AuthReason, &AuthProperties<Bytes>),
    ) {
        let data = properties.authentication_data();
        let said = data.and_then(|data| data.as_bytes().first().copied()).unwrap_or(0);
        if reason == AuthReason::ReAuthenticate {
            let proof = Proof {
                connect: None,
                first: said,
                round: 0,
            };
            return self.go_on(id, machine, now, proof);
        }
        let proof = self.with_peer(id, |peer| peer.proof.take());
        let proof = proof.expect("one is under way");
        match (said == proof.question().wrapping_mul(2), proof.connect.is_some()) {
            (true, _) => self.go_on(id, machine, now, proof),
            (false, true) => {
                self.lock().connects += 1;
                let refused = machine.refuse_client(now, ConnAckReason::NotAuthorized, ConnAckProperties::empty());
                refused.expect("it was asked for");
            }
            (false, false) => machine.disconnect(now, Disconnect::new(DisconnectReason::NotAuthorized)),
        }
    }

    /// The next question, or the end.
    fn go_on(&self, id: u64, machine: &mut ServerConnection, now: Instant, mut proof: Proof) {
        let conduct = self.lock().conduct;
        if conduct == Conduct::Silent {
            return;
        }
        if proof.round < ROUNDS {
            proof.round += 1;
            let asked = machine.authenticate(now, Some(&[proof.question()]));
            asked.expect("it is the server's turn");
            self.with_peer(id, |peer| peer.proof = Some(proof));
            return;
        }
        self.lock().proofs += 1;
        let word = match conduct {
            Conduct::Impostor => proof.first.wrapping_add(1),
            _ => proof.first,
        };
        match proof.connect {
            Some(connect) => {
                let properties = ConnAckProperties::builder().authentication_data([word]).build();
                self.on_connect(id, machine, now, (&connect, properties.expect("it fits")));
            }
            None => machine
                .authenticated(now, Some(&[word]))
                .expect("it is the server's turn"),
        }
    }

    fn with_peer<R>(&self, id: u64, work: impl FnOnce(&mut super::Peer) -> R) -> R {
        let mut state: MutexGuard<'_, State> = self.lock();
        work(state.peers.entry(id).or_default())
    }
}
