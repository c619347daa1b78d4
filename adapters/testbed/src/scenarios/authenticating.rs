//! Enhanced authentication: exchanges of several steps, on a connection that begins and on one that is open.

use std::future::{pending, poll_fn, ready};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use mqtt_adapter::{
    Answering, AuthenticationError, Authenticator, Cause, Client, ClientOptions, Failure, Published,
    ReauthenticateError, Unanswered,
};
use mqtt_session::proto::{ConnAckReason, DisconnectReason, QoS, Text, Version};
use mqtt_session::{Authentication, Closed, Limits, Timer};

use super::exchange::join;
use super::{connected, ended, leaves, message, numbers, options, server};
use crate::{Adapter, Conduct, METHOD, soon, until};

/// How an application answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Right,
    Wrong,
    /// It will not answer, now or ever.
    Refuses,
    /// It does not know yet, and answers when it has learned another manner.
    Mute,
    /// It does not even know how to begin.
    MuteFromTheFirst,
}

/// What a test tells its applications.
#[derive(Clone)]
struct Application {
    /// The manner, and who waits for another one.
    manner: Arc<Mutex<(Manner, Vec<Waker>)>>,
    /// How each exchange begins: with another number.
    last: Arc<AtomicU8>,
}

struct Doubling {
    application: Application,
    first: u8,
}

impl Application {
    fn new(manner: Manner) -> Self {
        Self {
            manner: Arc::new(Mutex::new((manner, Vec::new()))),
            last: Arc::default(),
        }
    }

    fn becomes(&self, manner: Manner) {
        let mut now = self.manner.lock().unwrap();
        now.0 = manner;
        now.1.drain(..).for_each(Waker::wake);
    }

    fn manner(&self) -> Manner {
        self.manner.lock().unwrap().0
    }

    /// The manner in which it answers, as soon as it knows the answer.
    async fn answers(&self) -> Manner {
        poll_fn(|cx| match &mut *self.manner.lock().unwrap() {
            (Manner::Mute, waiting) => {
                waiting.push(cx.waker().clone());
                Poll::Pending
            }
            (manner, _) => Poll::Ready(*manner),
        })
        .await
    }

    fn exchanges(&self) -> u8 {
        self.last.load(Ordering::Relaxed)
    }

    fn options(&self, address: SocketAddr) -> ClientOptions {
        self.by(METHOD, options(address, Version::V5, "prover"))
    }

    fn by(&self, method: &'static str, options: ClientOptions) -> ClientOptions {
        let application = self.clone();
        let begin = move || Doubling {
            first: application.last.fetch_add(1, Ordering::Relaxed) + 1,
            application: application.clone(),
        };
        options.authentication(method, begin).unwrap()
    }
}

impl Authenticator for Doubling {
    fn first(&mut self) -> Answering {
        if self.application.manner() == Manner::MuteFromTheFirst {
            return Box::pin(pending());
        }
        Box::pin(ready(Ok(Some(Bytes::copy_from_slice(&[self.first])))))
    }

    fn answer(&mut self, data: Option<Bytes>) -> Answering {
        let application = self.application.clone();
        Box::pin(async move {
            let asked = data.as_deref().and_then(|data| data.first().copied()).unwrap_or(0);
            let said = match application.answers().await {
                Manner::Right => asked.wrapping_mul(2),
                Manner::Wrong => asked,
                Manner::Refuses => return Err(Unanswered::never("the secret is lost")),
                Manner::Mute | Manner::MuteFromTheFirst => pending().await,
            };
            Ok(Some(Bytes::copy_from_slice(&[said])))
        })
    }

    fn accepted(&mut self, data: Option<Bytes>) -> Result<(), Unanswered> {
        match data.as_deref() == Some(&[self.first]) {
            true => Ok(()),
            false => Err(Unanswered::never("the server does not know how this began")),
        }
    }
}

/// AUTH with a question, and CONNACK with a refusal.
const HASTY: &[u8] = b"\xF0\x11\x18\x0F\x15\x00\x08DOUBLING\x16\x00\x01\x05\x20\x03\x00\x87\x00";

async fn again<A: Adapter>(client: &Client) -> Result<(), ReauthenticateError> {
    soon::<A, _>("the authentication", client.reauthenticate()).await
}

/// Each connection begins with an exchange of its own, and then messages go.
pub async fn each_connection_begins_with_an_authentication<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    let application = Application::new(Manner::Right);
    let client = connected::<A>(application.options(address)).await;
    let mut stream = client.subscribe("t", QoS::ExactlyOnce).await.unwrap();
    for connection in 1..4 {
        assert_eq!((hub.proofs(), application.exchanges()), (connection, connection as u8));
        let number = connection as u32;
        client.publish(message("t", number, QoS::ExactlyOnce)).await.unwrap();
        assert_eq!(numbers::<A>(&mut stream, 1).await, [number]);
        hub.cut();
        until::<A>("another connection", || client.statistics().connections > connection).await;
    }

    // MQTT 3 has no such thing: it is said once.
    let client = A::start(application.options(address).version(Version::V3_1_1));
    let failure = ended::<A>(&client).await;
    assert!(
        matches!(failure.cause, Cause::Closed(Closed::NotEncodable(_))),
        "{failure}"
    );
    assert!(
        failure.to_string().contains("what this version of MQTT does not have"),
        "{failure}"
    );
}

/// On an open connection messages go on meanwhile; what fails ends the connection, and says so to the one who asked.
pub async fn an_open_connection_is_authenticated_again<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    let application = Application::new(Manner::Right);
    let client = connected::<A>(application.options(address)).await;
    for proofs in 2..5 {
        again::<A>(&client).await.unwrap();
        assert_eq!(hub.proofs(), proofs);
    }
    // While the application does not know its answer, messages go, and a second exchange cannot begin.
    for number in 1..3 {
        application.becomes(Manner::Mute);
        let meanwhile = async {
            let published = client.publish(message("t", number, QoS::ExactlyOnce)).await;
            assert!(matches!(published, Ok(Published::Acknowledged(_))), "{published:?}");
            let second = client.clone().reauthenticate().await;
            assert!(matches!(second, Err(ReauthenticateError::UnderWay)), "{second:?}");
            application.becomes(Manner::Right);
        };
        let (first, ()) = soon::<A, _>("the answer", join(client.reauthenticate(), meanwhile)).await;
        assert!(first.is_ok(), "{first:?}");
    }
    assert_eq!(hub.proofs(), 6);

    application.becomes(Manner::Mute);
    let aborts = async {
        let published = client.publish(message("t", 3, QoS::ExactlyOnce)).await;
        assert!(matches!(published, Ok(Published::Acknowledged(_))), "{published:?}");
        client.abort();
    };
    let (failed, ()) = soon::<A, _>("the end", join(client.reauthenticate(), aborts)).await;
    assert!(
        matches!(&failed, Err(ReauthenticateError::Failed(failure)) if matches!(failure.cause, Cause::Disconnected)),
        "{failed:?}"
    );
    let late = again::<A>(&client).await;
    assert!(matches!(late, Err(ReauthenticateError::Failed(_))), "{late:?}");

    let client = connected::<A>(options(address, Version::V5, "plain")).await;
    let without = again::<A>(&client).await;
    assert!(matches!(without, Err(ReauthenticateError::NoMethod)), "{without:?}");
}

/// Whoever gives the wrong answer, none, or uses another method is told so, and does not ask again.
pub async fn failed_authentications_are_told_and_not_tried_again<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    let application = Application::new(Manner::Wrong);
    let refused = |failure: &Failure| match &failure.cause {
        Cause::Closed(Closed::Refused { reason, .. }) => Some(*reason),
        _ => None,
    };
    let failure = ended::<A>(&A::start(application.options(address))).await;
    assert_eq!(refused(&failure), Some(ConnAckReason::NotAuthorized), "{failure}");

    let other = application.by("OTHER", options(address, Version::V5, "prover"));
    let failure = ended::<A>(&A::start(other)).await;
    assert_eq!(
        refused(&failure),
        Some(ConnAckReason::BadAuthenticationMethod),
        "{failure}"
    );
    assert!(
        failure.to_string().contains("set another authentication method"),
        "{failure}"
    );

    application.becomes(Manner::Refuses);
    let failure = ended::<A>(&A::start(application.options(address))).await;
    assert!(
        matches!(failure.cause, Cause::Authentication(AuthenticationError::Unanswered(_))),
        "{failure}"
    );
    assert!(failure.to_string().contains("the secret is lost"), "{failure}");

    // One that asks, and refuses before it has heard the answer.
    let (stranger, count) = super::failing::stranger(HASTY);
    let failure = ended::<A>(&A::start(Application::new(Manner::Right).options(stranger))).await;
    assert_eq!(refused(&failure), Some(ConnAckReason::NotAuthorized), "{failure}");
    assert_eq!(count.load(Ordering::Relaxed), 1);

    // A method in the configuration, and nobody who answers.
    let method = Text::from_bytes(Bytes::from_static(METHOD.as_bytes())).unwrap();
    let nobody = options(address, Version::V5, "prover")
        .configure(|config| config.authentication(Some(Authentication { method, data: None })));
    let failure = ended::<A>(&A::start(nobody)).await;
    assert!(
        matches!(
            failure.cause,
            Cause::Authentication(AuthenticationError::NoAuthenticator)
        ),
        "{failure}"
    );

    // What is wrong on an open connection ends it.
    application.becomes(Manner::Right);
    let connects = hub.connects();
    for manner in [Manner::Wrong, Manner::Refuses] {
        application.becomes(Manner::Right);
        let client = connected::<A>(application.options(address)).await;
        application.becomes(manner);
        let failed = again::<A>(&client).await;
        let Err(ReauthenticateError::Failed(failure)) = failed else {
            panic!("{failed:?}");
        };
        match &failure.cause {
            Cause::Closed(Closed::Disconnected { reason, .. }) if manner == Manner::Wrong => {
                assert_eq!(*reason, DisconnectReason::NotAuthorized);
            }
            Cause::Authentication(AuthenticationError::Unanswered(_)) if manner == Manner::Refuses => {}
            other => panic!("{other:?}"),
        }
        ended::<A>(&client).await;
    }
    A::sleep(Duration::from_millis(100)).await;
    assert_eq!(hub.connects() - connects, 2);
}

/// A server that accepts, but does not prove who it is, is sent nothing.
pub async fn nothing_is_sent_to_a_server_that_proves_nothing<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    let reader = connected::<A>(options(address, Version::V5, "reader")).await;
    let mut stream = reader.subscribe("#", QoS::AtLeastOnce).await.unwrap();
    hub.conduct(Conduct::Impostor);
    let client = A::start(Application::new(Manner::Right).options(address));
    for qos in super::EVERY_QOS {
        drop(client.try_publish(message("secret", 1, qos)));
    }
    let failure = ended::<A>(&client).await;
    assert!(
        failure.to_string().contains("the server does not know how this began"),
        "{failure}"
    );
    reader.publish(message("t", 2, QoS::AtLeastOnce)).await.unwrap();
    assert_eq!(numbers::<A>(&mut stream, 1).await, [2]);
    assert_eq!((hub.proofs(), client.statistics().connections), (1, 0));
}

/// Neither an application nor a server that says nothing keeps a client for ever; both may do better later.
pub async fn an_authentication_has_its_deadlines<A: Adapter>() {
    let soon_over = Duration::from_millis(80);
    let (hub, address) = server::<A>().await;
    for manner in [Manner::Mute, Manner::MuteFromTheFirst] {
        let application = Application::new(manner);
        let client = A::start(application.options(address).authentication_timeout(soon_over));
        let failure = soon::<A, _>("the failure", client.established()).await.unwrap_err();
        assert!(
            matches!(
                failure.cause,
                Cause::Authentication(AuthenticationError::AnswerTimedOut)
            ),
            "{failure}"
        );
        application.becomes(Manner::Right);
        until::<A>("a connection", || client.is_connected()).await;
        // The application cannot begin: the connection goes on.
        application.becomes(Manner::MuteFromTheFirst);
        let connections = client.statistics().connections;
        let failed = again::<A>(&client).await;
        assert!(
            matches!(
                failed,
                Err(ReauthenticateError::NotBegun(AuthenticationError::AnswerTimedOut))
            ),
            "{failed:?}"
        );
        client.publish(message("t", 1, QoS::AtLeastOnce)).await.unwrap();
        assert_eq!(client.statistics().connections, connections);
        // The server does not go on: there is another connection.
        application.becomes(Manner::Right);
        hub.conduct(Conduct::Silent);
        let failed = again::<A>(&client).await;
        assert!(
            matches!(&failed, Err(ReauthenticateError::Failed(failure))
                if matches!(failure.cause, Cause::Authentication(AuthenticationError::ServerTimedOut))),
            "{failed:?}"
        );
        hub.conduct(Conduct::Fair);
        until::<A>("another connection", || client.is_connected()).await;
        // The next client has the same name.
        leaves::<A>(&hub, client).await;
    }
    hub.conduct(Conduct::Silent);
    let limits = Limits::default().handshake_timeout(soon_over);
    let client = A::start(Application::new(Manner::Right).options(address).limits(limits));
    let failure = soon::<A, _>("the failure", client.established()).await.unwrap_err();
    assert!(
        matches!(failure.cause, Cause::Closed(Closed::TimedOut(Timer::Handshake))),
        "{failure}"
    );
}
