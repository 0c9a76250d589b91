/** Runs a command of this package, which ends with what it returns; one whose native module is missing says so in a line, and ends with 2. */
export function command(name: string, run: () => number): void {
  try {
    process.exitCode = run();
  } catch (error) {
    const { code, message, cause } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_WALWARDEN_NATIVE') throw error;
    const because = cause instanceof Error ? ` (${cause.message.split('\n')[0]})` : '';
    process.stderr.write(`${name}: ${message}${because}\n`);
    process.exitCode = 2;
  }
}
