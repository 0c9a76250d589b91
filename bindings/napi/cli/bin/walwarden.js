#!/usr/bin/env node
'use strict';

// Node's own answer would raise the signal once more, and the program takes a second one for impatience.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {});

let native;
try {
  ({ native } = require('../dist/components'));
} catch ({ message, cause }) {
  process.stderr.write(`walwarden: ${message}${cause ? `\n  because: ${cause.message}` : ''}\n`);
}
process.exitCode = native ? native.walwarden(process.argv.slice(2)) : 2;
