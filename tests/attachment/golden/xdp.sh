ip -j -d -s link show dev eth0
ip netns exec peer ip -j -d -s link show dev eth1
ip netns exec peer ip neigh flush dev eth1
ip -j -d -s link show dev eth0
test -c /dev/vhost-net
ip link add name llbr0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
ip link set dev eth0 master llbr0
ip tuntap add dev lltap0 mode tap
ip link set dev lltap0 master llbr0
ip link set dev lltap0 up
ip link set dev llbr0 up
ip -j addr show
ip -4 addr add 198.18.77.1/24 dev llbr0
ip -6 addr add 2001:2:0:77::1/64 dev llbr0 nodad
ethtool --json -k eth0
ethtool -K eth0 rxvlan off
ethtool --json -k eth0
ip -j -d -s link show dev eth0
ip -j -d -s link show dev llbr0
mkdir -m 700 /tmp/latlab-AGENT-bpf
mount -t bpf bpf /tmp/latlab-AGENT-bpf
bpftool prog loadall forward.bpf.o /tmp/latlab-AGENT-bpf/programs type xdp pinmaps /tmp/latlab-AGENT-bpf/maps
ip -j -d -s link show dev eth0
bpftool map update pinned /tmp/latlab-AGENT-bpf/maps/settings key 0 0 0 0 value 0 184 100 217 69 0 0 0 2 0 0 0 82 84 0 161 0 2 0 0 0 0 0 0
ip -j -d -s link show dev eth0
bpftool map update pinned /tmp/latlab-AGENT-bpf/maps/ports key 2 0 0 0 value 2 0 0 0
latlab-probe xdp --program /tmp/latlab-AGENT-bpf/programs/latlab_forward --device eth0 --mode native --pin /tmp/latlab-AGENT-bpf/link-eth0
ip -j -d -s link show dev lltap0
bpftool map update pinned /tmp/latlab-AGENT-bpf/maps/ports key 12 0 0 0 value 12 0 0 0
latlab-probe xdp --program /tmp/latlab-AGENT-bpf/programs/latlab_forward --device lltap0 --mode native --pin /tmp/latlab-AGENT-bpf/link-lltap0
ip -j -d -s link show dev eth0
ip netns exec peer ip -j -d -s link show dev eth1
qemu-system-x86_64 -name guest -no-user-config -nodefaults -display none -no-reboot -accel kvm -machine q35 -cpu host -smp 1 -m 192M -kernel /boot/vmlinuz-6.12.1 -initrd guest.cpio -append 'console=ttyS0 quiet panic=-1' -serial file:/tmp/latlab-guest/console.log -device virtio-serial-pci -chardev socket,id=agent,path=/tmp/latlab-guest/agent.sock,server=on,wait=off -device virtserialport,chardev=agent,name=latlab -qmp unix:/tmp/latlab-guest/qmp.sock,server=on,wait=off -netdev tap,id=net0,ifname=lltap0,script=no,downscript=no,vhost=on -device virtio-net-pci,netdev=net0,mac=52:54:00:a1:01:00,romfile= -global virtio-net-device.csum=off &
latlab-probe reflect --bind 198.18.77.3:7701 --priority 0 --fifo 80 &  # in the guest
ip netns exec peer latlab-probe send --udp 198.18.77.3:7701 --period 1000000ns --count 10000 --size 128 --clock tai --timeout 1000000000ns --priority 0 --fifo 80
bpftool link detach pinned /tmp/latlab-AGENT-bpf/link-lltap0
rm -f /tmp/latlab-AGENT-bpf/link-lltap0
bpftool link detach pinned /tmp/latlab-AGENT-bpf/link-eth0
rm -f /tmp/latlab-AGENT-bpf/link-eth0
rm -rf /tmp/latlab-AGENT-bpf/programs /tmp/latlab-AGENT-bpf/maps
umount /tmp/latlab-AGENT-bpf
rm -rf --one-file-system /tmp/latlab-AGENT-bpf
ethtool -K eth0 rxvlan on
ip -6 addr del 2001:2:0:77::1/64 dev llbr0
ip -4 addr del 198.18.77.1/24 dev llbr0
ip tuntap del dev lltap0 mode tap
ip link set dev eth0 nomaster
ip link del dev llbr0
