import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { pino } from 'pino';
import { ApiError } from '#feed/api-error.ts';
import { type MirrorApi, MirrorKeeper, mirrorSteps } from '#lab/kubelet/mirror/mirror-keeper.ts';
import { mirrorOf } from '#lab/kubelet/mirror/static-pod.ts';
import { type PodStatus, podKey, type RunnablePod } from '#lab/kubelet/pod.ts';
import { testPod } from '#lab/kubelet/testing/pods.ts';
import { MIRROR } from '#spec/k8s.ts';

const log = pino({ level: 'silent' });
const shown = (name: string, hash: string) => testPod({}, { name, uid: hash });

/** Mirrors as the API has them, which tells its keeper of each change, each time in a later turn, as a watch does. */
class TinyApi implements MirrorApi {
  readonly mirrors = new Map<string, RunnablePod>();
  readonly told: string[] = [];
  keeper: MirrorKeeper | undefined;
  registered = true;
  #serial = 0;

  async nodeUid(): Promise<string> {
    if (!this.registered) throw missing();
    return 'node-uid';
  }

  async create(mirror: RunnablePod): Promise<void> {
    if (this.mirrors.has(podKey(mirror)))
      throw new ApiError('POST', { kind: 'Status', code: 409, reason: 'AlreadyExists', message: '' });
    this.put({ ...mirror, metadata: { ...mirror.metadata, uid: `api-${this.#serial++}` } });
  }

  async remove(mirror: RunnablePod): Promise<void> {
    if (this.mirrors.get(podKey(mirror))?.metadata.uid !== mirror.metadata.uid) throw missing();
    this.drop(mirror);
  }

  put(mirror: RunnablePod): void {
    this.mirrors.set(podKey(mirror), mirror);
    setImmediate(() => this.keeper?.set(mirror));
  }

  drop(mirror: RunnablePod): void {
    this.mirrors.delete(podKey(mirror));
    setImmediate(() => this.keeper?.delete(mirror));
  }

  /** `name=hash` of each mirror. */
  state(): string[] {
    return [...this.mirrors.values()]
      .map(({ metadata }) => `${metadata.name}=${metadata.annotations?.[MIRROR]}`)
      .sort();
  }
}

function missing(): ApiError {
  return new ApiError('GET', { kind: 'Status', code: 404, reason: 'NotFound', message: '' });
}

async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000 && !holds(); turn++) await new Promise((resolve) => setTimeout(resolve, 0));
  assert.ok(holds(), 'it never came to rest');
}

function keeperOf(api: TinyApi, sent: [string, PodStatus][] = []): MirrorKeeper {
  const writer = {
    submit: (pod: RunnablePod, status: PodStatus) => void sent.push([pod.metadata.uid, status]),
    forget: (uid: string) => void api.told.push(uid),
  };
  api.keeper = new MirrorKeeper('node1', api, writer, log, 0);
  return api.keeper;
}

const named = fc.constantFrom('a', 'b', 'c', 'd');
const hashed = fc.constantFrom('1', '2');
/** What is shown: a hash for some of the names. */
const shows = fc.dictionary(named, hashed);

describe('mirrorSteps', () => {
  it('of what is there already are none', () => {
    fc.assert(
      fc.property(shows, (hashes) => {
        const pods = Object.entries(hashes).map(([name, hash]) => shown(name, hash));
        const byKey = (all: RunnablePod[]) => new Map(all.map((pod) => [podKey(pod), pod]));
        const mirrors = pods.map((pod) => mirrorOf(pod, { name: 'node1', uid: 'u' }));
        assert.deepEqual(mirrorSteps(byKey(pods), byKey(mirrors)), []);
      }),
    );
  });
});

describe('MirrorKeeper', () => {
  it('comes from any mirrors to any that are wanted, whatever others delete', async () => {
    await fc.assert(
      fc.asyncProperty(shows, shows, fc.array(named, { maxLength: 3 }), async (before, wanted, deleted) => {
        const api = new TinyApi();
        using keeper = keeperOf(api);
        for (const [name, hash] of Object.entries(before))
          await api.create(mirrorOf(shown(name, hash), { name: 'node1', uid: 'u' }));
        for (const mirror of api.mirrors.values()) keeper.set(mirror);
        keeper.want(
          'files',
          Object.entries(wanted).map(([name, hash]) => shown(name, hash)),
        );
        keeper.synced();
        const goal = Object.entries(wanted)
          .map(([name, hash]) => `${name}=${hash}`)
          .sort();
        const isThere = () => JSON.stringify(api.state()) === JSON.stringify(goal);
        await until(isThere);
        for (const name of deleted) {
          const mirror = [...api.mirrors.values()].find(({ metadata }) => metadata.name === name);
          if (mirror) api.put({ ...mirror, metadata: { ...mirror.metadata, deletionTimestamp: 'now' } });
        }
        await until(() => isThere() && [...api.mirrors.values()].every(({ metadata }) => !metadata.deletionTimestamp));
      }),
      { numRuns: 100 },
    );
  });

  it('does nothing before the API has told of all, nor before the node is there', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const api = new TinyApi();
    api.registered = false;
    using keeper = keeperOf(api);
    keeper.want('files', [shown('a', '1')]);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(api.state(), []);
    keeper.synced();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(api.state(), []);
    api.registered = true;
    t.mock.timers.tick(1_000);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(api.state(), ['a=1']);
  });

  it('lets those who wait for a deletion see it before it makes the mirror again', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const api = new TinyApi();
    using keeper = new MirrorKeeper('node1', api, { submit() {}, forget() {} }, log);
    api.keeper = keeper;
    keeper.want('files', [shown('a', '1')]);
    keeper.synced();
    for (let i = 0; i < 3; i++) await turn();
    const [mirror] = api.mirrors.values();
    assert.ok(mirror);
    api.put({ ...mirror, metadata: { ...mirror.metadata, deletionTimestamp: 'now' } });
    for (let i = 0; i < 5; i++) await turn();
    assert.deepEqual(api.state(), []);
    t.mock.timers.tick(2_000);
    for (let i = 0; i < 3; i++) await turn();
    assert.deepEqual(api.state(), ['a=1']);
  });

  it('says what others deleted the mirror of, and nothing of what it removed itself', async () => {
    const api = new TinyApi();
    using keeper = keeperOf(api);
    const deleted: string[] = [];
    keeper.whenDeleted(({ metadata }) => deleted.push(`${metadata.name}=${metadata.uid}`));
    keeper.want('files', [shown('a', '1'), shown('b', '1')]);
    keeper.synced();
    await until(() => api.mirrors.size === 2);
    const [mirror] = api.mirrors.values();
    assert.ok(mirror);
    api.drop(mirror);
    await until(() => deleted.length === 1);
    keeper.want('files', [shown('a', '2')]);
    await until(() => api.state().join() === 'a=2');
    assert.deepEqual(deleted, ['a=1']);
  });

  it('tells the newest status of each mirror, and of one that was made again too', async () => {
    const api = new TinyApi();
    const sent: [string, PodStatus][] = [];
    using keeper = keeperOf(api, sent);
    keeper.want('files', [shown('a', '1')]);
    keeper.submit(shown('a', '1'), { phase: 'Pending' }, false);
    keeper.submit(shown('a', '1'), { phase: 'Running' }, false);
    keeper.synced();
    await until(() => sent.length === 1);
    assert.deepEqual(sent, [['api-0', { phase: 'Running' }]]);
    const [mirror] = api.mirrors.values();
    assert.ok(mirror);
    api.drop(mirror);
    await until(() => sent.length === 2);
    assert.deepEqual(sent[1], ['api-1', { phase: 'Running' }]);
    assert.ok(api.told.includes('api-0'));
    keeper.submit(shown('a', '2'), { phase: 'Failed' }, false);
    assert.equal(sent.length, 2, 'not of what the mirror does not show');
  });
});
