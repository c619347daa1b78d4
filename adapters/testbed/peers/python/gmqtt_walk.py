"""What gmqtt does with a server: gmqtt_walk.py PORT VERSION"""

import asyncio
import sys

import gmqtt
from gmqtt.mqtt.constants import MQTTv50, MQTTv311

SOON = 20
PORT, VERSION = int(sys.argv[1]), sys.argv[2]
V5 = VERSION == "5.0"


class Walker:
    """A client whose callbacks fill queues."""

    def __init__(self, name, clean=True, will=None):
        options = {"session_expiry_interval": 0 if clean else 600} if V5 else {}
        self.client = gmqtt.Client(name, clean_session=clean, will_message=will, **options)
        # Zero is one, and -1 is for ever.
        self.client.set_config({"reconnect_retries": -2})
        self.messages, self.subscribed, self.unsubscribed = asyncio.Queue(), asyncio.Queue(), asyncio.Queue()
        self.client.on_message = self.on_message
        self.client.on_subscribe = lambda _client, mid, qos, _properties: self.subscribed.put_nowait((mid, tuple(qos)))
        self.client.on_unsubscribe = lambda _client, mid, *_: self.unsubscribed.put_nowait(mid)

    async def on_message(self, _client, topic, payload, qos, properties):
        self.messages.put_nowait((topic, bytes(payload), qos, properties))
        return 0

    async def connect(self):
        version = MQTTv50 if V5 else MQTTv311
        await asyncio.wait_for(self.client.connect("127.0.0.1", PORT, keepalive=30, version=version), SOON)

    async def subscribe(self, topic, qos):
        mid = self.client.subscribe(topic, qos=qos)
        assert await asyncio.wait_for(self.subscribed.get(), SOON) == (mid, (qos,))

    async def unsubscribe(self, topic):
        mid = self.client.unsubscribe(topic)
        assert await asyncio.wait_for(self.unsubscribed.get(), SOON) == mid

    async def next(self):
        return await asyncio.wait_for(self.messages.get(), SOON)

    async def settled(self):
        """Until the server has answered whatever was sent: SUBACK stands behind it."""
        await self.subscribe("settled", 0)
        await self.unsubscribe("settled")


async def every_qos(walker):
    for qos in range(3):
        await walker.subscribe("walk/+", qos)
        for number in range(50):
            walker.client.publish("walk/one", str(number), qos=qos)
        got = [await walker.next() for _ in range(50)]
        assert [int(payload) for _, payload, _, _ in got] == list(range(50))
        assert {(topic, level) for topic, _, level, _ in got} == {("walk/one", qos)}
        await walker.unsubscribe("walk/+")


async def large_and_retained(walker):
    payload = bytes(place % 251 for place in range(1 << 20))
    for qos in range(3):
        walker.client.publish("kept", payload, qos=qos, retain=True)
        await walker.settled()
        await walker.subscribe("kept", qos)
        _, got, _, properties = await walker.next()
        assert (got, properties["retain"]) == (payload, 1)
        await walker.unsubscribe("kept")
    walker.client.publish("kept", b"", qos=1, retain=True)
    await walker.settled()


async def will(walker):
    await walker.subscribe("gone", 2)
    for qos in range(3):
        mortal = Walker("mortal", will=gmqtt.Message("gone", f"bye {qos}", qos=qos))
        await mortal.connect()
        # The socket is closed without a DISCONNECT.
        mortal.client._connection._transport.abort()
        _, payload, level, _ = await walker.next()
        assert (payload, level) == (f"bye {qos}".encode(), qos)
    await walker.unsubscribe("gone")


async def resumed(walker):
    sleeper = Walker("sleeper", clean=False)
    await sleeper.connect()
    await sleeper.subscribe("asleep", 2)
    await sleeper.client.disconnect()
    for number in range(20):
        walker.client.publish("asleep", str(number), qos=1)
    await walker.settled()
    sleeper = Walker("sleeper", clean=False)
    await sleeper.connect()
    assert [int((await sleeper.next())[1]) for _ in range(20)] == list(range(20))
    await sleeper.client.disconnect()


async def properties(walker):
    await walker.subscribe("asked", 1)
    walker.client.publish(
        "asked", "what?", qos=1, content_type="text/plain", response_topic="answers/walk",
        correlation_data=b"\x00\x01", user_property=[("name", "one"), ("name", "two")],
    )
    _, _, _, got = await walker.next()
    assert got["content_type"] == ["text/plain"] and got["response_topic"] == ["answers/walk"], got
    assert got["correlation_data"] == [b"\x00\x01"], got
    assert got["user_property"] == [("name", "one"), ("name", "two")], got
    await walker.unsubscribe("asked")


async def main():
    walker = Walker("walker")
    await walker.connect()
    for walk in [every_qos, large_and_retained, will, resumed] + ([properties] if V5 else []):
        await walk(walker)
        print(walk.__name__, flush=True)
    assert walker.messages.empty()
    await walker.client.disconnect()
    print("done", flush=True)


asyncio.run(main())
