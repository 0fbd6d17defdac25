/** Whether what a token is bound to is still there (KEP-1205): a deleted ServiceAccount's or pod's token is none. */
import type { Api } from '#serve/api/api.ts';
import type { User } from '#serve/api/pki/tokens.ts';
import { readStored } from '#serve/api/storage.ts';
import { textAt } from '#spec/kinds/json.ts';

export function isLive(api: Api, user: User): boolean {
  return (user.bound ?? []).every(({ resource, namespace, name, uid }) => {
    const stored = api.store.get({ resource, namespace, name });
    return stored !== undefined && (uid === '' || textAt(readStored(stored), 'metadata', 'uid') === uid);
  });
}
