//! How many connections each address has.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How much of an address of IPv6 its network gives out: the rest is its owner's, who can have as many as he likes.
const NETWORK_BITS: u32 = 64;

/// How many connections each address has, over all listeners and shards. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    most: NonZeroU32,
    /// Only those that have some.
    open: Mutex<HashMap<IpAddr, u32>>,
}

/// A connection, which counts as one of its address as soon as that is known. It counts no more when this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    addresses: Addresses,
    owner: Option<IpAddr>,
}

impl Addresses {
    /// So many of each.
    pub(super) fn new(most: NonZeroU32) -> Self {
        let open = Mutex::default();
        Self {
            shared: Arc::new(Shared { most, open }),
        }
    }

    /// A connection from an address that is not known yet.
    pub(super) fn share(&self) -> Share {
        Share {
            addresses: self.clone(),
            owner: None,
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.shared.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// The connection is one of this address from here on, unless that has as many as it may have.
    pub(super) fn claim(&mut self, address: IpAddr) -> bool {
        let owner = owner(address);
        if self.owner.is_none() {
            let mut open = self.addresses.open();
            let count = open.get(&owner).copied().unwrap_or_default();
            if count >= self.addresses.shared.most.get() {
                return false;
            }
            open.insert(owner, count.saturating_add(1));
            self.owner = Some(owner);
        }
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some(owner) = self.owner else { return };
        if let Entry::Occupied(mut open) = self.addresses.open().entry(owner) {
            *open.get_mut() = open.get().saturating_sub(1);
            if *open.get() == 0 {
                open.remove();
            }
        }
    }
}

/// What stands for all addresses of one owner.
pub(super) fn owner(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> (128 - NETWORK_BITS) << (128 - NETWORK_BITS);
            Ipv6Addr::from(network).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(most: u32) -> Addresses {
        Addresses::new(NonZeroU32::new(most).expect("it is not zero"))
    }

    fn claimed(addresses: &Addresses, address: &str) -> Option<Share> {
        let mut share = addresses.share();
        share.claim(address.parse().expect("an address")).then_some(share)
    }

    #[test]
    fn an_address_has_so_many_and_one_more_when_one_ends() {
        let addresses = addresses(2);
        let first = claimed(&addresses, "192.0.2.1");
        let second = claimed(&addresses, "192.0.2.1");
        assert!(first.is_some() && second.is_some());
        assert!(claimed(&addresses, "192.0.2.1").is_none());
        // Who was refused does not count.
        assert!(claimed(&addresses, "192.0.2.1").is_none());
        assert!(claimed(&addresses, "192.0.2.2").is_some());
        drop(first);
        let third = claimed(&addresses, "192.0.2.1");
        assert!(third.is_some() && claimed(&addresses, "192.0.2.1").is_none());
        drop((second, third));
        assert!(addresses.open().is_empty(), "nothing is kept of those that have none");
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let addresses = addresses(1);
        let held = claimed(&addresses, "2001:db8:0:1::1");
        assert!(held.is_some());
        assert!(claimed(&addresses, "2001:db8:0:1:ffff:ffff:ffff:ffff").is_none());
        assert!(claimed(&addresses, "2001:db8:0:2::1").is_some());
    }

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        let addresses = addresses(1);
        let held = claimed(&addresses, "::ffff:192.0.2.1");
        assert!(held.is_some());
        assert!(claimed(&addresses, "192.0.2.1").is_none());
        assert!(claimed(&addresses, "::ffff:192.0.2.2").is_some());
    }

    #[test]
    fn one_connection_counts_once() {
        let addresses = addresses(1);
        let mut share = addresses.share();
        let address = "192.0.2.1".parse().expect("an address");
        assert!(share.claim(address) && share.claim(address));
        drop(share);
        assert!(addresses.open().is_empty());
    }
}
