/** Shows steps as they go: one line each; on a terminal the line in work turns and tells how far it is. */

import { paint, type Terminal } from '#cli/terminal.ts';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 80;

/** Runs the steps of one command and draws them. The type is that of `Step` in `#lab/step.ts`. */
export function progress(io: Terminal) {
  return async function step<T>(title: string, run: (say: (detail: string) => void) => Promise<T>): Promise<T> {
    const begun = performance.now();
    let detail = '';
    const line = (mark: string) => `${mark} ${title}${detail === '' ? '' : paint(io.errColour, 'dim', `  ${detail}`)}`;
    const spinner = spin(io, line);
    try {
      const result = await run((text) => {
        detail = text;
      });
      spinner.end(`${line(paint(io.errColour, 'green', '✓'))}${time(io, performance.now() - begun)}`);
      return result;
    } catch (error) {
      spinner.end(line(paint(io.errColour, 'red', '✗')));
      throw error;
    }
  };
}

function spin(io: Terminal, line: (mark: string) => string): { end(last: string): void } {
  if (!io.live) return { end: (last) => io.err(`${last}\n`) };
  let frame = 0;
  const draw = (text: string) => io.err(`\r\x1b[K${text}`);
  const timer = setInterval(
    () => draw(line(paint(io.errColour, 'cyan', FRAMES[frame++ % FRAMES.length] ?? ''))),
    FRAME_MS,
  );
  draw(line(' '));
  return {
    end(last) {
      clearInterval(timer);
      draw(`${last}\n`);
    },
  };
}

function time(io: Terminal, ms: number): string {
  return ms < 100 ? '' : paint(io.errColour, 'dim', `  ${(ms / 1000).toFixed(1)} s`);
}
