"""Everything that a client does, with paho-mqtt: paho_walk.py PORT VERSION [shared] [ws] [ca=FILE]"""

import queue
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

SOON = 20
PORT, VERSION = int(sys.argv[1]), sys.argv[2]
PROTOCOL = {"3.1": mqtt.MQTTv31, "3.1.1": mqtt.MQTTv311, "5.0": mqtt.MQTTv5}[VERSION]
V5 = VERSION == "5.0"
SHARED = "shared" in sys.argv
TRANSPORT = "websockets" if "ws" in sys.argv else "tcp"
CA = next((word[3:] for word in sys.argv if word.startswith("ca=")), None)


class Walker:
    """A client whose callbacks are queues."""

    def __init__(self, name, lasting=False, will=None):
        self.connected, self.subscribed = queue.Queue(), queue.Queue()
        self.unsubscribed, self.messages, self.left = queue.Queue(), queue.Queue(), queue.Queue()
        options = {"protocol": PROTOCOL, "transport": TRANSPORT} | ({} if V5 else {"clean_session": not lasting})
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, name, **options)
        self.client.on_connect = lambda _c, _u, flags, reason, props: self.connected.put((flags, reason, props))
        self.client.on_subscribe = lambda _c, _u, mid, reasons, _p: self.subscribed.put((mid, reasons))
        self.client.on_unsubscribe = lambda _c, _u, mid, _r, _p: self.unsubscribed.put(mid)
        self.client.on_message = lambda _c, _u, message: self.messages.put(message)
        self.client.on_disconnect = lambda _c, _u, _f, reason, _p: self.left.put(reason)
        self.lasting = lasting
        if CA:
            self.client.tls_set(CA)
        if will:
            self.client.will_set(*will)

    def connect(self, clean=True):
        options = {}
        if V5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 600 if self.lasting else 0
            options = {"clean_start": clean, "properties": properties}
        self.client.connect("127.0.0.1", PORT, keepalive=30, **options)
        self.client.loop_start()
        flags, reason, properties = self.connected.get(timeout=SOON)
        assert not reason.is_failure, reason
        return flags, properties

    def subscribe(self, topic, qos, expected=None):
        options = SubscribeOptions(qos=qos) if V5 else qos
        result, mid = self.client.subscribe(topic, options=options) if V5 else self.client.subscribe(topic, qos)
        assert result == mqtt.MQTT_ERR_SUCCESS
        answered, reasons = self.subscribed.get(timeout=SOON)
        assert (answered, [reason.value for reason in reasons]) == (mid, [qos if expected is None else expected])

    def unsubscribe(self, topic):
        _, mid = self.client.unsubscribe(topic)
        assert self.unsubscribed.get(timeout=SOON) == mid

    def publish(self, topic, payload, qos, **options):
        info = self.client.publish(topic, payload, qos, **options)
        info.wait_for_publish(SOON)
        assert info.is_published()

    def next(self):
        return self.messages.get(timeout=SOON)

    def until_over(self):
        """The numbers that come before the word that it is over."""
        numbers = []
        while (message := self.next()).topic != "over":
            numbers.append(int(message.payload))
        return numbers

    def disconnect(self):
        self.client.disconnect()
        self.client.loop_stop()
        reason = self.left.get(timeout=SOON)
        assert not reason.is_failure, reason

    def vanish(self):
        """The socket is closed without a DISCONNECT."""
        self.client.socket().close()
        self.client.loop_stop()


def every_qos(walker):
    for qos in range(3):
        walker.subscribe("walk/+", qos)
        for number in range(50):
            walker.client.publish("walk/one", str(number), qos)
        for number in range(50):
            message = walker.next()
            assert (message.payload, message.qos, message.retain) == (str(number).encode(), qos, False), message
        walker.unsubscribe("walk/+")
        walker.publish("walk/one", "nobody wants it", qos)
    # A message of QoS 2 to a subscription of QoS 1 and the other way round.
    for granted, sent in [(1, 2), (2, 1), (0, 2)]:
        walker.subscribe("walk/+", granted)
        walker.publish("walk/two", "lower", sent)
        assert walker.next().qos == min(granted, sent)
        walker.unsubscribe("walk/+")


def large(walker):
    for payload in (bytes(place % 251 for place in range(1 << 20)), b""):
        for qos in range(3):
            walker.subscribe("large", qos)
            walker.publish("large", payload, qos)
            assert walker.next().payload == payload
            walker.unsubscribe("large")


def retained(walker):
    for qos in range(3):
        walker.publish("kept", str(qos), qos, retain=True)
        walker.subscribe("kept", qos)
        message = walker.next()
        assert (message.payload, message.retain) == (str(qos).encode(), True)
        walker.unsubscribe("kept")
    walker.publish("kept", b"", 1, retain=True)
    walker.subscribe("kept", 1)
    walker.publish("kept", "fresh", 1)
    message = walker.next()
    assert (message.payload, message.retain) == (b"fresh", False)
    walker.unsubscribe("kept")


def will(walker):
    walker.subscribe("gone", 2)
    for qos in range(3):
        polite = Walker("polite", will=("gone", "must not be told", qos, False))
        polite.connect()
        polite.disconnect()
        mortal = Walker("mortal", will=("gone", f"bye {qos}", qos, False))
        mortal.connect()
        mortal.vanish()
        message = walker.next()
        assert (message.payload, message.qos) == (f"bye {qos}".encode(), qos), message.payload
    walker.unsubscribe("gone")


def resumed(walker):
    sleeper = Walker("sleeper", lasting=True)
    flags, _ = sleeper.connect()
    assert not flags.session_present
    sleeper.subscribe("asleep", 2)
    sleeper.disconnect()
    for number in range(40):
        walker.publish("asleep", str(number), 1 + number % 2)
    flags, _ = sleeper.connect(clean=False)
    # MQTT 3.1 cannot say that a session goes on.
    assert flags.session_present == (VERSION != "3.1")
    # Messages of QoS 2 are told when they are released, so those of QoS 1 may pass them.
    messages = [sleeper.next() for _ in range(40)]
    for qos in (1, 2):
        got = [int(message.payload) for message in messages if message.qos == qos]
        assert got == list(range(qos - 1, 40, 2)), got
    sleeper.disconnect()


def shared(walker):
    members = [Walker("first"), Walker("second")]
    for member in members:
        member.connect()
    for qos in range(3):
        for member in members:
            member.subscribe("$share/group/work/+", qos)
            member.subscribe("over", qos)
        for number in range(40):
            walker.publish("work/one", str(number), qos)
        walker.publish("over", b"", qos)
        shares = [member.until_over() for member in members]
        assert all(shares) and sorted(sum(shares, [])) == list(range(40)), shares
        for member in members:
            member.unsubscribe("$share/group/work/+")
    for member in members:
        member.disconnect()


def properties(walker):
    given = Properties(PacketTypes.PUBLISH)
    given.ContentType, given.ResponseTopic = "text/plain", "answers/walk"
    given.CorrelationData, given.PayloadFormatIndicator = b"\x00\x01", 1
    given.UserProperty = [("name", "one"), ("name", "two")]
    walker.subscribe("asked", 2)
    walker.publish("asked", "what?", 2, properties=given)
    got = walker.next().properties
    assert (got.ContentType, got.ResponseTopic) == ("text/plain", "answers/walk")
    assert (got.CorrelationData, got.PayloadFormatIndicator) == (b"\x00\x01", 1)
    assert got.UserProperty == [("name", "one"), ("name", "two")]
    walker.unsubscribe("asked")
    nameless = Walker("")
    _, granted = nameless.connect()
    assert granted.AssignedClientIdentifier
    nameless.disconnect()


def main():
    walker = Walker("walker")
    walker.connect()
    walks = [every_qos, large, retained, will, resumed] + [shared] * SHARED + [properties] * V5
    for walk in walks:
        walk(walker)
        print(walk.__name__, flush=True)
    assert walker.messages.empty()
    walker.disconnect()
    print("done", flush=True)


main()
