//! The walk, in the types of one version: they have the same names in two modules.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::timeout;

use super::{AsyncClient, Event, EventLoop, MqttOptions, Packet, Publish, QoS, lasting, options, will};
use crate::{Error, MEBIBYTE};

const SOON: Duration = Duration::from_secs(20);
const EVERY_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

struct Walker {
    client: AsyncClient,
    events: EventLoop,
    messages: VecDeque<Publish>,
}

impl Walker {
    fn new(options: MqttOptions) -> Self {
        let (client, events) = AsyncClient::new(options, 200);
        let messages = VecDeque::new();
        Self {
            client,
            events,
            messages,
        }
    }

    async fn connect(name: &str, port: u16) -> Result<Self, Error> {
        Self::connect_with(options(name, port)).await.map(|(walker, _)| walker)
    }

    async fn connect_with(options: MqttOptions) -> Result<(Self, bool), Error> {
        let mut walker = Self::new(options);
        let mut session_present = false;
        walker
            .until(1, |packet| match packet {
                Packet::ConnAck(connack) => {
                    session_present = connack.session_present;
                    true
                }
                _ => false,
            })
            .await?;
        Ok((walker, session_present))
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

    async fn next(&mut self) -> Result<Publish, Error> {
        while self.messages.is_empty() {
            self.until(1, |packet| matches!(packet, Packet::Publish(_))).await?;
        }
        Ok(self.messages.pop_front().ok_or("there is one")?)
    }

    async fn subscribe(&mut self, filter: &str, qos: QoS) -> Result<(), Error> {
        self.client.subscribe(filter, qos).await?;
        self.until(1, |packet| matches!(packet, Packet::SubAck(_))).await
    }

    async fn unsubscribe(&mut self, filter: &str) -> Result<(), Error> {
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

    async fn disconnect(mut self) -> Result<(), Error> {
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
    let payload: Vec<u8> = (0..MEBIBYTE).map(|place| (place % 251) as u8).collect();
    for qos in EVERY_QOS {
        walker.subscribe("large", qos).await?;
        walker.client.publish("large", qos, false, payload.clone()).await?;
        assert!(walker.next().await?.payload == payload);
        walker.unsubscribe("large").await?;
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
    walker.publish("kept", Vec::new(), QoS::AtLeastOnce, true).await
}

async fn wills(walker: &mut Walker, port: u16) -> Result<(), Error> {
    walker.subscribe("gone", QoS::ExactlyOnce).await?;
    for qos in EVERY_QOS {
        let mut mortal = options("mortal", port);
        mortal.set_last_will(will("gone", "bye", qos));
        // It is dropped, and its socket with it.
        drop(Walker::connect_with(mortal).await?);
        let message = walker.next().await?;
        assert_eq!((&message.payload[..], message.qos), (&b"bye"[..], qos));
    }
    walker.unsubscribe("gone").await
}

async fn resumed(walker: &mut Walker, port: u16) -> Result<(), Error> {
    let (mut sleeper, session_present) = Walker::connect_with(lasting("sleeper", port)).await?;
    assert!(!session_present);
    sleeper.subscribe("asleep", QoS::ExactlyOnce).await?;
    sleeper.disconnect().await?;
    for number in 0..20_u8 {
        walker.publish("asleep", vec![number], QoS::ExactlyOnce, false).await?;
    }
    let (mut sleeper, session_present) = Walker::connect_with(lasting("sleeper", port)).await?;
    assert!(session_present);
    for number in 0..20_u8 {
        assert_eq!(sleeper.next().await?.payload[..], [number]);
    }
    sleeper.disconnect().await
}

pub async fn everything(port: u16) -> Result<(), Error> {
    let mut walker = Walker::connect("walker", port).await?;
    every_qos(&mut walker).await?;
    large(&mut walker).await?;
    retained(&mut walker).await?;
    wills(&mut walker, port).await?;
    resumed(&mut walker, port).await?;
    assert!(walker.messages.is_empty());
    walker.disconnect().await
}
