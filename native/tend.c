/*
 * tend: stays with one container for the kubelet, so that the kubelet itself may be killed at any instant. It makes the
 * container's root file system, has the OCI runtime start the container, writes what the container prints to a log in
 * the CRI's format, passes terminal and stdin of attached clients, and writes down how the container ended.
 *
 *   tend run --id ID --dir DIR --log FILE --exit FILE --runtime PATH --runtime-root DIR --socket FILE
 *            [--mount-ns FILE] [--lower DIRS] [--seed DIR] [--size BYTES] [--tty] [--stdin] [--stdin-once]
 *   tend exec --socket FILE --pid-file FILE -- COMMAND [ARGUMENT]...
 *   tend pty -- COMMAND [ARGUMENT]...
 *
 * run: DIR is the OCI bundle (config.json), with empty folders `fs` and `rootfs`; a tmpfs goes on the one and holds
 * the upper layer of the overlay on the other, whose lower layers are DIRS ("a:b", topmost first, as the kernel takes
 * them). What lies in --seed is copied into the upper layer first: a folder below `/` cannot be a layer over `/`. Both
 * are mounted in the namespace --mount-ns, so they die with the pod. Lines on stdout: "started PID" or "failed". DIR gets `tend.pid`, `pid`, `started`; the --exit file comes last and whole: "CODE SIGNAL TIME".
 * --socket listens for attach clients. Frames, both ways: type (1 byte), length (4, big endian), bytes. To tend:
 * 0 stdin, 1 end of stdin, 2 size (columns, rows: 2 bytes each). From tend: 1 stdout, 2 stderr.
 *
 * pty: runs COMMAND on a terminal of its own; the same frames arrive on stdin, its output leaves on stdout as it is,
 * and its exit status (128 + signal) becomes tend's. The end of stdin hangs up.
 *
 * exec: the same for a process in a container. COMMAND is the OCI runtime's `exec --detach --tty` with --socket as its
 * --console-socket and the same --pid-file: the terminal comes over the socket, the process becomes a child of tend.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { STDIN_DATA = 0, STDIN_END = 1, RESIZE = 2 };
enum { OUT = 1, ERR = 2 };
enum { CHUNK = 65536, LINE_MAX_CRI = 16384, CLIENTS = 8, LOG_MAX = 10 << 20, PATIENCE_MS = 10000 };

static const char *pid_file, *id, *dir, *log_file, *exit_file, *runtime_path, *runtime_root, *socket_file, *mount_ns, *seed, *lower, *size;
static int tty, with_stdin, stdin_once;

static void complain(const char *what) { fprintf(stderr, "tend: %s: %s\n", what, strerror(errno)); }

static void fail(void);

/* What tend itself cannot do ends the container like a failure of the runtime; stderr says why. */
static void die(const char *what) {
  complain(what);
  if (exit_file) fail();
  _exit(1);
}

static void say(const char *format, int value) {
  char text[64];
  int length = snprintf(text, sizeof text, format, value);
  if (write(1, text, (size_t)length) < 0) return; /* the kubelet may be gone */
}

/* ---- files ---- */

static const char *in_dir(const char *name) {
  static char path[PATH_MAX];
  if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path) {
    errno = ENAMETOOLONG;
    die(name);
  }
  return path;
}

static int write_whole(const char *file, const char *text) {
  char temporary[PATH_MAX];
  if (snprintf(temporary, sizeof temporary, "%s.new", file) >= (int)sizeof temporary) return -1;
  int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return -1;
  ssize_t length = (ssize_t)strlen(text);
  if (write(fd, text, (size_t)length) != length || close(fd) < 0) return -1;
  return rename(temporary, file);
}

static int write_all(int fd, const void *data, size_t length) {
  const char *at = data;
  while (length > 0) {
    ssize_t n = write(fd, at, length);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      struct pollfd room = {.fd = fd, .events = POLLOUT};
      if (poll(&room, 1, PATIENCE_MS) > 0) continue;
    }
    if (n < 0) return -1;
    at += n;
    length -= (size_t)n;
  }
  return 0;
}

/* RFC 3339 with nanoseconds, UTC, as CRI logs have it. */
static void now(char *text, size_t room) {
  struct timespec at;
  struct tm utc;
  clock_gettime(CLOCK_REALTIME, &at);
  gmtime_r(&at.tv_sec, &utc);
  size_t n = strftime(text, room, "%Y-%m-%dT%H:%M:%S", &utc);
  snprintf(text + n, room - n, ".%09ldZ", at.tv_nsec);
}

/* ---- the log ---- */

struct stream {
  const char *name;
  size_t length; /* of the line begun */
  char line[LINE_MAX_CRI];
};

static struct stream out_stream = {.name = "stdout"}, err_stream = {.name = "stderr"};
static int log_fd = -1;
static off_t log_size;

static void open_log(void) {
  log_fd = open(log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (log_fd < 0) die(log_file);
  log_size = lseek(log_fd, 0, SEEK_END);
}

/* One old log is kept beside the current one, as FILE.1. */
static void rotate_log(void) {
  char old[PATH_MAX];
  if (snprintf(old, sizeof old, "%s.1", log_file) >= (int)sizeof old || rename(log_file, old) < 0) return;
  close(log_fd);
  open_log();
}

/* "TIME stdout F text\n"; tag P: the line goes on in the next entry. A full disk loses lines, never the container. */
static void log_line(struct stream *s, char tag) {
  char entry[LINE_MAX_CRI + 80], time[48];
  now(time, sizeof time);
  int head = snprintf(entry, 80, "%s %s %c ", time, s->name, tag);
  memcpy(entry + head, s->line, s->length);
  size_t length = (size_t)head + s->length;
  entry[length++] = '\n';
  s->length = 0;
  if (write_all(log_fd, entry, length) < 0) return;
  log_size += (off_t)length;
  if (log_size > LOG_MAX && tag == 'F') rotate_log();
}

static void log_bytes(struct stream *s, const char *data, size_t length) {
  for (const char *end = data + length; data < end;) {
    size_t room = sizeof s->line - s->length, rest = (size_t)(end - data);
    const char *newline = memchr(data, '\n', rest < room ? rest : room);
    size_t take = newline ? (size_t)(newline - data) : rest < room ? rest : room;
    memcpy(s->line + s->length, data, take);
    s->length += take;
    data += take + (newline ? 1 : 0);
    if (newline) log_line(s, 'F');
    else if (s->length == sizeof s->line) log_line(s, 'P');
  }
}

static void log_rest(struct stream *s) {
  if (s->length > 0) log_line(s, 'P');
}

/* ---- frames from a client, taken apart byte by byte as they come ---- */

struct decoder {
  unsigned char head[5], size[4];
  uint32_t have, left;
};

static int input_fd = -1; /* the container's stdin, or the terminal */
static char pending[CHUNK];
static size_t pending_length;

static void set_size(int fd, const unsigned char *b) {
  struct winsize w = {.ws_col = (unsigned short)(b[0] << 8 | b[1]), .ws_row = (unsigned short)(b[2] << 8 | b[3])};
  ioctl(fd, TIOCSWINSZ, &w);
}

static void end_input(void) {
  if (input_fd < 0 || pending_length > 0) return;
  if (tty) return;
  close(input_fd);
  input_fd = -1;
}

static void flush_input(void) {
  if (input_fd < 0) pending_length = 0;
  if (pending_length == 0) return;
  ssize_t n = write(input_fd, pending, pending_length);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n < 0) n = (ssize_t)pending_length; /* nobody reads any more */
  memmove(pending, pending + n, pending_length - (size_t)n);
  pending_length -= (size_t)n;
}

/* Gives 1 when a frame says that stdin ends. `pending` has room for `length` more bytes. */
static int decode(struct decoder *d, const unsigned char *data, size_t length) {
  int ended = 0;
  while (length > 0) {
    if (d->have < 5) {
      d->head[d->have++] = *data++;
      length--;
      if (d->have < 5) continue;
      memcpy(&d->left, d->head + 1, 4);
      d->left = ntohl(d->left);
      if (d->head[0] == STDIN_END) ended = 1;
    }
    size_t take = length < d->left ? length : d->left;
    if (d->head[0] == STDIN_DATA) {
      memcpy(pending + pending_length, data, take);
      pending_length += take;
    } else if (d->head[0] == RESIZE) {
      for (size_t i = 0; i < take; i++) d->size[(4 - d->left + i) & 3] = data[i];
      if (take == d->left && tty && input_fd >= 0) set_size(input_fd, d->size);
    }
    data += take;
    length -= take;
    d->left -= (uint32_t)take;
    if (d->left == 0) d->have = 0;
  }
  return ended;
}

/* ---- attached clients ---- */

static struct client {
  int fd;
  struct decoder decoder;
} clients[CLIENTS];

static void drop(struct client *c) {
  close(c->fd);
  c->fd = -1;
}

static void send_clients(int type, const char *data, size_t length) {
  unsigned char head[5] = {(unsigned char)type, length >> 24 & 255, length >> 16 & 255, length >> 8 & 255, length & 255};
  for (struct client *c = clients; c < clients + CLIENTS; c++)
    if (c->fd >= 0 && (write_all(c->fd, head, 5) < 0 || write_all(c->fd, data, length) < 0)) drop(c);
}

static void take_client(int listener) {
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  for (struct client *c = clients; c < clients + CLIENTS; c++)
    if (c->fd < 0) {
      *c = (struct client){.fd = fd};
      return;
    }
  close(fd);
}

static void read_client(struct client *c) {
  unsigned char data[CHUNK];
  ssize_t n = read(c->fd, data, sizeof pending - pending_length);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  int ended = n <= 0 || decode(&c->decoder, data, (size_t)n);
  flush_input();
  if (ended && stdin_once) end_input();
  if (n <= 0) drop(c);
}

static int listen_at(const char *path) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  if (!path || strlen(path) >= sizeof at.sun_path) return -1;
  strcpy(at.sun_path, path);
  unlink(path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 8) == 0) return fd;
  complain(path);
  if (fd >= 0) close(fd);
  return -1;
}

/* The runtime sends the terminal's master end as a descriptor over this socket (runc's docs/terminals.md). */
static int receive_terminal(int listener) {
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), terminal = -1;
  char byte, control[CMSG_SPACE(sizeof(int))];
  struct iovec part = {.iov_base = &byte, .iov_len = 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (fd < 0 || recvmsg(fd, &message, MSG_CMSG_CLOEXEC) < 0) return -1;
  struct cmsghdr *c = CMSG_FIRSTHDR(&message);
  if (c && c->cmsg_type == SCM_RIGHTS) memcpy(&terminal, CMSG_DATA(c), sizeof terminal);
  close(fd);
  return terminal;
}

/* ---- the container ---- */

static void copy_file(int from, int to, const char *name, mode_t mode) {
  char data[CHUNK];
  int in = openat(from, name, O_RDONLY | O_CLOEXEC), out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (in < 0 || out < 0) die(name);
  for (ssize_t n; (n = read(in, data, sizeof data)) != 0;)
    if (n < 0 || write_all(out, data, (size_t)n) < 0) die(name);
  close(in);
  close(out);
}

static void copy_link(int from, int to, const char *name) {
  char target[PATH_MAX];
  ssize_t n = readlinkat(from, name, target, sizeof target - 1);
  if (n < 0) die(name);
  target[n] = 0;
  if (symlinkat(target, to, name) < 0) die(name);
}

/* Folders, files and links; both folders exist. */
static void copy_tree(const char *from, const char *to) {
  int source = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC), target = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *folder = source < 0 ? NULL : fdopendir(source);
  if (!folder || target < 0) die(from);
  for (struct dirent *entry; (entry = readdir(folder));) {
    struct stat about;
    const char *name = entry->d_name;
    if (!strcmp(name, ".") || !strcmp(name, "..")) continue;
    if (fstatat(source, name, &about, AT_SYMLINK_NOFOLLOW) < 0) die(name);
    if (S_ISLNK(about.st_mode)) copy_link(source, target, name);
    else if (S_ISREG(about.st_mode)) copy_file(source, target, name, about.st_mode & 07777);
    else if (S_ISDIR(about.st_mode)) {
      char below_from[PATH_MAX], below_to[PATH_MAX];
      snprintf(below_from, sizeof below_from, "%s/%s", from, name);
      snprintf(below_to, sizeof below_to, "%s/%s", to, name);
      if (mkdir(below_to, about.st_mode & 07777) < 0) die(below_to);
      copy_tree(below_from, below_to);
    }
  }
  closedir(folder);
  close(target);
}

static void make_root(void) {
  char options[4096], upper[PATH_MAX], work[PATH_MAX];
  if (mount_ns) {
    int fd = open(mount_ns, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNS) < 0) die(mount_ns);
    close(fd);
  }
  if (!lower) return;
  umask(0);
  snprintf(options, sizeof options, "mode=755,size=%s", size ? size : "50%");
  if (mount("tmpfs", in_dir("fs"), "tmpfs", MS_NODEV, options) < 0) die("tmpfs");
  snprintf(upper, sizeof upper, "%s/fs/upper", dir);
  snprintf(work, sizeof work, "%s/fs/work", dir);
  if (mkdir(upper, 0755) < 0 || mkdir(work, 0755) < 0) die(upper);
  if (seed) copy_tree(seed, upper);
  int n = snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work);
  if (n >= (int)sizeof options - 1) {
    errno = E2BIG;
    die("overlay options");
  }
  if (mount("overlay", in_dir("rootfs"), "overlay", MS_NODEV, options) < 0) die("overlay");
}

/* A restarted container must not find its forerunners' memory still taken: the pod's mount namespace lives on. */
static void drop_root(void) {
  if (!lower) return;
  umount2(in_dir("rootfs"), MNT_DETACH);
  umount2(in_dir("fs"), MNT_DETACH);
}

static pid_t start_runtime(int in, int out, int err, const char *console) {
  char bundle[PATH_MAX], pid_file[PATH_MAX], log[PATH_MAX];
  snprintf(bundle, sizeof bundle, "%s", dir);
  snprintf(pid_file, sizeof pid_file, "%s/pid", dir);
  snprintf(log, sizeof log, "%s/runtime.log", dir);
  const char *argv[24] = {runtime_path, "--root", runtime_root, "--log", log, "--log-format", "json", "run", "--detach", "--bundle", bundle, "--pid-file", pid_file};
  int n = 13;
  if (console) {
    argv[n++] = "--console-socket";
    argv[n++] = console;
  }
  argv[n++] = id;
  pid_t child = fork();
  if (child != 0) return child;
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  dup2(in, 0);
  dup2(out, 1);
  dup2(err, 2);
  execv(runtime_path, (char **)argv);
  _exit(127);
}

static pid_t read_pid(const char *file) {
  char text[32] = "";
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || read(fd, text, sizeof text - 1) <= 0) return -1;
  close(fd);
  return (pid_t)atoi(text);
}

static void write_exit(int status) {
  char time[48], text[96];
  now(time, sizeof time);
  int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  snprintf(text, sizeof text, "%d %d %s\n", sig ? 128 + sig : WEXITSTATUS(status), sig, time);
  if (write_whole(exit_file, text) < 0) complain(exit_file);
}

static void fail(void) {
  char time[48], text[96];
  now(time, sizeof time);
  snprintf(text, sizeof text, "128 0 %s failed\n", time);
  drop_root();
  if (write_whole(exit_file, text) < 0) complain(exit_file);
  say("failed\n", 0);
  if (socket_file) unlink(socket_file);
  _exit(1);
}

/* Reaps all that has ended; gives 1 when `wanted` was among them. */
static int reap(pid_t wanted, int *status) {
  int found = 0, s;
  for (pid_t pid; (pid = waitpid(-1, &s, WNOHANG)) > 0;)
    if (pid == wanted) {
      *status = s;
      found = 1;
    }
  return found;
}

static void pump(int *fd, int type) {
  static char data[CHUNK];
  ssize_t n = read(*fd, data, sizeof data);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (n <= 0) { /* a terminal says EIO when its last user is gone */
    close(*fd);
    if (*fd == input_fd) input_fd = -1;
    *fd = -1;
    return;
  }
  log_bytes(type == OUT ? &out_stream : &err_stream, data, (size_t)n);
  send_clients(type, data, (size_t)n);
}

/* Until the container has ended and its output is drained. What still holds the pipes then gets a moment, no more. */
static int serve(pid_t container, int out, int err, int listener, int signals) {
  int status = 0, ended = 0;
  while (!ended || out >= 0 || err >= 0) {
    struct pollfd p[5 + CLIENTS] = {
        {.fd = out, .events = POLLIN}, {.fd = err, .events = POLLIN}, {.fd = listener, .events = POLLIN},
        {.fd = signals, .events = POLLIN}, {.fd = pending_length > 0 ? input_fd : -1, .events = POLLOUT}};
    for (int i = 0; i < CLIENTS; i++)
      p[5 + i] = (struct pollfd){.fd = pending_length < sizeof pending ? clients[i].fd : -1, .events = POLLIN};
    int n = poll(p, 5 + CLIENTS, ended ? 100 : -1);
    if (n == 0 && ended) break;
    if (p[4].revents) flush_input();
    for (int i = 0; i < CLIENTS; i++)
      if (clients[i].fd >= 0 && p[5 + i].revents) read_client(&clients[i]);
    if (p[0].revents) pump(&out, OUT);
    if (p[1].revents) pump(&err, ERR);
    if (p[2].revents) take_client(listener);
    if (p[3].revents) {
      struct signalfd_siginfo info;
      while (read(signals, &info, sizeof info) > 0) continue;
      ended |= reap(container, &status);
    }
  }
  return status;
}

static int run(void) {
  char text[64], time[48], console[PATH_MAX];
  int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, terminal_listener = -1, status = 0;
  snprintf(text, sizeof text, "%d\n", getpid());
  if (write_whole(in_dir("tend.pid"), text) < 0) die(dir);
  open_log();
  sigset_t chld;
  sigemptyset(&chld);
  sigaddset(&chld, SIGCHLD);
  sigprocmask(SIG_BLOCK, &chld, NULL);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  int signals = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  for (int i = 0; i < CLIENTS; i++) clients[i].fd = -1;
  int listener = listen_at(socket_file), null = open("/dev/null", O_RDWR | O_CLOEXEC);
  make_root();
  if (tty) {
    snprintf(console, sizeof console, "%s.tty", socket_file ? socket_file : dir);
    terminal_listener = listen_at(console);
    if (terminal_listener < 0) fail();
  } else if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0 || (with_stdin && pipe2(in, O_CLOEXEC) < 0)) die("pipe");
  pid_t runtime = start_runtime(with_stdin && !tty ? in[0] : null, tty ? null : out[1], tty ? null : err[1], tty ? console : NULL);
  if (!tty) {
    close(out[1]);
    close(err[1]);
    if (in[0] >= 0) close(in[0]);
  }
  while (waitpid(runtime, &status, 0) < 0 && errno == EINTR) continue;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    if (tty) unlink(console);
    fail();
  }
  if (tty) {
    out[0] = receive_terminal(terminal_listener);
    close(terminal_listener);
    unlink(console);
  }
  input_fd = tty ? out[0] : in[1];
  if (input_fd >= 0) fcntl(input_fd, F_SETFL, O_NONBLOCK);
  pid_t container = read_pid(in_dir("pid"));
  now(time, sizeof time);
  if (write_whole(in_dir("started"), time) < 0) complain(dir);
  say("started %d\n", container);
  close(1);
  status = serve(container, out[0], err[0], listener, signals); /* the runtime's own SIGCHLD is still pending there */
  log_rest(&out_stream);
  log_rest(&err_stream);
  for (struct client *c = clients; c < clients + CLIENTS; c++)
    if (c->fd >= 0) drop(c);
  if (socket_file) unlink(socket_file);
  drop_root();
  write_exit(status);
  return 0;
}

/* ---- pty ---- */

/* Frames of stdin to the terminal, its output to stdout, until one side is gone; then the terminal hangs up. */
static void serve_terminal(int master) {
  fcntl(master, F_SETFL, O_NONBLOCK);
  input_fd = master;
  tty = 1;
  struct decoder decoder = {0};
  static char data[CHUNK];
  static unsigned char frames[CHUNK];
  for (int in = 0, room = 1;;) {
    room = pending_length < sizeof pending;
    struct pollfd p[3] = {{.fd = master, .events = POLLIN}, {.fd = room ? in : -1, .events = POLLIN}, {.fd = pending_length ? master : -1, .events = POLLOUT}};
    if (poll(p, 3, -1) < 0 && errno != EINTR) break;
    if (p[2].revents & POLLOUT) flush_input();
    if (p[1].revents) {
      ssize_t n = read(in, frames, sizeof pending - pending_length);
      if (n <= 0) break; /* the client has gone */
      decode(&decoder, frames, (size_t)n);
      flush_input();
    }
    if (p[0].revents) {
      ssize_t n = read(master, data, sizeof data);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (n <= 0 || write_all(1, data, (size_t)n) < 0) break;
    }
  }
  close(master);
}

static int wait_for(pid_t child) {
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return 1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int run_pty(char **command) {
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) die("terminal");
  const char *name = ptsname(master);
  signal(SIGPIPE, SIG_IGN);
  pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) {
    signal(SIGPIPE, SIG_DFL);
    setsid();
    int slave = open(name, O_RDWR);
    ioctl(slave, TIOCSCTTY, 0);
    for (int fd = 0; fd < 3; fd++) dup2(slave, fd);
    if (slave > 2) close(slave);
    execvp(command[0], command);
    die(command[0]);
  }
  serve_terminal(master);
  return wait_for(child);
}

/* The runtime's own messages go to stdout, where the client sees them. */
static int run_exec(char **command) {
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  int listener = listen_at(socket_file);
  if (listener < 0) return 1;
  pid_t runtime = fork();
  if (runtime < 0) die("fork");
  if (runtime == 0) {
    signal(SIGPIPE, SIG_DFL);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(1, 2);
    execvp(command[0], command);
    die(command[0]);
  }
  int status = wait_for(runtime), master = status == 0 ? receive_terminal(listener) : -1;
  close(listener);
  unlink(socket_file);
  if (master < 0) return status ? status : 1;
  pid_t child = read_pid(pid_file);
  serve_terminal(master);
  return wait_for(child);
}

static const struct {
  const char *name;
  const char **value;
} OPTIONS[] = {{"--id", &id}, {"--dir", &dir}, {"--log", &log_file}, {"--exit", &exit_file}, {"--runtime", &runtime_path}, {"--runtime-root", &runtime_root}, {"--socket", &socket_file}, {"--mount-ns", &mount_ns}, {"--seed", &seed}, {"--lower", &lower}, {"--size", &size}, {"--pid-file", &pid_file}};

static int usage(void) {
  fprintf(stderr, "usage: tend run --id ID --dir DIR --log FILE --exit FILE --runtime PATH --runtime-root DIR ...\n       tend exec --socket FILE --pid-file FILE -- COMMAND...\n       tend pty -- COMMAND...\n");
  return 2;
}

int main(int argc, char **argv) {
  if (argc > 3 && !strcmp(argv[1], "pty") && !strcmp(argv[2], "--")) return run_pty(argv + 3);
  int exec = argc > 2 && !strcmp(argv[1], "exec");
  if (argc < 2 || (!exec && strcmp(argv[1], "run"))) return usage();
  for (int i = 2; i < argc; i++) {
    size_t o = 0;
    if (exec && !strcmp(argv[i], "--") && i + 1 < argc && socket_file && pid_file) return run_exec(argv + i + 1);
    while (o < sizeof OPTIONS / sizeof *OPTIONS && strcmp(OPTIONS[o].name, argv[i])) o++;
    if (o < sizeof OPTIONS / sizeof *OPTIONS && i + 1 < argc) *OPTIONS[o].value = argv[++i];
    else if (!strcmp(argv[i], "--tty")) tty = 1;
    else if (!strcmp(argv[i], "--stdin")) with_stdin = 1;
    else if (!strcmp(argv[i], "--stdin-once")) stdin_once = 1;
    else return usage();
  }
  if (exec || !id || !dir || !log_file || !exit_file || !runtime_path || !runtime_root) return usage();
  return run();
}
