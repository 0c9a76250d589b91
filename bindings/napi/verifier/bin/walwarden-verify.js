#!/usr/bin/env node
'use strict';

process.exitCode = require('../dist/native').native.walwardenVerify(process.argv.slice(2));
