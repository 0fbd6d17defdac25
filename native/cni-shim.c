/*
 * The CNI executable of a node: passes its name, the CNI_* environment and standard input to the agent's unix socket
 * and prints the answer. Static and small, since a container runtime starts it for every pod.
 *
 *   request:  "PCN1", u32 length (big-endian), then `length` bytes: NUL-ended strings (argv[0], then NAME=VALUE each),
 *             one empty string, and all of standard input; beside the first of them a descriptor of our root directory
 *             (SCM_RIGHTS), by which the agent sees whether paths mean the same to it
 *   answer:   "PCN1", u32 length, then `length` bytes: one byte exit status, and what goes to standard output
 *
 * No agent (no socket, connection refused): the same plugins run without one, if a file `.polder` beside the executable
 * says how (src/cni/daemonless/install.ts writes it). One word a line, as env(1) takes them: settings of the
 * environment, then the program and its arguments.
 *
 *   A worker (setting POLDER_WORKER=NAME): the program, started once for many calls, listens at the agent's socket path
 *   with .NAME added, speaks as the agent does, and ends by itself when nobody has called for a while. Who finds none
 *   starts it, with --worker and that path as its arguments and the listening socket as descriptor 3. A worker may
 *   answer with the exit status 255: "run by yourself".
 *   By itself: the shim becomes the program; the name of the executable is its argument, and standard input is as it was.
 *   Settings of the shim's own: POLDER_WORKER, and POLDER_PROGRAM_BYTES=SIZE of the program's first argument. One that was
 *   cut short would end at once, say nothing, and be taken for a success.
 *
 * Without that file, or when the connection is lost later: the CNI specification's error 11, "try again later". It never
 * hangs: an alarm ends it with the same error. The counterpart is src/wire/cni/frame.ts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/polder/cni.sock"
#define MAX_STDIN (4u << 20)
#define MAX_ENV (256u << 10)
#define MAX_ANSWER (4u << 20)
/* The file that says how plugins run without an agent. */
#define ALONE_FILE ".polder"
#define MAX_ALONE 4096
#define MAX_WORDS 32
#define WORKER "POLDER_WORKER="
#define PROGRAM_BYTES "POLDER_PROGRAM_BYTES="
/* Added to the agent's path: the file that starters of workers lock (src/cni/daemonless/lock.ts has the same). */
#define START ".start"
#define RUN_BY_YOURSELF 255
/* Where the worker finds its listening socket. */
#define LISTENER 3
/* Longer than any runtime's own deadline (kubelet: 2 minutes). */
#define TIMEOUT_SECONDS 150

extern char **environ;

#define HEADER 8

/*
 * The request, and behind it the answer: header, environment, standard input; header, exit status, standard output. All
 * of the usual call stands in one page. Memory that is not touched costs nothing; asking for it as it is needed would
 * cost a system call each time.
 */
static char room[HEADER + MAX_ENV + MAX_STDIN + HEADER + MAX_ANSWER];

/* Standard input, once it has been read. */
static const char *body;
static size_t body_length;

/* 0 if not all could be written. Our caller may have made the descriptor one that does not block. */
static int put(int fd, const char *data, size_t length) {
  while (length > 0) {
    ssize_t n = write(fd, data, length);
    if (n < 0 && errno == EAGAIN) poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
    else if (n == 0 || (n < 0 && errno != EINTR)) return 0;
    if (n > 0) data += n, length -= (size_t)n;
  }
  return 1;
}

/* Whether part of an answer may be out: nothing else may come after it. */
static volatile sig_atomic_t answering;

/* To standard output. A result that its caller did not get is no success, whatever was done for it. */
static void answer_with(const char *data, size_t length) {
  answering = 1;
  if (!put(1, data, length)) _exit(1);
}

static void say(const char *text) { answer_with(text, strlen(text)); }

/*
 * The version that an error of our own says: what standard input asked for, if we can tell without parsing the JSON text.
 */
static const char *cni_version(void) {
  static const char key[] = "\"cniVersion\"";
  static char version[17] = "1.0.0";
  const char *end = body + body_length;
  const char *at = body ? memmem(body, body_length, key, sizeof key - 1) : NULL;
  if (!at) return version;
  at += sizeof key - 1;
  while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r' || *at == ':')) at++;
  if (at >= end || *at++ != '"') return version;
  size_t n = 0;
  while (at + n < end && n < sizeof version && ((at[n] >= '0' && at[n] <= '9') || at[n] == '.')) n++;
  if (n == 0 || n >= sizeof version || at + n >= end || at[n] != '"') return version;
  memcpy(version, at, n);
  version[n] = 0;
  return version;
}

static void fail(const char *code, const char *msg, const char *details) {
  say("{\"cniVersion\":\"");
  say(cni_version());
  say("\",\"code\":");
  say(code);
  say(",\"msg\":\"");
  say(msg);
  say("\",\"details\":\"");
  say(details);
  say("\"}\n");
  _exit(1);
}

static void on_alarm(int signal_number) {
  (void)signal_number;
  if (answering) _exit(1);
  fail("11", "The Polder agent gave no answer in time: try again later", "polder agent is running, but it is stuck or very busy.");
}

static void no_agent(void) {
  const char *command = getenv("CNI_COMMAND");
  if (command && strcmp(command, "VERSION") == 0) {
    say("{\"cniVersion\":\"");
    say(cni_version());
    say("\",\"supportedVersions\":[\"0.1.0\",\"0.2.0\",\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n");
    _exit(0);
  }
  if (command && strcmp(command, "STATUS") == 0)
    fail("50", "The Polder agent is not running on this node", "Start polder agent; its CNI socket is not there or refuses connections.");
  fail("11", "The Polder agent does not answer: try again later", "Start polder agent; its CNI socket is not there or refuses connections.");
}

/* Reads until the end; the caller gave room for `limit` bytes and is told if there were more. */
static size_t read_all(int fd, char *into, size_t limit, int *too_much) {
  size_t have = 0;
  *too_much = 0;
  for (;;) {
    char extra;
    int full = have == limit;
    ssize_t n = read(fd, full ? &extra : into + have, full ? 1 : limit - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("5", "Cannot read the network configuration from standard input", strerror(errno));
    if (n == 0) return have;
    if (full) {
      *too_much = 1;
      return have;
    }
    have += (size_t)n;
  }
}

static size_t put_string(char *into, size_t at, const char *text) {
  size_t n = strlen(text) + 1;
  if (at + n + 1 > MAX_ENV) fail("4", "The environment is too large", "CNI_* variables and argv[0] together may have 256 kB.");
  memcpy(into + at, text, n);
  return at + n;
}

/* Our name, and what CNI says in the environment. */
static size_t put_environment(char *into, const char *name) {
  size_t at = put_string(into, 0, name);
  for (char **e = environ; *e; e++)
    if (strncmp(*e, "CNI_", 4) == 0) at = put_string(into, at, *e);
  into[at++] = 0;
  return at;
}

static void put_header(char *out, size_t length) {
  memcpy(out, "PCN1", 4);
  out[4] = (char)(length >> 24);
  out[5] = (char)(length >> 16);
  out[6] = (char)(length >> 8);
  out[7] = (char)length;
}

/* What it says; 0 if it is none. */
static size_t read_header(const char *in) {
  if (memcmp(in, "PCN1", 4) != 0) return 0;
  return ((size_t)(uint8_t)in[4] << 24) | ((size_t)(uint8_t)in[5] << 16) | ((size_t)(uint8_t)in[6] << 8) | (uint8_t)in[7];
}

/* The folder of `path` (its part up to the last slash) and the file's name into `into`; 0 if there is no folder. */
static int beside(const char *path, size_t length, char *into, size_t limit) {
  while (length > 0 && path[length - 1] != '/') length--;
  if (length == 0 || length + sizeof ALONE_FILE > limit) return 0;
  memcpy(into, path, length);
  memcpy(into + length, ALONE_FILE, sizeof ALONE_FILE);
  return 1;
}

/* Beside the name that we were called by, else beside the file that we are. */
static int open_alone_file(const char *name) {
  char path[4096], self[4096 - sizeof ALONE_FILE];
  if (beside(name, strlen(name), path, sizeof path)) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) return fd;
  }
  ssize_t n = readlink("/proc/self/exe", self, sizeof self);
  return n > 0 && beside(self, (size_t)n, path, sizeof path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

/* Puts standard input, which was read already, back to its start. */
static int give_back(void) {
  int fd = memfd_create("cni-stdin", MFD_CLOEXEC);
  if (fd < 0) return 0;
  if (!put(fd, body, body_length)) return 0;
  return lseek(fd, 0, SEEK_SET) == 0 && dup2(fd, 0) == 0;
}

/* What the file says. */
struct alone {
  char text[MAX_ALONE + 1];
  const char *settings[MAX_WORDS];
  int setting_count;
  char *words[MAX_WORDS + 3];
  int count;
  /* Name of the worker; NULL if there shall be none. */
  const char *worker;
  /* Size of words[1]; NULL if the file does not say. */
  const char *program_bytes;
};

/* 0 if there is no such file. */
static int read_alone(const char *name, struct alone *alone) {
  int fd = open_alone_file(name);
  if (fd < 0) return 0;
  ssize_t n = read(fd, alone->text, MAX_ALONE);
  close(fd);
  if (n <= 0) return 0;
  for (char *word = strtok(alone->text, "\n"); word; word = strtok(NULL, "\n")) {
    int setting = alone->count == 0 && *word != '/' && strchr(word, '=') != NULL;
    if (setting && strncmp(word, WORKER, sizeof WORKER - 1) == 0) alone->worker = word + sizeof WORKER - 1;
    else if (setting && strncmp(word, PROGRAM_BYTES, sizeof PROGRAM_BYTES - 1) == 0)
      alone->program_bytes = word + sizeof PROGRAM_BYTES - 1;
    else if (setting && alone->setting_count < MAX_WORDS) alone->settings[alone->setting_count++] = word;
    else if (alone->count < MAX_WORDS) alone->words[alone->count++] = word;
  }
  return alone->count > 0;
}

/* What stands between the caller and its plugin is a file: which, why, and what brings it back. */
static void cannot_run(const char *file, const char *why) {
  static char msg[MAX_ALONE + 256] = "Cannot run plugins without the Polder agent: ";
  const char *command = getenv("CNI_COMMAND");
  if (command && strcmp(command, "VERSION") == 0) no_agent();
  char *end = msg + strlen(msg);
  /* Nothing that JSON would want escaped. */
  for (; *file; file++) *end++ = (unsigned char)*file < ' ' || *file == '"' || *file == '\\' ? '?' : *file;
  strcpy(end, ": ");
  strncat(end, why, 128);
  fail(command && strcmp(command, "STATUS") == 0 ? "50" : "5", msg, "Run polder cni install, which brings back what is missing, or start polder agent.");
}

static void need_program(const struct alone *alone) {
  struct stat about;
  if (access(alone->words[0], X_OK) != 0) cannot_run(alone->words[0], strerror(errno));
  if (alone->count < 2) return;
  const char *program = alone->words[1];
  if (access(program, R_OK) != 0 || stat(program, &about) != 0) cannot_run(program, strerror(errno));
  if (alone->program_bytes && about.st_size != atoll(alone->program_bytes)) cannot_run(program, "it is damaged");
}

/* What our caller has said to Node was not meant for plugins: it can stop them, or load code. A worker does not get it either. */
static void forget_node_settings(void) {
  char **kept = environ;
  for (char **e = environ; *e; e++)
    if (strncmp(*e, "NODE_", 5) != 0) *kept++ = *e;
  *kept = NULL;
}

/* Becomes the program; returns if standard input cannot be given back. */
static void run_alone(struct alone *alone, char *name) {
  need_program(alone);
  forget_node_settings();
  umask(umask(022) | 022); /* Node keeps what it compiles where others would find it */
  for (int i = 0; i < alone->setting_count; i++) putenv((char *)alone->settings[i]);
  if (!give_back()) return;
  alone->words[alone->count] = name;
  alone->words[alone->count + 1] = NULL;
  alarm(0);
  execv(alone->words[0], alone->words);
  cannot_run(alone->words[0], strerror(errno));
}

static const char *agent_path(void) {
  const char *path = getenv("POLDER_CNI_SOCKET");
  return path && *path ? path : DEFAULT_SOCKET;
}

/* -1 if nobody listens there. */
static int connect_to(const char *path) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  strcpy(to.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  while (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
    if (errno == EINTR) continue;
    close(fd);
    return -1;
  }
  return fd;
}

static int connect_agent(void) {
  const char *path = agent_path();
  struct sockaddr_un to;
  if (strlen(path) >= sizeof to.sun_path) fail("4", "POLDER_CNI_SOCKET is too long", "A unix socket's path has at most 107 bytes.");
  return connect_to(path);
}

/* ---- the worker ---- */

/* Folder and path of the worker's socket; 0 if the path would be too long. */
static int worker_path(const char *worker, char *dir, char *path, size_t limit) {
  const char *agent = agent_path();
  size_t length = strlen(agent);
  const char *slash = strrchr(agent, '/');
  if (!slash || slash == agent || length + 1 + strlen(worker) >= limit) return 0;
  memcpy(dir, agent, (size_t)(slash - agent));
  dir[slash - agent] = 0;
  memcpy(path, agent, length);
  path[length] = '.';
  strcpy(path + length + 1, worker);
  return 1;
}

/* Whether nobody but us could put a socket there. */
static int is_ours(const char *dir) {
  struct stat about;
  mkdir(dir, 0755);
  return stat(dir, &about) == 0 && S_ISDIR(about.st_mode) && about.st_uid == geteuid() && !(about.st_mode & 022);
}

/*
 * Of several only one starts a worker; -1 if it cannot be locked. A file that others cannot open: a folder that they can
 * read is one that they can lock, and so hold up every call.
 */
static int lock_start(void) {
  char path[sizeof(struct sockaddr_un) + sizeof START];
  strcpy(path, agent_path());
  strcat(path, START);
  int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  while (flock(fd, LOCK_EX) != 0)
    if (errno != EINTR) {
      close(fd);
      return -1;
    }
  return fd;
}

static int listen_at(const char *path) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  strcpy(at.sun_path, path);
  unlink(path); /* of a worker that was killed */
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  mode_t before = umask(0177);
  int done = bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 1024) == 0;
  umask(before);
  /* Out of the way of the descriptor that it will be. */
  int high = done ? fcntl(fd, F_DUPFD_CLOEXEC, LISTENER + 1) : -1;
  close(fd);
  return high;
}

static void close_from(unsigned first) {
  if (syscall(SYS_close_range, first, ~0u, 0) == 0) return;
  for (unsigned fd = first; fd < 4096; fd++) close((int)fd);
}

/* Nothing of our caller stays with the worker: no descriptor, no terminal, no signal handling, no environment. */
static void become_worker(struct alone *alone, const char *path, int listener) {
  static char own[sizeof(struct sockaddr_un) + 32] = "POLDER_CNI_SOCKET=";
  static char mode[] = "--worker";
  char log[sizeof(struct sockaddr_un) + 8];
  const char *env[MAX_WORDS + 3];
  int count = 0;
  setsid();
  umask(022);
  if (chdir("/") != 0) _exit(127);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGALRM, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  strcpy(log, path);
  strcat(log, ".log");
  int null = open("/dev/null", O_RDWR);
  int errors = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
  dup2(null, 0);
  dup2(null, 1);
  dup2(errors < 0 ? null : errors, 2);
  dup2(listener, LISTENER);
  close_from(LISTENER + 1);
  for (; count < alone->setting_count; count++) env[count] = alone->settings[count];
  strcat(own, agent_path());
  env[count++] = own;
  env[count++] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  env[count] = NULL;
  alone->words[alone->count] = mode;
  alone->words[alone->count + 1] = (char *)path;
  alone->words[alone->count + 2] = NULL;
  execve(alone->words[0], alone->words, (char **)env);
  _exit(127);
}

/* A connection waits in the socket's queue until the worker takes it: who starts one does not wait until it is there. */
static int start_worker(struct alone *alone, const char *dir, const char *path) {
  int lock = is_ours(dir) ? lock_start() : -1;
  if (lock < 0) return -1;
  int fd = connect_to(path); /* another may have started it meanwhile */
  if (fd < 0) {
    int listener = listen_at(path);
    pid_t child = listener < 0 ? -1 : fork();
    if (child == 0) become_worker(alone, path, listener);
    if (child > 0) fd = connect_to(path);
    if (listener >= 0) close(listener);
  }
  flock(lock, LOCK_UN); /* the child has the descriptor, too, until it becomes the worker */
  close(lock);
  return fd;
}

/* Only our own user may have made it: it is told all, and can do what it likes with the node. */
static int made_by_us(int fd) {
  struct ucred maker;
  socklen_t length = sizeof maker;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &maker, &length) == 0 && maker.uid == geteuid();
}

/* -1 if there is none and none can be. */
static int connect_worker(struct alone *alone) {
  struct sockaddr_un to;
  char dir[sizeof to.sun_path], path[sizeof to.sun_path];
  if (!alone->worker || !worker_path(alone->worker, dir, path, sizeof path)) return -1;
  int fd = connect_to(path);
  if (fd < 0) fd = start_worker(alone, dir, path);
  if (fd < 0 || made_by_us(fd)) return fd;
  close(fd);
  return -1;
}

/* ---- the exchange ---- */

/* 0 if the other end is closed. The folder goes with the first bytes, if there is one. */
static int send_all(int fd, const char *data, size_t length, int folder) {
  union {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int))];
  } control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
  memcpy(CMSG_DATA(&control.head), &folder, sizeof folder);
  struct iovec part = {0};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (folder >= 0) message.msg_control = &control, message.msg_controllen = sizeof control;
  while (length > 0) {
    part = (struct iovec){(char *)data, length};
    ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return 0;
    message.msg_control = NULL, message.msg_controllen = 0;
    data += n;
    length -= (size_t)n;
  }
  return 1;
}

/*
 * Reads on until at least `wanted` of the answer's bytes are there, of which there are `have`, and says how many are; 0 at
 * the end of the stream, or if the other end has gone without reading all that we sent (errno ECONNRESET).
 */
static size_t read_answer(int fd, char *answer, size_t have, size_t wanted) {
  errno = 0;
  while (have < wanted) {
    ssize_t n = read(fd, answer + have, HEADER + MAX_ANSWER - have);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
    have += (size_t)n;
  }
  return have;
}

static struct alone alone;

/* Where no agent is, or none was reached before it had the request: a worker, or this process. */
static int without_agent(char *name) {
  if (!read_alone(name, &alone)) no_agent();
  int fd = connect_worker(&alone);
  if (fd >= 0) return fd;
  run_alone(&alone, name);
  no_agent();
  return -1;
}

/*
 * A standard stream that our caller has closed would be the next descriptor that is opened: we would read the agent's
 * socket as our input. Reading finds the end, and writing an answer fails, as with the closed one.
 */
static void open_standard_streams(void) {
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 1 ? O_RDONLY : O_RDWR) != fd) _exit(1);
}

int main(int argc, char **argv) {
  static char nameless[] = "";
  char *name = argc > 0 ? argv[0] : nameless;
  open_standard_streams();
  signal(SIGALRM, on_alarm);
  signal(SIGPIPE, SIG_IGN);
  alarm(TIMEOUT_SECONDS);

  /* A person at a terminal gets an explanation instead of a wait for standard input. */
  if (!getenv("CNI_COMMAND") && isatty(0)) {
    say("Polder's CNI plugin. A container runtime runs it with CNI_COMMAND set; by hand use `polder cni`.\n");
    return 0;
  }
  /* At once: the agent wakes up and gets ready for the call while it is read here. */
  int fd = connect_agent(), by_worker = fd < 0, root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  char *at = room + HEADER + put_environment(room + HEADER, name);
  int too_much;
  body_length = read_all(0, at, MAX_STDIN, &too_much);
  body = at;
  if (too_much) fail("6", "The network configuration is too large", "Standard input may have 4 MB.");
  char *answer = at + body_length;
  size_t request = (size_t)(answer - room), have;
  put_header(room, request - HEADER);
  if (by_worker) fd = without_agent(name);
  while (!send_all(fd, room, request, root) || (have = read_answer(fd, answer, 0, HEADER)) == 0) {
    /* Who goes before he has read the request has done nothing of it. */
    int unread = errno == ECONNRESET || errno == EPIPE;
    if (unread && by_worker) run_alone(&alone, name);
    if (by_worker) fail("11", "The Polder worker ended before it answered: try again later", "It was killed, or ended by a fault that its .log beside the agent's socket tells.");
    if (!unread) no_agent();
    close(fd);
    by_worker = 1;
    fd = without_agent(name);
  }

  size_t length = read_header(answer);
  if (length < 1 || length > MAX_ANSWER)
    fail("5", "The agent's answer is not understood", "The CNI shim and the agent are of different versions: install both from one release.");
  if (read_answer(fd, answer, have, HEADER + length) == 0) no_agent();
  const char *out = answer + HEADER;
  if (by_worker && (uint8_t)*out == RUN_BY_YOURSELF) {
    run_alone(&alone, name);
    no_agent();
  }
  answer_with(out + 1, length - 1);
  _exit(*out ? 1 : 0);
}
