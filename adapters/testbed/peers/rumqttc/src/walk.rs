//! The walk, in the types of one version: they have the same names in two modules.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::timeout;

use super::{
    AsyncClient, ConnAck, Event, EventLoop, MqttOptions, Packet, Publish, QoS, lasting, options, properties, will,
};
use crate::{Error, MEBIBYTE, Place};

const SOON: Duration = Duration::from_secs(20);
const EVERY_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

pub struct Walker {
    pub client: AsyncClient,
    pub connack: ConnAck,
    events: EventLoop,
    messages: VecDeque<Publish>,
}

impl Walker {
    pub async fn connect(options: MqttOptions) -> Result<Self, Error> {
        let (client, mut events) = AsyncClient::new(options, 200);
        let connack = loop {
            if let Event::Incoming(Packet::ConnAck(connack)) = timeout(SOON, events.poll()).await?? {
                break connack;
            }
        };
        Ok(Self {
            client,
            connack,
            events,
            messages: VecDeque::new(),
        })
    }

    /// Goes on until so many of these packets have come.
    async fn until(&mut self, mut count: usize, mut is_one: impl FnMut(&Packet) -> bool) -> Result<(), Error> {
        while count > 0 {
            if let Event::Incoming(packet) = timeout(SOON, self.events.poll()).await?? {
                count -= usize::from(is_one(&packet));
                if let Packet::Publish(message) = packet {
                    self.messages.push_back(message);
                }
            }
        }
        Ok(())
    }

    pub async fn next(&mut self) -> Result<Publish, Error> {
        while self.messages.is_empty() {
            self.until(1, |packet| matches!(packet, Packet::Publish(_))).await?;
        }
        Ok(self.messages.pop_front().ok_or("there is one")?)
    }

    /// The numbers that come before the word that it is over.
    async fn until_over(&mut self) -> Result<Vec<u8>, Error> {
        let mut numbers = Vec::new();
        loop {
            let message = self.next().await?;
            match message.payload.first() {
                Some(number) => numbers.push(*number),
                None => return Ok(numbers),
            }
        }
    }

    pub async fn subscribe(&mut self, filter: &str, qos: QoS) -> Result<(), Error> {
        self.client.subscribe(filter, qos).await?;
        self.until(1, |packet| matches!(packet, Packet::SubAck(_))).await
    }

    pub async fn unsubscribe(&mut self, filter: &str) -> Result<(), Error> {
        self.client.unsubscribe(filter).await?;
        self.until(1, |packet| matches!(packet, Packet::UnsubAck(_))).await
    }

    async fn publish(&mut self, topic: &str, payload: Vec<u8>, qos: QoS, retain: bool) -> Result<(), Error> {
        self.client.publish(topic, qos, retain, payload).await?;
        match qos {
            QoS::AtMostOnce => Ok(()),
            QoS::AtLeastOnce => self.until(1, |packet| matches!(packet, Packet::PubAck(_))).await,
            QoS::ExactlyOnce => self.until(1, |packet| matches!(packet, Packet::PubComp(_))).await,
        }
    }

    pub async fn disconnect(mut self) -> Result<(), Error> {
        self.client.disconnect().await?;
        loop {
            // It ends as a broken connection, since the server closes.
            if timeout(SOON, self.events.poll()).await?.is_err() {
                return Ok(());
            }
        }
    }
}

async fn every_qos(walker: &mut Walker) -> Result<(), Error> {
    for qos in EVERY_QOS {
        walker.subscribe("walk/+", qos).await?;
        for number in 0..50 {
            walker
                .client
                .publish("walk/one", qos, false, number.to_string())
                .await?;
        }
        for number in 0..50 {
            let message = walker.next().await?;
            assert_eq!(
                (&message.payload[..], message.qos),
                (number.to_string().as_bytes(), qos)
            );
        }
        walker.unsubscribe("walk/+").await?;
    }
    Ok(())
}

async fn large(walker: &mut Walker) -> Result<(), Error> {
    for payload in [(0..MEBIBYTE).map(|place| (place % 251) as u8).collect(), Vec::new()] {
        for qos in EVERY_QOS {
            walker.subscribe("large", qos).await?;
            walker.client.publish("large", qos, false, payload.clone()).await?;
            assert!(walker.next().await?.payload == payload);
            walker.unsubscribe("large").await?;
        }
    }
    Ok(())
}

async fn retained(walker: &mut Walker) -> Result<(), Error> {
    for (qos, number) in EVERY_QOS.into_iter().zip(0_u8..) {
        walker.publish("kept", vec![number], qos, true).await?;
        walker.subscribe("kept", qos).await?;
        let message = walker.next().await?;
        assert_eq!((&message.payload[..], message.retain), (&[number][..], true));
        walker.unsubscribe("kept").await?;
    }
    walker.publish("kept", Vec::new(), QoS::AtLeastOnce, true).await?;
    walker.subscribe("kept", QoS::AtLeastOnce).await?;
    walker.publish("kept", vec![3], QoS::AtLeastOnce, false).await?;
    let message = walker.next().await?;
    assert_eq!((&message.payload[..], message.retain), (&[3][..], false));
    walker.unsubscribe("kept").await
}

async fn wills(walker: &mut Walker, place: &Place) -> Result<(), Error> {
    walker.subscribe("gone", QoS::ExactlyOnce).await?;
    for qos in EVERY_QOS {
        let mut polite = options("polite", place);
        polite.set_last_will(will("gone", "must not be told", qos));
        Walker::connect(polite).await?.disconnect().await?;
        let mut mortal = options("mortal", place);
        mortal.set_last_will(will("gone", "bye", qos));
        // It is dropped, and its socket with it.
        drop(Walker::connect(mortal).await?);
        let message = walker.next().await?;
        assert_eq!((&message.payload[..], message.qos), (&b"bye"[..], qos));
    }
    walker.unsubscribe("gone").await
}

async fn resumed(walker: &mut Walker, place: &Place) -> Result<(), Error> {
    let mut sleeper = Walker::connect(lasting("sleeper", place)).await?;
    assert!(!sleeper.connack.session_present);
    sleeper.subscribe("asleep", QoS::ExactlyOnce).await?;
    sleeper.disconnect().await?;
    for (number, qos) in (0..40_u8).zip(EVERY_QOS[1..].iter().cycle()) {
        walker.publish("asleep", vec![number], *qos, false).await?;
    }
    let mut sleeper = Walker::connect(lasting("sleeper", place)).await?;
    assert!(sleeper.connack.session_present);
    // Messages of QoS 2 are told when they are released, so those of QoS 1 may pass them.
    let mut got = [Vec::new(), Vec::new()];
    for _ in 0..40 {
        let message = sleeper.next().await?;
        got[usize::from(message.qos == QoS::ExactlyOnce)].extend_from_slice(&message.payload);
    }
    let expected = [0, 1].map(|first| (first..40).step_by(2).collect::<Vec<u8>>());
    assert_eq!(got, expected);
    sleeper.disconnect().await
}

async fn shared(walker: &mut Walker, place: &Place) -> Result<(), Error> {
    let mut first = Walker::connect(options("first", place)).await?;
    let mut second = Walker::connect(options("second", place)).await?;
    for qos in EVERY_QOS {
        for member in [&mut first, &mut second] {
            member.subscribe("$share/group/work/+", qos).await?;
            member.subscribe("over", qos).await?;
        }
        for number in 0..40 {
            walker.publish("work/one", vec![number], qos, false).await?;
        }
        walker.publish("over", Vec::new(), qos, false).await?;
        // Nothing is sent while nobody asks for events.
        walker.unsubscribe("settled").await?;
        let shares = [first.until_over().await?, second.until_over().await?];
        let mut all = shares.concat();
        all.sort_unstable();
        assert!(
            shares.iter().all(|share| !share.is_empty()) && all.into_iter().eq(0..40),
            "{shares:?}"
        );
        for member in [&mut first, &mut second] {
            member.unsubscribe("$share/group/work/+").await?;
        }
    }
    first.disconnect().await?;
    second.disconnect().await
}

pub async fn everything(place: &Place) -> Result<(), Error> {
    let mut walker = Walker::connect(options("walker", place)).await?;
    every_qos(&mut walker).await?;
    large(&mut walker).await?;
    retained(&mut walker).await?;
    wills(&mut walker, place).await?;
    resumed(&mut walker, place).await?;
    if place.has_shared {
        shared(&mut walker, place).await?;
    }
    properties(&mut walker, place).await?;
    assert!(walker.messages.is_empty());
    walker.disconnect().await
}
