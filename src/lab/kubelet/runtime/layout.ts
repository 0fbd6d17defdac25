/** Where the kubelet keeps what it must find again after it was killed: one folder a pod, one a start of a container. */

import { join } from 'node:path';

export class Layout {
  /** Kept over restarts of the machine: `--root`. */
  readonly root: string;
  /** Sockets and the OCI runtime's state, gone with a reboot. Paths in it must stay short (a socket's has 107 bytes). */
  readonly runDir: string;

  constructor(root: string, runDir: string) {
    this.root = root;
    this.runDir = runDir;
  }

  get pods(): string {
    return join(this.root, 'pods');
  }

  /** One file a container that has ended, named by its id; watched. */
  get exits(): string {
    return join(this.root, 'exits');
  }

  get runtimeRoot(): string {
    return join(this.runDir, 'oci');
  }

  pod(uid: string): string {
    return join(this.pods, uid);
  }

  container(uid: string, name: string, attempt: number): string {
    return join(this.pod(uid), 'containers', name, String(attempt));
  }

  log(uid: string, name: string, attempt: number): string {
    return join(this.pod(uid), 'containers', name, `${attempt}.log`);
  }

  volume(uid: string, name: string): string {
    return join(this.pod(uid), 'volumes', name);
  }

  etc(uid: string, file: 'hosts' | 'resolv.conf' | 'hostname'): string {
    return join(this.pod(uid), 'etc', file);
  }

  exit(id: string): string {
    return join(this.exits, id);
  }

  /** Where attach clients of a container connect. */
  attachSocket(id: string): string {
    return join(this.runDir, 'tty', id.slice(0, 12));
  }
}
