//! What is known of the clients before a step, from the script alone.

use mqtt_proto::{QoS, SubscriptionOptions, TopicFilter, TopicName};

use super::script::{Action, Connect, Message, Script, Will};

/// What is known before a step.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The clients.
    pub clients: Vec<Known<'a>>,
    /// Wills of connections that were taken over, up to and with this step.
    pub wills_taken_over: Vec<&'a Message>,
    /// Delayed wills of sessions that end before the delay does, up to and with this step.
    pub wills_of_ended_sessions: Vec<&'a Message>,
    /// Wills of clients that said in DISCONNECT that a session which ends at once is to be kept.
    pub wills_of_bad_disconnects: Vec<&'a Message>,
    /// Messages of QoS 2 whose publisher released nothing at that time.
    pub unreleased: Vec<&'a Message>,
    /// Everything that was published, wills included.
    pub messages: Vec<(usize, &'a Message)>,
}

/// What is known of a client.
#[derive(Clone, Debug, Default)]
pub struct Known<'a> {
    /// Its connection, if it has one.
    pub connection: Option<&'a Connect>,
    /// The will of its last connection, if it is delayed and the connection has ended.
    pub delayed_will: Option<&'a Will>,
    /// Whether it holds acknowledgements back.
    pub holds: bool,
    /// Whatever it was ever subscribed to, in order.
    pub subscriptions: Vec<(&'static str, SubscriptionOptions)>,
}

impl<'a> Facts<'a> {
    /// What is known before a step, but for a connection that the step takes over.
    #[must_use]
    pub fn before(script: &'a Script, step: usize) -> Self {
        let mut facts = Self {
            clients: vec![Known::default(); script.clients.len()],
            wills_taken_over: Vec::new(),
            wills_of_ended_sessions: Vec::new(),
            wills_of_bad_disconnects: Vec::new(),
            unreleased: Vec::new(),
            messages: Vec::new(),
        };
        for (number, done) in script.steps[..=step].iter().enumerate() {
            let client = &mut facts.clients[done.client];
            if let Action::Connect(connect) = &done.action {
                let taken_over = client.connection.and_then(|earlier| earlier.will.as_ref());
                facts.wills_taken_over.extend(taken_over.map(|will| &will.message));
                let delayed = client.delayed_will.take().filter(|_| connect.clean);
                facts.wills_of_ended_sessions.extend(delayed.map(|will| &will.message));
                facts
                    .messages
                    .extend(connect.will.as_ref().map(|will| (done.client, &will.message)));
            }
            if script.clients[done.client].has_properties() {
                facts.will_is_delayed(done.client, &done.action);
            }
            if number < step {
                facts.follow(done.client, &done.action);
            }
        }
        facts
    }

    fn will_is_delayed(&mut self, index: usize, action: &'a Action) {
        let client = &mut self.clients[index];
        let Some(connection) = client.connection else { return };
        if let Action::Leave { expiry: Some(1..), .. } = action
            && connection.expiry.unwrap_or(0) == 0
        {
            self.wills_of_bad_disconnects
                .extend(connection.will.as_ref().map(|will| &will.message));
            return;
        }
        let expiry = match action {
            Action::Cut { .. } => connection.expiry,
            Action::Leave {
                with_will: true,
                expiry,
            } => expiry.or(connection.expiry),
            _ => return,
        };
        let delayed = |will: &&Will| will.delay.is_some_and(|delay| delay > 0);
        client.delayed_will = connection.will.as_ref().filter(delayed);
        let early = client
            .delayed_will
            .filter(|will| expiry.unwrap_or(0) < will.delay.unwrap_or(0));
        self.wills_of_ended_sessions.extend(early.map(|will| &will.message));
    }

    fn follow(&mut self, index: usize, action: &'a Action) {
        let client = &mut self.clients[index];
        if let Action::Connect(connect) = action {
            client.connection = Some(connect);
            client.holds = false;
        }
        if client.connection.is_none() {
            return;
        }
        match action {
            Action::Connect(_) | Action::Unsubscribe(_) | Action::Wait => {}
            Action::Subscribe { filters, .. } => client.subscriptions.extend(filters),
            Action::Publish(message) => {
                if client.holds && message.qos == QoS::ExactlyOnce {
                    self.unreleased.push(message);
                }
                self.messages.push((index, message));
            }
            Action::Hold => client.holds = true,
            Action::Release => client.holds = false,
            Action::Cut { .. } | Action::Leave { .. } => client.connection = None,
        }
    }
}

/// Whether a filter, without a group, matches a topic.
pub(super) fn matches(filter: &str, topic: &str) -> bool {
    let (filter, topic) = (TopicFilter::new(without_group(filter)), TopicName::new(topic));
    filter.is_ok_and(|filter| topic.is_ok_and(|topic| filter.matches(&topic)))
}

/// The filter that a group shares, or the filter.
pub(super) fn without_group(filter: &str) -> &str {
    let shared = filter.strip_prefix("$share/").and_then(|shared| shared.split_once('/'));
    shared.map_or(filter, |(_, filter)| filter)
}
