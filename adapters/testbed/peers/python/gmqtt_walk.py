"""What gmqtt does with a server: gmqtt_walk.py PORT VERSION [shared] [ca=FILE]"""

import asyncio
import ssl
import sys

import gmqtt
from gmqtt.mqtt.constants import MQTTv50, MQTTv311

SOON = 20
PORT, VERSION = int(sys.argv[1]), sys.argv[2]
V5 = VERSION == "5.0"
SHARED = "shared" in sys.argv
CA = next((word[3:] for word in sys.argv if word.startswith("ca=")), None)
TLS = ssl.create_default_context(cafile=CA) if CA else False


class Walker:
    """A client whose callbacks fill queues."""

    def __init__(self, name, clean=True, will=None):
        options = {"session_expiry_interval": 0 if clean else 600} if V5 else {}
        self.client = gmqtt.Client(name, clean_session=clean, will_message=will, **options)
        # Zero is one, and -1 is for ever.
        self.client.set_config({"reconnect_retries": -2})
        self.messages, self.subscribed, self.unsubscribed = asyncio.Queue(), asyncio.Queue(), asyncio.Queue()
        self.client.on_connect = self.on_connect
        self.client.on_message = self.on_message
        self.client.on_subscribe = lambda _client, mid, qos, _properties: self.subscribed.put_nowait((mid, tuple(qos)))
        self.client.on_unsubscribe = lambda _client, mid, *_: self.unsubscribed.put_nowait(mid)

    def on_connect(self, _client, flags, *_):
        self.session_present = flags & 1 == 1

    async def on_message(self, _client, topic, payload, qos, properties):
        self.messages.put_nowait((topic, bytes(payload), qos, properties))
        return 0

    async def connect(self):
        version = MQTTv50 if V5 else MQTTv311
        await asyncio.wait_for(self.client.connect("127.0.0.1", PORT, ssl=TLS, keepalive=30, version=version), SOON)

    async def subscribe(self, topic, qos):
        mid = self.client.subscribe(topic, qos=qos)
        assert await asyncio.wait_for(self.subscribed.get(), SOON) == (mid, (qos,))

    async def unsubscribe(self, topic):
        mid = self.client.unsubscribe(topic)
        assert await asyncio.wait_for(self.unsubscribed.get(), SOON) == mid

    async def next(self):
        return await asyncio.wait_for(self.messages.get(), SOON)

    async def until_over(self):
        """The numbers that come before the word that it is over."""
        numbers = []
        while (message := await self.next())[0] != "over":
            numbers.append(int(message[1]))
        return numbers

    async def settled(self):
        """Until the server has answered whatever was sent: SUBACK stands behind it."""
        await self.subscribe("settled", 0)
        await self.unsubscribe("settled")

    async def leave(self):
        """In peace: what comes behind the end of TLS is an error to asyncio."""
        await self.settled()
        await self.client.disconnect()


async def every_qos(walker):
    for qos in range(3):
        await walker.subscribe("walk/+", qos)
        for number in range(50):
            walker.client.publish("walk/one", str(number), qos=qos)
        got = [await walker.next() for _ in range(50)]
        assert [int(payload) for _, payload, _, _ in got] == list(range(50))
        assert {(topic, level) for topic, _, level, _ in got} == {("walk/one", qos)}
        await walker.unsubscribe("walk/+")


async def large(walker):
    for payload in (bytes(place % 251 for place in range(1 << 20)), b""):
        for qos in range(3):
            await walker.subscribe("large", qos)
            walker.client.publish("large", payload, qos=qos)
            assert (await walker.next())[1] == payload
            await walker.unsubscribe("large")


async def retained(walker):
    for qos in range(3):
        walker.client.publish("kept", str(qos), qos=qos, retain=True)
        await walker.settled()
        await walker.subscribe("kept", qos)
        _, payload, _, properties = await walker.next()
        assert (payload, properties["retain"]) == (str(qos).encode(), 1)
        await walker.unsubscribe("kept")
    walker.client.publish("kept", b"", qos=1, retain=True)
    await walker.settled()
    await walker.subscribe("kept", 1)
    walker.client.publish("kept", "fresh", qos=1)
    _, payload, _, properties = await walker.next()
    assert (payload, properties["retain"]) == (b"fresh", 0)
    await walker.unsubscribe("kept")


async def will(walker):
    await walker.subscribe("gone", 2)
    for qos in range(3):
        polite = Walker("polite", will=gmqtt.Message("gone", "must not be told", qos=qos))
        await polite.connect()
        await polite.leave()
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
    assert not sleeper.session_present
    await sleeper.subscribe("asleep", 2)
    await sleeper.leave()
    for number in range(40):
        walker.client.publish("asleep", str(number), qos=1 + number % 2)
    await walker.settled()
    sleeper = Walker("sleeper", clean=False)
    await sleeper.connect()
    assert sleeper.session_present
    # Messages of QoS 2 are told when they are released, so those of QoS 1 may pass them.
    messages = [await sleeper.next() for _ in range(40)]
    for level in (1, 2):
        got = [int(payload) for _, payload, qos, _ in messages if qos == level]
        assert got == list(range(level - 1, 40, 2)), got
    await sleeper.leave()


async def shared(walker):
    members = [Walker("first"), Walker("second")]
    for member in members:
        await member.connect()
    for qos in range(3):
        for member in members:
            await member.subscribe("$share/group/work/+", qos)
            await member.subscribe("over", qos)
        for number in range(40):
            walker.client.publish("work/one", str(number), qos=qos)
        walker.client.publish("over", b"", qos=qos)
        shares = [await member.until_over() for member in members]
        assert all(shares) and sorted(sum(shares, [])) == list(range(40)), shares
        for member in members:
            await member.unsubscribe("$share/group/work/+")
    for member in members:
        await member.leave()


async def properties(walker):
    await walker.subscribe("asked", 1)
    walker.client.publish(
        "asked", "what?", qos=1, content_type="text/plain", response_topic="answers/walk",
        correlation_data=b"\x00\x01", payload_format_id=1, user_property=[("name", "one"), ("name", "two")],
    )
    _, _, _, got = await walker.next()
    assert got["content_type"] == ["text/plain"] and got["response_topic"] == ["answers/walk"], got
    assert got["correlation_data"] == [b"\x00\x01"], got
    assert got["user_property"] == [("name", "one"), ("name", "two")], got
    await walker.unsubscribe("asked")


async def main():
    walker = Walker("walker")
    await walker.connect()
    for walk in [every_qos, large, retained, will, resumed] + [shared] * SHARED + [properties] * V5:
        await walk(walker)
        print(walk.__name__, flush=True)
    assert walker.messages.empty()
    await walker.leave()
    print("done", flush=True)


asyncio.run(main())
