//! Who may come in by which listener, and may do what.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use mqtt_adapter::host::Origin;
use mqtt_proto::{ConnAckReason, Connect, TopicFilter, TopicName};

use super::remembered::Remembered;
use crate::broker::config::{Listener, UserFromCertificate};
use crate::broker::{Permissions, Setup, Users, Who};

/// A user name that was proved. `None`: the client has none, or it proves nothing.
pub(super) type User = Option<Arc<str>>;

/// Everything that decides about clients.
#[derive(Debug)]
pub(super) struct Rules {
    users: Users,
    has_user_files: bool,
    permissions: Permissions,
    /// By the names of their listeners.
    doors: HashMap<String, Door>,
    remembered: Remembered,
}

#[derive(Clone, Copy, Debug)]
struct Door {
    allows_anonymous: bool,
    from_certificate: UserFromCertificate,
}

/// Who a client is, as far as its first packet tells.
pub(super) enum Identity {
    /// This user, or nobody.
    Known(User),
    /// Whoever it says, if the password is right.
    Claimed {
        user: Arc<str>,
        password: Bytes,
    },
    Refused(ConnAckReason),
}

impl Rules {
    pub(super) fn new(setup: Setup) -> Self {
        let doors = setup.config.listeners.iter().map(|listener| {
            let door = Door {
                allows_anonymous: listener.allows_anonymous(),
                from_certificate: user_from_certificate(listener),
            };
            (listener.address.to_string(), door)
        });
        Self {
            doors: doors.collect(),
            has_user_files: !setup.config.users.is_empty(),
            users: setup.users,
            permissions: setup.permissions,
            remembered: Remembered::new(),
        }
    }

    /// Who a client is that came this way.
    pub(super) fn identity(&self, origin: &Origin, connect: &Connect<Bytes>) -> Identity {
        if connect.properties.authentication_method().is_some() {
            return Identity::Refused(ConnAckReason::BadAuthenticationMethod);
        }
        let Some(door) = self.doors.get(&*origin.listener) else {
            return Identity::Refused(ConnAckReason::NotAuthorized);
        };
        if door.from_certificate != UserFromCertificate::No {
            return match certified(origin, door.from_certificate) {
                Some(user) => Identity::Known(Some(user)),
                None => Identity::Refused(ConnAckReason::NotAuthorized),
            };
        }
        match &connect.username {
            Some(user) if self.has_user_files => Identity::Claimed {
                user: user.as_str().into(),
                password: connect
                    .password
                    .as_ref()
                    .map(|password| Bytes::copy_from_slice(password.as_ref()))
                    .unwrap_or_default(),
            },
            // A name that nobody can check gives no rights.
            _ if door.allows_anonymous => Identity::Known(None),
            Some(_) => Identity::Refused(ConnAckReason::BadUserNameOrPassword),
            None => Identity::Refused(ConnAckReason::NotAuthorized),
        }
    }

    /// Who has proved a name by a password that counts no more.
    pub(super) fn lost(&self, later: &Self) -> HashSet<Vec<u8>> {
        self.users
            .lost(&later.users)
            .map(|user| user.as_bytes().to_vec())
            .collect()
    }

    /// Whether this is the user's password. It takes its time.
    pub(super) fn is_right(&self, user: &str, password: &[u8]) -> bool {
        let is_right = self.users.verify(user, password);
        if is_right {
            self.remembered.add(user, password);
        }
        is_right
    }

    /// Whether that was found out a short time ago.
    pub(super) fn remembers(&self, user: &str, password: &[u8]) -> bool {
        self.remembered.has(user, password)
    }

    pub(super) fn may_publish(&self, who: Who<'_>, topic: &TopicName<Bytes>) -> bool {
        self.permissions.may_publish(who, topic)
    }

    pub(super) fn may_subscribe(&self, who: Who<'_>, filter: &TopicFilter<Bytes>) -> bool {
        self.permissions.may_subscribe(who, filter)
    }
}

fn user_from_certificate(listener: &Listener) -> UserFromCertificate {
    listener
        .tls
        .as_ref()
        .map(|tls| tls.user_from_certificate)
        .unwrap_or_default()
}

/// The user that the client's certificate names.
fn certified(origin: &Origin, from: UserFromCertificate) -> Option<Arc<str>> {
    let certificate = origin.tls.as_ref()?.peer_certificates.first()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let subject = certificate.subject();
    let name = match from {
        UserFromCertificate::No => return None,
        UserFromCertificate::CommonName => subject.iter_common_name().next()?.as_str().ok()?.to_owned(),
        UserFromCertificate::Subject => subject.to_string(),
    };
    (!name.is_empty()).then(|| name.into())
}

/// The rules in force. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct SharedRules {
    rules: Arc<RwLock<Arc<Rules>>>,
}

impl SharedRules {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules: Arc::new(RwLock::new(Arc::new(rules))),
        }
    }

    pub(super) fn current(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether these are still in force.
    pub(super) fn are(&self, rules: &Arc<Rules>) -> bool {
        Arc::ptr_eq(&self.current(), rules)
    }

    pub(super) fn replace(&self, rules: Rules) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }
}
