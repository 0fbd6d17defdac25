/*
 * How long an executable takes, from its start to its end: `exec-timer STDIN-FILE PROGRAM` prints microseconds.
 * It starts it as a container runtime does (posix_spawn, which does not copy the parent); a large parent such as Node
 * would spend more on the fork than the program that is measured.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, argv[1], O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, 2, 1);
  struct timespec from, to;
  pid_t child;
  int status;
  clock_gettime(CLOCK_MONOTONIC, &from);
  if (posix_spawn(&child, argv[2], &files, NULL, argv + 2, environ) != 0) return 2;
  waitpid(child, &status, 0);
  clock_gettime(CLOCK_MONOTONIC, &to);
  long micros = (to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000;
  printf("\n%ld\n", micros);
  return status != 0;
}
