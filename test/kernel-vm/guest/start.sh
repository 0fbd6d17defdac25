# Second program of the guest, with the machine's files as its root: mounts, modules, then the job; its status goes
# out by the second serial port.
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
# Which devtmpfs does not make: bash needs it for <(…).
ln -sfn /proc/self/fd /dev/fd
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run
mount -t cgroup2 cgroup /sys/fs/cgroup
for word in $(cat /proc/cmdline); do
  case $word in
    polder.dir=*) dir=${word#*=} ;;
    polder.job=*) job=${word#*=} ;;
  esac
done
mkdir -p /lib/modules
rm -rf "/lib/modules/$(uname -r)"
ln -s "$dir/kernel/lib/modules/$(uname -r)" "/lib/modules/$(uname -r)"
echo "$dir/modprobe" >/proc/sys/kernel/modprobe
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
# Nothing asks for this one by itself: its device file is what would.
"$dir/modprobe" tun
ip link set lo up
stty -F /dev/ttyS0 raw -echo
stty -F /dev/ttyS1 raw -echo
status=0
setsid sh "$job" </dev/null >/dev/ttyS0 2>&1 || status=$?
echo "status=$status" >/dev/ttyS1
sleep 0.2
"$dir/root/bin/busybox" poweroff -f
