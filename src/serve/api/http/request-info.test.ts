import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTrue, resourceRequestOf } from '#serve/api/http/request-info.ts';

describe('flags of a query', () => {
  it('are true unless they are absent, 0 or false, as clients of all languages spell it', () => {
    for (const text of ['true', 'True', '1', '', 't', 'yes']) assert.ok(isTrue(text), text);
    for (const text of ['false', 'False', 'FALSE', '0', null]) assert.ok(!isTrue(text), `${text}`);
    const verb = (query: string) => resourceRequestOf('GET', new URL(`https://k/api/v1/pods?${query}`))?.verb;
    assert.equal(verb('watch=True'), 'watch');
    assert.equal(verb('watch=False'), 'list');
    assert.equal(verb(''), 'list');
  });
});
