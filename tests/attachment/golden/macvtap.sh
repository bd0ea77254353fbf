ip -j -d -s link show dev eth0
ip netns exec peer ip -j -d -s link show dev eth1
ip netns exec peer ip neigh flush dev eth1
test -c /dev/vhost-net
ip link add link eth0 name llmvt0 index 7700 address 52:54:00:a1:01:00 type macvtap mode bridge
ip link set dev llmvt0 up
qemu-system-x86_64 -name guest -no-user-config -nodefaults -display none -no-reboot -accel kvm -machine q35 -cpu host -smp 1 -m 192M -kernel /boot/vmlinuz-6.12.1 -initrd guest.cpio -append 'console=ttyS0 quiet panic=-1' -serial file:/tmp/latlab-guest/console.log -device virtio-serial-pci -chardev socket,id=agent,path=/tmp/latlab-guest/agent.sock,server=on,wait=off -device virtserialport,chardev=agent,name=latlab -qmp unix:/tmp/latlab-guest/qmp.sock,server=on,wait=off -netdev tap,id=net0,fd=10,vhost=on -device virtio-net-pci,netdev=net0,mac=52:54:00:a1:01:00,romfile= 10<>/dev/tap7700 &
latlab-probe reflect --bind 198.18.77.3:7701 --priority 0 --fifo 80 &  # in the guest
ip netns exec peer latlab-probe send --udp 198.18.77.3:7701 --period 1000000ns --count 10000 --size 128 --clock tai --timeout 1000000000ns --priority 0 --fifo 80
ip link del dev llmvt0
