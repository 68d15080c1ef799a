#!/usr/bin/env node
// Finds the binary for this platform among the installed packages and runs it.
'use strict'

const { spawn } = require('node:child_process')

const platform = `${process.platform}-${process.arch}`

function fail (message, hint) {
  process.stderr.write(`claudemesh: ${message}\nhint: ${hint}\n`)
  process.exit(1)
}

function find () {
  try {
    return require.resolve(`@claudemesh/${platform}/bin/claudemesh`)
  } catch {
    const built = Object.keys(require('../package.json').optionalDependencies).map(name => name.split('/')[1])
    if (built.includes(platform)) {
      fail(`the package @claudemesh/${platform} is not installed`, 'install again without --omit=optional: npm install -g claudemesh')
    }
    fail(`there is no binary for ${platform}, only for ${built.join(', ')}`, 'build it from source with Go: make build')
  }
}

const child = spawn(find(), process.argv.slice(2), { stdio: 'inherit' })

// Ctrl-C at a terminal reaches the child by itself; a second one would kill it.
process.on('SIGINT', () => { if (!process.stdin.isTTY) child.kill('SIGINT') })
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))

child.on('error', error => fail(`the binary cannot be run: ${error.message}`, 'install again: npm install -g claudemesh'))
child.on('exit', (code, signal) => {
  if (signal === null) process.exit(code)
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
})
