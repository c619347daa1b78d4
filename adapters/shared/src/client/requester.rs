//! Requests and their answers, since MQTT 5.0.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use mqtt_session::Message;
use mqtt_session::proto::{EncodeError, PropertyId, PublishProperties, QoS};

use super::{Client, PublishError, SubscribeError, Subscription};

/// Why a request has no answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RequestError {
    /// The request cannot be put together.
    Message(EncodeError),
    /// It was not published.
    Publish(PublishError),
    /// No answer will come: the client has ended, or the server has ended the subscription to the answers.
    NoAnswer,
}

/// Asks, and waits for answers: made by [`Client::requester`].
///
/// Requests may be under way at the same time; each gets its own answer, whatever the order.
#[derive(Debug)]
pub struct Requester {
    client: Client,
    response_topic: Bytes,
    answers: Mutex<Answers>,
}

#[derive(Debug)]
struct Answers {
    subscription: Subscription,
    open: BTreeMap<u64, Open>,
    next: u64,
    is_over: bool,
}

/// One question.
#[derive(Debug, Default)]
struct Open {
    waker: Option<Waker>,
    answer: Option<Message>,
}

impl Client {
    /// Subscribes to a topic for answers, which should be this client's own.
    ///
    /// # Errors
    /// If there is no subscription.
    pub async fn requester(&self, response_topic: impl Into<Bytes>) -> Result<Requester, SubscribeError> {
        let response_topic = response_topic.into();
        let subscription = self.subscribe(response_topic.clone(), QoS::AtLeastOnce).await?;
        Ok(Requester {
            client: self.clone(),
            response_topic,
            answers: Mutex::new(Answers {
                subscription,
                open: BTreeMap::new(),
                next: 0,
                is_over: false,
            }),
        })
    }
}

impl Requester {
    /// Publishes a message, and waits for the answer. The message gets a response topic and correlation data; its other
    /// properties stay. How long to wait is for the caller to say: a dropped future is not interested any more.
    ///
    /// # Errors
    /// If the message cannot be published, or no answer will come.
    pub async fn request(&self, message: Message) -> Result<Message, RequestError> {
        let asking = self.ask();
        let message = self.marked(message, asking.id).map_err(RequestError::Message)?;
        self.client
            .publish(message)
            .accepted()
            .await
            .map_err(RequestError::Publish)?;
        poll_fn(|cx| asking.poll(cx)).await
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self) -> Asking<'_> {
        let mut answers = self.lock();
        answers.next += 1;
        let id = answers.next;
        answers.open.insert(id, Open::default());
        Asking { requester: self, id }
    }

    /// The message, as a question.
    fn marked(&self, message: Message, id: u64) -> Result<Message, EncodeError> {
        let own = [PropertyId::ResponseTopic, PropertyId::CorrelationData];
        let mut properties = PublishProperties::builder();
        for property in message
            .properties
            .iter()
            .filter(|property| !own.contains(&property.id()))
        {
            properties = properties.property(&property);
        }
        let properties = properties
            .response_topic(&self.response_topic)
            .correlation_data(id.to_be_bytes());
        Ok(message.properties(properties.build()?))
    }
}

/// One question that waits for its answer.
struct Asking<'r> {
    requester: &'r Requester,
    id: u64,
}

impl Asking<'_> {
    /// Whoever is polled takes what has come, for all.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<Message, RequestError>> {
        let mut woken = Vec::new();
        let mut answers = self.requester.lock();
        answers.take(cx, self.id, &mut woken);
        let is_over = answers.is_over;
        let polled = match answers.open.get_mut(&self.id) {
            Some(Open { answer: Some(_), .. }) => {
                let answer = answers.open.remove(&self.id).and_then(|open| open.answer);
                Poll::Ready(answer.ok_or(RequestError::NoAnswer))
            }
            Some(_) if is_over => Poll::Ready(Err(RequestError::NoAnswer)),
            Some(open) => {
                open.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            None => Poll::Ready(Err(RequestError::NoAnswer)),
        };
        drop(answers);
        woken.into_iter().for_each(Waker::wake);
        polled
    }
}

/// Another one has to look for answers from here on.
impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut answers = self.requester.lock();
        answers.open.remove(&self.id);
        let next = answers.open.values_mut().find_map(|open| open.waker.take());
        drop(answers);
        next.into_iter().for_each(Waker::wake);
    }
}

impl Answers {
    /// Gives each answer that has come to its question.
    fn take(&mut self, cx: &mut Context<'_>, asking: u64, woken: &mut Vec<Waker>) {
        loop {
            match self.subscription.poll_message(cx) {
                Poll::Ready(Some(incoming)) => {
                    if let Some(acknowledgement) = incoming.acknowledgement {
                        // It may belong to a connection that has ended.
                        let _ = acknowledgement.acknowledge();
                    }
                    let Some(id) = correlation(&incoming.message) else {
                        continue;
                    };
                    // An answer that nobody waits for any more is dropped.
                    let Some(open) = self.open.get_mut(&id) else { continue };
                    open.answer = Some(incoming.message);
                    if id != asking {
                        woken.extend(open.waker.take());
                    }
                }
                Poll::Ready(None) => {
                    self.is_over = true;
                    woken.extend(self.open.values_mut().filter_map(|open| open.waker.take()));
                    return;
                }
                Poll::Pending => return,
            }
        }
    }
}

/// Which question it answers.
fn correlation(message: &Message) -> Option<u64> {
    let data = message.properties.correlation_data()?;
    data.as_bytes().try_into().ok().map(u64::from_be_bytes)
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(error) => write!(f, "the request cannot be sent: {error}"),
            Self::Publish(error) => error.fmt(f),
            Self::NoAnswer => f.write_str("no answer will come: the client or the subscription to answers has ended"),
        }
    }
}

impl std::error::Error for RequestError {}
