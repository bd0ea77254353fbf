ip -j -d -s link show dev eth0
ip netns exec peer ip -j -d -s link show dev eth1
ip netns exec peer ip neigh flush dev eth1
readlink -e /sys/class/net/eth0/device
find /sys/bus/pci/devices/0000:01:00.0/ -maxdepth 2 '(' -type l -o -path '*/net/*' ')' -printf '%p %l\n'
grep -sH . /sys/bus/pci/devices/0000:01:00.0/driver_override /sys/bus/pci/devices/0000:01:00.0/sriov_totalvfs /sys/bus/pci/devices/0000:01:00.0/sriov_numvfs /sys/bus/pci/devices/0000:01:00.0/sriov_drivers_autoprobe
ip -j -d -s link show dev eth0
ip -j -4 route show default
ip -j -6 route show default
ip -j link show
ip -j addr show dev eth0
test -d /sys/module/vfio_iommu_type1
test -d /sys/module/vfio_pci
ip -j -d -s link show dev eth0
sysctl -a --pattern '^net\.ipv[46]\.(conf|neigh)\.(eth0|default)\.'
ethtool --json -k eth0
ethtool -l eth0
ethtool -g eth0
sh -c 'echo "$1" >"$2"' sh 0 /sys/bus/pci/devices/0000:01:00.0/sriov_drivers_autoprobe
sh -c 'echo "$1" >"$2"' sh 1 /sys/bus/pci/devices/0000:01:00.0/sriov_numvfs
find /sys/bus/pci/devices/0000:01:00.0/ -maxdepth 2 '(' -type l -o -path '*/net/*' ')' -printf '%p %l\n'
grep -sH . /sys/bus/pci/devices/0000:01:00.0/driver_override /sys/bus/pci/devices/0000:01:00.0/sriov_totalvfs /sys/bus/pci/devices/0000:01:00.0/sriov_numvfs /sys/bus/pci/devices/0000:01:00.0/sriov_drivers_autoprobe
find /sys/bus/pci/devices/0000:01:10.0/ -maxdepth 2 '(' -type l -o -path '*/net/*' ')' -printf '%p %l\n'
grep -sH . /sys/bus/pci/devices/0000:01:10.0/driver_override /sys/bus/pci/devices/0000:01:10.0/sriov_totalvfs /sys/bus/pci/devices/0000:01:10.0/sriov_numvfs /sys/bus/pci/devices/0000:01:10.0/sriov_drivers_autoprobe
ls /sys/kernel/iommu_groups/10/devices
ip -j -d -s link show dev eth0
ip link set dev eth0 vf 0 mac 52:54:00:a1:01:00
sh -c 'echo "$1" >"$2"' sh vfio-pci /sys/bus/pci/devices/0000:01:10.0/driver_override
sh -c 'echo "$1" >"$2"' sh 0000:01:10.0 /sys/bus/pci/drivers/vfio-pci/bind
ip -j -d -s link show dev eth0
qemu-system-x86_64 -name guest -no-user-config -nodefaults -display none -no-reboot -accel kvm -machine q35 -cpu host -smp 1 -m 192M -kernel /boot/vmlinuz-6.12.1 -initrd guest.cpio -append 'console=ttyS0 quiet panic=-1' -serial file:/tmp/latlab-guest/console.log -device virtio-serial-pci -chardev socket,id=agent,path=/tmp/latlab-guest/agent.sock,server=on,wait=off -device virtserialport,chardev=agent,name=latlab -qmp unix:/tmp/latlab-guest/qmp.sock,server=on,wait=off -device vfio-pci,host=0000:01:10.0,rombar=0 &
latlab-probe reflect --bind 198.18.77.3:7701 --priority 0 --fifo 80 &  # in the guest
ip netns exec peer latlab-probe send --udp 198.18.77.3:7701 --period 1000000ns --count 10000 --size 128 --clock tai --timeout 1000000000ns --priority 0 --fifo 80
sh -c 'echo "$1" >"$2"' sh 0000:01:10.0 /sys/bus/pci/drivers/vfio-pci/unbind
sh -c 'echo "$1" >"$2"' sh '' /sys/bus/pci/devices/0000:01:10.0/driver_override
ip link set dev eth0 vf 0 mac 00:00:00:00:00:00
sh -c 'echo "$1" >"$2"' sh 0 /sys/bus/pci/devices/0000:01:00.0/sriov_numvfs
sh -c 'echo "$1" >"$2"' sh 1 /sys/bus/pci/devices/0000:01:00.0/sriov_drivers_autoprobe
ip link set dev eth0 up
sh -c 'for try in $(seq 100); do ip link show dev "$0" | grep -q LOWER_UP && break; sleep 0.1; done' eth0
