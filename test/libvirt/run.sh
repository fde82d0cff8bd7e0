#!/usr/bin/env bash
# Runs a command beside a libvirtd of its own, as root, in namespaces of its
# own: of its network, its mounts and its processes. Whatever the command
# leaves behind ends with it, however it ends.
#
#	test/libvirt/run.sh COMMAND ARG…
#
# The command finds these variables:
#
#	PENSTOCK_TEST_LIBVIRT         1
#	PENSTOCK_TEST_LIBVIRT_SOCKET  of the daemon
#	PENSTOCK_TEST_LIBVIRT_IMAGES  a folder of images, of which one is called tiny
#	PENSTOCK_TEST_LIBVIRT_FOLDER  an empty folder, removed at the end
#	PENSTOCK_TEST_LIBVIRT_BTRFS   an empty folder of 256 MiB on btrfs; not set where
#	                              the kernel has none
#	PENSTOCK_TEST_LIBVIRT_DAEMON  a program that stops the daemon or starts it again
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$(cd "$here/../.." && pwd)/.cache/guest

install_missing() {
	local missing=()
	need() { [ -n "$(PATH=$PATH:/usr/sbin:/sbin type -P "$1" || true)" ] || missing+=("${@:2}"); }
	# Not libvirt-daemon-system, whose units would start a daemon for all the machine.
	need libvirtd libvirt-daemon libvirt-daemon-driver-qemu
	need virsh libvirt-clients
	need qemu-system-x86_64 qemu-system-x86
	need qemu-img qemu-utils
	need cpio cpio
	need ip iproute2
	need nft nftables
	need xz xz-utils
	need btrfs btrfs-progs
	[ -e /usr/lib/qemu/virtiofsd ] || [ -e /usr/libexec/virtiofsd ] || missing+=(virtiofsd)
	[ ${#missing[@]} = 0 ] && return
	echo "installing from Debian: ${missing[*]}" >&2
	apt-get -qq update
	DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends "${missing[@]}" >/dev/null
}

build_guest() {
	local version
	version=$(cat "$here"/guest/* | sha256sum | cut -c 1-16)
	guest=$cache/$version
	[ -e "$guest/images/tiny/cmdline" ] && return
	rm -rf "$cache" && mkdir -p "$cache"
	apt-get -qq update # nothing may have been missing but this
	"$here/guest/build.sh" "$guest.new/images/tiny"
	mv "$guest.new" "$guest"
}

if [ "${1-}" != --inside ]; then
	[ "$(id -u)" = 0 ] || { echo "needs root, for namespaces and bridges" >&2 && exit 1; }
	install_missing
	build_guest
	folder=$(mktemp -d /tmp/penstock-libvirt-XXXXXX)
	# The shell outlives what it starts, and so clears away whatever comes.
	trap 'rm -rf --one-file-system "$folder"' EXIT
	trap : INT TERM
	setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private \
		"${BASH_SOURCE[0]}" --inside "$folder" "$guest/images" "$@" &
	child=$!
	trap 'kill -KILL "$child" 2>/dev/null || true' INT TERM
	wait "$child" && status=0 || status=$?
	exit "$status"
fi

# Inside: the first process of the namespace, with which all others end.
folder=$2 images=$3
shift 3
PATH=$PATH:/usr/sbin:/sbin

ip link set lo up
for taken in /etc/libvirt /run/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt; do
	mkdir -p "$taken" "$folder/daemon$taken"
	mount --bind "$folder/daemon$taken" "$taken"
done
# What systemd would do for a daemon: cgroups are another's, and stay so.
cat >/etc/libvirt/qemu.conf <<-END
	user = "root"
	group = "root"
	security_driver = "none"
	cgroup_controllers = []
	namespaces = []
	stdio_handler = "file"
	remember_owner = 0
END
cat >/etc/libvirt/libvirtd.conf <<-END
	unix_sock_dir = "/run/libvirt"
	unix_sock_rw_perms = "0700"
	auth_unix_rw = "none"
	auth_unix_ro = "none"
END

daemon=$folder/daemon.sh
cat >"$daemon" <<-END
	#!/bin/sh
	# start, or stop, or kill: the daemon of this namespace.
	pid=/run/libvirt/libvirtd.pid stopped=$folder/stopped
END
cat >>"$daemon" <<-'END'
	case $1 in
	start)
		rm -f "$stopped"
		timeout 60 sh -c 'until virsh --quiet --connect qemu:///system version; do sleep 0.1; done' >/dev/null 2>&1 ||
			{ echo "libvirtd does not answer" >&2 && exit 1; }
		;;
	stop | kill)
		[ "$1" = kill ] && signal=KILL || signal=TERM
		touch "$stopped"
		was=$(cat "$pid") && kill -s "$signal" "$was"
		while [ "$(cut -d ' ' -f 3 "/proc/$was/stat" 2>/dev/null)" ] &&
			[ "$(cut -d ' ' -f 3 "/proc/$was/stat")" != Z ]; do sleep 0.1; done
		;;
	esac
END
chmod +x "$daemon"

# What systemd would do, too: a daemon that ends though nobody asked is started
# again, and it is said.
supervise() {
	local status
	while true; do
		while [ -e "$folder/stopped" ]; do sleep 0.1; done
		status=0
		libvirtd --config /etc/libvirt/libvirtd.conf --pid-file /run/libvirt/libvirtd.pid \
			>>/var/log/libvirt/libvirtd.log 2>&1 || status=$?
		[ -e "$folder/stopped" ] && continue
		echo "libvirtd ended with status $status though nobody asked, and is started again" >&2
		sleep 0.1
	done
}
supervise &
"$daemon" start

modprobe --quiet btrfs 2>/dev/null || true
if grep -qw btrfs /proc/filesystems; then
	truncate -s 256M "$folder/btrfs.image"
	mkfs.btrfs --quiet "$folder/btrfs.image" >/dev/null
	mkdir "$folder/btrfs"
	mount -o loop,nosuid,nodev "$folder/btrfs.image" "$folder/btrfs" # gone with the namespace
	chmod 700 "$folder/btrfs"
	export PENSTOCK_TEST_LIBVIRT_BTRFS=$folder/btrfs
else
	echo "filesystems are not tested: this kernel has no btrfs" >&2
fi
mkdir "$folder/region"
export PENSTOCK_TEST_LIBVIRT=1
export PENSTOCK_TEST_LIBVIRT_SOCKET=/run/libvirt/libvirt-sock
export PENSTOCK_TEST_LIBVIRT_IMAGES=$images
export PENSTOCK_TEST_LIBVIRT_FOLDER=$folder/region
export PENSTOCK_TEST_LIBVIRT_DAEMON=$daemon
status=0
"$@" || status=$?
[ "$status" = 0 ] || tail -q -n 2 /var/log/libvirt/qemu/*.log >&2 2>/dev/null || true
exit "$status"
