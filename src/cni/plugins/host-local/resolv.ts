/** resolv.conf(5), as far as a CNI result can say it. */

import type { CniDns } from '#wire/cni/result.ts';

export function parseResolvConf(text: string): CniDns {
  const rows = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith(';'))
    .map((line) => line.split(/\s+/));
  const of = (key: string) =>
    rows.filter(([word, ...rest]) => word === key && rest.length > 0).map((row) => row.slice(1));
  const nameservers = of('nameserver').flatMap(([address]) => address ?? []);
  const search = of('search').flat();
  const options = of('options').flat();
  const domain = of('domain').at(-1)?.[0];
  return {
    ...(nameservers.length > 0 && { nameservers }),
    ...(domain !== undefined && { domain }),
    ...(search.length > 0 && { search }),
    ...(options.length > 0 && { options }),
  };
}
