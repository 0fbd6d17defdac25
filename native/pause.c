/*
 * pause: the first process of a pod. It makes the pod's namespaces (network, IPC, UTS, PID and mount), holds them as
 * PID 1 of the pod's PID namespace, reaps what is orphaned there, and ends on SIGTERM. Containers come and go beside it.
 *
 *   pause --pid-file FILE [--host-network] [--host-ipc] [--hostname NAME] [--sysctl NAME=VALUE]...
 *         [--tmpfs OPTIONS:FOLDER]... LABEL
 *   pause
 *
 * Without arguments it makes nothing and just holds: that is what the image `pause` runs.
 *
 * LABEL only names the process in `ps` and lets the kubelet know its own sandboxes again. FILE receives the PID as the
 * caller sees it. The child waits until FILE is in place: a caller killed half-way leaves either a sandbox that can be
 * found, or none. Exit status 1 and a line on stderr tell of a failure.
 *
 * The mount namespace is a slave of the caller's: overlays and tmpfs made in it vanish with the pod's last process,
 * however that ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what) {
  fprintf(stderr, "pause: %s: %s\n", what, strerror(errno));
  _exit(1);
}

static void end(int sig) {
  (void)sig;
  _exit(0);
}

static void reap(int sig) {
  int saved = errno;
  (void)sig;
  while (waitpid(-1, NULL, WNOHANG) > 0) continue;
  errno = saved;
}

static void on(int sig, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  sigaction(sig, &action, NULL);
}

static void loopback_up(void) {
  struct ifreq request = {.ifr_name = "lo"};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  if (ioctl(fd, SIOCGIFFLAGS, &request) < 0) die("lo");
  request.ifr_flags |= IFF_UP | IFF_RUNNING;
  if (ioctl(fd, SIOCSIFFLAGS, &request) < 0) die("lo up");
  close(fd);
}

/* "size=1048576,mode=0777:/folder": in the pod's mount namespace alone, for all its containers. */
static void mount_tmpfs(char *pair) {
  char *colon = strchr(pair, ':');
  if (!colon) {
    errno = EINVAL;
    die(pair);
  }
  *colon = 0;
  if (mount("tmpfs", colon + 1, "tmpfs", MS_NOSUID | MS_NODEV, pair) < 0) die(colon + 1);
}

/* "net.ipv4.ip_forward=1"; /proc/sys/net shows the namespace of the process that opens it. */
static void set_sysctl(const char *pair) {
  char path[512] = "/proc/sys/";
  const char *value = strchr(pair, '=');
  size_t at = strlen(path);
  if (!value || at + (size_t)(value - pair) + 1 > sizeof path) {
    errno = EINVAL;
    die(pair);
  }
  for (const char *c = pair; c < value; c++) path[at++] = *c == '.' ? '/' : *c;
  path[at] = 0;
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, value + 1, strlen(value + 1)) < 0) die(pair);
  close(fd);
}

static void write_pid(const char *file, pid_t pid) {
  char temporary[4096], text[32];
  int length = snprintf(text, sizeof text, "%d\n", pid);
  if (snprintf(temporary, sizeof temporary, "%s.new", file) >= (int)sizeof temporary) {
    errno = ENAMETOOLONG;
    die(file);
  }
  int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0 || write(fd, text, (size_t)length) != length || close(fd) < 0) die(temporary);
  if (rename(temporary, file) < 0) die(file);
}

/* In `ps` it is to read "/pause LABEL": the rest of its command line concerned its maker. */
static void rename_self(int argc, char **argv) {
  char label[256];
  char *start = argv[0], *end = argv[argc - 1] + strlen(argv[argc - 1]) + 1;
  int length = snprintf(label, sizeof label, "/pause%c%s", 0, argv[argc - 1]) + 1;
  if (length > (int)sizeof label || length > end - start) return;
  memset(start, 0, (size_t)(end - start));
  memcpy(start, label, (size_t)length);
  prctl(PR_SET_MM, PR_SET_MM_ARG_START, start, 0, 0);
  prctl(PR_SET_MM, PR_SET_MM_ARG_END, start + length, 0, 0);
}

/* PID 1 of the pod: `ready` reads one byte when the PID file is in place, end of file if the parent died before. */
static void begin(int ready) {
  char go;
  setsid();
  if (read(ready, &go, 1) != 1 || chdir("/") < 0) _exit(1);
  int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; fd++) dup2(null, fd);
  for (int fd = 3; fd < 256; fd++) close(fd);
}

static void hold(void) {
  on(SIGTERM, end, 0);
  on(SIGINT, end, 0);
  on(SIGCHLD, reap, SA_NOCLDSTOP | SA_RESTART);
  for (;;) pause();
}

int main(int argc, char **argv) {
  int flags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET;
  const char *pid_file = NULL, *hostname = NULL;
  if (argc == 1) hold();
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--host-network")) flags &= ~CLONE_NEWNET;
    else if (!strcmp(argv[i], "--host-ipc")) flags &= ~CLONE_NEWIPC;
    else if (!strcmp(argv[i], "--pid-file") && i + 1 < argc) pid_file = argv[++i];
    else if (!strcmp(argv[i], "--hostname") && i + 1 < argc) hostname = argv[++i];
    else if (!strcmp(argv[i], "--sysctl") || !strcmp(argv[i], "--tmpfs")) i++;
  }
  if (!pid_file) {
    fprintf(stderr, "usage: pause --pid-file FILE [--host-network] [--host-ipc] [--hostname NAME] [--sysctl N=V]... [--tmpfs OPTIONS:FOLDER]... LABEL\n");
    return 2;
  }
  if (unshare(flags) < 0) die("unshare");
  if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) die("mount / as a slave");
  if (hostname && sethostname(hostname, strlen(hostname)) < 0) die("hostname");
  if (flags & CLONE_NEWNET) loopback_up();
  for (int i = 1; i + 1 < argc; i++)
    if (!strcmp(argv[i], "--sysctl")) set_sysctl(argv[i + 1]);
    else if (!strcmp(argv[i], "--tmpfs")) mount_tmpfs(argv[i + 1]);
  int go[2];
  if (pipe2(go, O_CLOEXEC) < 0) die("pipe");
  pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) {
    close(go[1]);
    begin(go[0]);
    rename_self(argc, argv);
    hold();
  }
  write_pid(pid_file, child);
  if (write(go[1], "+", 1) != 1) die("pipe");
  printf("%d\n", child);
  return 0;
}
