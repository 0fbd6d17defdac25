/** Routers beside nodes in tests: BIRDs of their own, whose configuration no code of ours prints. */

import { birdAt } from '#kernel/bird/bird.ts';
import type { BirdControl } from '#kernel/bird/handle.ts';
import type { BirdNodes } from '#sync/testing/bird-pair.ts';
import { type BirdRoute, readRoutes } from '#wire/bird/show-routes.ts';

export interface PeerRoute {
  readonly net: string;
  /** Statements of a filter: `bgp_med = 5;` */
  readonly sets: string;
}

export interface PeerOptions {
  /** Its address is 192.168.1.INDEX. */
  readonly index: number;
  readonly asNumber: number;
  /** Address and AS number of the one that it speaks with. */
  readonly node: { readonly addr: string; readonly asNumber: number };
  readonly addPaths: boolean;
  readonly routes: readonly PeerRoute[];
}

export class BirdPeer implements AsyncDisposable {
  readonly #control: BirdControl;

  private constructor(control: BirdControl) {
    this.#control = control;
  }

  static async start(mesh: BirdNodes, options: PeerOptions): Promise<BirdPeer> {
    const { netns } = mesh.host(options.index);
    const dir = mesh.folder(`peer${options.index}`);
    const bird = birdAt({ dir, socket: `${dir}/bird.ctl`, netns });
    const wrong = await bird.writeConf(confOf(options));
    if (wrong !== undefined) throw new Error(wrong);
    return new BirdPeer(await bird.start({ recover: false }));
  }

  /** What it was told, and took. */
  async heard(): Promise<BirdRoute[]> {
    return readRoutes(await this.#control.ask('show route protocol node all'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#control.ask('down');
    await this.#control.closed;
  }
}

function confOf({ index, asNumber, node, addPaths, routes }: PeerOptions): string {
  const addr = `192.168.1.${index}`;
  return `
router id ${addr};
protocol device {}
protocol static here { ipv4; ${routes.map(({ net, sets }) => `route ${net} blackhole { ${sets} };`).join('\n')} }
protocol bgp node {
  local ${addr} as ${asNumber};
  neighbor ${node.addr} as ${node.asNumber};
  multihop; allow local as 20; connect delay time 1; error wait time 1, 2;
  ipv4 { import all; export where source = RTS_STATIC; ${addPaths ? 'add paths on;' : ''} };
}
`;
}
