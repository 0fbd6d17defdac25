import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_WINDOW } from '#wire/spdy/frames.ts';
import { ReceiveCredit, SendWindows } from '#wire/spdy/window.ts';

test('SendWindows does not bind a sender whose peer keeps no windows', () => {
  const windows = new SendWindows();
  windows.open(1);
  assert.equal(windows.take(1, 1_000_000), 1_000_000);
});

test('SendWindows binds from the first update, with what went before counted', () => {
  const windows = new SendWindows();
  windows.open(1);
  windows.take(1, DEFAULT_WINDOW);
  windows.update(1, 100);
  assert.equal(windows.take(1, 500), 100);
  assert.equal(windows.take(1, 500), 0);
});

test('SendWindows holds to the smaller of the stream and the session', () => {
  const windows = new SendWindows();
  windows.open(1);
  windows.open(3);
  windows.update(0, 10);
  assert.equal(windows.take(1, 100_000), DEFAULT_WINDOW);
  assert.equal(windows.take(3, 100_000), 10);
});

test('SendWindows moves open windows when the initial size changes, below zero too', () => {
  const windows = new SendWindows();
  windows.open(1);
  windows.take(1, 1000);
  windows.setInitial(500);
  assert.equal(windows.take(1, 10), 0);
  windows.update(1, 501);
  assert.equal(windows.take(1, 10), 1);
});

test('ReceiveCredit gives room back at half a window', () => {
  const credit = new ReceiveCredit();
  assert.equal(credit.consume(DEFAULT_WINDOW / 2 - 1), 0);
  assert.equal(credit.consume(11), DEFAULT_WINDOW / 2 + 10);
  assert.equal(credit.consume(1), 0);
});
