/* A broker with jspurefix, driven over standard input: node initiator.js PORT COMP_ID FOLDER

   FOLDER holds node_modules. In: one JSON array a line, [MsgType, {field: value, ...}], or "logout".
   Out: one JSON object a line for all it is told, {"35": MsgType, ...}; first {"ready": true}. */
'use strict'
const path = require('path')
const readline = require('readline')
const [port, compId, folder] = process.argv.slice(2)
const library = path.join(path.resolve(folder), 'node_modules', 'jspurefix', 'dist')
require(path.join(path.resolve(folder), 'node_modules', 'reflect-metadata'))
const { SessionLauncher } = require(path.join(library, 'runtime'))
const { AsciiSession } = require(path.join(library, 'transport'))
const { EmptyLogFactory } = require(path.join(library, 'config'))

const say = (what) => process.stdout.write(JSON.stringify(what) + '\n')

class Broker extends AsciiSession {
  onApplicationMsg (msgType, view) {
    say({ 35: msgType, ...view.toObject() })
  }

  onReady () {
    say({ ready: true })
    readline.createInterface({ input: process.stdin }).on('line', (line) => {
      const asked = JSON.parse(line)
      if (asked === 'logout') {
        this.done()
        return
      }
      const [msgType, fields] = asked
      fields.TransactTime = new Date()
      this.send(msgType, fields)
    })
  }

  onLogon () { return true }
  onDecoded () {}
  onEncoded () {}
  onStopped () { say({ stopped: true }) }
}

class Launcher extends SessionLauncher {
  makeFactory () {
    return { makeSession: (config) => new Broker(config) }
  }
}

const description = {
  application: {
    reconnectSeconds: 5,
    type: 'initiator',
    name: 'broker',
    tcp: { host: '127.0.0.1', port: Number(port) },
    protocol: 'ascii',
    dictionary: 'qf44'
  },
  EncryptMethod: 0,
  ResetSeqNumFlag: true,
  HeartBtInt: 30,
  SenderCompId: compId,
  TargetCompID: 'TOUCHLINE',
  BeginString: 'FIX.4.4'
}
new Launcher(description, null, new EmptyLogFactory()).run()
  .then(() => process.exit(0))
  .catch((error) => { process.stderr.write(String(error.stack ?? error) + '\n'); process.exit(1) })
