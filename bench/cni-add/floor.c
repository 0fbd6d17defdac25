/*
 * What the kernel takes for an attachment, without a plugin: the netlink requests and nothing else, no configuration, no
 * address store, no result. `floor bridge|host-device|loopback NAME`, with CNI_COMMAND and CNI_NETNS as a plugin has them; NAME is
 * the bridge or the device.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
  struct nlmsghdr head;
  char body[1024];
} message;

static void begin(int type, int flags, const void *header, size_t length) {
  memset(&message, 0, sizeof message);
  message.head.nlmsg_type = (unsigned short)type;
  message.head.nlmsg_flags = (unsigned short)(NLM_F_REQUEST | NLM_F_ACK | flags);
  memcpy(message.body, header, length);
  message.head.nlmsg_len = (unsigned)(sizeof message.head + NLMSG_ALIGN(length));
}

static struct rtattr *attr(int type, const void *data, size_t length) {
  struct rtattr *a = (struct rtattr *)((char *)&message + message.head.nlmsg_len);
  a->rta_type = (unsigned short)type;
  a->rta_len = (unsigned short)RTA_LENGTH(length);
  if (length > 0) memcpy(RTA_DATA(a), data, length);
  message.head.nlmsg_len += RTA_ALIGN(a->rta_len);
  return a;
}

static void end(struct rtattr *a) { a->rta_len = (unsigned short)((char *)&message + message.head.nlmsg_len - (char *)a); }

static void text(int type, const char *value) { attr(type, value, strlen(value) + 1); }

static void number(int type, unsigned value) { attr(type, &value, sizeof value); }

static void ask(int fd) {
  char answer[1024];
  if (send(fd, &message, message.head.nlmsg_len, 0) < 0 || recv(fd, answer, sizeof answer, 0) < 0) _exit(2);
  struct nlmsghdr *head = (struct nlmsghdr *)answer;
  struct nlmsgerr *error = NLMSG_DATA(head);
  if (head->nlmsg_type != NLMSG_ERROR || error->error != 0) _exit(3);
}

static int route_socket(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) _exit(2);
  return fd;
}

static struct ifinfomsg link_header(unsigned index, unsigned up) {
  return (struct ifinfomsg){.ifi_index = (int)index, .ifi_flags = up ? IFF_UP : 0, .ifi_change = up ? IFF_UP : 0};
}

static void set_up(int fd, const char *name) {
  struct ifinfomsg header = link_header(0, 1);
  begin(RTM_SETLINK, 0, &header, sizeof header);
  text(IFLA_IFNAME, name);
  ask(fd);
}

static void give_address(int fd, const char *name) {
  static const unsigned char address[4] = {10, 222, 0, 9};
  struct ifaddrmsg header = {.ifa_family = AF_INET, .ifa_prefixlen = 16, .ifa_index = if_nametoindex(name)};
  begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof header);
  attr(IFA_LOCAL, address, 4);
  attr(IFA_ADDRESS, address, 4);
  ask(fd);
}

static void make_veth(int fd, const char *bridge, int pod) {
  struct ifinfomsg header = link_header(0, 1), peer = link_header(0, 0);
  begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof header);
  text(IFLA_IFNAME, "vethfloor");
  number(IFLA_NUM_TX_QUEUES, 1);
  number(IFLA_NUM_RX_QUEUES, 1);
  number(IFLA_MASTER, if_nametoindex(bridge));
  struct rtattr *info = attr(IFLA_LINKINFO, NULL, 0);
  text(IFLA_INFO_KIND, "veth");
  struct rtattr *data = attr(IFLA_INFO_DATA, NULL, 0), *end_info = attr(VETH_INFO_PEER, &peer, sizeof peer);
  text(IFLA_IFNAME, "eth0");
  number(IFLA_NUM_TX_QUEUES, 1);
  number(IFLA_NUM_RX_QUEUES, 1);
  number(IFLA_NET_NS_FD, (unsigned)pod);
  end(end_info);
  end(data);
  end(info);
  ask(fd);
}

static void delete_link(int fd, const char *name) {
  struct ifinfomsg header = link_header(0, 0);
  begin(RTM_DELLINK, 0, &header, sizeof header);
  text(IFLA_IFNAME, name);
  ask(fd);
}

static void move(int fd, const char *name, const char *to, int netns) {
  struct ifinfomsg header = link_header(if_nametoindex(name), 0);
  begin(RTM_SETLINK, 0, &header, sizeof header);
  text(IFLA_IFNAME, to);
  number(IFLA_NET_NS_FD, (unsigned)netns);
  ask(fd);
}

int main(int argc, char **argv) {
  const char *command = getenv("CNI_COMMAND"), *netns = getenv("CNI_NETNS");
  if (argc < 3 || !command || !netns) return 2;
  int add = strcmp(command, "ADD") == 0, bridge = strcmp(argv[1], "bridge") == 0, loopback = strcmp(argv[1], "loopback") == 0;
  int host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), pod = open(netns, O_RDONLY | O_CLOEXEC);
  if (host < 0 || pod < 0) return 2;
  if (!loopback && (add || bridge)) {
    int fd = route_socket();
    if (!add) delete_link(fd, "vethfloor");
    else if (bridge) make_veth(fd, argv[2], pod);
    else move(fd, argv[2], "eth0", pod);
  }
  if (bridge && !add) return 0;
  if (setns(pod, CLONE_NEWNET) < 0) return 2;
  int fd = route_socket();
  if (loopback) set_up(fd, "lo");
  else if (add) give_address(fd, "eth0"), set_up(fd, "eth0");
  else move(fd, "eth0", argv[2], host);
  return 0;
}
