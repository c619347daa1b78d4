//! The classes of differences. A difference that no class explains is a fault, of this codec or of the classes.
//!
//! - Accepted by both, and not the same: [`fields`], where a known quirk of the peer turns our packet into theirs, wholly.
//! - Accepted by this codec alone: [`refusals`], a list of what each peer refuses though it is valid or may be accepted,
//!   by the error of the peer and a predicate over the bytes.
//! - Refused by this codec alone: [`lapses`], a list of the checks that each peer leaves out, by kind and statement of our
//!   error, and only if the [witness](crate::witness) sees the fault in the bytes.

mod fields;
mod lapses;
mod refusals;
#[cfg(test)]
mod tests;

use crate::anatomy::Anatomy;
use crate::normal::Packet;
use crate::peers::{Peer, Version};
use crate::verdict::{OurVerdict, TheirVerdict, Verdict};
use crate::witness;

/// Bytes, and what two codecs made of them.
#[derive(Clone, Debug)]
pub(crate) struct Case<'c> {
    pub(crate) peer: Peer,
    pub(crate) version: Version,
    pub(crate) bytes: &'c [u8],
    pub(crate) ours: OurVerdict,
    pub(crate) theirs: TheirVerdict,
    /// What the bytes are meant to say, where the peer itself encoded them.
    pub(crate) meant: Option<Packet>,
}

/// Who accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    BothAccept,
    OursOnly,
    TheirsOnly,
    BothRefuse,
    BothWait,
    /// We refuse what the peer wants to see more of.
    WeRefuseTheyWait,
    /// The peer refuses what we want to see more of.
    WeWaitTheyRefuse,
    TheyPanic,
    WePanic,
}

impl Outcome {
    pub(crate) const ALL: [Self; 9] = [
        Self::BothAccept,
        Self::OursOnly,
        Self::TheirsOnly,
        Self::BothRefuse,
        Self::BothWait,
        Self::WeRefuseTheyWait,
        Self::WeWaitTheyRefuse,
        Self::TheyPanic,
        Self::WePanic,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::BothAccept => "accepted by both",
            Self::OursOnly => "by ours only",
            Self::TheirsOnly => "by theirs only",
            Self::BothRefuse => "refused by both",
            Self::BothWait => "both wait for more",
            Self::WeRefuseTheyWait => "ours refuses, theirs waits",
            Self::WeWaitTheyRefuse => "ours waits, theirs refuses",
            Self::TheyPanic => "theirs panics",
            Self::WePanic => "ours panics",
        }
    }
}

/// Whose verdict is the right one. Where it is the peer's, there is no class: that is a fault to be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Right {
    Ours,
    /// The specification leaves it open.
    Both,
}

impl Right {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Both => "both may",
        }
    }
}

/// A class of differences, with the statement that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Class {
    pub(crate) outcome: Outcome,
    pub(crate) name: &'static str,
    pub(crate) statement: &'static str,
    pub(crate) right: Right,
}

/// What a comparison came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    Agreement,
    Difference(Class),
    Unexplained,
}

/// What the tables claim about a peer: the name of a class, and a statement.
pub(crate) fn claims(peer: Peer, version: Version) -> impl Iterator<Item = (&'static str, &'static str)> {
    fields::rows(peer, version)
        .chain(refusals::rows(peer, version))
        .chain(lapses::rows(peer, version))
}

impl Case<'_> {
    pub(crate) const fn outcome(&self) -> Outcome {
        match (&self.ours, &self.theirs) {
            (Verdict::Panicked(_), _) => Outcome::WePanic,
            (_, Verdict::Panicked(_)) => Outcome::TheyPanic,
            (Verdict::Accepted { .. }, Verdict::Accepted { .. }) => Outcome::BothAccept,
            (Verdict::Accepted { .. }, _) => Outcome::OursOnly,
            (_, Verdict::Accepted { .. }) => Outcome::TheirsOnly,
            (Verdict::Refused(_), Verdict::Refused(_)) => Outcome::BothRefuse,
            (Verdict::Waits, Verdict::Waits) => Outcome::BothWait,
            (Verdict::Refused(_), Verdict::Waits) => Outcome::WeRefuseTheyWait,
            (Verdict::Waits, Verdict::Refused(_)) => Outcome::WeWaitTheyRefuse,
        }
    }

    /// What the comparison came to. `without` is a class that is left out, to show that it is missed.
    pub(crate) fn finding(&self, without: Option<&str>) -> Finding {
        if !self.witness_agrees() {
            return Finding::Unexplained;
        }
        let class = match self.outcome() {
            // What a peer made of a valid packet should be valid.
            Outcome::BothRefuse if self.meant.is_some() => lapses::class(self),
            Outcome::BothRefuse | Outcome::BothWait => return Finding::Agreement,
            Outcome::BothAccept if self.says_the_same() => return Finding::Agreement,
            Outcome::BothAccept => fields::class(self),
            Outcome::OursOnly => refusals::class(self),
            Outcome::TheirsOnly | Outcome::WeRefuseTheyWait => lapses::class(self),
            Outcome::TheyPanic => lapses::panic(self),
            Outcome::WeWaitTheyRefuse | Outcome::WePanic => None,
        };
        match class {
            Some(class) if without != Some(class.name) => Finding::Difference(class),
            _ => Finding::Unexplained,
        }
    }

    /// Whether the fault for which we refuse is there, and none where we accept, whatever the peer says.
    fn witness_agrees(&self) -> bool {
        match &self.ours {
            Verdict::Refused(error) => witness::confirms(error, self.bytes, self.version.level()),
            Verdict::Accepted { len, .. } => witness::fault(&self.bytes[..*len], self.version.level()).is_none(),
            Verdict::Waits | Verdict::Panicked(_) => true,
        }
    }

    /// The same packet from the same number of bytes, and the one that was meant.
    fn says_the_same(&self) -> bool {
        let (
            Verdict::Accepted {
                packet: ours,
                len: our_len,
            },
            Verdict::Accepted {
                packet: theirs,
                len: their_len,
            },
        ) = (&self.ours, &self.theirs)
        else {
            return false;
        };
        ours == theirs && our_len == their_len && self.meant.as_ref().is_none_or(|meant| meant == ours)
    }

    pub(crate) fn anatomy(&self) -> Option<Anatomy<'_>> {
        Anatomy::of(self.bytes, self.version.level())
    }

    /// Two lines for a person.
    pub(crate) fn verdicts(&self) -> String {
        format!("ours:   {:?}\n  theirs: {:?}", self.ours, self.theirs)
    }
}
