# Runs in a new mount namespace: a /dev of its own, then the program that was asked for.
set -eu
mount -t tmpfs -o mode=755,nosuid devices /dev
while read -r name major minor; do
    mknod "/dev/$name" c "$major" "$minor"
    chmod 666 "/dev/$name"
done <<NODES
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
NODES
mkdir /dev/pts /dev/shm /dev/mqueue
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
ln -s pts/ptmx /dev/ptmx
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
exec "$@"
