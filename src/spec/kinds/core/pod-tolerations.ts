/** How long a pod stays on a node in trouble, where it does not say (admission plugin DefaultTolerationSeconds). */
import { type JsonObject, objectsAt, textAt } from '#spec/kinds/json.ts';

/** Five minutes: the plugin's own default. */
const SECONDS = 300;
const TROUBLES = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];

/** Changes its argument. */
export function addDefaultTolerations(spec: JsonObject): void {
  const own = objectsAt(spec, 'tolerations');
  const isSpokenOf = (key: string) =>
    own.some((one) => ['', key].includes(textAt(one, 'key')) && ['', 'NoExecute'].includes(textAt(one, 'effect')));
  const added = TROUBLES.filter((key) => !isSpokenOf(key)).map((key) => ({
    key,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: SECONDS,
  }));
  if (added.length > 0) spec.tolerations = [...own, ...added];
}
