// mqtt.js under the same load as the others: node mqttjs.mjs PORT QOS WINDOW MESSAGES PACE
import mqtt from 'mqtt'

const [port, qos, window, messages] = process.argv.slice(2, 6).map(Number)
const pace = process.argv[6]
const topic = 'plant/7/line/3/temperature'
const payload = Buffer.alloc(64, 'x')
const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: 'bench', protocolVersion: 4 })

const latencies = []
const began = process.hrtime.bigint()
const cpu = process.cpuUsage()
await new Promise((resolve, reject) => {
  let sent = 0
  let ended = 0
  const one = (done) => {
    sent += 1
    client.publish(topic, payload, { qos }, (error) => {
      if (error) return reject(error)
      ended += 1
      if (ended === messages) return resolve()
      done?.()
    })
  }
  if (pace === 'one-by-one') {
    const next = () => {
      const at = process.hrtime.bigint()
      one(() => { latencies.push(Number(process.hrtime.bigint() - at) / 1000); next() })
    }
    next()
  } else if (pace === 'saturated') {
    const fill = () => { while (sent < messages && sent - ended < window) one(fill) }
    fill()
  } else {
    const portion = Math.max(1, Math.floor(Number(pace) / 1000))
    const every = portion / Number(pace) * 1000
    const start = performance.now()
    let number = 0
    const tick = () => {
      while (sent < messages && performance.now() - start >= every * number) {
        for (let k = 0; k < portion && sent < messages; k += 1) one()
        number += 1
      }
      if (sent < messages) setTimeout(tick, Math.max(0, every * number - (performance.now() - start)))
    }
    tick()
  }
})
const wall = Number(process.hrtime.bigint() - began) / 1000
const used = process.cpuUsage(cpu)
latencies.sort((a, b) => a - b)
const at = (share) => latencies.length ? latencies[Math.round(share * (latencies.length - 1))] : 0
console.log(`${wall} ${used.user} ${used.system} ${at(0.5)} ${at(0.99)}`)
await client.endAsync()
