#!/bin/sh
# Builds the native programs into native/bin, each only if its source is newer. Static, with musl where it is, else with
# the C library's own static archive. Code and data in one segment and nothing unused: a program that lives for a fifth of
# a millisecond spends much of it on bringing in pages.
set -eu
cd "$(dirname "$0")"

if command -v musl-gcc >/dev/null 2>&1; then CC=musl-gcc
elif command -v gcc >/dev/null 2>&1; then CC=gcc
else
  echo "native/build.sh: no C compiler: install musl-tools (or gcc and libc6-dev)" >&2
  exit 4
fi

mkdir -p bin
for source in *.c; do
  program=${source%.c}
  [ -x "bin/$program" ] && [ -z "$(find "$source" build.sh -newer "bin/$program")" ] && continue
  # Into a name of our own and then renamed: another build at the same time, or a running program, is not disturbed.
  "$CC" -static -Os -s -std=gnu11 -Wall -Wextra -ffunction-sections -Wl,--gc-sections -Wl,-z,noseparate-code \
    -o "bin/.$program.$$" "$source"
  mv -f "bin/.$program.$$" "bin/$program"
  [ "${1-}" = -q ] || echo "built native/bin/$program"
done
