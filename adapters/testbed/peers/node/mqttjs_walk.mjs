// Everything that a client does, with mqtt.js: mqttjs_walk.mjs MODULES PORT VERSION [shared] [ws] [ca=FILE]
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [modules, port, version, ...words] = process.argv.slice(2)
const require = createRequire(pathToFileURL(modules + '/'))
const mqtt = require('mqtt')

const SOON = 20_000
const V5 = version === '5.0'
const PROTOCOL = {
  '3.1': { protocolVersion: 3, protocolId: 'MQIsdp' },
  '3.1.1': { protocolVersion: 4 },
  '5.0': { protocolVersion: 5 },
}[version]
const SHARED = words.includes('shared')
const CA = words.find((word) => word.startsWith('ca='))?.slice(3)
const PROTOCOLS = words.includes('ws') ? ['ws', 'wss'] : ['mqtt', 'mqtts']
const CARRIER = { path: '/mqtt', protocol: PROTOCOLS[CA ? 1 : 0], ...(CA ? { ca: readFileSync(CA) } : {}) }
const EVERY_QOS = [0, 1, 2]

class Walker {
  messages = []
  waiting = []

  constructor (client) {
    this.client = client
    client.on('connect', (connack) => { this.connack = connack })
    client.on('message', (topic, payload, packet) => {
      const message = { topic, payload, qos: packet.qos, retain: packet.retain, properties: packet.properties }
      const waits = this.waiting.shift()
      waits ? waits(message) : this.messages.push(message)
    })
  }

  static async connect (clientId, options = {}) {
    const walker = new Walker(mqtt.connect({
      host: '127.0.0.1', port: Number(port), clientId, reconnectPeriod: 0, ...PROTOCOL, ...CARRIER, ...options,
    }))
    await soon('connecting', new Promise((resolve, reject) => {
      walker.client.once('connect', resolve)
      walker.client.once('error', reject)
      walker.client.once('close', () => reject(new Error('closed')))
    }))
    return walker
  }

  next () {
    const waits = this.messages.length ? Promise.resolve(this.messages.shift())
      : new Promise((resolve) => this.waiting.push(resolve))
    return soon('a message', waits)
  }

  /** The numbers that come before the word that it is over. */
  async untilOver () {
    const numbers = []
    for (let message; (message = await this.next()).topic !== 'over';) {
      numbers.push(Number(message.payload.toString()))
    }
    return numbers
  }

  async subscribe (topic, qos) {
    const [granted] = await soon('subscribing', this.client.subscribeAsync(topic, { qos }))
    assert.equal(granted.qos, qos)
  }

  unsubscribe (topic) {
    return soon('unsubscribing', this.client.unsubscribeAsync(topic))
  }

  publish (topic, payload, options) {
    return soon('publishing', this.client.publishAsync(topic, payload, options))
  }
}

function soon (what, promise) {
  let timer
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} takes too long`)), SOON)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

async function everyQos (walker) {
  for (const qos of EVERY_QOS) {
    await walker.subscribe('walk/+', qos)
    const sent = Array.from({ length: 50 }, (_, number) => walker.publish('walk/one', String(number), { qos }))
    for (let number = 0; number < 50; number++) {
      const { payload, ...message } = await walker.next()
      assert.deepEqual([payload.toString(), message.qos, message.retain], [String(number), qos, false])
    }
    await Promise.all(sent)
    await walker.unsubscribe('walk/+')
  }
}

async function large (walker) {
  for (const payload of [Buffer.from(Array.from({ length: 1 << 20 }, (_, place) => place % 251)), Buffer.alloc(0)]) {
    for (const qos of EVERY_QOS) {
      await walker.subscribe('large', qos)
      await walker.publish('large', payload, { qos })
      assert.ok((await walker.next()).payload.equals(payload))
      await walker.unsubscribe('large')
    }
  }
}

async function retained (walker) {
  for (const qos of EVERY_QOS) {
    await walker.publish('kept', String(qos), { qos, retain: true })
    await walker.subscribe('kept', qos)
    const message = await walker.next()
    assert.deepEqual([message.payload.toString(), message.retain], [String(qos), true])
    await walker.unsubscribe('kept')
  }
  await walker.publish('kept', '', { qos: 1, retain: true })
  await walker.subscribe('kept', 1)
  await walker.publish('kept', 'fresh', { qos: 1 })
  const message = await walker.next()
  assert.deepEqual([message.payload.toString(), message.retain], ['fresh', false])
  await walker.unsubscribe('kept')
}

async function wills (walker) {
  await walker.subscribe('gone', 2)
  for (const qos of EVERY_QOS) {
    const will = (payload) => ({ will: { topic: 'gone', payload, qos, retain: false } })
    const polite = await Walker.connect('polite', will('must not be told'))
    await polite.client.endAsync()
    const mortal = await Walker.connect('mortal', will(`bye ${qos}`))
    mortal.client.stream.destroy()
    const message = await walker.next()
    assert.deepEqual([message.payload.toString(), message.qos], [`bye ${qos}`, qos])
  }
  await walker.unsubscribe('gone')
}

async function resumed (walker) {
  const lasting = V5 ? { properties: { sessionExpiryInterval: 600 } } : {}
  const first = await Walker.connect('sleeper', { clean: V5, ...lasting })
  assert.equal(first.connack.sessionPresent, false)
  await first.subscribe('asleep', 2)
  await first.client.endAsync()
  for (let number = 0; number < 40; number++) {
    await walker.publish('asleep', String(number), { qos: 1 + number % 2 })
  }
  const options = { clean: false, ...lasting }
  const second = await Walker.connect('sleeper', options)
  assert.equal(second.connack.sessionPresent, version !== '3.1')
  // Messages of QoS 2 are told when they are released, so those of QoS 1 may pass them.
  const got = { 1: [], 2: [] }
  for (let number = 0; number < 40; number++) {
    const message = await second.next()
    got[message.qos].push(Number(message.payload.toString()))
  }
  for (const qos of [1, 2]) {
    assert.deepEqual(got[qos], Array.from({ length: 20 }, (_, index) => 2 * index + qos - 1))
  }
  await second.client.endAsync()
}

async function shared (walker) {
  const members = [await Walker.connect('first'), await Walker.connect('second')]
  for (const qos of EVERY_QOS) {
    for (const member of members) {
      await member.subscribe('$share/group/work/+', qos)
      await member.subscribe('over', qos)
    }
    for (let number = 0; number < 40; number++) {
      await walker.publish('work/one', String(number), { qos })
    }
    await walker.publish('over', '', { qos })
    const shares = [await members[0].untilOver(), await members[1].untilOver()]
    assert.ok(shares.every((share) => share.length > 0), JSON.stringify(shares))
    assert.deepEqual(shares.flat().sort((one, other) => one - other), Array.from({ length: 40 }, (_, index) => index))
    for (const member of members) {
      await member.unsubscribe('$share/group/work/+')
    }
  }
  await Promise.all(members.map((member) => member.client.endAsync()))
}

async function properties (walker) {
  const given = {
    contentType: 'text/plain', responseTopic: 'answers/walk', correlationData: Buffer.from([0, 1]),
    payloadFormatIndicator: true, userProperties: { name: ['one', 'two'] },
  }
  await walker.subscribe('asked', 2)
  await walker.publish('asked', 'what?', { qos: 2, properties: given })
  const got = (await walker.next()).properties
  assert.deepEqual({ ...got, userProperties: { ...got.userProperties } }, given)
  await walker.unsubscribe('asked')
  const nameless = await Walker.connect('')
  assert.ok(nameless.connack.properties.assignedClientIdentifier)
  await nameless.client.endAsync()
}

const walker = await Walker.connect('walker')
const walks = [everyQos, large, retained, wills, resumed, ...(SHARED ? [shared] : []), ...(V5 ? [properties] : [])]
for (const walk of walks) {
  await walk(walker)
  console.log(walk.name)
}
assert.equal(walker.messages.length, 0)
await walker.client.endAsync()
console.log('done')
