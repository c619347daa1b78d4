"""What aiomqtt does with a server: aiomqtt_walk.py PORT VERSION [shared] [ws] [ca=FILE]"""

import asyncio
import os
import socket
import sys

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

SOON = 20
PORT, VERSION = int(sys.argv[1]), sys.argv[2]
PROTOCOL = {
    "3.1": aiomqtt.ProtocolVersion.V31, "3.1.1": aiomqtt.ProtocolVersion.V311, "5.0": aiomqtt.ProtocolVersion.V5,
}[VERSION]
V5 = VERSION == "5.0"
SHARED = "shared" in sys.argv
TRANSPORT = "websockets" if "ws" in sys.argv else "tcp"
CA = next((word[3:] for word in sys.argv if word.startswith("ca=")), None)


class Walker(aiomqtt.Client):
    """A client whose session ends with it, or lasts."""

    def __init__(self, name, lasting=False, **options):
        if V5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 600 if lasting else 0
            options |= {"clean_start": not lasting, "properties": properties}
        else:
            options["clean_session"] = not lasting
        if CA:
            options["tls_params"] = aiomqtt.TLSParameters(ca_certs=CA)
        options |= {"protocol": PROTOCOL, "transport": TRANSPORT, "websocket_path": "/mqtt", "timeout": SOON}
        super().__init__("127.0.0.1", PORT, identifier=name, **options)

    async def next(self):
        return await asyncio.wait_for(anext(self.messages), SOON)

    async def until_over(self):
        """The numbers that come before the word that it is over."""
        numbers = []
        while (message := await self.next()).topic.value != "over":
            numbers.append(int(message.payload))
        return numbers

    def vanish(self):
        """The socket is shut without a DISCONNECT."""
        with socket.socket(fileno=os.dup(self._client.socket().fileno())) as connection:
            connection.shutdown(socket.SHUT_RDWR)


async def every_qos(walker):
    for qos in range(3):
        await walker.subscribe("walk/+", qos=qos)
        # All at once: the window fills up.
        await asyncio.gather(*(walker.publish("walk/one", str(number), qos=qos) for number in range(50)))
        got = [await walker.next() for _ in range(50)]
        assert sorted(int(message.payload) for message in got) == list(range(50))
        assert {(message.qos, str(message.topic), message.retain) for message in got} == {(qos, "walk/one", False)}
        await walker.unsubscribe("walk/+")


async def large(walker):
    for payload in (bytes(place % 251 for place in range(1 << 20)), b""):
        for qos in range(3):
            await walker.subscribe("large", qos=qos)
            await walker.publish("large", payload, qos=qos)
            assert (await walker.next()).payload == payload
            await walker.unsubscribe("large")


async def retained(walker):
    for qos in range(3):
        await walker.publish("kept", str(qos), qos=qos, retain=True)
        await walker.subscribe("kept", qos=qos)
        message = await walker.next()
        assert (message.payload, message.retain) == (str(qos).encode(), True)
        await walker.unsubscribe("kept")
    await walker.publish("kept", b"", qos=1, retain=True)
    await walker.subscribe("kept", qos=1)
    await walker.publish("kept", "fresh", qos=1)
    message = await walker.next()
    assert (message.payload, message.retain) == (b"fresh", False)
    await walker.unsubscribe("kept")


async def will(walker):
    await walker.subscribe("gone", qos=2)
    for qos in range(3):
        async with Walker("polite", will=aiomqtt.Will("gone", "must not be told", qos)):
            pass
        async with Walker("mortal", will=aiomqtt.Will("gone", f"bye {qos}", qos)) as mortal:
            mortal.vanish()
            message = await walker.next()
        assert (message.payload, message.qos) == (f"bye {qos}".encode(), qos), message.payload
    await walker.unsubscribe("gone")


async def resumed(walker):
    async with Walker("sleeper", lasting=True) as sleeper:
        await sleeper.subscribe("asleep", qos=2)
    for number in range(40):
        await walker.publish("asleep", str(number), qos=1 + number % 2)
    async with Walker("sleeper", lasting=True) as sleeper:
        messages = [await sleeper.next() for _ in range(40)]
    # Messages of QoS 2 are told when they are released, so those of QoS 1 may pass them.
    for qos in (1, 2):
        got = [int(message.payload) for message in messages if message.qos == qos]
        assert got == list(range(qos - 1, 40, 2)), got


async def two_clients(walker):
    await walker.subscribe("pong", qos=2)
    async with Walker("second") as second:
        await second.subscribe("ping", qos=2)
        for number in range(20):
            await walker.publish("ping", str(number), qos=2)
            ping = await second.next()
            await second.publish("pong", ping.payload, qos=2)
            assert (await walker.next()).payload == str(number).encode()
    await walker.unsubscribe("pong")


async def shared(walker):
    async with Walker("first") as first, Walker("second") as second:
        for qos in range(3):
            for member in (first, second):
                await member.subscribe("$share/group/work/+", qos=qos)
                await member.subscribe("over", qos=qos)
            for number in range(40):
                await walker.publish("work/one", str(number), qos=qos)
            await walker.publish("over", b"", qos=qos)
            shares = [await member.until_over() for member in (first, second)]
            assert all(shares) and sorted(sum(shares, [])) == list(range(40)), shares
            for member in (first, second):
                await member.unsubscribe("$share/group/work/+")


async def properties(walker):
    given = Properties(PacketTypes.PUBLISH)
    given.ContentType, given.ResponseTopic = "text/plain", "answers/walk"
    given.CorrelationData, given.PayloadFormatIndicator = b"\x00\x01", 1
    given.UserProperty = [("name", "one"), ("name", "two")]
    await walker.subscribe("asked", qos=2)
    await walker.publish("asked", "what?", qos=2, properties=given)
    got = (await walker.next()).properties
    assert (got.ContentType, got.ResponseTopic) == ("text/plain", "answers/walk")
    assert (got.CorrelationData, got.PayloadFormatIndicator) == (b"\x00\x01", 1)
    assert got.UserProperty == [("name", "one"), ("name", "two")]
    await walker.unsubscribe("asked")


async def main():
    walks = [every_qos, large, retained, will, resumed, two_clients] + [shared] * SHARED + [properties] * V5
    async with Walker("walker") as walker:
        for walk in walks:
            await walk(walker)
            print(walk.__name__, flush=True)
        assert len(walker.messages) == 0
    print("done", flush=True)


asyncio.run(main())
