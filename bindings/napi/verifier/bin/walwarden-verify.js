#!/usr/bin/env node
'use strict';

require('../dist/command').command('walwarden-verify', () => require('../dist/native').native.walwardenVerify(process.argv.slice(2)));
