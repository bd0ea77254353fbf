ip -j -d -s link show dev eth0
ip netns exec peer ip -j -d -s link show dev eth1
ip netns exec peer ip neigh flush dev eth1
sh -c 'command -v "$0"' ovsdb-tool
sh -c 'command -v "$0"' ovsdb-server
sh -c 'command -v "$0"' ovs-vsctl
sh -c 'command -v "$0"' ovs-appctl
sh -c 'command -v "$0"' ovs-dpctl
sh -c 'command -v "$0"' start-stop-daemon
sh -c 'command -v "$0"' ovs-vswitchd
ip -j link show
test -c /dev/vhost-net
ip -j -d -s link show dev eth0
ethtool --json -k eth0
ethtool -K eth0 txvlan off rxvlan off
ethtool --json -k eth0
ip netns exec peer ip -j -d -s link show dev eth1
ip netns exec peer ethtool --json -k eth1
ip netns exec peer ethtool -K eth1 txvlan off rxvlan off
ip netns exec peer ethtool --json -k eth1
ethtool -l eth0
ip -j -d -s link show dev eth0
ip -j -d -s link show dev eth0
ethtool -l eth0
test -d /sys/module/nfnetlink_cttimeout
test -d /sys/module/openvswitch
ip tuntap add dev ovs-netdev mode tap
ip link set dev ovs-netdev up
ip tuntap add dev llbr0 mode tap
ip link set dev llbr0 up
ip tuntap add dev lltap0 mode tap
ip link set dev lltap0 up
mkdir -m 700 /tmp/latlab-AGENT-ovs
ovsdb-tool create /tmp/latlab-AGENT-ovs/conf.db /usr/share/openvswitch/vswitch.ovsschema
env OVS_RUNDIR=/tmp/latlab-AGENT-ovs OVS_LOGDIR=/tmp/latlab-AGENT-ovs OVS_DBDIR=/tmp/latlab-AGENT-ovs OVS_SYSCONFDIR=/tmp/latlab-AGENT-ovs RUNTIME_DIRECTORY=/tmp/latlab-AGENT-ovs LIBXDP_SKIP_DISPATCHER=1 ovsdb-server /tmp/latlab-AGENT-ovs/conf.db --remote=punix:/tmp/latlab-AGENT-ovs/db.sock --unixctl=/tmp/latlab-AGENT-ovs/db.ctl --pidfile=/tmp/latlab-AGENT-ovs/ovsdb.pid --log-file=/tmp/latlab-AGENT-ovs/ovsdb.log -vconsole:off &
test -S /tmp/latlab-AGENT-ovs/db.sock
ovs-vsctl --db=unix:/tmp/latlab-AGENT-ovs/db.sock --timeout=45 --no-wait init
ovs-vsctl --db=unix:/tmp/latlab-AGENT-ovs/db.sock --timeout=45 --no-wait set Open_vSwitch . other_config:pmd-cpu-mask=0x2 other_config:pmd-sleep-max=100 other_config:pmd-maxsleep=100
env OVS_RUNDIR=/tmp/latlab-AGENT-ovs OVS_LOGDIR=/tmp/latlab-AGENT-ovs OVS_DBDIR=/tmp/latlab-AGENT-ovs OVS_SYSCONFDIR=/tmp/latlab-AGENT-ovs RUNTIME_DIRECTORY=/tmp/latlab-AGENT-ovs LIBXDP_SKIP_DISPATCHER=1 ovs-vswitchd unix:/tmp/latlab-AGENT-ovs/db.sock --unixctl=/tmp/latlab-AGENT-ovs/vswitchd.ctl --pidfile=/tmp/latlab-AGENT-ovs/vswitchd.pid --log-file=/tmp/latlab-AGENT-ovs/vswitchd.log -vconsole:off &
ovs-vsctl --db=unix:/tmp/latlab-AGENT-ovs/db.sock --timeout=45 add-br llbr0 -- set bridge llbr0 datapath_type=netdev fail_mode=standalone -- add-port llbr0 eth0 -- set interface eth0 type=afxdp options:n_rxq=1 options:xdp-mode=best-effort -- add-port llbr0 lltap0 -- set interface lltap0 type=afxdp options:n_rxq=1 options:xdp-mode=best-effort
ovs-vsctl --db=unix:/tmp/latlab-AGENT-ovs/db.sock --timeout=45 --no-wait get interface llbr0 error
ovs-vsctl --db=unix:/tmp/latlab-AGENT-ovs/db.sock --timeout=45 --no-wait get interface eth0 error
ovs-vsctl --db=unix:/tmp/latlab-AGENT-ovs/db.sock --timeout=45 --no-wait get interface lltap0 error
ip link set dev llbr0 up
ip -j addr show
ip -4 addr add 198.18.77.1/24 dev llbr0
ip -6 addr add 2001:2:0:77::1/64 dev llbr0 nodad
ovs-appctl --timeout=10 --target=/tmp/latlab-AGENT-ovs/vswitchd.ctl dpctl/show --statistics
qemu-system-x86_64 -name guest -no-user-config -nodefaults -display none -no-reboot -accel kvm -machine q35 -cpu host -smp 1 -m 192M -kernel /boot/vmlinuz-6.12.1 -initrd guest.cpio -append 'console=ttyS0 quiet panic=-1' -serial file:/tmp/latlab-guest/console.log -device virtio-serial-pci -chardev socket,id=agent,path=/tmp/latlab-guest/agent.sock,server=on,wait=off -device virtserialport,chardev=agent,name=latlab -qmp unix:/tmp/latlab-guest/qmp.sock,server=on,wait=off -netdev tap,id=net0,ifname=lltap0,script=no,downscript=no,vhost=on -device virtio-net-pci,netdev=net0,mac=52:54:00:a1:01:00,romfile=,csum=off,guest_csum=off,gso=off,host_tso4=off,host_tso6=off,host_ecn=off,host_ufo=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off &
latlab-probe reflect --bind 198.18.77.3:7701 --priority 0 --fifo 80 &  # in the guest
ip netns exec peer latlab-probe send --udp 198.18.77.3:7701 --period 1000000ns --count 10000 --size 128 --clock tai --timeout 1000000000ns --priority 0 --fifo 80
ip -6 addr del 2001:2:0:77::1/64 dev llbr0
ip -4 addr del 198.18.77.1/24 dev llbr0
start-stop-daemon --stop --oknodo --quiet --retry TERM/5/KILL/5 --pidfile /tmp/latlab-AGENT-ovs/vswitchd.pid --name ovs-vswitchd
start-stop-daemon --stop --oknodo --quiet --retry TERM/5/KILL/5 --pidfile /tmp/latlab-AGENT-ovs/ovsdb.pid --name ovsdb-server
rm -rf /tmp/latlab-AGENT-ovs
ip tuntap del dev lltap0 mode tap
ip tuntap del dev llbr0 mode tap
ip tuntap del dev ovs-netdev mode tap
ip link set dev eth0 promisc off
ip link set dev eth0 xdp off
ip netns exec peer ethtool -K eth1 txvlan on rxvlan on
ethtool -K eth0 txvlan on rxvlan on
