"""What aiomqtt does with a server: aiomqtt_walk.py PORT VERSION"""

import asyncio
import sys

import aiomqtt

SOON = 20
PORT, VERSION = int(sys.argv[1]), sys.argv[2]
PROTOCOL = {"3.1.1": aiomqtt.ProtocolVersion.V311, "5.0": aiomqtt.ProtocolVersion.V5}[VERSION]


def client(name, **options):
    return aiomqtt.Client("127.0.0.1", PORT, identifier=name, protocol=PROTOCOL, timeout=SOON, **options)


async def taken(messages, count):
    return [await asyncio.wait_for(anext(messages), SOON) for _ in range(count)]


async def every_qos(walker):
    messages = aiter(walker.messages)
    for qos in range(3):
        await walker.subscribe("walk/+", qos=qos)
        # All at once: the window fills up.
        await asyncio.gather(*(walker.publish("walk/one", str(number), qos=qos) for number in range(50)))
        got = await taken(messages, 50)
        assert sorted(int(message.payload) for message in got) == list(range(50))
        assert {(message.qos, str(message.topic), message.retain) for message in got} == {(qos, "walk/one", False)}
        await walker.unsubscribe("walk/+")


async def large_and_retained(walker):
    messages = aiter(walker.messages)
    payload = bytes(place % 251 for place in range(1 << 20))
    for qos in range(3):
        await walker.publish("kept", payload, qos=qos, retain=True)
        await walker.subscribe("kept", qos=qos)
        [message] = await taken(messages, 1)
        assert (message.payload, message.retain) == (payload, True)
        await walker.unsubscribe("kept")
    await walker.publish("kept", b"", qos=1, retain=True)


async def two_clients(walker):
    await walker.subscribe("pong", qos=2)
    async with client("second") as second:
        await second.subscribe("ping", qos=2)
        for number in range(20):
            await walker.publish("ping", str(number), qos=2)
            [ping] = await taken(aiter(second.messages), 1)
            await second.publish("pong", ping.payload, qos=2)
            [pong] = await taken(aiter(walker.messages), 1)
            assert pong.payload == str(number).encode()
    await walker.unsubscribe("pong")


async def main():
    async with client("walker") as walker:
        for walk in [every_qos, large_and_retained, two_clients]:
            await walk(walker)
            print(walk.__name__, flush=True)
    print("done", flush=True)


asyncio.run(main())
