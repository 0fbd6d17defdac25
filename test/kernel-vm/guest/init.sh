#!/busybox sh
# First program of the guest: lays a memory file system over the machine's own files and goes on there.
# Failing at any step ends the machine: the host sees that no status came.
b=/busybox
$b mount -t proc proc /proc
$b mount -t devtmpfs dev /dev
for module in /modules/*.ko; do $b insmod "$module" || $b echo "cannot load $module"; done
$b mount -t virtiofs -o ro hostroot /lower && $b mount -t tmpfs upper /upper &&
  $b mkdir /upper/changes /upper/work &&
  $b mount -t overlay -o lowerdir=/lower,upperdir=/upper/changes,workdir=/upper/work overlay /root || $b poweroff -f
for word in $($b cat /proc/cmdline); do case $word in polder.start=*) start=${word#*=} ;; esac; done
exec $b switch_root /root /bin/sh "$start"
