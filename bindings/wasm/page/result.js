'use strict';

/** Shows what a verification found: the verdict, the checks, what is not proven, numbers and keys. */
function showReport(file, { exit, verdict, json, text, html }) {
  const report = JSON.parse(new TextDecoder().decode(json));
  const kind = { 0: 'good', 4: 'open' }[exit] ?? 'bad';
  const level = report.level ?? 'none';
  const stem = file.name.replace(/[^\w.-]+/g, '_');
  show(
    element('p', { className: `verdict ${kind}`, id: 'verdict' }, verdict),
    element('p', {}, `Level ${level}, asked ${report.asked}. Exit status of `, element('code', {}, 'walwarden-verify'), `: ${exit}.`),
    element('p', {}, `${file.name}, ${bytes(file.size)}, SHA-256 `,
      element('span', { className: 'mono' }, report.bundleSha256)),
    element('p', {},
      button('Save the report as a page', () => save(`${stem}.report.html`, 'text/html', html)), ' ',
      button('Save the report as JSON', () => save(`${stem}.report.json`, 'application/json', json))),
    heading('Checks'), ...checks(report),
    heading('Not proven'), element('ul', { id: 'not-proven' }, ...report.notProven.map((not) => element('li', {}, not.text))),
    heading('Numbers'), facts(report),
    heading('Keys of the chain'), keys(report),
    element('details', {}, element('summary', {}, 'As the command prints it'), element('pre', { id: 'text', textContent: text })),
  );
}

/** Shows why nothing was verified. */
function showTrouble(what, advice) {
  show(
    element('p', { className: 'verdict bad', id: 'verdict' }, 'Nothing was verified'),
    element('p', { className: 'trouble', id: 'trouble' }, what),
    element('p', {}, advice),
  );
}

function show(...content) {
  the('result').replaceChildren(...content);
  the('result').focus({ preventScroll: true });
  the('result').scrollIntoView({ block: 'nearest' });
}

function checks({ checks, untold }) {
  const rows = ['failed', 'not_checked', 'ok'].flatMap((status) => checks.filter((check) => check.status === status));
  const untoldRows = untold.map(({ status, code, count }) => (
    { status, code, object: null, detail: `${count} more of this kind` }));
  const shown = rows.slice(0, SHOWN_CHECKS);
  const table = element('table', { className: 'checks', id: 'checks' },
    row('th', 'Outcome', 'Code', 'Object', 'Detail'),
    ...[...shown, ...untoldRows].map(({ status, code, object, detail }) => (
      Object.assign(row('td', status.replace('_', ' '), code, object ?? '', detail), { className: status }))));
  const left = rows.length - shown.length;
  return left === 0 ? [table] : [table, element('p', {}, `${left} more checks are in the saved report.`)];
}

function facts(report) {
  const ofWitness = ({ name, at }) => ['Witness', `${name} at ${at}`];
  const facts = [
    ['Organisation', report.orgId], ['Database', report.databaseId], ['Chain', report.chainId],
    ...report.witnesses.map(ofWitness),
    ['Existed by, as others say', report.existedBy], ['Latest state until, as witnesses say', report.latestAt],
    ['Latest date in it, as its writer says', report.lastDatedAt],
    ['Rows', report.events], ['Rows not shown', report.rowsHidden], ['Completed backups', report.backups],
    ['Manifests with a good signature', report.manifests], ['Dumps compared', report.artifactsChecked],
    ['Drills passed', report.drillsPassed], ['Receipts with a good signature', report.receipts],
    ['Verified at, by the clock of this computer', report.verifiedAt],
    ...(report.asOf === null ? [] : [['Ages taken as of', report.asOf]]),
  ];
  return element('table', { className: 'facts', id: 'facts' }, ...facts.map(([name, value]) => (
    element('tr', {}, element('th', { scope: 'row' }, name), element('td', {}, String(value ?? 'none'))))));
}

function keys({ keys }) {
  if (keys.length === 0) return element('p', {}, 'None was found.');
  return element('table', { id: 'keys' }, row('th', 'Fingerprint', 'From row', 'Trusted beforehand', 'Revoked'),
    ...keys.map(({ keyId, fromSeq, pinned, revokedSeq }) => (
      row('td', element('span', { className: 'mono' }, keyId), String(fromSeq), pinned ? 'yes' : 'no',
        revokedSeq === null ? 'no' : `by row ${revokedSeq}`))));
}

const heading = (text) => element('h2', {}, text);
const row = (cell, ...contents) => element('tr', {}, ...contents.map((content) => element(cell, {}, content)));
const button = (label, act) => element('button', { type: 'button', onclick: act }, label);

/** More rows make a browser slow; a bundle may fail a hundred thousand checks. */
const SHOWN_CHECKS = 2000;
