import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from 'commander';
import { places } from '#cli/completion.ts';
import { polderCommand } from '#cli/program.ts';
import { memoryTerminal } from '#cli/testing/memory-terminal.ts';

function tree(): Command {
  return polderCommand(memoryTerminal(), '0.0.0', []);
}

function all(command: Command): Command[] {
  return [command, ...command.commands.flatMap(all)];
}

test('every command says what it does', () => {
  for (const command of all(tree())) assert.match(command.description(), /\.$/, command.name());
});

test('every command that somebody types has an example, and it is one of that command', () => {
  const hidden = ['supervise'];
  for (const command of all(tree())) {
    if (hidden.includes(command.name())) continue;
    let help = '';
    const writeOut = (text: string) => {
      help += text;
    };
    command.configureOutput({ writeOut }).outputHelp();
    assert.match(help, /Examples:\n {2}.*polder/, command.name());
    assert.ok(help.slice(help.indexOf('Examples:')).includes(command.name()), command.name());
  }
});

test('every command of the lab takes --name', () => {
  const lab = tree().commands.find((command) => command.name() === 'lab');
  assert.ok(lab);
  for (const command of all(lab).filter((each) => each.commands.length === 0 && each.name() !== 'list')) {
    assert.ok(
      command.options.some((option) => option.long === '--name'),
      command.name(),
    );
  }
});

test('completion knows every visible command and its options', () => {
  const found = new Map(places(tree()).map(({ path, words }) => [path.join(' '), words.map(({ word }) => word)]));
  assert.ok(found.get('')?.includes('lab'));
  assert.ok(found.get('lab')?.includes('up'));
  assert.ok(!found.get('lab')?.includes('supervise'));
  assert.ok(found.get('lab node')?.includes('stop'));
  assert.ok(found.get('lab up')?.includes('--cluster-cidr'));
});
