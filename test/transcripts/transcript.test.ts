import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTranscript, shows } from '#test/transcripts/transcript.ts';

test('a transcript is what is typed, each with what is read after it', () => {
  const text = ';; a remark\n$ cat << EOF\n> one\n>\n> EOF\none\n\n~ date\n…\n! false\n# id\nuid=0\n';
  assert.deepEqual(parseTranscript(text), [
    { line: 2, manner: '$', typed: 'cat << EOF\none\n\nEOF', reads: ['one', ''] },
    { line: 8, manner: '~', typed: 'date', reads: ['…'] },
    { line: 10, manner: '!', typed: 'false', reads: [] },
    { line: 11, manner: '#', typed: 'id', reads: ['uid=0'] },
  ]);
  assert.throws(() => parseTranscript('pod created\n$ x'), /line 1/);
});

test('lines are compared whole, blanks in a row as one, … within a line, ⋮ over lines', () => {
  assert.ok(shows('NAME    READY\r\nweb-0   1/1\r\n', ['NAME READY', 'web-0  1/1']));
  assert.ok(!shows('pod/a created\nand more', ['pod/a created']));
  assert.ok(!shows('', ['pod/a created']));
  assert.ok(shows('pod "a" deleted from default namespace', ['pod "a" deleted…']));
  assert.ok(!shows('xpod (a)', ['pod (a)']));
  assert.ok(shows('a\nb\nc\nd', ['a', '⋮', 'd']));
  assert.ok(shows('a\nd', ['a', '⋮', 'd']));
  assert.ok(!shows('a\nb\nc', ['a', '⋮', 'd']));
  assert.ok(shows('', ['⋮']));
});
