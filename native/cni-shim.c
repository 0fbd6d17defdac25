/*
 * The CNI executable of a node: passes its name, the CNI_* environment and standard input to the agent's unix socket
 * and prints the answer. Static and small, since a container runtime starts it for every pod.
 *
 *   request:  "PCN1", u32 length (big-endian), then `length` bytes: NUL-ended strings (argv[0], then NAME=VALUE each),
 *             one empty string, and all of standard input
 *   answer:   "PCN1", u32 length, then `length` bytes: one byte exit status, and what goes to standard output
 *
 * No agent (no socket, connection refused): the same plugins run in a process of their own, if a file `.polder` beside
 * the executable says how (src/cni/daemonless/install.ts writes it). One word a line, as env(1) takes them: settings of
 * the environment, then the program and its arguments; the name of the executable is added. It gets standard input
 * as it was. Without that file, or when the connection is lost later: the CNI specification's error 11, "try again
 * later". It never hangs: an alarm ends it with the same error. The counterpart is src/wire/cni/frame.ts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
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
/* Longer than any runtime's own deadline (kubelet: 2 minutes). */
#define TIMEOUT_SECONDS 150

extern char **environ;

/* The version that an error of our own says: what standard input asked for, if we can tell. */
static char cni_version[17] = "1.0.0";

static void put(int fd, const char *data, size_t length) {
  while (length > 0) {
    ssize_t n = write(fd, data, length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    data += n;
    length -= (size_t)n;
  }
}

static void say(const char *text) { put(1, text, strlen(text)); }

static void fail(const char *code, const char *msg, const char *details) {
  say("{\"cniVersion\":\"");
  say(cni_version);
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
  fail("11", "The Polder agent gave no answer in time: try again later", "polder agent is running, but it is stuck or very busy.");
}

static void no_agent(void) {
  const char *command = getenv("CNI_COMMAND");
  if (command && strcmp(command, "VERSION") == 0) {
    say("{\"cniVersion\":\"");
    say(cni_version);
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

/* Takes "cniVersion": "…" out of the JSON text without parsing it: good enough for an error's own version. */
static void find_version(const char *text, size_t length) {
  static const char key[] = "\"cniVersion\"";
  const char *end = text + length;
  const char *at = memmem(text, length, key, sizeof key - 1);
  if (!at) return;
  at += sizeof key - 1;
  while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r' || *at == ':')) at++;
  if (at >= end || *at++ != '"') return;
  size_t n = 0;
  while (at + n < end && n < sizeof cni_version && ((at[n] >= '0' && at[n] <= '9') || at[n] == '.')) n++;
  if (n == 0 || n >= sizeof cni_version || at + n >= end || at[n] != '"') return;
  memcpy(cni_version, at, n);
  cni_version[n] = 0;
}

static size_t put_string(char *into, size_t at, const char *text) {
  size_t n = strlen(text) + 1;
  if (at + n + 1 > MAX_ENV) fail("4", "The environment is too large", "CNI_* variables and argv[0] together may have 256 kB.");
  memcpy(into + at, text, n);
  return at + n;
}

static size_t put_environment(char *into, const char *name) {
  size_t at = put_string(into, 0, name);
  for (char **e = environ; *e; e++)
    if (strncmp(*e, "CNI_", 4) == 0) at = put_string(into, at, *e);
  into[at++] = 0;
  return at;
}

static void header(char out[8], size_t length) {
  memcpy(out, "PCN1", 4);
  out[4] = (char)(length >> 24);
  out[5] = (char)(length >> 16);
  out[6] = (char)(length >> 8);
  out[7] = (char)length;
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
static int give_back(const char *body, size_t length) {
  int fd = memfd_create("cni-stdin", MFD_CLOEXEC);
  if (fd < 0) return 0;
  put(fd, body, length);
  return lseek(fd, 0, SEEK_SET) == 0 && dup2(fd, 0) == 0;
}

/* Becomes the program of the file; returns if there is none. */
static void run_alone(char *name, const char *body, size_t length) {
  static char text[MAX_ALONE + 1];
  char *words[MAX_WORDS + 2];
  int count = 0;
  int fd = open_alone_file(name);
  if (fd < 0) return;
  ssize_t n = read(fd, text, MAX_ALONE);
  close(fd);
  if (n <= 0) return;
  for (char *word = strtok(text, "\n"); word && count < MAX_WORDS; word = strtok(NULL, "\n")) {
    if (count == 0 && *word != '/' && strchr(word, '=')) putenv(word);
    else words[count++] = word;
  }
  if (count == 0 || !give_back(body, length)) return;
  words[count++] = name;
  words[count] = NULL;
  alarm(0);
  execv(words[0], words);
}

/* -1 if nobody listens there. */
static int connect_agent(void) {
  const char *path = getenv("POLDER_CNI_SOCKET");
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  if (!path || !*path) path = DEFAULT_SOCKET;
  if (strlen(path) >= sizeof to.sun_path) fail("4", "POLDER_CNI_SOCKET is too long", "A unix socket's path has at most 107 bytes.");
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

static void send_all(int fd, struct iovec *part, int count) {
  while (count > 0) {
    struct msghdr message = {.msg_iov = part, .msg_iovlen = (size_t)count};
    ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) no_agent();
    while (count > 0 && (size_t)n >= part->iov_len) {
      n -= (ssize_t)part->iov_len;
      part++;
      count--;
    }
    if (count > 0) {
      part->iov_base = (char *)part->iov_base + n;
      part->iov_len -= (size_t)n;
    }
  }
}

static void read_exactly(int fd, char *into, size_t length) {
  while (length > 0) {
    ssize_t n = read(fd, into, length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) no_agent();
    into += n;
    length -= (size_t)n;
  }
}

static void *room(size_t size) {
  void *memory = malloc(size);
  if (!memory) fail("5", "Out of memory", "The CNI shim could not get memory for its request.");
  return memory;
}

int main(int argc, char **argv) {
  signal(SIGALRM, on_alarm);
  signal(SIGPIPE, SIG_IGN);
  alarm(TIMEOUT_SECONDS);

  /* A person at a terminal gets an explanation instead of a wait for standard input. */
  if (!getenv("CNI_COMMAND") && isatty(0)) {
    say("Polder's CNI plugin. A container runtime runs it with CNI_COMMAND set; by hand use `polder cni`.\n");
    return 0;
  }
  int too_much;
  char *body = room(MAX_STDIN);
  size_t body_length = read_all(0, body, MAX_STDIN, &too_much);
  find_version(body, body_length);
  if (too_much) fail("6", "The network configuration is too large", "Standard input may have 4 MB.");

  char *environment = room(MAX_ENV);
  size_t environment_length = put_environment(environment, argc > 0 ? argv[0] : "");
  char head[8];
  header(head, environment_length + body_length);
  int fd = connect_agent();
  if (fd < 0) {
    static char nameless[] = "";
    run_alone(argc > 0 ? argv[0] : nameless, body, body_length);
    no_agent();
  }
  struct iovec parts[3] = {{head, sizeof head}, {environment, environment_length}, {body, body_length}};
  send_all(fd, parts, 3);

  read_exactly(fd, head, sizeof head);
  size_t length = ((size_t)(uint8_t)head[4] << 24) | ((size_t)(uint8_t)head[5] << 16) | ((size_t)(uint8_t)head[6] << 8) | (uint8_t)head[7];
  if (memcmp(head, "PCN1", 4) != 0 || length < 1 || length > MAX_ANSWER)
    fail("5", "The agent's answer is not understood", "The CNI shim and the agent are of different versions: install both from one release.");
  char *answer = room(length);
  read_exactly(fd, answer, length);
  put(1, answer + 1, length - 1);
  return answer[0] ? 1 : 0;
}
