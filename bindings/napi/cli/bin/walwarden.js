#!/usr/bin/env node
'use strict';

process.exitCode = require('../dist/components').native.walwarden(process.argv.slice(2));
