/*
 * Round trips of one byte over one TCP connection: `rr server ADDR PORT` echoes, `rr client ADDR PORT COUNT` asks and
 * prints each round trip in nanoseconds, a line each, after a tenth of COUNT to warm up. `rr connects` opens a new
 * connection for each and counts that in; it closes by a reset, so that no port waits. Both ends stay on one CPU: else
 * it is the waking of the other one that is measured, which costs more than the whole way and comes and goes.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void stay(void) {
  cpu_set_t all, one;
  int cpu = 0;
  if (sched_getaffinity(0, sizeof all, &all)) die("sched_getaffinity");
  while (!CPU_ISSET(cpu, &all)) cpu++;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  if (sched_setaffinity(0, sizeof one, &one)) die("sched_setaffinity");
}

static int stream(const char *addr, const char *port, struct sockaddr_in *to) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
  if (fd < 0) die("socket");
  *to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(port))};
  if (inet_pton(AF_INET, addr, &to->sin_addr) != 1) die("inet_pton");
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

static void serve(const char *addr, const char *port) {
  struct sockaddr_in at;
  int one = 1, fd = stream(addr, port, &at);
  if (bind(fd, (void *)&at, sizeof at) || listen(fd, 8)) die("listen");
  puts("ready");
  fflush(stdout);
  for (;;) {
    char byte;
    int peer = accept(fd, NULL, NULL);
    if (peer < 0) die("accept");
    setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    while (read(peer, &byte, 1) == 1 && write(peer, &byte, 1) == 1);
    close(peer);
  }
}

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void report(const long long *took, int count) {
  for (int i = 0; i < count; i++) printf("%lld\n", took[i]);
}

static void trip(int fd) {
  char byte = 'x';
  if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1) die("round trip");
}

static void connects(const char *addr, const char *port, int count) {
  struct sockaddr_in to;
  struct linger reset = {.l_onoff = 1, .l_linger = 0};
  int warm = count / 10;
  long long *took = calloc(count, sizeof *took);
  if (!took) die("calloc");
  for (int i = -warm; i < count; i++) {
    long long start = now();
    int fd = stream(addr, port, &to);
    if (connect(fd, (void *)&to, sizeof to)) die("connect");
    trip(fd);
    if (i >= 0) took[i] = now() - start;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
  }
  report(took, count);
}

static void ask(const char *addr, const char *port, int count) {
  struct sockaddr_in to;
  int fd = stream(addr, port, &to), warm = count / 10;
  long long *took = calloc(count, sizeof *took);
  if (!took || connect(fd, (void *)&to, sizeof to)) die("connect");
  for (int i = -warm; i < count; i++) {
    long long start = now();
    trip(fd);
    if (i >= 0) took[i] = now() - start;
  }
  report(took, count);
}

int main(int argc, char **argv) {
  stay();
  if (argc == 4 && !strcmp(argv[1], "server")) serve(argv[2], argv[3]);
  if (argc == 5 && !strcmp(argv[1], "client")) return ask(argv[2], argv[3], atoi(argv[4])), 0;
  if (argc == 5 && !strcmp(argv[1], "connects")) return connects(argv[2], argv[3], atoi(argv[4])), 0;
  fprintf(stderr, "usage: rr server ADDR PORT | rr client|connects ADDR PORT COUNT\n");
  return 2;
}
