ip -j -d -s link show dev eth0
ip netns exec peer ip -j -d -s link show dev eth1
ip netns exec peer ip neigh flush dev eth1
ip -j addr show
ip -4 addr add 198.18.77.1/24 dev eth0
ip -6 addr add 2001:2:0:77::1/64 dev eth0 nodad
qemu-system-x86_64 -name guest -no-user-config -nodefaults -display none -no-reboot -accel kvm -machine q35 -cpu host -smp 1 -m 192M -kernel /boot/vmlinuz-6.12.1 -initrd guest.cpio -append 'console=ttyS0 quiet panic=-1' -serial file:/tmp/latlab-guest/console.log -device virtio-serial-pci -chardev socket,id=agent,path=/tmp/latlab-guest/agent.sock,server=on,wait=off -device virtserialport,chardev=agent,name=latlab -qmp unix:/tmp/latlab-guest/qmp.sock,server=on,wait=off -netdev user,id=net0,ipv6=off,hostfwd=udp:198.18.77.1:7701-10.0.2.15:7701,hostfwd=tcp:198.18.77.1:12865-10.0.2.15:12865,hostfwd=tcp:198.18.77.1:12866-10.0.2.15:12866,hostfwd=udp:198.18.77.1:12866-10.0.2.15:12866 -device virtio-net-pci,netdev=net0,mac=52:54:00:a1:01:00,romfile= &
latlab-probe reflect --bind 10.0.2.15:7701 --priority 0 --fifo 80 &  # in the guest
ip netns exec peer latlab-probe send --udp 198.18.77.1:7701 --period 1000000ns --count 10000 --size 128 --clock tai --timeout 1000000000ns --priority 0 --fifo 80
ip -6 addr del 2001:2:0:77::1/64 dev eth0
ip -4 addr del 198.18.77.1/24 dev eth0
