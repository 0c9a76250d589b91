// The examples are programs that run.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { ALPHA_FILE, GOOD } from './vectors';

test('the auditor judges what is posted', async () => {
  const auditor = spawn(process.execPath, [join(__dirname, 'examples/auditor.js'), ALPHA_FILE], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [line] = (await once(auditor.stdout, 'data')) as [Buffer];
    const { port } = JSON.parse(line.toString()) as { port: number };
    const judged = async (body: BodyInit) => {
      const answer = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body });
      return (await answer.json()) as { exit: number };
    };
    const reports = await Promise.all([judged(readFileSync(GOOD)), judged('nonsense'), judged(readFileSync(GOOD))]);
    assert.deepEqual(reports.map(({ exit }) => exit), [0, 3, 0]);
  } finally {
    auditor.kill();
  }
});
