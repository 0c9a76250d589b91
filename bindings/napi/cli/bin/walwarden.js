#!/usr/bin/env node
'use strict';

// Node's own answer would raise the signal once more, and the program takes a second one for impatience.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {});

let native;
try {
  ({ native } = require('../dist/components'));
} catch (error) {
  if (error.code !== 'ERR_WALWARDEN_NATIVE') throw error;
  const because = error.cause ? ` (${String(error.cause.message).split('\n')[0]})` : '';
  process.stderr.write(`walwarden: ${error.message}${because}\n`);
}
process.exitCode = native ? native.walwarden(process.argv.slice(2)) : 2;
