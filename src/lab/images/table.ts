/**
 * Images that need no registry: names that people use in manifests, mapped to what the machine itself has. The root
 * file system of such a container is the machine's own, below a thin layer that makes it look like the image.
 * `docs/images.md` is made from this table.
 */

/** How a container of an image starts unless the pod says otherwise; field meanings as in the OCI image specification. */
export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string;
  /** `user`, `uid`, `uid:gid`; '' is root. */
  readonly user: string;
}

/** What the thin layer holds: text, or the name of a made thing. */
export type LayerFile =
  | { readonly text: string }
  | { readonly folder: true; readonly mode?: number }
  /** A folder of links to busybox, one an applet. */
  | { readonly busyboxApplets: true }
  /** The static pause program. */
  | { readonly pause: true };

export interface BuiltinImage {
  readonly id: string;
  /** `registry/repository`, any tag. */
  readonly names: readonly string[];
  readonly what: string;
  readonly config: ImageConfig;
  /** Programs that must be on the machine, and the Debian package of each. */
  readonly needs: Readonly<Record<string, string>>;
  /** By absolute path in the container. */
  readonly files: Readonly<Record<string, LayerFile>>;
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const BUSYBOX_DIR = '/usr/lib/polder/busybox';
/** With busybox's applets for what the machine lacks. */
const LAST_PATH = `${PATH}:${BUSYBOX_DIR}`;

function config(over: Partial<ImageConfig> = {}): ImageConfig {
  return { entrypoint: [], cmd: ['/bin/sh'], workingDir: '/', user: '', ...over, env: { PATH, ...over.env } };
}

const hub = (...names: string[]) => names.map((name) => `docker.io/${name}`);

const NGINX_CONF = `user www-data;
worker_processes 1;
error_log /dev/stderr notice;
pid /run/nginx.pid;
events { worker_connections 1024; }
http {
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  access_log /dev/stdout combined;
  sendfile on;
  keepalive_timeout 65;
  client_body_temp_path /var/cache/nginx/body;
  proxy_temp_path /var/cache/nginx/proxy;
  fastcgi_temp_path /var/cache/nginx/fastcgi;
  uwsgi_temp_path /var/cache/nginx/uwsgi;
  scgi_temp_path /var/cache/nginx/scgi;
  include /etc/nginx/conf.d/*.conf;
}
`;

const NGINX_SITE = `server {
  listen 80;
  server_name localhost;
  location / {
    root /usr/share/nginx/html;
    index index.html index.htm;
  }
}
`;

const WELCOME = `<!DOCTYPE html>
<html>
<head><title>Welcome to nginx!</title></head>
<body>
<h1>Welcome to nginx!</h1>
<p>This is the nginx of the machine that runs the lab, in a pod of its own.</p>
</body>
</html>
`;

/** As the image's own entry: options and addresses are curl's arguments, all else is a command. */
const CURL_ENTRY = 'case "$1" in -*|*://*|"") exec curl "$@";; esac; exec "$@"';

export const BUILTIN_IMAGES: readonly BuiltinImage[] = [
  {
    id: 'busybox',
    names: hub('library/busybox'),
    what: 'busybox of the machine, its applets first in PATH, then the machine’s programs',
    config: config({ cmd: ['sh'], env: { PATH: `${BUSYBOX_DIR}:${PATH}` } }),
    needs: { busybox: 'busybox-static' },
    files: { [BUSYBOX_DIR]: { busyboxApplets: true } },
  },
  {
    id: 'nginx',
    names: hub('library/nginx'),
    what: 'nginx of the machine, serving a welcome page on port 80',
    config: config({ cmd: ['nginx', '-g', 'daemon off;'], env: { PATH: LAST_PATH } }),
    needs: { nginx: 'nginx-light' },
    files: {
      [BUSYBOX_DIR]: { busyboxApplets: true },
      '/etc/nginx/nginx.conf': { text: NGINX_CONF },
      '/etc/nginx/conf.d/default.conf': { text: NGINX_SITE },
      '/usr/share/nginx/html/index.html': { text: WELCOME },
      '/var/cache/nginx': { folder: true },
    },
  },
  {
    id: 'netshoot',
    names: hub('nicolaka/netshoot'),
    what: 'the machine’s network tools: ip, ss, tcpdump, dig, mtr, nmap, iperf3, curl…; busybox’s where it has none (telnet, traceroute)',
    config: config({ cmd: ['bash'], env: { PATH: LAST_PATH } }),
    needs: { bash: 'bash' },
    files: { [BUSYBOX_DIR]: { busyboxApplets: true } },
  },
  {
    id: 'iperf3',
    names: hub('networkstatic/iperf3'),
    what: 'iperf3 of the machine, as the entry point',
    config: config({ entrypoint: ['iperf3'], cmd: [] }),
    needs: { iperf3: 'iperf3' },
    files: {},
  },
  {
    id: 'curl',
    names: hub('curlimages/curl').concat('quay.io/curl/curl'),
    what: 'curl of the machine; arguments that are options or addresses go to it',
    config: config({ entrypoint: ['sh', '-c', CURL_ENTRY, 'curl'], cmd: [] }),
    needs: { curl: 'curl' },
    files: {},
  },
  {
    id: 'alpine',
    names: hub('library/alpine'),
    what: 'the machine’s shell with busybox’s applets first in PATH',
    config: config({ env: { PATH: `${BUSYBOX_DIR}:${PATH}` } }),
    needs: { busybox: 'busybox-static' },
    files: { [BUSYBOX_DIR]: { busyboxApplets: true } },
  },
  {
    id: 'debian',
    names: hub('library/debian'),
    what: 'the machine as it is',
    config: config({ cmd: ['bash'] }),
    needs: { bash: 'bash' },
    files: {},
  },
  {
    id: 'ubuntu',
    names: hub('library/ubuntu'),
    what: 'the machine as it is',
    config: config({ cmd: ['/bin/bash'] }),
    needs: { bash: 'bash' },
    files: {},
  },
  {
    id: 'dnsutils',
    names: ['registry.k8s.io/e2e-test-images/jessie-dnsutils'],
    what: 'dig and nslookup of the machine, asleep until somebody calls',
    config: config({ cmd: ['sleep', 'infinity'] }),
    needs: { dig: 'bind9-dnsutils' },
    files: {},
  },
  {
    id: 'pause',
    names: ['registry.k8s.io/pause', 'k8s.gcr.io/pause'],
    what: 'the lab’s own pause program',
    config: config({ entrypoint: ['/pause'], cmd: [] }),
    needs: {},
    files: { '/pause': { pause: true } },
  },
];

/** The row for a `registry/repository`. */
export function builtinImage(name: string): BuiltinImage | undefined {
  return BUILTIN_IMAGES.find((image) => image.names.includes(name));
}

/** Names as a person would type them: `busybox`, `nicolaka/netshoot`. */
export function knownNames(): string[] {
  return BUILTIN_IMAGES.flatMap((image) => image.names.map((name) => name.replace(/^docker\.io\/(library\/)?/, '')));
}
