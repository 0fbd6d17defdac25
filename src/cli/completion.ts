/** `polder completion`: scripts for shells, made of the tree of commands, so that they cannot be stale. */

import { Argument, type Command } from 'commander';
import { command } from '#cli/command.ts';
import type { Terminal } from '#cli/terminal.ts';

const EXAMPLES = [
  { line: 'polder completion bash > /etc/bash_completion.d/polder', does: 'for all users of bash' },
  { line: 'polder completion zsh > ~/.zsh/completions/_polder', does: 'for zsh, a folder of fpath' },
  { line: 'polder completion fish > ~/.config/fish/completions/polder.fish', does: 'for fish' },
];

/** Words that may follow the words of a command: its subcommands and options. */
interface Place {
  readonly path: readonly string[];
  readonly words: readonly { readonly word: string; readonly does: string }[];
}

export function completionCommand(io: Terminal, root: Command): Command {
  return command('completion', 'Print a script that completes commands in a shell.', EXAMPLES)
    .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']))
    .action((shell: 'bash' | 'zsh' | 'fish') => io.out(SCRIPTS[shell](places(root))));
}

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

/** Every command with what may follow it, outermost first. */
export function places(root: Command, path: readonly string[] = []): Place[] {
  const help = root.createHelp();
  const commands = help.visibleCommands(root);
  const words = [
    ...commands.map((sub) => ({ word: sub.name(), does: sub.description() })),
    ...help.visibleOptions(root).map((option) => ({ word: option.long ?? option.flags, does: option.description })),
  ];
  const inner = commands.filter((sub) => sub.name() !== 'help').flatMap((sub) => places(sub, [...path, sub.name()]));
  return [{ path, words }, ...inner];
}

function bashScript(all: readonly Place[]): string {
  const cases = all.map(
    ({ path, words }) => `    "${path.join(' ')}") words="${words.map((w) => w.word).join(' ')}" ;;`,
  );
  return `# bash completion of polder
_polder() {
  local path="" word words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  while :; do
    case $path in
${cases.map((line) => `  ${line}`).join('\n')}
      *) words="" ;;
    esac
    [ -n "$words" ] || [ -z "$path" ] && break
    case $path in *" "*) path=\${path% *} ;; *) path="" ;; esac
  done
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _polder polder ./polder
`;
}

function zshScript(all: readonly Place[]): string {
  return `#compdef polder
autoload -U +X bashcompinit && bashcompinit
${bashScript(all)}`;
}

function fishScript(all: readonly Place[]): string {
  const lines = all.flatMap(({ path, words }) => words.map(({ word, does }) => fishLine(path, word, does)));
  return `# fish completion of polder
function __polder_at
  set -l words (commandline -opc | string match -v -- '-*')
  set -e words[1]
  test "$words" = "$argv"
end
complete -c polder -f
${lines.join('\n')}
`;
}

function fishLine(path: readonly string[], word: string, does: string): string {
  const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`;
  return `complete -c polder -n '__polder_at ${path.join(' ')}' ${what} -d '${does.replace(/'/g, "\\'")}'`;
}
