/*
 * tsc-khz: prints the frequency of the processor's time stamp counter in kHz, measured against the kernel's clock over a
 * fifth of a second. /proc/cpuinfo tells the frequency of the moment, which is another one on many processors.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct reading {
  uint64_t ticks;
  int64_t ns;
};

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* Both at one instant: of some tries the one that was interrupted least. */
static struct reading read_both(void) {
  struct reading best = {0, 0};
  int64_t shortest = INT64_MAX;
  for (int i = 0; i < 100; i++) {
    int64_t before = now();
    uint64_t ticks = __rdtsc();
    int64_t took = now() - before;
    if (took >= shortest) continue;
    shortest = took;
    best = (struct reading){ticks, before + took / 2};
  }
  return best;
}

int main(void) {
  struct reading first = read_both();
  nanosleep(&(struct timespec){0, 200000000}, NULL);
  struct reading last = read_both();
  printf("%.0f\n", (last.ticks - first.ticks) * 1e6 / (last.ns - first.ns));
  return 0;
}
