ip -j -d -s link show dev eth0
ip netns exec peer ip -j -d -s link show dev eth1
ip netns exec peer ip neigh flush dev eth1
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
qemu-system-x86_64 -name guest -no-user-config -nodefaults -display none -no-reboot -accel kvm -machine q35 -cpu host -smp 1 -m 192M -kernel /boot/vmlinuz-6.12.1 -initrd guest.cpio -append 'console=ttyS0 quiet panic=-1' -serial file:/tmp/latlab-guest/console.log -device virtio-serial-pci -chardev socket,id=agent,path=/tmp/latlab-guest/agent.sock,server=on,wait=off -device virtserialport,chardev=agent,name=latlab -qmp unix:/tmp/latlab-guest/qmp.sock,server=on,wait=off -netdev tap,id=net0,ifname=lltap0,script=no,downscript=no,vhost=on -device virtio-net-pci,netdev=net0,mac=52:54:00:a1:01:00,romfile= &
latlab-probe reflect --bind 198.18.77.3:7701 --priority 0 --fifo 80 &  # in the guest
ip netns exec peer latlab-probe send --udp 198.18.77.3:7701 --period 1000000ns --count 10000 --size 128 --clock tai --timeout 1000000000ns --priority 0 --fifo 80
ip -6 addr del 2001:2:0:77::1/64 dev llbr0
ip -4 addr del 198.18.77.1/24 dev llbr0
ip tuntap del dev lltap0 mode tap
ip link set dev eth0 nomaster
ip link del dev llbr0
