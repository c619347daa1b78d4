// A broker: aedes.mjs MODULES PORT
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { pathToFileURL } from 'node:url'

const [modules, port] = process.argv.slice(2)
const require = createRequire(pathToFileURL(modules + '/'))
const { Aedes } = require('aedes')

const broker = await Aedes.createBroker()
createServer(broker.handle).listen(Number(port), '127.0.0.1')
