ip -j -d -s link show dev eth0
ip netns exec peer ip -j -d -s link show dev eth1
ip netns exec peer ip neigh flush dev eth1
ssh -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 -o LogLevel=ERROR -o ClearAllForwardings=yes -o ForwardAgent=no -o ForwardX11=no -o PermitLocalCommand=no -o 'LocalCommand=echo connected' -o RemoteCommand=none -o RequestTTY=no -o ControlPersist=no -S /tmp/latlab-ssh/connection -- their-guest latlab-probe agent &
latlab-probe reflect --bind 198.18.77.3:7701 --priority 0 --fifo 80 &  # in the guest
ip netns exec peer latlab-probe send --udp 198.18.77.3:7701 --period 1000000ns --count 10000 --size 128 --clock tai --timeout 1000000000ns --priority 0 --fifo 80
