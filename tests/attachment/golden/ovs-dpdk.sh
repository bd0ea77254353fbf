ip -j -d -s link show dev eth0
ip netns exec peer ip -j -d -s link show dev eth1
ip netns exec peer ip neigh flush dev eth1
sh -c 'command -v "$0"' /usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk
sh -c 'command -v "$0"' ovsdb-tool
sh -c 'command -v "$0"' ovsdb-server
sh -c 'command -v "$0"' ovs-vsctl
sh -c 'command -v "$0"' ovs-appctl
sh -c 'command -v "$0"' ovs-dpctl
sh -c 'command -v "$0"' start-stop-daemon
sh -c 'command -v "$0"' /usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk
ip -j link show
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
cat /proc/meminfo
sysctl -q -w vm.nr_hugepages=128
sysctl -n vm.nr_hugepages
mkdir -m 700 /tmp/latlab-AGENT-ovs
ovsdb-tool create /tmp/latlab-AGENT-ovs/conf.db /usr/share/openvswitch/vswitch.ovsschema
env OVS_RUNDIR=/tmp/latlab-AGENT-ovs OVS_LOGDIR=/tmp/latlab-AGENT-ovs OVS_DBDIR=/tmp/latlab-AGENT-ovs OVS_SYSCONFDIR=/tmp/latlab-AGENT-ovs RUNTIME_DIRECTORY=/tmp/latlab-AGENT-ovs LIBXDP_SKIP_DISPATCHER=1 ovsdb-server /tmp/latlab-AGENT-ovs/conf.db --remote=punix:/tmp/latlab-AGENT-ovs/db.sock --unixctl=/tmp/latlab-AGENT-ovs/db.ctl --pidfile=/tmp/latlab-AGENT-ovs/ovsdb.pid --log-file=/tmp/latlab-AGENT-ovs/ovsdb.log -vconsole:off &
test -S /tmp/latlab-AGENT-ovs/db.sock
ovs-vsctl --db=unix:/tmp/latlab-AGENT-ovs/db.sock --timeout=45 --no-wait init
ovs-vsctl --db=unix:/tmp/latlab-AGENT-ovs/db.sock --timeout=45 --no-wait set Open_vSwitch . other_config:pmd-cpu-mask=0x2 other_config:pmd-sleep-max=100 other_config:pmd-maxsleep=100 other_config:dpdk-init=true other_config:dpdk-socket-mem=256 other_config:dpdk-socket-limit=256 'other_config:dpdk-extra="--no-pci --no-telemetry --file-prefix=latlab"'
env OVS_RUNDIR=/tmp/latlab-AGENT-ovs OVS_LOGDIR=/tmp/latlab-AGENT-ovs OVS_DBDIR=/tmp/latlab-AGENT-ovs OVS_SYSCONFDIR=/tmp/latlab-AGENT-ovs RUNTIME_DIRECTORY=/tmp/latlab-AGENT-ovs LIBXDP_SKIP_DISPATCHER=1 /usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk unix:/tmp/latlab-AGENT-ovs/db.sock --unixctl=/tmp/latlab-AGENT-ovs/vswitchd.ctl --pidfile=/tmp/latlab-AGENT-ovs/vswitchd.pid --log-file=/tmp/latlab-AGENT-ovs/vswitchd.log -vconsole:off &
ovs-vsctl --db=unix:/tmp/latlab-AGENT-ovs/db.sock --timeout=45 add-br llbr0 -- set bridge llbr0 datapath_type=netdev fail_mode=standalone -- add-port llbr0 llnic -- set interface llnic type=dpdk 'options:dpdk-devargs="net_af_xdp0,iface=eth0,start_queue=0,queue_count=1"' options:n_rxq=1 -- add-port llbr0 llvhost0 -- set interface llvhost0 type=dpdkvhostuserclient options:vhost-server-path=/tmp/latlab-AGENT-ovs/llvhost0.sock
ovs-vsctl --db=unix:/tmp/latlab-AGENT-ovs/db.sock --timeout=45 --no-wait get interface llbr0 error
ovs-vsctl --db=unix:/tmp/latlab-AGENT-ovs/db.sock --timeout=45 --no-wait get interface llnic error
ovs-vsctl --db=unix:/tmp/latlab-AGENT-ovs/db.sock --timeout=45 --no-wait get interface llvhost0 error
ip link set dev llbr0 up
ip -j addr show
ip -4 addr add 198.18.77.1/24 dev llbr0
ip -6 addr add 2001:2:0:77::1/64 dev llbr0 nodad
cat /proc/meminfo
sysctl -q -w vm.nr_hugepages=224
sysctl -n vm.nr_hugepages
qemu-system-x86_64 -name guest -no-user-config -nodefaults -display none -no-reboot -accel kvm -machine q35,memory-backend=ram -object memory-backend-memfd,id=ram,size=192M,share=on,hugetlb=on -cpu host -smp 1 -m 192M -kernel /boot/vmlinuz-6.12.1 -initrd guest.cpio -append 'console=ttyS0 quiet panic=-1' -serial file:/tmp/latlab-guest/console.log -device virtio-serial-pci -chardev socket,id=agent,path=/tmp/latlab-guest/agent.sock,server=on,wait=off -device virtserialport,chardev=agent,name=latlab -qmp unix:/tmp/latlab-guest/qmp.sock,server=on,wait=off -chardev socket,id=ovs,path=/tmp/latlab-AGENT-ovs/llvhost0.sock,server=on,wait=off -netdev vhost-user,id=net0,chardev=ovs -device virtio-net-pci,netdev=net0,mac=52:54:00:a1:01:00,romfile= &
latlab-probe reflect --bind 198.18.77.3:7701 --priority 0 --fifo 80 &  # in the guest
ip netns exec peer latlab-probe send --udp 198.18.77.3:7701 --period 1000000ns --count 10000 --size 128 --clock tai --timeout 1000000000ns --priority 0 --fifo 80
sysctl -q -w vm.nr_hugepages=128
ip -6 addr del 2001:2:0:77::1/64 dev llbr0
ip -4 addr del 198.18.77.1/24 dev llbr0
start-stop-daemon --stop --oknodo --quiet --retry TERM/5/KILL/5 --pidfile /tmp/latlab-AGENT-ovs/vswitchd.pid --name ovs-vswitchd-dp
start-stop-daemon --stop --oknodo --quiet --retry TERM/5/KILL/5 --pidfile /tmp/latlab-AGENT-ovs/ovsdb.pid --name ovsdb-server
rm -rf /tmp/latlab-AGENT-ovs
sysctl -q -w vm.nr_hugepages=0
ip tuntap del dev llbr0 mode tap
ip tuntap del dev ovs-netdev mode tap
ip link set dev eth0 promisc off
ip link set dev eth0 xdp off
ip netns exec peer ethtool -K eth1 txvlan on rxvlan on
ethtool -K eth0 txvlan on rxvlan on
