/** Asks the agent of a node of a lab, by its status socket. */

import { request } from 'node:http';
import { labPaths, nodePaths } from '#lab/names.ts';

const LIMIT_MS = 5_000;

/** The answer's JSON. @throws Error if the agent does not answer, or answers with an error. */
export function askAgent(lab: string, node: string, method: 'GET' | 'POST', path: string): Promise<unknown> {
  const { agentSocket } = nodePaths(labPaths(lab), node);
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: agentSocket, method, path, timeout: LIMIT_MS }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(text));
        else reject(new Error(text.trim() || `status ${response.statusCode}`));
      });
    });
    asked.on('timeout', () => asked.destroy(new Error(`the agent of ${node} does not answer`)));
    asked.on('error', reject);
    asked.end();
  });
}
