ip -j -d -s link show dev eth0
ip netns exec peer ip -j -d -s link show dev eth1
ip netns exec peer ip neigh flush dev eth1
ip -j addr show
ip -4 addr add 198.18.77.1/24 dev eth0
ip -6 addr add 2001:2:0:77::1/64 dev eth0 nodad
latlab-probe reflect --bind 198.18.77.1:7701 --priority 0 --fifo 80 &
ip netns exec peer latlab-probe send --udp 198.18.77.1:7701 --period 1000000ns --count 10000 --size 128 --clock tai --timeout 1000000000ns --priority 0 --fifo 80
ip -6 addr del 2001:2:0:77::1/64 dev eth0
ip -4 addr del 198.18.77.1/24 dev eth0
