#!/bin/busybox sh
# The first process of a virtual machine: runs what /tests lists, one a line, and says on the console what came of it.
echo "@ begins"
/bin/busybox --install -s /bin
export PATH=/usr/bin:/bin CMGATE_BIN=/tests.d/cmgate TMPDIR=/tmp
mkdir -p /proc /sys /dev /tmp /run
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mount -t bpf bpf /sys/fs/bpf
ip link set lo up
for module in /modules/*.ko; do
    insmod "$module" || echo "@ no module $module"
done
while read -r name arguments; do
    # shellcheck disable=SC2086 # arguments are words
    /tests.d/"$name" $arguments --color never </dev/null
    echo "@ $name ended with $?"
done </tests
poweroff -f
