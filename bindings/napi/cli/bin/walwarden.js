#!/usr/bin/env node
'use strict';

// Node's own answer would raise the signal once more, and the program takes a second one for impatience.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {});

require('../dist/command').command('walwarden', () => require('../dist/components').native.walwarden(process.argv.slice(2)));
