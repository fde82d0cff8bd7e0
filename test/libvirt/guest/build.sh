#!/usr/bin/env bash
# Builds the tiny guest, an image of a kernel and an initrd, in the folder
# given: Debian's cloud kernel, busybox, and dropbear. Nothing is installed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# In the order in which they are loaded: each after what it needs.
modules=(
	virtio/virtio_ring virtio/virtio virtio/virtio_pci_legacy_dev virtio/virtio_pci_modern_dev virtio/virtio_pci
	block/virtio_blk cdrom/cdrom fs/isofs/isofs
	net/core/failover net/net_failover net/virtio_net
	input/evdev acpi/button
	fs/fuse/fuse fs/fuse/virtiofs
	pvpanic/pvpanic pvpanic/pvpanic-mmio
)

kernel=$(apt-cache depends linux-image-cloud-amd64 | awk '$1 == "Depends:" { print $2; exit }')
mkdir "$work/debs" "$work/root" "$work/initrd"
(
	cd "$work/debs"
	chmod 755 "$work" && chmod 777 . # apt downloads as a user of its own
	apt-get -qq download "$kernel" busybox-static dropbear-bin libtomcrypt1 libtommath1 \
		libgmp10 libc6 libcrypt1 zlib1g
)
for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$work/root"; done

cd "$work/initrd"
mkdir -p bin lib lib64 modules etc
modules_folder=$(find "$work/root" -path '*/lib/modules/*/kernel' -prune -print -quit)
for module in "${modules[@]}"; do
	file=$(find "$modules_folder" -path "*/$module.ko*" -print -quit)
	name=${module##*/}
	case $file in
	*.ko) cp "$file" "modules/$name.ko" ;;
	*.ko.xz) xz -dc "$file" >"modules/$name.ko" ;;
	*) echo "the kernel $kernel has no module $module" >&2 && exit 1 ;;
	esac
	echo "$name" >>modules/order
done

cp "$(find "$work/root" -path '*/bin/busybox' -print -quit)" bin/busybox
ln -s busybox bin/sh
cp "$(find "$work/root" -path '*/sbin/dropbear' -print -quit)" bin/dropbear
cp "$(find "$work/root" -name 'ld-linux-x86-64.so.2' -print -quit)" lib64/
for library in libtomcrypt.so.1 libtommath.so.1 libgmp.so.10 libc.so.6 libcrypt.so.1 libz.so.1; do
	cp -L "$(find "$work/root" -name "$library" -print -quit)" lib/
done
echo 'root:x:0:0:root:/root:/bin/sh' >etc/passwd
echo 'root:x:0:' >etc/group
install -m 755 "$here/init" init

mkdir -p "$target"
find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 | gzip -1 >"$target/initrd"
cp "$work"/root/boot/vmlinuz-* "$target/kernel"
echo 'console=ttyS0 quiet panic=-1' >"$target/cmdline"
