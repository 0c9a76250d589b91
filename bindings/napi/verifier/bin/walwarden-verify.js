#!/usr/bin/env node
'use strict';

let native;
try {
  ({ native } = require('../dist/native'));
} catch (error) {
  if (error.code !== 'ERR_WALWARDEN_NATIVE') throw error;
  const because = error.cause ? ` (${String(error.cause.message).split('\n')[0]})` : '';
  process.stderr.write(`walwarden-verify: ${error.message}${because}\n`);
}
process.exitCode = native ? native.walwardenVerify(process.argv.slice(2)) : 2;
