/** `/version`: the Kubernetes version whose API this is, with ours behind it (SemVer build metadata). */
import type { JsonObject } from '#spec/kinds/json.ts';

export const VERSION: JsonObject = {
  major: '1',
  minor: '32',
  gitVersion: 'v1.32.0+polder',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '2024-12-11T00:00:00Z',
  goVersion: 'none',
  compiler: 'node',
  platform: `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`,
};
