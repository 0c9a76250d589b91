#!/usr/bin/env node
'use strict';

let native;
try {
  ({ native } = require('../dist/native'));
} catch ({ message, cause }) {
  process.stderr.write(`walwarden-verify: ${message}${cause ? `\n  because: ${cause.message}` : ''}\n`);
}
process.exitCode = native ? native.walwardenVerify(process.argv.slice(2)) : 2;
